//! What happens at the edges of a node's life, and of a peer's.

mod by_hand;

use std::cell::RefCell;
use std::net::{SocketAddr, UdpSocket};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use alan_driver::discovery::{Discover, DiscoverError, Discovered};
use alan_driver::{Driver, Message, Node, Queues, Runtime, SendError, Serve, Served, Task};
use alan_proto::wire::Message as Wire;

use by_hand::{Bench, ByHand, PATIENCE, now};

thread_local! {
    static SERVED: RefCell<Option<Queues>> = const { RefCell::new(None) };
}

/// Whoever serves by hand gets the queues.
impl Serve<()> for ByHand {
    fn serve<H: Fn(Message) + Send + Sync + 'static>(&self, queues: Queues, _handler: H) {
        SERVED.set(Some(queues));
    }
}

fn serve(bench: &Bench) -> Queues {
    bench.node.serve(|_message| ()).expect("nobody else reads");
    SERVED.take().expect("they were handed over")
}

fn next(queues: &mut Queues) -> Option<Served> {
    now(queues.next()).map(|queue| queue.expect("the node is there"))
}

fn payload(message: Option<Message>) -> Option<Vec<u8>> {
    message.map(|message| message.payload().to_vec())
}

#[test]
fn who_joins_while_a_message_of_it_is_handled_waits_for_that() {
    let mut bench = Bench::with_heartbeats(PATIENCE, 2 * PATIENCE);
    let mut queues = serve(&bench);
    bench.send(&Wire::Data(b"as a stranger"));
    let _ = bench.driver.receive();
    let mut strangers = next(&mut queues).expect("there is a message");
    assert_eq!(payload(strangers.next()), Some(b"as a stranger".to_vec()));

    bench.join();
    bench.send(&Wire::Data(b"as a member"));
    let _ = bench.driver.receive();
    assert!(next(&mut queues).is_none(), "its first message is being handled");

    assert!(strangers.next().is_none());
    let mut member = next(&mut queues).expect("now it is its turn");
    assert_eq!(payload(member.next()), Some(b"as a member".to_vec()));
}

#[test]
fn reads_that_fail_do_not_stop_the_clock() {
    let mut bench = Bench::new();
    bench.join();
    bench.oversleep();
    // Everything that is sent to a port where nobody listens makes one later read fail.
    let nobody = UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
    bench.driver.socket().connect(nobody.expect("the system has ports")).expect("it is local");
    let started = Instant::now();
    while bench.node.peer(bench.peer_addr()).is_some() {
        let _refused = bench.driver.socket().send(&[0]);
        let _turn = bench.driver.advance();
        assert!(started.elapsed() < PATIENCE, "the silent peer is still here");
    }
    assert_ne!(bench.node.stats().receive_failures, 0, "no read failed: this has shown nothing");
}

/// A runtime that is gone: whatever it gets is dropped.
#[derive(Clone)]
struct Gone;

impl Runtime for Gone {
    fn current() -> std::io::Result<Self> {
        Ok(Self)
    }

    fn spawn(&self, _task: Task) {}

    fn drive(&self, driver: Driver) -> std::io::Result<()> {
        drop(driver);
        Ok(())
    }
}

#[test]
fn a_node_that_ended_while_it_started_asks_discovery_nothing() {
    let (asked, questions) = mpsc::channel();
    let source = move || {
        asked.send(()).map_err(std::io::Error::other)?;
        Ok(Vec::new())
    };
    let port = UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
    let node = Node::<Gone>::builder()
        .discover(source)
        .refresh_interval(Duration::from_millis(1))
        .bind([127, 0, 0, 1])
        .port(port.expect("the system has ports").port())
        .start_on(Gone)
        .expect("the port is free");
    assert!(node.has_ended());
    // A first question may have been under way; the source is dropped when it is answered.
    let started = Instant::now();
    while questions.recv_timeout(PATIENCE) != Err(mpsc::RecvTimeoutError::Disconnected) {
        assert!(started.elapsed() < PATIENCE, "discovery is asked for ever");
    }
}

/// Knows one address at once, and the rest when the test says so.
struct Slow {
    known: SocketAddr,
    found: mpsc::Receiver<()>,
}

impl Discover for Slow {
    fn discover(&mut self) -> Result<Discovered, DiscoverError> {
        self.found.recv().map_err(std::io::Error::other)?;
        Ok(Discovered::from(vec![self.known]))
    }

    fn known(&self) -> Vec<SocketAddr> {
        vec![self.known]
    }
}

#[test]
fn who_is_known_is_asked_to_join_before_discovery_has_an_answer_and_the_node_is_ready_after() {
    let peer = UdpSocket::bind("127.0.0.1:0").expect("the system has ports");
    peer.set_read_timeout(Some(PATIENCE)).expect("it is a duration");
    let (answer, found) = mpsc::channel();
    let source = Slow { known: peer.local_addr().expect("it is bound"), found };
    let bench = Bench::with(|builder| builder.discover(source));

    let mut buffer = [0; 1_200];
    let (len, from) = peer.recv_from(&mut buffer).expect("it is asked");
    assert_eq!(from, bench.node.local_addr());
    assert!(matches!(Wire::decode(&buffer[..len]), Ok(Wire::Join(_))));
    assert_eq!(now(bench.node.ready()), None, "the first round is under way");

    answer.send(()).expect("the source listens");
    let started = Instant::now();
    while now(bench.node.ready()) != Some(Ok(())) {
        thread::yield_now();
        assert!(started.elapsed() < PATIENCE, "it never gets ready");
    }
}

#[test]
fn the_port_is_free_when_the_node_has_ended_whoever_is_sending() {
    for round in 0..300 {
        let Bench { node, driver, peer } = Bench::new();
        let (sender, to) = (node.clone(), peer.local_addr().expect("it is bound"));
        let sending = thread::spawn(move || {
            while sender.send_to(to, [0; 1_000]) != Err(SendError::Closed(alan_driver::Closed)) {}
        });
        while node.stats().protocol.transmitted < 10 {
            thread::yield_now();
        }
        drop(driver);
        while !node.has_ended() {
            thread::yield_now();
        }
        let again = UdpSocket::bind(node.local_addr());
        sending.join().expect("it does not panic");
        assert!(again.is_ok(), "round {round}: {again:?}");
    }
}
