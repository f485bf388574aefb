//! The envelope: a message is sealed, something is done to the datagram, and it must open exactly
//! if that left it as it was.

use alan_proto::Incarnation;
use alan_proto::envelope::{Effort, Envelope, Key, Recipient, Sealed, Unopened};
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

use crate::input::Input;

const PREFIX: usize = 24;
const SUFFIX: usize = 16;

pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let key = key(input.byte());
    if input.byte().is_multiple_of(4) {
        return open_any(key, input.rest());
    }
    let mut envelope = Sealed::new(&Key::from_bytes(&key).expect("32 bytes"));
    let mut rng = ChaCha8Rng::seed_from_u64(input.any());
    let recipient = recipient(&mut input, &mut envelope, &mut rng);
    let message = input.bytes().to_vec();
    let sealed = seal(&mut envelope, &mut rng, recipient, &message, input.byte());
    let again = seal(&mut envelope, &mut rng, recipient, &message, 1);
    assert_ne!(again[..PREFIX], sealed[..PREFIX], "a nonce");
    let mut altered = sealed.clone();
    let (original, mut key) = (key, key);
    while !input.is_over() {
        alter(&mut input, &mut altered, &mut key);
    }
    let same_key = key == original;
    let mut receiver = Sealed::new(&Key::from_bytes(&key).expect("32 bytes"));
    let before = altered.clone();
    let opened = receiver.open(&mut altered, Effort::Full).message().ok();
    let opened = opened.map(|message| message.to_vec());
    if same_key && before == sealed {
        assert_eq!(opened, Some(message));
    } else {
        assert_eq!(opened, None, "{before:02x?} is not what was sealed");
        assert_eq!(altered, before, "what does not open is left as it was");
    }
}

/// Before and after the envelope's life has begun, with a random or a structured nonce.
fn recipient(input: &mut Input<'_>, envelope: &mut Sealed, rng: &mut ChaCha8Rng) -> Recipient {
    if let Some(own) = Incarnation::new(input.byte().into()) {
        envelope.begin(own, rng);
    }
    input.pick(&[Recipient::Anyone, Recipient::Everyone, Recipient::Member(1)])
}

/// None of the keys that the vectors were sealed under.
fn key(byte: u8) -> [u8; 32] {
    let mut key = [byte; 32];
    key[31] = !byte;
    key
}

/// Bytes that nobody sealed don't open: no input is a forgery, for all that a fuzzer can do.
/// The key is one that this target never seals under, since the fuzzer looks over its shoulder.
fn open_any(mut key: [u8; 32], bytes: &[u8]) {
    key[0] ^= 0xff;
    let mut envelope = Sealed::new(&Key::from_bytes(&key).expect("32 bytes"));
    let mut datagram = bytes.to_vec();
    let opening = envelope.open(&mut datagram, Effort::Full);
    assert!(matches!(opening.outcome, Err(Unopened::Unsealed { .. })), "{opening:?}");
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
