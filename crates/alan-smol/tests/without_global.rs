//! Without the feature `global`: no executor unless one is named.
#![cfg(not(feature = "global"))]

use std::sync::Arc;

use alan_smol::{Builder, Node, Smol, StartError};
use smol::Executor;

fn builder() -> Builder {
    Node::builder().peers::<&str>([]).bind([127, 91, 20, 1])
}

#[test]
fn start_says_what_to_call_instead() {
    let error = smol::block_on(builder().start()).expect_err("there is no executor");
    assert!(matches!(error, StartError::System(_)), "{error:?}");
    assert!(error.to_string().contains("start_on"), "{error}");

    let executor = Arc::new(Executor::new());
    let node = builder().start_on(Smol::on(&executor)).expect("one is named");
    smol::block_on(executor.run(node.shutdown()));
    assert!(node.has_ended());
}
