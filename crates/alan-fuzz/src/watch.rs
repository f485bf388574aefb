//! What must hold for a node whatever happens to it: checked against what went in and came out.
//!
//! - Joined and left alternate per peer, and the members are who has joined and not left.
//! - Each request ends exactly once; a response counts from whom was asked, once. A stranger may be
//!   a member by then, under another name, if it is reached where it was asked.
//! - Each lock call ends exactly once, and one call at most holds a key.
//! - Quorum events alternate and agree with the number of members that vote.
//! - The counters add up, and no table is fuller than its limit.
//! - After the goodbye comes nothing.
//!
//! An [`Action`] may be fetched long after what it tells of. So only what is immediate is compared
//! at once, and the views of the node when everything has been fetched.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use alan_proto::envelope::Envelope;
use alan_proto::lock::Repairs;
use alan_proto::wire::Role;
use alan_proto::{
    Action, Delivery, Incarnation, Instant, LockEvent, LockId, Node, PeerEvent, QuorumEvent,
    RequestEvent, RequestId,
};
use rand_core::CryptoRng;

/// A request of the node.
#[derive(Debug)]
struct Asked {
    waiting: BTreeSet<SocketAddr>,
    deadline: Option<Instant>,
    /// It ended; that members left before may still be told.
    over: bool,
}

impl Asked {
    /// This peer has answered, or will not. Gives whether it was waited for.
    fn is_done_with(
        &mut self,
        peer: SocketAddr,
        aliases: &BTreeMap<SocketAddr, BTreeSet<SocketAddr>>,
    ) -> bool {
        let mut aliases = aliases.get(&peer).into_iter().flatten();
        self.waiting.remove(&peer) || aliases.any(|alias| self.waiting.remove(alias))
    }
}

/// A lock call of the node.
#[derive(Debug)]
struct Call {
    key: String,
    deadline: Option<Instant>,
    granted: bool,
    /// The caller gave it back or up; that it was granted before may still be told.
    released: bool,
}

/// What is known of one node from outside.
#[derive(Debug, Default)]
pub struct Watch {
    members: BTreeMap<SocketAddr, Option<Incarnation>>,
    /// Where each member is reached beside the address that names it. Until every action has been
    /// fetched, also where those were who had that name before.
    aliases: BTreeMap<SocketAddr, BTreeSet<SocketAddr>>,
    quorum: Option<bool>,
    requests: BTreeMap<RequestId, Asked>,
    locks: BTreeMap<LockId, Call>,
    /// Datagrams handed in and out.
    pub received: u64,
    pub transmitted: u64,
    /// Locks got so far.
    pub granted: u64,
    /// For how long in all nobody looked although something was due.
    pub late: Duration,
    pub closed: bool,
    leaving: bool,
}

impl Watch {
    /// Who was asked, right after the call that asked them.
    pub fn asked(
        &mut self,
        request: RequestId,
        whom: impl IntoIterator<Item = SocketAddr>,
        deadline: Option<Instant>,
    ) {
        let waiting = whom.into_iter().collect();
        let asked = Asked { waiting, deadline, over: false };
        assert!(self.requests.insert(request, asked).is_none(), "an id is used once");
    }

    /// The caller cancelled a request that was pending.
    pub fn cancelled(&mut self, request: RequestId) {
        let asked = self.requests.get_mut(&request).expect("it was asked");
        assert!(!asked.over, "what is over can't be cancelled");
        asked.over = true;
    }

    pub fn called(&mut self, lock: LockId, key: &str, deadline: Option<Instant>) {
        let call = Call { key: key.to_owned(), deadline, granted: false, released: false };
        assert!(self.locks.insert(lock, call).is_none(), "an id is used once");
    }

    /// The caller released the lock, or withdrew its call.
    pub fn released(&mut self, lock: LockId) {
        let call = self.locks.get_mut(&lock).expect("only what was called can be released");
        assert!(!call.released, "a lock is released once");
        call.released = true;
    }

    /// As [`Self::released`], where callers share a lock: the first release ends it for all.
    pub fn released_for_all(&mut self, lock: LockId) {
        self.released(lock);
        let Call { key, granted, .. } = &self.locks[&lock];
        let (key, granted) = (key.clone(), *granted);
        for call in self.locks.values_mut().filter(|call| call.key == key && granted) {
            call.released |= call.granted;
        }
    }

    /// The node was told to leave.
    pub fn leaves(&mut self) {
        self.leaving = true;
    }

    /// Calls that hold their key, as far as events tell.
    pub fn held(&self) -> impl Iterator<Item = (LockId, &str)> {
        let held = self.locks.iter().filter(|(_, call)| call.granted && !call.released);
        held.map(|(lock, call)| (*lock, call.key.as_str()))
    }

    /// Calls that neither hold nor have ended.
    pub fn waiting_calls(&self) -> usize {
        self.locks.values().filter(|call| !call.granted && !call.released).count()
    }

    pub fn pending_requests(&self) -> usize {
        self.requests.values().filter(|asked| !asked.over).count()
    }

    pub fn is_member(&self, peer: SocketAddr) -> bool {
        self.members.contains_key(&peer)
    }

    /// Whether this request waits for this peer.
    pub fn waits_for(&self, request: RequestId, peer: SocketAddr) -> bool {
        let asked = self.requests.get(&request);
        asked.is_some_and(|asked| !asked.over && asked.waiting.contains(&peer))
    }

    pub fn on_delivery(&mut self, delivery: &Delivery<'_>) {
        if let Delivery::Response { request, from, finished, .. } = delivery {
            let asked = self.requests.get_mut(request).expect("a response answers a request");
            assert!(!asked.over, "a request is over once");
            let was_waited_for = asked.is_done_with(*from, &self.aliases);
            assert!(was_waited_for, "{from} was asked and had not answered");
            asked.over = *finished;
        }
    }

    pub fn on_action(&mut self, action: &Action) {
        assert!(!self.closed, "{action:?} after the goodbye");
        match action {
            Action::Transmit(_) => self.transmitted += 1,
            Action::Peer(event) => self.on_peer(*event),
            Action::Quorum(event) => self.on_quorum(*event),
            Action::Request(event) => self.on_request(*event),
            Action::Lock(event) => self.on_lock(*event),
            Action::Warning(_) | Action::TransmitRequest { .. } => {}
            Action::Closed => self.closed = true,
            other => unreachable!("an action that this does not know: {other:?}"),
        }
    }

    fn on_peer(&mut self, event: PeerEvent) {
        match event {
            PeerEvent::Joined { peer, incarnation } => {
                assert!(self.members.insert(peer, incarnation).is_none(), "{peer} joined twice");
            }
            PeerEvent::Left { peer, .. } => {
                assert!(self.members.remove(&peer).is_some(), "{peer} left without having joined");
            }
            PeerEvent::Updated { peer } | PeerEvent::ConfigMismatch { peer, .. } => {
                assert!(self.members.contains_key(&peer), "{event:?} of nobody");
            }
            other => unreachable!("an event that this does not know: {other:?}"),
        }
    }

    fn on_quorum(&mut self, event: QuorumEvent) {
        let (reached, have, need) = match event {
            QuorumEvent::Reached { have, need } => (true, have, need),
            QuorumEvent::Lost { have, need } => (false, have, need),
            other => unreachable!("an event that this does not know: {other:?}"),
        };
        assert_eq!(reached, have >= need);
        assert_ne!(self.quorum, Some(reached), "reached and lost alternate");
        self.quorum = Some(reached);
    }

    fn on_request(&mut self, event: RequestEvent) {
        let (request, over) = match event {
            RequestEvent::PeerLeft { request, finished, .. }
            | RequestEvent::ResponseGone { request, finished, .. } => (request, finished),
            RequestEvent::TimedOut { request } | RequestEvent::Closed { request } => {
                (request, true)
            }
            other => unreachable!("an event that this does not know: {other:?}"),
        };
        let asked = self.requests.get_mut(&request).expect("it was asked");
        if let RequestEvent::PeerLeft { peer, .. } | RequestEvent::ResponseGone { peer, .. } = event
        {
            assert!(asked.is_done_with(peer, &self.aliases), "{peer} was waited for");
        }
        if over {
            assert!(!asked.over, "a request is over once");
            asked.over = true;
        }
    }

    fn on_lock(&mut self, event: LockEvent) {
        match event {
            LockEvent::Granted { lock } => {
                let call = self.locks.get_mut(&lock).expect("it was called");
                assert!(!call.granted, "a lock is granted once");
                call.granted = true;
                self.granted += 1;
            }
            LockEvent::Failed { lock, .. } => {
                let call = self.locks.remove(&lock).expect("it was called and has not ended");
                assert!(!call.granted && !call.released, "only what waits fails: {call:?}");
            }
            LockEvent::Lost { lock, .. } => {
                let call = self.locks.remove(&lock).expect("it was called and has not ended");
                assert!(call.granted && !call.released, "only what is held is lost: {call:?}");
            }
            other => unreachable!("an event that this does not know: {other:?}"),
        }
    }

    /// What holds at any moment.
    pub fn check_bounds<E: Envelope, R: CryptoRng>(&mut self, node: &Node<E, R>) {
        self.note_aliases(node);
        let (usage, config, stats) = (node.usage(), node.config(), node.stats());
        assert!(usage.peers <= config.max_peers as usize);
        assert!(usage.named <= config.max_candidates as usize);
        assert!(usage.requests <= config.max_requests as usize);
        assert!(usage.locks <= config.max_locks as usize);
        let callers = usage.locks * (config.max_lock_waiters as usize + 1);
        let shared = config.lock_repairs != Repairs::ALL;
        assert!(usage.lock_callers <= callers || shared, "{usage:?}");
        assert_eq!(stats.received, self.received);
        assert!(stats.rejected_in_all() <= stats.received);
    }

    fn note_aliases<E: Envelope, R: CryptoRng>(&mut self, node: &Node<E, R>) {
        for peer in node.members() {
            self.aliases.entry(peer.addr).or_default().extend(node.aliases(peer.addr));
        }
    }

    /// What holds when every action has been fetched.
    pub fn check_drained<E: Envelope, R: CryptoRng>(&mut self, node: &Node<E, R>) {
        let members = node.members().map(|peer| (peer.addr, peer.incarnation));
        assert_eq!(members.collect::<BTreeMap<_, _>>(), self.members);
        self.aliases.clear();
        self.note_aliases(node);
        assert_eq!(node.stats().transmitted, self.transmitted);
        let alone = usize::from(!node.config().observer);
        let reached = self.quorum.unwrap_or_else(|| node.quorum_size() <= alone);
        assert_eq!(node.has_quorum(), reached);
        let voters = node.members().filter(|peer| peer.role == Role::Voter).count();
        let voters = voters + usize::from(!node.config().observer);
        assert_eq!(reached, voters >= node.quorum_size());
        self.requests.retain(|_, asked| !asked.over);
        assert!(self.requests.values().all(|asked| !asked.waiting.is_empty()));
        assert_eq!(node.usage().requests, self.requests.len());
        self.locks.retain(|_, call| !call.released);
        assert_eq!(node.usage().lock_callers, self.locks.len());
        if node.config().lock_repairs == Repairs::ALL {
            let mut keys = BTreeSet::new();
            assert!(self.held().all(|(_, key)| keys.insert(key)), "one holder of a key");
        }
    }

    /// What holds once `handle_timeout(now)` has been called and every action been fetched.
    pub fn check_on_time<E: Envelope, R: CryptoRng>(&self, node: &Node<E, R>, now: Instant) {
        if now == Instant::from_micros(u64::MAX) {
            return; // What is due then never happens.
        }
        if let Some(deadline) = node.poll_timeout() {
            assert!(deadline.at > now, "{deadline:?} is left over at {now:?}");
        }
        let due = |deadline: Option<Instant>| deadline.is_some_and(|at| at <= now);
        assert!(!self.requests.values().any(|asked| !asked.over && due(asked.deadline)));
        assert!(!self.locks.values().any(|call| !call.granted && due(call.deadline)));
        if self.leaving {
            return;
        }
        for peer in node.members() {
            assert!(peer.joined <= peer.last_heard && peer.last_heard <= now);
            // Others may have vouched for it, and nobody's silence counts while nobody looked.
            let silent_at = peer.last_heard + node.config().heartbeat_timeout * 2 + self.late;
            assert!(silent_at > now, "{peer:?} has been silent for too long at {now:?}");
        }
    }
}
