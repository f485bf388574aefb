//! The allow-list: where our node deliberately does otherwise than the recorded Go node.

use super::difference::Reason;

/// Node 127.0.0.`at` tells its program something.
macro_rules! tells {
    ($at:literal: $words:literal) => {
        concat!("127.0.0.", $at, " tells: ", $words)
    };
}

/// Node 127.0.0.`from` sends 127.0.0.`to` a lock message, about `my-job` unless it says otherwise.
macro_rules! lock {
    ($kind:ident $from:literal > $to:literal) => {
        lock!($kind $from > $to, "my-job")
    };
    ($kind:ident $from:literal > $to:literal, $key:literal) => {
        concat!(
            "127.0.0.", $from, " sends LOCK_", stringify!($kind), " \"", $key, "\" to 127.0.0.", $to
        )
    };
}

mod cluster;
mod locks;

/// In the order of the document.
pub(crate) fn reasons() -> impl Iterator<Item = &'static Reason> {
    cluster::REASONS.iter().chain(locks::REASONS)
}
