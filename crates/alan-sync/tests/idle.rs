//! A node that has nothing to do sleeps. Alone in its process, so that it finds its thread.
#![cfg(target_os = "linux")]

mod stage;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use alan_sync::Wait;

use stage::builder;

/// Long enough to tell sleep from polling: several times what each of the limits stands for.
const WHILE: Duration = Duration::from_millis(500);

/// The loop's thread in the file system of processes.
fn loop_thread() -> PathBuf {
    let mut threads = fs::read_dir("/proc/self/task").expect("Linux has it");
    let is_loop = |path: &PathBuf| {
        fs::read_to_string(path.join("comm")).is_ok_and(|name| name.trim_end() == "alan-loop")
    };
    threads
        .find_map(|thread| thread.ok().map(|entry| entry.path()).filter(is_loop))
        .expect("a loop")
}

/// How often the thread went to sleep, and for how long it has run.
fn activity(thread: &Path) -> (u64, Duration) {
    let number = |text: &str| text.trim().parse().expect("a number");
    let status = fs::read_to_string(thread.join("status")).expect("the thread runs");
    let sleeps = status
        .lines()
        .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))
        .map(number)
        .expect("Linux counts them");
    let run = fs::read_to_string(thread.join("schedstat")).expect("the thread runs");
    let nanoseconds = run.split(' ').next().map(number).expect("Linux measures it");
    (sleeps, Duration::from_nanos(nanoseconds))
}

#[test]
fn an_idle_node_sleeps_in_the_system() {
    let node = builder(41, 1).refresh_interval(None).start().wait().expect("the address is free");
    node.ready().wait().expect("it runs");
    let mut incoming = node.incoming().expect("nobody else reads");
    // Heartbeats are seconds away, and there is nobody to send them to.
    incoming.recv().wait_timeout(Duration::from_millis(100)).expect_err("nobody is here");
    let (sleeps, run) = activity(&loop_thread());
    incoming.recv().wait_timeout(WHILE).expect_err("nobody is here");
    let (sleeps_after, run_after) = activity(&loop_thread());
    assert!(sleeps_after - sleeps < 20, "it woke {} times", sleeps_after - sleeps);
    let run = run_after.saturating_sub(run);
    assert!(run < WHILE / 20, "it ran for {run:?}");
}
