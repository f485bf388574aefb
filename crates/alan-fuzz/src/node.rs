//! One node that is fed anything: datagrams raw and well-formed, commands, answers of discovery,
//! and times, forwards and backwards, fetched at once or not for long. Twice, with the same result.

mod step;
mod lives;
mod bench;

use bench::Bench;
use step::{Step, Words};

pub(crate) use step::write_datagram;

use crate::input::Input;

/// How many steps an input may have; more only take longer.
const MOST_STEPS: usize = 400;

pub fn run(bytes: &[u8]) {
    let first = play(bytes);
    let second = play(bytes);
    assert_eq!(first, second, "the same inputs lead to the same outputs and the same state");
}

/// Gives what came out and what the node is at the end, in one number each.
fn play(bytes: &[u8]) -> (u64, u64) {
    let mut input = Input::new(bytes);
    let mut bench = Bench::new(input.byte(), input.byte());
    for _ in 0..MOST_STEPS {
        if input.is_over() {
            break;
        }
        bench.take(&Step::read(&mut input));
    }
    bench.finish()
}
