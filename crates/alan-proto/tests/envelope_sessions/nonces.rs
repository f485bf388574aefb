//! Under one key no nonce comes twice, whatever a node does with its envelope.

use std::collections::BTreeSet;

use alan_proto::envelope::{Envelope, Recipient, Sealed};
use proptest::collection::vec;
use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_core::{CryptoRng, SeedableRng};

use crate::side::{PREFIX, SUFFIX, Side, counter_of, incarnation, key, keyring, pair};

fn sequence_of(datagram: &[u8]) -> u64 {
    counter_of(datagram) & ((1 << 48) - 1)
}

/// What a node may do with its envelope.
#[derive(Clone, Debug)]
enum Step {
    Admit(usize),
    Dismiss(usize),
    Seal(Option<usize>),
    Random,
    Rotate(u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    // Slots of which two have the same channel.
    let slot = || prop_oneof![Just(0usize), Just(1), Just(2), Just(32_767)];
    vec(
        prop_oneof![
            2 => slot().prop_map(Step::Admit),
            1 => slot().prop_map(Step::Dismiss),
            4 => proptest::option::of(slot()).prop_map(Step::Seal),
            1 => Just(Step::Random),
            1 => (1..4u8).prop_map(Step::Rotate),
        ],
        0..200,
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_nonce_repeats_and_sequences_rise_whatever_a_node_does(steps in steps()) {
        let mut node = Side::new(1);
        let mut nonces = BTreeSet::new();
        let mut next = [0; 4];
        let mut announced = 0;
        let mut others = 2..;
        for step in steps {
            let recipient = match step {
                Step::Admit(member) => {
                    let mut other = Side::new(others.next().expect("there is no end"));
                    let channel = node.admit(member, &mut other);
                    prop_assert!(channel.first > announced, "each starts above all others");
                    announced = channel.first;
                    prop_assert_eq!(node.envelope.channel(member), Some(channel));
                    continue;
                }
                Step::Dismiss(member) => {
                    node.envelope.dismiss(member);
                    continue;
                }
                Step::Rotate(byte) => {
                    node.envelope.set_keyring(keyring(&[byte, 7]));
                    continue;
                }
                Step::Seal(None) => Recipient::Everyone,
                Step::Seal(Some(member)) => Recipient::Member(member),
                Step::Random => Recipient::Anyone,
            };
            let expected = match recipient {
                Recipient::Everyone => Some((0, None)),
                Recipient::Member(member) => node.envelope.channel(member).map(|c| (c.number, Some(c.first))),
                _ => None,
            };
            let datagram = node.seal(recipient, b"");
            prop_assert!(nonces.insert(datagram[..PREFIX].to_vec()), "a nonce was used twice");
            let Some((number, first)) = expected else { continue };
            let counter = counter_of(&datagram);
            prop_assert_eq!(counter >> 63 == 1, first.is_some());
            prop_assert_eq!(counter >> 48 & 0x7fff, u64::from(number));
            let sequence = sequence_of(&datagram);
            prop_assert!(first.is_none_or(|first| first == sequence));
            let next = &mut next[usize::from(number)];
            prop_assert!(sequence >= *next, "sequences rise");
            *next = sequence + 1;
            announced = announced.max(sequence);
        }
    }

    #[test]
    fn bytes_that_nobody_sealed_do_not_open_under_a_members_session(
        counter: u64,
        rest in vec(any::<u8>(), 0..100),
    ) {
        let (mut a, mut b) = pair();
        let genuine = a.seal(Recipient::Everyone, b"");
        let forged = [&genuine[..16], &counter.to_be_bytes(), &rest].concat();
        prop_assert!(b.open(&forged).is_err());
        prop_assert!(b.open(&genuine).is_ok());
    }
}

#[test]
fn two_lives_of_one_incarnation_have_different_sessions() {
    fn session(rng: &mut impl CryptoRng) -> Vec<u8> {
        let mut envelope = Sealed::new(&key(7));
        envelope.begin(incarnation(1), rng);
        let mut datagram = [0; PREFIX + SUFFIX];
        envelope.seal(rng, Recipient::Everyone, &mut datagram);
        datagram[..16].to_vec()
    }
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let (first, second) = (session(&mut rng), session(&mut rng));
    assert_eq!(first[..8], 1u64.to_be_bytes());
    assert_eq!(first[..8], second[..8]);
    assert_ne!(first, second);
}
