//! One node that is fed anything: datagrams raw and well-formed, commands, answers of discovery,
//! and times, forwards and backwards, fetched at once or not for long. Twice, with the same result.

mod step;
mod lives;
mod bench;

use bench::Bench;
use step::{Step, Words};

pub(crate) use step::{write_datagram, write_extended, write_introduction};

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life_becomes_a_member_and_its_messages_count_sealed_or_not() {
        for kind in [0, 1] {
            let mut bench = Bench::new(kind, 7);
            let mut bytes = Vec::new();
            write_introduction(&mut bytes, 1, 2);
            write_extended(&mut bytes, 1, 2, 0, 0);
            let mut input = Input::new(&bytes);
            while !input.is_over() {
                bench.take(&Step::read(&mut input));
            }
            assert!(bench.is_known_by_session(), "of kind {kind}");
            assert_eq!(bench.rejected(), 0, "of kind {kind}");
        }
    }
}
