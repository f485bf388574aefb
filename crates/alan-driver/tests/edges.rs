//! What happens at the edges of a node's life, and of a peer's.

mod by_hand;

use std::cell::RefCell;

use alan_driver::{Message, Queues, Serve, Served};
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
