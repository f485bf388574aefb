//! A generator without jitter.

use std::convert::Infallible;

use rand_chacha::ChaCha8Rng;
use rand_core::{SeedableRng, TryCryptoRng, TryRng};

/// Draws of 32 and 64 bits, of which a node makes its pauses, are always the same: heartbeats and
/// JOINs come on time, as the recorded nodes' do, and the pauses of the lock algorithm do not
/// depend on what else was drawn before. Ids and nonces are random.
pub(crate) struct Steady(ChaCha8Rng);

/// A node varies its pauses by 201 steps, from 90 % to 110 %.
const NO_JITTER: u32 = 100;

/// The lock algorithm waits for so many microseconds more than the shortest time.
const PAUSE: u64 = 158_000;

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
        Ok(PAUSE)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.try_fill_bytes(bytes)
    }
}

impl TryCryptoRng for Steady {}
