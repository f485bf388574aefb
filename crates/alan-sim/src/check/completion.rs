//! Completion: every request and every lock call ends exactly once, and a node remembers exactly
//! those that have begun and not ended.

use std::collections::BTreeMap;

use alan_proto::{Action, Instant, LockEvent, LockId, RequestEvent, RequestId, Usage};

use super::{Breach, Check, DeliveredKind, Fact, Table};
use crate::place::Place;

/// What is under way at one node.
#[derive(Clone, Debug, Default)]
struct UnderWay {
    requests: BTreeMap<RequestId, Option<Instant>>,
    /// Whether the call has the lock.
    locks: BTreeMap<LockId, bool>,
}

/// What is under way everywhere.
#[derive(Debug)]
pub(super) struct Completion {
    nodes: Vec<UnderWay>,
}

impl Completion {
    pub(super) fn new(nodes: usize) -> Self {
        Self { nodes: vec![UnderWay::default(); nodes] }
    }

    /// Whether the node's tables have as many rows as they should.
    pub(super) fn counts(&self, node: Place, usage: &Usage) -> bool {
        self.judge(node, usage).is_ok()
    }

    fn judge(&self, node: Place, usage: &Usage) -> Result<(), Breach> {
        let UnderWay { requests, locks } = &self.nodes[node.index()];
        for (table, rows, expected) in [
            (Table::Requests, usage.requests, requests.len()),
            (Table::LockCalls, usage.lock_callers, locks.len()),
        ] {
            if rows != expected {
                return Err(Breach::Miscounted { node, table, rows, expected });
            }
        }
        Ok(())
    }

    fn on_request_event(
        &mut self,
        node: Place,
        now: Instant,
        event: RequestEvent,
    ) -> Result<(), Breach> {
        let (request, finished) = match event {
            RequestEvent::PeerLeft { request, finished, .. }
            | RequestEvent::ResponseGone { request, finished, .. } => (request, finished),
            RequestEvent::TimedOut { request } | RequestEvent::Closed { request } => {
                (request, true)
            }
            _ => return Ok(()),
        };
        let requests = &mut self.nodes[node.index()].requests;
        let Some(&deadline) = requests.get(&request) else {
            return Err(Breach::RequestNotPending { node, request });
        };
        let timed_out = matches!(event, RequestEvent::TimedOut { .. });
        if timed_out && deadline.is_none_or(|deadline| now < deadline) {
            return Err(Breach::TimedOutEarly { node, request });
        }
        if finished {
            requests.remove(&request);
        }
        Ok(())
    }

    fn on_lock_event(&mut self, node: Place, event: LockEvent) -> Result<(), Breach> {
        let locks = &mut self.nodes[node.index()].locks;
        let (lock, sound) = match event {
            LockEvent::Granted { lock } => (lock, locks.insert(lock, true) == Some(false)),
            LockEvent::Failed { lock, .. } => (lock, locks.remove(&lock) == Some(false)),
            LockEvent::Lost { lock, .. } => (lock, locks.remove(&lock) == Some(true)),
            _ => return Ok(()),
        };
        if sound { Ok(()) } else { Err(Breach::LockCallOver { node, lock }) }
    }
}

impl Check for Completion {
    fn observe(&mut self, fact: &Fact) -> Result<(), Breach> {
        match *fact {
            Fact::Requested { node, request, deadline } => {
                self.nodes[node.index()].requests.insert(request, deadline);
            }
            Fact::RequestDropped { node, request } => {
                let pending = self.nodes[node.index()].requests.remove(&request);
                return pending.map(drop).ok_or(Breach::RequestNotPending { node, request });
            }
            Fact::LockCalled { node, lock, .. } => {
                self.nodes[node.index()].locks.insert(lock, false);
            }
            Fact::LockDropped { node, lock, .. } => {
                let call = self.nodes[node.index()].locks.remove(&lock);
                return call.map(drop).ok_or(Breach::LockCallOver { node, lock });
            }
            Fact::Told { node, now, action: Action::Request(event), .. } => {
                return self.on_request_event(node, now, event);
            }
            Fact::Told { node, action: Action::Lock(event), .. } => {
                return self.on_lock_event(node, event);
            }
            Fact::Handed { node, handed, .. } => {
                if let Some(DeliveredKind::Response { request, finished }) =
                    handed.delivered.map(|delivered| delivered.kind)
                {
                    let requests = &mut self.nodes[node.index()].requests;
                    if !requests.contains_key(&request) {
                        return Err(Breach::RequestNotPending { node, request });
                    }
                    if finished {
                        requests.remove(&request);
                    }
                }
            }
            Fact::Touched { node, usage, .. } => return self.judge(node, &usage),
            Fact::Ended { node } => self.nodes[node.index()] = UnderWay::default(),
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{called, failed, granted, lock_id, usage};
    use super::*;

    const NODE: Place = Place(0);
    const REQUEST: RequestId = RequestId([7; 16]);

    fn requested(deadline: Option<u64>) -> Completion {
        let mut completion = Completion::new(1);
        let deadline = deadline.map(Instant::from_millis);
        let fact = Fact::Requested { node: NODE, request: REQUEST, deadline };
        completion.observe(&fact).expect("a first request");
        completion
    }

    fn timed_out(at: u64) -> Fact {
        let action = Action::Request(RequestEvent::TimedOut { request: REQUEST });
        Fact::Told { node: NODE, now: Instant::from_millis(at), action, key: None }
    }

    #[test]
    fn a_request_that_ends_twice_is_seen() {
        let mut completion = requested(Some(5));
        assert_eq!(completion.observe(&timed_out(5)), Ok(()));
        let breach = Breach::RequestNotPending { node: NODE, request: REQUEST };
        assert_eq!(completion.observe(&timed_out(6)), Err(breach));
    }

    #[test]
    fn a_request_that_times_out_early_is_seen() {
        let early = Breach::TimedOutEarly { node: NODE, request: REQUEST };
        assert_eq!(requested(Some(5)).observe(&timed_out(4)), Err(early.clone()));
        assert_eq!(requested(None).observe(&timed_out(4)), Err(early));
    }

    #[test]
    fn a_request_that_a_node_has_forgotten_is_seen() {
        let touched = Fact::Touched { node: NODE, usage: usage(|_| {}), running: true };
        let (table, rows, expected) = (Table::Requests, 0, 1);
        let breach = Breach::Miscounted { node: NODE, table, rows, expected };
        assert_eq!(requested(None).observe(&touched), Err(breach));
    }

    #[test]
    fn a_lock_call_that_ends_twice_is_seen() {
        let mut completion = Completion::new(1);
        completion.observe(&called(0, 1, 'a')).expect("a call");
        completion.observe(&granted(0, 1, 'a')).expect("its end");
        let over = Err(Breach::LockCallOver { node: NODE, lock: lock_id(1) });
        assert_eq!(completion.observe(&granted(0, 1, 'a')), over);
        assert_eq!(completion.observe(&failed(0, 1, 'a')), over);
    }
}
