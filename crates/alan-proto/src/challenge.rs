//! Challenges without a table: a tag over the moment and the address it was sent to, which proves,
//! when it comes back, that whoever speaks from that address got it there not long ago.
//!
//! The same idea as QUIC's address validation (RFC 9000, section 8.1). Since nothing is kept for
//! a stranger, a flood of strangers can neither fill a table nor push anybody out of one.

use core::hash::Hasher;
use core::net::{IpAddr, SocketAddr};

use rand_core::Rng;
use siphasher::sip::SipHasher24;

use crate::mutant::{Mutant, planted};
use crate::time::Instant;
use crate::wire::Challenge;

/// Makes this node's challenges and knows them again.
#[derive(Clone)]
pub(crate) struct Challenges {
    key: [u64; 2],
}

impl Challenges {
    pub(crate) fn new(rng: &mut impl Rng) -> Self {
        Self { key: [rng.next_u64(), rng.next_u64()] }
    }

    /// The tag that goes with a message stamped `stamp` to `to`.
    pub(crate) fn make(&self, stamp: Instant, to: SocketAddr) -> Challenge {
        let mut hasher = SipHasher24::new_with_keys(self.key[0], self.key[1]);
        hasher.write_u64(stamp.as_micros());
        if planted(Mutant::ChallengeAnywhere) {
            return Challenge(hasher.finish());
        }
        match to.ip() {
            IpAddr::V4(ip) => hasher.write(&ip.octets()),
            IpAddr::V6(ip) => hasher.write(&ip.octets()),
        }
        hasher.write_u16(to.port());
        Challenge(hasher.finish())
    }

    /// Whether `answer` is the tag that we sent to `from` at `stamp`.
    pub(crate) fn knows(&self, answer: Challenge, stamp: Instant, from: SocketAddr) -> bool {
        self.make(stamp, from) == answer || planted(Mutant::AnyAnswer)
    }
}

impl core::fmt::Debug for Challenges {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Challenges(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_core::SeedableRng;

    use super::*;

    #[test]
    fn a_tag_is_good_for_its_moment_and_its_address_only() {
        let challenges = Challenges::new(&mut ChaCha8Rng::seed_from_u64(1));
        let others = Challenges::new(&mut ChaCha8Rng::seed_from_u64(2));
        let here: SocketAddr = "10.0.0.1:5000".parse().expect("an address");
        let port: SocketAddr = "10.0.0.1:5001".parse().expect("an address");
        let host: SocketAddr = "10.0.0.2:5000".parse().expect("an address");
        let stamp = Instant::from_millis(3);
        let tag = challenges.make(stamp, here);
        assert!(challenges.knows(tag, stamp, here));
        assert!(!challenges.knows(tag, stamp, port));
        assert!(!challenges.knows(tag, stamp, host));
        assert!(!challenges.knows(tag, Instant::from_millis(4), here));
        assert!(!others.knows(tag, stamp, here));
    }
}
