//! What those do who are no nodes of the cluster: they send again what they saw, make up what they
//! could not have seen, and send too much of it.

use std::net::SocketAddr;
use std::time::Duration;

use alan_proto::envelope::{AnyEnvelope, Envelope, Key as Secret};
use alan_proto::wire::{Control, Message, Role, SessionBlock, Settings, Times, View};
use alan_proto::{HybridTime, Incarnation, Instant};
use rand_core::Rng;

use super::flights::{Origin, Recorded};
use super::{World, sealed};
use crate::place::{PORT, Place, stranger};
use crate::plan::{Claim, Disguise, Event, Flood, Forgery, Repeat, Target, Word};
use crate::queue::Due;
use crate::time::{Moment, micros};
use crate::trace::Meaning;

/// As how many strangers somebody speaks who sends again what he saw.
const DISGUISES: u64 = 8;

/// How often the next part of a flood is sent.
const FLOOD_STEP: Duration = Duration::from_millis(1);

/// Somebody who sends again what nodes send.
#[derive(Debug)]
pub(super) struct Repeater {
    repeat: Repeat,
    until: Moment,
}

impl World<'_> {
    pub(super) fn attack(&mut self, number: u32, attack: &Event) {
        match *attack {
            Event::Strangers { to, first, count, with_life } => {
                self.send_strangers(to, first, count, with_life);
            }
            Event::Forge { to, what, count } => self.forge(to, what, count),
            Event::Replay { to, count } => self.replay(to, count),
            Event::Repeat { repeat, lasts } => {
                self.repeaters.push(Repeater { repeat, until: self.now + lasts });
            }
            Event::Claim { to, claim, count } => self.claim(to, claim, count),
            Event::Flood { .. } => self.queue.push(self.now, Due::Flood(number)),
            _ => unreachable!("what is no attack was dealt with"),
        }
    }

    fn send_strangers(&mut self, to: Place, first: u16, count: u16, with_life: bool) {
        let to = self.address_of(to);
        for number in (0..count).map(|more| first.wrapping_add(more)) {
            let (bytes, meaning) = self.foreign_join(self.secret.clone().as_ref(), with_life);
            let from = stranger(number);
            self.inject(self.now, Origin::Stranger, Recorded { from, to, bytes, meaning });
        }
    }

    /// A JOIN of a life that nobody knows, or of none.
    fn foreign_join(&mut self, key: Option<&Secret>, with_life: bool) -> (Vec<u8>, Meaning) {
        let incarnation = self.made_up_life();
        let block = with_life.then(|| block(incarnation));
        let message = Message::Join(Control { port: PORT, block });
        let mut envelope = AnyEnvelope::new(key);
        if with_life {
            envelope.begin(incarnation, &mut self.attacker);
        }
        let datagram = sealed(&mut envelope, &mut self.attacker, &message);
        (datagram, Meaning::Join(with_life.then_some(incarnation)))
    }

    fn forge(&mut self, to: Place, what: Forgery, count: u16) {
        let to = self.address_of(to);
        for number in 0..count {
            let (bytes, meaning) = match what {
                Forgery::Noise => self.noise(),
                Forgery::OtherKey => {
                    let other = Secret::from_bytes(&[0xa5; Secret::LEN]).expect("32 bytes");
                    self.foreign_join(Some(&other), true)
                }
                Forgery::ClearText => self.foreign_join(None, true),
            };
            let nodes = self.hosts.len();
            // Half of them claim to come from a node.
            let from = match usize::from(number) {
                odd if odd % 2 == 1 => self.hosts[odd % nodes].address(),
                _ => stranger(number),
            };
            self.inject(self.now, Origin::Untrusted, Recorded { from, to, bytes, meaning });
        }
    }

    /// The latest datagrams to a node are sent to it again.
    fn replay(&mut self, to: Place, count: u16) {
        let to = self.address_of(to);
        let Some(recorded) = &self.recorded else { return };
        let to_it = recorded.iter().rev().filter(|recorded| recorded.to == to);
        let again: Vec<Recorded> = to_it
            .take(count.into())
            .map(|recorded| Recorded { bytes: recorded.bytes.clone(), ..*recorded })
            .collect();
        for recorded in again.into_iter().rev() {
            self.inject(self.now, Origin::Stranger, recorded);
        }
    }

    /// A node sends a datagram, and whoever sees it sends it again.
    pub(super) fn repeat(
        &mut self,
        from: SocketAddr,
        to: SocketAddr,
        bytes: &[u8],
        meaning: Meaning,
    ) {
        let now = self.now;
        self.repeaters.retain(|repeater| now < repeater.until);
        let repeats: Vec<Repeat> = self.repeaters.iter().map(|other| other.repeat).collect();
        for Repeat { from: disguise, to: target, after, within } in repeats {
            let source = match disguise {
                Disguise::Sender => from,
                Disguise::Receiver => to,
                Disguise::AnyNode => self.any_address(),
                Disguise::Stranger => {
                    stranger(u16::try_from(self.attacker.next_u64() % DISGUISES).expect("a few"))
                }
            };
            let to = match target {
                Target::Receiver => to,
                Target::Sender => from,
                Target::AnyNode => self.any_address(),
            };
            let later = self.attacker.next_u64() % (micros(within) + 1);
            let at = now + after + Duration::from_micros(later);
            let again = Recorded { from: source, to, bytes: bytes.to_vec(), meaning };
            self.inject(at, Origin::Stranger, again);
        }
    }

    fn any_address(&mut self) -> SocketAddr {
        let index = self.attacker.next_u64() % self.hosts.len() as u64;
        self.hosts[usize::try_from(index).expect("an index")].address()
    }

    /// Without a key: in a sealed cluster this is noise.
    fn claim(&mut self, to: Place, claim: Claim, count: u16) {
        let (to, from) = (self.address_of(to), self.address_of(claim.whose));
        for _ in 0..count {
            let life = claim.with_life.then(|| self.made_up_life());
            let control = Control { port: PORT, block: life.map(block) };
            let message = match claim.says {
                Word::Join => Message::Join(control),
                Word::Heartbeat => Message::Heartbeat(control),
                Word::Leave => Message::Leave(control),
            };
            self.inject_clear(from, to, &message);
        }
    }

    /// The next part of a flood.
    pub(super) fn flood(&mut self, number: u32) {
        let entry = &self.plan.schedule[number as usize];
        let Event::Flood { to, what, per_second, lasts } = entry.event else {
            unreachable!("only floods go on")
        };
        let begun = Moment::START + entry.at;
        if self.calm || self.now >= begun + lasts {
            return;
        }
        let next = self.now + FLOOD_STEP;
        let sent_by = |moment: Moment| {
            micros(moment.since(begun)).saturating_mul(per_second.into()) / 1_000_000
        };
        let to = self.address_of(to);
        for stranger_number in sent_by(self.now)..sent_by(next) {
            let from = stranger((stranger_number % (1 << 16)).try_into().expect("16 bits"));
            match what {
                Flood::Joins => {
                    let block = Some(block(self.made_up_life()));
                    self.inject_clear(from, to, &Message::Join(Control { port: PORT, block }));
                }
                Flood::ClassicJoins => {
                    let control = Control { port: PORT, block: None };
                    self.inject_clear(from, to, &Message::Join(control));
                }
                Flood::Noise => {
                    let (bytes, meaning) = self.noise();
                    let noise = Recorded { from, to, bytes, meaning };
                    self.inject(self.now, Origin::Untrusted, noise);
                }
            }
        }
        self.queue.push(next, Due::Flood(number));
    }

    fn inject_clear(&mut self, from: SocketAddr, to: SocketAddr, message: &Message<'_>) {
        let bytes = sealed(&mut AnyEnvelope::new(None), &mut self.attacker, message);
        let meaning = Meaning::of(&bytes);
        let origin = if self.secret.is_some() { Origin::Untrusted } else { Origin::Stranger };
        self.inject(self.now, origin, Recorded { from, to, bytes, meaning });
    }

    fn noise(&mut self) -> (Vec<u8>, Meaning) {
        let len = 1 + usize::from(self.attacker.next_u32().to_be_bytes()[0]);
        let mut bytes = vec![0; len];
        self.attacker.fill_bytes(&mut bytes);
        let meaning = Meaning::of(&bytes);
        (bytes, meaning)
    }

    fn made_up_life(&mut self) -> Incarnation {
        Incarnation::new(self.attacker.next_u64() | 1).expect("odd")
    }

    fn address_of(&self, place: Place) -> SocketAddr {
        self.hosts[place.index()].address()
    }
}

/// What a life says of itself that is made up.
const fn block(life: Incarnation) -> SessionBlock {
    let times = Times {
        sent_at: Instant::from_micros(1),
        clock: HybridTime::from_micros(0),
        started: HybridTime::from_micros(0),
    };
    let view = View { members: 0, role: Role::Voter, profile: 0 };
    SessionBlock::new(
        life,
        times,
        view,
        Settings { cluster_size: 0, lease_millis: 0, drift_ppm: 0 },
    )
}
