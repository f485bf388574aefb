//! Every promise of the API, on real sockets, under tokio. One file per kind of promise.

mod cluster;
mod cancellation;
mod events;
mod lifecycle;
mod locks;
mod messages;
mod queues;
mod quorum;
mod requests;
mod security;
