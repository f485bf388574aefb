//! The adapters' runtimes: what alan and a bare socket stand on, side by side.

mod smol;
mod sync;
mod tokio;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use alan_driver::Runtime;
use quinn_udp::UdpSockRef;

use crate::Failure;

pub(crate) use self::smol::Smol;
pub(crate) use self::sync::Sync;
pub(crate) use self::tokio::Tokio;

/// The longest that one side of one repetition may take. They take a fraction of a second; a
/// datagram that got lost would be waited for for ever.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A runtime on the calling thread. Each side of a conversation gets one of its own, as each would
/// in a process of its own, and both sides of a comparison get the same kind.
pub(crate) trait Ground: Sized + 'static {
    /// What a node of the adapter runs under.
    type Runtime: Runtime;

    /// A socket as programs have it that use no library.
    type Socket: Socket;

    /// A socket whose readiness is known, for those that do their own system calls.
    type Batches: Batches;

    fn new() -> Result<Self, Failure>;

    fn runtime(&self) -> Self::Runtime;

    /// Runs `work` as programs do, as a task where there are tasks, for `most` at most.
    fn run<T: Send + 'static>(
        &self,
        most: Duration,
        work: impl Future<Output = Result<T, Failure>> + Send + 'static,
    ) -> Result<T, Failure>;
}

/// Single datagrams.
pub(crate) trait Socket: Send + std::marker::Sync + Sized + 'static {
    /// Called in the work of a [`Ground`].
    fn register(socket: std::net::UdpSocket) -> io::Result<Self>;

    fn send_to(
        &self,
        datagram: &[u8],
        to: SocketAddr,
    ) -> impl Future<Output = io::Result<usize>> + Send;

    fn recv_from(
        &self,
        buffer: &mut [u8],
    ) -> impl Future<Output = io::Result<(usize, SocketAddr)>> + Send;
}

/// Readiness.
pub(crate) trait Batches: Send + Sized + 'static {
    /// Called in the work of a [`Ground`].
    fn register(socket: std::net::UdpSocket) -> io::Result<Self>;

    /// The socket, which does not block.
    fn socket(&self) -> UdpSockRef<'_>;

    /// Calls `receive` until the socket is not empty.
    fn receive<T: Send>(
        &mut self,
        receive: impl FnMut(UdpSockRef<'_>) -> io::Result<T> + Send,
    ) -> impl Future<Output = io::Result<T>> + Send;
}

fn not_finished(most: Duration) -> Failure {
    format!("not finished after {most:?}: was a datagram lost?").into()
}
