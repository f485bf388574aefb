//! The peers of the node: lives that can prove themselves, from any address, and share what is sent
//! to each. One that is no node can say what a node never would.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use alan_proto::envelope::{AnyEnvelope, Effort, Envelope, Origin, Recipient, Unopened};
use alan_proto::wire::{
    Challenge, Control, Echo, Message, PeerEntry, PeerPageBuffer, Probe, ProbeStage, Profile, Role,
    SessionBlock, Settings, Times, View,
};
use alan_proto::{HybridTime, Incarnation, Instant, RequestId};
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

use crate::input::{ADDRESSES, address};

/// How many lives there are. They are numbered from 2: 0 is a classic peer, 1 the node itself.
pub(super) const LIVES: u8 = 4;

/// The place of the node in each life's envelope.
const NODE: usize = 0;

/// What a block says beside what every block says, bit by bit.
pub(super) mod manner {
    /// Return the challenge that was sent to this address last.
    pub(crate) const ANSWER: u8 = 0x01;
    /// Echo what was sent there last.
    pub(crate) const ECHO: u8 = 0x02;
    pub(crate) const CHALLENGE: u8 = 0x04;
    pub(crate) const CHANNEL: u8 = 0x08;
    pub(crate) const REQUESTS: u8 = 0x10;
    pub(crate) const OBSERVER: u8 = 0x20;
    /// With the stamp of the message before, and settings of its own.
    pub(crate) const STALE: u8 = 0x40;
    /// Seal it as a classic node would.
    pub(crate) const ANYONE: u8 = 0x80;
}

/// The newest control message that was sent to an address.
#[derive(Clone, Copy, Debug)]
struct Heard {
    incarnation: Incarnation,
    sent_at: Instant,
    challenge: Option<Challenge>,
}

struct Life {
    incarnation: Incarnation,
    envelope: AnyEnvelope,
    stamp: u64,
}

/// See the module.
pub(super) struct Lives {
    peers: Vec<Life>,
    /// Whoever has the key and no life.
    anyone: AnyEnvelope,
    heard: BTreeMap<SocketAddr, Heard>,
    generator: ChaCha8Rng,
}

impl Lives {
    pub(super) fn new(envelope: impl Fn() -> AnyEnvelope) -> Self {
        let mut generator = ChaCha8Rng::seed_from_u64(2);
        let peers = (0..LIVES).map(|number| {
            let incarnation = incarnation(2 + number);
            let mut envelope = envelope();
            envelope.begin(incarnation, &mut generator);
            Life { incarnation, envelope, stamp: 0 }
        });
        let peers = peers.collect();
        Self { peers, anyone: envelope(), heard: BTreeMap::new(), generator }
    }

    /// Opens what the node sent to `to`; everybody listens. Gives the message; `None` if it is for
    /// one that does not know the channel yet, and has to hear it again.
    pub(super) fn hear(&mut self, to: SocketAddr, datagram: &[u8]) -> Option<Vec<u8>> {
        let mut copy = datagram.to_vec();
        let opened = self.anyone.open(&mut copy, Effort::Full).message();
        let mut message = opened.ok().map(|message| message.to_vec());
        for life in &mut self.peers {
            let mut copy = datagram.to_vec();
            match life.envelope.open(&mut copy, Effort::Full).outcome {
                Ok(opened) => {
                    let (text, origin) = (opened.message.to_vec(), opened.origin);
                    life.listen(&text, origin);
                    message = Some(text);
                }
                Err(Unopened::UnknownChannel { .. }) => return None,
                Err(_) => {}
            }
        }
        let message = message.expect("what the node sends opens for whom it sends it to");
        if let Some(block) = control(&message).and_then(|control| control.block) {
            let Times { sent_at, .. } = block.times;
            let (incarnation, challenge) = (block.incarnation, block.challenge);
            self.heard.insert(to, Heard { incarnation, sent_at, challenge });
        }
        Some(message)
    }

    /// JOIN, LEAVE or HEARTBEAT of a life, from this address.
    pub(super) fn control(
        &mut self,
        number: u8,
        kind: u8,
        from: SocketAddr,
        port: u16,
        how: u8,
    ) -> Vec<u8> {
        let block = self.block(number, SocketAddr::new(from.ip(), port), how);
        encode(&control_message(kind, Control { port, block: Some(block) }))
    }

    fn block(&mut self, number: u8, at: SocketAddr, how: u8) -> SessionBlock {
        let has = |bit| how & bit != 0;
        let heard = self.heard.get(&at).copied();
        let life = self.life(number);
        if !has(manner::STALE) {
            life.stamp += 1;
        }
        let times = Times {
            sent_at: Instant::from_micros(life.stamp),
            clock: HybridTime::from_micros(life.stamp),
            started: HybridTime::from_micros(1),
        };
        let mut view = View { members: u64::from(how), ..View::default() };
        view.profile = u32::from(number);
        if has(manner::OBSERVER) {
            view.role = Role::Observer;
        }
        let settings =
            Settings { cluster_size: u32::from(how & manner::STALE), ..Settings::default() };
        let mut block = SessionBlock::new(life.incarnation, times, view, settings);
        if let Some(heard) = heard.filter(|_| has(manner::ANSWER | manner::ECHO)) {
            block.echo = Echo::new(heard.incarnation, heard.sent_at, Duration::ZERO);
            block.answer = heard.challenge.filter(|_| has(manner::ANSWER));
        }
        block.challenge = has(manner::CHALLENGE).then_some(Challenge(u64::from(number)));
        block.channel = life.envelope.channel(NODE).filter(|_| has(manner::CHANNEL));
        block.next_request = has(manner::REQUESTS).then_some(1);
        block
    }

    /// Seals a message as anybody with the key can.
    pub(super) fn seal(&mut self, message: &[u8]) -> Vec<u8> {
        seal(&mut self.anyone, &mut self.generator, Recipient::Anyone, message)
    }

    /// Seals a message of a life, for everyone or, where they have a session, for the node alone.
    pub(super) fn seal_as(&mut self, number: u8, for_node: bool, message: &[u8]) -> Vec<u8> {
        let place = usize::from(number - 2);
        let recipient = if for_node { Recipient::Member(NODE) } else { Recipient::Everyone };
        seal(&mut self.peers[place].envelope, &mut self.generator, recipient, message)
    }

    fn life(&mut self, number: u8) -> &mut Life {
        &mut self.peers[usize::from(number - 2)]
    }
}

impl Life {
    /// Has the node as a member from the first datagram on that says who it is: what a node would
    /// want to see first does not matter here.
    fn listen(&mut self, message: &[u8], origin: Origin) {
        let Some(block) = control(message).and_then(|control| control.block) else { return };
        if let Origin::Stranger { proof: Some(proof), .. } = origin {
            self.envelope.admit(NODE, block.incarnation, Some(proof));
        }
        // All listen, but each has a channel of its own.
        let is_ours = block.echo.is_some_and(|echo| echo.incarnation == self.incarnation);
        if let Some(channel) = block.channel.filter(|_| is_ours) {
            self.envelope.announced(NODE, channel);
        }
    }
}

/// A message that only extended members send. `id` is that of an exchange, `small` whatever
/// else there is to be chosen.
pub(super) fn extended(number: u8, kind: u8, id: RequestId, small: u8) -> Vec<u8> {
    let about = incarnation(2 + small % (LIVES + 1));
    match kind {
        0 => encode(&Message::SessionData(b"data")),
        1 => {
            let number = u64::from(small % 8) + 1;
            let behind = u32::from(small / 8) % u32::from(small % 8 + 1);
            encode(&Message::SessionRequest { id, number, behind, body: b"body" })
        }
        2 => encode(&Message::SessionResponse { id, body: b"body" }),
        3 => encode(&Message::ResponseGone { id }),
        4 => {
            let name = ["", "a name"][usize::from(small % 2)];
            let metadata = &[number; 9][..usize::from(small % 10)];
            encode(&Message::Profile(Profile { version: u32::from(small), name, metadata }))
        }
        5 => encode(&Message::ProfileAsk),
        6 => encode(&Message::PeersAsk { cursor: u32::from(small) }),
        7 => {
            let mut page = PeerPageBuffer::new();
            for entry in 0..small % 16 {
                let incarnation = incarnation(2 + entry);
                let addr = address(usize::from(entry) % ADDRESSES);
                let pushed = page.push(&PeerEntry { incarnation, addr });
                pushed.expect("a page has room for many more");
            }
            encode(&Message::Peers(page.page(u32::from(small / 16))))
        }
        _ => {
            let stages = [ProbeStage::Ask, ProbeStage::Ping, ProbeStage::Pong, ProbeStage::Alive];
            let stage = stages[usize::from(kind) % stages.len()];
            encode(&Message::Probe(Probe { stage, about }))
        }
    }
}

pub(super) fn control_message(kind: u8, control: Control) -> Message<'static> {
    match kind {
        0x01 => Message::Join(control),
        0x02 => Message::Leave(control),
        _ => Message::Heartbeat(control),
    }
}

/// What a message says if it is JOIN, LEAVE or HEARTBEAT.
pub(super) fn control(message: &[u8]) -> Option<Control> {
    match Message::decode(message).ok()? {
        Message::Join(control) | Message::Leave(control) | Message::Heartbeat(control) => {
            Some(control)
        }
        _ => None,
    }
}

pub(super) fn encode(message: &Message<'_>) -> Vec<u8> {
    let mut bytes = vec![0; message.encoded_len()];
    message.encode(&mut bytes);
    bytes
}

fn incarnation(number: u8) -> Incarnation {
    Incarnation::new(number.into()).expect("lives are numbered from 2")
}

fn seal(
    envelope: &mut AnyEnvelope,
    generator: &mut ChaCha8Rng,
    recipient: Recipient,
    message: &[u8],
) -> Vec<u8> {
    let (prefix, suffix) = (envelope.prefix(), envelope.suffix());
    let mut datagram = vec![0; prefix + message.len() + suffix];
    datagram[prefix..prefix + message.len()].copy_from_slice(message);
    envelope.seal(generator, recipient, &mut datagram);
    datagram
}
