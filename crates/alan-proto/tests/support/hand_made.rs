//! A peer without a node in it: it proves itself as any other, and then says what a test wants.

use std::net::SocketAddr;
use std::time::Duration;

use alan_proto::envelope::Envelope;
use alan_proto::wire::{Challenge, Control, Echo, Message, SessionBlock, Settings};
use alan_proto::{Action, Incarnation, Instant, Node};
use rand_core::CryptoRng;

use super::{Cluster, block, encoded};

/// Plays one life of an extended peer towards one node, in clear text.
#[derive(Clone, Debug)]
pub(crate) struct HandMadePeer {
    pub(crate) addr: SocketAddr,
    /// What it says of itself in each block; its stamps rise by a microsecond a message.
    pub(crate) block: SessionBlock,
    heard: Option<Heard>,
}

/// The newest control message that it got.
#[derive(Clone, Copy, Debug)]
struct Heard {
    incarnation: Incarnation,
    sent_at: Instant,
    challenge: Option<Challenge>,
}

impl HandMadePeer {
    pub(crate) fn new(addr: SocketAddr, incarnation: u64) -> Self {
        let mut block = block(incarnation);
        // As a node with the default configuration.
        block.settings = Settings { cluster_size: 0, lease_millis: 15_000, drift_ppm: 10_000 };
        Self { addr, block, heard: None }
    }

    /// Takes in a datagram; remembers what the newest control message wants back.
    pub(crate) fn hear(&mut self, datagram: &[u8]) {
        let message = Message::decode(datagram).expect("nodes send what parses");
        let (Message::Join(control) | Message::Heartbeat(control)) = message else {
            return;
        };
        if let Some(block) = control.block {
            self.heard = Some(Heard {
                incarnation: block.incarnation,
                sent_at: block.times.sent_at,
                challenge: block.challenge,
            });
        }
    }

    /// A JOIN that asks for a proof.
    pub(crate) fn join(&mut self) -> Vec<u8> {
        let mut block = self.stamped();
        block.challenge = Some(Challenge(1));
        encoded(&Message::Join(self.control(block)))
    }

    /// A JOIN that returns the challenge heard last, if there was one.
    pub(crate) fn proof(&mut self) -> Vec<u8> {
        let mut block = self.stamped();
        block.echo = self.echo();
        block.answer = self.heard.and_then(|heard| heard.challenge);
        encoded(&Message::Join(self.control(block)))
    }

    /// A HEARTBEAT that says what was heard last.
    pub(crate) fn heartbeat(&mut self) -> Vec<u8> {
        let mut block = self.stamped();
        block.echo = self.echo();
        encoded(&Message::Heartbeat(self.control(block)))
    }

    pub(crate) fn leave(&mut self) -> Vec<u8> {
        let block = self.stamped();
        encoded(&Message::Leave(self.control(block)))
    }

    fn echo(&self) -> Option<Echo> {
        self.heard.and_then(|heard| Echo::new(heard.incarnation, heard.sent_at, Duration::ZERO))
    }

    fn stamped(&mut self) -> SessionBlock {
        let stamp = self.block.times.sent_at.as_micros();
        self.block.times.sent_at = Instant::from_micros(stamp + 1);
        self.block
    }

    fn control(&self, block: SessionBlock) -> Control {
        Control { port: self.addr.port(), block: Some(block) }
    }

    /// Becomes a member of the node, or tries to: JOIN, its answer, and the proof. Gives what else
    /// the node wanted done.
    pub(crate) fn introduce_to<E: Envelope, R: CryptoRng>(
        &mut self,
        node: &mut Node<E, R>,
        now: Instant,
    ) -> Vec<Action> {
        let mut join = self.join();
        let _ = node.handle_datagram(now, self.addr, &mut join);
        let mut others = self.poll(node);
        let mut proof = self.proof();
        let _ = node.handle_datagram(now, self.addr, &mut proof);
        others.extend(self.poll(node));
        others
    }

    fn poll<E: Envelope, R: CryptoRng>(&mut self, node: &mut Node<E, R>) -> Vec<Action> {
        let mut buffer = [0; 4_096];
        let mut others = Vec::new();
        while let Some(action) = node.poll_action(&mut buffer) {
            match action {
                Action::Transmit(transmit) if transmit.to == self.addr => {
                    self.hear(&buffer[..transmit.len]);
                }
                other => others.push(other),
            }
        }
        others
    }
}

impl Cluster {
    /// Puts a datagram of this peer on the wire, lets it arrive, and gives the peer what the node
    /// has sent it since.
    pub(crate) fn speak(&mut self, peer: &mut HandMadePeer, to: SocketAddr, datagram: &[u8]) {
        let before = self.sent.len();
        self.inject(peer.addr, to, datagram);
        self.run_for(self.latency);
        for sent in &self.sent[before..] {
            if sent.to == peer.addr {
                peer.hear(&sent.bytes);
            }
        }
    }

    /// Makes the peer a member of the node at `to`, or tries to.
    pub(crate) fn introduce(&mut self, peer: &mut HandMadePeer, to: SocketAddr) {
        let join = peer.join();
        self.speak(peer, to, &join);
        let proof = peer.proof();
        self.speak(peer, to, &proof);
    }
}
