//! Locks that somebody waits for or holds.

use std::collections::HashMap;
use std::task::Waker;

use alan_proto::{LockEvent, LockFailure, LockId, LockLoss};

use crate::error::{Closed, LockError, LockLost};
use crate::signal::{Signal, Wait};
use crate::wakes::Wakes;

/// What a guard can ask without taking the engine's mutex: whether its lock is still held.
#[derive(Clone, Debug)]
pub(crate) struct LockState(Signal<LockLost>);

impl LockState {
    pub(crate) fn lost(&self) -> Option<LockLost> {
        self.0.get()
    }

    pub(crate) fn wait(&self) -> Wait<LockLost> {
        self.0.wait()
    }

    pub(crate) fn end(&self, why: LockLost, wakes: &mut Wakes) {
        self.0.set(why, wakes);
    }
}

#[derive(Debug)]
enum Phase {
    Waiting(Option<Waker>),
    /// Over, and the waiter has not looked yet.
    Decided(Result<(), LockError>),
    /// In the hands of a guard.
    Held,
}

#[derive(Debug)]
struct Row {
    state: LockState,
    phase: Phase,
}

/// The table of lock calls, from the call until the lock is not got, lost or released.
#[derive(Debug, Default)]
pub(crate) struct Locks(HashMap<LockId, Row>);

impl Locks {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn insert(&mut self, lock: LockId) {
        let phase = if fault!(GrantToThirdCaller) && self.0.len() >= 2 {
            Phase::Decided(Ok(()))
        } else {
            Phase::Waiting(None)
        };
        let row = Row { state: LockState(Signal::new()), phase };
        self.0.insert(lock, row);
    }

    pub(crate) fn remove(&mut self, lock: LockId, wakes: &mut Wakes) -> Option<LockState> {
        let row = self.0.remove(&lock)?;
        if let Phase::Waiting(place) = row.phase {
            wakes.discard(place);
        }
        Some(row.state)
    }

    /// How the call ended, once it has; until then `waker` waits. A failed call's row is gone then.
    pub(crate) fn poll(
        &mut self,
        lock: LockId,
        task: &Waker,
        wakes: &mut Wakes,
    ) -> Option<Result<LockState, LockError>> {
        let row = self.0.get_mut(&lock).expect("a row lives as long as the operation that made it");
        match &mut row.phase {
            Phase::Waiting(place) => {
                wakes.register(place, task);
                None
            }
            Phase::Held => unreachable!("an operation that has given its guard is not polled"),
            Phase::Decided(Ok(())) => {
                row.phase = Phase::Held;
                let state = row.state.clone();
                if state.lost().is_some() {
                    self.0.remove(&lock);
                }
                Some(Ok(state))
            }
            Phase::Decided(Err(why)) => {
                let why = *why;
                self.0.remove(&lock);
                Some(Err(why))
            }
        }
    }

    pub(crate) fn on_event(&mut self, event: LockEvent, wakes: &mut Wakes) {
        match event {
            LockEvent::Granted { lock } => self.decide(lock, Ok(()), wakes),
            LockEvent::Failed { lock, why } => self.decide(lock, Err(why.into()), wakes),
            LockEvent::Lost { lock, why } => self.end(lock, why.into(), wakes),
            _ => {}
        }
    }

    fn decide(&mut self, lock: LockId, outcome: Result<(), LockError>, wakes: &mut Wakes) {
        let Some(row) = self.0.get_mut(&lock) else { return };
        let before = std::mem::replace(&mut row.phase, Phase::Decided(outcome));
        if let Phase::Waiting(mut waker) = before {
            wakes.take(&mut waker);
        }
    }

    /// A held lock is held no longer. Its row stays for a waiter that has not looked yet.
    pub(crate) fn end(&mut self, lock: LockId, why: LockLost, wakes: &mut Wakes) {
        let Some(row) = self.0.get(&lock) else { return };
        row.state.end(why, wakes);
        if matches!(row.phase, Phase::Held) {
            self.0.remove(&lock);
        }
    }
}

impl From<LockFailure> for LockError {
    fn from(why: LockFailure) -> Self {
        match why {
            LockFailure::Held { by } => Self::Held { by },
            LockFailure::TimedOut => Self::Timeout,
            LockFailure::NoQuorum { have, need } => Self::NoQuorum { have, need },
            _ => Self::Closed(Closed),
        }
    }
}

impl From<alan_proto::LockError> for LockError {
    fn from(error: alan_proto::LockError) -> Self {
        use alan_proto::LockError as Core;
        match error {
            Core::KeyLength { len } => Self::KeyLength { len },
            Core::NoQuorum { have, need } => Self::NoQuorum { have, need },
            Core::TooManyLocks { limit } => Self::TooManyLocks { limit },
            Core::TooManyWaiters { limit } => Self::TooManyWaiters { limit },
            _ => Self::Closed(Closed),
        }
    }
}

impl From<LockLoss> for LockLost {
    fn from(why: LockLoss) -> Self {
        match why {
            LockLoss::Denied { by } => Self::Denied { by },
            _ => Self::LeftCluster,
        }
    }
}
