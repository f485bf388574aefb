//! Datagrams longer than the link's MTU arrive: they leave as IP fragments.
//!
//! Loopback's MTU is 65,536, so nothing about this shows there. The test makes two network
//! namespaces with a link of 1,500 bytes between them, and runs itself once more inside each.
//! Where that is not permitted, it says so and is skipped.
#![cfg(target_os = "linux")]

use std::env;
use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::process::{self, Child, Command, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use alan_driver::socket::{ReceiveBuffers, Socket};
use rustix::net::sockopt::{
    Ipv4PathMtuDiscovery, Ipv6PathMtuDiscovery, set_ip_mtu_discover, set_ipv6_mtu_discover,
};

/// Tells a process inside a namespace which part to play.
const PART: &str = "ALAN_TEST_MTU_PART";
const PATIENCE: Duration = Duration::from_secs(30);
const PORT: u16 = 5000;
const PAYLOAD: usize = 4_096;
const V4: [&str; 2] = ["10.77.0.1", "10.77.0.2"];
const V6: [&str; 2] = ["fd77::1", "fd77::2"];

#[test]
fn payloads_of_4096_bytes_cross_a_link_of_1500_in_both_directions_over_ipv4() {
    cross("payloads_of_4096_bytes_cross_a_link_of_1500_in_both_directions_over_ipv4", V4, 24);
}

#[test]
fn payloads_of_4096_bytes_cross_a_link_of_1500_in_both_directions_over_ipv6() {
    cross("payloads_of_4096_bytes_cross_a_link_of_1500_in_both_directions_over_ipv6", V6, 64);
}

/// Plays the part that the environment names, or else directs the two that play them.
fn cross(test: &str, [near, far]: [&str; 2], prefix: u8) {
    let address = |ip: &str| SocketAddr::new(ip.parse().expect("an address"), PORT);
    match env::var(PART).as_deref() {
        Ok("echo") => return echo(address(far)),
        Ok("send") => return send(address(near), address(far)),
        Ok(part) => panic!("there is no part {part}"),
        Err(_) => {}
    }
    let namespaces = match Namespaces::new(near, far, prefix) {
        Ok(namespaces) => namespaces,
        Err(why) => {
            // Past the harness, which keeps what a passing test prints to itself.
            writeln!(io::stderr(), "SKIPPED: {test}: {why}").expect("stderr takes it");
            return;
        }
    };
    let mut echo = Part::start(&namespaces.names[1], test, "echo");
    echo.wait_until_ready();
    let mut send = Part::start(&namespaces.names[0], test, "send");
    let status = send.0.wait().expect("it is our child");
    assert!(status.success(), "the datagram did not come back: {status}");
}

/// Sends back whatever comes, until it is killed.
fn echo(local: SocketAddr) {
    let socket = Socket::bind(local).expect("the namespace has this address");
    println!("\nready");
    let mut buffers = ReceiveBuffers::new();
    let deadline = Instant::now() + 2 * PATIENCE;
    while Instant::now() < deadline {
        receive(&socket, &mut buffers);
        for (from, datagram) in buffers.datagrams() {
            if let Err(failure) = socket.send(from, datagram) {
                eprintln!("echo: {failure}");
            }
        }
    }
}

/// Sends until the same comes back.
fn send(local: SocketAddr, to: SocketAddr) {
    assert_unfragmented_does_not_fit(local.ip(), to);
    let payload: Vec<u8> = (0..PAYLOAD).map(|n| (n % 251).try_into().expect("small")).collect();
    let socket = Socket::bind(local).expect("the namespace has this address");
    let mut buffers = ReceiveBuffers::new();
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        socket.send(to, &payload).expect("the link takes it");
        let again = Instant::now() + Duration::from_millis(200);
        while Instant::now() < again {
            receive(&socket, &mut buffers);
            if buffers.datagrams().any(|(from, datagram)| from == to && *datagram == payload) {
                return;
            }
        }
    }
    panic!("nothing came back from {to}");
}

/// Receives if something is there.
fn receive(socket: &Socket, buffers: &mut ReceiveBuffers) {
    match socket.receive(buffers) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::WouldBlock => thread::yield_now(),
        Err(error) => panic!("{error}"),
    }
}

/// Proves that the link is as narrow as it should be, and this test worth something.
fn assert_unfragmented_does_not_fit(ip: IpAddr, to: SocketAddr) {
    let socket = UdpSocket::bind((ip, 0)).expect("the namespace has this address");
    match ip {
        IpAddr::V4(_) => set_ip_mtu_discover(&socket, Ipv4PathMtuDiscovery::DO),
        IpAddr::V6(_) => set_ipv6_mtu_discover(&socket, Ipv6PathMtuDiscovery::DO),
    }
    .expect("the option can be set");
    let error = socket.send_to(&[0; PAYLOAD], to).expect_err("it needs fragments");
    assert_eq!(error.raw_os_error(), Some(rustix::io::Errno::MSGSIZE.raw_os_error()));
}

/// This test again, inside a namespace. Killed when dropped.
struct Part(Child);

impl Part {
    fn start(namespace: &str, test: &str, part: &str) -> Self {
        let child = Command::new("ip")
            .args(["netns", "exec", namespace])
            .arg(env::current_exe().expect("the test has a path"))
            .args(["--exact", test, "--nocapture"])
            .env(PART, part)
            .stdout(if part == "echo" { Stdio::piped() } else { Stdio::null() })
            .spawn()
            .expect("the namespace is there, so ip is too");
        Self(child)
    }

    fn wait_until_ready(&mut self) {
        let output = self.0.stdout.take().expect("it is piped");
        let ready = BufReader::new(output).lines().map_while(Result::ok).any(|l| l == "ready");
        assert!(ready, "the echo did not get ready");
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Two namespaces and a link between them. Deleted when dropped, and the link with them.
struct Namespaces {
    names: [String; 2],
}

/// The first namespace of a machine is made in several steps, which two tests must not mix.
static MAKING: Mutex<()> = Mutex::new(());

impl Namespaces {
    fn new(near: &str, far: &str, prefix: u8) -> Result<Self, String> {
        let _making = MAKING.lock().expect("making them does not panic");
        let name = |end| format!("alan-mtu-{}-{prefix}-{end}", process::id());
        let namespaces = Self { names: [name("near"), name("far")] };
        let [a, b] = &namespaces.names;
        ip(&format!("netns add {a}"))?;
        ip(&format!("netns add {b}"))?;
        ip(&format!(
            "-n {a} link add link0 mtu 1500 type veth peer name link0 mtu 1500 netns {b}"
        ))?;
        for (namespace, address) in [(a, near), (b, far)] {
            let nodad = if address.contains(':') { "nodad" } else { "" };
            ip(&format!("-n {namespace} addr add {address}/{prefix} dev link0 {nodad}"))?;
            ip(&format!("-n {namespace} link set link0 up"))?;
        }
        Ok(namespaces)
    }
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
