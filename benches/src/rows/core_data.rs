//! The protocol core without a socket: one member makes a datagram, another takes it in.

use std::hint::black_box;
use std::net::SocketAddr;
use std::time::Duration;

use alan_proto::envelope::{AnyEnvelope, Key};
use alan_proto::{Action, Config, Delivery, HybridTime, Instant, Node};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use crate::bare::XChaCha;
use crate::statistics::Sample;
use crate::{Failure, measure};

const OPERATIONS: u32 = 5_000;
const PAYLOAD: [u8; 64] = [1; 64];

pub(super) fn plain(repetitions: u32) -> Result<Vec<Sample>, Failure> {
    run(repetitions, None)
}

pub(super) fn sealed(repetitions: u32) -> Result<Vec<Sample>, Failure> {
    run(repetitions, Some(&Key::from_bytes(&[7; Key::LEN])?))
}

/// The baseline seals and opens the same bytes and does nothing else.
fn run(repetitions: u32, key: Option<&Key>) -> Result<Vec<Sample>, Failure> {
    let mut pair = Pair::new(key)?;
    pair.meet()?;
    let mut cipher = XChaCha::new();
    let mut datagram = [0; PAYLOAD.len() + XChaCha::OVERHEAD];
    measure::interleave(
        repetitions,
        OPERATIONS,
        |operations| (0..operations).try_for_each(|_| pair.send_one()),
        |operations| {
            for _ in 0..operations {
                cipher.seal(black_box(&mut datagram))?;
                black_box(cipher.open(black_box(&mut datagram))?);
            }
            Ok(())
        },
    )
}

/// Two nodes and the time.
struct Pair {
    now: Instant,
    nodes: [Node<AnyEnvelope, ChaCha20Rng>; 2],
    addresses: [SocketAddr; 2],
    buffer: Vec<u8>,
}

impl Pair {
    fn new(key: Option<&Key>) -> Result<Self, Failure> {
        let now = Instant::from_millis(1);
        let config = Config::default();
        let addresses = [1, 2].map(|number| SocketAddr::from(([127, 0, 0, number], config.port)));
        let node = |seed| {
            let generator = ChaCha20Rng::from_seed([seed; 32]);
            Node::new(
                config.clone(),
                AnyEnvelope::new(key),
                generator,
                now,
                HybridTime::from_micros(1),
            )
        };
        Ok(Self {
            now,
            nodes: [node(1)?, node(2)?],
            addresses,
            buffer: vec![0; config.buffer_size],
        })
    }

    /// Lets both discover each other, and carries their datagrams until they have nothing to say.
    fn meet(&mut self) -> Result<(), Failure> {
        for node in &mut self.nodes {
            node.handle_discovery(self.now, &self.addresses);
        }
        let mut quiet = false;
        while !quiet {
            quiet = true;
            for (sender, receiver) in [(0, 1), (1, 0)] {
                while let Some(action) = self.nodes[sender].poll_action(&mut self.buffer) {
                    quiet = false;
                    self.now = self.now + Duration::from_micros(20);
                    if let Action::Transmit(transmit) = action
                        && transmit.to == self.addresses[receiver]
                    {
                        let datagram = &mut self.buffer[..transmit.len];
                        let from = self.addresses[sender];
                        let delivery =
                            self.nodes[receiver].handle_datagram(self.now, from, datagram);
                        if delivery.is_some() {
                            return Err("nobody has sent a payload yet".into());
                        }
                    }
                }
            }
        }
        if self.nodes.iter().all(|node| node.peer_count() == 1) {
            Ok(())
        } else {
            Err("the two do not know each other".into())
        }
    }

    /// What an adapter does for one datagram on either side, but for the system calls.
    fn send_one(&mut self) -> Result<(), Failure> {
        self.now = self.now + Duration::from_micros(1);
        let [sender, receiver] = &mut self.nodes;
        let [from, to] = self.addresses;
        let transmit = sender.send_to(self.now, to, black_box(&PAYLOAD), &mut self.buffer)?;
        if sender.poll_action(&mut []).is_some() {
            return Err("there is nothing to do but to send".into());
        }
        black_box(sender.poll_timeout());
        let datagram = black_box(&mut self.buffer[..transmit.len]);
        match receiver.handle_datagram(self.now, from, datagram) {
            Some(Delivery::Message { payload, .. }) if payload.len() == PAYLOAD.len() => {
                black_box(payload);
            }
            _ => return Err("the message was not delivered".into()),
        }
        if receiver.poll_action(&mut []).is_some() {
            return Err("there is nothing to do but to deliver".into());
        }
        black_box(receiver.poll_timeout());
        Ok(())
    }
}
