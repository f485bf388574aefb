//! Two hosts on one machine: network namespaces with a link between them, and this very test run
//! once more inside each.

use std::env;
use std::io::{self, BufRead, BufReader, Write};
use std::process::{self, Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

/// Tells a process inside a namespace which part to play.
const PART: &str = "ALAN_TEST_PART";

/// Which part of its test this process should play; `None` for the director.
#[must_use]
pub fn part() -> Option<String> {
    env::var(PART).ok()
}

/// Two namespaces and a link of 1,500 bytes MTU between them. Deleted when dropped, and the link
/// with them.
#[derive(Debug)]
pub struct Namespaces {
    /// The names, for [`Part::start`].
    pub names: [String; 2],
}

/// The first namespace of a machine is made in several steps, which two tests must not mix.
static MAKING: Mutex<()> = Mutex::new(());

impl Namespaces {
    /// Makes them, with these addresses at the ends of the link. Where that is not permitted, says
    /// so past the harness, which keeps what a passing test prints to itself, and gives `None`.
    #[must_use]
    pub fn new(test: &str, near: &str, far: &str, prefix: u8) -> Option<Self> {
        match Self::make(near, far, prefix) {
            Ok(namespaces) => Some(namespaces),
            Err(why) => {
                writeln!(io::stderr(), "SKIPPED: {test}: {why}").expect("stderr takes it");
                None
            }
        }
    }

    fn make(near: &str, far: &str, prefix: u8) -> Result<Self, String> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let _making = MAKING.lock().expect("making them does not panic");
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = |end| format!("alan-{}-{number}-{end}", process::id());
        let namespaces = Self { names: [name("near"), name("far")] };
        let [a, b] = &namespaces.names;
        ip(&format!("netns add {a}"))?;
        ip(&format!("netns add {b}"))?;
        link("link0", a, b)?;
        for (namespace, address) in [(a, near), (b, far)] {
            set_up("link0", namespace, address, prefix)?;
        }
        Ok(namespaces)
    }
}

impl Namespaces {
    /// Adds a second link, `link1` at both ends, with these addresses.
    pub fn add_link(&self, near: &str, far: &str, prefix: u8) {
        let [a, b] = &self.names;
        link("link1", a, b).expect("the first link could be made, too");
        for (namespace, address) in [(a, near), (b, far)] {
            set_up("link1", namespace, address, prefix).expect("as the first link's");
        }
    }
}

/// Makes a link of 1,500 bytes MTU between two namespaces.
fn link(name: &str, a: &str, b: &str) -> Result<(), String> {
    ip(&format!("-n {a} link add {name} mtu 1500 type veth peer name {name} mtu 1500 netns {b}"))
}

/// Gives an end of a link its address.
fn set_up(name: &str, namespace: &str, address: &str, prefix: u8) -> Result<(), String> {
    let nodad = if address.contains(':') { "nodad" } else { "" };
    ip(&format!("-n {namespace} addr add {address}/{prefix} dev {name} {nodad}"))?;
    ip(&format!("-n {namespace} link set {name} up"))
}

/// Takes down an interface of the namespace that this process is in.
///
/// # Panics
/// If there is no such interface, or this process is in no namespace of its own.
pub fn set_link_down(name: &str) {
    assert!(part().is_some(), "only a part has a network to itself");
    ip(&format!("link set {name} down")).expect("a part may do what it likes");
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        for name in &self.names {
            // It may never have been made.
            let _ = ip(&format!("netns del {name}"));
        }
    }
}

fn ip(arguments: &str) -> Result<(), String> {
    let output = Command::new("ip")
        .args(arguments.split_whitespace())
        .output()
        .map_err(|error| format!("ip: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("ip {arguments}: {}", String::from_utf8_lossy(&output.stderr).trim()))
}

/// A process that plays a part of `test` inside a namespace. Killed when dropped.
#[derive(Debug)]
pub struct Part(Child);

impl Part {
    /// Runs the test again, inside the namespace, with [`part`] saying `part` there.
    #[must_use]
    pub fn start(namespace: &str, test: &str, part: &str) -> Self {
        let child = Command::new("ip")
            .args(["netns", "exec", namespace])
            .arg(env::current_exe().expect("the test has a path"))
            .args(["--exact", test, "--nocapture"])
            .env(PART, part)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the namespace is there, so ip is too");
        Self(child)
    }

    /// Waits until the part prints `ready` on a line of its own.
    pub fn wait_until_ready(&mut self) {
        let output = self.0.stdout.take().expect("it is waited for once");
        let ready = BufReader::new(output).lines().map_while(Result::ok).any(|l| l == "ready");
        assert!(ready, "the part did not get ready");
    }

    /// Waits until the part is over.
    pub fn wait(mut self) -> ExitStatus {
        self.0.wait().expect("it is our child")
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
