//! Requests over a network that loses datagrams.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use alan_driver::{Message, Missing, RequestError};
use alan_workspace::loopback_addresses;
use alan_workspace::relay::{Relay, Way};

use crate::adapter::Adapter;
use crate::stage::{NewNode, Node, Stage, next_change};
use crate::waiting::{eventually, until};

/// Longer than any datagram that is not one of a test's own.
const LONG: usize = 1_500;

/// How many requests are under way at the same time.
const REQUESTS: usize = 32;

/// Datagrams that are lost: more than the requests, so that some are lost twice.
const LOSSES: usize = 50;

/// Two nodes that know each other by addresses of the relay between them.
struct Pair<A: Adapter> {
    relay: Relay,
    near: Node<A>,
    far: Node<A>,
    /// How often the far node has handled a request.
    handled: Arc<AtomicUsize>,
}

impl<A: Adapter> Pair<A> {
    async fn new(stage: Stage<A>, far: impl FnOnce(NewNode<A>) -> NewNode<A>) -> Self {
        let at = loopback_addresses(4);
        let relay = Relay::new([at[2], at[3]], [at[0], at[1]], 5_000);
        let near = stage.start(stage.node().bind(at[0]).peers([at[0], at[2]])).await;
        let far = stage.start(far(stage.waiting_node_at(at[1]))).await;
        for node in [&near, &far] {
            next_change(&mut node.events()).await;
        }
        Self { relay, near, far, handled: Arc::default() }
    }

    /// Has the far node answer requests with what was asked, and count them.
    fn answer(&self, stage: Stage<A>) {
        let handled = Arc::clone(&self.handled);
        stage.serve(&self.far, move |message| {
            handled.fetch_add(1, Ordering::Relaxed);
            async move {
                if let Message::Request(request) = message {
                    let payload = request.payload().clone();
                    request.reply(payload).expect("it fits, as it did on the way here");
                }
            }
        });
    }

    /// The relay loses the first of the long datagrams that go this way.
    fn lose(&self, lost: Way, mut losses: usize) {
        self.relay.pass(move |way, datagram| {
            let is_lost = way == lost && datagram.len() > LONG && losses > 0;
            losses -= usize::from(is_lost);
            !is_lost
        });
    }

    /// Asks many things at once and waits for all answers.
    async fn ask(&self, stage: Stage<A>) {
        let peer = self.near.peers()[0].addr;
        let mut asking = Vec::new();
        for number in 0..REQUESTS {
            let mut payload = vec![0; LONG];
            payload[0] = u8::try_from(number).expect("few");
            let near = self.near.clone();
            asking.push((number, stage.spawn(async move { near.request(peer, payload).await })));
        }
        for (number, asked) in asking {
            let reply = eventually("the reply", asked).await.expect("it is answered");
            assert_eq!((usize::from(reply[0]), reply.len()), (number, LONG));
        }
        stage.assert_idle(&self.near);
        assert_eq!(self.handled.load(Ordering::Relaxed), REQUESTS, "each is handled once");
        assert!(self.near.stats().protocol.retransmitted >= LOSSES as u64);
    }
}

pub(crate) async fn a_request_that_is_lost_is_sent_again_and_handled_once<A: Adapter>(
    stage: Stage<A>,
) {
    let pair = Pair::new(stage, |far| far).await;
    pair.answer(stage);
    pair.lose(Way::There, LOSSES);
    pair.ask(stage).await;

    // So is one of those to all.
    pair.lose(Way::There, 1);
    let all = eventually("the replies", pair.near.request_all(vec![7; LONG])).await;
    let all = all.expect("no quorum is needed");
    assert_eq!((all.replies.len(), all.missing), (1, vec![]));
    assert_eq!(pair.handled.load(Ordering::Relaxed), REQUESTS + 1);
}

pub(crate) async fn an_answer_that_is_lost_is_given_again_and_nothing_is_done_twice<A: Adapter>(
    stage: Stage<A>,
) {
    let pair = Pair::new(stage, |far| far).await;
    pair.answer(stage);
    pair.lose(Way::Back, LOSSES);
    pair.ask(stage).await;
    assert_eq!(pair.far.usage().open_requests, 0);
    assert_eq!(pair.far.usage().kept_answers, REQUESTS);
}

pub(crate) async fn an_answer_that_is_lost_and_not_kept_is_an_error<A: Adapter>(stage: Stage<A>) {
    let pair = Pair::new(stage, |far| far.response_cache(0)).await;
    pair.answer(stage);
    pair.lose(Way::Back, usize::MAX);
    let peer = pair.near.peers()[0].addr;
    let asked = eventually("the error", pair.near.request(peer, vec![0; LONG])).await;
    assert_eq!(asked, Err(RequestError::ResponseGone { peer }));
    assert_eq!(pair.handled.load(Ordering::Relaxed), 1);
    stage.assert_idle(&pair.near);
}

pub(crate) async fn a_request_that_finds_no_reader_is_refused_at_once<A: Adapter>(stage: Stage<A>) {
    let nodes = stage.cluster_of(2, |builder| builder.queue_size(1)).await;
    let incoming = nodes[1].incoming().expect("nobody else reads");
    let (asker, peer) = (nodes[0].clone(), nodes[1].local_addr());
    let queued = stage.spawn(async move { asker.request(peer, b"1").await });
    until("it waits", || nodes[1].usage().queued_messages == 1).await;
    // The queue is full.
    let refused = eventually("the refusal", nodes[0].request_all(b"2")).await;
    let refused = refused.expect("no quorum is needed");
    assert_eq!(refused.missing, [(peer, Missing::ResponseGone)]);
    // And now it will never be read.
    drop(incoming);
    eventually("the refusal", queued).await.expect_err("there is no answer");
    assert_eq!(nodes[1].usage().open_requests, 0);
    stage.assert_idle(&nodes[0]);
}
