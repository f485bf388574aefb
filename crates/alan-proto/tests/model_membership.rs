//! Membership against a table so small that it is obviously right: who spoke last, and when.
//!
//! No datagram is replayed, and none of a former life comes while its successor is a member. What
//! may come late is a heartbeat of somebody who has gone.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use alan_proto::envelope::Plain;
use alan_proto::wire::{Control, Message, SessionBlock};
use alan_proto::{Action, Config, Incarnation, Instant, LeaveReason, Node, PeerEvent};
use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

const PEERS: u8 = 5;
/// From this one on, peers are classic: they have no lives, for all that others can tell.
const CLASSIC: u8 = 3;
const MOST_MEMBERS: usize = 4;
const TIMEOUT: Duration = Duration::from_secs(15);

#[derive(Clone, Copy, Debug)]
enum Input {
    /// The peer dies, and starts anew, without a word.
    Restart(u8),
    Join(u8),
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
        4 => peer.clone().prop_map(Input::Join),
        6 => peer.clone().prop_map(Input::Heartbeat),
        4 => peer.clone().prop_map(Input::Data),
        2 => peer.clone().prop_map(Input::Leave),
        3 => peer.prop_map(Input::Late),
        4 => (0u64..20_000).prop_map(Input::Pass),
    ]
}

/// A change of the membership, without the incarnation.
type Change = (SocketAddr, Option<LeaveReason>);

#[derive(Default)]
struct Model {
    members: BTreeMap<SocketAddr, (Option<u64>, Instant)>,
    /// Lives that were seen to end, and until when they are refused.
    gone: BTreeMap<u64, Instant>,
}

impl Model {
    fn speaks(&mut self, now: Instant, peer: SocketAddr, life: Option<u64>) -> Vec<Change> {
        let mut changes = Vec::new();
        match self.members.get(&peer) {
            Some((known, _)) if *known == life => {}
            Some(_) => {
                self.ends(now, peer);
                changes.push((peer, Some(LeaveReason::Restarted)));
                changes.push((peer, None));
            }
            None => {
                let refused = life.and_then(|life| self.gone.get(&life));
                if refused.is_some_and(|until| now < *until) || self.members.len() == MOST_MEMBERS {
                    return changes;
                }
                changes.push((peer, None));
            }
        }
        self.members.insert(peer, (life, now));
        changes
    }

    fn leaves(&mut self, now: Instant, peer: SocketAddr, life: Option<u64>) -> Vec<Change> {
        let is_member = self.members.get(&peer).is_some_and(|(known, _)| *known == life);
        if is_member {
            self.ends(now, peer);
        }
        is_member.then_some((peer, Some(LeaveReason::SaidGoodbye))).into_iter().collect()
    }

    fn ends(&mut self, now: Instant, peer: SocketAddr) {
        if let Some((Some(life), _)) = self.members.remove(&peer) {
            self.gone.insert(life, now + TIMEOUT);
        }
    }

    fn passes(&mut self, now: Instant) -> Vec<Change> {
        let silent = self.members.iter().filter(|(_, (_, heard))| *heard + TIMEOUT <= now);
        let silent: Vec<_> = silent.map(|(peer, _)| *peer).collect();
        self.members.retain(|peer, _| !silent.contains(peer));
        silent.into_iter().map(|peer| (peer, Some(LeaveReason::Silent))).collect()
    }
}

struct Bench {
    node: Node<Plain, ChaCha8Rng>,
    model: Model,
    now: Instant,
    lives: [u64; PEERS as usize],
}

impl Bench {
    fn new() -> Self {
        let mut config = Config::default();
        config.max_peers = u32::try_from(MOST_MEMBERS).expect("a few");
        let (now, rng) = (Instant::from_millis(1_000), ChaCha8Rng::seed_from_u64(1));
        let node = Node::new(config, Plain, rng, now).expect("a valid configuration");
        Self { node, model: Model::default(), now, lives: [1; PEERS as usize] }
    }

    fn address(peer: u8) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 2 + peer], 5000))
    }

    /// A number that no other life of any peer has; `None` for a classic peer.
    fn life(&self, peer: u8, back: u64) -> Option<u64> {
        let life = self.lives[usize::from(peer)].saturating_sub(back);
        (peer < CLASSIC).then_some(u64::from(peer) * 1_000_000 + life + 1)
    }

    fn apply(&mut self, input: Input) {
        let expected = match input {
            Input::Restart(peer) => {
                self.lives[usize::from(peer)] += 1;
                Vec::new()
            }
            Input::Join(peer) => self.hear(peer, 0, Message::Join),
            Input::Heartbeat(peer) => self.hear(peer, 0, Message::Heartbeat),
            Input::Late(peer) => {
                let (at, life) = (Self::address(peer), self.life(peer, 1));
                let present = self.model.members.get(&at).map(|(known, _)| *known);
                if present.is_some_and(|known| known != life) {
                    return; // A former life while its successor is here: not in this model.
                }
                self.hear(peer, 1, Message::Heartbeat)
            }
            Input::Leave(peer) => {
                let (at, life) = (Self::address(peer), self.life(peer, 0));
                self.receive(peer, &Message::Leave(control(life)));
                // Who has said goodbye speaks no more, but under a new life.
                self.lives[usize::from(peer)] += 1;
                self.model.leaves(self.now, at, life)
            }
            Input::Data(peer) => {
                self.receive(peer, &Message::Data(b"data"));
                if let Some((_, heard)) = self.model.members.get_mut(&Self::address(peer)) {
                    *heard = self.now;
                }
                Vec::new()
            }
            Input::Pass(millis) => {
                self.now = self.now + Duration::from_millis(millis);
                self.node.handle_timeout(self.now);
                self.model.passes(self.now)
            }
        };
        self.compare(input, expected);
    }

    fn hear(
        &mut self,
        peer: u8,
        back: u64,
        message: impl Fn(Control) -> Message<'static>,
    ) -> Vec<Change> {
        let life = self.life(peer, back);
        self.receive(peer, &message(control(life)));
        self.model.speaks(self.now, Self::address(peer), life)
    }

    fn receive(&mut self, peer: u8, message: &Message<'_>) {
        let mut datagram = vec![0; message.encoded_len()];
        message.encode(&mut datagram);
        let _ = self.node.handle_datagram(self.now, Self::address(peer), &mut datagram);
    }

    /// What came out is what the model says, and so is who is a member, and since when silent.
    fn compare(&mut self, input: Input, mut expected: Vec<Change>) {
        let mut buffer = [0; 4_096];
        let actions = std::iter::from_fn(|| self.node.poll_action(&mut buffer));
        let mut changes: Vec<_> = actions
            .filter_map(|action| match action {
                Action::Peer(PeerEvent::Joined { peer, .. }) => Some((peer, None)),
                Action::Peer(PeerEvent::Left { peer, why }) => Some((peer, Some(why))),
                _ => None,
            })
            .collect();
        if matches!(input, Input::Pass(_)) {
            // Who fell silent in the same step did so in no order that matters.
            changes.sort_by_key(|change| change.0);
            expected.sort_by_key(|change| change.0);
        }
        assert_eq!(changes, expected, "after {input:?}");
        let members: BTreeSet<_> = self
            .node
            .members()
            .map(|peer| (peer.addr, peer.incarnation.map(Incarnation::get), peer.last_heard))
            .collect();
        let model = self.model.members.iter();
        let model: BTreeSet<_> = model.map(|(at, &(life, heard))| (*at, life, heard)).collect();
        assert_eq!(members, model, "after {input:?}");
    }
}

fn control(life: Option<u64>) -> Control {
    let incarnation = life.map(|life| Incarnation::new(life).expect("not zero"));
    Control { port: 5000, block: incarnation.map(SessionBlock::new) }
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
