//! The inbox, by hand: order, bounds, turns, and marks between messages.

use alan_proto::LeaveReason;
use bytes::Bytes;

use super::*;

const LIMIT: usize = 3;

/// More than any of the short texts here add up to.
const BYTES: usize = 4_096;

fn peer(number: u8) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, number], 5000))
}

fn message(number: u8, text: &'static str) -> Inbound {
    let payload = Bytes::from_static(text.as_bytes());
    Inbound { from: peer(number), kind: Kind::Data, payload }
}

fn joined(number: u8) -> PeerEvent {
    PeerEvent::Joined { peer: peer(number), incarnation: None }
}

fn left(number: u8) -> PeerEvent {
    PeerEvent::Left { peer: peer(number), why: LeaveReason::SaidGoodbye }
}

/// An inbox, and everything that came out of it, in order.
struct Bench {
    inbox: Inbox,
    told: Vec<PeerEvent>,
    wakes: Wakes,
}

impl Bench {
    fn new(block: bool) -> Self {
        Self::with_bytes(BYTES, block)
    }

    fn with_bytes(bytes: usize, block: bool) -> Self {
        let limits = InboxLimits { messages: LIMIT, queues: 4, bytes, block };
        Self { inbox: Inbox::new(limits), told: Vec::new(), wakes: Wakes::default() }
    }

    fn attached() -> Self {
        let mut bench = Self::new(false);
        assert!(bench.inbox.attach());
        bench
    }

    fn push(&mut self, number: u8, text: &'static str) -> Admission {
        self.inbox.push(message(number, text), Reading::ToDeliver, &mut self.wakes)
    }

    fn on_peer(&mut self, event: PeerEvent) -> Vec<PeerEvent> {
        self.inbox.on_peer(event, &mut self.told);
        std::mem::take(&mut self.told)
    }

    /// The next message, and what was told because of it.
    fn read(&mut self) -> Option<(SocketAddr, Bytes, Vec<PeerEvent>)> {
        let message = self.inbox.take_next(&mut self.told, &mut self.wakes)?;
        Some((message.from, message.payload, std::mem::take(&mut self.told)))
    }

    fn read_texts(&mut self) -> Vec<(SocketAddr, Bytes)> {
        std::iter::from_fn(|| self.read()).map(|(from, text, _)| (from, text)).collect()
    }

    fn serve(&mut self, queue: QueueKey) -> Option<Bytes> {
        let served = self.inbox.next_served(queue, &mut self.told, &mut self.wakes);
        served.map(|message| message.payload)
    }

    fn told(&mut self) -> Vec<PeerEvent> {
        std::mem::take(&mut self.told)
    }
}

fn text(number: u8, text: &'static str) -> (SocketAddr, Bytes) {
    (peer(number), Bytes::from_static(text.as_bytes()))
}

#[test]
fn a_peers_messages_come_in_order_and_peers_take_turns() {
    let mut bench = Bench::attached();
    assert_eq!(bench.on_peer(joined(1)), [joined(1)]);
    assert_eq!(bench.on_peer(joined(2)), [joined(2)]);
    for words in [["a1", "a2", "a3"], ["b1", "b2", "b3"]] {
        let number = if words[0] == "a1" { 1 } else { 2 };
        for word in words {
            assert_eq!(bench.push(number, word), Admission::Queued);
        }
    }
    assert_eq!(
        bench.read_texts(),
        [text(1, "a1"), text(2, "b1"), text(1, "a2"), text(2, "b2"), text(1, "a3"), text(2, "b3")]
    );
    assert_eq!(bench.inbox.usage(), (0, 0));
}

#[test]
fn what_a_peer_sent_before_it_left_is_handed_out_before_its_left() {
    let mut bench = Bench::attached();
    bench.on_peer(joined(1));
    let _ = (bench.push(1, "first"), bench.push(1, "last"));
    assert_eq!(bench.on_peer(left(1)), []);
    let (_, first, told) = bench.read().expect("two wait");
    assert_eq!((first.as_ref(), told), (b"first".as_slice(), vec![]));
    let (_, last, told) = bench.read().expect("one waits");
    assert_eq!((last.as_ref(), told), (b"last".as_slice(), vec![left(1)]));
    assert!(bench.inbox.peers.is_empty(), "then its queue is gone");
}

#[test]
fn a_peer_that_comes_back_is_told_of_after_its_left() {
    let mut bench = Bench::attached();
    bench.on_peer(joined(1));
    let _ = bench.push(1, "old life");
    assert_eq!(bench.on_peer(left(1)), []);
    assert_eq!(bench.on_peer(joined(1)), []);
    let _ = bench.push(1, "new life");
    let (_, old, told) = bench.read().expect("two wait");
    assert_eq!((old.as_ref(), told), (b"old life".as_slice(), vec![left(1), joined(1)]));
    let (_, new, told) = bench.read().expect("one waits");
    assert_eq!((new.as_ref(), told), (b"new life".as_slice(), vec![]));
    assert!(bench.inbox.peers.contains_key(&peer(1)), "it is a member");
}

#[test]
fn news_about_a_peer_that_came_back_are_told_after_that_and_once() {
    let mut bench = Bench::attached();
    let updated = PeerEvent::Updated { peer: peer(1) };
    bench.on_peer(joined(1));
    let _ = bench.push(1, "old life");
    assert_eq!(bench.on_peer(updated), [updated], "it waits for nothing");
    assert_eq!(bench.on_peer(left(1)), []);
    assert_eq!(bench.on_peer(joined(1)), []);
    for _ in 0..1_000 {
        assert_eq!(bench.on_peer(updated), []);
    }
    assert_eq!(bench.inbox.peers[&peer(1)].marks(), 3);
    assert_eq!(bench.on_peer(left(1)), [], "the new life, and all about it, is over unseen");
    assert_eq!(bench.inbox.peers[&peer(1)].marks(), 1);
    let (.., told) = bench.read().expect("one waits");
    assert_eq!(told, [left(1)]);
}

#[test]
fn requests_that_are_dropped_unread_are_told_once() {
    let mut bench = Bench::attached();
    let ask = |bench: &mut Bench, number| {
        let id = RequestId([number; 16]);
        let request = Inbound { kind: Kind::Request(id), ..message(number, "?") };
        let admission = bench.inbox.push(request, Reading::ToDeliver, &mut bench.wakes);
        assert_eq!(admission, Admission::Queued);
        (peer(number), id)
    };
    bench.on_peer(joined(1));
    let asked = [ask(&mut bench, 1), ask(&mut bench, 2)];
    bench.inbox.detach(&mut bench.told, &mut bench.wakes);
    assert_eq!(bench.inbox.take_unanswered(), asked);
    assert_eq!(bench.inbox.take_unanswered(), []);
}

#[test]
fn a_peer_that_comes_and_goes_unseen_leaves_two_marks_at_most() {
    let mut bench = Bench::attached();
    bench.on_peer(joined(1));
    let _ = bench.push(1, "only");
    for _ in 0..1_000 {
        assert_eq!(bench.on_peer(left(1)), []);
        assert_eq!(bench.on_peer(joined(1)), []);
    }
    assert_eq!(bench.on_peer(left(1)), []);
    let (_, _, told) = bench.read().expect("one waits");
    assert_eq!(told, [left(1)]);
}

#[test]
fn events_do_not_wait_for_messages_that_nobody_reads() {
    let mut bench = Bench::new(false);
    bench.on_peer(joined(1));
    let _ = bench.push(1, "unread");
    assert_eq!(bench.on_peer(left(1)), [left(1)]);
    assert!(bench.inbox.attach(), "who comes later finds it still");
    assert_eq!(bench.read_texts(), [text(1, "unread")]);
}

#[test]
fn a_full_queue_refuses_its_own_peer_only_and_says_so_once() {
    let mut bench = Bench::attached();
    bench.on_peer(joined(1));
    bench.on_peer(joined(2));
    for _ in 0..LIMIT {
        assert_eq!(bench.push(1, "m"), Admission::Queued);
    }
    let refused = |tell| Admission::Refused { queue: QueueKey::Peer(peer(1)), tell };
    assert_eq!(bench.push(1, "m"), refused(true));
    assert_eq!(bench.push(1, "m"), refused(false));
    assert_eq!(bench.push(2, "n"), Admission::Queued);
    assert_eq!(bench.inbox.losses(), (2, 0));

    assert_eq!(bench.read_texts().len(), LIMIT + 1);
    for _ in 0..LIMIT {
        assert_eq!(bench.push(1, "m"), Admission::Queued);
    }
    assert_eq!(bench.push(1, "m"), refused(true), "it had run empty in between");
}

#[test]
fn all_queues_together_hold_so_many_bytes_and_each_peer_that_finds_none_is_told_of_once() {
    let mut bench = Bench::with_bytes(10, false);
    assert!(bench.inbox.attach());
    for number in 1..=3 {
        bench.on_peer(joined(number));
    }
    let refused = |number, tell| Admission::Refused { queue: QueueKey::Peer(peer(number)), tell };
    assert_eq!(bench.push(1, "1234567"), Admission::Queued);
    assert_eq!(bench.push(2, "8900"), refused(2, true));
    assert_eq!(bench.push(2, "8900"), refused(2, false));
    assert_eq!(bench.push(1, "8900"), refused(1, true), "nor is there room for the greedy one");
    assert_eq!(bench.push(3, "890"), Admission::Queued, "this fits to the byte");
    assert_eq!(bench.push(3, ""), Admission::Queued);
    assert_eq!((bench.inbox.queued_bytes(), bench.inbox.losses()), (10, (3, 0)));

    assert_eq!(bench.read_texts().len(), 3);
    assert_eq!(bench.inbox.queued_bytes(), 0);
    assert_eq!(bench.push(2, "1234567890"), Admission::Queued);
    assert_eq!(bench.push(2, "1"), refused(2, true), "there had been room in between");
    bench.inbox.detach(&mut bench.told, &mut bench.wakes);
    assert_eq!(bench.inbox.queued_bytes(), 0, "what is dropped takes no room");
}

#[test]
fn all_queues_together_stop_receiving_where_that_is_the_policy() {
    let mut bench = Bench::with_bytes(10, true);
    assert!(bench.inbox.attach());
    bench.on_peer(joined(1));
    bench.on_peer(joined(2));
    let _ = (bench.push(1, "12345"), bench.push(2, "67890"));
    assert!(bench.inbox.must_wait(Waker::noop(), &mut bench.wakes));
    assert_eq!(bench.push(1, "in the same batch"), Admission::Queued);
    let hurried = bench.inbox.push(message(2, "6"), Reading::ToJudge, &mut bench.wakes);
    assert_eq!(hurried, Admission::Refused { queue: QueueKey::Peer(peer(2)), tell: true });
    assert!(bench.read().is_some() && bench.read().is_some());
    assert!(bench.inbox.is_blocked(), "one is left, but it is long");
    assert!(bench.read().is_some());
    assert!(!bench.inbox.is_blocked());
    assert!(bench.inbox.blocked.is_none(), "the driver has been woken");
}

#[test]
fn a_full_queue_stops_receiving_where_that_is_the_policy() {
    let mut bench = Bench::new(true);
    bench.on_peer(joined(1));
    for _ in 0..LIMIT {
        let _ = bench.push(1, "m");
    }
    assert!(!bench.inbox.is_blocked(), "nobody has come to read yet");
    assert!(bench.inbox.attach());
    assert!(bench.inbox.must_wait(Waker::noop(), &mut bench.wakes));
    assert_eq!(bench.push(1, "in the same batch"), Admission::Queued);
    assert!(bench.read().is_some());
    assert!(bench.inbox.is_blocked(), "it holds as many as it may");
    assert!(bench.read().is_some());
    assert!(!bench.inbox.is_blocked());
    assert!(bench.inbox.blocked.is_none(), "the driver has been woken");
}

#[test]
fn strangers_share_a_queue_and_take_their_messages_along_when_they_join() {
    let mut bench = Bench::attached();
    let _ = (bench.push(1, "a1"), bench.push(2, "b1"), bench.push(1, "a2"));
    let refused = Admission::Refused { queue: QueueKey::Strangers, tell: true };
    assert_eq!(bench.push(3, "c1"), refused);
    assert_eq!(bench.on_peer(joined(1)), [joined(1)]);
    assert_eq!(bench.push(1, "a3"), Admission::Queued);
    let texts = bench.read_texts();
    let of_one: Vec<_> = texts.iter().filter(|(from, _)| *from == peer(1)).cloned().collect();
    assert_eq!(of_one, [text(1, "a1"), text(1, "a2"), text(1, "a3")]);
    assert!(texts.contains(&text(2, "b1")));
    assert_eq!(bench.inbox.usage(), (0, 0));
}

#[test]
fn a_served_queue_is_in_one_pair_of_hands() {
    let mut bench = Bench::attached();
    bench.on_peer(joined(1));
    let _ = bench.push(1, "slow");
    let queue = bench.inbox.take_queue().expect("it has a message");
    assert_eq!(bench.serve(queue).as_deref(), Some(b"slow".as_slice()));
    let _ = bench.push(1, "late");
    assert_eq!(bench.inbox.take_queue(), None);
    assert_eq!(bench.serve(queue).as_deref(), Some(b"late".as_slice()));
    bench.on_peer(left(1));
    assert_eq!(bench.serve(queue), None);
    assert!(bench.inbox.peers.is_empty());
}

#[test]
fn a_handler_that_is_stuck_hides_nothing_and_later_lives_wait_for_it() {
    let mut bench = Bench::attached();
    bench.on_peer(joined(1));
    let _ = bench.push(1, "sticky");
    let queue = bench.inbox.take_queue().expect("it has a message");
    assert!(bench.serve(queue).is_some());
    assert_eq!(bench.on_peer(left(1)), [left(1)], "nothing of it waits");
    assert_eq!(bench.on_peer(joined(1)), [joined(1)]);

    let _ = bench.push(1, "second life");
    assert_eq!(bench.inbox.take_queue(), None, "the handler is still at it");
    assert_eq!(bench.on_peer(left(1)), [], "this one waits");
    assert_eq!(bench.serve(queue).as_deref(), Some(b"second life".as_slice()));
    assert_eq!(bench.told(), [left(1)], "it was handed over");
    assert_eq!(bench.serve(queue), None);
    assert!(bench.inbox.peers.is_empty());
}

#[test]
fn a_queue_that_a_server_has_taken_but_not_begun_still_comes_before_its_left() {
    let mut bench = Bench::attached();
    bench.on_peer(joined(1));
    let _ = bench.push(1, "only");
    let queue = bench.inbox.take_queue().expect("it has a message");
    assert_eq!(bench.on_peer(left(1)), []);
    assert!(bench.serve(queue).is_some());
    assert_eq!(bench.told(), [left(1)]);
}

#[test]
fn a_server_that_ends_early_leaves_the_rest_to_the_next() {
    let mut bench = Bench::attached();
    bench.on_peer(joined(1));
    let _ = (bench.push(1, "fatal"), bench.push(1, "next"));
    let queue = bench.inbox.take_queue().expect("it has messages");
    assert!(bench.serve(queue).is_some());
    bench.inbox.end_serving(queue, &mut bench.wakes);
    assert_eq!(bench.inbox.take_queue(), Some(queue));
    assert_eq!(bench.serve(queue).as_deref(), Some(b"next".as_slice()));
}

#[test]
fn departed_peers_can_not_pile_up_unread_queues() {
    let mut bench = Bench::attached();
    let mut told = Vec::new();
    for number in 1..=100 {
        bench.on_peer(joined(number));
        let _ = bench.push(number, "m");
        told.extend(bench.on_peer(left(number)));
        assert!(bench.inbox.peers.len() <= 4 + 1, "{}", bench.inbox.peers.len());
    }
    let (_, discarded) = bench.inbox.losses();
    assert_eq!((discarded, told.len()), (96, 96));
    assert_eq!(bench.read_texts().len(), 4);
}

#[test]
fn a_dropped_reader_frees_everything_and_holds_nobody_up() {
    let mut bench = Bench::new(true);
    assert!(bench.inbox.attach());
    bench.on_peer(joined(1));
    for _ in 0..LIMIT {
        let _ = bench.push(1, "m");
    }
    assert_eq!(bench.on_peer(left(1)), []);
    bench.inbox.detach(&mut bench.told, &mut bench.wakes);
    assert_eq!(bench.told(), [left(1)]);
    assert!(!bench.inbox.is_blocked());
    assert_eq!(bench.inbox.usage(), (0, 0));
    assert_eq!(bench.inbox.losses(), (0, LIMIT as u64));
    assert!(!bench.inbox.attach(), "it can be taken once");
    assert!(matches!(bench.push(2, "m"), Admission::Refused { tell: false, .. }));
}
