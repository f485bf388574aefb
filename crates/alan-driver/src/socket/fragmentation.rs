//! Datagrams above the path's MTU must leave as IP fragments.
//!
//! `quinn-udp` serves QUIC, which finds the path's MTU itself, and so it forbids fragmentation on
//! each socket that it sets up. A longer datagram then never leaves, on some platforms without an
//! error. Here that is undone.

use std::io;
use std::net::{SocketAddr, UdpSocket};

use quinn_udp::UdpSocketState;

/// Sets the socket up for batches, with fragmentation permitted.
#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
pub(super) fn state_that_may_fragment(
    socket: &UdpSocket,
    local: SocketAddr,
) -> io::Result<UdpSocketState> {
    let state = UdpSocketState::new(socket.into())?;
    permit(socket, local)?;
    Ok(state)
}

/// Sets a spare socket up and leaves this one as it is: there is no safe way to undo the setting
/// on these platforms, while what else the state knows holds for any socket of the family.
#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
pub(super) fn state_that_may_fragment(
    _socket: &UdpSocket,
    local: SocketAddr,
) -> io::Result<UdpSocketState> {
    let spare = UdpSocket::bind(SocketAddr::new(local.ip(), 0))?;
    UdpSocketState::new((&spare).into())
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn permit(socket: &UdpSocket, local: SocketAddr) -> io::Result<()> {
    use nix::sys::socket::{setsockopt, sockopt};
    use rustix::net::sockopt as options;

    // For IPv6 sockets as well: it rules what they send to IPv4-mapped addresses.
    options::set_ip_mtu_discover(socket, options::Ipv4PathMtuDiscovery::DONT)?;
    if local.is_ipv6() {
        options::set_ipv6_mtu_discover(socket, options::Ipv6PathMtuDiscovery::DONT)?;
        setsockopt(socket, sockopt::Ipv6DontFrag, &false)?;
    }
    Ok(())
}

#[cfg(target_vendor = "apple")]
fn permit(socket: &UdpSocket, local: SocketAddr) -> io::Result<()> {
    use nix::sys::socket::{setsockopt, sockopt};

    if local.is_ipv4() {
        setsockopt(socket, sockopt::IpDontFrag, &false)?;
    } else {
        setsockopt(socket, sockopt::Ipv6DontFrag, &false)?;
    }
    Ok(())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use nix::sys::socket::{getsockopt, sockopt};
    use rustix::net::sockopt as options;

    use super::super::Socket;

    fn bind(address: &str) -> Socket {
        Socket::bind(address.parse().expect("an address")).expect("loopback can be bound")
    }

    #[test]
    fn an_ipv4_socket_may_fragment() {
        let socket = bind("127.0.0.1:0");
        let mode = options::ip_mtu_discover(&socket).expect("the option can be read");
        assert_eq!(mode, options::Ipv4PathMtuDiscovery::DONT);
    }

    #[test]
    fn an_ipv6_socket_may_fragment_in_both_families() {
        for address in ["[::1]:0", "[::]:0"] {
            let socket = bind(address);
            let v4 = options::ip_mtu_discover(&socket).expect("the option can be read");
            assert_eq!(v4, options::Ipv4PathMtuDiscovery::DONT, "{address}");
            let v6 = options::ipv6_mtu_discover(&socket).expect("the option can be read");
            assert_eq!(v6, options::Ipv6PathMtuDiscovery::DONT, "{address}");
            let dont = getsockopt(&socket, sockopt::Ipv6DontFrag).expect("it can be read");
            assert!(!dont, "{address}");
        }
    }
}
