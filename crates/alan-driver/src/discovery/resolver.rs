//! The thread that asks a source: at the start, each interval, and when told to.

use std::collections::HashSet;
use std::io;
use std::net::SocketAddr;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use super::{Discover, DiscoverError, Discovered};
use crate::fault;
use crate::socket::canonical;

/// The first pause after a failure; each further failure doubles it.
const FIRST_RETRY: Duration = Duration::from_millis(200);

/// The longest pause after a failure where no refresh interval says otherwise.
const LONGEST_RETRY: Duration = Duration::from_secs(30);

/// An answer that holds for less than this is asked for again after this.
const SHORTEST_REFRESH: Duration = Duration::from_secs(1);

/// The number under which it is reported what a source knows that has not been asked.
pub(crate) const BEFORE_ALL_ROUNDS: u64 = 0;

/// When a source is asked again, and how much of its answer is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Schedule {
    /// The time between rounds, unless the answer holds for less. `None`: after the first success,
    /// only when told to.
    pub interval: Option<Duration>,
    /// The most addresses of an answer that are kept.
    pub max_addresses: usize,
}

impl Schedule {
    /// The pause after an answer that is complete.
    fn after_success(&self, refresh_within: Option<Duration>) -> Option<Duration> {
        let interval = self.interval?;
        let holds = refresh_within.map_or(interval, |holds| holds.max(SHORTEST_REFRESH));
        Some(interval.min(holds))
    }

    /// The pause after the given number of failures in a row.
    fn after_failures(&self, failures: u32) -> Duration {
        let longest = self.interval.unwrap_or(LONGEST_RETRY).max(FIRST_RETRY);
        let doublings = failures.saturating_sub(1).min(31);
        FIRST_RETRY.saturating_mul(1 << doublings).min(longest)
    }
}

/// Asks a source of addresses, on a thread of its own, for as long as it is not dropped.
///
/// A round is one question and its answer; rounds are numbered from 1. A failed round is followed
/// by others after 200 ms, 400 ms and so on, up to the interval, or 30 s without one.
///
/// Dropping stops the thread at once if it is between rounds. If it is inside the source, it is
/// left to itself and ends, silently, when the source returns.
#[derive(Debug)]
pub struct Resolver {
    shared: Arc<Shared>,
}

impl Resolver {
    /// Starts the thread, and with it the first round.
    ///
    /// `report` is called on that thread after each round, with what was found (each address once,
    /// at most [`Schedule::max_addresses`]) or why not, and the round's number. An incomplete
    /// answer is reported twice: as an answer, and then as the error that made it incomplete.
    /// What the source [knows](Discover::known) is reported before the first round, as of round 0.
    ///
    /// Fails only when the system has no more threads to give.
    pub fn spawn<R>(
        mut source: Box<dyn Discover>,
        schedule: Schedule,
        mut report: R,
    ) -> io::Result<Self>
    where
        R: FnMut(Result<Vec<SocketAddr>, &DiscoverError>, u64) + Send + 'static,
    {
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        thread::Builder::new()
            .name("alan-discovery".to_owned())
            .spawn(move || run(&mut *source, schedule, &mut report, &theirs))?;
        Ok(Self { shared })
    }

    /// Asks again now, or right after the round under way. Returns the number of the first round
    /// that begins after this call.
    pub fn refresh(&self) -> u64 {
        let mut state = self.shared.lock();
        state.refresh_wanted = true;
        let round = state.round + 1;
        drop(state);
        self.shared.changed.notify_one();
        round
    }
}

impl Drop for Resolver {
    fn drop(&mut self) {
        self.shared.lock().stopped = true;
        self.shared.changed.notify_one();
    }
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// The latest round that began.
    round: u64,
    refresh_wanted: bool,
    stopped: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it is held")
    }

    fn is_stopped(&self) -> bool {
        self.lock().stopped
    }

    /// Waits until a round is due, and gives its number; `None` if there are to be no more.
    fn next_round(&self, pause: Option<Duration>) -> Option<u64> {
        // A pause beyond the clock's range is one without end.
        let due = pause.and_then(|pause| Instant::now().checked_add(pause));
        let mut state = self.lock();
        loop {
            if state.stopped {
                return None;
            }
            let now = Instant::now();
            if state.refresh_wanted || due.is_some_and(|due| due <= now) {
                state.refresh_wanted = false;
                state.round += 1;
                return Some(state.round);
            }
            state = self.wait(state, due.map(|due| due - now));
        }
    }

    fn wait<'s>(
        &self,
        state: MutexGuard<'s, State>,
        timeout: Option<Duration>,
    ) -> MutexGuard<'s, State> {
        let state = match timeout {
            Some(timeout) => self.changed.wait_timeout(state, timeout).map(|(state, _)| state).ok(),
            None => self.changed.wait(state).ok(),
        };
        state.expect("nothing panics while it is held")
    }
}

type Report<'r> = &'r mut dyn FnMut(Result<Vec<SocketAddr>, &DiscoverError>, u64);

fn run(source: &mut dyn Discover, schedule: Schedule, report: Report<'_>, shared: &Shared) {
    let known = tidy(known(source), schedule.max_addresses);
    if !known.is_empty() {
        report(Ok(known), BEFORE_ALL_ROUNDS);
    }
    let mut failures = 0;
    let mut pause = Some(Duration::ZERO);
    while let Some(round) = shared.next_round(pause) {
        let answer = ask(source);
        if shared.is_stopped() {
            return;
        }
        let error = match answer {
            Ok(Discovered { addresses, refresh_within, incomplete }) => {
                report(Ok(tidy(addresses, schedule.max_addresses)), round);
                pause = schedule.after_success(refresh_within);
                incomplete
            }
            Err(error) => Some(error),
        };
        if let Some(error) = error {
            report(Err(&error), round);
            failures += 1;
            pause = Some(schedule.after_failures(failures));
        } else {
            failures = 0;
        }
    }
}

/// A source that panics has failed; its thread goes on, for somebody may wait for its answer.
fn ask(source: &mut dyn Discover) -> Result<Discovered, DiscoverError> {
    panic::catch_unwind(AssertUnwindSafe(|| source.discover()))
        .unwrap_or(Err(DiscoverError::Panicked))
        .map(fault::discovered)
}

/// What a source knows that has not been asked; one that panics knows nothing.
fn known(source: &dyn Discover) -> Vec<SocketAddr> {
    let known = panic::catch_unwind(AssertUnwindSafe(|| source.known())).unwrap_or_default();
    fault::discovered(Discovered::from(known)).addresses
}

/// Each address once, in the form in which its datagrams will show it, and not too many of them.
fn tidy(addresses: Vec<SocketAddr>, max: usize) -> Vec<SocketAddr> {
    let mut seen = HashSet::new();
    let found = addresses.len();
    let mut addresses = addresses;
    for address in &mut addresses {
        *address = canonical(*address);
    }
    addresses.retain(|address| seen.len() < max && seen.insert(*address));
    if seen.len() == max && found > max {
        tracing::warn!(found, kept = max, "discovery found more addresses than max_candidates");
    }
    addresses
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);
    const HOUR: Duration = Duration::from_secs(3_600);

    type Answer = Result<Discovered, DiscoverError>;

    /// A source that answers what the test sends it, and waits for that.
    struct Scripted(mpsc::Receiver<Answer>);

    impl Discover for Scripted {
        fn discover(&mut self) -> Answer {
            self.0.recv().expect("the test answers every question")
        }
    }

    struct Setup {
        resolver: Resolver,
        answers: mpsc::Sender<Answer>,
        reports: mpsc::Receiver<(Result<Vec<SocketAddr>, String>, u64)>,
    }

    fn start(interval: Option<Duration>) -> Setup {
        let (answers, script) = mpsc::channel();
        Setup { answers, ..start_with(Scripted(script), interval) }
    }

    fn start_with(source: impl Discover, interval: Option<Duration>) -> Setup {
        let (sender, reports) = mpsc::channel();
        let schedule = Schedule { interval, max_addresses: 3 };
        let report = move |result: Result<_, &DiscoverError>, round| {
            let _ = sender.send((result.map_err(ToString::to_string), round));
        };
        let resolver = Resolver::spawn(Box::new(source), schedule, report).expect("a thread");
        Setup { resolver, answers: mpsc::channel().0, reports }
    }

    impl Setup {
        fn answer(&self, answer: Answer) {
            self.answers.send(answer).expect("the source listens");
        }

        fn report(&self) -> (Result<Vec<SocketAddr>, String>, u64) {
            self.reports.recv_timeout(PATIENCE).expect("a report comes")
        }
    }

    fn address(last: u8) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, last], 5000))
    }

    fn found(addresses: &[SocketAddr]) -> Discovered {
        Discovered::from(addresses.to_vec())
    }

    fn unresolvable() -> DiscoverError {
        let source = io::Error::new(io::ErrorKind::NotFound, "no such name");
        DiscoverError::Resolve { name: "a".to_owned(), source }
    }

    #[test]
    fn a_name_that_does_not_resolve_is_tried_again_until_it_does() {
        let setup = start(None);
        let failure = Err("cannot resolve a: no such name".to_owned());
        setup.answer(Err(unresolvable()));
        assert_eq!(setup.report(), (failure.clone(), 1));
        setup.answer(Err(unresolvable()));
        assert_eq!(setup.report(), (failure, 2));
        setup.answer(Ok(found(&[address(1)])));
        assert_eq!(setup.report(), (Ok(vec![address(1)]), 3));
    }

    #[test]
    fn it_asks_again_each_interval() {
        let setup = start(Some(Duration::from_millis(1)));
        for round in 1..=3 {
            setup.answer(Ok(found(&[address(1)])));
            assert_eq!(setup.report(), (Ok(vec![address(1)]), round));
        }
    }

    #[test]
    fn a_refresh_asks_at_once_and_names_the_round_that_answers_it() {
        for interval in [None, Some(HOUR)] {
            let setup = start(interval);
            setup.answer(Ok(found(&[address(1)])));
            assert_eq!(setup.report(), (Ok(vec![address(1)]), 1));
            let round = setup.resolver.refresh();
            setup.answer(Ok(found(&[address(2)])));
            assert_eq!(setup.report(), (Ok(vec![address(2)]), round));
            assert_eq!(round, 2);
        }
    }

    #[test]
    fn a_refresh_during_a_round_gets_one_of_its_own() {
        let (asked, questions) = mpsc::channel();
        let (answers, script) = mpsc::channel::<Vec<SocketAddr>>();
        let source = move || {
            asked.send(()).expect("the test listens");
            Ok(script.recv().expect("the test answers"))
        };
        let (sender, reports) = mpsc::channel();
        let report = move |_: Result<Vec<_>, &DiscoverError>, round| {
            let _ = sender.send(round);
        };
        let schedule = Schedule { interval: None, max_addresses: 3 };
        let resolver = Resolver::spawn(Box::new(source), schedule, report).expect("a thread");

        questions.recv_timeout(PATIENCE).expect("round 1 has begun");
        assert_eq!(resolver.refresh(), 2);
        answers.send(vec![]).expect("the source listens");
        assert_eq!(reports.recv_timeout(PATIENCE), Ok(1));
        answers.send(vec![]).expect("the source listens");
        assert_eq!(reports.recv_timeout(PATIENCE), Ok(2));
    }

    #[test]
    fn an_incomplete_answer_is_an_answer_then_an_error_and_tried_again() {
        let setup = start(Some(HOUR));
        let incomplete = Some(unresolvable());
        setup.answer(Ok(Discovered { incomplete, ..found(&[address(1)]) }));
        assert_eq!(setup.report(), (Ok(vec![address(1)]), 1));
        assert_eq!(setup.report(), (Err("cannot resolve a: no such name".to_owned()), 1));
        setup.answer(Ok(found(&[address(1), address(2)])));
        assert_eq!(setup.report(), (Ok(vec![address(1), address(2)]), 2));
    }

    #[test]
    fn each_address_is_kept_once_and_no_more_than_permitted() {
        let setup = start(None);
        let mapped = "[::ffff:10.0.0.1]:5000".parse().expect("an address");
        let answer = [address(1), mapped, address(2), address(2), address(3), address(4)];
        setup.answer(Ok(found(&answer)));
        assert_eq!(setup.report(), (Ok(vec![address(1), address(2), address(3)]), 1));
    }

    /// A source that knows something at once, and takes its time with the rest.
    struct Slow(Scripted);

    impl Discover for Slow {
        fn discover(&mut self) -> Answer {
            self.0.discover()
        }

        fn known(&self) -> Vec<SocketAddr> {
            (1..=4).map(address).collect()
        }
    }

    #[test]
    fn what_a_source_knows_does_not_wait_for_what_it_has_to_find_out() {
        let (answers, script) = mpsc::channel();
        let setup = start_with(Slow(Scripted(script)), Some(HOUR));
        let known = vec![address(1), address(2), address(3)];
        assert_eq!(setup.report(), (Ok(known), 0));
        answers.send(Ok(found(&[address(5)]))).expect("the source listens");
        assert_eq!(setup.report(), (Ok(vec![address(5)]), 1));
    }

    #[test]
    fn a_source_that_panics_has_failed_and_is_asked_again() {
        let mut first = true;
        let source = move || {
            assert!(!std::mem::take(&mut first), "as this test wants");
            Ok(vec![address(1)])
        };
        let (sender, reports) = mpsc::channel();
        let report = move |result: Result<_, &DiscoverError>, round| {
            let _ = sender.send((result.map_err(ToString::to_string), round));
        };
        let schedule = Schedule { interval: None, max_addresses: 3 };
        let _resolver = Resolver::spawn(Box::new(source), schedule, report).expect("a thread");
        let failure = Err("the discovery source panicked".to_owned());
        assert_eq!(reports.recv_timeout(PATIENCE), Ok((failure, 1)));
        assert_eq!(reports.recv_timeout(PATIENCE), Ok((Ok(vec![address(1)]), 2)));
    }

    #[test]
    fn dropping_it_between_rounds_ends_the_thread() {
        let setup = start(Some(HOUR));
        setup.answer(Ok(found(&[])));
        assert_eq!(setup.report(), (Ok(vec![]), 1));
        drop(setup.resolver);
        // The thread owned the other end.
        let ended = setup.reports.recv_timeout(PATIENCE);
        assert_eq!(ended, Err(mpsc::RecvTimeoutError::Disconnected));
    }

    #[test]
    fn dropping_it_during_a_round_does_not_wait_and_nothing_is_reported_later() {
        let setup = start(Some(HOUR));
        drop(setup.resolver);
        setup.answers.send(Ok(found(&[address(1)]))).ok();
        let ended = setup.reports.recv_timeout(PATIENCE);
        assert_eq!(ended, Err(mpsc::RecvTimeoutError::Disconnected));
    }

    #[test]
    fn pauses_after_failures_double_up_to_the_interval() {
        let pauses = |interval| {
            let schedule = Schedule { interval, max_addresses: 1 };
            [1, 2, 3, 8, 9, 100, u32::MAX].map(|failures| schedule.after_failures(failures))
        };
        let millis = Duration::from_millis;
        let without = [200, 400, 800, 25_600, 30_000, 30_000, 30_000].map(millis);
        assert_eq!(pauses(None), without);
        let with_one_second = [200, 400, 800, 1_000, 1_000, 1_000, 1_000].map(millis);
        assert_eq!(pauses(Some(millis(1_000))), with_one_second);
        assert_eq!(pauses(Some(millis(1))), [millis(200); 7]);
    }

    #[test]
    fn an_answer_that_holds_for_less_than_the_interval_shortens_the_pause() {
        let schedule = Schedule { interval: Some(Duration::from_secs(30)), max_addresses: 1 };
        let pause = |seconds| schedule.after_success(Some(Duration::from_secs(seconds)));
        assert_eq!(schedule.after_success(None), Some(Duration::from_secs(30)));
        assert_eq!(pause(60), Some(Duration::from_secs(30)));
        assert_eq!(pause(10), Some(Duration::from_secs(10)));
        assert_eq!(pause(0), Some(SHORTEST_REFRESH));
        let off = Schedule { interval: None, max_addresses: 1 };
        assert_eq!(off.after_success(Some(Duration::from_secs(10))), None);
    }
}
