//! Trying promises: each on a thread of its own, several at once, and none for ever.

use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use crate::arguments::Arguments;
use crate::promises::{self, Column, Promise};

/// In the message of every panic that is a part of a test.
pub(crate) const WANTED_PANIC: &str = "this panic is a part of the test";

/// What became of a promise under an adapter.
#[derive(Clone, Debug)]
pub(crate) enum Verdict {
    Kept(Duration),
    Broken(String),
}

impl Verdict {
    pub(crate) const fn is_kept(&self) -> bool {
        matches!(self, Self::Kept(_))
    }
}

/// One cell of the table.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub(crate) promise: &'static str,
    pub(crate) column: Column,
    pub(crate) verdict: Verdict,
}

/// Tries all promises that are wanted, a few at the same time. The results are in the list's order.
pub(crate) fn run_all(arguments: &Arguments) -> Vec<Outcome> {
    let columns: Vec<_> = promises::columns()
        .into_iter()
        .filter(|(column, _)| arguments.wants_column(column.adapter, column.sealed))
        .collect();
    let mut cells = Vec::new();
    for row in 0..promises::COUNT {
        for (column, promises) in &columns {
            if arguments.wants(promises[row].name) {
                cells.push((promises[row], *column));
            }
        }
    }
    let next = AtomicUsize::new(0);
    let verdicts = Mutex::new(vec![None; cells.len()]);
    thread::scope(|scope| {
        for _ in 0..arguments.jobs {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(&(promise, column)) = cells.get(index) else { return };
                    let verdict = attempt(promise, column, arguments.patience);
                    verdicts.lock().expect("nobody panics under it")[index] = Some(verdict);
                }
            });
        }
    });
    let verdicts = verdicts.into_inner().expect("nobody panicked under it");
    let outcomes = cells.into_iter().zip(verdicts).map(|((promise, column), verdict)| Outcome {
        promise: promise.name,
        column,
        verdict: verdict.expect("every cell has been tried"),
    });
    outcomes.collect()
}

/// Tries one promise. A thread that hangs is left behind: the process ends without it.
fn attempt(promise: Promise, column: Column, patience: Duration) -> Verdict {
    let notes = Arc::new(Notes::default());
    let (tell, told) = mpsc::sync_channel(1);
    let theirs = Arc::clone(&notes);
    let begun = Instant::now();
    thread::Builder::new()
        .name(promise.name.to_owned())
        .spawn(move || {
            NOTES.set(Some(theirs));
            let kept = panic::catch_unwind(AssertUnwindSafe(|| (promise.keep)(column.sealed)));
            // Too late, perhaps.
            let _ = tell.send(kept.is_ok());
        })
        .expect("the system has threads");
    match told.recv_timeout(patience) {
        Ok(true) => Verdict::Kept(begun.elapsed()),
        Ok(false) => Verdict::Broken(notes.read(|notes| notes.panic.clone())),
        Err(_) => {
            let what = notes.read(|notes| notes.waits_for);
            Verdict::Broken(format!("still waiting after {patience:?} for: {what}"))
        }
    }
}

/// What a row's thread leaves for its watchdog.
#[derive(Default)]
struct Notes(Mutex<Note>);

#[derive(Default)]
struct Note {
    waits_for: &'static str,
    panic: String,
}

impl Notes {
    fn read<T>(&self, read: impl FnOnce(&mut Note) -> T) -> T {
        read(&mut self.0.lock().expect("nothing panics under it"))
    }
}

thread_local! {
    static NOTES: RefCell<Option<Arc<Notes>>> = const { RefCell::new(None) };
}

/// Notes what the row waits for, if this is its thread.
pub(crate) fn waits_for(what: &'static str) {
    NOTES.with_borrow(|notes| {
        if let Some(notes) = notes {
            notes.read(|notes| notes.waits_for = what);
        }
    });
}

/// From now on a row's panic is its verdict, and wanted ones are not mentioned.
pub(crate) fn quiet_panics() {
    let loud = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        let noted = NOTES.with_borrow(|notes| {
            let noted = notes.as_ref().map(|notes| notes.read(|notes| notes.panic = words(panic)));
            noted.is_some()
        });
        if !noted && !words(panic).contains(WANTED_PANIC) {
            loud(panic);
        }
    }));
}

fn words(panic: &PanicHookInfo<'_>) -> String {
    let payload = panic.payload();
    let message = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a panic without words");
    match panic.location() {
        Some(place) => format!("{}:{}: {message}", place.file(), place.line()),
        None => message.to_owned(),
    }
}
