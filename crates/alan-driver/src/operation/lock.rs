//! Getting a lock, holding it, and giving it back.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use alan_proto::LockId;

use super::Limit;
use crate::completion::LockState;
use crate::engine::Engine;
use crate::error::{LockError, LockLost};
use crate::signal::Wait;

/// A lock call that has not begun; made by [`Node::lock`](crate::Node::lock).
#[derive(Debug)]
#[must_use = "the lock is not asked for until this is awaited"]
pub struct Lock {
    engine: Arc<Engine>,
    key: Box<str>,
    timeout: Option<Duration>,
}

impl Lock {
    pub(crate) fn new(engine: Arc<Engine>, key: &str) -> Self {
        Self { engine, key: key.into(), timeout: None }
    }

    /// How long to wait, for the quorum and for the lock together. Without it: for as long as it
    /// takes.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }
}

impl IntoFuture for Lock {
    type Output = Result<LockGuard, LockError>;
    type IntoFuture = Locking;

    fn into_future(self) -> Locking {
        let mut locking = Locking::new(self.engine, self.key, self.timeout, Patience::Waits);
        if fault!(LockTooEarly) {
            let deadline = locking.limit.fix(|| locking.engine.now());
            locking.lock = locking.engine.lock(&locking.key, deadline, Patience::Waits).ok();
        }
        locking
    }
}

/// A lock call that has not begun; made by [`Node::try_lock`](crate::Node::try_lock).
#[derive(Debug)]
#[must_use = "the lock is not asked for until this is awaited"]
pub struct TryLock {
    engine: Arc<Engine>,
    key: Box<str>,
    timeout: Option<Duration>,
}

impl TryLock {
    pub(crate) fn new(engine: Arc<Engine>, key: &str) -> Self {
        Self { engine, key: key.into(), timeout: None }
    }

    /// How long to wait for the answers of all peers. Without it: the configured `timeout`.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }
}

impl IntoFuture for TryLock {
    type Output = Result<LockGuard, LockError>;
    type IntoFuture = Locking;

    fn into_future(self) -> Locking {
        Locking::new(self.engine, self.key, self.timeout, Patience::Tries)
    }
}

/// Whether a call waits while somebody else holds the lock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Patience {
    Waits,
    Tries,
}

/// A lock call under way.
#[derive(Debug)]
#[must_use = "the lock is not asked for until this is awaited"]
pub struct Locking {
    engine: Arc<Engine>,
    key: Box<str>,
    limit: Limit,
    patience: Patience,
    /// The row in the table, from the first poll until the outcome has been seen.
    lock: Option<LockId>,
}

impl Locking {
    const fn new(
        engine: Arc<Engine>,
        key: Box<str>,
        timeout: Option<Duration>,
        patience: Patience,
    ) -> Self {
        Self { engine, key, limit: Limit::After(timeout), patience, lock: None }
    }
}

impl Future for Locking {
    type Output = Result<LockGuard, LockError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { engine, key, limit, patience, lock } = self.get_mut();
        let id = if let Some(id) = *lock {
            id
        } else {
            let deadline = limit.fix(|| engine.now());
            *lock.insert(engine.lock(key, deadline, *patience)?)
        };
        match engine.poll_lock(id, context.waker()) {
            None => Poll::Pending,
            Some(outcome) => {
                *lock = None;
                Poll::Ready(outcome.map(|state| LockGuard {
                    engine: Arc::clone(engine),
                    key: std::mem::take(key),
                    lock: id,
                    state,
                }))
            }
        }
    }
}

impl Drop for Locking {
    fn drop(&mut self) {
        if let Some(lock) = self.lock
            && !fault!(LeakLockCalls)
        {
            self.engine.release(lock);
        }
    }
}

/// A lock that this node holds. Dropping it releases the lock, in the background.
///
/// A lock is best effort in this version, with a cluster size or without: to nodes that don't hear
/// this one for the heartbeat timeout, because the network is cut or this process stands still, it
/// is free, and nothing here tells. What is noticed makes the guard invalid: look at
/// [`is_valid`](Self::is_valid) before each step that must not happen twice, or stop the work when
/// [`lost`](Self::lost) tells.
#[must_use = "dropped, it releases the lock"]
pub struct LockGuard {
    engine: Arc<Engine>,
    key: Box<str>,
    lock: LockId,
    state: LockState,
}

impl LockGuard {
    /// What is locked.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Whether the lock is still held. Takes no mutex and makes no system call.
    pub fn is_valid(&self) -> bool {
        self.state.lost().is_none()
    }

    /// Waits until the lock is held no longer, and tells why. It can outlive the guard, and be
    /// made any number of times.
    pub fn lost(&self) -> Lost {
        Lost(self.state.wait())
    }

    /// Releases the lock: when this returns, the datagrams that say so have left. It is an error
    /// if it had been lost before; nothing else can go wrong.
    ///
    /// The future is ready at once, and the lock is released whether or not it is awaited: there
    /// is nothing to wait for as long as releases are not acknowledged.
    pub fn release(self) -> std::future::Ready<Result<(), LockLost>> {
        let result = if self.engine.release(self.lock) {
            Ok(())
        } else {
            Err(self.state.lost().unwrap_or(LockLost::Released))
        };
        std::future::ready(result)
    }
}

impl Drop for LockGuard {
    fn drop(&mut self) {
        if self.is_valid() && !fault!(LeakGuards) {
            self.engine.release(self.lock);
        }
    }
}

impl fmt::Debug for LockGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LockGuard")
            .field("key", &self.key)
            .field("valid", &self.is_valid())
            .finish_non_exhaustive()
    }
}

/// Waits until a lock is held no longer; made by [`LockGuard::lost`].
#[derive(Debug)]
#[must_use = "nobody waits until it is awaited"]
pub struct Lost(Wait<LockLost>);

impl Future for Lost {
    type Output = LockLost;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<LockLost> {
        Pin::new(&mut self.0).poll(context)
    }
}
