//! A machine's driver: hands in what has arrived, lets the node judge the time only after that,
//! and carries out what the node wants done, in order.

use alan_proto::{
    Action, Delivery, LeaveReason, LockEvent, LockId, PeerEvent, Rejection, RequestEvent, Stats,
};

use super::World;
use super::flights::{Flight, Origin};
use super::user::TaskKind;
use crate::check::{Delivered, DeliveredKind, Face, Fact, Handed};
use crate::host::{SimNode, State};
use crate::payload::Tag;
use crate::place::{Place, place_of};
use crate::plan::Key;
use crate::queue::Due;
use crate::time::Moment;
use crate::trace::Occurrence;

impl World<'_> {
    /// A driver's wake-up, or one that was put off since.
    pub(super) fn wake(&mut self, node: Place) {
        let host = &mut self.hosts[node.index()];
        if host.wake_at != Some(self.now) {
            return;
        }
        host.wake_at = None;
        if host.runs() {
            self.drive(node);
        }
    }

    /// One turn of a driver: all that has arrived, then the time.
    pub(super) fn drive(&mut self, node: Place) {
        self.hosts[node.index()].seen_deadline = None;
        while self.hosts[node.index()].runs()
            && let Some(slot) = self.hosts[node.index()].inbox.pop_front()
        {
            let flight = self.flights.take(slot);
            self.hand_in(node, flight);
        }
        let host = &mut self.hosts[node.index()];
        let local = host.clock.local(self.now);
        let Some(running) = &mut host.node else { return };
        let due = running.poll_timeout().filter(|deadline| deadline.at <= local);
        if let Some(deadline) = due {
            running.handle_timeout(local);
            self.stats.timeouts += 1;
            if !self.trace.is_off() {
                self.note(Occurrence::Timer { node, reason: deadline.reason });
            }
        }
        self.drain(node);
    }

    /// Hands a datagram to the node.
    pub(super) fn hand_in(&mut self, node: Place, mut flight: Flight) {
        let host = &mut self.hosts[node.index()];
        let now = host.clock.local(self.now);
        let running = !host.leaving;
        let receiver = host.node.as_mut().expect("a datagram arrives where somebody is");
        let unwanted = flight.origin == Origin::Untrusted && self.secret.is_some() && running;
        let before = unwanted.then(|| face(receiver));
        let counted = receiver.stats();
        let is_member =
            |joined| receiver.member(flight.from).is_some_and(|peer| peer.joined == joined);
        let mutual = flight.mutual.is_some_and(is_member);
        let len = flight.bytes.len();
        let delivery = receiver.handle_datagram(now, flight.from, &mut flight.bytes);
        let delivered = delivery.as_ref().map(summary);
        let rejected = newly_rejected(&counted, &receiver.stats());
        self.stats.delivered += 1;
        if place_of(flight.from).is_none() {
            self.stats.from_strangers += len as u64;
        }
        let Flight { id: datagram, from, meaning, origin, .. } = flight;
        self.flights.recycle(flight);
        if !self.trace.is_off() {
            self.note(Occurrence::Delivered { datagram, node, meaning });
        }
        let genuine = origin == Origin::Node;
        let handed = Handed { from, len, meaning, genuine, running, mutual, rejected, delivered };
        self.observe(&Fact::Handed { node, now, handed });
        if let Some(delivered) = delivered {
            self.receive(node, delivered);
        }
        let reacted = self.drain(node) || delivered.is_some();
        if let Some(before) = before
            && let Some(receiver) = &self.hosts[node.index()].node
        {
            let after = face(receiver);
            self.observe(&Fact::Untrusted { node, before, after, reacted });
        }
    }

    /// Carries out what the node wants done; whether that was more than warnings.
    pub(super) fn drain(&mut self, node: Place) -> bool {
        let mut buffer = std::mem::take(&mut self.buffer);
        let (mut reacted, mut closed) = (false, false);
        while let Some(action) = self.poll(node, &mut buffer) {
            match action {
                Action::Transmit(transmit) => {
                    self.transmit(node, transmit.to, &buffer[..transmit.len]);
                }
                Action::TransmitRequest { request, to } => {
                    self.transmit_request(node, request, to, &mut buffer);
                }
                Action::Closed => closed = true,
                other => self.on_told(node, other),
            }
            reacted |= !matches!(action, Action::Warning(_));
        }
        self.buffer = buffer;
        let host = &self.hosts[node.index()];
        if let Some(usage) = host.usage() {
            let running = !host.leaving;
            self.observe(&Fact::Touched { node, usage, running });
        }
        if closed {
            self.note(Occurrence::Told { node, action: Action::Closed, key: None });
            self.end(node, false);
        }
        self.rearm(node);
        reacted
    }

    fn poll(&mut self, node: Place, buffer: &mut [u8]) -> Option<Action> {
        self.hosts[node.index()].node.as_mut()?.poll_action(buffer)
    }

    /// Has the driver wake when the node next wants it.
    pub(super) fn rearm(&mut self, node: Place) {
        let host = &mut self.hosts[node.index()];
        if host.state != State::Running {
            return;
        }
        let deadline = host.node.as_ref().and_then(SimNode::poll_timeout).map(|due| due.at);
        if deadline == host.seen_deadline {
            return;
        }
        host.seen_deadline = deadline;
        if let Some(deadline) = deadline {
            let due = host.clock.when(deadline).max(self.now);
            let at = Moment::from_micros(due.as_micros() + host.draw_lag());
            self.wake_no_later_than(node, at);
        }
    }

    pub(super) fn wake_no_later_than(&mut self, node: Place, at: Moment) {
        let host = &mut self.hosts[node.index()];
        if host.wake_at.is_none_or(|wakes| at < wakes) {
            host.wake_at = Some(at);
            self.queue.push(at, Due::Drive(node));
        }
    }

    /// The node told something that is no datagram.
    fn on_told(&mut self, node: Place, action: Action) {
        let host = &mut self.hosts[node.index()];
        let now = host.clock.local(self.now);
        let key = match action {
            Action::Lock(event) => {
                let lock = lock_of(event);
                host.calls.iter().find(|call| call.lock == lock).map(|call| call.key)
            }
            _ => None,
        };
        if !self.trace.is_off() {
            self.note(Occurrence::Told { node, action, key });
        }
        match action {
            Action::Peer(event) => self.on_peer_event(node, event),
            Action::Lock(event) => self.on_lock_event(node, event),
            Action::Request(event) => {
                if let Some(request) = finished(event) {
                    self.hosts[node.index()].forget_request(request);
                }
            }
            _ => {}
        }
        self.observe(&Fact::Told { node, now, action, key });
    }

    fn on_peer_event(&mut self, node: Place, event: PeerEvent) {
        self.meter.on_event(self.now, event);
        if let PeerEvent::Left { peer, .. } = event {
            self.hosts[node.index()].answers.peer_left(peer);
        }
        if let PeerEvent::Left { peer, why: LeaveReason::Silent } = event
            && let Some((place, moves)) = place_of(peer)
            && let Some(peer) = self.hosts.get(place.index())
            && (peer.state, peer.moves) == (State::Running, moves)
        {
            self.stats.false_deaths += 1;
        }
    }

    fn on_lock_event(&mut self, node: Place, event: LockEvent) {
        let host = &mut self.hosts[node.index()];
        match event {
            LockEvent::Granted { lock } => {
                self.grants += 1;
                self.stats.grants += 1;
                let Some(call) = host.calls.iter_mut().find(|call| call.lock == lock) else {
                    return;
                };
                call.granted = Some(self.grants);
                let at = host.clock.when(host.clock.local(self.now) + call.hold);
                self.task_at(at.max(self.now), node, TaskKind::Release(lock));
            }
            LockEvent::Failed { lock, .. } | LockEvent::Lost { lock, .. } => {
                let _over = host.take_call(lock);
            }
            _ => {}
        }
    }

    /// Asks guards whether they are still valid, as a user does who goes on after a pause.
    pub(super) fn ask_guards(&mut self, node: Place, guards: &[(LockId, Key)]) {
        let held = self.hosts[node.index()].held();
        for &(lock, key) in guards {
            let valid = held.contains(&(lock, key));
            self.note(Occurrence::GuardAsked { node, lock, key, valid });
        }
    }
}

const fn lock_of(event: LockEvent) -> LockId {
    match event {
        LockEvent::Granted { lock }
        | LockEvent::Failed { lock, .. }
        | LockEvent::Lost { lock, .. } => lock,
        _ => panic!("the simulator knows every lock event"),
    }
}

const fn finished(event: RequestEvent) -> Option<alan_proto::RequestId> {
    match event {
        RequestEvent::PeerLeft { request, finished: true, .. }
        | RequestEvent::ResponseGone { request, finished: true, .. }
        | RequestEvent::TimedOut { request }
        | RequestEvent::Closed { request } => Some(request),
        _ => None,
    }
}

fn summary(delivery: &Delivery<'_>) -> Delivered {
    let (from, payload, kind) = match *delivery {
        Delivery::Message { from, payload } => (from, payload, DeliveredKind::Message),
        Delivery::Request { from, request, payload } => {
            (from, payload, DeliveredKind::Request(request))
        }
        Delivery::Response { request, from, payload, finished } => {
            (from, payload, DeliveredKind::Response { request, finished })
        }
        Delivery::Repeated { from, request } => (from, &[][..], DeliveredKind::Repeated(request)),
        _ => panic!("the simulator knows every kind of delivery"),
    };
    Delivered { from, tag: Tag::read(payload), kind }
}

/// Why a datagram was turned away between these two moments, if it was.
fn newly_rejected(before: &Stats, after: &Stats) -> Option<Rejection> {
    let differs = |why: &Rejection| before.rejected(*why) != after.rejected(*why);
    Rejection::ALL.into_iter().find(differs)
}

/// How a node counts what its envelope does not let through.
const UNTRUSTED: [Rejection; 5] = [
    Rejection::Unopened,
    Rejection::FormerLife,
    Rejection::OverBudget,
    Rejection::Replayed,
    Rejection::Unproven,
];

fn face(node: &SimNode) -> Face {
    let stats = node.stats();
    Face {
        usage: node.usage(),
        deadline: node.poll_timeout(),
        unopened: UNTRUSTED.iter().map(|why| stats.rejected(*why)).sum(),
        rejected: stats.rejected_in_all(),
    }
}
