//! A small authoritative name server, on a thread of its own.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};
use std::thread;

use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, AAAA};
use hickory_resolver::proto::rr::{RData, Record};
use hickory_resolver::proto::serialize::binary::{BinDecodable, BinEncodable};

/// How long its answers hold, in seconds: as briefly as possible.
const TTL: u32 = 1;

type Zone = Arc<Mutex<BTreeMap<String, Vec<IpAddr>>>>;

pub(crate) struct NameServer {
    address: SocketAddr,
    zone: Zone,
}

impl NameServer {
    /// Answers at some port of `ip` until it is dropped.
    pub(crate) fn start(ip: IpAddr) -> Self {
        let socket = UdpSocket::bind((ip, 0)).expect("loopback can be bound");
        let address = socket.local_addr().expect("it is bound");
        let zone = Zone::default();
        let theirs = Arc::clone(&zone);
        thread::spawn(move || serve(&socket, &theirs));
        Self { address, zone }
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on, `name` has these addresses.
    pub(crate) fn set(&self, name: &str, addresses: &[IpAddr]) {
        let mut zone = self.zone.lock().expect("nothing panics under it");
        zone.insert(name.to_owned(), addresses.to_vec());
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        // An empty datagram is no question: it ends the thread.
        let ip = self.address.ip();
        let farewell =
            UdpSocket::bind((ip, 0)).and_then(|socket| socket.send_to(&[], self.address));
        farewell.expect("loopback takes it");
    }
}

fn serve(socket: &UdpSocket, zone: &Zone) {
    let mut buffer = [0; 4_096];
    while let Ok((length @ 1.., from)) = socket.recv_from(&mut buffer) {
        let question = Message::from_bytes(&buffer[..length]).expect("a DNS message");
        let answer = answer(&question, zone).to_bytes().expect("it can be encoded");
        socket.send_to(&answer, from).expect("loopback takes it");
    }
}

fn answer(question: &Message, zone: &Zone) -> Message {
    let query = question.queries.first().expect("a question").clone();
    let mut answer = Message::response(question.metadata.id, question.metadata.op_code);
    answer.metadata.authoritative = true;
    let zone = zone.lock().expect("nothing panics under it");
    match zone.get(&query.name().to_ascii().to_ascii_lowercase()) {
        None => answer.metadata.response_code = ResponseCode::NXDomain,
        Some(addresses) => {
            for &address in addresses {
                let data = match address {
                    IpAddr::V4(v4) => RData::A(A(v4)),
                    IpAddr::V6(v6) => RData::AAAA(AAAA(v6)),
                };
                if data.record_type() == query.query_type() {
                    answer.add_answer(Record::from_rdata(query.name().clone(), TTL, data));
                }
            }
        }
    }
    answer.add_query(query);
    answer
}
