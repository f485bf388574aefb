//! DNS discovery against a name server that the test plays itself.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use alan_driver::discovery::{Discover, DiscoverError, HickoryDns};
use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, AAAA, SRV};
use hickory_resolver::proto::rr::{Name, RData, Record};
use hickory_resolver::proto::serialize::binary::{BinDecodable, BinEncodable};

/// An authoritative name server for a small zone, on a thread of its own.
struct NameServer {
    address: SocketAddr,
    stopped: Arc<AtomicBool>,
}

impl NameServer {
    fn start(ip: [u8; 4]) -> Self {
        let socket = UdpSocket::bind(SocketAddr::from((ip, 0))).expect("loopback can be bound");
        let address = socket.local_addr().expect("it is bound");
        socket.set_read_timeout(Some(Duration::from_millis(20))).expect("it can be set");
        let stopped = Arc::new(AtomicBool::new(false));
        let theirs = Arc::clone(&stopped);
        thread::spawn(move || {
            let mut buffer = [0; 4_096];
            while !theirs.load(Ordering::Relaxed) {
                let Ok((length, from)) = socket.recv_from(&mut buffer) else {
                    continue;
                };
                let question = Message::from_bytes(&buffer[..length]).expect("a DNS message");
                let answer = answer(&question).to_bytes().expect("it can be encoded");
                socket.send_to(&answer, from).expect("loopback takes it");
            }
        });
        Self { address, stopped }
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
    }
}

fn answer(question: &Message) -> Message {
    let query = question.queries.first().expect("a question").clone();
    let mut answer = Message::response(question.metadata.id, question.metadata.op_code);
    answer.metadata.authoritative = true;
    let records = zone(&query.name().to_ascii().to_ascii_lowercase());
    if records.is_empty() {
        answer.metadata.response_code = ResponseCode::NXDomain;
    }
    for (ttl, data) in records {
        if data.record_type() == query.query_type() {
            answer.add_answer(Record::from_rdata(query.name().clone(), ttl, data));
        }
    }
    answer.add_query(query);
    answer
}

fn zone(name: &str) -> Vec<(u32, RData)> {
    let v4 = |last| RData::A(A(Ipv4Addr::new(10, 0, 0, last)));
    let v6 = |last| RData::AAAA(AAAA(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, last)));
    let service = |priority, weight, port, target: &str| {
        let target = Name::from_ascii(target).expect("a name");
        RData::SRV(SRV::new(priority, weight, port, target))
    };
    match name {
        "a.test." => vec![(60, v4(1)), (7, v4(2)), (60, v6(1))],
        "b.test." => vec![(5, v4(3))],
        "_alan._udp.c.test." => vec![
            (60, service(20, 0, 7000, "a.test.")),
            (60, service(10, 5, 8000, "b.test.")),
            (60, service(10, 9, 9000, "b.test.")),
            (60, service(1, 0, 9999, ".")),
        ],
        "_half._udp.c.test." => {
            vec![(60, service(1, 0, 7000, "b.test.")), (60, service(1, 0, 7000, "gone.test."))]
        }
        "_gone._udp.c.test." => vec![(60, service(1, 0, 7000, "gone.test."))],
        _ => vec![],
    }
}

fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
    texts.iter().map(|text| text.parse().expect(text)).collect()
}

fn sorted(mut addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    addresses.sort();
    addresses
}

#[test]
fn a_names_addresses_of_both_families_are_found_and_hold_for_the_shortest_ttl() {
    let server = NameServer::start([127, 0, 21, 1]);
    let mut dns = HickoryDns::addresses("a.test.".parse().expect("a name"), 5000)
        .name_servers([server.address]);
    let found = dns.discover().expect("the server knows it");
    let expected = addresses(&["10.0.0.1:5000", "10.0.0.2:5000", "[fd00::1]:5000"]);
    assert_eq!(sorted(found.addresses), expected);
    let holds = found.refresh_within.expect("DNS says how long");
    assert!(holds <= Duration::from_secs(7), "{holds:?}");
    assert!(found.incomplete.is_none());
}

#[test]
fn the_port_in_the_name_wins_and_an_address_is_not_asked_for() {
    let server = NameServer::start([127, 0, 21, 2]);
    let find = |host: &str| {
        let mut dns = HickoryDns::addresses(host.parse().expect("a host"), 5000)
            .name_servers([server.address]);
        dns.discover().expect("it is known").addresses
    };
    assert_eq!(find("b.test.:6000"), addresses(&["10.0.0.3:6000"]));
    assert_eq!(find("10.9.9.9"), addresses(&["10.9.9.9:5000"]));
}

#[test]
fn a_services_records_give_hosts_and_ports_the_best_first() {
    let server = NameServer::start([127, 0, 21, 3]);
    let mut dns =
        HickoryDns::service("_alan._udp.c.test.").expect("a name").name_servers([server.address]);
    let found = dns.discover().expect("the server knows it");
    assert_eq!(found.addresses[..2], addresses(&["10.0.0.3:9000", "10.0.0.3:8000"]));
    let expected = addresses(&["10.0.0.1:7000", "10.0.0.2:7000", "[fd00::1]:7000"]);
    assert_eq!(sorted(found.addresses[2..].to_vec()), expected);
    let holds = found.refresh_within.expect("DNS says how long");
    assert!(holds <= Duration::from_secs(5), "the targets' TTL counts too: {holds:?}");
}

#[test]
fn a_service_with_a_host_that_is_gone_is_incomplete() {
    let server = NameServer::start([127, 0, 21, 4]);
    let service = |name| HickoryDns::service(name).expect("a name").name_servers([server.address]);
    let found = service("_half._udp.c.test.").discover().expect("half of it is known");
    assert_eq!(found.addresses, addresses(&["10.0.0.3:7000"]));
    let error = found.incomplete.expect("the other half is not").to_string();
    assert!(error.starts_with("cannot resolve gone.test.: "), "{error}");
    let error = service("_gone._udp.c.test.").discover().expect_err("nothing is known");
    assert!(error.to_string().starts_with("cannot resolve gone.test.: "), "{error}");
}

#[test]
fn a_name_that_does_not_exist_is_named() {
    let server = NameServer::start([127, 0, 21, 5]);
    let mut dns = HickoryDns::addresses("nobody.test.".parse().expect("a name"), 5000)
        .name_servers([server.address]);
    let error = dns.discover().expect_err("the server does not know it");
    let DiscoverError::Resolve { name, source } = error else {
        panic!("{error}");
    };
    assert_eq!(name, "nobody.test.");
    assert_eq!(source.kind(), ErrorKind::NotFound);
}

#[test]
fn a_service_is_a_name_without_a_port() {
    for name in ["10.0.0.1", "a.test:5000", "a b"] {
        assert_eq!(HickoryDns::service(name).expect_err(name).given, name);
    }
}
