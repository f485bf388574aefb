//! Two sealed envelopes that admit each other, and everything that must not open between them.

mod nonces;
mod replay;
mod rotation;
mod side;

use std::collections::BTreeSet;

use alan_proto::NotSealed;
use alan_proto::envelope::{
    AnyEnvelope, Effort, Envelope, Opened, Origin, Plain, Recipient, Sealed, Unopened,
};
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;
use side::{A, B, PREFIX, SUFFIX, Side, counter_of, incarnation, key, keyring, pair, said};

#[test]
fn members_open_what_each_seals_for_the_other_and_for_everyone() {
    let (mut a, mut b) = pair();
    for round in 0..3 {
        let message = [round; 5];
        for recipient in [Recipient::Member(B), Recipient::Everyone] {
            let datagram = a.seal(recipient, &message);
            assert_eq!(b.open(&datagram), Ok(said(&message, Origin::Member(A))), "{recipient:?}");
        }
        for recipient in [Recipient::Member(A), Recipient::Everyone] {
            let datagram = b.seal(recipient, &message);
            assert_eq!(a.open(&datagram), Ok(said(&message, Origin::Member(B))), "{recipient:?}");
        }
    }
}

#[test]
fn what_is_sealed_for_anyone_says_nothing_about_its_sender() {
    let (mut a, mut b) = pair();
    let mut bits = BTreeSet::new();
    for _ in 0..64 {
        let datagram = a.seal(Recipient::Anyone, b"hi");
        bits.insert(counter_of(&datagram) >> 63);
        match b.open(&datagram) {
            Ok((message, Origin::Stranger { bound: false, .. })) => assert_eq!(message, b"hi"),
            unexpected => panic!("{unexpected:?}"),
        }
    }
    assert_eq!(bits.len(), 2, "random nonces with and without the bound bit");
}

#[test]
fn a_bound_datagram_of_a_stranger_opens_and_proves_nothing_about_its_broadcasts() {
    let (mut a, mut b) = pair();
    b.envelope.dismiss(A);
    let bound = Origin::Stranger { bound: true, proof: None };
    let datagram = a.seal(Recipient::Member(B), b"still there?");
    assert_eq!(b.open(&datagram), Ok(said(b"still there?", bound)));
}

#[test]
fn a_member_without_a_session_is_sealed_for_as_if_it_were_anyone() {
    let mut a = Side::new(1);
    assert_eq!(a.envelope.admit(3, incarnation(2), None), None);
    assert_eq!(a.envelope.channel(3), None);
    let datagram = a.seal(Recipient::Member(3), b"classic");
    assert!(matches!(Side::new(2).open(&datagram), Ok((_, Origin::Stranger { bound: false, .. }))));
}

#[test]
fn what_is_bound_to_one_member_opens_at_no_other_and_not_after_its_restart() {
    let (mut a, mut b) = pair();
    let mut other = Side::new(3);
    other.admit(A, &mut a);
    let datagram = a.seal(Recipient::Member(B), b"for b");
    for receiver in [&mut other, &mut Side::new(4)] {
        assert_eq!(receiver.open(&datagram), Err(Unopened::Unsealed { bound: true }));
    }
    assert!(b.open(&datagram).is_ok());
}

#[test]
fn a_proof_of_another_life_admits_nobody() {
    let (mut a, mut b) = (Side::new(1), Side::new(2));
    let proof = a.proof_of(&mut b);
    assert_eq!(proof.incarnation(), b.incarnation);
    assert_eq!(a.envelope.admit(B, incarnation(3), Some(proof)), None);
    assert_eq!(a.envelope.admit(65_536, b.incarnation, Some(proof)), None);
    assert!(matches!(
        a.open(&b.seal(Recipient::Everyone, b"stranger")),
        Ok((_, Origin::Stranger { bound: false, proof: Some(_) }))
    ));
}

#[test]
fn a_session_belongs_to_the_member_that_was_admitted_last() {
    let (mut a, mut b) = (Side::new(1), Side::new(2));
    let proof = a.proof_of(&mut b);
    assert!(a.envelope.admit(B, b.incarnation, Some(proof)).is_some());
    assert!(a.envelope.admit(11, b.incarnation, Some(proof)).is_some());
    let datagram = b.seal(Recipient::Everyone, b"one of them");
    assert_eq!(a.open(&datagram), Ok(said(b"one of them", Origin::Member(11))));
    assert_eq!(a.envelope.channel(B), None);
}

#[test]
fn a_slot_that_is_given_again_belongs_to_the_new_member_alone() {
    let (mut a, mut b) = pair();
    let mut other = Side::new(3);
    b.admit(A, &mut other);
    let datagram = other.seal(Recipient::Everyone, b"me");
    assert_eq!(b.open(&datagram), Ok(said(b"me", Origin::Member(A))));
    let datagram = a.seal(Recipient::Everyone, b"me too");
    assert!(matches!(b.open(&datagram), Ok((_, Origin::Stranger { .. }))));
}

#[test]
fn altered_and_cut_datagrams_of_a_member_do_not_open() {
    let (mut a, mut b) = pair();
    for recipient in [Recipient::Member(B), Recipient::Everyone] {
        let datagram = a.seal(recipient, b"whole");
        for bit in 0..datagram.len() * 8 {
            let mut altered = datagram.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            assert!(b.open(&altered).is_err(), "bit {bit}");
        }
        for end in 0..datagram.len() {
            assert!(b.open(&datagram[..end]).is_err(), "cut to {end}");
        }
        assert!(b.open(&datagram).is_ok());
    }
}

#[test]
fn another_key_opens_nothing_of_a_member() {
    let (mut a, b) = pair();
    let mut wrong = Side::with_keys(2, &[9]);
    assert_eq!(wrong.incarnation, b.incarnation);
    for recipient in [Recipient::Member(B), Recipient::Everyone, Recipient::Anyone] {
        assert!(matches!(wrong.open(&a.seal(recipient, b"x")), Err(Unopened::Unsealed { .. })));
    }
}

#[test]
fn before_it_begins_an_envelope_seals_and_opens_as_a_classic_one() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let mut envelope = Sealed::new(&key(7));
    assert_eq!(envelope.channel(0), None);
    for recipient in [Recipient::Anyone, Recipient::Everyone, Recipient::Member(0)] {
        let mut datagram = [0; PREFIX + 2 + SUFFIX];
        envelope.seal(&mut rng, recipient, &mut datagram);
        assert!(matches!(
            envelope.open(&mut datagram, Effort::Full).outcome,
            Ok(Opened { message: [0, 0], origin: Origin::Stranger { bound: false, .. } })
        ));
    }
}

#[test]
fn clear_text_has_no_sessions_and_no_keys() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let mut a = Side::new(1);
    let proof = Side::new(2).proof_of(&mut a);
    let mut plain = AnyEnvelope::Plain(Plain);
    plain.begin(incarnation(3), &mut rng);
    assert_eq!(plain.admit(0, a.incarnation, Some(proof)), None);
    let mut datagram = *b"clear";
    plain.seal(&mut rng, Recipient::Member(0), &mut datagram);
    let opening = plain.open(&mut datagram, Effort::Full);
    assert_eq!(opening.trials, 0);
    let opened = opening.outcome.expect("clear text opens");
    assert_eq!((&*opened.message, opened.origin), (&b"clear"[..], Origin::Clear));
    assert_eq!(plain.set_keyring(keyring(&[7])), Err(NotSealed));
    assert_eq!(AnyEnvelope::new(Some(&key(7))).set_keyring(keyring(&[8])), Ok(()));
}

#[test]
fn a_members_datagrams_cost_no_allocation() {
    let (mut a, mut b) = pair();
    let mut datagram = [0; 1_200];
    let mut exchange = |count: usize| {
        for _ in 0..count {
            for recipient in [Recipient::Member(B), Recipient::Everyone, Recipient::Anyone] {
                a.envelope.seal(&mut a.rng, recipient, &mut datagram);
                assert!(b.envelope.open(&mut datagram, Effort::Full).outcome.is_ok());
            }
        }
    };
    exchange(1);
    let counted = allocation_counter::measure(|| exchange(1_000));
    assert_eq!(counted.count_total, 0);
}
