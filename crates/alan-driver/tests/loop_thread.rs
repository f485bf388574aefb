//! A loop that has a thread to itself: who shuts the node down finds it gone.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use alan_driver::{Driver, Node, Runtime, Task, Turn};

/// A loop that takes its time to end after it has dropped the driver.
#[derive(Clone, Default)]
struct Slow {
    is_over: Arc<AtomicBool>,
}

impl Runtime for Slow {
    fn current() -> io::Result<Self> {
        Ok(Self::default())
    }

    fn spawn(&self, _task: Task) {
        panic!("nothing here needs a task");
    }

    fn drive(&self, driver: Driver) -> io::Result<()> {
        let is_over = Arc::clone(&self.is_over);
        driver.run_on_thread(move |mut driver| {
            while driver.advance() != Turn::Ended {
                thread::yield_now();
            }
            drop(driver);
            thread::park_timeout(Duration::from_millis(50));
            is_over.store(true, Ordering::Release);
        })
    }
}

/// Looks at a future until it is ready.
fn wait<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::yield_now(),
        }
    }
}

#[test]
fn everyone_who_shuts_a_node_down_waits_for_its_thread() {
    let runtime = Slow::default();
    let node = Node::builder().peers::<&str>([]).bind([127, 0, 22, 1]);
    let node = node.start_on(runtime.clone()).expect("the address is free");
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                wait(node.shutdown());
                assert!(runtime.is_over.load(Ordering::Acquire), "the thread is still there");
            });
        }
    });
    assert!(node.has_ended());
}
