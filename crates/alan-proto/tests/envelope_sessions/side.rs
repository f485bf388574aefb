//! One end of a conversation, with everything that a node would know of its own.

use alan_proto::Incarnation;
use alan_proto::envelope::{
    Channel, Effort, Envelope, Key, Keyring, Opened, Origin, Proof, Recipient, Sealed, Unopened,
};
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

pub(crate) const PREFIX: usize = 24;
pub(crate) const SUFFIX: usize = 16;

pub(crate) fn key(byte: u8) -> Key {
    Key::from_bytes(&[byte; Key::LEN]).expect("32 bytes")
}

/// Seals with the first key, opens with all.
pub(crate) fn keyring(keys: &[u8]) -> Keyring {
    let (sealing, opening) = keys.split_first().expect("a key to seal with");
    opening.iter().fold(Keyring::new(key(*sealing)), |ring, byte| {
        ring.with_opening(key(*byte)).expect("there are few")
    })
}

pub(crate) fn incarnation(number: u64) -> Incarnation {
    Incarnation::new(number).expect("not zero")
}

/// What opening a datagram comes to, without the datagram.
pub(crate) type Outcome = Result<(Vec<u8>, Origin), Unopened>;

pub(crate) struct Side {
    pub(crate) envelope: Sealed,
    pub(crate) rng: ChaCha8Rng,
    pub(crate) incarnation: Incarnation,
}

impl Side {
    pub(crate) fn new(number: u64) -> Self {
        Self::with_keys(number, &[7])
    }

    pub(crate) fn with_keys(number: u64, keys: &[u8]) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(number);
        let mut envelope = Sealed::with_keyring(keyring(keys));
        envelope.begin(incarnation(number), &mut rng);
        Self { envelope, rng, incarnation: incarnation(number) }
    }

    pub(crate) fn seal(&mut self, recipient: Recipient, message: &[u8]) -> Vec<u8> {
        let mut datagram = [&[0xee; PREFIX], message, &[0xee; SUFFIX]].concat();
        self.envelope.seal(&mut self.rng, recipient, &mut datagram);
        datagram
    }

    /// Opens a copy; one that does not open must be left as it was.
    pub(crate) fn open(&mut self, datagram: &[u8]) -> Outcome {
        let mut copy = datagram.to_vec();
        let opened = self.envelope.open(&mut copy, Effort::Full).outcome;
        let opened = opened.map(|Opened { message, origin }| (message.to_vec(), origin));
        assert!(opened.is_ok() || copy == datagram, "it did not open and is altered: {opened:?}");
        opened
    }

    pub(crate) fn trials(&mut self, datagram: &[u8]) -> u8 {
        self.envelope.open(&mut datagram.to_vec(), Effort::Full).trials
    }

    /// What proves to this side that `other` is there.
    pub(crate) fn proof_of(&mut self, other: &mut Self) -> Proof {
        let hello = other.seal(Recipient::Everyone, b"hello");
        match self.open(&hello) {
            Ok((_, Origin::Stranger { proof: Some(proof), bound: false })) => proof,
            unexpected => panic!("{unexpected:?}"),
        }
    }

    /// Takes `other` in as the member in slot `member`, and gives the channel for it.
    pub(crate) fn admit(&mut self, member: usize, other: &mut Self) -> Channel {
        let proof = self.proof_of(other);
        let channel = self.envelope.admit(member, other.incarnation, Some(proof));
        channel.expect("it is proven")
    }
}

pub(crate) const A: usize = 4;
pub(crate) const B: usize = 9;

/// Two sides of which each has the other as a member: `a` in slot `A` of `b`, `b` in slot `B` of
/// `a`.
pub(crate) fn pair() -> (Side, Side) {
    let (mut a, mut b) = (Side::new(1), Side::new(2));
    introduce(&mut a, &mut b);
    (a, b)
}

pub(crate) fn introduce(a: &mut Side, b: &mut Side) {
    let from_a = a.admit(B, b);
    let from_b = b.admit(A, a);
    a.envelope.announced(B, from_b);
    b.envelope.announced(A, from_a);
}

pub(crate) fn said(message: &[u8], origin: Origin) -> (Vec<u8>, Origin) {
    (message.to_vec(), origin)
}

pub(crate) fn counter_of(datagram: &[u8]) -> u64 {
    u64::from_be_bytes(datagram[16..PREFIX].try_into().expect("8 bytes"))
}
