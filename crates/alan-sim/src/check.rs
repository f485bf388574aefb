//! The invariants: what must hold in every history, one file each.
//!
//! Each check hears the facts of a run as they come about and judges what they touched. Those whose
//! subject can also be seen by looking at all nodes at once have a second judgement that does so;
//! both must agree at every audit.

mod breach;
mod exclusion;
mod progress;
mod order;
mod leaks;
mod membership;
mod completion;
mod delivery;
mod once;
mod bounds;
mod clocks;
mod secrecy;
mod freshness;
mod amplification;

use std::net::SocketAddr;

use alan_proto::{Action, Deadline, Incarnation, Instant, LockId, Rejection, RequestId, Usage};

pub use breach::{Breach, Invariant, Pending, Table, Violation, Waiting};

use crate::host::Host;
use crate::payload::Tag;
use crate::place::Place;
use crate::plan::{Key, Plan};
use crate::time::Moment;
use crate::trace::Meaning;

/// Something that came about, as the checks see it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fact {
    Started {
        node: Place,
        moves: u8,
        incarnation: Incarnation,
        /// What the machine's wall clock shows, in microseconds since 1970.
        wall: u64,
    },
    /// The process is gone, by crash or after its goodbye.
    Ended {
        node: Place,
    },
    Paused {
        node: Place,
    },
    Resumed {
        node: Place,
    },
    LockCalled {
        node: Place,
        lock: LockId,
        key: Key,
    },
    /// The user released a held lock, or gave up waiting.
    LockDropped {
        node: Place,
        lock: LockId,
        key: Key,
    },
    Requested {
        node: Place,
        request: RequestId,
        deadline: Option<Instant>,
    },
    RequestDropped {
        node: Place,
        request: RequestId,
    },
    /// The node told something; `key` is that of a lock event.
    Told {
        node: Place,
        now: Instant,
        action: Action,
        key: Option<Key>,
    },
    Handed {
        node: Place,
        now: Instant,
        handed: Handed,
    },
    /// The node was called in some way, and everything that it wanted done was taken from it.
    Touched {
        node: Place,
        usage: Usage,
        running: bool,
    },
    /// The node sent a datagram of so many bytes to an address that is no node's.
    SentToStranger {
        node: Place,
        to: SocketAddr,
        len: usize,
    },
    /// The node was handed something that no key holder had sent.
    Untrusted {
        node: Place,
        before: Face,
        after: Face,
        reacted: bool,
    },
}

/// A datagram that a node was handed, and what it gave its user.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Handed {
    pub(crate) from: SocketAddr,
    /// Its length in bytes.
    pub(crate) len: usize,
    /// What it said when it was sent.
    pub(crate) meaning: Meaning,
    /// It is what a node of the cluster sent, unaltered.
    pub(crate) genuine: bool,
    /// The receiver had not begun to leave.
    pub(crate) running: bool,
    /// Its sender and its receiver had met before it was sent, and have each other as members
    /// since; of payloads only.
    pub(crate) mutual: bool,
    /// Why the node turned it away, if it did.
    pub(crate) rejected: Option<Rejection>,
    pub(crate) delivered: Option<Delivered>,
}

/// A user payload that a node delivered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Delivered {
    pub(crate) from: SocketAddr,
    pub(crate) tag: Option<Tag>,
    pub(crate) kind: DeliveredKind,
}

/// Which kind of payload it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum DeliveredKind {
    Message,
    Request(RequestId),
    /// A request that was delivered before, without its payload.
    Repeated(RequestId),
    Response {
        request: RequestId,
        finished: bool,
    },
}

/// What of a node must not change by what a stranger sends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Face {
    pub(crate) usage: Usage,
    pub(crate) deadline: Option<Deadline>,
    /// How many datagrams its envelope has not let through.
    pub(crate) unopened: u64,
    pub(crate) rejected: u64,
}

/// One invariant.
trait Check {
    /// Takes note of a fact, and says if it breaks the invariant.
    fn observe(&mut self, fact: &Fact) -> Result<(), Breach>;
}

/// All invariants of one run.
#[derive(Debug)]
pub(crate) struct Checks {
    exclusion: exclusion::Exclusion,
    order: order::Order,
    membership: membership::Membership,
    completion: completion::Completion,
    leaks: leaks::Leaks,
    delivery: delivery::Delivery,
    once: once::Once,
    bounds: bounds::Bounds,
    secrecy: secrecy::Secrecy,
    clocks: clocks::Clocks,
    /// Where somebody attacks the cluster.
    freshness: Option<freshness::Freshness>,
    amplification: Option<amplification::Amplification>,
}

impl Checks {
    pub(crate) fn new(plan: &Plan) -> Self {
        let nodes = plan.nodes.len();
        let shared = !plan.cluster.locks.repairs().local_exclusion;
        Self {
            exclusion: exclusion::Exclusion::new(nodes, shared),
            order: order::Order::new(nodes, shared),
            membership: membership::Membership::new(plan),
            completion: completion::Completion::new(nodes),
            leaks: leaks::Leaks,
            delivery: delivery::Delivery::new(plan),
            once: once::Once::new(plan),
            bounds: bounds::Bounds::new(&plan.config()),
            secrecy: secrecy::Secrecy,
            clocks: clocks::Clocks::new(nodes),
            freshness: plan.attacked.then(|| freshness::Freshness::new(plan)),
            amplification: plan.attacked.then(amplification::Amplification::default),
        }
    }

    /// Takes note of a fact. What it touched must hold after it; the first breach is told.
    pub(crate) fn observe(&mut self, at: Moment, fact: &Fact) -> Result<(), Breach> {
        self.exclusion.observe(fact)?;
        self.order.observe(fact)?;
        self.membership.observe(fact)?;
        self.completion.observe(fact)?;
        self.leaks.observe(fact)?;
        self.delivery.observe(fact)?;
        self.once.observe(fact)?;
        self.bounds.observe(fact)?;
        self.secrecy.observe(fact)?;
        self.clocks.observe_at(at, fact);
        if let Some(freshness) = &mut self.freshness {
            freshness.observe_at(at, fact)?;
        }
        self.amplification.as_mut().map_or(Ok(()), |check| check.observe(fact))
    }

    /// Looks at the whole world, and compares with what was concluded step by step.
    pub(crate) fn audit(&mut self, at: Moment, hosts: &[Host]) -> Result<(), Breach> {
        let agree = |same: bool, invariant| {
            if same { Ok(()) } else { Err(Breach::CheckersDisagree { invariant }) }
        };
        let whole = exclusion::whole(hosts, self.exclusion.shared());
        agree(whole == self.exclusion.clash(), Invariant::Exclusion)?;
        if let Some((key, holders)) = whole {
            return Err(Breach::TwoHolders { key, holders });
        }
        self.clocks.judge(at, hosts)?;
        let differing = membership::differing(hosts);
        agree(differing == self.membership.differing(), Invariant::Membership)?;
        for host in hosts {
            if let Some(usage) = host.usage() {
                self.bounds.judge(host.place(), &usage)?;
                agree(self.completion.counts(host.place(), &usage), Invariant::Completion)?;
            }
            if let Some(freshness) = &self.freshness {
                freshness.judge_members(at, host)?;
            }
        }
        Ok(())
    }

    /// The faults have been over for as long as the plan allows: nobody may still wait, and all
    /// must see each other.
    pub(crate) fn judge_progress(&self, hosts: &[Host]) -> Result<(), Breach> {
        progress::judge(hosts)?;
        if self.membership.differing() > 0 {
            return Err(membership::first_difference(hosts));
        }
        Ok(())
    }

    /// Everybody else has left: the last node's tables must be empty.
    pub(crate) fn judge_leaks(last: &Host) -> Result<(), Breach> {
        leaks::judge_last(last)
    }
}

#[cfg(test)]
mod tests {
    //! Planted facts, for the tests of each check.

    use std::net::SocketAddr;

    use alan_proto::{
        Action, Config, HybridTime, Incarnation, Instant, LockEvent, LockFailure, LockId, Node,
        Usage, envelope::Plain,
    };
    use rand_chacha::ChaCha8Rng;
    use rand_core::SeedableRng;

    use super::{Fact, Handed};
    use crate::host::{Host, SimNode};
    use crate::place::Place;
    use crate::plan::{Key, NodePlan};
    use crate::time::Moment;
    use crate::trace::Meaning;

    pub(super) fn life(number: u64) -> Incarnation {
        Incarnation::new(number).expect("not zero")
    }

    /// A machine with a node to which something is done.
    pub(super) fn a_host(act: impl FnOnce(&mut SimNode, Instant)) -> Host {
        let mut host = Host::new(Place(0), &NodePlan::default(), 1);
        host.start(Moment::START, &Config::default(), None);
        let now = host.clock.local(Moment::START);
        act(host.node.as_mut().expect("it was just started"), now);
        host
    }

    /// The ids that a node gives to its first, second … call.
    pub(super) fn lock_id(number: usize) -> LockId {
        let rng = ChaCha8Rng::seed_from_u64(1);
        let wall = HybridTime::default();
        let node = Node::new(Config::default(), Plain, rng, Instant::EPOCH, wall);
        let mut node = node.expect("defaults");
        let mut ids = (0..).map(|_| node.lock(Instant::EPOCH, "a", None).expect("room"));
        ids.nth(number).expect("any number")
    }

    /// A datagram that is nobody's own, of which nothing came.
    pub(super) fn handed(from: SocketAddr, meaning: Meaning) -> Handed {
        Handed {
            from,
            len: 17,
            meaning,
            genuine: false,
            running: true,
            mutual: false,
            rejected: None,
            delivered: None,
        }
    }

    pub(super) fn called(node: u16, lock: usize, key: char) -> Fact {
        Fact::LockCalled { node: Place(node), lock: lock_id(lock), key: Key::new(key) }
    }

    fn told(node: u16, key: char, event: LockEvent) -> Fact {
        let (now, action) = (Instant::EPOCH, Action::Lock(event));
        Fact::Told { node: Place(node), now, action, key: Some(Key::new(key)) }
    }

    pub(super) fn granted(node: u16, lock: usize, key: char) -> Fact {
        told(node, key, LockEvent::Granted { lock: lock_id(lock) })
    }

    pub(super) fn failed(node: u16, lock: usize, key: char) -> Fact {
        told(node, key, LockEvent::Failed { lock: lock_id(lock), why: LockFailure::TimedOut })
    }

    /// Empty tables, but for what `fill` puts in.
    pub(super) fn usage(fill: impl FnOnce(&mut Usage)) -> Usage {
        let mut usage = Usage::default();
        fill(&mut usage);
        usage
    }
}
