//! Blocking iteration over streams.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;

use futures_core::Stream;

use crate::wait::Wait;

/// Turns the streams of a node ([`Incoming`](crate::Incoming), [`Events`](crate::Events),
/// [`ReplyStream`](crate::operation::ReplyStream)) into blocking iterators.
///
/// One item, with or without a time limit, is `incoming.recv().wait()` or
/// `incoming.recv().wait_timeout(…)`.
pub trait Iterate: Stream + Unpin {
    /// Iterates over what comes; each step blocks until there is something. It ends when the
    /// stream does: those of a node end when it has left the cluster. What comes after the
    /// iterator was dropped is there for the next one.
    fn iter(&mut self) -> Iter<'_, Self> {
        Iter(self)
    }
}

impl<S: Stream + Unpin + ?Sized> Iterate for S {}

/// A blocking iterator; made by [`Iterate::iter`].
#[must_use = "iterators are lazy"]
pub struct Iter<'s, S: ?Sized>(&'s mut S);

impl<S: Stream + Unpin + ?Sized> Iterator for Iter<'_, S> {
    type Item = S::Item;

    fn next(&mut self) -> Option<S::Item> {
        poll_fn(|context| Pin::new(&mut *self.0).poll_next(context)).wait()
    }
}

impl<S: fmt::Debug + ?Sized> fmt::Debug for Iter<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Iter").field(&self.0).finish()
    }
}
