//! The table of asks against naive maps, and its rules one by one.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

use super::*;

const TIMEOUT: Duration = Duration::from_millis(100);

fn address(last: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, last], 7_000))
}

/// Asks with a table of members beside them.
struct Bench {
    asks: Asks,
    members: Slab<u8>,
    generator: ChaCha8Rng,
    now: Instant,
}

impl Bench {
    fn new(max_requests: u32, max_asks: u32) -> Self {
        Self {
            asks: Asks::new(max_requests, max_asks, HashKey(1, 2), 0),
            members: Slab::new(1_000),
            generator: ChaCha8Rng::seed_from_u64(1),
            now: Instant::from_millis(1),
        }
    }

    fn member(&mut self) -> Handle {
        self.members.insert(0).expect("room")
    }

    fn ask(&mut self, addressee: Addressee) -> RequestId {
        self.asks.ask_one(self.now, addressee, None, &mut self.generator).expect("room")
    }

    fn leave(&mut self, member: Handle) -> Vec<Progress> {
        let mut told = Vec::new();
        self.asks.peer_left(member, |addr| addr == address(0), |progress| told.push(progress));
        self.members.remove(member);
        told
    }

    /// Lets time pass; gives what fell due and when, in milliseconds from the start.
    fn pass(&mut self, millis: u64) -> Vec<(u64, Due)> {
        let end = self.now + Duration::from_millis(millis);
        let mut due = Vec::new();
        while let Some(at) = self.asks.next_timeout().filter(|&at| at <= end) {
            while let Some(what) = self.asks.pop_due(at, |_| TIMEOUT) {
                due.push((at.as_micros() / 1_000, what));
            }
        }
        self.now = end;
        due
    }
}

const fn extended(member: Handle) -> Addressee {
    Addressee::Extended { member, timeout: TIMEOUT }
}

#[test]
fn an_extended_member_is_asked_again_with_growing_pauses_until_it_answers() {
    let mut bench = Bench::new(10, 10);
    let member = bench.member();
    let request = bench.ask(extended(member));
    let again = Due::Retransmit { request, member };
    assert_eq!(bench.pass(1_000), [(101, again), (301, again), (701, again)]);
    let answered = bench.asks.answered(request, address(9), Some(member));
    assert_eq!(answered, Some(Progress::Finished(request)));
    assert_eq!(bench.pass(100_000), []);
    assert_eq!((bench.asks.len(), bench.asks.asks(), bench.asks.next_timeout()), (0, 0, None));
}

#[test]
fn pauses_follow_what_is_known_of_the_member_when_it_is_asked_again() {
    let mut bench = Bench::new(10, 10);
    let member = bench.member();
    bench.ask(extended(member));
    let first = bench.now + TIMEOUT;
    assert_eq!(bench.asks.pop_due(bench.now, |_| TIMEOUT), None);
    assert!(bench.asks.pop_due(first, |_| Duration::from_secs(1)).is_some());
    assert_eq!(bench.asks.next_timeout(), Some(first + Duration::from_secs(2)));
    assert!(bench.asks.pop_due(first + Duration::from_secs(2), |_| TIMEOUT).is_some());
    assert_eq!(bench.asks.next_timeout(), Some(first + Duration::from_secs(2) + TIMEOUT * 4));
}

#[test]
fn others_are_asked_once_and_the_deadline_ends_the_request() {
    let mut bench = Bench::new(10, 10);
    let classic = bench.member();
    for addressee in [Addressee::Classic(classic), Addressee::Stranger(address(1))] {
        let deadline = Some(bench.now + Duration::from_secs(20));
        let asked = bench.asks.ask_one(bench.now, addressee, deadline, &mut bench.generator);
        let request = asked.expect("room");
        assert_eq!(bench.asks.numbering(request, classic), None);
        assert_eq!(bench.asks.gone(request, classic), None);
        let at = (bench.now + Duration::from_secs(20)).as_micros() / 1_000;
        assert_eq!(bench.pass(100_000), [(at, Due::TimedOut(request))]);
        assert!(!bench.asks.cancel(request));
    }
}

#[test]
fn an_answer_counts_from_who_was_asked_once() {
    let mut bench = Bench::new(10, 10);
    let (one, other) = (bench.member(), bench.member());
    let request = bench.ask(Addressee::Stranger(address(1)));
    assert_eq!(bench.asks.answered(request, address(2), Some(one)), None);
    let first = bench.asks.answered(request, address(1), None);
    assert_eq!(first, Some(Progress::Finished(request)));
    assert_eq!(bench.asks.answered(request, address(1), None), None);

    let both = [extended(one), Addressee::Classic(other)].into_iter();
    let request = bench.asks.ask_all(bench.now, both, None, &mut bench.generator);
    let request = request.expect("room").expect("two are asked");
    let first = bench.asks.answered(request, address(1), Some(other));
    assert_eq!(first, Some(Progress::Waiting(request)));
    assert_eq!(bench.asks.answered(request, address(1), Some(other)), None);
    assert_eq!(bench.asks.gone(request, one), Some(Progress::Finished(request)));
}

#[test]
fn a_stranger_who_became_a_member_may_answer_and_its_departure_counts() {
    let mut bench = Bench::new(10, 10);
    let request = bench.ask(Addressee::Stranger(address(1)));
    let left_behind = bench.ask(Addressee::Stranger(address(1)));
    let other = bench.ask(Addressee::Stranger(address(2)));
    let member = bench.member();
    assert!(bench.asks.answered(request, address(1), Some(member)).is_some());
    let mut told = Vec::new();
    bench.asks.peer_left(member, |addr| addr == address(1), |progress| told.push(progress));
    assert_eq!(told, [Progress::Finished(left_behind)]);
    assert!(bench.asks.cancel(other));
}

#[test]
fn transmissions_tell_the_lowest_number_that_is_waited_for() {
    let mut bench = Bench::new(10, 10);
    let (one, other) = (bench.member(), bench.member());
    let requests: Vec<_> = (0..4).map(|_| bench.ask(extended(one))).collect();
    let elsewhere = bench.ask(extended(other));
    let number = |bench: &Bench, place: usize| bench.asks.numbering(requests[place], one);
    assert_eq!(number(&bench, 3), Some(Numbering { number: 4, behind: 3 }));
    assert!(bench.asks.cancel(requests[1]));
    assert_eq!(number(&bench, 3), Some(Numbering { number: 4, behind: 3 }));
    assert!(bench.asks.cancel(requests[0]));
    assert_eq!(number(&bench, 3), Some(Numbering { number: 4, behind: 1 }));
    assert_eq!(number(&bench, 2), Some(Numbering { number: 3, behind: 0 }));
    assert_eq!(number(&bench, 0), None);
    let at_other = bench.asks.numbering(elsewhere, other);
    assert_eq!(at_other, Some(Numbering { number: 1, behind: 0 }));
    assert_eq!(bench.asks.numbering(elsewhere, one), None);
}

#[test]
fn a_member_that_comes_back_is_not_asked_under_an_old_number() {
    let mut bench = Bench::new(10, 10);
    let member = bench.member();
    let requests: Vec<_> = (0..3).map(|_| bench.ask(extended(member))).collect();
    let told = bench.leave(member);
    assert_eq!(told, requests.into_iter().map(Progress::Finished).collect::<Vec<_>>());
    let again = bench.member();
    assert_eq!(member.index(), again.index());
    let request = bench.ask(extended(again));
    let numbering = bench.asks.numbering(request, again);
    assert_eq!(numbering, Some(Numbering { number: 4, behind: 0 }));
    assert_eq!(bench.asks.numbering(request, member), None);
    assert_eq!(bench.leave(member), []);
}

#[test]
fn a_request_that_finds_no_room_leaves_nothing_behind() {
    let mut bench = Bench::new(2, 3);
    let members: Vec<_> = (0..4).map(|_| bench.member()).collect();
    let all = members.iter().map(|&member| extended(member));
    let refused = bench.asks.ask_all(bench.now, all, None, &mut bench.generator);
    assert_eq!(refused, Err(Full::Asks));
    assert_eq!((bench.asks.len(), bench.asks.asks(), bench.asks.next_timeout()), (0, 0, None));
    bench.ask(extended(members[0]));
    bench.ask(extended(members[1]));
    let asked = bench.asks.ask_one(bench.now, extended(members[2]), None, &mut bench.generator);
    assert_eq!(asked, Err(Full::Requests));
    let nobody = core::iter::empty();
    bench.asks.close(|_| {});
    assert_eq!(bench.asks.ask_all(bench.now, nobody, None, &mut bench.generator), Ok(None));
    assert_eq!((bench.asks.len(), bench.asks.asks(), bench.asks.next_timeout()), (0, 0, None));
}

#[test]
fn closing_tells_each_request_once() {
    let mut bench = Bench::new(10, 100);
    let members: Vec<_> = (0..5).map(|_| bench.member()).collect();
    let one = bench.ask(extended(members[0]));
    let all = members.iter().map(|&member| extended(member));
    let all = bench.asks.ask_all(bench.now, all, None, &mut bench.generator).expect("room");
    let mut told = Vec::new();
    bench.asks.close(|id| told.push(id));
    assert_eq!(told, [one, all.expect("five are asked")]);
    assert_eq!((bench.asks.len(), bench.asks.asks(), bench.asks.next_timeout()), (0, 0, None));
}

#[test]
fn a_warm_table_does_not_allocate() {
    let mut bench = Bench::new(100, 1_000);
    let members: Vec<_> = (0..100).map(|_| bench.member()).collect();
    let mut run = || {
        let Bench { asks, generator, now, .. } = &mut bench;
        let deadline = Some(*now + Duration::from_secs(1));
        let all = members.iter().map(|&member| extended(member));
        let all = asks.ask_all(*now, all, deadline, generator).expect("room").expect("many");
        for &member in &members {
            let one = asks.ask_one(*now, extended(member), deadline, generator).expect("room");
            assert!(asks.pop_due(*now, |_| TIMEOUT).is_none());
            asks.answered(one, address(1), Some(member)).expect("it was asked");
        }
        *now = *now + TIMEOUT;
        while asks.pop_due(*now, |_| TIMEOUT).is_some() {}
        for &member in members.iter().rev().skip(1) {
            asks.answered(all, address(1), Some(member)).expect("it was asked");
        }
        *now = *now + Duration::from_secs(1);
        while asks.pop_due(*now, |_| TIMEOUT).is_some() {}
        assert_eq!(asks.len(), 0);
    };
    run();
    // The index over the table makes room once more when many of its places have been left.
    run();
    let cost = allocation_counter::measure(run);
    assert_eq!(cost.count_total, 0);
}

const PEERS: u8 = 4;

#[derive(Clone, Copy, Debug)]
enum Input {
    /// Peer 0 is classic, the others are extended; who is no member is asked as a stranger.
    Ask {
        peer: u8,
        within: Option<u64>,
    },
    AskAll {
        within: Option<u64>,
    },
    Join(u8),
    Leave(u8),
    Cancel(usize),
    Answer {
        peer: u8,
        request: usize,
    },
    Gone {
        peer: u8,
        request: usize,
    },
    Pass(u64),
}

fn input() -> impl Strategy<Value = Input> {
    let (peer, request) = (0..PEERS, 0usize..6);
    let within = prop::option::of(1u64..3_000);
    prop_oneof![
        4 => (peer.clone(), within.clone()).prop_map(|(peer, within)| Input::Ask { peer, within }),
        3 => within.prop_map(|within| Input::AskAll { within }),
        3 => peer.clone().prop_map(Input::Join),
        1 => peer.clone().prop_map(Input::Leave),
        1 => request.clone().prop_map(Input::Cancel),
        6 => (peer.clone(), request.clone())
            .prop_map(|(peer, request)| Input::Answer { peer, request }),
        2 => (peer, request).prop_map(|(peer, request)| Input::Gone { peer, request }),
        4 => (0u64..1_500).prop_map(Input::Pass),
    ]
}

/// One peer that has not answered; `member` as whom it was asked, if as one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Waiting {
    member: Option<Handle>,
    number: Option<u64>,
    next: Option<Instant>,
    sent: u32,
}

#[derive(Default)]
struct Model {
    members: BTreeMap<u8, Handle>,
    next_number: BTreeMap<Handle, u64>,
    first_number: u64,
    pending: BTreeMap<RequestId, (BTreeMap<u8, Waiting>, Option<Instant>)>,
    requests: Vec<RequestId>,
}

impl Model {
    fn addressee(&self, peer: u8) -> Addressee {
        match self.members.get(&peer) {
            None => Addressee::Stranger(address(peer)),
            Some(&member) if peer == 0 => Addressee::Classic(member),
            Some(&member) => extended(member),
        }
    }

    fn ask(&mut self, now: Instant, id: RequestId, peers: &[u8], within: Option<u64>) {
        let mut waiting = BTreeMap::new();
        for &peer in peers {
            let member = self.members.get(&peer).copied();
            let number = member.filter(|_| peer != 0).map(|member| {
                let next = self.next_number.entry(member).or_insert(self.first_number);
                *next += 1;
                *next - 1
            });
            let next = number.map(|_| now + TIMEOUT);
            waiting.insert(peer, Waiting { member, number, next, sent: 1 });
        }
        let deadline = within.map(|millis| now + Duration::from_millis(millis));
        self.pending.insert(id, (waiting, deadline));
        self.requests.push(id);
    }

    fn chosen(&self, back: usize) -> Option<RequestId> {
        self.requests.iter().rev().nth(back).copied()
    }

    fn strike(&mut self, id: RequestId, peer: u8) -> Option<Progress> {
        let (waiting, _) = self.pending.get_mut(&id)?;
        waiting.remove(&peer)?;
        if waiting.is_empty() {
            self.pending.remove(&id);
            return Some(Progress::Finished(id));
        }
        Some(Progress::Waiting(id))
    }

    fn numbering(&self, id: RequestId, member: Handle) -> Option<Numbering> {
        let of_member = |(waiting, _): &(BTreeMap<u8, Waiting>, _)| {
            waiting.values().find(|it| it.member == Some(member)).and_then(|it| it.number)
        };
        let number = of_member(self.pending.get(&id)?)?;
        let lowest = self.pending.values().filter_map(of_member).min()?;
        Some(Numbering { number, behind: u32::try_from(number - lowest).expect("small") })
    }

    /// What falls due up to `end`, as a set for each moment.
    fn pass(&mut self, end: Instant) -> BTreeMap<Instant, BTreeSet<(RequestId, Option<Handle>)>> {
        let mut due = BTreeMap::<_, BTreeSet<_>>::new();
        for (id, (waiting, deadline)) in &mut self.pending {
            let over = deadline.filter(|&at| at <= end);
            for it in waiting.values_mut() {
                // What is over is not sent once more.
                while let Some(at) =
                    it.next.filter(|&at| at <= end && over.is_none_or(|over| at < over))
                {
                    due.entry(at).or_default().insert((*id, it.member));
                    it.next = Some(at + backoff(TIMEOUT, it.sent));
                    it.sent += 1;
                }
            }
            if let Some(over) = over {
                due.entry(over).or_default().insert((*id, None));
            }
        }
        self.pending.retain(|_, (_, deadline)| deadline.is_none_or(|at| at > end));
        due
    }
}

/// Does the same to both, and compares.
fn step(bench: &mut Bench, model: &mut Model, input: Input) {
    let now = bench.now;
    match input {
        Input::Ask { peer, within } => {
            let deadline = within.map(|millis| now + Duration::from_millis(millis));
            let addressee = model.addressee(peer);
            let asked = bench.asks.ask_one(now, addressee, deadline, &mut bench.generator);
            model.ask(now, asked.expect("room"), &[peer], within);
        }
        Input::AskAll { within } => {
            let deadline = within.map(|millis| now + Duration::from_millis(millis));
            let peers: Vec<u8> = model.members.keys().copied().collect();
            let all = peers.iter().map(|&peer| model.addressee(peer));
            let asked = bench.asks.ask_all(now, all, deadline, &mut bench.generator);
            match asked.expect("room") {
                Some(id) => model.ask(now, id, &peers, within),
                None => assert!(peers.is_empty()),
            }
        }
        Input::Join(peer) => {
            model.members.entry(peer).or_insert_with(|| bench.members.insert(peer).expect("room"));
        }
        Input::Leave(peer) => leave(bench, model, peer),
        Input::Cancel(back) => {
            let Some(id) = model.chosen(back) else { return };
            assert_eq!(bench.asks.cancel(id), model.pending.remove(&id).is_some());
        }
        Input::Answer { peer, request } => {
            let Some(id) = model.chosen(request) else { return };
            let member = model.members.get(&peer).copied();
            let answered = bench.asks.answered(id, address(peer), member);
            assert_eq!(answered, model.strike(id, peer));
        }
        Input::Gone { peer, request } => {
            let (Some(id), Some(&member)) = (model.chosen(request), model.members.get(&peer))
            else {
                return;
            };
            let numbered = model.numbering(id, member).is_some();
            let expected = numbered.then(|| model.strike(id, peer).expect("it is waited for"));
            assert_eq!(bench.asks.gone(id, member), expected);
        }
        Input::Pass(millis) => {
            let mut due = BTreeMap::<_, BTreeSet<_>>::new();
            for (at, what) in bench.pass(millis) {
                let new = due.entry(Instant::from_millis(at)).or_default().insert(match what {
                    Due::TimedOut(request) => (request, None),
                    Due::Retransmit { request, member } => (request, Some(member)),
                });
                assert!(new, "each is due once at a time");
            }
            assert_eq!(due, model.pass(bench.now));
        }
    }
}

fn leave(bench: &mut Bench, model: &mut Model, peer: u8) {
    let Some(member) = model.members.remove(&peer) else { return };
    bench.members.remove(member);
    let mut told = BTreeSet::new();
    bench.asks.peer_left(
        member,
        |addr| addr == address(peer),
        |progress| {
            let (id, is_last) = match progress {
                Progress::Waiting(id) => (id, false),
                Progress::Finished(id) => (id, true),
            };
            assert!(told.insert((id, is_last)), "told once");
        },
    );
    let mut expected = BTreeSet::new();
    for &id in &model.requests.clone() {
        match model.strike(id, peer) {
            None => {}
            Some(Progress::Waiting(id)) => assert!(expected.insert((id, false))),
            Some(Progress::Finished(id)) => assert!(expected.insert((id, true))),
        }
    }
    assert_eq!(told, expected);
    let next = model.next_number.remove(&member).unwrap_or(0);
    model.first_number = model.first_number.max(next);
}

proptest! {
    #[test]
    fn asks_go_as_naive_maps_say(inputs in prop::collection::vec(input(), 0..120)) {
        let mut bench = Bench::new(200, 1_000);
        let mut model = Model { first_number: 1, ..Model::default() };
        for input in inputs {
            step(&mut bench, &mut model, input);
            prop_assert_eq!(bench.asks.len(), model.pending.len());
            let waited_for: usize = model.pending.values().map(|(waiting, _)| waiting.len()).sum();
            prop_assert_eq!(bench.asks.asks(), waited_for);
            for &id in &model.requests {
                for &member in model.members.values() {
                    let numbering = bench.asks.numbering(id, member);
                    prop_assert_eq!(numbering, model.numbering(id, member));
                }
            }
        }
    }
}
