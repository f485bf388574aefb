//! Candidates: addresses that discovery names, asked to join until they answer or are named no
//! longer.
//!
//! Beside those that discovery names there are, for a while, those that a peer has named, and
//! members that have fallen silent. A candidate gets a JOIN at once, then again with doubling
//! pauses. It is never counted as a member before it was heard.

use core::net::SocketAddr;
use core::time::Duration;

use rand_core::Rng;

use crate::pause::doubled;
use crate::storage::{Handle, HashKey, Map};
use crate::time::Instant;
use crate::timer::TimerId;

/// The pause after the first JOIN.
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// How many of our own addresses are remembered; beyond that the oldest is forgotten, which costs
/// JOINs to ourselves.
const OWN_LIMIT: usize = 16;

/// A candidate, or a member that discovery names.
#[derive(Clone, Hash, Debug)]
struct Named {
    /// The discovery round that named it last.
    round: u64,
    /// How long to ask an address that discovery does not name, but a peer, or our own memory.
    until: Option<Instant>,
    /// When it got its last JOIN.
    asked: Option<Instant>,
    /// How many JOINs it got since it was last heard.
    attempts: u32,
    /// Armed while it is a candidate.
    timer: Option<TimerId>,
}

/// The named addresses, members among them, and our own.
#[derive(Clone, Debug)]
pub(crate) struct Discovery {
    named: Map<SocketAddr, Named>,
    own: heapless::HistoryBuf<SocketAddr, OWN_LIMIT>,
    round: u64,
    longest_pause: Duration,
    /// How many addresses discovery does not name, and how many of these there may be: whoever
    /// names others to us can't fill the table.
    learnt: u32,
    max_learnt: u32,
}

impl Discovery {
    pub(crate) const fn new(limit: u32, longest_pause: Duration, hash_key: HashKey) -> Self {
        Self {
            named: Map::new(limit, hash_key),
            own: heapless::HistoryBuf::new(),
            round: 0,
            longest_pause,
            learnt: 0,
            max_learnt: limit.div_ceil(2),
        }
    }

    /// Addresses named by discovery, members among them.
    pub(crate) fn len(&self) -> usize {
        self.named.len()
    }

    /// A new answer of discovery follows: [`Self::keep`] for each address, then
    /// [`Self::forget_unnamed`], which makes room, then [`Self::name`] for each address.
    pub(crate) const fn begin_round(&mut self) {
        self.round += 1;
    }

    /// Discovery goes on naming `addr`, if it did before.
    pub(crate) fn keep(&mut self, addr: &SocketAddr) {
        if let Some(named) = self.named.get_mut(addr) {
            named.round = self.round;
            self.learnt -= u32::from(named.until.take().is_some());
        }
    }

    /// Discovery names `addr`. Gives its place if it is new.
    pub(crate) fn name(&mut self, addr: SocketAddr) -> Result<Option<Handle>, Full> {
        if self.named.contains(&addr) {
            return Ok(None);
        }
        self.insert(addr, None).map(Some)
    }

    /// Something other than discovery names `addr`: a candidate until that moment. Gives its place.
    /// Half of the table is kept for discovery.
    pub(crate) fn learn(&mut self, addr: SocketAddr, until: Instant) -> Result<Handle, Full> {
        match self.named.find(&addr) {
            Some(known) => Ok(known),
            None if self.learnt >= self.max_learnt => Err(Full),
            None => {
                let candidate = self.insert(addr, Some(until))?;
                self.learnt += 1;
                Ok(candidate)
            }
        }
    }

    fn insert(&mut self, addr: SocketAddr, until: Option<Instant>) -> Result<Handle, Full> {
        let named = Named { round: self.round, until, asked: None, attempts: 0, timer: None };
        self.named.insert(addr, named).map_err(|_refused| Full)
    }

    /// Whether the candidate is not worth another JOIN: nobody names it any more.
    pub(crate) fn is_over(&self, now: Instant, candidate: Handle) -> bool {
        let until = self.named.at(candidate).and_then(|(_, named)| named.until);
        until.is_some_and(|until| until <= now)
    }

    pub(crate) fn forget(&mut self, candidate: Handle) {
        if let Some((_, named)) = self.named.remove_at(candidate) {
            self.learnt -= u32::from(named.until.is_some());
        }
    }

    /// Forgets each address that this round does not name, and gives its timer to `stop`.
    pub(crate) fn forget_unnamed(&mut self, mut stop: impl FnMut(TimerId)) {
        for slot in 0..self.named.slots() {
            let Some(handle) = self.named.handle_at(slot) else { continue };
            let stale = self
                .named
                .at(handle)
                .is_some_and(|(_, named)| named.until.is_none() && named.round != self.round);
            if stale
                && let Some((_, Named { timer: Some(timer), .. })) = self.named.remove_at(handle)
            {
                stop(timer);
            }
        }
    }

    pub(crate) fn find(&self, addr: &SocketAddr) -> Option<Handle> {
        self.named.find(addr)
    }

    pub(crate) fn addr(&self, handle: Handle) -> Option<SocketAddr> {
        self.named.at(handle).map(|(addr, _)| *addr)
    }

    /// The candidates that have been asked to join and were not heard since.
    pub(crate) fn asked(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        self.named.iter().filter(|(_, _, named)| named.attempts > 0).map(|(_, addr, _)| *addr)
    }

    /// The candidates that got their last JOIN at that moment.
    pub(crate) fn asked_at(&self, stamp: Instant) -> impl Iterator<Item = SocketAddr> + '_ {
        self.named
            .iter()
            .filter(move |(_, _, named)| named.asked == Some(stamp))
            .map(|(_, addr, _)| *addr)
    }

    /// A JOIN to the address is being made.
    pub(crate) fn set_asked(&mut self, now: Instant, addr: &SocketAddr) {
        if let Some(named) = self.named.get_mut(addr) {
            named.asked = Some(now);
        }
    }

    /// Counts one more JOIN to the candidate and gives the pause until the next.
    pub(crate) fn next_pause(&mut self, handle: Handle, rng: &mut impl Rng) -> Option<Duration> {
        let longest = self.longest_pause;
        let named = self.named.at_mut(handle)?;
        let pause = doubled(FIRST_PAUSE, named.attempts, longest);
        named.attempts = named.attempts.saturating_add(1);
        Some(jittered(pause, rng))
    }

    /// The candidate is asked again when this timer fires. Gives the one to be stopped instead, or
    /// this one if there is no such candidate.
    pub(crate) fn set_timer(&mut self, handle: Handle, timer: TimerId) -> Option<TimerId> {
        match self.named.at_mut(handle) {
            Some(named) => named.timer.replace(timer),
            None => Some(timer),
        }
    }

    /// The address was heard (or is our own): no more JOINs. Gives the timer to be stopped.
    pub(crate) fn settle(&mut self, addr: &SocketAddr) -> Option<TimerId> {
        let candidate = self.named.find(addr)?;
        let named = self.named.at_mut(candidate)?;
        named.attempts = 0;
        let timer = named.timer.take();
        if named.until.is_some() {
            self.forget(candidate);
        }
        timer
    }

    pub(crate) fn is_own(&self, addr: &SocketAddr) -> bool {
        self.own.contains(addr)
    }

    /// A datagram of ours came from this address: it is our own.
    pub(crate) fn mark_own(&mut self, addr: SocketAddr) {
        if !self.is_own(&addr) {
            self.own.write(addr);
        }
    }

    /// Somebody else speaks from this address: it is not, or no longer, our own.
    pub(crate) fn unmark_own(&mut self, addr: &SocketAddr) {
        if self.is_own(addr) {
            let mut kept = heapless::HistoryBuf::new();
            kept.extend(self.own.oldest_ordered().filter(|own| *own != addr));
            self.own = kept;
        }
    }
}

impl core::hash::Hash for Discovery {
    fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
        self.named.hash(state);
        self.round.hash(state);
        for own in self.own.oldest_ordered() {
            own.hash(state);
        }
    }
}

/// No room for another address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Full;

/// `duration` give or take 10 %, so that a cluster that started in step does not stay in step.
pub(crate) fn jittered(duration: Duration, rng: &mut impl Rng) -> Duration {
    let permille = 900 + rng.next_u32() % 201;
    duration * permille / 1_000
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_core::SeedableRng;

    use super::*;

    #[test]
    fn jitter_stays_within_a_tenth() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let second = Duration::from_secs(1);
        let drawn: alloc::vec::Vec<_> = (0..10_000).map(|_| jittered(second, &mut rng)).collect();
        assert_eq!(drawn.iter().min(), Some(&Duration::from_millis(900)));
        assert_eq!(drawn.iter().max(), Some(&Duration::from_millis(1_100)));
    }
}
