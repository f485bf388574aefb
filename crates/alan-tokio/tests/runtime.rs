//! What only tokio has: a runtime that goes away under a running node. The promises that every
//! adapter keeps are tried by the workspace's conformance suite.

use std::net::Ipv4Addr;

use alan_tokio::{Node, QuorumError};
use tokio::runtime::Runtime;

#[test]
fn a_node_ends_with_its_runtime_and_nothing_hangs() {
    let runtime = Runtime::new().expect("the system has threads");
    let address = Ipv4Addr::new(127, 93, 1, 1);
    let node = Node::builder().peers([address]).bind(address).cluster_size(3);
    let node = runtime.block_on(node.start().into_future()).expect("the address is free");
    let waiting = node.wait_for_quorum().into_future();
    drop(runtime);
    assert!(node.has_ended());
    let other = Runtime::new().expect("the system has threads");
    assert!(matches!(other.block_on(waiting), Err(QuorumError::Closed(_))));
    other.block_on(node.shutdown());
}
