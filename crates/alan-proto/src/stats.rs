//! Counters: what came in, what went out, and what was turned away and why.

/// Why a datagram, or what it asked for, was turned away. Nothing is ever answered because of one.
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Rejection {
    /// It does not open under the key (or is shorter than a sealed datagram can be).
    Unopened,
    /// It is longer than `buffer_size`.
    Oversize,
    /// It is cut short, or a field in it does not parse.
    Malformed,
    /// Its message type is none that this version knows.
    UnknownType,
    /// Its source address has port 0, or it advertises port 0: nothing could be sent there.
    NoPort,
    /// It is our own, come back.
    OwnDatagram,
    /// It is from an incarnation that is known to be gone.
    FormerIncarnation,
    /// A control message without a session block from a peer that is known to send them.
    Downgrade,
    /// Its source has spent its budget of datagrams and key trials for now
    /// ([`Config::stranger_budget`](crate::Config::stranger_budget)).
    OverBudget,
    /// It does not open, soon after our start: probably sealed for our former life.
    FormerLife,
    /// It was received before, or is older than what its session began with here.
    Replayed,
    /// It claims a session with us whose sender has not proven itself here (yet).
    Unproven,
    /// Its envelope belongs to another life than the one that it speaks for.
    WrongSession,
    /// It has no session, and peers without one are refused
    /// ([`Config::classic_peers`](crate::Config::classic_peers)).
    ClassicRefused,
    /// A JOIN from a stranger so short that its answer would be longer.
    ShortJoin,
    /// A control message that is older than one that came before it.
    Late,
    /// A request that its sender does not wait for any more.
    DeadRequest,
    /// A request beyond what is remembered for its sender.
    RequestsFull,
    /// A LEAVE from somebody who is no member.
    NotMember,
    /// The peer table is full.
    PeersFull,
    /// A RESPONSE that answers no pending request of ours, or from an address that was not asked or
    /// has answered already.
    UnmatchedResponse,
    /// A LOCK_GRANT that answers nothing, or from an address that was not asked.
    UnmatchedGrant,
    /// A LOCK_DENY that answers nothing, or from an address that was not asked.
    UnmatchedDenial,
    /// A LOCK_RELEASE from somebody who is not the noted holder and was not waited for.
    UnmatchedRelease,
    /// A LOCK_REQUEST that no room is left for: too many keys, or too many long ones.
    LocksFull,
    /// It came after this node had said goodbye.
    Closed,
}

impl Rejection {
    /// Every reason, in the order in which a datagram meets them.
    pub const ALL: [Self; 26] = [
        Self::Unopened,
        Self::Oversize,
        Self::Malformed,
        Self::UnknownType,
        Self::NoPort,
        Self::OwnDatagram,
        Self::FormerIncarnation,
        Self::Downgrade,
        Self::OverBudget,
        Self::FormerLife,
        Self::Replayed,
        Self::Unproven,
        Self::WrongSession,
        Self::ClassicRefused,
        Self::ShortJoin,
        Self::Late,
        Self::DeadRequest,
        Self::RequestsFull,
        Self::NotMember,
        Self::PeersFull,
        Self::UnmatchedResponse,
        Self::UnmatchedGrant,
        Self::UnmatchedDenial,
        Self::UnmatchedRelease,
        Self::LocksFull,
        Self::Closed,
    ];

    /// The reason's name in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unopened => "unopened",
            Self::Oversize => "oversize",
            Self::Malformed => "malformed",
            Self::UnknownType => "unknown_type",
            Self::NoPort => "no_port",
            Self::OwnDatagram => "own_datagram",
            Self::FormerIncarnation => "former_incarnation",
            Self::Downgrade => "downgrade",
            Self::OverBudget => "over_budget",
            Self::FormerLife => "former_life",
            Self::Replayed => "replayed",
            Self::Unproven => "unproven",
            Self::WrongSession => "wrong_session",
            Self::ClassicRefused => "classic_refused",
            Self::ShortJoin => "short_join",
            Self::Late => "late",
            Self::DeadRequest => "dead_request",
            Self::RequestsFull => "requests_full",
            Self::NotMember => "not_member",
            Self::PeersFull => "peers_full",
            Self::UnmatchedResponse => "unmatched_response",
            Self::UnmatchedGrant => "unmatched_grant",
            Self::UnmatchedDenial => "unmatched_denial",
            Self::UnmatchedRelease => "unmatched_release",
            Self::LocksFull => "locks_full",
            Self::Closed => "closed",
        }
    }
}

/// What a node turned away on its own side of the API or dropped for want of room.
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Refusal {
    /// Addresses that discovery named beyond [`Config::max_candidates`](crate::Config::max_candidates).
    CandidatesFull,
    /// Requests beyond [`Config::max_requests`](crate::Config::max_requests).
    RequestsFull,
    /// Lock calls beyond [`Config::max_locks`](crate::Config::max_locks).
    LocksFull,
    /// Lock calls beyond [`Config::max_lock_waiters`](crate::Config::max_lock_waiters).
    LockWaitersFull,
    /// Denied peers beyond [`Config::max_lock_waiters`](crate::Config::max_lock_waiters): they are
    /// not told when the key frees.
    DeniedFull,
    /// Datagrams, answers of discovery and lock calls that found the outbox full because nobody
    /// polled.
    OutboxFull,
}

impl Refusal {
    /// Every kind.
    pub const ALL: [Self; 6] = [
        Self::CandidatesFull,
        Self::RequestsFull,
        Self::LocksFull,
        Self::LockWaitersFull,
        Self::DeniedFull,
        Self::OutboxFull,
    ];

    /// The kind's name in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CandidatesFull => "candidates_full",
            Self::RequestsFull => "requests_full",
            Self::LocksFull => "locks_full",
            Self::LockWaitersFull => "lock_waiters_full",
            Self::DeniedFull => "denied_full",
            Self::OutboxFull => "outbox_full",
        }
    }
}

/// A node's counters since its start.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Stats {
    /// Datagrams handed in.
    pub received: u64,
    /// Datagrams handed out, user payloads included; a broadcast counts once a member.
    pub transmitted: u64,
    /// Requests transmitted once more because no answer had come.
    pub retransmitted: u64,
    rejected: [u64; Rejection::ALL.len()],
    refused: [u64; Refusal::ALL.len()],
}

impl Stats {
    /// How many datagrams were turned away for this reason.
    #[must_use]
    pub const fn rejected(&self, why: Rejection) -> u64 {
        self.rejected[why as usize]
    }

    /// How many datagrams were turned away in all.
    #[must_use]
    pub fn rejected_in_all(&self) -> u64 {
        self.rejected.iter().sum()
    }

    /// How often this limit turned something away.
    #[must_use]
    pub const fn refused(&self, what: Refusal) -> u64 {
        self.refused[what as usize]
    }

    pub(crate) const fn reject(&mut self, why: Rejection) {
        self.rejected[why as usize] += 1;
    }

    pub(crate) const fn refuse(&mut self, what: Refusal) {
        self.refuse_times(what, 1);
    }

    pub(crate) const fn refuse_times(&mut self, what: Refusal, times: u64) {
        self.refused[what as usize] += times;
    }
}

/// How many rows each of a node's tables holds now.
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Usage {
    /// Members.
    pub peers: usize,
    /// Addresses that discovery names, members among them.
    pub named: usize,
    /// Requests of this node that wait for an answer.
    pub requests: usize,
    /// Lock keys known, for this node and for others.
    pub locks: usize,
    /// Callers of this node that wait for a lock or hold one.
    pub lock_callers: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_counts_in_its_own_place() {
        let mut stats = Stats::default();
        for (place, why) in Rejection::ALL.into_iter().enumerate() {
            assert_eq!(why as usize, place, "{}", why.name());
            stats.reject(why);
        }
        for (place, what) in Refusal::ALL.into_iter().enumerate() {
            assert_eq!(what as usize, place, "{}", what.name());
            stats.refuse(what);
        }
        assert!(Rejection::ALL.iter().all(|&why| stats.rejected(why) == 1));
        assert!(Refusal::ALL.iter().all(|&what| stats.refused(what) == 1));
    }
}
