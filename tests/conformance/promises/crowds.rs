//! Many nodes in one process.

use crate::adapter::Adapter;
use crate::stage::{Stage, addr};
use crate::waiting::eventually;

pub(crate) async fn fifty_nodes_in_one_process_reach_a_full_mesh<A: Adapter>(stage: Stage<A>) {
    let nodes = stage.cluster(50).await;
    // The far ends hear each other, and all of them leave in good order.
    stage.echo(&nodes[0]);
    let reply = nodes[49].request(addr(&nodes[0]), b"across");
    let reply = eventually("the reply", reply).await.expect("it is served");
    assert_eq!(&reply[..], b"across");
    for node in &nodes {
        eventually("the shutdown", node.shutdown()).await;
    }
}

pub(crate) async fn twelve_nodes_ask_each_other_all_at_once<A: Adapter>(stage: Stage<A>) {
    let nodes = stage.cluster(12).await;
    for node in &nodes {
        stage.echo(node);
    }
    for node in &nodes[1..] {
        let reply = node.request(addr(&nodes[0]), b"one by one");
        let reply = eventually("the reply", reply).await.expect("it is served");
        assert_eq!(&reply[..], b"one by one");
    }
    let mut asking = Vec::new();
    for node in &nodes {
        let node = node.clone();
        asking.push(stage.spawn(async move { node.request_all(b"all of you").await }));
    }
    for asked in asking {
        let replies = eventually("the replies", asked).await.expect("no quorum is needed");
        assert_eq!((replies.replies.len(), replies.missing.len()), (11, 0), "{replies:?}");
    }
    for node in &nodes {
        eventually("the shutdown", node.shutdown()).await;
    }
}
