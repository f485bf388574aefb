//! Many seeds of one scenario, several at a time: the lowest that violates an invariant, the same
//! however many run at once.

use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;

use alan_sim::scenario::{Scenario, Variant};
use alan_sim::{Explored, explore};

use crate::args::sim::SeedArgs;

/// What a search came to.
pub(super) struct Found {
    /// The lowest seed that violates an invariant, and what.
    pub(super) first: Option<Explored>,
    /// How many seeds were run.
    pub(super) seeds: u64,
    /// How many datagrams were sent in them.
    pub(super) datagrams: u64,
}

/// Which seeds, and how many at a time.
pub(super) struct Seeds {
    pub(super) range: Range<u64>,
    jobs: usize,
}

impl From<&SeedArgs> for Seeds {
    fn from(args: &SeedArgs) -> Self {
        let jobs = args.jobs.or_else(|| thread::available_parallelism().ok());
        let end = args.first_seed.saturating_add(args.seeds);
        Self { range: args.first_seed..end, jobs: jobs.map_or(1, NonZeroUsize::get) }
    }
}

/// Runs seeds up to the first that violates an invariant. `progress` is told how many seeds are
/// done and how many datagrams they sent.
pub(super) fn search(
    scenario: &Scenario,
    variant: Variant,
    seeds: &Seeds,
    mut progress: impl FnMut(u64, u64),
) -> Found {
    let mut found = Found { first: None, seeds: 0, datagrams: 0 };
    let next = AtomicU64::new(seeds.range.start);
    // No seed above the lowest that is known to violate something is begun any more.
    let end = AtomicU64::new(seeds.range.end);
    let (results, explored) = mpsc::sync_channel(1_024);
    thread::scope(|scope| {
        for _ in 0..seeds.jobs {
            let (results, next, end) = (results.clone(), &next, &end);
            scope.spawn(move || {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end.load(Ordering::Relaxed) {
                        return;
                    }
                    for explored in explore(scenario, variant, seed..seed + 1) {
                        if explored.violation.is_some() {
                            end.fetch_min(seed, Ordering::Relaxed);
                        }
                        if results.send(explored).is_err() {
                            return;
                        }
                    }
                }
            });
        }
        drop(results);
        for explored in explored {
            found.seeds += 1;
            found.datagrams += explored.stats.sent;
            progress(found.seeds, found.datagrams);
            let lower = found.first.as_ref().is_none_or(|first| explored.seed < first.seed);
            if explored.violation.is_some() && lower {
                found.first = Some(explored);
            }
        }
    });
    found
}

#[cfg(test)]
mod tests {
    use alan_sim::plan::Locks;

    use super::*;

    #[test]
    fn the_first_violation_is_the_same_however_many_seeds_run_at_once() {
        let scenario = Scenario::find("startup-race").expect("it exists");
        let variant = Variant::new(false, Locks::Classic);
        let first = |jobs| {
            let seeds = Seeds { range: 0..100, jobs };
            search(scenario, variant, &seeds, |_, _| {}).first.map(|first| first.seed)
        };
        assert!(first(1).is_some());
        assert_eq!(first(1), first(4));
    }

    #[test]
    fn progress_is_told_of_every_seed() {
        let scenario = Scenario::find("cold-start-3").expect("it exists");
        let variant = Variant::new(true, Locks::Repaired);
        let seeds = Seeds { range: 5..11, jobs: 2 };
        let mut told = Vec::new();
        let found = search(scenario, variant, &seeds, |seeds, _| told.push(seeds));
        assert!(found.first.is_none());
        assert_eq!(told, [1, 2, 3, 4, 5, 6]);
    }
}
