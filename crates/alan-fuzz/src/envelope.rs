//! The envelope: a message is sealed, something is done to the datagram, and it must open exactly
//! if that left it as it was.

use alan_proto::Incarnation;
use alan_proto::envelope::{Channel, Envelope, Key, Opened, Origin, Recipient, Sealed, Unopened};
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

use crate::input::Input;

const PREFIX: usize = 24;
const SUFFIX: usize = 16;

/// The sender's slot at the receiver, and the receiver's at the sender.
const MEMBER: usize = 3;

pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let key = key(input.byte());
    let choice = input.byte();
    if choice.is_multiple_of(4) {
        return open_any(&key, input.rest());
    }
    let mut rng = ChaCha8Rng::seed_from_u64(input.any());
    let (mut sender, mut receiver) = (envelope(&key, 1, &mut rng), envelope(&key, 2, &mut rng));
    if choice & 4 != 0 {
        introduce(&mut sender, &mut receiver, &mut rng);
    }
    let recipient =
        input.pick(&[Recipient::Anyone, Recipient::Everyone, Recipient::Member(MEMBER)]);
    let message = input.bytes().to_vec();
    let sealed = seal(&mut sender, &mut rng, recipient, &message, input.byte());
    let next = seal(&mut sender, &mut rng, recipient, &message, 1);
    assert_ne!(next[..PREFIX], sealed[..PREFIX], "a nonce was used twice");
    let mut altered = sealed.clone();
    let (original, mut key) = (key, key);
    while !input.is_over() {
        alter(&mut input, &mut altered, &mut key);
    }
    if key != original {
        receiver = envelope(&key, 2, &mut rng);
    }
    let before = altered.clone();
    let opened = receiver.open(&mut altered).message().map(|message| message.to_vec());
    if key == original && before == sealed {
        assert_eq!(opened, Ok(message));
        let again = receiver.open(&mut before.clone()).outcome.map(|opened| opened.origin);
        assert!(
            matches!(again, Ok(Origin::Stranger { .. }) | Err(Unopened::Replayed { .. })),
            "{again:?}: a member's datagram opens once"
        );
    } else {
        assert!(opened.is_err(), "{before:02x?} is not what was sealed");
        assert_eq!(altered, before, "what does not open is left as it was");
    }
}

fn envelope(key: &[u8; 32], number: u64, rng: &mut ChaCha8Rng) -> Sealed {
    let mut envelope = Sealed::new(&Key::from_bytes(key).expect("32 bytes"));
    envelope.begin(Incarnation::new(number).expect("not zero"), rng);
    envelope
}

/// Makes each a member of the other.
fn introduce(ours: &mut Sealed, theirs: &mut Sealed, rng: &mut ChaCha8Rng) {
    let from_them = admit(ours, theirs, rng);
    let from_us = admit(theirs, ours, rng);
    ours.announced(MEMBER, from_us);
    theirs.announced(MEMBER, from_them);
}

fn admit(host: &mut Sealed, guest: &mut Sealed, rng: &mut ChaCha8Rng) -> Channel {
    let mut hello = seal(guest, rng, Recipient::Everyone, b"hello", 0);
    let Ok(Opened { origin: Origin::Stranger { proof: Some(proof), .. }, .. }) =
        host.open(&mut hello).outcome
    else {
        panic!("a stranger's datagram opens");
    };
    host.admit(MEMBER, proof.incarnation(), Some(proof)).expect("it is proven")
}

/// None of the keys that the vectors were sealed under.
fn key(byte: u8) -> [u8; 32] {
    let mut key = [byte; 32];
    key[31] = !byte;
    key
}

/// Bytes that nobody sealed don't open: no input is a forgery, for all that a fuzzer can do.
fn open_any(key: &[u8; 32], bytes: &[u8]) {
    let mut envelope = envelope(key, 1, &mut ChaCha8Rng::seed_from_u64(0));
    let mut datagram = bytes.to_vec();
    assert!(envelope.open(&mut datagram).outcome.is_err());
    assert_eq!(datagram, bytes);
}

/// Seals into a buffer that was in use before.
fn seal(
    envelope: &mut Sealed,
    rng: &mut ChaCha8Rng,
    recipient: Recipient,
    message: &[u8],
    used: u8,
) -> Vec<u8> {
    assert_eq!((envelope.prefix(), envelope.suffix()), (PREFIX, SUFFIX));
    let mut datagram = vec![used; PREFIX + message.len() + SUFFIX];
    datagram[PREFIX..PREFIX + message.len()].copy_from_slice(message);
    envelope.seal(rng, recipient, &mut datagram);
    datagram
}

fn alter(input: &mut Input<'_>, datagram: &mut Vec<u8>, key: &mut [u8; 32]) {
    let place = usize::from(input.any::<u16>());
    match input.byte() % 6 {
        0 => key[place % 32] ^= input.byte(),
        1 => datagram.truncate(place % (datagram.len() + 1)),
        2 => datagram.extend_from_slice(input.bytes()),
        3 if !datagram.is_empty() => drop(datagram.remove(place % datagram.len())),
        4 => datagram.insert(place % (datagram.len() + 1), input.byte()),
        _ if !datagram.is_empty() => {
            let place = place % datagram.len();
            datagram[place] ^= input.byte();
        }
        _ => {}
    }
}
