//! The driver's socket under another descriptor, known to tokio's reactor: for readiness only.

use std::io;
use std::task::{Context, Poll};

use alan_driver::Driver;
use tokio::io::Interest;

/// A [`tokio::net::UdpSocket`] would be registered for writing, too. The kernel then reports each
/// datagram that has left the send buffer, and the reactor wakes up for news that nobody wants.
#[cfg(unix)]
type Registered = tokio::io::unix::AsyncFd<std::net::UdpSocket>;

#[cfg(not(unix))]
type Registered = tokio::net::UdpSocket;

/// Tells when there is something to receive.
pub(crate) struct Readiness(Registered);

impl Readiness {
    /// To be called in the runtime that the node runs in.
    pub(crate) fn of(driver: &Driver) -> io::Result<Self> {
        register(driver.socket().try_clone()?).map(Self)
    }

    /// Calls `receive` if the socket may be readable. When that says that it is empty, it counts as
    /// such until the next datagram comes.
    pub(crate) fn try_read<T>(&self, receive: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        #[cfg(unix)]
        return self.0.try_io(Interest::READABLE, |_socket| receive());
        #[cfg(not(unix))]
        return self.0.try_io(Interest::READABLE, receive);
    }

    /// Ready while the socket may be readable.
    pub(crate) fn poll_readable(&self, context: &mut Context<'_>) -> Poll<()> {
        #[cfg(unix)]
        return self.0.poll_read_ready(context).map(drop);
        #[cfg(not(unix))]
        return self.0.poll_recv_ready(context).map(drop);
    }
}

/// Deprecated for descriptors that may change or be closed while they are registered, in favour of
/// an `unsafe` function that has one promise that they don't. The standard library's don't.
#[cfg(unix)]
#[expect(deprecated, reason = "a socket of the standard library keeps what is asked for")]
fn register(socket: std::net::UdpSocket) -> io::Result<Registered> {
    Registered::with_interest(socket, Interest::READABLE)
}

#[cfg(not(unix))]
fn register(socket: std::net::UdpSocket) -> io::Result<Registered> {
    Registered::from_std(socket)
}
