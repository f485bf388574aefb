//! A generator without jitter.

use std::convert::Infallible;

use rand_chacha::ChaCha8Rng;
use rand_core::{SeedableRng, TryCryptoRng, TryRng};

/// Draws of 32 bits, which a node makes for the jitter of its heartbeats and JOINs only, give the
/// middle of the range, so that these come on time, as the recorded nodes' do. Ids, nonces and all
/// other draws are random.
pub(crate) struct Steady(ChaCha8Rng);

/// A node varies its pauses by 201 steps, from 90 % to 110 %.
const NO_JITTER: u32 = 100;

impl Steady {
    pub(crate) fn new() -> Self {
        Self(ChaCha8Rng::seed_from_u64(15_000))
    }
}

impl TryRng for Steady {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(NO_JITTER)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.0.try_next_u64()
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.try_fill_bytes(bytes)
    }
}

impl TryCryptoRng for Steady {}
