//! Two nodes that share a key, on a network that belongs to an attacker who has not got it: loses,
//! doubles, reorders, alters, replays, reflects and invents datagrams, under any source address.
//!
//! Besides what [`crate::watch`] says:
//!
//! - **Secrecy**: what was altered or invented is rejected and changes nothing.
//! - **Authenticity**: what is delivered was sent, and a response is the reply to that request.
//! - **Once**: what goes from a member to a member is delivered at most once to each of its lives.
//! - **Nonces** never repeat.
//! - **Exclusion**: two nodes that have been members of each other since before they asked don't
//!   hold the same key.
//! - **Recovery**: once the attacker has gone, every call ends, the two find each other, and when
//!   all is released no table remembers anything.

mod network;
mod side;
mod world;

use std::time::Duration;

use crate::input::{Input, KEYS, PAUSES};
use world::World;

/// How many steps an input may have; more only take longer.
const MOST_STEPS: usize = 300;

pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let mut world = World::new(input.byte());
    for _ in 0..MOST_STEPS {
        if input.is_over() {
            break;
        }
        step(&mut world, &mut input);
        world.check_exclusion();
    }
    world.recover();
}

fn step(world: &mut World, input: &mut Input<'_>) {
    match input.byte() {
        0..=89 => world.deliver(input.below(4)),
        90..=97 => world.lose(input.below(4)),
        98..=105 => world.double(input.below(4)),
        106..=113 => {
            let (number, place, bits) = (input.below(4), input.any(), input.byte());
            world.alter(number, place, bits);
        }
        114..=125 => {
            let (number, to) = (usize::from(input.byte()), input.below(2));
            let from = input.pick(&[0, 1, 0, 1, 2, 5, 6]);
            world.replay(number, from, to);
        }
        126..=129 => world.invent(input.below(8), input.below(2), input.bytes()),
        130..=144 => world.pass(input.pick(&PAUSES[..11])),
        145..=149 => world.wake(),
        150..=152 => world.stall(input.pick(&PAUSES[..9])),
        153..=155 => world.restart(input.below(2)),
        156..=159 => world.discover(input.below(2)),
        160..=169 => world.send(input.below(2)),
        170..=173 => world.broadcast(input.below(2)),
        174..=189 => world.request(input.below(2), input.any(), within(input)),
        190..=199 => world.reply(input.below(2)),
        200..=202 => world.cancel(input.below(2)),
        203..=229 => {
            let (node, key, tries) = (input.below(2), KEYS[input.below(2)], input.any());
            world.lock(node, key, tries, within(input));
        }
        230..=247 => world.release(input.below(2), input.below(4)),
        248..=255 => world.unlock(input.below(2), KEYS[input.below(2)]),
    }
}

/// Every call has an end, or recovery would have none.
fn within(input: &mut Input<'_>) -> Duration {
    PAUSES[2 + input.below(8)]
}
