//! The UDP socket: batches in, datagrams of any length out, and no error that ends it.

mod fragmentation;
mod receive;
mod send;

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, UdpSocket};

use quinn_udp::UdpSocketState;
use socket2::{Domain, Protocol, Type};
use thiserror::Error;

pub(crate) use receive::KERNEL_OVERHEAD;
pub use receive::{BATCH_SIZE, Datagrams, ReceiveBuffers};
pub use send::{BatchSent, SendFailure, SendFailureKind};

/// What a node asks the kernel to hold for it in each direction unless told otherwise, in bytes. A
/// kernel that permits less gives less, and that is kept (on Linux, see `net.core.rmem_max` and `net.core.wmem_max`).
pub const KERNEL_BUFFER: usize = 4 * 1024 * 1024;

/// A bound, non-blocking UDP socket.
///
/// It can be shared between threads: each call is one system call, or a few. Nothing that happens
/// on the network is an error of the socket: a failed send is one lost datagram, and a failed
/// receive is one failed read.
///
/// Datagrams longer than the path's MTU leave as IP fragments: the don't-fragment bit is off.
#[derive(Debug)]
pub struct Socket {
    inner: UdpSocket,
    state: UdpSocketState,
    local: SocketAddr,
}

impl Socket {
    /// Binds a socket to `address`.
    ///
    /// Bound to `[::]`, it carries IPv4 too, on every platform; bound to `0.0.0.0` or to any
    /// particular address, it carries that address's family only. Port 0 lets the system choose.
    pub fn bind(address: SocketAddr) -> Result<Self, BindError> {
        Self::bind_with(address, KERNEL_BUFFER)
    }

    /// Binds a socket as [`bind`](Self::bind) does, and asks the kernel to hold `kernel_buffer`
    /// bytes for it in each direction.
    pub fn bind_with(address: SocketAddr, kernel_buffer: usize) -> Result<Self, BindError> {
        Self::try_bind(address, kernel_buffer).map_err(|source| BindError { addr: address, source })
    }

    fn try_bind(address: SocketAddr, kernel_buffer: usize) -> io::Result<Self> {
        let socket =
            socket2::Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        if address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED) {
            socket.set_only_v6(fault!(OnlyIpv6))?;
        }
        // Both are wishes: what the kernel gives instead is good enough to work with.
        let _ = socket.set_recv_buffer_size(kernel_buffer);
        let _ = socket.set_send_buffer_size(kernel_buffer);
        socket.set_nonblocking(true)?;
        if fault!(SharePort) {
            socket.set_reuse_address(true)?;
        }
        socket.bind(&address.into())?;

        let inner = UdpSocket::from(socket);
        let local = inner.local_addr()?;
        let state = fragmentation::state_that_may_fragment(&inner, local)?;
        Ok(Self { inner, state, local })
    }

    /// The address that the socket is bound to, with the port that the system chose.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Whether the socket carries the address's family at all; says nothing about routes.
    pub fn carries(&self, address: SocketAddr) -> bool {
        match self.local.ip() {
            IpAddr::V4(_) => canonical(address).is_ipv4(),
            IpAddr::V6(Ipv6Addr::UNSPECIFIED) => true,
            IpAddr::V6(_) => canonical(address).is_ipv6(),
        }
    }

    /// How many bytes of received datagrams the kernel holds, by its own count.
    pub fn receive_buffer_size(&self) -> io::Result<usize> {
        self.state.recv_buffer_size((&self.inner).into())
    }

    /// How many bytes of datagrams to be sent the kernel holds, by its own count.
    pub fn send_buffer_size(&self) -> io::Result<usize> {
        self.state.send_buffer_size((&self.inner).into())
    }
}

/// For registering with a runtime or a poller. Sending and receiving past the [`Socket`] is a bad
/// idea: with segment coalescing on, a plain `recv_from` may get several datagrams as one.
impl AsRef<UdpSocket> for Socket {
    fn as_ref(&self) -> &UdpSocket {
        &self.inner
    }
}

#[cfg(unix)]
impl std::os::fd::AsFd for Socket {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.inner.as_fd()
    }
}

#[cfg(unix)]
impl std::os::fd::AsRawFd for Socket {
    fn as_raw_fd(&self) -> std::os::fd::RawFd {
        self.inner.as_raw_fd()
    }
}

#[cfg(windows)]
impl std::os::windows::io::AsSocket for Socket {
    fn as_socket(&self) -> std::os::windows::io::BorrowedSocket<'_> {
        self.inner.as_socket()
    }
}

#[cfg(windows)]
impl std::os::windows::io::AsRawSocket for Socket {
    fn as_raw_socket(&self) -> std::os::windows::io::RawSocket {
        self.inner.as_raw_socket()
    }
}

/// The socket could not be bound: the port is taken, or the address is not this machine's.
#[derive(Debug, Error)]
#[error("cannot bind {addr}: {source}")]
pub struct BindError {
    /// The address asked for.
    pub addr: SocketAddr,
    /// What the system said.
    pub source: io::Error,
}

/// IPv4 addresses in IPv6 clothes (`::ffff:10.0.0.1`), as a dual-stack socket shows them, become
/// plain IPv4: a peer has one address, whatever our socket is bound to. Flow labels are dropped:
/// they come from the wire and name nobody.
pub(crate) fn canonical(address: SocketAddr) -> SocketAddr {
    let SocketAddr::V6(mut v6) = address else {
        return address;
    };
    if let Some(v4) = v6.ip().to_ipv4_mapped() {
        return SocketAddr::new(v4.into(), v6.port());
    }
    v6.set_flowinfo(0);
    SocketAddr::V6(v6)
}
