//! A stream of datagrams one way, with a window, so that nothing is lost and all is counted.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::Semaphore;

use super::socket::{BatchSocket, Buffers, bind};
use super::{Bare, Cover, End};
use crate::Failure;
use crate::background::Background;
use crate::ground::{Batches, Ground};

/// Datagrams that are sent for one look at the window.
pub(crate) const BURST: u32 = 32;

/// The most datagrams under way. It fits into the kernel's buffers and into alan's queue for one
/// peer, which holds 256 messages unless told otherwise.
const WINDOW: u32 = 4 * BURST;

/// The window. The receiver gives room back through memory, not through the network, for alan and
/// for the baseline alike: what is measured goes one way only.
#[derive(Clone)]
pub(crate) struct Credits(Arc<Semaphore>);

impl Credits {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(WINDOW as usize)))
    }

    /// Waits until another burst may be sent.
    pub(crate) async fn take_burst(&self) -> Result<(), Failure> {
        self.0.acquire_many(BURST).await?.forget();
        Ok(())
    }

    /// Waits until everything that was sent has arrived.
    pub(crate) async fn drained(&self) -> Result<(), Failure> {
        drop(self.0.acquire_many(WINDOW).await?);
        Ok(())
    }

    /// Takes note of one datagram that has arrived; `pending` is the receiver's own count.
    pub(crate) fn arrived(&self, pending: &mut u32) {
        *pending += 1;
        if *pending == BURST {
            *pending = 0;
            self.0.add_permits(BURST as usize);
        }
    }
}

/// The bare loop: single sends, as alan makes them, and batches in with segment coalescing.
pub(crate) fn flow<G: Ground>(
    ground: &G,
    sealed: bool,
    payload: usize,
) -> Result<Bare<impl End>, Failure> {
    let (ours, theirs) = (bind()?, bind()?);
    let receiver = theirs.local_addr()?;
    let credits = Credits::new();
    let returned = credits.clone();
    let sender = async move {
        let socket = BatchSocket::<G::Batches>::new(ours)?;
        Ok(Sender { socket, receiver, cover: Cover::new(sealed), credits })
    };
    let counter = Background::spawn::<G, _>(move |_| {
        count::<G::Batches>(theirs, Cover::new(sealed), payload, returned)
    });
    Bare::start(ground, sender, counter)
}

struct Sender<B> {
    socket: BatchSocket<B>,
    receiver: SocketAddr,
    cover: Cover,
    credits: Credits,
}

impl<B: Batches> End for Sender<B> {
    /// The count is a multiple of [`BURST`].
    async fn send(&mut self, count: u32, payload: &[u8]) -> Result<(), Failure> {
        let mut buffer = [0; 4_096];
        for _ in 0..count / BURST {
            self.credits.take_burst().await?;
            for _ in 0..BURST {
                let len = self.cover.wrap(payload, &mut buffer)?;
                self.socket.send(self.receiver, &buffer[..len])?;
            }
        }
        self.credits.drained().await
    }
}

async fn count<B: Batches>(
    socket: std::net::UdpSocket,
    cover: Cover,
    payload: usize,
    credits: Credits,
) -> Result<(), Failure> {
    let mut socket = BatchSocket::<B>::new(socket)?;
    let mut buffers = Buffers::new();
    let mut pending = 0;
    loop {
        socket.receive(&mut buffers).await?;
        for (_sender, datagram) in buffers.datagrams() {
            if cover.unwrap(datagram)?.len() != payload {
                return Err("a datagram of another length arrived".into());
            }
            credits.arrived(&mut pending);
        }
    }
}
