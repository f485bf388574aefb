//! Ways in which the driver can be broken on purpose, to see that somebody notices.
//!
//! For the conformance suite only, under the feature `faults`: each promise of the API is broken by
//! a fault that no other promise notices. The environment variable `ALAN_FAULT` names the fault of
//! a process. Without the feature `fault!` is the constant `false`, and nothing of this is left.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::SocketAddr;
use std::sync::LazyLock;
use std::task::Poll;

use alan_proto::{Action, LeaveReason, LockEvent, LockFailure, LockLoss, PeerEvent};
use bytes::Bytes;

use crate::completion::Missing;
use crate::discovery::Discovered;
use crate::error::{Closed, RequestError};
use crate::events::Event;
use crate::operation::Replies;

/// Whether the driver has this fault.
macro_rules! fault {
    ($fault:ident) => {
        cfg!(feature = "faults") && $crate::fault::Fault::$fault.is_injected()
    };
}

macro_rules! faults {
    ($($(#[$documentation:meta])* $name:ident,)*) => {
        /// What the driver does wrong.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[non_exhaustive]
        pub enum Fault {
            $($(#[$documentation])* $name,)*
        }

        impl Fault {
            /// All of them.
            #[cfg(feature = "faults")]
            pub const ALL: &[Self] = &[$(Self::$name),*];

            fn from_name(name: &str) -> Option<Self> {
                match name {
                    $(stringify!($name) => Some(Self::$name),)*
                    _ => None,
                }
            }
        }
    };
}

faults! {
    /// A node starts although nothing says where others are.
    OverlookMissingDiscovery,
    /// Two sockets can have one port.
    SharePort,
    /// A member can't be looked up.
    HidePeer,
    /// Discovery drops IPv6 addresses.
    IgnoreIpv6,
    /// A socket that should carry both families carries IPv6 only.
    OnlyIpv6,
    /// Discovery drops an answer of one address.
    IgnoreLoneSeed,
    /// Discovery takes one address of an answer that expires.
    TakeOneDnsAddress,
    /// A failed round of discovery is not told.
    HideFailedDiscovery,
    /// Discovery is asked when it is time, and not when it is wanted.
    IgnoreRefresh,
    /// A node has at most 40 members.
    FewPeers,
    /// Of the replies to one question, the first eight count.
    LoseNinthReply,
    /// A node that has left keeps its socket while somebody has a handle.
    KeepPort,
    /// A node without handles goes on.
    OutliveHandles,
    /// The events of a node that has left do not end.
    EndlessEvents,
    /// Who waits for the quorum is not told that the node leaves.
    ForgetQuorumWaiters,
    /// A restart is not told as a departure.
    SilentSwap,
    /// A death is told twice.
    TellSilenceTwice,
    /// Callbacks are called twice.
    CallTwice,
    /// A third subscriber gets no events.
    ForgetThirdSubscriber,
    /// A departure is told although messages from before wait.
    LeftOvertakes,
    /// A subscriber is not told that it lags.
    HideLag,
    /// What others call themselves is not known.
    HideNames,
    /// A change of a name or of metadata is not told.
    HideUpdates,
    /// A member that is configured otherwise is not told of.
    HideMismatches,
    /// An observer counts like others.
    CountObservers,
    /// A node without sessions passes for one that has them.
    DenyClassic,
    /// Nodes without sessions are served although they are to be refused.
    ServeClassic,
    /// Silence is judged before what has arrived is read, and as if that were on time.
    JudgeUnheard,
    /// A broadcast goes to one member.
    BroadcastToOne,
    /// Messages of strangers are refused.
    IgnoreStrangers,
    /// What the system does not send is not counted.
    CountNoSendFailure,
    /// A node promises to carry a byte more than it does.
    BoastOfRoom,
    /// In a queue of 40 messages or more, the latest comes first.
    ShuffleLongQueues,
    /// Messages can be taken more than once.
    PermitManyReaders,
    /// Messages do not wait for a reader.
    DropUnread,
    /// A queue is served when no other is.
    OneHandlerAtATime,
    /// Messages of one peer are handled at the same time.
    LetHandlersOvertake,
    /// A queue whose handler panicked is never served again.
    LoseQueueOfPanic,
    /// A full queue is told without saying whose it is.
    NamelessQueueFull,
    /// A full queue refuses messages where it should block.
    NeverBlock,
    /// A request is sent once.
    NeverAskAgain,
    /// An answer that was given is known no more.
    ForgetAnswers,
    /// A request whose answer is gone says that it has timed out.
    TimeoutForGone,
    /// A request that finds no room is left to its deadline.
    IgnoreRefused,
    /// Where more than 40 requests wait, a reply goes to any of them.
    MixUpRepliesInACrowd,
    /// A request that has timed out says that the node has left.
    ClosedForTimeout,
    /// A request whose peer is gone says that it has timed out.
    TimeoutForDisconnected,
    /// A limit is given as one more than it is.
    WrongLimit,
    /// The replies to a question to all do not say who gave them.
    MislabelReplies,
    /// Who has not answered in time is not named.
    HideLate,
    /// Who left before it answered is not named.
    HideDeparted,
    /// Without a cluster size, the quorum is one.
    QuorumOfOne,
    /// Who waits for the quorum is not woken when it is reached.
    SleepThroughQuorum,
    /// A lock call that ends for want of the quorum says that it has timed out.
    TimeoutForNoQuorum,
    /// The quorum is told twice.
    TellQuorumTwice,
    /// A lock is granted although another node holds it.
    GrantWhatPeersHold,
    /// A lock is granted although another caller holds it.
    GrantWhatCallersHold,
    /// Where two callers of a node want locks or hold them, a third gets its lock at once.
    GrantToThirdCaller,
    /// A dropped guard does not release its lock.
    LeakGuards,
    /// The guard of a lock that is released by name stays valid.
    TrustUnlockedGuards,
    /// The loss of a lock is blamed on somebody else.
    BlameForLoss,
    /// Nobody is declared dead.
    TrustSilence,
    /// A request that is cancelled stays in the table.
    LeakRequests,
    /// A wait for the quorum that is cancelled keeps its place.
    LeakPlaces,
    /// A lock call that is cancelled goes on.
    LeakLockCalls,
    /// A lock is asked for before anybody waits for it.
    LockTooEarly,
    /// A node with a key says that it has none.
    DenySeal,
    /// Warnings are not told.
    HideWarnings,
    /// A key that is switched off is used.
    SealAnyway,
    /// A node goes on with the keys that it was started with.
    IgnoreNewKeys,
}

impl Fault {
    pub(crate) fn is_injected(self) -> bool {
        static INJECTED: LazyLock<Option<Fault>> = LazyLock::new(|| {
            let name = std::env::var("ALAN_FAULT").ok()?;
            Some(Fault::from_name(&name).unwrap_or_else(|| panic!("there is no fault {name}")))
        });
        *INJECTED == Some(self)
    }
}

/// What the engine is told that the protocol wants done.
pub(crate) fn action(action: Action) -> Option<Action> {
    use LockEvent::{Failed, Granted, Lost};
    match action {
        Action::Peer(PeerEvent::Left { why: LeaveReason::Restarted, .. }) if fault!(SilentSwap) => {
            None
        }
        Action::Peer(PeerEvent::Updated { .. }) if fault!(HideUpdates) => None,
        Action::Peer(PeerEvent::ConfigMismatch { .. }) if fault!(HideMismatches) => None,
        Action::Lock(Failed { lock, why: LockFailure::NoQuorum { .. } })
            if fault!(TimeoutForNoQuorum) =>
        {
            Some(Action::Lock(Failed { lock, why: LockFailure::TimedOut }))
        }
        Action::Lock(Failed { lock, why: LockFailure::Held { by } })
            if by.is_some() && fault!(GrantWhatPeersHold)
                || by.is_none() && fault!(GrantWhatCallersHold) =>
        {
            Some(Action::Lock(Granted { lock }))
        }
        Action::Lock(Lost { lock, .. }) if fault!(BlameForLoss) => {
            let by = ([0; 4], 0).into();
            Some(Action::Lock(Lost { lock, why: LockLoss::Denied { by } }))
        }
        action => Some(action),
    }
}

/// How often a subscriber is told an event; `place` is how many subscribed before it.
pub(crate) fn times_told(event: &Event, place: usize) -> usize {
    match event {
        Event::DiscoveryFailed { .. } if fault!(HideFailedDiscovery) => 0,
        Event::Warning(_) if fault!(HideWarnings) => 0,
        Event::Left { why: LeaveReason::Silent, .. } if fault!(TellSilenceTwice) => 2,
        Event::QuorumReached { .. } if fault!(TellQuorumTwice) => 2,
        _ if fault!(ForgetThirdSubscriber) && place >= 2 => 0,
        _ => 1,
    }
}

/// What is made of a source's answer.
pub(crate) fn discovered(mut found: Discovered) -> Discovered {
    let addresses = &mut found.addresses;
    if fault!(IgnoreLoneSeed) && addresses.len() == 1 {
        addresses.clear();
    }
    if fault!(IgnoreIpv6) {
        addresses.retain(SocketAddr::is_ipv4);
    }
    if fault!(TakeOneDnsAddress) && found.refresh_within.is_some() {
        addresses.truncate(1);
    }
    found
}

/// To which of the requests that wait a reply goes.
pub(crate) fn addressee<R: Copy + Eq + Hash, P>(waiting: &HashMap<R, P>, request: R) -> R {
    if fault!(MixUpRepliesInACrowd) && waiting.len() > 40 {
        return *waiting.keys().next().expect("it is a crowd");
    }
    request
}

/// What a request ends with.
pub(crate) fn reply(reply: Result<Bytes, RequestError>) -> Result<Bytes, RequestError> {
    match reply {
        Err(RequestError::Timeout) if fault!(ClosedForTimeout) => Err(Closed.into()),
        Err(RequestError::PeerDisconnected { .. }) if fault!(TimeoutForDisconnected) => {
            Err(RequestError::Timeout)
        }
        Err(RequestError::ResponseGone { .. }) if fault!(TimeoutForGone) => {
            Err(RequestError::Timeout)
        }
        reply => reply,
    }
}

/// What a question to all ends with.
pub(crate) fn replies(mut replies: Replies) -> Replies {
    if fault!(LoseNinthReply) {
        replies.replies.truncate(8);
    }
    if fault!(MislabelReplies) {
        replies.replies.iter_mut().for_each(|reply| reply.peer.set_port(0));
    }
    if fault!(HideLate) {
        replies.missing.retain(|(_, why)| *why != Missing::TimedOut);
    }
    if fault!(HideDeparted) {
        replies.missing.retain(|(_, why)| !matches!(why, Missing::Disconnected(_)));
    }
    replies
}

/// Waits, at the cost of a processor, until something is so.
pub(crate) async fn until(condition: impl Fn() -> bool) {
    std::future::poll_fn(|context| {
        if condition() {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
