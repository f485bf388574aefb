//! What we asked and who has not answered yet; and when to ask again.
//!
//! A pending request has one *ask* for each peer that has not answered. Classic peers and strangers
//! get one transmission; an extended member gets the request again until it answers, with growing
//! pauses. So that it can tell a repetition from a request, asks are numbered densely per member,
//! and each transmission says which is the lowest number that is still waited for (`served.rs` is
//! the other side). Where the numbers begin is drawn by each life, far from those of others: in
//! clear text, a late request of a former life looks like one of its successor but for that.
//!
//! A request id is the place of the request in its table (4 bytes) and 12 random bytes: found
//! without a search, unguessable to who did not see it.

use core::net::SocketAddr;
use core::time::Duration;

use rand_core::Rng;

use self::links::{Chain, Link, List};
use self::members::Members;
use crate::event::RequestId;
use crate::mutant::{Mutant, planted};
use crate::round_trip::backoff;
use crate::storage::{Handle, HashKey, Map, Slab};
use crate::time::Instant;
use crate::timer::{TimerId, Timers};

mod links;
mod members;
#[cfg(test)]
mod lossy;
#[cfg(test)]
mod tests;

/// Who is to be asked, and how. A member is classic or extended for as long as it has its handle.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Addressee {
    /// No member: once.
    Stranger(SocketAddr),
    /// A member that speaks the classic protocol only: once.
    Classic(Handle),
    /// A member that tells repetitions apart: until it answers, the second time after `timeout`.
    Extended { member: Handle, timeout: Duration },
}

impl Addressee {
    const fn asked(self) -> Asked {
        match self {
            Self::Stranger(addr) => Asked::Address(addr),
            Self::Classic(member) | Self::Extended { member, .. } => Asked::Member(member),
        }
    }
}

/// There is no room for another request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Full {
    /// So many requests are pending.
    Requests,
    /// So many peers are waited for in all requests together.
    Asks,
}

/// What stands beside the id in a request to an extended member.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Numbering {
    /// Rises by one with each request to the member; for another member, it goes on from where the
    /// highest of those who left has come to.
    pub(crate) number: u64,
    /// How far below `number` the lowest is that is waited for. If that is farther than can be
    /// said, the lowest one will not be executed any more: it ends by [`Asks::gone`].
    pub(crate) behind: u32,
}

/// Somebody who was waited for has answered, or will not answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Progress {
    /// Others are still waited for.
    Waiting(RequestId),
    /// Nobody else is waited for: the request is over.
    Finished(RequestId),
}

/// What has fallen due.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Due {
    /// The deadline has passed; the request is over.
    TimedOut(RequestId),
    /// This member has not answered: send it the request again.
    Retransmit { request: RequestId, member: Handle },
}

/// Whom an ask is for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Asked {
    Address(SocketAddr),
    Member(Handle),
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Key {
    request: Handle,
    asked: Asked,
}

/// One peer that has not answered one request.
#[derive(Clone, Hash, Debug)]
struct Ask {
    /// `None` if it is asked once only.
    number: Option<u64>,
    transmissions: u32,
    pause: Option<TimerId>,
    links: [Link; 2],
}

#[derive(Clone, Hash, Debug)]
struct Pending {
    id: RequestId,
    /// Never empty between two calls.
    asks: List,
    deadline: Option<TimerId>,
}

/// The pending requests. A machine of its own: it has its own timers, due at
/// [`next_timeout`](Self::next_timeout).
#[derive(Clone, Hash, Debug)]
pub(crate) struct Asks {
    pending: Slab<Pending>,
    rows: Map<Key, Ask>,
    members: Members,
    strangers: List,
    /// Of requests.
    deadlines: Timers<Handle>,
    /// Of asks, until their next transmission.
    pauses: Timers<Handle>,
}

impl Asks {
    /// Room for `max_requests`, about 100 bytes each, that wait for at most `max_asks` peers in
    /// all, about 250 bytes each. `draw` is random: the numbers begin there.
    pub(crate) const fn new(
        max_requests: u32,
        max_asks: u32,
        hash_key: HashKey,
        draw: u64,
    ) -> Self {
        Self {
            pending: Slab::new(max_requests),
            rows: Map::new(max_asks, hash_key),
            // Low enough never to run out, and not zero.
            members: Members::new(draw / 2 + 1),
            strangers: List::new(Chain::Peer),
            deadlines: Timers::new(),
            pauses: Timers::new(),
        }
    }

    /// How many requests are pending.
    pub(crate) fn len(&self) -> usize {
        self.pending.len()
    }

    /// For how many answers they wait.
    #[cfg(test)]
    pub(crate) fn asks(&self) -> usize {
        self.rows.len()
    }

    /// Waits for an answer from one peer.
    pub(crate) fn ask_one(
        &mut self,
        now: Instant,
        addressee: Addressee,
        deadline: Option<Instant>,
        rng: &mut impl Rng,
    ) -> Result<RequestId, Full> {
        let request = self.begin(rng)?;
        self.add_all(now, request, core::iter::once(addressee))?;
        Ok(self.arm_deadline(request, deadline))
    }

    /// Waits for an answer from each of these peers, of whom none is named twice. `None` if there
    /// are none: then there is nothing to wait for.
    pub(crate) fn ask_all(
        &mut self,
        now: Instant,
        addressees: impl Iterator<Item = Addressee>,
        deadline: Option<Instant>,
        rng: &mut impl Rng,
    ) -> Result<Option<RequestId>, Full> {
        let mut addressees = addressees.peekable();
        if addressees.peek().is_none() {
            return Ok(None);
        }
        let request = self.begin(rng)?;
        self.add_all(now, request, addressees)?;
        Ok(Some(self.arm_deadline(request, deadline)))
    }

    /// What a transmission of this request to this extended member has to say; `None` if it is not
    /// waited for any longer, or is asked once only.
    pub(crate) fn numbering(&self, id: RequestId, member: Handle) -> Option<Numbering> {
        let ask = self.rows.find(&Key { request: self.find(id)?, asked: Asked::Member(member) })?;
        let number = self.row(ask).number?;
        let lowest = self.row(self.members.first(member)?).number?;
        let behind = u32::try_from(number - lowest).unwrap_or(u32::MAX);
        Some(Numbering { number, behind })
    }

    /// Whether this member is asked in this request and has not answered.
    pub(crate) fn is_waiting(&self, id: RequestId, member: Handle) -> bool {
        let request = self.find(id);
        request.is_some_and(|request| {
            self.rows.contains(&Key { request, asked: Asked::Member(member) })
        })
    }

    /// The number that the next request to this member will have, or to whoever becomes one.
    pub(crate) fn next_number(&self, member: Option<Handle>) -> u64 {
        self.members.next_number(member)
    }

    /// A response came from `from`, which is this member if it is one. `None` unless it was asked
    /// and had not answered. How long it took says little about the way there and back, since it
    /// includes the peer's work: round trips are measured by heartbeats.
    pub(crate) fn answered(
        &mut self,
        id: RequestId,
        from: SocketAddr,
        member: Option<Handle>,
    ) -> Option<Progress> {
        let ask = self.find_ask(id, from, member)?;
        Some(self.end(ask))
    }

    /// An extended member says that it has no answer any more. `None` unless it was asked and had
    /// not answered.
    pub(crate) fn gone(&mut self, id: RequestId, member: Handle) -> Option<Progress> {
        let ask = self.rows.find(&Key { request: self.find(id)?, asked: Asked::Member(member) })?;
        self.row(ask).number?;
        Some(self.end(ask))
    }

    /// A member, reached at these addresses, is gone: tells what that means for each request that
    /// waits for it, in the order in which it was asked. To be called before another member has its
    /// place.
    pub(crate) fn peer_left(
        &mut self,
        member: Handle,
        is_its_address: impl Fn(SocketAddr) -> bool,
        mut tell: impl FnMut(Progress),
    ) {
        while let Some(ask) = self.members.first(member) {
            tell(self.end(ask));
        }
        self.members.forget(member);
        // Those who asked one of its addresses before it was a member.
        let mut next = self.strangers.first();
        while let Some(ask) = next {
            next = self.strangers.after(&self.rows, ask);
            if let Asked::Address(addr) = self.key(ask).asked
                && is_its_address(addr)
            {
                tell(self.end(ask));
            }
        }
    }

    /// Forgets a request. Gives whether it was pending.
    pub(crate) fn cancel(&mut self, id: RequestId) -> bool {
        self.find(id).and_then(|request| self.finish(request)).is_some()
    }

    /// Ends all requests and tells which, in table order.
    pub(crate) fn close(&mut self, mut tell: impl FnMut(RequestId)) {
        for place in 0..self.pending.slots() {
            if let Some(id) = self.pending.handle_at(place).and_then(|it| self.finish(it)) {
                tell(id);
            }
        }
    }

    /// When [`pop_due`](Self::pop_due) has something to give; O(1).
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        let pause = self.pauses.next().map(|(at, _)| at);
        self.next_deadline().into_iter().chain(pause).min()
    }

    /// When the next request ends for want of an answer; O(1).
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.next().map(|(at, _)| at)
    }

    /// Takes out what is due, one at a time. `timeout` gives how long a member is waited for now,
    /// before the first retransmission; each further pause is twice the one before.
    pub(crate) fn pop_due(
        &mut self,
        now: Instant,
        timeout: impl Fn(Handle) -> Duration,
    ) -> Option<Due> {
        // What is over is not sent once more.
        while let Some(request) = self.deadlines.pop_due(now) {
            if let Some(id) = self.time_out(request) {
                return Some(Due::TimedOut(id));
            }
        }
        while let Some(ask) = self.pauses.pop_due(now) {
            let due = self.retransmit(now, ask, &timeout);
            if due.is_some() {
                return due;
            }
        }
        None
    }

    fn time_out(&mut self, mut request: Handle) -> Option<RequestId> {
        if planted(Mutant::DeadlineOfFormer) {
            request = self.pending.handle_at(request.index())?;
        }
        self.finish(request)
    }

    fn retransmit(
        &mut self,
        now: Instant,
        ask: Handle,
        timeout: impl Fn(Handle) -> Duration,
    ) -> Option<Due> {
        let Key { request, asked } = *self.key(ask);
        let Asked::Member(member) = asked else { return None };
        let request = self.get(request).id;
        let attempts = self.row(ask).transmissions;
        let pause = self.pauses.arm(now + backoff(timeout(member), attempts), ask);
        let row = self.row_mut(ask);
        row.transmissions = attempts.saturating_add(1);
        row.pause = Some(pause);
        Some(Due::Retransmit { request, member })
    }

    fn begin(&mut self, rng: &mut impl Rng) -> Result<Handle, Full> {
        let asks = List::new(Chain::Request);
        let pending = Pending { id: RequestId::ZERO, asks, deadline: None };
        let request = self.pending.insert(pending).map_err(|_refused| Full::Requests)?;
        self.get_mut(request).id = fresh_id(request, rng);
        Ok(request)
    }

    /// All of them are asked, or nobody is and the request is over.
    fn add_all(
        &mut self,
        now: Instant,
        request: Handle,
        addressees: impl Iterator<Item = Addressee>,
    ) -> Result<(), Full> {
        for addressee in addressees {
            if let Err(full) = self.add(now, request, addressee) {
                self.finish(request);
                return Err(full);
            }
        }
        Ok(())
    }

    fn add(&mut self, now: Instant, request: Handle, addressee: Addressee) -> Result<(), Full> {
        let key = Key { request, asked: addressee.asked() };
        let row = Ask { number: None, transmissions: 1, pause: None, links: [Link::default(); 2] };
        let ask = self.rows.insert(key, row).map_err(|_refused| Full::Asks)?;
        let Self { pending, rows, members, strangers, .. } = self;
        let pending = pending.get_mut(request).expect("the caller has begun it");
        pending.asks.push(rows, ask);
        match addressee {
            Addressee::Stranger(_) => strangers.push(rows, ask),
            Addressee::Classic(member) => members.push(rows, member, ask),
            Addressee::Extended { member, timeout } => {
                members.push(rows, member, ask);
                let number = Some(members.number(member));
                let pause = Some(self.pauses.arm(now + backoff(timeout, 0), ask));
                let row = self.row_mut(ask);
                (row.number, row.pause) = (number, pause);
            }
        }
        Ok(())
    }

    fn arm_deadline(&mut self, request: Handle, deadline: Option<Instant>) -> RequestId {
        let timer = deadline.map(|at| self.deadlines.arm(at, request));
        let pending = self.get_mut(request);
        pending.deadline = timer;
        pending.id
    }

    /// This peer is waited for no longer, for this request.
    fn end(&mut self, ask: Handle) -> Progress {
        let request = self.key(ask).request;
        let pending = self.pending.get_mut(request).expect("an ask belongs to a request");
        pending.asks.remove(&mut self.rows, ask);
        let (id, is_last) = (pending.id, pending.asks.is_empty());
        self.forget(ask);
        if is_last {
            self.finish(request);
            return Progress::Finished(id);
        }
        Progress::Waiting(id)
    }

    /// Ends the request, in O(peers that it waits for).
    fn finish(&mut self, request: Handle) -> Option<RequestId> {
        let Pending { id, asks, mut deadline } = self.pending.remove(request)?;
        let mut next = asks.first();
        while let Some(ask) = next {
            next = asks.after(&self.rows, ask);
            self.forget(ask);
        }
        if !planted(Mutant::DeadlineOfFormer) {
            self.deadlines.stop_in(&mut deadline);
        }
        Some(id)
    }

    /// Takes the ask out of everything but the list of its request.
    fn forget(&mut self, ask: Handle) {
        let asked = self.key(ask).asked;
        let Self { rows, members, strangers, pauses, .. } = self;
        match asked {
            Asked::Address(_) => strangers.remove(rows, ask),
            Asked::Member(member) => members.remove(rows, member, ask),
        }
        if let Some((_, mut row)) = rows.remove_at(ask) {
            pauses.stop_in(&mut row.pause);
        }
    }

    fn find(&self, id: RequestId) -> Option<Handle> {
        let [a, b, c, d, ..] = id.0;
        let request = self.pending.handle_at(u32::from_be_bytes([a, b, c, d]) as usize)?;
        (self.pending.get(request)?.id == id).then_some(request)
    }

    fn find_ask(&self, id: RequestId, from: SocketAddr, member: Option<Handle>) -> Option<Handle> {
        let request = self.find(id)?;
        if planted(Mutant::AnyResponse) {
            return self.get(request).asks.first();
        }
        let find = |asked| self.rows.find(&Key { request, asked });
        member.and_then(|it| find(Asked::Member(it))).or_else(|| find(Asked::Address(from)))
    }

    fn get(&self, request: Handle) -> &Pending {
        self.pending.get(request).expect("asks and timers name pending requests only")
    }

    fn get_mut(&mut self, request: Handle) -> &mut Pending {
        self.pending.get_mut(request).expect("asks and timers name pending requests only")
    }

    fn key(&self, ask: Handle) -> &Key {
        self.rows.at(ask).expect("lists and timers name asks of the table only").0
    }

    fn row(&self, ask: Handle) -> &Ask {
        self.rows.at(ask).expect("lists and timers name asks of the table only").1
    }

    fn row_mut(&mut self, ask: Handle) -> &mut Ask {
        self.rows.at_mut(ask).expect("lists and timers name asks of the table only")
    }
}

fn fresh_id(request: Handle, rng: &mut impl Rng) -> RequestId {
    let mut id = [0; 16];
    rng.fill_bytes(&mut id);
    let place = u32::try_from(request.index()).expect("a slab's places are numbered by a u32");
    id[..4].copy_from_slice(&place.to_be_bytes());
    RequestId(id)
}
