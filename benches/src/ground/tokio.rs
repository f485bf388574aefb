//! tokio, with a current-thread runtime for each side.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use quinn_udp::UdpSockRef;
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

use super::{Batches, Ground, Socket, not_finished};
use crate::Failure;

pub(crate) struct Tokio(Runtime);

impl Ground for Tokio {
    type Runtime = alan_tokio::Tokio;
    type Socket = UdpSocket;
    type Batches = UdpSocket;

    fn new() -> Result<Self, Failure> {
        Ok(Self(Builder::new_current_thread().enable_all().build()?))
    }

    fn runtime(&self) -> alan_tokio::Tokio {
        self.0.handle().clone().into()
    }

    /// On this kind of runtime, what is not a task but the future that the thread blocks on is
    /// polled after one more look at the reactor each time another task wakes it, a system call
    /// that would be counted against the side that has other tasks.
    fn run<T: Send + 'static>(
        &self,
        most: Duration,
        work: impl Future<Output = Result<T, Failure>> + Send + 'static,
    ) -> Result<T, Failure> {
        let ended = self.0.block_on(async { timeout(most, tokio::spawn(work)).await });
        ended.map_err(|_elapsed| not_finished(most))??
    }
}

impl Socket for UdpSocket {
    fn register(socket: std::net::UdpSocket) -> io::Result<Self> {
        Self::from_std(socket)
    }

    async fn send_to(&self, datagram: &[u8], to: SocketAddr) -> io::Result<usize> {
        Self::send_to(self, datagram, to).await
    }

    async fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        Self::recv_from(self, buffer).await
    }
}

impl Batches for UdpSocket {
    fn register(socket: std::net::UdpSocket) -> io::Result<Self> {
        Self::from_std(socket)
    }

    fn socket(&self) -> UdpSockRef<'_> {
        self.into()
    }

    async fn receive<T: Send>(
        &mut self,
        mut receive: impl FnMut(UdpSockRef<'_>) -> io::Result<T> + Send,
    ) -> io::Result<T> {
        self.async_io(Interest::READABLE, || receive((&*self).into())).await
    }
}
