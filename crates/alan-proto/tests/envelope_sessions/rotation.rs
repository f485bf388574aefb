//! A cluster changes its key while it runs.

use alan_proto::KeyringFull;
use alan_proto::envelope::{Keyring, Origin, Recipient, Unopened};

use crate::side::{A, B, Side, key, keyring, pair, said};

#[test]
fn a_rotation_in_three_steps_loses_nothing_and_renews_nothing() {
    let (mut a, mut b) = pair();
    let mut sent = Vec::new();
    let mut exchange = |a: &mut Side, b: &mut Side| {
        for recipient in [Recipient::Member(B), Recipient::Everyone] {
            let datagram = a.seal(recipient, b"through");
            assert_eq!(b.open(&datagram), Ok(said(b"through", Origin::Member(A))));
            sent.push(datagram);
        }
        let back = b.seal(Recipient::Member(A), b"and back");
        assert_eq!(a.open(&back), Ok(said(b"and back", Origin::Member(B))));
    };
    exchange(&mut a, &mut b);
    let late = a.seal(Recipient::Member(B), b"late");
    for step in [&[7, 8], &[8, 7], &[8][..]] {
        a.envelope.set_keyring(keyring(step));
        exchange(&mut a, &mut b);
        if step == [8, 7] {
            assert!(b.open(&late).is_ok(), "sealed under the old key, which still opens");
        }
        b.envelope.set_keyring(keyring(step));
        exchange(&mut a, &mut b);
    }
    for datagram in &sent {
        assert_eq!(b.open(datagram), Err(Unopened::Replayed { member: A }));
    }
}

#[test]
fn a_key_that_was_taken_away_opens_nothing_from_then_on() {
    let (mut a, mut b) = pair();
    assert!(b.open(&a.seal(Recipient::Member(B), b"cached")).is_ok());
    b.envelope.set_keyring(keyring(&[8]));
    for recipient in [Recipient::Member(B), Recipient::Everyone, Recipient::Anyone] {
        let datagram = a.seal(recipient, b"late");
        assert!(matches!(b.open(&datagram), Err(Unopened::Unsealed { .. })));
    }
}

#[test]
fn the_key_that_opened_last_is_tried_first() {
    let (mut a, mut b) = (Side::with_keys(1, &[5]), Side::with_keys(2, &[1, 2, 3, 4, 5]));
    let hello = a.seal(Recipient::Everyone, b"hello");
    assert_eq!(b.trials(&hello), 5);
    assert_eq!(b.trials(&hello), 1);
    b.envelope.set_keyring(keyring(&[5, 1]));
    assert_eq!(b.trials(&hello), 1, "its place is another, the key is the same");

    b.envelope.set_keyring(keyring(&[1, 2, 3, 4, 5]));
    b.admit(A, &mut a);
    let [first, second, third] = [(); 3].map(|()| a.seal(Recipient::Everyone, b"member"));
    assert_eq!([b.trials(&first), b.trials(&second)], [5, 1]);
    b.envelope.set_keyring(keyring(&[1, 5]));
    assert_eq!(b.trials(&third), 1);
    let noise = vec![0xff; 60];
    assert_eq!(b.trials(&noise), 4, "each key twice, as the bit is set");
    assert_eq!(b.trials(&noise[..39]), 0, "too short to be sealed");
}

#[test]
fn a_keyring_refuses_a_sixth_key() {
    let error = keyring(&[1, 2, 3, 4, 5]).with_opening(key(6)).expect_err("it is full");
    assert_eq!(error, KeyringFull { limit: Keyring::MAX_KEYS });
    assert_eq!(keyring(&[1, 2, 3, 4, 5, 5, 1]).len(), 5);
}
