//! The defects of the Go library's lock algorithm, one switch for the repair of each.

/// Declares [`Repairs`] with its two constants and the list of names, so that none can be missing.
macro_rules! repairs {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
        /// Which defects of the Go library's lock algorithm are repaired.
        ///
        /// With [`Repairs::NONE`] the machine does what the Go library was recorded doing. That is
        /// for simulations, which should see it fail; a cluster wants [`Repairs::ALL`]. Every
        /// repair keeps to messages that a classic peer understands, or to bytes that it ignores.
        ///
        /// ```
        /// use alan_proto::lock::Repairs;
        ///
        /// let mut repairs = Repairs::ALL;
        /// repairs.match_grants = false;
        /// assert_eq!(Repairs::ALL.without("match_grants"), Some(repairs));
        /// ```
        #[non_exhaustive]
        #[allow(clippy::struct_excessive_bools, reason = "independent switches, not a state")]
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub struct Repairs {
            $($(#[doc = $doc])+ pub $name: bool,)+
        }

        impl Repairs {
            /// Every repair.
            pub const ALL: Self = Self { $($name: true,)+ };

            /// The Go library's algorithm, defects included.
            pub const NONE: Self = Self { $($name: false,)+ };

            /// The name of every repair, in the order of the fields.
            pub const NAMES: &[&str] = &[$(stringify!($name),)+];

            /// These repairs except the named one; `None` if no repair has that name.
            #[must_use]
            pub fn without(mut self, name: &str) -> Option<Self> {
                match name {
                    $(stringify!($name) => self.$name = false,)+
                    _ => return None,
                }
                Some(self)
            }
        }
    };
}

repairs! {
    /// A grant counts for the attempt and the key that it names, from an address that was asked,
    /// and once.
    ///
    /// The Go library counts grants that carry the pending id until there are as many as members:
    /// one sent twice counts twice, a stranger's counts, and the key is not looked at. What is not
    /// counted is dropped, so nothing changes on the wire.
    match_grants,

    /// A denial counts only as the answer to a pending attempt, from an address that was asked
    /// and has not answered.
    ///
    /// In the Go library any denial, whatever its id, makes its sender the holder: it takes a held
    /// lock away and blocks a key that was never asked for. What is not counted is dropped.
    match_denials,

    /// Who denies is waited for, but not noted as the holder.
    ///
    /// The Go library notes whichever peer denied first. It then denies the key to others because
    /// of that note, lets later tries fail without asking, and keeps the note when the caller has
    /// long given up. Ours has a note only where it granted; it just asks again.
    denial_is_no_note,

    /// An attempt that ends without the lock is followed by LOCK_RELEASE to everyone that was
    /// asked.
    ///
    /// The Go library sends nothing, so whoever had granted keeps the requester noted until it
    /// leaves. LOCK_RELEASE from the noted holder is what a classic peer clears its note on; from
    /// anyone else it ignores it.
    release_on_giving_up,

    /// A grant for an attempt that is over is answered with LOCK_RELEASE.
    ///
    /// The Go library ignores it, and the grantor keeps its note. A classic peer's note is for the
    /// address, so while this node asks for or holds the key again, its late grant is left alone;
    /// one of a Rust node is released by its id at any time.
    release_stray_grants,

    /// Who has not answered is asked again, 500 ms later, then after twice as long, up to 4 s.
    ///
    /// The Go library sends a request once. A classic peer denies a repeat to the very holder that
    /// it noted, so there LOCK_RELEASE goes first and the repeat has an id of its own: a grant of
    /// the time before that release must not count. A Rust node is sent the same request again.
    repeat_unanswered,

    /// After a denial the requester also asks again by itself, 250 ms later, then after twice as
    /// long, up to 2 s, give or take a quarter.
    ///
    /// The Go library sleeps until the denier's LOCK_RELEASE, which may be lost, come from another
    /// address, or never be sent by one that only remembers the requester itself. A classic peer
    /// that denied or did not answer may have this node noted: it gets LOCK_RELEASE first.
    retry_denied,

    /// A denied requester wakes when any peer that may have denied it releases the key or leaves.
    ///
    /// The Go library waits for the first denier alone, also when that one merely remembers the
    /// holder. "May have denied": it did, or its answer has not come. One that granted does not
    /// count, or two waiters that give up in turn would wake each other for ever.
    wake_on_any_release,

    /// A peer that was denied is sent LOCK_RELEASE once the key is free here, whoever held it.
    ///
    /// A classic requester wakes on nothing else. The Go library sends one only to members, when
    /// it was the holder itself; a node that denied because of its note leaves the other asleep.
    tell_the_denied,

    /// While this node asks for a key it denies it to others, except to a Rust node with an older
    /// request: then it withdraws its own.
    ///
    /// The Go library grants while it asks, so two nodes that ask at the same moment both get the
    /// lock. Between Rust nodes the smaller id is the older one. The first byte of our ids falls
    /// with every time that the caller was turned away, the rest is random, as in the Go library:
    /// who waited through more attempts wins. A classic peer's ids say nothing, so it is denied.
    deny_while_asking,

    /// A member that leaves is not waited for any more; one that joins meanwhile is asked, too.
    ///
    /// In the Go library the number of grants needed stays as it was when the request was sent. A
    /// request that completes because members left is not granted unless the quorum is still here.
    follow_membership,

    /// A peer that asks for the key that it is noted for is granted it again.
    ///
    /// The Go library denies it, so a lost LOCK_GRANT never heals. It is safe because an address
    /// is one node, which does not ask for what it holds. With the same id it is a repeat. A
    /// classic peer with another id has ended its former attempt, and the new id replaces the old;
    /// a Rust node that asks with another id is reminded of the old one, which it then releases.
    repeat_request_by_holder,

    /// A grant to an address that is no member ends one heartbeat timeout after its latest
    /// LOCK_REQUEST, unless it has become a member by then.
    ///
    /// The Go library keeps it until that address releases it, which it may never do.
    stranger_grants_expire,

    /// Callers of one node exclude each other: they wait in line, and `try_lock` fails if there is
    /// a line.
    ///
    /// In the Go library a second caller shares the held lock by accident, and the first unlock
    /// ends it for both. After a release the next in line waits 5 to 10 ms, so that other nodes
    /// can ask first: one busy node must not keep a lock to itself.
    local_exclusion,

    /// LOCK_RELEASE to a Rust node names the attempt that it ends, and a Rust node's LOCK_RELEASE
    /// frees only the grant that it names.
    ///
    /// The Go library sends a zero id and does not look at it: a release that was overtaken by the
    /// next request frees that one. A classic peer ignores the id. A zero id from a Rust node only
    /// says that the key is free there.
    match_releases,

    /// A Rust node that is noted as the holder is sent its LOCK_GRANT again while somebody waits
    /// because of that note, 500 ms later, then after twice as long, up to 4 s.
    ///
    /// If it still uses the grant, nothing happens; if not, it answers with LOCK_RELEASE. So a lost
    /// LOCK_RELEASE heals. The Go library has nothing of the kind, and a classic peer is not sent
    /// it: it would not answer.
    confirm_grants,
}

#[cfg(test)]
mod tests {
    use super::Repairs;

    #[test]
    fn switching_off_every_repair_by_name_leaves_none() {
        let left = Repairs::NAMES.iter().try_fold(Repairs::ALL, |left, name| {
            let fewer = left.without(name)?;
            assert_ne!(fewer, left, "{name} was on");
            Some(fewer)
        });
        assert_eq!(left, Some(Repairs::NONE));
        assert_eq!(Repairs::ALL.without("no such repair"), None);
    }
}
