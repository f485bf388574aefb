//! The lock machine, by behaviour: against scripted peers, and several machines on a small network
//! in memory, in virtual time.

mod bench;
mod net;

mod requester;
mod grantor;
mod local;
mod quorum;
mod exclusion;
mod progress;
mod properties;
