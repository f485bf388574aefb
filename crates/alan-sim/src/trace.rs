//! What happened, step by step: typed, each with its true time, and the same for the same plan.

mod text;

use std::collections::VecDeque;
use std::fmt;
use std::net::SocketAddr;

use alan_proto::wire::{LockMessageKind, Message, ProbeStage};
use alan_proto::{Action, Incarnation, LockId, RequestId, Wakeup};

use crate::check::Breach;
use crate::payload::Tag;
use crate::place::Place;
use crate::plan::{Cut, FirstToRun, Key};
use crate::time::Moment;

/// One step of a history.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Step {
    /// When, in true time.
    pub at: Moment,
    /// What.
    pub what: Occurrence,
}

/// Names one datagram on its way; each copy of a doubled one has a number of its own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct DatagramId(pub u64);

/// What happened.
#[non_exhaustive]
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Occurrence {
    /// A node was started.
    Started {
        /// Where.
        node: Place,
        /// Its address.
        address: SocketAddr,
        /// The name of this life.
        incarnation: Incarnation,
    },
    /// A node's process has ended.
    Ended {
        /// Where.
        node: Place,
        /// Whether it died, rather than left.
        crashed: bool,
    },
    /// A node stopped.
    Paused {
        /// Where.
        node: Place,
    },
    /// A node went on.
    Resumed {
        /// Where.
        node: Place,
        /// Who ran first.
        first: FirstToRun,
    },
    /// The network was cut; the number names the cut.
    Cut {
        /// Which one.
        number: u32,
        /// Where.
        cut: Cut,
    },
    /// A cut healed.
    Healed {
        /// Which one.
        number: u32,
    },
    /// The wall clock of a machine was set.
    WallClockStepped {
        /// Where.
        node: Place,
        /// By how many microseconds.
        micros: i64,
        /// What it shows since, in microseconds since 1970.
        shows: u64,
    },
    /// The network became another.
    WeatherChanged,
    /// The faults have ended.
    Calm,
    /// Discovery answered.
    Discovered {
        /// To whom.
        node: Place,
        /// How many addresses it named.
        named: usize,
    },
    /// A datagram was sent.
    Sent {
        /// Its number.
        datagram: DatagramId,
        /// By whom.
        from: SocketAddr,
        /// To whom.
        to: SocketAddr,
        /// What it says.
        meaning: Meaning,
    },
    /// The network made another of a datagram.
    Doubled {
        /// Of this one.
        datagram: DatagramId,
        /// The copy's number.
        copy: DatagramId,
    },
    /// The network altered a datagram.
    Corrupted {
        /// Which one.
        datagram: DatagramId,
    },
    /// A datagram was lost.
    Lost {
        /// Which one.
        datagram: DatagramId,
        /// Why.
        why: Loss,
    },
    /// A datagram was handed to its node.
    Delivered {
        /// Which one.
        datagram: DatagramId,
        /// To whom.
        node: Place,
        /// What it says.
        meaning: Meaning,
    },
    /// A user payload reached the user.
    Received {
        /// Where.
        node: Place,
        /// From whom.
        from: SocketAddr,
        /// What it said; `None` if it was no payload of a simulated user.
        tag: Option<Tag>,
    },
    /// A node was woken by its clock.
    Timer {
        /// Where.
        node: Place,
        /// What for.
        reason: Wakeup,
    },
    /// A user asked for something.
    Command {
        /// Where.
        node: Place,
        /// What.
        command: Command,
        /// Whether the node refused.
        refused: bool,
    },
    /// A node told something.
    Told {
        /// Where.
        node: Place,
        /// What: anything but datagrams.
        action: Action,
        /// The key, of a lock event.
        key: Option<Key>,
    },
    /// A user asked a guard whether it still holds its lock.
    GuardAsked {
        /// Where.
        node: Place,
        /// The call that took the lock.
        lock: LockId,
        /// Which lock.
        key: Key,
        /// What the guard said.
        valid: bool,
    },
    /// An invariant was violated: the last step.
    Violated(Breach),
}

/// Why a datagram was lost.
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Loss {
    /// The network lost it.
    Chance,
    /// A cut is in its way.
    Cut,
    /// Its sender sends more than the bandwidth allows.
    Congestion,
    /// Its receiver's socket is full.
    SocketFull,
    /// Nobody is at its address.
    NobodyThere,
}

/// What a user asked for.
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Command {
    /// A lock. `None` if it was refused.
    Lock(Key, Option<LockId>),
    /// A try at a lock. `None` if it was refused.
    TryLock(Key, Option<LockId>),
    /// Give up waiting.
    Cancel(Key, LockId),
    /// Release what the call had taken.
    Release(Key, LockId),
    /// Release the lock with this name.
    Unlock(Key),
    /// Send a message.
    Send(SocketAddr, Tag),
    /// Send a message to all.
    Broadcast(Tag),
    /// Send a request. `None` if it was refused.
    Request(SocketAddr, Option<RequestId>),
    /// Send a request to all. `None` if it was refused, or there was nobody.
    RequestAll(Option<RequestId>),
    /// Give up a request.
    CancelRequest(RequestId),
    /// Answer a request.
    Reply(SocketAddr, RequestId),
    /// Leave.
    Leave,
}

/// What a datagram says, as far as the timeline shows it.
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Meaning {
    /// JOIN, with the life that it names.
    Join(Option<Incarnation>),
    /// LEAVE, with the life that it names.
    Leave(Option<Incarnation>),
    /// HEARTBEAT, with the life that it names.
    Heartbeat(Option<Incarnation>),
    /// DATA.
    Data(Option<Tag>),
    /// REQUEST.
    Request(RequestId, Option<Tag>),
    /// RESPONSE.
    Response(RequestId, Option<Tag>),
    /// A lock message; without a key that is none of the simulation's.
    Lock(LockMessageKind, RequestId, Option<Key>),
    /// SESSION_DATA.
    SessionData(Option<Tag>),
    /// SESSION_REQUEST.
    SessionRequest(RequestId, Option<Tag>),
    /// SESSION_RESPONSE.
    SessionResponse(RequestId, Option<Tag>),
    /// RESPONSE_GONE.
    ResponseGone(RequestId),
    /// PROFILE.
    Profile,
    /// PROFILE_ASK.
    ProfileAsk,
    /// PEERS_ASK.
    PeersAsk,
    /// PEERS.
    Peers,
    /// PROBE, with the life that it is about.
    Probe(ProbeStage, Incarnation),
    /// Nothing that a node would understand.
    Noise,
}

impl Meaning {
    /// What the bytes of a message mean.
    #[must_use]
    pub fn of(message: &[u8]) -> Self {
        match Message::decode(message) {
            Ok(Message::Join(control)) => Self::Join(control.block.map(|b| b.incarnation)),
            Ok(Message::Leave(control)) => Self::Leave(control.block.map(|b| b.incarnation)),
            Ok(Message::Heartbeat(control)) => {
                Self::Heartbeat(control.block.map(|b| b.incarnation))
            }
            Ok(Message::Data(payload)) => Self::Data(Tag::read(payload)),
            Ok(Message::Request { id, body }) => Self::Request(id, Tag::read(body)),
            Ok(Message::Response { id, body }) => Self::Response(id, Tag::read(body)),
            Ok(Message::Lock(lock)) => Self::Lock(lock.kind, lock.id, Key::from_bytes(lock.key)),
            Ok(Message::SessionData(payload)) => Self::SessionData(Tag::read(payload)),
            Ok(Message::SessionRequest { id, body, .. }) => {
                Self::SessionRequest(id, Tag::read(body))
            }
            Ok(Message::SessionResponse { id, body }) => Self::SessionResponse(id, Tag::read(body)),
            Ok(Message::ResponseGone { id }) => Self::ResponseGone(id),
            Ok(Message::Profile(_)) => Self::Profile,
            Ok(Message::ProfileAsk) => Self::ProfileAsk,
            Ok(Message::PeersAsk { .. }) => Self::PeersAsk,
            Ok(Message::Peers(_)) => Self::Peers,
            Ok(Message::Probe(probe)) => Self::Probe(probe.stage, probe.about),
            Ok(_) | Err(_) => Self::Noise,
        }
    }

    /// Whether it carries what a user has said.
    #[must_use]
    pub const fn is_payload(self) -> bool {
        matches!(
            self,
            Self::Data(_)
                | Self::Request(..)
                | Self::Response(..)
                | Self::SessionData(_)
                | Self::SessionRequest(..)
                | Self::SessionResponse(..)
        )
    }
}

/// How much of a history is kept.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Recording {
    /// All of it.
    Everything,
    /// The latest so many steps.
    Latest(usize),
    /// Nothing: the fastest.
    Nothing,
}

/// A history, or the end of one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Trace {
    steps: VecDeque<Step>,
    recording: Recording,
    dropped: u64,
}

impl Trace {
    pub(crate) const fn new(recording: Recording) -> Self {
        Self { steps: VecDeque::new(), recording, dropped: 0 }
    }

    pub(crate) fn is_off(&self) -> bool {
        self.recording == Recording::Nothing
    }

    pub(crate) fn push(&mut self, at: Moment, what: Occurrence) {
        match self.recording {
            Recording::Nothing => self.dropped += 1,
            Recording::Everything => self.steps.push_back(Step { at, what }),
            Recording::Latest(most) => {
                self.steps.push_back(Step { at, what });
                while self.steps.len() > most {
                    self.steps.pop_front();
                    self.dropped += 1;
                }
            }
        }
    }

    /// The steps, in order.
    pub fn steps(&self) -> impl ExactSizeIterator<Item = &Step> + Clone + '_ {
        self.steps.iter()
    }

    /// How many steps came before these and were not kept.
    #[must_use]
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }
}

/// One line a step.
impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.dropped > 0 {
            writeln!(f, "… {} steps before these", self.dropped)?;
        }
        self.steps.iter().try_for_each(|step| writeln!(f, "{step}"))
    }
}
