//! What a session saves: a datagram for a member, whose subkey both sides keep, against one for
//! anyone, for which both derive it.

use std::hint::black_box;

use alan_proto::Incarnation;
use alan_proto::envelope::{Channel, Effort, Envelope, Key, Opened, Origin, Recipient, Sealed};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use crate::statistics::Sample;
use crate::{Failure, measure};

const OPERATIONS: u32 = 5_000;
const MEMBER: usize = 0;

pub(super) fn run<const PAYLOAD: usize>(repetitions: u32) -> Result<Vec<Sample>, Failure> {
    let mut members = Pair::new()?;
    members.meet()?;
    let mut strangers = Pair::new()?;
    let (mut member_buffer, mut stranger_buffer) = ([0; 2_048], [0; 2_048]);
    let len = PAYLOAD + members.sender.prefix() + members.sender.suffix();
    let (for_member, for_anyone) = (&mut member_buffer[..len], &mut stranger_buffer[..len]);
    measure::interleave(
        repetitions,
        OPERATIONS,
        |operations| {
            (0..operations).try_for_each(|_| members.pass(Recipient::Member(MEMBER), for_member))
        },
        |operations| {
            (0..operations).try_for_each(|_| strangers.pass(Recipient::Anyone, for_anyone))
        },
    )
}

struct Pair {
    sender: Sealed,
    receiver: Sealed,
    rng: ChaCha20Rng,
}

impl Pair {
    /// Two envelopes that have not begun: they neither have sessions nor look for any.
    fn new() -> Result<Self, Failure> {
        let key = Key::from_bytes(&[7; Key::LEN])?;
        let rng = ChaCha20Rng::seed_from_u64(1);
        Ok(Self { sender: Sealed::new(&key), receiver: Sealed::new(&key), rng })
    }

    /// Makes each a member of the other.
    fn meet(&mut self) -> Result<(), Failure> {
        let Self { sender, receiver, rng } = self;
        sender.begin(Incarnation::new(1).ok_or("zero")?, rng);
        receiver.begin(Incarnation::new(2).ok_or("zero")?, rng);
        admit(sender, receiver, rng)?;
        admit(receiver, sender, rng)?;
        let channel = sender.channel(MEMBER).ok_or("it was admitted")?;
        receiver.announced(MEMBER, channel);
        Ok(())
    }

    /// Seals what stands in the buffer, and opens it.
    fn pass(&mut self, recipient: Recipient, datagram: &mut [u8]) -> Result<(), Failure> {
        self.sender.seal(&mut self.rng, recipient, black_box(&mut *datagram));
        black_box(self.receiver.open(black_box(datagram), Effort::Full).message()?);
        Ok(())
    }
}

fn admit(host: &mut Sealed, guest: &mut Sealed, rng: &mut ChaCha20Rng) -> Result<Channel, Failure> {
    let mut hello = vec![0; guest.prefix() + guest.suffix()];
    guest.seal(rng, Recipient::Everyone, &mut hello);
    match host.open(&mut hello, Effort::Full).outcome? {
        Opened { origin: Origin::Stranger { proof: Some(proof), .. }, .. } => {
            Ok(host.admit(MEMBER, proof.incarnation(), Some(proof)).ok_or("it is proven")?)
        }
        _ => Err("a stranger's hello has its proof".into()),
    }
}
