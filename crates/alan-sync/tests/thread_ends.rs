//! No thread of a node outlives it. Alone in its process, so that it can count threads.
#![cfg(target_os = "linux")]

mod stage;

use std::fs;

use alan_sync::Wait;

use stage::{builder, until};

/// How many threads of nodes are running in this process.
fn threads_of_nodes() -> usize {
    let threads = fs::read_dir("/proc/self/task").expect("Linux has it");
    threads
        .filter_map(|thread| fs::read_to_string(thread.ok()?.path().join("comm")).ok())
        .filter(|name| name.starts_with("alan-"))
        .count()
}

#[test]
fn no_thread_of_a_node_outlives_it() {
    for round in 0..30 {
        let node = builder(40, 1).start().wait().expect("the address is free");
        node.ready().wait().expect("it runs");
        node.on_peer_join(|_, _| {});
        node.serve(|_| {}).expect("nobody else reads");
        until("each has its thread", || threads_of_nodes() == 4);
        match round % 3 {
            0 => node.shutdown().wait(),
            1 => node.abort().wait(),
            _ => drop(node),
        }
        // Linux shows a thread for a moment after it was joined, and only the loop's is joined.
        until("they are gone", || threads_of_nodes() == 0);
    }
}
