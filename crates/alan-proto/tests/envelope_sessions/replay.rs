//! What was recorded opens once at most, however often members forget each other.

use alan_proto::envelope::{Channel, Envelope, Origin, Recipient, Unopened};

use crate::side::{A, B, PREFIX, Side, introduce, pair, said};

#[test]
fn each_datagram_of_a_member_opens_once_on_either_channel() {
    let (mut a, mut b) = pair();
    for recipient in [Recipient::Member(B), Recipient::Everyone] {
        let datagram = a.seal(recipient, b"once");
        assert!(b.open(&datagram).is_ok());
        for _ in 0..3 {
            assert_eq!(b.open(&datagram), Err(Unopened::Replayed { member: A }));
            assert_eq!(b.trials(&datagram), 0, "a replay costs no key trial");
        }
    }
}

#[test]
fn datagrams_may_overtake_1023_others_and_no_more() {
    for recipient in [Recipient::Member(B), Recipient::Everyone] {
        let (mut a, mut b) = pair();
        let sent: Vec<_> = (0..1_025).map(|_| a.seal(recipient, b"in a row")).collect();
        let (newest, others) = sent.split_last().expect("there are many");
        let (oldest, others) = others.split_first().expect("there are many");
        assert!(b.open(newest).is_ok());
        assert_eq!(b.open(oldest), Err(Unopened::Replayed { member: A }));
        for late in others.iter().rev() {
            assert_eq!(b.open(late), Ok(said(b"in a row", Origin::Member(A))));
        }
    }
}

#[test]
fn a_forged_sequence_does_not_move_the_window() {
    let (mut a, mut b) = pair();
    let genuine = a.seal(Recipient::Member(B), b"genuine");
    let mut forged = genuine.clone();
    forged[PREFIX - 4] ^= 0x40;
    assert_eq!(b.open(&forged), Err(Unopened::Unsealed { bound: true }));
    assert!(b.open(&genuine).is_ok());
}

#[test]
fn nothing_sealed_before_the_proof_opens_afterwards() {
    let (mut a, mut b) = (Side::new(1), Side::new(2));
    let recorded: Vec<_> = (0..20).map(|_| a.seal(Recipient::Everyone, b"old")).collect();
    let hello = a.seal(Recipient::Everyone, b"the proof");
    let Ok((_, Origin::Stranger { proof, .. })) = b.open(&hello) else { panic!("it opens") };
    b.envelope.admit(A, a.incarnation, proof).expect("it is proven");
    for old in recorded.iter().chain([&hello]) {
        assert_eq!(b.open(old), Err(Unopened::Replayed { member: A }));
    }
    assert!(b.open(&a.seal(Recipient::Everyone, b"new")).is_ok());
}

/// What an attacker recorded of `a` while it was a member of `b`, opened and unopened.
fn record(a: &mut Side, b: &mut Side) -> Vec<Vec<u8>> {
    let mut recorded = Vec::new();
    for _ in 0..30 {
        for recipient in [Recipient::Member(B), Recipient::Everyone] {
            recorded.push(a.seal(recipient, b"seen by the attacker"));
        }
    }
    for datagram in &recorded[..40] {
        assert!(b.open(datagram).is_ok());
    }
    recorded
}

fn assert_all_refused(b: &mut Side, recorded: &[Vec<u8>]) {
    for datagram in recorded {
        match b.open(datagram) {
            Err(Unopened::Replayed { member: A } | Unopened::UnknownChannel { member: A }) => {}
            unexpected => panic!("a recording opened: {unexpected:?}"),
        }
    }
}

#[test]
fn nothing_recorded_in_a_former_membership_opens_in_the_next() {
    let (mut a, mut b) = pair();
    let recorded = record(&mut a, &mut b);
    a.envelope.dismiss(B);
    b.envelope.dismiss(A);
    introduce(&mut a, &mut b);
    assert_all_refused(&mut b, &recorded);
    assert!(b.open(&a.seal(Recipient::Member(B), b"new")).is_ok());
}

#[test]
fn nothing_recorded_opens_where_only_the_receiver_had_forgotten_the_sender() {
    let (mut a, mut b) = pair();
    let recorded = record(&mut a, &mut b);
    b.envelope.dismiss(A);
    b.admit(A, &mut a);
    assert_all_refused(&mut b, &recorded);
    let channel = a.envelope.channel(B).expect("b was a member of a all the time");
    b.envelope.announced(A, channel);
    assert_all_refused(&mut b, &recorded);
    assert!(b.open(&a.seal(Recipient::Member(B), b"new")).is_ok());
}

#[test]
fn what_is_recorded_stays_refused_where_only_the_sender_had_forgotten_the_receiver() {
    let (mut a, mut b) = pair();
    let recorded = record(&mut a, &mut b);
    let (opened, unopened) = recorded.split_at(40);
    a.envelope.dismiss(B);
    let channel = a.admit(B, &mut b);
    b.envelope.announced(A, channel);
    assert_all_refused(&mut b, opened);
    assert!(b.open(&unopened[0]).is_ok(), "it is late, but was never seen");
    assert!(b.open(&a.seal(Recipient::Member(B), b"new")).is_ok());
}

#[test]
fn a_channel_that_was_not_announced_is_refused_and_its_datagram_left_whole() {
    let (mut a, mut b) = (Side::new(1), Side::new(2));
    a.admit(B, &mut b);
    b.admit(A, &mut a);
    let early = a.seal(Recipient::Member(B), b"early");
    assert_eq!(b.open(&early), Err(Unopened::UnknownChannel { member: A }));
    let Channel { number, first } = a.envelope.channel(B).expect("b is a member");
    b.envelope.announced(A, Channel { number, first: first - 1 });
    assert_eq!(b.open(&early), Ok(said(b"early", Origin::Member(A))));
}

#[test]
fn an_announcement_that_comes_again_or_was_overtaken_changes_nothing() {
    let (mut a, mut b) = (Side::new(1), Side::new(2));
    let overtaken = a.admit(50, &mut b);
    a.envelope.dismiss(50);
    let channel = a.admit(B, &mut b);
    b.admit(A, &mut a);
    b.envelope.announced(A, channel);
    let datagram = a.seal(Recipient::Member(B), b"once");
    assert!(b.open(&datagram).is_ok());
    for again in [channel, overtaken, Channel { number: 0, first: u64::MAX }] {
        b.envelope.announced(A, again);
        assert_eq!(b.open(&datagram), Err(Unopened::Replayed { member: A }));
        assert!(b.open(&a.seal(Recipient::Member(B), b"next")).is_ok());
    }
}

#[test]
fn a_member_that_moves_to_another_channel_is_followed() {
    let (mut a, mut b) = pair();
    let former = a.seal(Recipient::Member(B), b"former");
    a.envelope.dismiss(B);
    let channel = a.admit(70, &mut b);
    b.envelope.announced(A, channel);
    assert!(b.open(&a.seal(Recipient::Member(70), b"here now")).is_ok());
    assert_eq!(b.open(&former), Err(Unopened::UnknownChannel { member: A }));
}
