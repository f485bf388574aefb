//! What a node says in one instant, as after a batch of datagrams, counts in the order in which it
//! was said.

use std::net::SocketAddr;

use alan_proto::envelope::{Key, Sealed};
use alan_proto::{Action, Config, Delivery, HybridTime, Instant, Node};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

const NOW: Instant = Instant::from_millis(1_000);

struct Side {
    node: Node<Sealed, ChaCha20Rng>,
    addr: SocketAddr,
}

impl Side {
    fn new(last: u8) -> Self {
        let key = Key::from_bytes(&[7; Key::LEN]).expect("32 bytes");
        let rng = ChaCha20Rng::from_seed([last; 32]);
        let wall = HybridTime::from_micros(1_700_000_000_000_000);
        let node = Node::new(Config::default(), Sealed::new(&key), rng, NOW, wall);
        let addr = SocketAddr::from(([10, 0, 0, last], 5_000));
        Self { node: node.expect("the defaults are valid"), addr }
    }

    fn look_for(&mut self, other: SocketAddr) -> Vec<Vec<u8>> {
        self.node.handle_discovery(NOW, &[other]);
        self.sent()
    }

    /// The datagrams that it wants sent.
    fn sent(&mut self) -> Vec<Vec<u8>> {
        let mut buffer = vec![0; 4_096];
        let mut datagrams = Vec::new();
        while let Some(action) = self.node.poll_action(&mut buffer) {
            if let Action::Transmit(transmit) = action {
                datagrams.push(buffer[..transmit.len].to_vec());
            }
        }
        datagrams
    }

    /// Handles datagrams one after the other, and gives what it sends because of them.
    fn handle(&mut self, from: SocketAddr, datagrams: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
        let mut sent = Vec::new();
        for mut datagram in datagrams {
            let _nothing = self.node.handle_datagram(NOW, from, &mut datagram);
            sent.append(&mut self.sent());
        }
        sent
    }
}

#[test]
fn an_answer_and_a_proof_of_one_instant_both_count() {
    let (mut one, mut two) = (Side::new(1), Side::new(2));
    let joins = (one.look_for(two.addr), two.look_for(one.addr));
    let mut to_two = joins.0;
    to_two.extend(one.handle(two.addr, joins.1));
    // It answers a stranger, sees that stranger's answer, and proves itself, all at once. Only the
    // proof says on which channel it will send.
    let to_one = two.handle(one.addr, to_two);
    one.handle(two.addr, to_one);
    assert_eq!((one.node.peer_count(), two.node.peer_count()), (1, 1));

    let mut buffer = vec![0; 4_096];
    let sent = two.node.send_to(NOW, one.addr, b"at once", &mut buffer).expect("it fits");
    let delivery = one.node.handle_datagram(NOW, two.addr, &mut buffer[..sent.len]);
    assert_eq!(delivery, Some(Delivery::Message { from: two.addr, payload: b"at once" }));
}
