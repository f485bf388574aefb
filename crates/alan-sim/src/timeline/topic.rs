//! What a timeline is about: which steps explain a violation, and which only fill the page.

use alan_proto::Action;

use crate::check::{Breach, Invariant, Pending, Violation, Waiting};
use crate::place::Place;
use crate::plan::Key;
use crate::trace::{Command, Meaning, Occurrence};

/// What a timeline is about.
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Topic {
    /// Locks, or one of them; with who joins and leaves, since that decides who is asked.
    Locks(Option<Key>),
    /// Who is there.
    Membership,
    /// Everything that users do, ask and send; no heartbeats.
    Users,
    /// Everything that is said and told; no wake-ups.
    Everything,
}

impl Topic {
    /// What explains a violation; what users do where there is none.
    #[must_use]
    pub fn of(violation: Option<&Violation>) -> Self {
        let Some(violation) = violation else { return Self::Users };
        match &violation.breach {
            Breach::TwoHolders { key, .. } | Breach::OutOfTurn { key, .. } => {
                Self::Locks(Some(*key))
            }
            Breach::Stuck { pending } => Self::of_pending(pending),
            breach => match breach.invariant() {
                Invariant::Exclusion | Invariant::Order => Self::Locks(None),
                Invariant::Membership => Self::Membership,
                Invariant::Secrecy | Invariant::Freshness | Invariant::Amplification => {
                    Self::Everything
                }
                _ => Self::Users,
            },
        }
    }

    /// The key for which all wait, if it is one.
    fn of_pending(pending: &[Pending]) -> Self {
        let key = |pending: &Pending| match pending.what {
            Waiting::Lock(key) | Waiting::TryLock(key) => Some(key),
            Waiting::Response(_) => None,
        };
        let mut keys: Vec<Option<Key>> = pending.iter().map(key).collect();
        keys.dedup();
        match keys[..] {
            [Some(key)] => Self::Locks(Some(key)),
            _ if keys.contains(&None) => Self::Users,
            _ => Self::Locks(None),
        }
    }

    /// Whether a step belongs to it.
    pub(super) fn has(self, what: &Occurrence) -> bool {
        match what {
            Occurrence::Timer { .. } | Occurrence::Discovered { .. } => false,
            Occurrence::Sent { meaning, .. } | Occurrence::Delivered { meaning, .. } => {
                self.has_message(meaning)
            }
            Occurrence::Received { .. } => self.has_messages(),
            Occurrence::Command { command, .. } => self.has_command(command),
            Occurrence::Told { action, key, .. } => self.has_action(action, *key),
            Occurrence::GuardAsked { key, .. } => self.has_key(Some(*key)),
            _ => true,
        }
    }

    fn has_key(self, key: Option<Key>) -> bool {
        match self {
            Self::Locks(Some(wanted)) => key == Some(wanted),
            Self::Locks(None) | Self::Users | Self::Everything => true,
            Self::Membership => false,
        }
    }

    fn has_messages(self) -> bool {
        matches!(self, Self::Users | Self::Everything)
    }

    fn has_message(self, meaning: &Meaning) -> bool {
        match meaning {
            Meaning::Join(_) | Meaning::Heartbeat(_) => {
                matches!(self, Self::Membership | Self::Everything)
            }
            Meaning::Leave(_) => true,
            Meaning::Lock(_, _, key) => self.has_key(*key),
            Meaning::Profile
            | Meaning::ProfileAsk
            | Meaning::PeersAsk
            | Meaning::Peers
            | Meaning::Probe(..) => matches!(self, Self::Membership | Self::Everything),
            Meaning::Data(_)
            | Meaning::Request(..)
            | Meaning::Response(..)
            | Meaning::SessionData(_)
            | Meaning::SessionRequest(..)
            | Meaning::SessionResponse(..)
            | Meaning::ResponseGone(_)
            | Meaning::Noise => self.has_messages(),
        }
    }

    fn has_command(self, command: &Command) -> bool {
        match command {
            Command::Lock(key, _)
            | Command::TryLock(key, _)
            | Command::Cancel(key, _)
            | Command::Release(key, _)
            | Command::Unlock(key) => self.has_key(Some(*key)),
            Command::Leave => true,
            _ => self.has_messages(),
        }
    }

    fn has_action(self, action: &Action, key: Option<Key>) -> bool {
        match action {
            Action::Lock(_) => self.has_key(key),
            Action::Request(_) => self.has_messages(),
            _ => true,
        }
    }
}

/// The nodes that a breach names.
pub(super) fn places(breach: &Breach) -> Vec<Place> {
    match breach {
        Breach::TwoHolders { holders, .. } => holders.to_vec(),
        Breach::Stuck { pending } => pending.iter().map(|pending| pending.node).collect(),
        Breach::OutOfTurn { node, .. }
        | Breach::Leak { node, .. }
        | Breach::NotAlternating { node, .. }
        | Breach::NotSilent { node, .. }
        | Breach::ViewsDiffer { node, .. }
        | Breach::RequestNotPending { node, .. }
        | Breach::TimedOutEarly { node, .. }
        | Breach::LockCallOver { node, .. }
        | Breach::Miscounted { node, .. }
        | Breach::Misdelivered { node, .. }
        | Breach::NotDelivered { node, .. }
        | Breach::NotOnce { node, .. }
        | Breach::OverLimit { node, .. }
        | Breach::ClockWrong { node, .. }
        | Breach::Reacted { node, .. }
        | Breach::NotFresh { node, .. }
        | Breach::WithoutCause { node, .. }
        | Breach::Amplified { node, .. } => vec![*node],
        Breach::CheckersDisagree { .. } => Vec::new(),
    }
}
