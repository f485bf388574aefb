//! Two nodes meet, talk and pass a lock, in a program without std.
//!
//! That it links is the proof: where any crate brings std along, its panic handler collides with
//! the one of [`runtime`]. That it runs shows that `core`, `alloc` and a heap are enough.
#![no_std]
#![no_main]

extern crate alloc;

mod runtime;
mod wire;

use alan_proto::envelope::{AnyEnvelope, Key};
use core::ffi::{c_char, c_int};

use crate::runtime::Stdout;
use crate::wire::Wire;

/// The C library's entry point, since std's `main` is out of reach. Exits with 0; a failed check
/// panics, which aborts.
#[unsafe(no_mangle)]
extern "C" fn main(_argument_count: c_int, _arguments: *const *const c_char) -> c_int {
    let key = Key::from_bytes(&[0x5a; Key::LEN]).expect("a key of its length");
    let plain = run(None);
    let sealed = run(Some(&key));
    Stdout::print(format_args!(
        "two nodes met, talked and passed a lock without std: \
         {plain} datagrams plain, {sealed} sealed\n"
    ));
    0
}

/// Lets two nodes meet and do what nodes do; gives the number of datagrams that it took.
fn run(key: Option<&Key>) -> usize {
    let mut wire = Wire::new(|| AnyEnvelope::new(key));
    wire.meet();
    wire.pass_a_message(b"no std here");
    wire.pass_a_lock("proof");
    wire.say_goodbye();
    wire.datagrams()
}
