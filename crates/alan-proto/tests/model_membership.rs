//! Membership against a table so small that it is obviously right: who has proven itself, who spoke
//! last, and when.
//!
//! Nothing is replayed but heartbeats of former lives. Extended members are in reach of nobody who
//! could vouch for them.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use alan_proto::envelope::Plain;
use alan_proto::wire::Message;
use alan_proto::{Action, Config, HybridTime, Incarnation, Instant, LeaveReason, Node, PeerEvent};
use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;
use support::{HandMadePeer, control, encoded};

const PEERS: u8 = 5;
/// From this one on, peers are classic: they have no lives, for all that others can tell.
const CLASSIC: u8 = 3;
const MOST_MEMBERS: usize = 4;
const TIMEOUT: Duration = Duration::from_secs(15);
/// How long an extended member may stay silent where the node hears nobody else either, and the
/// pause between two looks.
const LONGEST: Duration = Duration::from_millis(22_500 + 625);
/// Whoever has been answered is not answered again for as long.
const ANSWER_PAUSE: Duration = Duration::from_millis(100);

#[derive(Clone, Copy, Debug)]
enum Input {
    /// The peer dies, and starts anew, without a word.
    Restart(u8),
    /// The peer asks to join, and returns what it is told.
    Prove(u8),
    Heartbeat(u8),
    Data(u8),
    Leave(u8),
    /// A heartbeat of a life before the present one.
    Late(u8),
    Pass(u64),
}

fn input() -> impl Strategy<Value = Input> {
    let peer = 0..PEERS;
    prop_oneof![
        2 => peer.clone().prop_map(Input::Restart),
        6 => peer.clone().prop_map(Input::Prove),
        6 => peer.clone().prop_map(Input::Heartbeat),
        4 => peer.clone().prop_map(Input::Data),
        2 => peer.clone().prop_map(Input::Leave),
        3 => peer.prop_map(Input::Late),
        4 => (0u64..20_000).prop_map(Input::Pass),
    ]
}

/// A change of the membership, without the incarnation.
type Change = (SocketAddr, Option<LeaveReason>);

#[derive(Clone, Copy)]
struct Member {
    /// `None` for a classic one.
    life: Option<u64>,
    heard: Instant,
    /// When its own last control message came.
    said_who: Instant,
    /// Somebody else has spoken from its address since its own last control message.
    contradicted: bool,
}

#[derive(Default)]
struct Model {
    members: BTreeMap<SocketAddr, Member>,
    /// Lives that were seen to end, and until when they are refused.
    gone: BTreeMap<u64, Instant>,
}

impl Model {
    /// Somebody who is believed says that it is here.
    fn speaks(&mut self, now: Instant, peer: SocketAddr, life: Option<u64>) -> Vec<Change> {
        let mut changes = Vec::new();
        match self.members.get(&peer) {
            Some(known) if known.life == life => {}
            Some(_) => {
                self.ends(now, peer);
                changes.push((peer, Some(LeaveReason::Restarted)));
                changes.push((peer, None));
            }
            None if self.members.len() == MOST_MEMBERS => return changes,
            None => changes.push((peer, None)),
        }
        let member = Member { life, heard: now, said_who: now, contradicted: false };
        self.members.insert(peer, member);
        changes
    }

    /// A message comes from this address that does not say who speaks.
    fn is_heard(&mut self, now: Instant, peer: SocketAddr) {
        if let Some(member) = self.members.get_mut(&peer) {
            let is_recent = now.saturating_since(member.said_who) < TIMEOUT * 2 / 3;
            if !member.contradicted && (member.life.is_none() || is_recent) {
                member.heard = now;
            }
        }
    }

    /// Somebody who has proven nothing speaks from this address.
    fn contradicts(&mut self, peer: SocketAddr) {
        if let Some(member) = self.members.get_mut(&peer) {
            member.contradicted = true;
        }
    }

    fn is_gone(&self, now: Instant, life: Option<u64>) -> bool {
        life.and_then(|life| self.gone.get(&life)).is_some_and(|until| now < *until)
    }

    fn is_member(&self, peer: SocketAddr, life: Option<u64>) -> bool {
        self.members.get(&peer).is_some_and(|known| known.life == life)
    }

    fn leaves(&mut self, now: Instant, peer: SocketAddr, life: Option<u64>) -> Vec<Change> {
        let is_member = self.is_member(peer, life);
        if is_member {
            self.ends(now, peer);
        }
        is_member.then_some((peer, Some(LeaveReason::SaidGoodbye))).into_iter().collect()
    }

    fn ends(&mut self, now: Instant, peer: SocketAddr) {
        if let Some(Member { life: Some(life), .. }) = self.members.remove(&peer) {
            self.gone.insert(life, now + TIMEOUT);
        }
    }

    /// Whether the member may have been declared silent by now, and whether it must have been.
    fn silence(now: Instant, member: Member) -> (bool, bool) {
        let silent_for = now.saturating_since(member.heard);
        let longest = if member.life.is_some() { LONGEST } else { TIMEOUT };
        (silent_for >= TIMEOUT, silent_for >= longest)
    }
}

struct Bench {
    node: Node<Plain, ChaCha8Rng>,
    model: Model,
    now: Instant,
    /// The present life of each peer and the one before it.
    lives: Vec<[HandMadePeer; 2]>,
    next_life: u64,
}

impl Bench {
    fn new() -> Self {
        let mut config = Config::default();
        config.max_peers = u32::try_from(MOST_MEMBERS).expect("a few");
        let (now, rng) = (Instant::from_millis(1_000), ChaCha8Rng::seed_from_u64(1));
        let wall = HybridTime::from_micros(1);
        let node = Node::new(config, Plain, rng, now, wall).expect("a valid configuration");
        let life = |peer, number| HandMadePeer::new(Self::address(peer), number);
        let lives = (0..PEERS).map(|peer| {
            [2, 1].map(|life_number: u64| life(peer, u64::from(peer) * 2 + life_number))
        });
        Self { node, model: Model::default(), now, lives: lives.collect(), next_life: 100 }
    }

    fn address(peer: u8) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 2 + peer], 5000))
    }

    /// `None` for a classic peer.
    fn life(&self, peer: u8, back: usize) -> Option<u64> {
        let life = self.lives[usize::from(peer)][back].block.incarnation.get();
        (peer < CLASSIC).then_some(life)
    }

    fn restart(&mut self, peer: u8) {
        self.next_life += 1;
        let [present, former] = &mut self.lives[usize::from(peer)];
        let next = HandMadePeer::new(present.addr, self.next_life);
        *former = std::mem::replace(present, next);
    }

    fn apply(&mut self, input: Input) {
        self.now = self.now + Duration::from_micros(1);
        let expected = match input {
            Input::Restart(peer) => {
                self.restart(peer);
                Vec::new()
            }
            Input::Prove(peer) => self.prove(peer),
            Input::Heartbeat(peer) => self.beat(peer, 0),
            Input::Late(peer) => self.beat(peer, 1),
            Input::Leave(peer) => self.leave(peer),
            Input::Data(peer) => {
                self.receive(peer, encoded(&Message::Data(b"data")));
                self.model.is_heard(self.now, Self::address(peer));
                Vec::new()
            }
            Input::Pass(millis) => return self.pass(Duration::from_millis(millis)),
        };
        let changes = self.changes();
        assert_eq!(changes, expected, "after {input:?}");
        self.compare(input);
    }

    fn prove(&mut self, peer: u8) -> Vec<Change> {
        let (at, life) = (Self::address(peer), self.life(peer, 0));
        if life.is_none() {
            self.receive(peer, encoded(&Message::Join(control(None))));
            return self.model.speaks(self.now, at, life);
        }
        self.pass(ANSWER_PAUSE);
        let is_member = self.model.is_member(at, life);
        let hand_made = &mut self.lives[usize::from(peer)][0];
        let others = hand_made.introduce_to(&mut self.node, self.now);
        let changes = others.into_iter().filter_map(change).collect::<Vec<_>>();
        let expected = if self.model.is_gone(self.now, life) && !is_member {
            self.model.contradicts(at);
            Vec::new()
        } else {
            self.model.speaks(self.now, at, life)
        };
        assert_eq!(changes, expected, "{at} proves itself");
        Vec::new()
    }

    fn beat(&mut self, peer: u8, back: usize) -> Vec<Change> {
        let (at, life) = (Self::address(peer), self.life(peer, back));
        if life.is_none() {
            self.receive(peer, encoded(&Message::Heartbeat(control(None))));
            return self.model.speaks(self.now, at, life);
        }
        let heartbeat = self.lives[usize::from(peer)][back].heartbeat();
        self.receive(peer, heartbeat);
        if self.model.is_member(at, life) {
            return self.model.speaks(self.now, at, life);
        }
        self.model.contradicts(at);
        Vec::new()
    }

    fn leave(&mut self, peer: u8) -> Vec<Change> {
        let (at, life) = (Self::address(peer), self.life(peer, 0));
        let leave = match life {
            Some(_) => self.lives[usize::from(peer)][0].leave(),
            None => encoded(&Message::Leave(control(None))),
        };
        self.receive(peer, leave);
        // Who has said goodbye speaks no more, but under a new life.
        self.restart(peer);
        self.model.leaves(self.now, at, life)
    }

    fn receive(&mut self, peer: u8, mut datagram: Vec<u8>) {
        let _ = self.node.handle_datagram(self.now, Self::address(peer), &mut datagram);
    }

    /// Time goes by; the node is called whenever it has asked to be.
    fn pass(&mut self, duration: Duration) {
        let end = self.now + duration;
        while let Some(deadline) = self.node.poll_timeout().filter(|deadline| deadline.at <= end) {
            self.now = self.now.max(deadline.at);
            self.node.handle_timeout(self.now);
            self.follow_silence();
        }
        self.now = end;
        self.compare(Input::Pass(u64::try_from(duration.as_millis()).expect("a few seconds")));
    }

    /// Members that fell silent are gone when they may be, and not later than they must be.
    fn follow_silence(&mut self) {
        for (peer, why) in self.changes() {
            assert_eq!(why, Some(LeaveReason::Silent), "nothing else comes by itself");
            let member = self.model.members.remove(&peer).expect("only members leave");
            let (may_be_gone, _) = Model::silence(self.now, member);
            assert!(may_be_gone, "{peer} at {:?}, heard at {:?}", self.now, member.heard);
            if let Member { life: Some(life), contradicted: true, .. } = member {
                self.model.gone.insert(life, self.now + TIMEOUT);
            }
        }
        let overdue = self.model.members.values();
        let mut overdue = overdue.filter(|member| Model::silence(self.now, **member).1);
        assert!(overdue.next().is_none(), "somebody stays who has been silent for too long");
    }

    fn changes(&mut self) -> Vec<Change> {
        let mut buffer = [0; 4_096];
        std::iter::from_fn(|| self.node.poll_action(&mut buffer)).filter_map(change).collect()
    }

    /// Who is a member, and since when silent, is what the model says.
    fn compare(&self, input: Input) {
        let members: BTreeSet<_> = self
            .node
            .members()
            .map(|peer| (peer.addr, peer.incarnation.map(Incarnation::get), peer.last_heard))
            .collect();
        let model = self.model.members.iter();
        let model: BTreeSet<_> =
            model.map(|(at, member)| (*at, member.life, member.heard)).collect();
        assert_eq!(members, model, "after {input:?}");
    }
}

fn change(action: Action) -> Option<Change> {
    match action {
        Action::Peer(PeerEvent::Joined { peer, .. }) => Some((peer, None)),
        Action::Peer(PeerEvent::Left { peer, why }) => Some((peer, Some(why))),
        _ => None,
    }
}

proptest! {
    #[test]
    fn members_are_who_spoke_within_the_timeout_and_did_not_leave(
        inputs in prop::collection::vec(input(), 0..120),
    ) {
        let mut bench = Bench::new();
        for input in inputs {
            bench.apply(input);
        }
    }
}
