//! `alan agent`: processes that find each other, say what they see, and leave when told to.
#![cfg(unix)]

use std::cell::RefCell;
use std::io::{BufRead, BufReader};
use std::net::UdpSocket;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use serde_json::Value;

/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

fn command(flags: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_alan"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("ALAN_") {
            command.env_remove(name);
        }
    }
    command.arg("agent").args(flags);
    command
}

struct Agent {
    child: Child,
    lines: Receiver<Value>,
    /// Lines that came before one that was waited for.
    passed: RefCell<Vec<Value>>,
}

impl Agent {
    fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
        let stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        let (send, lines) = channel();
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let value = serde_json::from_str(&line).expect("a JSON object per line");
                if send.send(value).is_err() {
                    return;
                }
            }
        });
        Self { child, lines, passed: RefCell::default() }
    }

    /// Waits for a line with this event, if it was not there before. An agent that was slow to
    /// listen hears what is true already, in another order than it came about.
    fn sees(&self, event: &str) -> Value {
        let mut passed = self.passed.borrow_mut();
        if let Some(place) = passed.iter().position(|line| line["event"] == event) {
            return passed.remove(place);
        }
        loop {
            let line = self.lines.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("no {event}"));
            if line["event"] == event {
                return line;
            }
            passed.push(line);
        }
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).expect("it runs");
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> String {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    socket.local_addr().expect("it is bound").port().to_string()
}

#[test]
fn two_agents_find_each_other_by_flags_and_environment_and_leave_when_told() {
    let port = free_port();
    let peers = "127.0.21.1,127.0.21.2";
    let flags = [
        "--json",
        "--bind",
        "127.0.21.1",
        "--port",
        &port,
        "--peers",
        peers,
        "--name",
        "one",
        "--cluster-size",
        "5",
    ];
    let one = Agent::start(command(&flags));
    let mut by_environment = command(&["--json"]);
    by_environment
        .env("ALAN_BIND", "127.0.21.2")
        .env("ALAN_PORT", &port)
        .env("ALAN_PEERS", peers)
        .env("ALAN_NAME", "other")
        .env("ALAN_METADATA", "rack 7")
        .env("ALAN_CLUSTER_SIZE", "3");
    let mut other = Agent::start(by_environment);

    assert_eq!(one.sees("started")["address"], format!("127.0.21.1:{port}"));
    assert_eq!(one.sees("joined")["peer"], format!("127.0.21.2:{port}"));
    assert_eq!(other.sees("configured otherwise")["cluster_size"], 5);
    assert_eq!(other.sees("quorum reached")["need"], 2);
    let updated = one.sees("updated");
    assert_eq!((&updated["name"], &updated["metadata"]), (&"other".into(), &"rack 7".into()));
    assert_eq!(other.sees("updated")["name"], "one");

    other.signal(rustix::process::Signal::TERM);
    other.sees("leaving");
    assert_eq!(other.child.wait().expect("it ends").code(), Some(0));
    assert_eq!(one.sees("left")["why"], "said goodbye");
}

fn fails(flags: &[&str], variable: Option<(&str, &str)>) -> Output {
    let output = command(flags).envs(variable).output().expect("it runs");
    assert!(!output.status.success(), "{output:?}");
    output
}

#[test]
fn mistakes_are_named_with_their_place_value_and_range() {
    let peers: &[&str] = &["--peers", "127.0.21.3"];
    let with = |more: &[&'static str]| [peers, more].concat();
    let many = ("ALAN_CLUSTER_SIZE", "many");
    let short = ("ALAN_KEY", "c2hvcnQ=");
    let cases = [
        (vec![], None, vec!["dns", "peers"]),
        (with(&[]), Some(many), vec!["ALAN_CLUSTER_SIZE", "many"]),
        (with(&["--port", "0"]), None, vec!["port", "0", "1 to 65535"]),
        (with(&[]), Some(short), vec!["ALAN_KEY", "32 bytes"]),
        (with(&["--key-file", "/nonexistent/key"]), None, vec!["/nonexistent/key"]),
    ];
    for (flags, variable, named) in cases {
        let output = fails(&flags, variable);
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(named.iter().all(|name| told.contains(name)), "{named:?} in: {told}");
        assert!(!told.contains("c2hvcnQ"), "a key is never printed: {told}");
    }
}

#[test]
fn a_port_in_use_is_an_error_that_names_the_address() {
    let taken = UdpSocket::bind("127.0.21.4:0").expect("a free port");
    let addr = taken.local_addr().expect("it is bound");
    let port = addr.port().to_string();
    let output = fails(&["--bind", "127.0.21.4", "--port", &port, "--peers", "127.0.21.5"], None);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains(&addr.to_string()), "{output:?}");
}
