//! One subscriber's bounded queue, and what it is told when it was too slow.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::task::Waker;

use alan_proto::LeaveReason;

use super::{Event, Member, View};
use crate::wakes::Wakes;

/// What one subscriber has not read yet.
#[derive(Debug)]
pub(super) struct Subscriber {
    queue: VecDeque<Event>,
    /// What it knows once it has read its queue to the end.
    view: View,
    /// How many events it has missed since then.
    missed: u64,
    /// Of the members in its view: who has left among what it missed, and why.
    departed: BTreeMap<SocketAddr, LeaveReason>,
    waker: Option<Waker>,
}

impl Subscriber {
    /// A subscriber that is first told what is true now.
    pub(super) fn new(now: &View) -> Self {
        let mut subscriber = Self {
            queue: VecDeque::new(),
            view: View::default(),
            missed: 0,
            departed: BTreeMap::new(),
            waker: None,
        };
        subscriber.catch_up(now);
        subscriber
    }

    pub(super) fn push(&mut self, event: &Event, limit: usize, wakes: &mut Wakes) {
        if self.missed > 0 || self.queue.len() >= limit {
            self.miss(event);
        } else {
            self.append(event.clone());
        }
        wakes.take(&mut self.waker);
    }

    /// The next event; `now` is what a subscriber that missed some is brought up to.
    pub(super) fn next(&mut self, now: &View) -> Option<Event> {
        if self.queue.is_empty() && self.missed > 0 {
            if !fault!(HideLag) {
                self.queue.push_back(Event::Lagged(self.missed));
            }
            self.missed = 0;
            self.catch_up(now);
        }
        self.queue.pop_front()
    }

    pub(super) fn register(&mut self, task: &Waker, wakes: &mut Wakes) {
        wakes.register(&mut self.waker, task);
    }

    pub(super) fn wake(&mut self, wakes: &mut Wakes) {
        wakes.take(&mut self.waker);
    }

    fn append(&mut self, event: Event) {
        self.view.apply(&event);
        self.queue.push_back(event);
    }

    fn miss(&mut self, event: &Event) {
        self.missed += 1;
        if let Event::Left { peer, why } = *event
            && self.view.members.contains_key(&peer)
        {
            self.departed.entry(peer).or_insert(why);
        }
    }

    /// Queues the difference between its view and what is true: at most four events per member,
    /// and one about the quorum.
    fn catch_up(&mut self, now: &View) {
        for (peer, why) in std::mem::take(&mut self.departed) {
            self.append(Event::Left { peer, why });
        }
        for (&peer, member) in &now.members {
            if !self.view.members.contains_key(&peer) {
                self.append(Event::Joined { peer, incarnation: member.incarnation });
            }
            self.catch_up_with(peer, member);
        }
        if self.view.quorum.reached != now.quorum.reached {
            self.append(now.quorum.event());
        }
    }

    /// What it has not been told about a member that it knows to be one.
    fn catch_up_with(&mut self, peer: SocketAddr, now: &Member) {
        let Some(&known) = self.view.members.get(&peer) else { return };
        if let Some(theirs) = now.mismatch
            && known.mismatch != now.mismatch
        {
            self.append(Event::ConfigMismatch { peer, theirs });
        }
        if known.updates != now.updates {
            self.append(Event::Updated { peer });
            if let Some(known) = self.view.members.get_mut(&peer) {
                known.updates = now.updates;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Hub;
    use super::*;
    use std::task::{Context, Poll};

    fn peer(number: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], number))
    }

    fn joined(number: u16) -> Event {
        Event::Joined { peer: peer(number), incarnation: None }
    }

    fn left(number: u16, why: LeaveReason) -> Event {
        Event::Left { peer: peer(number), why }
    }

    fn publish(hub: &mut Hub, events: &[Event]) {
        for event in events {
            hub.publish(event, &mut Wakes::default());
        }
    }

    fn read(hub: &mut Hub, subscriber: u64) -> Vec<Event> {
        let mut events = Vec::new();
        while let Poll::Ready(Some(event)) =
            hub.poll(subscriber, &Context::from_waker(Waker::noop()), &mut Wakes::default())
        {
            events.push(event);
        }
        events
    }

    #[test]
    fn a_new_subscriber_is_told_what_is_true_already() {
        let mut hub = Hub::new(8);
        let reached = Event::QuorumReached { have: 2, need: 2 };
        publish(&mut hub, &[joined(1), joined(2), left(1, LeaveReason::Silent), reached.clone()]);
        let subscriber = hub.subscribe();
        assert_eq!(read(&mut hub, subscriber), [joined(2), reached]);
    }

    #[test]
    fn of_many_changes_of_a_name_a_lagging_subscriber_is_told_one() {
        let mut hub = Hub::new(2);
        let subscriber = hub.subscribe();
        let updated = |number| Event::Updated { peer: peer(number) };
        publish(&mut hub, &[joined(1), updated(1), updated(1), updated(1), joined(2), updated(2)]);
        assert_eq!(
            read(&mut hub, subscriber),
            [joined(1), updated(1), Event::Lagged(4), updated(1), joined(2), updated(2)]
        );
        publish(&mut hub, &[updated(1)]);
        assert_eq!(read(&mut hub, subscriber), [updated(1)]);
        let newcomer = hub.subscribe();
        assert_eq!(read(&mut hub, newcomer), [joined(1), updated(1), joined(2), updated(2)]);
    }

    #[test]
    fn a_lagging_subscriber_is_told_how_much_it_missed_and_then_the_difference() {
        let mut hub = Hub::new(2);
        let subscriber = hub.subscribe();
        publish(&mut hub, &[joined(1), joined(2)]);
        publish(
            &mut hub,
            &[
                left(1, LeaveReason::Silent),
                joined(1),
                left(2, LeaveReason::SaidGoodbye),
                joined(3),
                joined(4),
                left(4, LeaveReason::Silent),
            ],
        );
        assert_eq!(
            read(&mut hub, subscriber),
            [
                joined(1),
                joined(2),
                Event::Lagged(6),
                left(1, LeaveReason::Silent),
                left(2, LeaveReason::SaidGoodbye),
                joined(1),
                joined(3),
            ]
        );
        publish(&mut hub, &[left(3, LeaveReason::Silent)]);
        assert_eq!(read(&mut hub, subscriber), [left(3, LeaveReason::Silent)]);
    }

    #[test]
    fn joined_and_left_alternate_for_every_subscriber_however_slow() {
        let mut hub = Hub::new(3);
        let subscribers: Vec<_> = (0..4).map(|_| hub.subscribe()).collect();
        let mut seen = vec![Vec::new(); subscribers.len()];
        let mut member = [false; 5];
        let mut dice = 7_u32;
        for round in 0..2_000 {
            dice = dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let number = (dice >> 16) % 5;
            let is_member = &mut member[number as usize];
            let number = u16::try_from(number + 1).expect("small");
            let event = if *is_member { left(number, LeaveReason::Silent) } else { joined(number) };
            *is_member = !*is_member;
            publish(&mut hub, &[event]);
            for (pace, &subscriber) in subscribers.iter().enumerate() {
                if round % (1 + 5 * pace) == 0 {
                    seen[pace].extend(read(&mut hub, subscriber));
                }
            }
        }
        for (subscriber, mut seen) in subscribers.into_iter().zip(seen) {
            seen.extend(read(&mut hub, subscriber));
            let mut view = View::default();
            for event in &seen {
                match event {
                    Event::Joined { peer, .. } => assert!(!view.members.contains_key(peer)),
                    Event::Left { peer, .. } => assert!(view.members.contains_key(peer)),
                    _ => {}
                }
                view.apply(event);
            }
            assert_eq!(view, hub.view, "in the end it knows what is true");
        }
    }

    #[test]
    fn the_stream_ends_after_the_last_event_when_the_node_has_left() {
        let mut hub = Hub::new(8);
        let subscriber = hub.subscribe();
        publish(&mut hub, &[joined(1)]);
        hub.close(&mut Wakes::default());
        assert_eq!(read(&mut hub, subscriber), [joined(1)]);
        let context = Context::from_waker(Waker::noop());
        let end = hub.poll(subscriber, &context, &mut Wakes::default());
        assert_eq!(end, Poll::Ready(None));
    }
}
