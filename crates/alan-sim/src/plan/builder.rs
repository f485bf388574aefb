//! Words to write a plan with, so that a history that was found once is ten lines.

use std::time::Duration;

use super::{Cut, Entry, Event, FirstToRun, Key, Locks, Plan, Return, Weather};
use crate::place::Place;

/// A moment of a plan, to say what happens then.
#[must_use]
#[derive(Debug)]
pub struct At {
    plan: Plan,
    at: Duration,
}

impl Plan {
    /// Draws from this seed.
    #[must_use]
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// With this cluster size.
    #[must_use]
    pub const fn cluster_size(mut self, size: u32) -> Self {
        self.cluster.size = size;
        self
    }

    /// With this lock algorithm.
    #[must_use]
    pub const fn locks(mut self, locks: Locks) -> Self {
        self.cluster.locks = locks;
        self
    }

    /// With this network.
    #[must_use]
    pub const fn weather(mut self, weather: Weather) -> Self {
        self.weather = weather;
        self
    }

    /// With everything sealed under a key.
    #[must_use]
    pub const fn sealed(mut self) -> Self {
        self.cluster.sealed = true;
        self
    }

    /// Ends where the calm would begin: what waits then is not asked.
    #[must_use]
    pub const fn without_liveness(mut self) -> Self {
        self.bound = None;
        self
    }

    /// At so many milliseconds …
    pub const fn at(self, millis: u64) -> At {
        At { plan: self, at: Duration::from_millis(millis) }
    }

    /// Adds an entry, and puts the calm off until two seconds after it has ended.
    pub fn add(&mut self, at: Duration, event: Event) {
        let lasts = match &event {
            Event::Crash { back: Some(back), .. } | Event::Leave { back: Some(back), .. } => {
                back.after
            }
            Event::Pause { lasts, .. }
            | Event::Cut { lasts, .. }
            | Event::Weather { lasts, .. }
            | Event::Flood { lasts, .. } => *lasts,
            // The last that he has seen arrives so much later.
            Event::Repeat { repeat, lasts } => *lasts + repeat.after + repeat.within,
            _ => Duration::ZERO,
        };
        self.calm = self.calm.max(at + lasts + Duration::from_secs(2));
        self.schedule.push(Entry { at, event });
    }
}

impl At {
    /// … this happens.
    #[must_use]
    pub fn event(mut self, event: Event) -> Plan {
        self.plan.add(self.at, event);
        self.plan
    }

    /// … the node starts.
    #[must_use]
    pub fn start(mut self, node: u16) -> Plan {
        self.plan.nodes[Place(node).index()].start = self.at;
        self.plan
    }

    /// … a user asks for a lock, to hold it for so many milliseconds.
    #[must_use]
    pub fn lock(self, node: u16, key: char, hold: u64) -> Plan {
        let hold = Duration::from_millis(hold);
        self.event(Event::Lock { node: Place(node), key: Key::new(key), hold, patience: None })
    }

    /// … a user tries a lock, to hold it for so many milliseconds.
    #[must_use]
    pub fn try_lock(self, node: u16, key: char, hold: u64) -> Plan {
        let hold = Duration::from_millis(hold);
        self.event(Event::TryLock { node: Place(node), key: Key::new(key), hold })
    }

    /// … the user who waits longest for this lock gives up.
    #[must_use]
    pub fn cancel(self, node: u16, key: char) -> Plan {
        self.event(Event::Cancel { node: Place(node), key: Key::new(key) })
    }

    /// … a user sends a message to all.
    #[must_use]
    pub fn broadcast(self, node: u16) -> Plan {
        self.event(Event::Broadcast { node: Place(node) })
    }

    /// … a user sends a request and waits for so many milliseconds.
    #[must_use]
    pub fn request(self, node: u16, to: u16, patience: u64) -> Plan {
        let patience = Some(Duration::from_millis(patience));
        self.event(Event::Request { node: Place(node), to: Place(to), patience })
    }

    /// … the node leaves for good.
    #[must_use]
    pub fn leave(self, node: u16) -> Plan {
        self.event(Event::Leave { node: Place(node), back: None })
    }

    /// … the node dies for good.
    #[must_use]
    pub fn crash(self, node: u16) -> Plan {
        self.event(Event::Crash { node: Place(node), back: None })
    }

    /// … the node dies, and so many milliseconds later another starts at its address.
    #[must_use]
    pub fn restart(self, node: u16, after: u64) -> Plan {
        let back = Return { after: Duration::from_millis(after), same_address: true };
        self.event(Event::Crash { node: Place(node), back: Some(back) })
    }

    /// … the node dies, and so many milliseconds later another starts at another address.
    #[must_use]
    pub fn replace(self, node: u16, after: u64) -> Plan {
        let back = Return { after: Duration::from_millis(after), same_address: false };
        self.event(Event::Crash { node: Place(node), back: Some(back) })
    }

    /// … the node stops for so many milliseconds; then its application runs first.
    #[must_use]
    pub fn pause(self, node: u16, millis: u64) -> Plan {
        let (lasts, first) = (Duration::from_millis(millis), FirstToRun::Application);
        self.event(Event::Pause { node: Place(node), lasts, first })
    }

    /// … the network falls apart into these sides for so many milliseconds. Who is on none is on
    /// a side with all others that are on none.
    #[must_use]
    pub fn partition(self, sides: &[&[u16]], millis: u64) -> Plan {
        let mut side_of = vec![0; self.plan.nodes.len()];
        for (side, number) in sides.iter().zip(1..) {
            for &node in *side {
                side_of[usize::from(node)] = number;
            }
        }
        self.cut(Cut::Sides(side_of), millis)
    }

    /// … the network is cut like this for so many milliseconds.
    #[must_use]
    pub fn cut(self, cut: Cut, millis: u64) -> Plan {
        self.event(Event::Cut { cut, lasts: Duration::from_millis(millis) })
    }
}
