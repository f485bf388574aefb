//! The baselines: what the same sockets and ciphers do with no library in between.

mod cipher;
mod echo;
mod flow;
mod socket;

use std::sync::Arc;

use tokio::sync::Mutex;

use crate::Failure;
use crate::background::Background;
use crate::ground::{Ground, PATIENCE};

pub(crate) use cipher::{Cover, Ring, XChaCha};
pub(crate) use echo::{batch_echo, echo};
pub(crate) use flow::{BURST, Credits, flow};

/// The end of a bare conversation that begins it.
pub(crate) trait End: Send + 'static {
    /// Sends `payload` so many times, and sees it through.
    fn send(
        &mut self,
        count: u32,
        payload: &[u8],
    ) -> impl Future<Output = Result<(), Failure>> + Send;
}

/// A bare conversation, to take turns with alan's.
pub(crate) struct Bare<E> {
    end: Arc<Mutex<E>>,
    _other: Background,
}

impl<E: End> Bare<E> {
    /// `end` makes its socket when it runs, since that belongs to a runtime.
    fn start<G: Ground>(
        ground: &G,
        end: impl Future<Output = Result<E, Failure>> + Send + 'static,
        other: Background,
    ) -> Result<Self, Failure> {
        Ok(Self { end: Arc::new(Mutex::new(ground.run(PATIENCE, end)?)), _other: other })
    }

    /// One turn.
    pub(crate) fn send<G: Ground>(
        &self,
        ground: &G,
        count: u32,
        payload: &'static [u8],
    ) -> Result<(), Failure> {
        let end = Arc::clone(&self.end);
        ground.run(PATIENCE, async move { end.lock().await.send(count, payload).await })
    }
}
