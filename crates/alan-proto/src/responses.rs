//! The answers that were given, kept for requests that come again because the answer was lost.
//!
//! The node executes a request once and says so when it comes again; whoever drives it keeps the
//! payloads of the answers, here. What is evicted is not executed again: its requester is told
//! that there is no answer any more.

use alloc::collections::BTreeMap;
use core::fmt;
use core::net::SocketAddr;

use crate::event::RequestId;

/// How much a [`ResponseCache`] keeps.
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ResponseLimits {
    /// The most answers, and requests that the application dropped, together. About 200 bytes each
    /// beside the payload. Default 16,384; zero keeps none.
    pub answers: usize,
    /// The most bytes of all kept payloads together. A single payload of more is not kept.
    /// Default 16 MiB.
    pub bytes: usize,
}

impl Default for ResponseLimits {
    fn default() -> Self {
        Self { answers: 16_384, bytes: 16 << 20 }
    }
}

/// What to do about a request that comes again.
#[must_use]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Repeat<'a, P> {
    /// The application still works on it: do nothing, the answer goes out when it is there.
    Working,
    /// The application will not answer: do nothing.
    Abandoned,
    /// It was answered with this payload: send it again.
    Answer(&'a P),
    /// It was delivered once, and nothing more is known of it: tell its requester so.
    Gone,
}

/// Ascending by peer first, so that one peer's requests stand together.
type Key = (SocketAddr, RequestId);

#[derive(Clone, Hash)]
enum State<P> {
    Open,
    /// `order` is the place in the order of eviction; no payload if the application dropped it.
    Closed {
        order: u64,
        payload: Option<P>,
    },
}

/// The answers to the requests of peers, bounded; the oldest goes first.
///
/// Call [`opened`](Self::opened) for each request that is delivered to the application, then
/// [`answered`](Self::answered), [`abandoned`](Self::abandoned) or [`refused`](Self::refused), once.
/// A request that is open is not evicted: how many there are is up to whoever takes requests in.
///
/// Its hash is that of its contents, and nothing in it depends on where it is in memory, so that
/// simulated runs can be compared.
#[derive(Clone, Hash)]
pub struct ResponseCache<P> {
    requests: BTreeMap<Key, State<P>>,
    /// All closed ones, the oldest first.
    closed: BTreeMap<u64, Key>,
    next_order: u64,
    bytes: usize,
    limits: ResponseLimits,
    evicted: u64,
}

impl<P: AsRef<[u8]>> ResponseCache<P> {
    /// An empty cache.
    #[must_use]
    pub const fn new(limits: ResponseLimits) -> Self {
        Self {
            requests: BTreeMap::new(),
            closed: BTreeMap::new(),
            next_order: 0,
            bytes: 0,
            limits,
            evicted: 0,
        }
    }

    /// A request of `peer` is delivered to the application.
    pub fn opened(&mut self, peer: SocketAddr, request: RequestId) {
        if let Some(former) = self.requests.insert((peer, request), State::Open) {
            self.uncount(&former);
        }
    }

    /// The application has answered. Gives whether the answer is kept for repetitions: not if the
    /// request is not open, as when its peer has left meanwhile, nor beyond the limits.
    pub fn answered(&mut self, peer: SocketAddr, request: RequestId, payload: P) -> bool {
        self.close((peer, request), Some(payload))
    }

    /// The application has dropped the request: it stays unanswered when it comes again.
    pub fn abandoned(&mut self, peer: SocketAddr, request: RequestId) {
        self.close((peer, request), None);
    }

    /// The application has never got the request, for want of room: when it comes again, its
    /// requester is told that there is no answer.
    pub fn refused(&mut self, peer: SocketAddr, request: RequestId) {
        self.forget((peer, request));
    }

    /// A request that was delivered before has come again.
    pub fn repeated(&self, peer: SocketAddr, request: RequestId) -> Repeat<'_, P> {
        match self.requests.get(&(peer, request)) {
            None => Repeat::Gone,
            Some(State::Open) => Repeat::Working,
            Some(State::Closed { payload: None, .. }) => Repeat::Abandoned,
            Some(State::Closed { payload: Some(payload), .. }) => Repeat::Answer(payload),
        }
    }

    /// The peer is gone and asks no more: forgets all its requests, in O(log n) each.
    pub fn peer_left(&mut self, peer: SocketAddr) {
        let all = (peer, RequestId::ZERO)..=(peer, RequestId([u8::MAX; 16]));
        while let Some((&key, _)) = self.requests.range(all.clone()).next() {
            self.forget(key);
        }
    }

    /// How many requests the application is working on.
    #[must_use]
    pub fn open(&self) -> usize {
        self.requests.len() - self.closed.len()
    }

    /// How many answers are kept, and requests that the application dropped.
    #[must_use]
    pub fn kept(&self) -> usize {
        self.closed.len()
    }

    /// How many bytes the kept answers have, without what is needed to keep them.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many requests were forgotten, or not kept at all, because of the limits.
    #[must_use]
    pub const fn evicted(&self) -> u64 {
        self.evicted
    }

    fn close(&mut self, key: Key, payload: Option<P>) -> bool {
        let Some(state @ State::Open) = self.requests.get_mut(&key) else {
            return false;
        };
        let len = payload.as_ref().map_or(0, |payload| payload.as_ref().len());
        if self.limits.answers == 0 || len > self.limits.bytes {
            self.evicted += 1;
            self.requests.remove(&key);
            return false;
        }
        let order = self.next_order;
        self.next_order += 1;
        *state = State::Closed { order, payload };
        self.closed.insert(order, key);
        self.bytes = self.bytes.saturating_add(len);
        self.evict();
        true
    }

    /// The newest answer alone is within the limits, so it stays.
    fn evict(&mut self) {
        while self.closed.len() > self.limits.answers || self.bytes > self.limits.bytes {
            let Some((_, &oldest)) = self.closed.first_key_value() else { return };
            self.evicted += 1;
            self.forget(oldest);
        }
    }

    fn forget(&mut self, key: Key) {
        if let Some(state) = self.requests.remove(&key) {
            self.uncount(&state);
        }
    }

    fn uncount(&mut self, state: &State<P>) {
        if let State::Closed { order, payload } = state {
            self.closed.remove(order);
            self.bytes -= payload.as_ref().map_or(0, |payload| payload.as_ref().len());
        }
    }
}

impl<P: AsRef<[u8]>> Default for ResponseCache<P> {
    fn default() -> Self {
        Self::new(ResponseLimits::default())
    }
}

impl<P> fmt::Debug for ResponseCache<P> {
    /// Without what was answered.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseCache")
            .field("open", &(self.requests.len() - self.closed.len()))
            .field("kept", &self.closed.len())
            .field("bytes", &self.bytes)
            .field("limits", &self.limits)
            .field("evicted", &self.evicted)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    type Cache = ResponseCache<Vec<u8>>;

    fn peer(last: u8) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, last], 7_000))
    }

    const fn id(first: u8) -> RequestId {
        let mut id = [0; 16];
        id[0] = first;
        RequestId(id)
    }

    const fn cache(answers: usize, bytes: usize) -> Cache {
        Cache::new(ResponseLimits { answers, bytes })
    }

    #[test]
    fn a_request_is_worked_on_then_answered_for_as_long_as_it_is_kept() {
        let mut cache = cache(1, 100);
        assert_eq!(cache.repeated(peer(1), id(1)), Repeat::Gone);
        cache.opened(peer(1), id(1));
        assert_eq!(cache.repeated(peer(1), id(1)), Repeat::Working);
        assert!(cache.answered(peer(1), id(1), vec![7]));
        assert!(!cache.answered(peer(1), id(1), vec![8]), "the first answer is the answer");
        assert_eq!(cache.repeated(peer(1), id(1)), Repeat::Answer(&vec![7]));
        assert_eq!(cache.repeated(peer(2), id(1)), Repeat::Gone);
        cache.opened(peer(2), id(1));
        cache.abandoned(peer(2), id(1));
        assert_eq!(cache.repeated(peer(2), id(1)), Repeat::Abandoned);
        assert_eq!(cache.repeated(peer(1), id(1)), Repeat::Gone);
        assert_eq!(cache.evicted(), 1);
    }

    #[test]
    fn an_answer_that_is_larger_than_the_cache_evicts_no_other() {
        let mut cache = cache(10, 4);
        for (request, len) in [(1, 4), (2, 5)] {
            cache.opened(peer(1), id(request));
            assert_eq!(cache.answered(peer(1), id(request), vec![0; len]), len == 4);
        }
        assert_eq!(cache.repeated(peer(1), id(1)), Repeat::Answer(&vec![0; 4]));
        assert_eq!(cache.repeated(peer(1), id(2)), Repeat::Gone);
        assert_eq!((cache.kept(), cache.open(), cache.evicted()), (1, 0, 1));
    }

    #[test]
    fn an_answer_to_a_peer_that_has_left_is_not_kept() {
        let mut cache = cache(10, 10);
        for who in [1, 2] {
            cache.opened(peer(who), id(0));
            cache.opened(peer(who), id(255));
            cache.answered(peer(who), id(255), vec![0; 3]);
        }
        cache.peer_left(peer(1));
        assert!(!cache.answered(peer(1), id(0), vec![1]));
        assert_eq!(cache.repeated(peer(1), id(255)), Repeat::Gone);
        assert_eq!(cache.repeated(peer(2), id(0)), Repeat::Working);
        assert_eq!((cache.open(), cache.kept(), cache.bytes(), cache.evicted()), (1, 1, 3, 0));
    }

    #[test]
    fn a_request_that_found_no_room_has_no_answer() {
        let mut cache = cache(10, 10);
        cache.opened(peer(1), id(1));
        cache.refused(peer(1), id(1));
        assert_eq!(cache.repeated(peer(1), id(1)), Repeat::Gone);
        assert_eq!((cache.open(), cache.kept(), cache.evicted()), (0, 0, 0));
    }

    #[test]
    fn what_was_answered_is_not_shown() {
        let mut cache = cache(10, 10);
        cache.opened(peer(1), id(1));
        cache.answered(peer(1), id(1), vec![123]);
        assert!(!alloc::format!("{cache:?}").contains("123"));
    }

    #[derive(Clone, Debug)]
    enum Input {
        Opened(u8, u8),
        Answered(u8, u8, usize),
        Abandoned(u8, u8),
        Left(u8),
    }

    fn input() -> impl Strategy<Value = Input> {
        let (who, which) = (0u8..3, 0u8..4);
        prop_oneof![
            6 => (who.clone(), which.clone()).prop_map(|(who, which)| Input::Opened(who, which)),
            6 => (who.clone(), which.clone(), 0usize..6)
                .prop_map(|(who, which, len)| Input::Answered(who, which, len)),
            2 => (who.clone(), which).prop_map(|(who, which)| Input::Abandoned(who, which)),
            1 => who.prop_map(Input::Left),
        ]
    }

    /// What is known of each request, the one that was closed last at the end.
    #[derive(Default)]
    struct Model {
        open: Vec<Key>,
        closed: Vec<(Key, Option<Vec<u8>>)>,
        evicted: u64,
    }

    impl Model {
        fn bytes(&self) -> usize {
            self.closed.iter().filter_map(|(_, payload)| Some(payload.as_ref()?.len())).sum()
        }

        fn close(&mut self, key: Key, payload: Option<Vec<u8>>, limits: ResponseLimits) {
            let Some(place) = self.open.iter().position(|open| *open == key) else { return };
            self.open.remove(place);
            if payload.as_ref().is_some_and(|payload| payload.len() > limits.bytes) {
                self.evicted += 1;
                return;
            }
            self.closed.push((key, payload));
            while self.closed.len() > limits.answers || self.bytes() > limits.bytes {
                self.closed.remove(0);
                self.evicted += 1;
            }
        }
    }

    proptest! {
        #[test]
        fn the_cache_keeps_what_a_list_would(
            inputs in prop::collection::vec(input(), 0..150),
            answers in 1usize..6,
            bytes in 0usize..12,
        ) {
            let limits = ResponseLimits { answers, bytes };
            let mut cache = Cache::new(limits);
            let mut model = Model::default();
            for input in inputs {
                match input {
                    Input::Opened(who, which) => {
                        let key = (peer(who), id(which));
                        cache.opened(key.0, key.1);
                        model.closed.retain(|(closed, _)| *closed != key);
                        model.open.retain(|open| *open != key);
                        model.open.push(key);
                    }
                    Input::Answered(who, which, len) => {
                        let key = (peer(who), id(which));
                        model.close(key, Some(vec![which; len]), limits);
                        let kept = cache.answered(key.0, key.1, vec![which; len]);
                        prop_assert!(!kept || model.closed.last().is_some_and(|last| last.0 == key));
                    }
                    Input::Abandoned(who, which) => {
                        model.close((peer(who), id(which)), None, limits);
                        cache.abandoned(peer(who), id(which));
                    }
                    Input::Left(who) => {
                        model.open.retain(|open| open.0 != peer(who));
                        model.closed.retain(|closed| closed.0.0 != peer(who));
                        cache.peer_left(peer(who));
                    }
                }
                for key in (0..3).flat_map(|who| (0..4).map(move |which| (peer(who), id(which)))) {
                    let closed = model.closed.iter().find(|(closed, _)| *closed == key);
                    let expected = match closed {
                        Some((_, Some(payload))) => Repeat::Answer(payload),
                        Some((_, None)) => Repeat::Abandoned,
                        None if model.open.contains(&key) => Repeat::Working,
                        None => Repeat::Gone,
                    };
                    prop_assert_eq!(cache.repeated(key.0, key.1), expected);
                }
                prop_assert_eq!(cache.open(), model.open.len());
                prop_assert_eq!(cache.kept(), model.closed.len());
                prop_assert_eq!(cache.bytes(), model.bytes());
                prop_assert_eq!(cache.evicted(), model.evicted);
            }
        }
    }
}
