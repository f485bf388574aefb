//! smol, with an executor for each side. The reactor is one for the whole process.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use quinn_udp::UdpSockRef;
use smol::{Async, Executor, Timer, future};

use super::{Batches, Ground, Socket, not_finished};
use crate::Failure;

pub(crate) struct Smol(Arc<Executor<'static>>);

impl Ground for Smol {
    type Runtime = alan_smol::Smol;
    type Socket = Async<UdpSocket>;
    type Batches = Async<UdpSocket>;

    fn new() -> Result<Self, Failure> {
        Ok(Self(Arc::new(Executor::new())))
    }

    fn runtime(&self) -> alan_smol::Smol {
        alan_smol::Smol::on(&self.0)
    }

    fn run<T: Send + 'static>(
        &self,
        most: Duration,
        work: impl Future<Output = Result<T, Failure>> + Send + 'static,
    ) -> Result<T, Failure> {
        let task = self.0.spawn(work);
        let limit = async {
            Timer::after(most).await;
            Err(not_finished(most))
        };
        smol::block_on(self.0.run(future::or(task, limit)))
    }
}

impl Socket for Async<UdpSocket> {
    fn register(socket: UdpSocket) -> io::Result<Self> {
        Self::new_nonblocking(socket)
    }

    async fn send_to(&self, datagram: &[u8], to: SocketAddr) -> io::Result<usize> {
        Self::send_to(self, datagram, to).await
    }

    async fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        Self::recv_from(self, buffer).await
    }
}

impl Batches for Async<UdpSocket> {
    fn register(socket: UdpSocket) -> io::Result<Self> {
        Self::new_nonblocking(socket)
    }

    fn socket(&self) -> UdpSockRef<'_> {
        self.get_ref().into()
    }

    async fn receive<T: Send>(
        &mut self,
        mut receive: impl FnMut(UdpSockRef<'_>) -> io::Result<T> + Send,
    ) -> io::Result<T> {
        self.read_with(|socket| receive(socket.into())).await
    }
}
