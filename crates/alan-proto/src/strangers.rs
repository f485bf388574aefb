//! What strangers may cost: a budget of work per source and second, in a table of fixed size.
//!
//! A source is an IPv4 address or the /64 of an IPv6 address. Sources share buckets by a keyed
//! hash, so a flood from a million invented sources costs no more than the table allows in all,
//! and nobody can aim at the bucket of somebody else. Members are not in here: what opens under a
//! member's session costs nobody's budget.

use alloc::boxed::Box;
use alloc::vec;
use core::hash::{Hash, Hasher};
use core::net::IpAddr;

use siphasher::sip::SipHasher13;

use crate::mutant::{Mutant, planted};
use crate::storage::HashKey;
use crate::time::Instant;

/// How many buckets there are: 16 bytes each, allocated when the first stranger comes.
const BUCKETS: usize = 1_024;

const MICROS_PER_SECOND: u64 = 1_000_000;

/// A token bucket, counted in micro-units of work so that refilling it rounds nothing away.
#[derive(Clone, Copy, Hash, Debug)]
struct Bucket {
    spent: u64,
    at: Instant,
}

/// The budgets of all strangers.
#[derive(Clone, Debug)]
pub(crate) struct Strangers {
    buckets: Option<Box<[Bucket]>>,
    hash_key: HashKey,
    /// Units of work per source and second; also how many a source may have saved up.
    per_second: u32,
}

impl Strangers {
    pub(crate) const fn new(per_second: u32, hash_key: HashKey) -> Self {
        Self { buckets: None, hash_key, per_second }
    }

    /// Takes one unit out of the source's budget, if there is one left.
    pub(crate) fn take(&mut self, now: Instant, source: IpAddr) -> bool {
        let full = u64::from(self.per_second) * MICROS_PER_SECOND;
        let bucket = self.bucket(now, source);
        let left = bucket.spent + MICROS_PER_SECOND <= full || planted(Mutant::NoBudget);
        if left {
            bucket.spent += MICROS_PER_SECOND;
        }
        left
    }

    /// Whether the source has budget left.
    pub(crate) fn has_budget(&mut self, now: Instant, source: IpAddr) -> bool {
        let full = u64::from(self.per_second) * MICROS_PER_SECOND;
        self.bucket(now, source).spent + MICROS_PER_SECOND <= full
    }

    /// Gives a taken unit back: it was a member that spoke.
    pub(crate) fn give_back(&mut self, now: Instant, source: IpAddr) {
        let bucket = self.bucket(now, source);
        bucket.spent = bucket.spent.saturating_sub(MICROS_PER_SECOND);
    }

    /// Takes `units` more for work that turned out to be needed, beyond what is left if need be.
    pub(crate) fn charge(&mut self, now: Instant, source: IpAddr, units: u8) {
        let full = u64::from(self.per_second) * MICROS_PER_SECOND;
        let bucket = self.bucket(now, source);
        bucket.spent = (bucket.spent + u64::from(units) * MICROS_PER_SECOND).min(2 * full);
    }

    fn bucket(&mut self, now: Instant, source: IpAddr) -> &mut Bucket {
        let per_second = u64::from(self.per_second);
        let place = self.place(source);
        let fresh = || vec![Bucket { spent: 0, at: now }; BUCKETS].into_boxed_slice();
        let bucket = &mut self.buckets.get_or_insert_with(fresh)[place];
        let elapsed = now.as_micros().saturating_sub(bucket.at.as_micros());
        bucket.spent = bucket.spent.saturating_sub(elapsed.saturating_mul(per_second));
        bucket.at = bucket.at.max(now);
        bucket
    }

    #[allow(clippy::cast_possible_truncation, reason = "any bits of the hash will do")]
    fn place(&self, source: IpAddr) -> usize {
        let mut hasher = SipHasher13::new_with_keys(self.hash_key.0, self.hash_key.1);
        match source {
            IpAddr::V4(ip) => hasher.write(&ip.octets()),
            IpAddr::V6(ip) => hasher.write(&ip.octets()[..8]),
        }
        hasher.finish() as usize % BUCKETS
    }
}

impl Hash for Strangers {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.buckets.hash(state);
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;

    fn source(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    #[test]
    fn a_source_has_its_budget_each_second_and_no_more() {
        let mut strangers = Strangers::new(100, HashKey(1, 2));
        let start = Instant::from_millis(5);
        let taken = |strangers: &mut Strangers, now, times: usize| {
            (0..times).filter(|_| strangers.take(now, source(1))).count()
        };
        assert_eq!(taken(&mut strangers, start, 1_000), 100);
        assert_eq!(taken(&mut strangers, start + Duration::from_millis(100), 1_000), 10);
        assert_eq!(taken(&mut strangers, start + Duration::from_secs(60), 1_000), 100);
    }

    #[test]
    fn one_source_does_not_spend_for_another() {
        let mut strangers = Strangers::new(10, HashKey(1, 2));
        while strangers.take(Instant::EPOCH, source(1)) {}
        assert!(strangers.take(Instant::EPOCH, source(2)));
    }

    #[test]
    fn the_addresses_of_one_ipv6_network_are_one_source() {
        let mut strangers = Strangers::new(10, HashKey(1, 2));
        let host = |last: u16| IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, last]);
        let taken = (0..100).filter(|&last| strangers.take(Instant::EPOCH, host(last))).count();
        assert_eq!(taken, 10);
    }

    #[test]
    fn invented_sources_get_no_more_than_the_table_in_all() {
        let mut strangers = Strangers::new(10, HashKey(1, 2));
        let taken = (0..100_000u32)
            .filter(|&number| {
                let ip = IpAddr::from((0x0b00_0000 + number).to_be_bytes());
                strangers.take(Instant::EPOCH, ip)
            })
            .count();
        assert!(taken <= 10 * BUCKETS, "{taken}");
    }

    #[test]
    fn charges_are_paid_back_in_time() {
        let mut strangers = Strangers::new(10, HashKey(1, 2));
        strangers.charge(Instant::EPOCH, source(1), 15);
        assert!(!strangers.take(Instant::EPOCH, source(1)));
        assert!(!strangers.has_budget(Instant::from_millis(500), source(1)));
        assert!(strangers.take(Instant::from_millis(601), source(1)));
    }
}
