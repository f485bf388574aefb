//! What a timeline is about: which steps explain a violation, and which only fill the page.

use alan_proto::Action;

use crate::check::{Breach, Invariant, Violation};
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
    /// Everything that is said and told; no wake-ups.
    Everything,
}

impl Topic {
    /// What explains a violation; everything where there is none.
    #[must_use]
    pub const fn of(violation: Option<&Violation>) -> Self {
        let Some(violation) = violation else { return Self::Everything };
        match &violation.breach {
            Breach::TwoHolders { key, .. } | Breach::OutOfTurn { key, .. } => {
                Self::Locks(Some(*key))
            }
            breach => match breach.invariant() {
                Invariant::Exclusion | Invariant::Order => Self::Locks(None),
                Invariant::Membership => Self::Membership,
                _ => Self::Everything,
            },
        }
    }

    /// Whether a step belongs to it.
    pub(super) fn has(self, what: &Occurrence) -> bool {
        match what {
            Occurrence::Timer { .. } | Occurrence::Discovered { .. } => false,
            Occurrence::Sent { meaning, .. } | Occurrence::Delivered { meaning, .. } => {
                self.has_message(meaning)
            }
            Occurrence::Received { .. } => self == Self::Everything,
            Occurrence::Command { command, .. } => self.has_command(command),
            Occurrence::Told { action, key, .. } => self.has_action(action, *key),
            Occurrence::GuardAsked { key, .. } => self.has_key(Some(*key)),
            _ => true,
        }
    }

    fn has_key(self, key: Option<Key>) -> bool {
        match self {
            Self::Locks(Some(wanted)) => key == Some(wanted),
            Self::Locks(None) | Self::Everything => true,
            Self::Membership => false,
        }
    }

    fn has_message(self, meaning: &Meaning) -> bool {
        match meaning {
            Meaning::Join(_) | Meaning::Heartbeat(_) => !matches!(self, Self::Locks(_)),
            Meaning::Leave(_) => true,
            Meaning::Lock(_, _, key) => self.has_key(*key),
            Meaning::Data(_) | Meaning::Request(..) | Meaning::Response(..) | Meaning::Noise => {
                self == Self::Everything
            }
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
            _ => self == Self::Everything,
        }
    }

    fn has_action(self, action: &Action, key: Option<Key>) -> bool {
        match action {
            Action::Lock(_) => self.has_key(key),
            Action::Request(_) => self == Self::Everything,
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
        | Breach::OverLimit { node, .. }
        | Breach::Reacted { node, .. } => vec![*node],
        Breach::CheckersDisagree { .. } => Vec::new(),
    }
}
