//! The cipher in use against the fastest at hand: sealing and opening one datagram.

use std::hint::black_box;

use crate::bare::{Ring, XChaCha};
use crate::statistics::Sample;
use crate::{Failure, measure};

const OPERATIONS: u32 = 5_000;

/// Room for either cipher's nonce and tag.
const OVERHEAD: usize = XChaCha::OVERHEAD;

pub(super) fn run<const PAYLOAD: usize>(repetitions: u32) -> Result<Vec<Sample>, Failure> {
    let (mut ours, mut ring) = (XChaCha::new(), Ring::new());
    let (mut our_buffer, mut ring_buffer) = ([0; 2_048], [0; 2_048]);
    let our_datagram = &mut our_buffer[..PAYLOAD + OVERHEAD];
    let ring_datagram = &mut ring_buffer[..PAYLOAD + OVERHEAD - XChaCha::PREFIX];
    measure::interleave(
        repetitions,
        OPERATIONS,
        |operations| {
            for _ in 0..operations {
                ours.seal(black_box(&mut *our_datagram))?;
                black_box(ours.open(black_box(&mut *our_datagram))?);
            }
            Ok(())
        },
        |operations| {
            for _ in 0..operations {
                ring.seal(black_box(&mut *ring_datagram))?;
                black_box(ring.open(black_box(&mut *ring_datagram))?);
            }
            Ok(())
        },
    )
}
