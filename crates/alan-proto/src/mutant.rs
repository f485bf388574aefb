//! Bugs planted on purpose, to see that the tests find them: only with the feature `mutants`, and
//! there only the one that `ALAN_MUTANT` names. Without the feature nothing of this is compiled in.

/// Declares [`Mutant`] together with the list that programs read.
macro_rules! mutants {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal,)+) => {
        /// One rule of the protocol that is left out.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub(crate) enum Mutant {
            $($(#[doc = $doc])+ $variant,)+
        }

        /// The name of each, and what it does.
        #[cfg(feature = "mutants")]
        pub const ALL: &[(&str, &str)] = &[$(($name, concat!($($doc),+)),)+];

        #[cfg(feature = "mutants")]
        fn named(name: &str) -> Option<Mutant> {
            match name {
                $($name => Some(Mutant::$variant),)+
                _ => None,
            }
        }
    };
}

mutants! {
    /// Wire: a block with a field of a later version is malformed.
    UnknownField = "unknown-field",
    /// Envelope: a datagram too short to be sealed is taken as it is.
    ShortIsPlain = "short-is-plain",
    /// Envelope: the nonce is not drawn where one stands in the buffer already.
    NonceKept = "nonce-kept",
    /// Envelope: what was opened before opens again.
    ReplaysOpen = "replays-open",
    /// Envelope: the window of a new member opens at the beginning of its session.
    WindowFromStart = "window-from-start",
    /// Envelope: what is sealed for one life opens in any.
    Unbound = "unbound",
    /// Admission: any answer to a challenge counts.
    AnyAnswer = "any-answer",
    /// Admission: a challenge is good from any address.
    ChallengeAnywhere = "challenge-anywhere",
    /// Admission: a member is gone as soon as another life speaks from its address.
    RestartUnproven = "restart-unproven",
    /// Admission: the latest proof replaces a member, though its challenge is the older one.
    OlderProof = "older-proof",
    /// Admission: a channel that is told to another node is taken for one's own.
    ChannelOfOther = "channel-of-other",
    /// Membership: a control message without a block keeps an extended member alive.
    Downgrade = "downgrade",
    /// Membership: a goodbye is obeyed whoever sealed it, wherever it comes from.
    AnyGoodbye = "any-goodbye",
    /// Membership: the goodbye of a former life sends away who has its address now.
    GoodbyeOfFormer = "goodbye-of-former",
    /// Membership: a control message that was overtaken counts once more.
    OldStamp = "old-stamp",
    /// Membership: for how long a stamp was held before it is echoed is not told.
    HeldForgotten = "held-forgotten",
    /// Membership: whom others vouch for is never declared silent.
    VouchedForEver = "vouched-for-ever",
    /// Membership: members are silent while this node was not there to hear them.
    OwnLateness = "own-lateness",
    /// Membership: observers count for the quorum.
    ObserversCount = "observers-count",
    /// Strangers: they have no budget.
    NoBudget = "no-budget",
    /// Strangers: a JOIN that is shorter than its answer is answered.
    ShortJoin = "short-join",
    /// Membership: a member that was heard since its timer was armed is never declared silent.
    SilenceForgotten = "silence-forgotten",
    /// Membership: a late heartbeat brings back who has said goodbye.
    GoneComesBack = "gone-comes-back",
    /// Requests: anybody's response counts.
    AnyResponse = "any-response",
    /// Requests: what comes again is executed again.
    ExecutedTwice = "executed-twice",
    /// Requests: whose record was dropped is believed to ask for the first time.
    RecordForgotten = "record-forgotten",
    /// Requests: who asks for what is dead is not told.
    DeadSilence = "dead-silence",
    /// Requests: the pauses between transmissions do not grow.
    NoBackoff = "no-backoff",
    /// Requests: a late request of a former life is executed for its successor.
    FormerRequest = "former-request",
    /// Requests: an answered request's deadline ends the next request in its place.
    DeadlineOfFormer = "deadline-of-former",
    /// Delivery: a message without a payload is not delivered.
    EmptyDropped = "empty-dropped",
    /// Locks: anybody's release frees the key.
    AnyRelease = "any-release",
    /// Locks: the deadline of the call ends the lock that it got.
    DeadlineOfHeld = "deadline-of-held",
}

/// Whether this bug is planted.
#[cfg(not(feature = "mutants"))]
pub(crate) const fn planted(_: Mutant) -> bool {
    false
}

/// Whether this bug is planted.
///
/// # Panics
/// If `ALAN_MUTANT` names none: a typing error would look like tests that find nothing.
#[cfg(feature = "mutants")]
pub(crate) fn planted(mutant: Mutant) -> bool {
    static CHOSEN: std::sync::OnceLock<Option<Mutant>> = std::sync::OnceLock::new();
    let chosen = CHOSEN.get_or_init(|| {
        let name = std::env::var("ALAN_MUTANT").ok()?;
        Some(named(&name).expect("ALAN_MUTANT is the name of a mutant"))
    });
    *chosen == Some(mutant)
}
