//! What measurements ask of a run: when everybody had met, and when everybody had heard of an end.

use alan_proto::PeerEvent;

use crate::place::{Place, place_of};
use crate::time::Moment;

/// Counts what nodes tell of each other.
#[derive(Debug)]
pub(crate) struct Meter {
    nodes: usize,
    memberships: usize,
    met: Option<Moment>,
    /// How many nodes told of each that it left, and when the latest did.
    left: Vec<(usize, Moment)>,
    messages: u64,
}

impl Meter {
    pub(super) fn new(nodes: usize) -> Self {
        Self {
            nodes,
            memberships: 0,
            met: None,
            left: vec![(0, Moment::START); nodes],
            messages: 0,
        }
    }

    pub(super) fn on_event(&mut self, at: Moment, event: PeerEvent) {
        let place = place_of(event.peer()).map(|(place, _)| place.index());
        let Some(left) = place.and_then(|place| self.left.get_mut(place)) else { return };
        match event {
            PeerEvent::Joined { .. } => self.memberships += 1,
            PeerEvent::Left { .. } => {
                self.memberships = self.memberships.saturating_sub(1);
                *left = (left.0 + 1, at);
            }
            _ => {}
        }
        if self.memberships == self.nodes * (self.nodes - 1) && self.met.is_none() {
            self.met = Some(at);
        }
    }

    pub(super) const fn on_message(&mut self) {
        self.messages += 1;
    }

    /// How many payloads of simulated users were delivered.
    pub(crate) const fn messages(&self) -> u64 {
        self.messages
    }

    /// When every node of the plan first had every other as a member. Only where none has ended
    /// until then.
    pub(crate) const fn met(&self) -> Option<Moment> {
        self.met
    }

    /// Forgets who was said to have left.
    pub(crate) fn forget_departures(&mut self) {
        self.left.fill((0, Moment::START));
    }

    /// When the last of so many nodes told that this one has left.
    pub(crate) fn all_told(&self, of: Place, nodes: usize) -> Option<Moment> {
        let (told, latest) = self.left[of.index()];
        (told >= nodes).then_some(latest)
    }
}
