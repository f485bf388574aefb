//! Out: one datagram, or a burst to one peer; a failure is one lost datagram.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;

use quinn_udp::Transmit;
use thiserror::Error;

use super::{Socket, canonical};

/// The longest datagram that is left to the kernel's segmentation: one that every IPv6 link must
/// carry whole. Segmentation refuses what is longer than the path's MTU, and quinn-udp then never
/// tries it again on that socket, so longer datagrams are sent one by one.
const MAX_SEGMENT: usize = 1_280 - 40 - 8;

/// The most bytes in one segmented send: the longest UDP payload that IPv4 can carry.
const MAX_SEGMENTED_SEND: usize = 65_507;

impl Socket {
    /// Sends one datagram, at once or not at all.
    ///
    /// On failure that one datagram is lost, and the socket is as good as before: count it and go
    /// on. A full buffer is a failure too; nothing waits.
    pub fn send(&self, to: SocketAddr, datagram: &[u8]) -> Result<(), SendFailure> {
        self.transmit(self.reachable_form(to), datagram, None)
    }

    /// Sends a burst of datagrams to one peer: `datagrams` holds them end to end, each `length`
    /// bytes long but for the last, which may be shorter. Where the kernel splits bursts, that is
    /// one system call for dozens of them.
    ///
    /// The burst ends at the first failure for want of room, since the rest would fare no better;
    /// any other failure costs one datagram.
    pub fn send_batch(&self, to: SocketAddr, datagrams: &[u8], length: NonZeroUsize) -> BatchSent {
        let to = self.reachable_form(to);
        let length = length.get();
        let mut outcome = BatchSent::default();
        for burst in datagrams.chunks(length * self.segments_per_send(length)) {
            let segments = burst.len().div_ceil(length);
            let at_once = segments > 1;
            if at_once && self.transmit(to, burst, Some(length)).is_ok() {
                outcome.sent += segments;
                continue;
            }
            for datagram in burst.chunks(length) {
                if outcome.ran_out_of_room() {
                    outcome.lost += 1;
                } else {
                    outcome.count(self.transmit(to, datagram, None));
                }
            }
        }
        outcome
    }

    fn segments_per_send(&self, length: usize) -> usize {
        if length > MAX_SEGMENT {
            return 1;
        }
        self.state.max_gso_segments().min(MAX_SEGMENTED_SEND / length).max(1)
    }

    fn transmit(
        &self,
        destination: SocketAddr,
        contents: &[u8],
        segment_size: Option<usize>,
    ) -> Result<(), SendFailure> {
        let transmit = Transmit { destination, ecn: None, contents, segment_size, src_ip: None };
        self.state
            .try_send((&self.inner).into(), &transmit)
            .map_err(|error| SendFailure::new(&error))
    }

    /// The address in the form that this socket's family wants.
    fn reachable_form(&self, to: SocketAddr) -> SocketAddr {
        match canonical(to) {
            SocketAddr::V4(v4) if self.local.is_ipv6() => {
                SocketAddr::new(Ipv4Addr::to_ipv6_mapped(v4.ip()).into(), v4.port())
            }
            address => address,
        }
    }
}

/// What became of a burst.
#[must_use]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct BatchSent {
    /// Datagrams that left.
    pub sent: usize,
    /// Datagrams that did not.
    pub lost: usize,
    /// Why the latest of those that were tried did not.
    pub failure: Option<SendFailure>,
}

impl BatchSent {
    fn count(&mut self, result: Result<(), SendFailure>) {
        match result {
            Ok(()) => self.sent += 1,
            Err(failure) => {
                self.lost += 1;
                self.failure = Some(failure);
            }
        }
    }

    fn ran_out_of_room(&self) -> bool {
        self.failure.is_some_and(|failure| failure.kind == SendFailureKind::NoRoom)
    }
}

/// Why one datagram did not leave.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Error)]
pub struct SendFailure {
    /// What kind of failure it was.
    pub kind: SendFailureKind,
    /// The system's own error number, if it gave one.
    pub os_error: Option<i32>,
}

impl SendFailure {
    fn new(error: &io::Error) -> Self {
        Self { kind: SendFailureKind::of(error), os_error: error.raw_os_error() }
    }
}

impl fmt::Display for SendFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)?;
        match self.os_error {
            Some(number) => write!(f, " (os error {number})"),
            None => Ok(()),
        }
    }
}

/// The kinds of [`SendFailure`]. None of them says anything about the next datagram.
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Error)]
pub enum SendFailureKind {
    /// The socket's or the system's send buffer is full.
    #[error("the send buffer is full")]
    NoRoom,
    /// There is no route, the network is down, or the socket does not carry that address family.
    #[error("the address cannot be reached")]
    Unreachable,
    /// A firewall or a security policy forbids it.
    #[error("sending to the address is forbidden")]
    Forbidden,
    /// The receiving host said that nobody listens there.
    #[error("nobody listens at the address")]
    Refused,
    /// The datagram is longer than the network takes.
    #[error("the datagram is too long for the network")]
    TooLong,
    /// The address is none that can be sent to from this socket.
    #[error("the address is not a valid destination")]
    InvalidAddress,
    /// Anything else; the number tells.
    #[error("the system could not send")]
    Other,
}

impl SendFailureKind {
    fn of(error: &io::Error) -> Self {
        use io::ErrorKind;
        match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::OutOfMemory => Self::NoRoom,
            ErrorKind::NetworkUnreachable | ErrorKind::HostUnreachable | ErrorKind::NetworkDown => {
                Self::Unreachable
            }
            ErrorKind::PermissionDenied => Self::Forbidden,
            ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset => Self::Refused,
            ErrorKind::InvalidInput | ErrorKind::AddrNotAvailable => Self::InvalidAddress,
            _ if quinn_udp::is_msg_size_err(error) => Self::TooLong,
            _ if error.raw_os_error() == Some(errno::NO_BUFFERS) => Self::NoRoom,
            _ if error.raw_os_error() == Some(errno::FAMILY_NOT_SUPPORTED) => Self::Unreachable,
            _ => Self::Other,
        }
    }
}

/// Error numbers that the standard library has no kind for.
#[cfg(unix)]
mod errno {
    use rustix::io::Errno;

    pub(super) const NO_BUFFERS: i32 = Errno::NOBUFS.raw_os_error();
    pub(super) const FAMILY_NOT_SUPPORTED: i32 = Errno::AFNOSUPPORT.raw_os_error();
}

/// Error numbers that the standard library has no kind for.
#[cfg(not(unix))]
mod errno {
    pub(super) const NO_BUFFERS: i32 = 10_055;
    pub(super) const FAMILY_NOT_SUPPORTED: i32 = 10_047;
}

#[cfg(all(test, unix))]
mod tests {
    use rustix::io::Errno;

    use super::*;

    #[test]
    fn each_error_of_a_send_has_its_kind() {
        let table = [
            (Errno::AGAIN, SendFailureKind::NoRoom),
            (Errno::NOBUFS, SendFailureKind::NoRoom),
            (Errno::NOMEM, SendFailureKind::NoRoom),
            (Errno::NETUNREACH, SendFailureKind::Unreachable),
            (Errno::HOSTUNREACH, SendFailureKind::Unreachable),
            (Errno::NETDOWN, SendFailureKind::Unreachable),
            (Errno::AFNOSUPPORT, SendFailureKind::Unreachable),
            (Errno::PERM, SendFailureKind::Forbidden),
            (Errno::ACCESS, SendFailureKind::Forbidden),
            (Errno::CONNREFUSED, SendFailureKind::Refused),
            (Errno::MSGSIZE, SendFailureKind::TooLong),
            (Errno::INVAL, SendFailureKind::InvalidAddress),
            (Errno::IO, SendFailureKind::Other),
        ];
        for (errno, kind) in table {
            let failure = SendFailure::new(&io::Error::from(errno));
            assert_eq!(failure, SendFailure { kind, os_error: Some(errno.raw_os_error()) });
        }
    }
}
