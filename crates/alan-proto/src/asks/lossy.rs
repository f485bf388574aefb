//! Both sides of requests over a network that loses, repeats and reorders: nothing is executed
//! twice by one life of the responder, and every request is answered or ends.

use alloc::collections::{BTreeMap, BTreeSet};

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use super::*;
use crate::responses::{Repeat, ResponseCache, ResponseLimits};
use crate::served::{Served, Verdict};

const REQUESTS: usize = 10_000;
/// Before the first retransmission: most answers are there by then.
const TIMEOUT: Duration = Duration::from_millis(150);
const UNDER_WAY: usize = 200;
const LOSS_PERCENT: u64 = 20;
const REPEAT_PERCENT: u64 = 10;
/// The application drops this share of what it is asked.
const DROP_PERCENT: u64 = 1;

fn responder() -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 2], 7_000))
}

fn requester() -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 1], 7_000))
}

#[derive(Clone, Copy, Debug)]
enum Event {
    Request {
        life: u32,
        id: RequestId,
        numbering: Numbering,
    },
    /// The handler is done.
    Done {
        life: u32,
        id: RequestId,
    },
    Response {
        life: u32,
        id: RequestId,
    },
    Gone {
        life: u32,
        id: RequestId,
    },
    Restart,
}

/// How requests ended.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
struct Ends {
    answered: usize,
    gone: usize,
    left: usize,
    timed_out: usize,
}

struct World {
    now: Instant,
    events: BTreeMap<(Instant, u64), Event>,
    sequence: u64,
    generator: ChaCha8Rng,
    asks: Asks,
    members: Slab<()>,
    member: Handle,
    asked: usize,
    ends: Ends,
    life: u32,
    served: Served,
    cache: ResponseCache<[u8; 16]>,
    executed: BTreeSet<(u32, RequestId)>,
    repeated: usize,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut members = Slab::new(10);
        let member = members.insert(()).expect("room");
        let limits = ResponseLimits { answers: 1_000, ..ResponseLimits::default() };
        Self {
            now: Instant::EPOCH,
            events: BTreeMap::new(),
            sequence: 0,
            generator: ChaCha8Rng::seed_from_u64(seed),
            asks: Asks::new(1_000, 1_000, HashKey(1, 2), 0),
            members,
            member,
            asked: 0,
            ends: Ends::default(),
            life: 0,
            served: Served::default(),
            cache: ResponseCache::new(limits),
            executed: BTreeSet::new(),
            repeated: 0,
        }
    }

    fn percent(&mut self, share: u64) -> bool {
        self.generator.next_u64() % 100 < share
    }

    fn after(&mut self, pause: Duration, event: Event) {
        self.events.insert((self.now + pause, self.sequence), event);
        self.sequence += 1;
    }

    /// Puts a datagram on the way: it may be lost, come twice, or overtake others.
    fn send(&mut self, event: Event) {
        if self.percent(LOSS_PERCENT) {
            return;
        }
        let copies = 1 + u32::from(self.percent(REPEAT_PERCENT));
        for _ in 0..copies {
            let late = if self.percent(5) { 2_000_000 } else { 40_000 };
            let micros = 1_000 + self.generator.next_u64() % late;
            self.after(Duration::from_micros(micros), event);
        }
    }

    fn send_request(&mut self, id: RequestId) {
        if let Some(numbering) = self.asks.numbering(id, self.member) {
            self.send(Event::Request { life: self.life, id, numbering });
        }
    }

    fn ask(&mut self) {
        let addressee = Addressee::Extended { member: self.member, timeout: TIMEOUT };
        let patience = Duration::from_secs(if self.asked.is_multiple_of(2) { 2 } else { 60 });
        let deadline = Some(self.now + patience);
        let id = self.asks.ask_one(self.now, addressee, deadline, &mut self.generator);
        self.asked += 1;
        self.send_request(id.expect("few are under way"));
    }

    fn handle(&mut self, event: Event) {
        match event {
            // What one life was sent does not open in another.
            Event::Request { life, .. } | Event::Done { life, .. } if life != self.life => {}
            Event::Response { life, .. } | Event::Gone { life, .. } if life != self.life => {}
            Event::Request { id, numbering, .. } => self.serve(id, numbering),
            Event::Done { life, id } => {
                if self.percent(DROP_PERCENT) {
                    self.cache.abandoned(requester(), id);
                } else {
                    self.cache.answered(requester(), id, id.0);
                    self.send(Event::Response { life, id });
                }
            }
            Event::Response { id, .. } => {
                let member = Some(self.member);
                if let Some(progress) = self.asks.answered(id, responder(), member) {
                    assert!(self.executed.contains(&(self.life, id)), "who answers has executed");
                    assert_eq!(progress, Progress::Finished(id));
                    self.ends.answered += 1;
                }
            }
            Event::Gone { id, .. } => {
                self.ends.gone += usize::from(self.asks.gone(id, self.member).is_some());
            }
            Event::Restart => self.restart(),
        }
    }

    fn serve(&mut self, id: RequestId, numbering: Numbering) {
        let life = self.life;
        match self.served.receive(numbering.number, numbering.behind) {
            Verdict::Execute => {
                assert!(self.executed.insert((life, id)), "executed twice by one life");
                self.cache.opened(requester(), id);
                let micros = self.generator.next_u64() % 100_000;
                self.after(Duration::from_micros(micros), Event::Done { life, id });
            }
            Verdict::Repeated => {
                self.repeated += 1;
                match self.cache.repeated(requester(), id) {
                    Repeat::Working | Repeat::Abandoned => {}
                    Repeat::Answer(kept) => {
                        assert_eq!(*kept, id.0, "the answer is that of this request");
                        self.send(Event::Response { life, id });
                    }
                    Repeat::Gone => self.send(Event::Gone { life, id }),
                }
            }
            Verdict::Dead => self.send(Event::Gone { life, id }),
            Verdict::Full => panic!("not so many are lost"),
        }
    }

    /// The responder comes back with nothing in its memory; the requester notices.
    fn restart(&mut self) {
        self.life += 1;
        self.served = Served::default();
        self.cache.peer_left(requester());
        let mut left = 0;
        self.asks.peer_left(self.member, |addr| addr == responder(), |_| left += 1);
        self.ends.left += left;
        self.members.remove(self.member);
        self.member = self.members.insert(()).expect("room");
    }

    fn fall_due(&mut self) {
        while let Some(due) = self.asks.pop_due(self.now, |_| TIMEOUT) {
            match due {
                Due::TimedOut(_) => self.ends.timed_out += 1,
                Due::Retransmit { request, member } => {
                    assert_eq!(member, self.member);
                    self.send_request(request);
                }
            }
        }
    }

    fn run(&mut self) {
        for second in [1, 2, 3] {
            self.after(Duration::from_secs(second), Event::Restart);
        }
        let end = Instant::EPOCH + Duration::from_secs(3_600);
        while self.now < end {
            while self.asked < REQUESTS && self.asks.len() < UNDER_WAY {
                self.ask();
            }
            let event = self.events.first_key_value().map(|((at, _), _)| *at);
            let Some(next) = event.into_iter().chain(self.asks.next_timeout()).min() else {
                return;
            };
            self.now = next;
            self.fall_due();
            while let Some(first) = self.events.first_entry().filter(|it| it.key().0 <= self.now) {
                let event = first.remove();
                self.handle(event);
            }
        }
    }
}

#[test]
fn at_one_datagram_in_five_lost_all_requests_end_and_none_is_executed_twice_by_one_life() {
    for seed in 0..4 {
        let mut world = World::new(seed);
        world.run();
        let ends = world.ends;
        assert_eq!(world.asked, REQUESTS);
        let over = ends.answered + ends.gone + ends.left + ends.timed_out;
        assert_eq!((over, world.asks.len(), world.asks.next_timeout()), (REQUESTS, 0, None));
        assert!(ends.answered > REQUESTS * 9 / 10, "{ends:?}");
        // All of it has happened, or this shows nothing.
        assert!(world.life == 3 && world.repeated > 1_000 && world.cache.evicted() > 1_000);
        assert!(ends.gone > 0 && ends.left > 0 && ends.timed_out > 0, "{ends:?}");
    }
}
