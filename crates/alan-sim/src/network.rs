//! The network as a value: says of each datagram whether and when it arrives, and keeps nothing of
//! it. What it draws for a datagram depends on the seed, the link and how many went over that link
//! before, so one sender's datagrams do not change what happens to another's.

use crate::draw::{Draws, PerMille};
use crate::place::Place;
use crate::plan::{Cut, Weather};
use crate::time::{Moment, micros};
use crate::trace::Loss;

/// The network between all places, and its present faults.
#[derive(Debug)]
pub(crate) struct Network {
    seed: u64,
    nodes: usize,
    weather: Weather,
    cuts: Vec<(u32, Cut)>,
    /// How many datagrams went over each link, row by row.
    sent: Vec<u32>,
    /// When the latest datagram of each link arrives; only where none may overtake another.
    latest: Vec<Moment>,
    /// When each node's link is idle again.
    idle_at: Vec<Moment>,
}

/// What becomes of a datagram.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fate {
    Lost(Loss),
    Arrives {
        at: Moment,
        /// Which bit of it is flipped on the way: a number to be taken modulo its length in bits.
        flipped: Option<u64>,
        /// When a copy of it arrives.
        again: Option<Moment>,
    },
}

impl Network {
    pub(crate) fn new(seed: u64, nodes: usize, weather: Weather) -> Self {
        Self {
            seed,
            nodes,
            weather,
            cuts: Vec::new(),
            sent: vec![0; nodes * nodes],
            latest: Vec::new(),
            idle_at: vec![Moment::START; nodes],
        }
    }

    pub(crate) const fn set_weather(&mut self, weather: Weather) {
        self.weather = weather;
    }

    pub(crate) const fn weather(&self) -> Weather {
        self.weather
    }

    pub(crate) fn cut(&mut self, number: u32, cut: Cut) {
        self.cuts.push((number, cut));
    }

    /// Whether there was such a cut.
    pub(crate) fn heal(&mut self, number: u32) -> bool {
        let before = self.cuts.len();
        self.cuts.retain(|(other, _)| *other != number);
        self.cuts.len() < before
    }

    /// The numbers of all cuts.
    pub(crate) fn cuts(&self) -> Vec<u32> {
        self.cuts.iter().map(|(number, _)| *number).collect()
    }

    /// What becomes of a datagram of `len` bytes.
    pub(crate) fn judge(&mut self, now: Moment, from: Place, to: Place, len: usize) -> Fate {
        let link = from.index() * self.nodes + to.index();
        let number = self.sent[link];
        self.sent[link] = number.wrapping_add(1);
        if self.cuts.iter().any(|(_, cut)| cut.stops(from, to)) {
            return Fate::Lost(Loss::Cut);
        }
        let ends = u64::from(from.0) << 48 | u64::from(to.0) << 32;
        let mut draws = Draws::new(self.seed, ends | u64::from(number));
        if draws.chance(self.weather.lost) {
            return Fate::Lost(Loss::Chance);
        }
        let Some(leaves) = self.leaves(now, from, len) else {
            return Fate::Lost(Loss::Congestion);
        };
        let mut at = self.arrival(leaves, &mut draws);
        if self.weather.in_order {
            self.latest.resize(self.nodes * self.nodes, Moment::START);
            at = at.max(self.latest[link]);
            self.latest[link] = at;
        }
        let none = PerMille(0);
        let flipped = (self.weather.corrupted != none && draws.chance(self.weather.corrupted))
            .then(|| draws.next());
        let doubled = self.weather.doubled != none && draws.chance(self.weather.doubled);
        let again = doubled.then(|| self.arrival(leaves, &mut draws));
        Fate::Arrives { at, flipped, again }
    }

    /// When it leaves its sender, or `None` if it finds no room in the queue.
    fn leaves(&mut self, now: Moment, from: Place, len: usize) -> Option<Moment> {
        let Some(bandwidth) = self.weather.bandwidth else { return Some(now) };
        let start = self.idle_at[from.index()].max(now);
        if start.since(now) > self.weather.queue {
            return None;
        }
        let takes = (len as u64).saturating_mul(1_000_000) / bandwidth.max(1);
        let end = Moment::from_micros(start.as_micros() + takes);
        self.idle_at[from.index()] = end;
        Some(end)
    }

    fn arrival(&self, leaves: Moment, draws: &mut Draws) -> Moment {
        let delay = self.weather.delay;
        let mut takes = micros(delay.least) + draws.below(micros(delay.spread) + 1);
        if delay.late.0 > 0 && draws.chance(delay.late) {
            takes += draws.below(micros(delay.tail) + 1);
        }
        Moment::from_micros(leaves.as_micros() + takes)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::plan::Delay;

    const A: Place = Place(0);
    const B: Place = Place(1);
    const C: Place = Place(2);

    fn network(weather: Weather) -> Network {
        Network::new(1, 3, weather)
    }

    fn arrivals(network: &mut Network, count: usize) -> Vec<Fate> {
        (0..count).map(|_| network.judge(Moment::START, A, B, 100)).collect()
    }

    const SPREAD: Weather = Weather {
        delay: Delay { spread: Duration::from_millis(50), ..Weather::CALM.delay },
        ..Weather::CALM
    };

    #[test]
    fn what_happens_on_one_link_does_not_depend_on_another() {
        let mut alone = network(SPREAD);
        let mut busy = network(SPREAD);
        for _ in 0..10 {
            let _other = busy.judge(Moment::START, C, B, 100);
        }
        assert_eq!(arrivals(&mut alone, 20), arrivals(&mut busy, 20));
    }

    #[test]
    fn datagrams_overtake_each_other_unless_the_network_keeps_their_order() {
        let at = |fate: Fate| match fate {
            Fate::Arrives { at, .. } => at,
            Fate::Lost(why) => panic!("lost: {why:?}"),
        };
        let times = |weather| arrivals(&mut network(weather), 50).into_iter().map(at);
        assert!(!times(SPREAD).is_sorted());
        assert!(times(Weather { in_order: true, ..SPREAD }).is_sorted());
    }

    #[test]
    fn a_cut_stops_what_it_says_until_it_heals() {
        let mut network = network(Weather::CALM);
        network.cut(7, Cut::OneWay(A, B));
        assert_eq!(network.judge(Moment::START, A, B, 1), Fate::Lost(Loss::Cut));
        assert!(matches!(network.judge(Moment::START, B, A, 1), Fate::Arrives { .. }));
        assert!(network.heal(7) && !network.heal(7));
        assert!(matches!(network.judge(Moment::START, A, B, 1), Fate::Arrives { .. }));
    }

    #[test]
    fn a_narrow_link_delays_and_then_loses() {
        let bandwidth = Some(10_000);
        let mut network = network(Weather { bandwidth, ..Weather::CALM });
        let fates = arrivals(&mut network, 13);
        let lost = fates.iter().filter(|fate| **fate == Fate::Lost(Loss::Congestion)).count();
        // 100 bytes take 10 ms; the queue holds what waits for up to 100 ms.
        assert_eq!(lost, 2, "{fates:?}");
    }
}
