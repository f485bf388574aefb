//! What users do, and what they make of what they are told.

use std::net::SocketAddr;
use std::time::Duration;

use alan_proto::{LockId, Repeat, RequestId};

use super::World;
use crate::check::{Delivered, DeliveredKind, Fact};
use crate::host::{Asked, Call, State};
use crate::payload::Tag;
use crate::place::Place;
use crate::plan::{Event, Key, Return};
use crate::queue::Due;
use crate::time::Moment;
use crate::trace::{Command, Occurrence};

/// Something that a user of one life of a node has to do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Task {
    pub(super) node: Place,
    pub(super) life: u16,
    pub(super) kind: TaskKind,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum TaskKind {
    /// An entry of the schedule.
    Entry(u32),
    /// Release what this call has taken.
    Release(LockId),
    /// Answer a request.
    Reply { to: SocketAddr, request: RequestId, tag: Tag },
}

impl World<'_> {
    pub(super) fn task_at(&mut self, at: Moment, node: Place, kind: TaskKind) {
        let task = Task { node, life: self.hosts[node.index()].lives, kind };
        let slot = self.free_tasks.pop().unwrap_or_else(|| {
            self.tasks.push(None);
            u32::try_from(self.tasks.len() - 1).expect("far fewer tasks wait")
        });
        self.tasks[slot as usize] = Some(task);
        self.queue.push(at, Due::Task(slot));
    }

    /// A task is due: done, unless its node is gone, or put off while it is paused.
    pub(super) fn on_task(&mut self, slot: u32) {
        let Some(task) = self.tasks[slot as usize] else { return };
        let host = &mut self.hosts[task.node.index()];
        if matches!(host.state, State::Paused(_)) && host.lives == task.life {
            return host.deferred.push(slot);
        }
        self.tasks[slot as usize] = None;
        self.free_tasks.push(slot);
        if host.runs() && host.lives == task.life && !host.leaving {
            self.do_task(task);
        }
    }

    fn do_task(&mut self, Task { node, kind, .. }: Task) {
        match kind {
            TaskKind::Entry(number) => {
                let event = self.plan.schedule[number as usize].event.clone();
                self.use_node(node, &event);
            }
            TaskKind::Release(lock) => self.release(node, lock),
            TaskKind::Reply { to, request, tag } => self.reply(node, to, request, tag),
        }
    }

    /// A user does what the schedule says.
    fn use_node(&mut self, node: Place, event: &Event) {
        self.stats.commands += 1;
        match *event {
            Event::Lock { key, hold, patience, .. } => self.lock(node, key, hold, patience),
            Event::TryLock { key, hold, .. } => self.try_lock(node, key, hold),
            Event::Cancel { key, .. } => self.cancel(node, key),
            Event::Unlock { key, .. } => self.unlock(node, key),
            Event::Send { to, .. } => self.send(node, to),
            Event::Broadcast { .. } => self.broadcast(node),
            Event::Request { to, patience, .. } => self.request(node, Some(to), patience),
            Event::RequestAll { patience, .. } => self.request(node, None, patience),
            Event::CancelRequest { .. } => self.cancel_request(node),
            Event::Leave { back, .. } => self.leave(node, back),
            _ => unreachable!("faults are no user's"),
        }
    }

    fn command(&mut self, node: Place, command: Command, refused: bool) {
        if !self.trace.is_off() {
            self.note(Occurrence::Command { node, command, refused });
        }
    }

    fn lock(&mut self, place: Place, key: Key, hold: Duration, patience: Option<Duration>) {
        let host = &mut self.hosts[place.index()];
        let now = host.clock.local(self.now);
        let Some(node) = &mut host.node else { return };
        let lock = node.lock(now, key.name(), patience.map(|patience| now + patience)).ok();
        self.command(place, Command::Lock(key, lock), lock.is_none());
        self.called(place, key, hold, lock, false);
    }

    fn try_lock(&mut self, place: Place, key: Key, hold: Duration) {
        let host = &mut self.hosts[place.index()];
        let now = host.clock.local(self.now);
        let Some(node) = &mut host.node else { return };
        let lock = node.try_lock(now, key.name(), None).ok();
        self.command(place, Command::TryLock(key, lock), lock.is_none());
        self.called(place, key, hold, lock, true);
    }

    fn called(&mut self, node: Place, key: Key, hold: Duration, lock: Option<LockId>, tries: bool) {
        if let Some(lock) = lock {
            let call = Call { lock, key, tries, since: self.now, hold, granted: None };
            self.hosts[node.index()].calls.push(call);
            self.observe(&Fact::LockCalled { node, lock, key });
        }
        self.drain(node);
    }

    /// The user who waits longest gives up.
    fn cancel(&mut self, node: Place, key: Key) {
        let host = &self.hosts[node.index()];
        let mut waiting = host.calls.iter().filter(|call| call.key == key);
        let waiting = waiting.find(|call| call.granted.is_none()).map(|call| call.lock);
        if let Some(lock) = waiting {
            self.drop_call(node, lock, Command::Cancel(key, lock));
        }
    }

    fn release(&mut self, node: Place, lock: LockId) {
        let host = &self.hosts[node.index()];
        let held = host.calls.iter().find(|call| call.lock == lock);
        if let Some(key) = held.map(|call| call.key) {
            self.drop_call(node, lock, Command::Release(key, lock));
        }
    }

    fn drop_call(&mut self, place: Place, lock: LockId, command: Command) {
        let host = &mut self.hosts[place.index()];
        let now = host.clock.local(self.now);
        let (Some(node), Some(call)) = (&mut host.node, host.calls.iter().find(|c| c.lock == lock))
        else {
            return;
        };
        let key = call.key;
        let refused = node.release(now, lock).is_err();
        let _call = host.take_call(lock);
        self.command(place, command, refused);
        self.observe(&Fact::LockDropped { node: place, lock, key });
        self.drop_sharers(place, key);
        self.drain(place);
    }

    /// In the Go library callers share a lock, and the first release ends it for all of them.
    fn drop_sharers(&mut self, node: Place, key: Key) {
        if self.config.lock_repairs.local_exclusion {
            return;
        }
        while let Some(lock) = self.hosts[node.index()].sharer(key) {
            let _call = self.hosts[node.index()].take_call(lock);
            self.observe(&Fact::LockDropped { node, lock, key });
        }
    }

    fn unlock(&mut self, place: Place, key: Key) {
        let host = &mut self.hosts[place.index()];
        let now = host.clock.local(self.now);
        let Some(node) = &mut host.node else { return };
        let unlocked = node.unlock(now, key.name()).ok();
        self.command(place, Command::Unlock(key), unlocked.is_none());
        if let Some(lock) = unlocked {
            let _call = self.hosts[place.index()].take_call(lock);
            self.observe(&Fact::LockDropped { node: place, lock, key });
            self.drop_sharers(place, key);
        }
        self.drain(place);
    }

    fn send(&mut self, place: Place, to: Place) {
        let to = self.hosts[to.index()].address();
        let mut buffer = std::mem::take(&mut self.buffer);
        let host = &mut self.hosts[place.index()];
        let (now, tag) = (host.clock.local(self.now), host.next_tag());
        if let Some(node) = &mut host.node {
            let sent = node.send_to(now, to, &tag.write(), &mut buffer).ok();
            self.command(place, Command::Send(to, tag), sent.is_none());
            if let Some(transmit) = sent {
                self.transmit(place, transmit.to, &buffer[..transmit.len]);
            }
        }
        self.buffer = buffer;
        self.drain(place);
    }

    fn broadcast(&mut self, place: Place) {
        let mut buffer = std::mem::take(&mut self.buffer);
        let host = &mut self.hosts[place.index()];
        let (now, tag) = (host.clock.local(self.now), host.next_tag());
        if let Some(node) = &mut host.node {
            let sent = node.broadcast(now, &tag.write(), &mut buffer).ok();
            self.command(place, Command::Broadcast(tag), sent.is_none());
            if let Some(len) = sent {
                self.transmit_to_members(place, &buffer[..len]);
            }
        }
        self.buffer = buffer;
        self.drain(place);
    }

    fn transmit_to_members(&mut self, from: Place, bytes: &[u8]) {
        let members: Vec<_> = self.hosts[from.index()].members().map(|peer| peer.path).collect();
        for member in members {
            self.transmit(from, member, bytes);
        }
    }

    /// Asks one, or all members.
    fn request(&mut self, place: Place, to: Option<Place>, patience: Option<Duration>) {
        let to = to.map(|to| self.hosts[to.index()].address());
        let mut buffer = std::mem::take(&mut self.buffer);
        let host = &mut self.hosts[place.index()];
        let (now, payload) = (host.clock.local(self.now), host.next_tag().write());
        let deadline = patience.map(|patience| now + patience);
        let Some(node) = &mut host.node else { return };
        let (request, transmit) = match to {
            Some(to) => node.request(now, to, &payload, deadline, &mut buffer).ok().unzip(),
            None => (node.request_all(now, payload.len(), deadline).ok().flatten(), None),
        };
        let command = match to {
            Some(to) => Command::Request(to, request),
            None => Command::RequestAll(request),
        };
        self.command(place, command, request.is_none());
        if let Some(request) = request {
            let asked = Asked { request, since: self.now, deadline, payload };
            self.hosts[place.index()].asked.push(asked);
            self.observe(&Fact::Requested { node: place, request, deadline });
        }
        if let Some(transmit) = transmit {
            self.transmit(place, transmit.to, &buffer[..transmit.len]);
        }
        self.buffer = buffer;
        self.drain(place);
    }

    /// The node wants a request sent, for the first time or again.
    pub(super) fn transmit_request(
        &mut self,
        place: Place,
        request: RequestId,
        to: SocketAddr,
        buffer: &mut [u8],
    ) {
        let host = &mut self.hosts[place.index()];
        let now = host.clock.local(self.now);
        let asked = host.asked.iter().find(|asked| asked.request == request);
        let (Some(node), Some(asked)) = (&mut host.node, asked) else { return };
        if let Some(made) = node.transmit_request(now, request, to, &asked.payload, buffer) {
            self.transmit(place, made.to, &buffer[..made.len]);
        }
    }

    fn cancel_request(&mut self, place: Place) {
        let host = &mut self.hosts[place.index()];
        let Some(request) = host.asked.first().map(|asked| asked.request) else { return };
        let cancelled = host.node.as_mut().is_some_and(|node| node.cancel_request(request));
        host.forget_request(request);
        self.command(place, Command::CancelRequest(request), !cancelled);
        if cancelled {
            self.observe(&Fact::RequestDropped { node: place, request });
        }
        self.drain(place);
    }

    pub(super) fn cancel_all_requests(&mut self, place: Place) {
        while !self.hosts[place.index()].asked.is_empty() {
            self.cancel_request(place);
        }
    }

    fn reply(&mut self, place: Place, to: SocketAddr, request: RequestId, tag: Tag) {
        let payload = tag.write();
        let refused = !self.send_response(place, to, request, &payload);
        self.command(place, Command::Reply(to, request), refused);
        if !refused {
            self.hosts[place.index()].answers.answered(to, request, payload);
        }
        self.drain(place);
    }

    fn send_response(
        &mut self,
        place: Place,
        to: SocketAddr,
        request: RequestId,
        payload: &[u8],
    ) -> bool {
        let mut buffer = std::mem::take(&mut self.buffer);
        let host = &mut self.hosts[place.index()];
        let now = host.clock.local(self.now);
        let node = host.node.as_mut();
        let made = node.and_then(|node| node.reply(now, to, request, payload, &mut buffer).ok());
        if let Some(transmit) = made {
            self.transmit(place, transmit.to, &buffer[..transmit.len]);
        }
        self.buffer = buffer;
        made.is_some()
    }

    /// A request comes again: the answer goes out again, if there is one.
    fn answer_again(&mut self, place: Place, to: SocketAddr, request: RequestId) {
        let host = &mut self.hosts[place.index()];
        let now = host.clock.local(self.now);
        match host.answers.repeated(to, request) {
            Repeat::Answer(&payload) => {
                self.send_response(place, to, request, &payload);
            }
            Repeat::Gone => {
                if let Some(node) = &mut host.node {
                    node.reply_gone(now, to, request);
                }
            }
            Repeat::Working | Repeat::Abandoned => {}
        }
    }

    /// The user gets a payload; a request is answered after a while.
    pub(super) fn receive(&mut self, node: Place, delivered: Delivered) {
        let Delivered { from, tag, kind } = delivered;
        if let DeliveredKind::Repeated(request) = kind {
            return self.answer_again(node, from, request);
        }
        self.stats.received += 1;
        if tag.is_some() {
            self.meter.on_message();
        }
        if !self.trace.is_off() {
            self.note(Occurrence::Received { node, from, tag });
        }
        match kind {
            DeliveredKind::Message | DeliveredKind::Repeated(_) => {}
            DeliveredKind::Request(request) => {
                self.hosts[node.index()].answers.opened(from, request);
                let Some(tag) = tag else { return };
                let at = self.now + self.hosts[node.index()].answers_after;
                self.task_at(at, node, TaskKind::Reply { to: from, request, tag });
            }
            DeliveredKind::Response { request, finished } => {
                if finished {
                    self.hosts[node.index()].forget_request(request);
                }
            }
        }
    }

    pub(super) fn leave(&mut self, place: Place, back: Option<Return>) {
        let host = &mut self.hosts[place.index()];
        let now = host.clock.local(self.now);
        let Some(node) = &mut host.node else { return };
        (host.leaving, host.back) = (true, back);
        node.leave(now);
        self.command(place, Command::Leave, false);
        self.drain(place);
    }
}
