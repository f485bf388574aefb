//! The counters reach the program's recorder.

use std::collections::BTreeMap;
use std::io;
use std::net::UdpSocket;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use alan_driver::{Driver, Node, Runtime, Task};
use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, Key, KeyName, Metadata, Recorder, SharedString,
    Unit,
};

/// What was recorded last, by name, without labels other than `reason`.
#[derive(Clone, Default)]
struct Board(Arc<Mutex<BTreeMap<String, f64>>>);

impl Board {
    fn get(&self, name: &str) -> Option<f64> {
        self.0.lock().expect("nobody panics").get(name).copied()
    }

    fn slot(&self, key: &Key) -> Arc<Slot> {
        let reason = key.labels().find(|label| label.key() == "reason");
        let name = reason.map_or_else(
            || key.name().to_owned(),
            |reason| format!("{} {}", key.name(), reason.value()),
        );
        assert!(key.labels().any(|label| label.key() == "node"), "{key:?}");
        Arc::new(Slot { board: self.clone(), name })
    }
}

struct Slot {
    board: Board,
    name: String,
}

impl Slot {
    fn put(&self, value: f64) {
        self.board.0.lock().expect("nobody panics").insert(self.name.clone(), value);
    }
}

impl CounterFn for Slot {
    fn increment(&self, _value: u64) {
        panic!("totals are set, not added to");
    }

    fn absolute(&self, value: u64) {
        self.put(f64::from(u32::try_from(value).expect("a small number")));
    }
}

impl GaugeFn for Slot {
    fn increment(&self, _value: f64) {
        panic!("gauges are set");
    }

    fn decrement(&self, _value: f64) {
        panic!("gauges are set");
    }

    fn set(&self, value: f64) {
        self.put(value);
    }
}

impl Recorder for Board {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.slot(key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.slot(key))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        panic!("there are none: {key:?}");
    }
}

/// A runtime whose loop is run by nobody: the node lives as long as the driver in here.
#[derive(Clone)]
struct Idle(Arc<Mutex<Option<Driver>>>);

impl Runtime for Idle {
    fn current() -> io::Result<Self> {
        Ok(Self(Arc::default()))
    }

    fn spawn(&self, _task: Task) {
        panic!("nothing here needs a task");
    }

    fn drive(&self, driver: Driver) -> io::Result<()> {
        *self.0.lock().expect("nobody panics") = Some(driver);
        Ok(())
    }
}

#[test]
fn counters_and_gauges_reach_the_recorder_under_the_nodes_name() {
    let port = UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
    let port = port.expect("the system has ports").port();
    let start = Node::<Idle>::builder()
        .peers::<&str>([])
        .bind([127, 0, 0, 1])
        .port(port)
        .cluster_size(1)
        .start();
    let started = pin!(start).poll(&mut Context::from_waker(Waker::noop()));
    let Poll::Ready(Ok(node)) = started else { panic!("{started:?}") };
    node.send_to(node.local_addr(), b"one").expect("it leaves");
    node.send_to("[2001:db8::1]:5000".parse().expect("an address"), b"two").expect_err("it can't");

    let board = Board::default();
    metrics::with_local_recorder(&board, || node.record_metrics());
    assert_eq!(board.get("alan_datagrams_transmitted_total"), Some(2.0));
    assert_eq!(board.get("alan_send_failures_total"), Some(1.0));
    assert_eq!(board.get("alan_datagrams_rejected_total unopened"), Some(0.0));
    assert_eq!(board.get("alan_peers"), Some(0.0));
    assert_eq!(board.get("alan_quorum"), Some(1.0));
}
