//! Amplification: nobody who speaks as an extended peer gets more bytes out of a node than it has
//! put in, so that a node cannot be made to flood the address that somebody else writes on his
//! datagrams. Who speaks as a classic peer is believed at once, and not counted.
//!
//! Who sees a node's fresh answer and is faster than it can make it seem to come from elsewhere,
//! once. There the node asks a few times, whether that is another address of the peer: see
//! [`ASKED`].

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use alan_proto::Incarnation;

use super::{Breach, Check, Fact};
use crate::place::{Place, place_of};
use crate::trace::Meaning;

/// The most bytes that go to an address from which a fresh answer came: JOINs, sealed, eight that
/// ask whether somebody is there, and as many that answer.
const ASKED: u64 = 16 * 232;

/// What went to and fro between a node and a stranger.
#[derive(Clone, Copy, Debug, Default)]
struct Account {
    got: u64,
    sent: u64,
    /// What the node may send on top of that, to ask who is there.
    asked: u64,
    classic: bool,
}

/// All accounts.
#[derive(Debug, Default)]
pub(super) struct Amplification {
    accounts: BTreeMap<(Place, SocketAddr), Account>,
    /// Those that nodes have had.
    lives: BTreeSet<Incarnation>,
}

impl Check for Amplification {
    fn observe(&mut self, fact: &Fact) -> Result<(), Breach> {
        match *fact {
            Fact::Started { incarnation, .. } => {
                self.lives.insert(incarnation);
            }
            Fact::Handed { node, handed, .. } if place_of(handed.from).is_none() => {
                let account = self.accounts.entry((node, handed.from)).or_default();
                account.got += handed.len as u64;
                match handed.meaning {
                    Meaning::Join(None) | Meaning::Heartbeat(None) => account.classic = true,
                    Meaning::Join(Some(life)) | Meaning::Heartbeat(Some(life))
                        if handed.rejected.is_none() && self.lives.contains(&life) =>
                    {
                        account.asked += ASKED;
                    }
                    _ => {}
                }
            }
            Fact::SentToStranger { node, to, len } => {
                // Whom discovery named has put nothing in, and is asked to join all the same.
                let Some(account) = self.accounts.get_mut(&(node, to)) else { return Ok(()) };
                account.sent += len as u64;
                let Account { got, sent, asked, classic } = *account;
                if sent > got + asked && !classic {
                    return Err(Breach::Amplified { node, to, got, sent });
                }
            }
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use alan_proto::Instant;

    use super::super::tests::{self, life};
    use super::*;
    use crate::check::Handed;
    use crate::place::{dead, stranger};

    const NODE: Place = Place(0);

    fn handed(meaning: Meaning, len: usize) -> Fact {
        let handed = Handed { len, ..tests::handed(stranger(1), meaning) };
        Fact::Handed { node: NODE, now: Instant::EPOCH, handed }
    }

    fn sent(to: SocketAddr, len: usize) -> Fact {
        Fact::SentToStranger { node: NODE, to, len }
    }

    #[test]
    fn a_byte_more_than_a_stranger_has_sent_is_seen() {
        let mut check = Amplification::default();
        let join = Meaning::Join(Some(life(1)));
        assert_eq!(check.observe(&handed(join, 17)), Ok(()));
        assert_eq!(check.observe(&sent(stranger(1), 17)), Ok(()));
        let breach = Breach::Amplified { node: NODE, to: stranger(1), got: 17, sent: 18 };
        assert_eq!(check.observe(&sent(stranger(1), 1)), Err(breach));
    }

    #[test]
    fn classic_peers_and_addresses_that_discovery_names_are_not_counted() {
        let mut check = Amplification::default();
        check.observe(&handed(Meaning::Join(None), 3)).expect("a datagram");
        assert_eq!(check.observe(&sent(stranger(1), 300)), Ok(()));
        assert_eq!(check.observe(&sent(dead(1), 300)), Ok(()));
    }

    #[test]
    fn an_address_from_which_a_fresh_answer_came_is_asked_a_few_times() {
        let mut check = Amplification::default();
        check.lives.insert(life(1));
        let answer = handed(Meaning::Heartbeat(Some(life(1))), 164);
        assert_eq!(check.observe(&answer), Ok(()));
        assert_eq!(check.observe(&sent(stranger(1), 16 * 232)), Ok(()));
        assert!(check.observe(&sent(stranger(1), 232)).is_err());
    }
}
