//! Quorum arithmetic: how many nodes are needed, and whether they are here.

use crate::event::QuorumEvent;

/// The quorum of a cluster of `cluster_size` nodes: a strict majority, or 0 where there is none.
pub(crate) const fn quorum_size(cluster_size: u32) -> usize {
    if cluster_size == 0 { 0 } else { cluster_size as usize / 2 + 1 }
}

/// Follows whether the quorum is here. This node counts itself, unless it is an observer.
#[derive(Clone, Copy, Hash, Debug)]
pub(crate) struct Quorum {
    need: usize,
    have: usize,
    own: usize,
}

impl Quorum {
    /// The quorum as seen by a node that knows nobody yet.
    pub(crate) const fn new(cluster_size: u32, observer: bool) -> Self {
        let own = if observer { 0 } else { 1 };
        Self { need: quorum_size(cluster_size), have: own, own }
    }

    /// Nodes needed; 0 without a cluster size.
    pub(crate) const fn need(self) -> usize {
        self.need
    }

    /// Nodes here that count, this one among them.
    pub(crate) const fn have(self) -> usize {
        self.have
    }

    /// Always true without a cluster size.
    pub(crate) const fn is_reached(self) -> bool {
        self.have >= self.need
    }

    /// Takes note of the number of members that count, and tells if that reached or lost the quorum.
    pub(crate) const fn update(&mut self, members: usize) -> Option<QuorumEvent> {
        let was_reached = self.is_reached();
        self.have = members + self.own;
        let Self { need, have, .. } = *self;
        match (was_reached, self.is_reached()) {
            (false, true) => Some(QuorumEvent::Reached { have, need }),
            (true, false) => Some(QuorumEvent::Lost { have, need }),
            (true, true) | (false, false) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_quorum_is_the_smallest_strict_majority() {
        assert_eq!([0, 1, 2, 3, 4, 5, 7].map(quorum_size), [0, 1, 2, 2, 3, 3, 4]);
    }

    #[test]
    fn a_lone_node_is_the_quorum_of_one_and_of_none() {
        assert!(Quorum::new(0, false).is_reached());
        assert!(Quorum::new(1, false).is_reached());
        assert!(!Quorum::new(2, false).is_reached());
    }

    #[test]
    fn an_observer_counts_for_nobody() {
        let mut quorum = Quorum::new(3, true);
        assert_eq!(quorum.update(1), None);
        assert_eq!(quorum.update(2), Some(QuorumEvent::Reached { have: 2, need: 2 }));
    }

    proptest! {
        #[test]
        fn two_quorums_always_share_a_node(cluster_size in 1u32..=65_536) {
            prop_assert!(2 * quorum_size(cluster_size) > cluster_size as usize);
            prop_assert!(quorum_size(cluster_size) <= cluster_size as usize);
        }

        #[test]
        fn events_tell_exactly_the_changes(
            cluster_size in 0u32..8, members in prop::collection::vec(0usize..8, 0..50),
        ) {
            let mut quorum = Quorum::new(cluster_size, false);
            let mut told = quorum.is_reached();
            for count in members {
                let need = quorum_size(cluster_size);
                let have = count + 1;
                match quorum.update(count) {
                    Some(QuorumEvent::Reached { .. }) => { prop_assert!(!told); told = true; }
                    Some(QuorumEvent::Lost { .. }) => { prop_assert!(told); told = false; }
                    None => {}
                }
                prop_assert_eq!(told, have >= need);
                prop_assert_eq!((quorum.have(), quorum.need()), (have, need));
            }
        }
    }
}
