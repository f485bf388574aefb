//! What sealed datagrams say: opened with the cluster's key, as each life that they may be for.

use std::net::SocketAddr;

use alan_proto::Incarnation;
use alan_proto::envelope::{Effort, Envelope, Key as Secret, Sealed};
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

use crate::place::{Place, place_of};
use crate::trace::Meaning;

/// Opens a copy of what nodes seal.
#[derive(Debug)]
pub(super) struct Spy {
    secret: Secret,
    /// Opens what is not for one life only.
    anyone: Sealed,
    /// An envelope for each life at each place, the latest last.
    lives: Vec<Vec<Sealed>>,
    /// Draws what an envelope needs to seal, which these never do.
    rng: ChaCha8Rng,
}

impl Spy {
    pub(super) fn new(secret: &Secret, nodes: usize) -> Self {
        Self {
            secret: secret.clone(),
            anyone: Sealed::new(secret),
            lives: std::iter::repeat_with(Vec::new).take(nodes).collect(),
            rng: ChaCha8Rng::seed_from_u64(0),
        }
    }

    /// A node starts at this place, under this name.
    pub(super) fn born(&mut self, node: Place, life: Incarnation) {
        let mut envelope = Sealed::new(&self.secret);
        envelope.begin(life, &mut self.rng);
        self.lives[node.index()].push(envelope);
    }

    /// What a datagram to this address says. It is opened in place.
    pub(super) fn meaning(&mut self, to: SocketAddr, datagram: &mut [u8]) -> Meaning {
        let place = place_of(to).map(|(place, _)| place.index());
        let lives = place.and_then(|place| self.lives.get_mut(place));
        // Mostly it is for the latest life; its sender may only know an earlier one.
        let envelopes = lives.into_iter().flatten().rev().chain([&mut self.anyone]);
        for envelope in envelopes {
            if let Ok(opened) = envelope.open(datagram, Effort::Full).outcome {
                return Meaning::of(opened.message);
            }
        }
        Meaning::Noise
    }
}
