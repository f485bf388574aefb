//! What the users of every adapter need beside its `Node` and `Builder`. Adapters export all of it.
//!
//! | to | use |
//! | --- | --- |
//! | start and stop | [`Node::builder`], [`Builder::start`], [`Node::ready`], [`Node::shutdown`] |
//! | send | [`Node::broadcast`], [`Node::send_to`] |
//! | ask | [`Node::request`], [`Node::request_all`] |
//! | receive and answer | [`Node::serve`] or [`Node::incoming`], [`Request::reply`] |
//! | lock | [`Node::lock`], [`Node::try_lock`], [`LockGuard`], [`Node::unlock`] |
//! | wait for enough nodes | [`Builder::cluster_size`], [`Node::wait_for_quorum`], [`Node::has_quorum`] |
//! | see who comes and goes | [`Node::events`], [`Node::on_peer_join`], [`Node::on_peer_leave`], [`Node::peers`] |
//! | say who one is | [`Builder::name`], [`Builder::metadata`], [`Node::set_metadata`] |
//! | keep strangers out | [`Builder::key`], [`Builder::also_open_with`], [`Node::rotate_keys`] |
//! | take part without a vote | [`Builder::observer`] |
//! | watch | [`Node::stats`], [`Node::usage`], `tracing` events, feature `metrics` |
//!
//! A `tracing` subscriber is called in the middle of things: it must not call the node.
//!
//! [`Builder::also_open_with`]: crate::Builder::also_open_with
//! [`Builder::cluster_size`]: crate::Builder::cluster_size
//! [`Builder::key`]: crate::Builder::key
//! [`Builder::metadata`]: crate::Builder::metadata
//! [`Builder::name`]: crate::Builder::name
//! [`Builder::observer`]: crate::Builder::observer
//! [`Builder::start`]: crate::Builder::start
//! [`Node::broadcast`]: crate::Node::broadcast
//! [`Node::builder`]: crate::Node::builder
//! [`Node::events`]: crate::Node::events
//! [`Node::has_quorum`]: crate::Node::has_quorum
//! [`Node::incoming`]: crate::Node::incoming
//! [`Node::lock`]: crate::Node::lock
//! [`Node::on_peer_join`]: crate::Node::on_peer_join
//! [`Node::on_peer_leave`]: crate::Node::on_peer_leave
//! [`Node::peers`]: crate::Node::peers
//! [`Node::ready`]: crate::Node::ready
//! [`Node::request`]: crate::Node::request
//! [`Node::request_all`]: crate::Node::request_all
//! [`Node::rotate_keys`]: crate::Node::rotate_keys
//! [`Node::send_to`]: crate::Node::send_to
//! [`Node::serve`]: crate::Node::serve
//! [`Node::set_metadata`]: crate::Node::set_metadata
//! [`Node::shutdown`]: crate::Node::shutdown
//! [`Node::stats`]: crate::Node::stats
//! [`Node::try_lock`]: crate::Node::try_lock
//! [`Node::unlock`]: crate::Node::unlock
//! [`Node::usage`]: crate::Node::usage
//! [`Node::wait_for_quorum`]: crate::Node::wait_for_quorum

pub use crate::{
    BroadcastError, Closed, Config, Event, Events, Incarnation, Incoming, IncomingTaken, Instant,
    Key, Keyring, KeyringFull, LeaveReason, LockError, LockGuard, LockLost, LockNotHeld, Message,
    MetadataError, Missing, NodeStats, NodeUsage, Peer, PeerSettings, QuorumError, Refusal,
    Rejection, Replies, Reply, ReplyError, Request, RequestAllError, RequestError, RequestId,
    RotateKeysError, SendError, Sent, StartError, Stats, Usage, Warning,
};
pub use crate::{clock, config, discovery, operation, socket};
