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
    /// Membership: a member that was heard since its timer was armed is never declared silent.
    SilenceForgotten = "silence-forgotten",
    /// Membership: a late heartbeat brings back who has said goodbye.
    GoneComesBack = "gone-comes-back",
    /// Requests: anybody's response counts.
    AnyResponse = "any-response",
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
