//! What the cross-crate tests share: loopback addresses that no other test uses, and hosts in
//! network namespaces.
#![forbid(unsafe_code)]

#[cfg(target_os = "linux")]
pub mod namespace;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicU32, Ordering};

/// Addresses in 127.0.0.0/8 that no other call of this process and, in all likelihood, no other
/// test process on this machine has: nodes of one cluster share a port and differ in these.
#[must_use]
pub fn loopback_addresses(count: u8) -> Vec<IpAddr> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let block = NEXT.fetch_add(1, Ordering::Relaxed);
    // Two bytes from the process and its tests, so that tests run side by side.
    let [.., third, fourth] = std::process::id().wrapping_add(block * 257).to_be_bytes();
    (1..=count).map(|last| Ipv4Addr::new(127, third.max(1), fourth, last).into()).collect()
}

/// The code in the README compiles.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
