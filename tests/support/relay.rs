//! A network between two nodes that loses what the test wants lost.
//!
//! Each node knows the other by an address of the relay, which passes datagrams on from another
//! address of its own, as a translating router does:
//!
//! ```text
//! near node ◄──► relay's near address ◄─ relay ─► relay's far address ◄──► far node
//! ```

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How often a relay looks whether it is to end.
const TICK: Duration = Duration::from_millis(20);

/// Which way a datagram goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// From the near node to the far one.
    There,
    /// From the far node to the near one.
    Back,
}

/// What decides whether a datagram is passed on.
type Rule = dyn FnMut(Way, &[u8]) -> bool + Send;

/// A relay between two nodes. It ends when it is dropped.
pub struct Relay {
    rule: Arc<Mutex<Box<Rule>>>,
    end: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Relay {
    /// A relay at `ours`, its near and its far address, between the nodes at `theirs`; all of them
    /// have the same port. It passes everything on until told otherwise.
    ///
    /// The near node finds the far one at the relay's near address, and the other way round.
    #[must_use]
    pub fn new(ours: [IpAddr; 2], theirs: [IpAddr; 2], port: u16) -> Self {
        let sockets = ours.map(|address| {
            let socket = UdpSocket::bind((address, port)).expect("the address is this test's own");
            socket.set_read_timeout(Some(TICK)).expect("it is a duration");
            Arc::new(socket)
        });
        let rule: Arc<Mutex<Box<Rule>>> = Arc::new(Mutex::new(Box::new(|_, _| true)));
        let end = Arc::new(AtomicBool::new(false));
        let threads = [(Way::There, 0, 1), (Way::Back, 1, 0)].map(|(way, from, to)| {
            let (from, through) = (Arc::clone(&sockets[from]), Arc::clone(&sockets[to]));
            let to = SocketAddr::new(theirs[to], port);
            let (rule, end) = (Arc::clone(&rule), Arc::clone(&end));
            thread::spawn(move || {
                let mut datagram = vec![0; 65_535];
                while !end.load(Ordering::Relaxed) {
                    match from.recv_from(&mut datagram) {
                        Ok((len, _)) => {
                            let mut passes = rule.lock().expect("rules do not panic");
                            if passes(way, &datagram[..len]) {
                                // Who is not there yet can't be sent to.
                                let _ = through.send_to(&datagram[..len], to);
                            }
                        }
                        Err(error) if is_passing(&error) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
            })
        });
        Self { rule, end, threads: threads.into() }
    }

    /// From now on passes on what `rule` gives `true` for.
    pub fn pass(&self, rule: impl FnMut(Way, &[u8]) -> bool + Send + 'static) {
        *self.rule.lock().expect("rules do not panic") = Box::new(rule);
    }
}

/// Nothing came, or something that was sent earlier was refused.
fn is_passing(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionRefused, Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), ConnectionRefused | Interrupted | TimedOut | WouldBlock)
}

impl std::fmt::Debug for Relay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Relay").finish_non_exhaustive()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _panic = thread.join();
        }
    }
}
