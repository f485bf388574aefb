//! Threads: whoever waits, blocks.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use alan_sync::{Threads, Wait};
use mio::{Events, Interest, Poll, Token};
use quinn_udp::UdpSockRef;
use smol::future::yield_now;

use super::{Batches, Ground, Socket, not_finished};
use crate::Failure;

/// How long a bare socket blocks at most, until it is seen whether there is still a reason to.
const LOOK_UP: Duration = Duration::from_millis(100);

pub(crate) struct Sync;

impl Ground for Sync {
    type Runtime = Threads;
    type Socket = UdpSocket;
    type Batches = Polled;

    fn new() -> Result<Self, Failure> {
        Ok(Self)
    }

    fn runtime(&self) -> Threads {
        Threads::new()
    }

    fn run<T: Send + 'static>(
        &self,
        most: Duration,
        work: impl Future<Output = Result<T, Failure>> + Send + 'static,
    ) -> Result<T, Failure> {
        work.wait_timeout(most).map_err(|_timed_out| not_finished(most))?
    }
}

impl Socket for UdpSocket {
    fn register(socket: UdpSocket) -> io::Result<Self> {
        socket.set_nonblocking(false)?;
        socket.set_read_timeout(Some(LOOK_UP))?;
        Ok(socket)
    }

    async fn send_to(&self, datagram: &[u8], to: SocketAddr) -> io::Result<usize> {
        Self::send_to(self, datagram, to)
    }

    async fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        loop {
            match Self::recv_from(self, buffer) {
                Err(error) if is_over(&error) => yield_now().await,
                received => return received,
            }
        }
    }
}

/// Whether a socket has blocked for as long as it may. Systems call that differently.
fn is_over(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

/// A socket that does not block, and a poller that does.
pub(crate) struct Polled {
    socket: mio::net::UdpSocket,
    poller: Poll,
    events: Events,
}

impl Batches for Polled {
    fn register(socket: UdpSocket) -> io::Result<Self> {
        let mut socket = mio::net::UdpSocket::from_std(socket);
        let poller = Poll::new()?;
        poller.registry().register(&mut socket, Token(0), Interest::READABLE)?;
        Ok(Self { socket, poller, events: Events::with_capacity(1) })
    }

    fn socket(&self) -> UdpSockRef<'_> {
        (&self.socket).into()
    }

    async fn receive<T: Send>(
        &mut self,
        mut receive: impl FnMut(UdpSockRef<'_>) -> io::Result<T> + Send,
    ) -> io::Result<T> {
        loop {
            match self.socket.try_io(|| receive((&self.socket).into())) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.poller.poll(&mut self.events, Some(LOOK_UP))?;
                    if self.events.is_empty() {
                        yield_now().await;
                    }
                }
                received => return received,
            }
        }
    }
}
