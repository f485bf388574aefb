//! What the cross-crate tests share: loopback addresses that no other test uses, and hosts in
//! network namespaces.
#![forbid(unsafe_code)]

#[cfg(target_os = "linux")]
pub mod namespace;
pub mod relay;

use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::sync::Mutex;

/// A process that has bound this port of 127.x.0.1 has all of 127.x for itself.
const CLAIM_PORT: u16 = 4_999;

/// What this process has claimed of 127.0.0.0/8, for as long as it lives.
struct Claims {
    claimed: Vec<(u8, UdpSocket)>,
    /// The third byte of the next block in the newest claim.
    next: u8,
}

static CLAIMS: Mutex<Claims> = Mutex::new(Claims { claimed: Vec::new(), next: 0 });

/// Addresses in 127.0.0.0/8 that no other call of this process, and no other process that calls
/// this, has: nodes of one cluster share a port and differ in these.
#[must_use]
pub fn loopback_addresses(count: u8) -> Vec<IpAddr> {
    let mut claims = CLAIMS.lock().expect("only a claim that fails panics under it");
    if claims.next == 0 {
        let claim = claim();
        claims.claimed.push(claim);
    }
    let &(second, _) = claims.claimed.last().expect("the first call claims");
    claims.next = claims.next.wrapping_add(1);
    let third = claims.next;
    drop(claims);
    (1..=count).map(|last| Ipv4Addr::new(127, second, third, last).into()).collect()
}

/// Finds a second byte that is free. Those below are left to tests with addresses of their own.
fn claim() -> (u8, UdpSocket) {
    (100..=255)
        .find_map(|second| {
            let address = (Ipv4Addr::new(127, second, 0, 1), CLAIM_PORT);
            Some((second, UdpSocket::bind(address).ok()?))
        })
        .expect("fewer than 156 processes test at the same time")
}

/// The code in the README compiles.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
