//! Differences in the lock algorithm: one reason for each repair that the conversations show, and
//! what is left without them.

use crate::difference::{Reason, Run, extra, instead, missing, sometime};

/// With every repair.
const REPAIRED: &[Run] = &[Run::Repaired];

/// With none.
const FAITHFUL: &[Run] = &[Run::Faithful];

pub(super) const REASONS: &[Reason] = &[
    Reason {
        title: "A grant counts from who was asked, once, for its key",
        text: "The Go library counts grants with the pending id until there are as many as \
            members: one sent twice counts twice, a stranger's counts, and the key in it is not \
            looked at. So a lock can be taken without the grant of every member. Ours goes on \
            waiting for the member that has not granted.",
        runs: REPAIRED,
        differences: &[missing("duplicate-and-foreign-grants", &[10, 16, 22])],
    },
    Reason {
        title: "A denial counts only as an answer",
        text: "In the Go library a denial that answers nothing makes its sender the holder: it \
            takes a held lock away, and blocks a key that was never asked for. Ours drops it: the \
            lock is still held when it is unlocked, and the later try asks.",
        runs: REPAIRED,
        differences: &[
            instead("stray-deny", 9, 8, tells!(2: "unlock \"my-job\" done")),
            extra("stray-deny", 8, &[lock!(RELEASE 2 > 11)]),
            instead("stray-deny", 13, 12, lock!(REQUEST 2 > 11, "fresh")),
        ],
    },
    Reason {
        title: "Who denies is not noted as the holder",
        text: "The Go library notes whoever denied first. It then fails later tries without \
            asking, denies the key to others, and keeps the note when its caller has given up. \
            Ours asks again, and has a note only where it granted. (In `trylock-denied` the \
            second try is under way, unanswered, when the third comes: the third fails, and the \
            grant is for the second.)",
        runs: REPAIRED,
        differences: &[
            missing("trylock-denied", &[8]),
            instead("trylock-denied", 13, 7, lock!(REQUEST 2 > 11)),
            extra("trylock-denied", 12, &[tells!(2: "try_lock \"my-job\" done: not got")]),
            extra("three-nodes-leaked-grant", 18, &[lock!(REQUEST 2 > 3), lock!(REQUEST 2 > 11)]),
            instead("three-nodes-third-party-denies-first", 13, 12, lock!(GRANT 2 > 11)),
            instead("two-go-waiters-wake-together", 26, 24, lock!(GRANT 3 > 4)),
        ],
    },
    Reason {
        title: "An attempt that ends without the lock is taken back",
        text: "A Go node that was denied or gave up sends nothing, so whoever had granted keeps it \
            noted as the holder, and the key is lost until it leaves. Ours sends LOCK_RELEASE to \
            everyone that it had asked.",
        runs: REPAIRED,
        differences: &[
            extra("lock-denied-then-released", 8, &[lock!(RELEASE 2 > 11), lock!(RELEASE 2 > 12)]),
            extra(
                "lock-denied-then-denier-leaves",
                8,
                &[lock!(RELEASE 2 > 11), lock!(RELEASE 2 > 12)],
            ),
            extra("lock-denied-then-denier-leaves", 12, &[lock!(RELEASE 2 > 12)]),
            extra("trylock-denied", 5, &[lock!(RELEASE 2 > 11)]),
            extra("trylock-denied", 20, &[lock!(RELEASE 2 > 11)]),
            extra("three-nodes-one-mute", 8, &[lock!(RELEASE 2 > 11), lock!(RELEASE 2 > 12)]),
            extra("three-nodes-leaked-grant", 9, &[lock!(RELEASE 2 > 3), lock!(RELEASE 2 > 11)]),
            extra("three-nodes-leaked-grant", 15, &[lock!(RELEASE 2 > 3), lock!(RELEASE 2 > 11)]),
            extra("three-nodes-leaked-grant", 18, &[lock!(RELEASE 2 > 3), lock!(RELEASE 2 > 11)]),
            extra(
                "three-nodes-third-party-denies-first",
                8,
                &[lock!(RELEASE 2 > 11), lock!(RELEASE 2 > 12)],
            ),
            extra(
                "three-nodes-third-party-denies-first",
                10,
                &[lock!(RELEASE 2 > 11), lock!(RELEASE 2 > 12)],
            ),
            extra(
                "two-go-waiters-wake-together",
                21,
                &[lock!(RELEASE 3 > 2), lock!(RELEASE 3 > 4)],
            ),
            extra(
                "two-go-waiters-wake-together",
                28,
                &[lock!(RELEASE 4 > 2), lock!(RELEASE 4 > 3)],
            ),
            extra("late-joiner-contention", 15, &[lock!(RELEASE 4 > 2), lock!(RELEASE 4 > 3)]),
            extra("partial-grant-then-deny", 9, &[lock!(RELEASE 2 > 11), lock!(RELEASE 2 > 12)]),
            // Denied again, and given up at the deadline.
            extra("partial-grant-then-deny", 14, &[lock!(RELEASE 2 > 11), lock!(RELEASE 2 > 12)]),
            extra("partial-grant-then-deny", 14, &[lock!(RELEASE 2 > 11), lock!(RELEASE 2 > 12)]),
            extra("trailing-bytes", 12, &[lock!(RELEASE 2 > 11)]),
            extra("quorum-gate", 20, &[lock!(RELEASE 2 > 11, "k2")]),
            extra("sealed-broadcast", 15, &[lock!(RELEASE 2 > 11), lock!(RELEASE 2 > 12)]),
        ],
    },
    Reason {
        title: "A grant that comes too late is given back",
        text: "The Go library ignores a grant for an attempt that is over, and the grantor keeps \
            its note. Ours answers it with LOCK_RELEASE, also where it names a key that was never \
            asked for.",
        runs: REPAIRED,
        differences: &[
            extra("three-nodes-one-mute", 10, &[lock!(RELEASE 2 > 12)]),
            extra("duplicate-and-foreign-grants", 20, &[lock!(RELEASE 2 > 11, "other-key")]),
            extra("duplicate-and-foreign-grants", 21, &[lock!(RELEASE 2 > 12, "")]),
            extra("two-go-waiters-wake-together", 22, &[lock!(RELEASE 3 > 2)]),
        ],
    },
    Reason {
        title: "Who has not answered is asked again",
        text: "The Go library sends a request once: a lost datagram leaves the caller waiting \
            until its deadline. Ours asks again after about 500 ms, then after twice as long. A \
            classic peer denies a repeat to the holder that it noted, so LOCK_RELEASE goes first.",
        runs: REPAIRED,
        differences: &[
            extra("three-nodes-one-mute", 8, &[lock!(RELEASE 2 > 12), lock!(REQUEST 2 > 12)]),
            extra("trylock-denied", 20, &[lock!(RELEASE 2 > 11), lock!(REQUEST 2 > 11)]),
            extra(
                "three-nodes-third-party-denies-first",
                10,
                &[
                    lock!(RELEASE 2 > 11),
                    lock!(REQUEST 2 > 11),
                    lock!(RELEASE 2 > 12),
                    lock!(REQUEST 2 > 12),
                ],
            ),
            extra(
                "two-go-waiters-wake-together",
                28,
                &[
                    lock!(RELEASE 4 > 2),
                    lock!(REQUEST 4 > 2),
                    lock!(RELEASE 4 > 3),
                    lock!(REQUEST 4 > 3),
                ],
            ),
            extra(
                "partial-grant-then-deny",
                14,
                &[
                    lock!(RELEASE 2 > 11),
                    lock!(REQUEST 2 > 11),
                    lock!(RELEASE 2 > 12),
                    lock!(REQUEST 2 > 12),
                ],
            ),
            extra(
                "quorum-gate",
                7,
                &[
                    lock!(RELEASE 2 > 11),
                    lock!(REQUEST 2 > 11),
                    lock!(RELEASE 2 > 12),
                    lock!(REQUEST 2 > 12),
                    lock!(RELEASE 2 > 11, "other"),
                    lock!(REQUEST 2 > 11, "other"),
                    lock!(RELEASE 2 > 12, "other"),
                    lock!(REQUEST 2 > 12, "other"),
                ],
            ),
        ],
    },
    Reason {
        title: "A denied requester asks again by itself",
        text: "The Go library sleeps until the first denier's LOCK_RELEASE, which may be lost, or \
            never be sent by one that only remembers the requester itself. Ours also asks again \
            after about 250 ms, then after twice as long. Whoever denied or did not answer may \
            have this node noted, and gets LOCK_RELEASE first.",
        runs: REPAIRED,
        differences: &[
            extra(
                "lock-denied-then-denier-leaves",
                15,
                &[lock!(RELEASE 2 > 12), lock!(REQUEST 2 > 12)],
            ),
            sometime(
                "three-nodes-third-party-denies-first",
                9..=10,
                &[
                    lock!(RELEASE 2 > 11),
                    lock!(RELEASE 2 > 12),
                    lock!(REQUEST 2 > 11),
                    lock!(REQUEST 2 > 12),
                ],
            ),
            extra("partial-grant-then-deny", 9, &[lock!(RELEASE 2 > 11)]),
            instead("partial-grant-then-deny", 11, 9, lock!(REQUEST 2 > 11)),
            instead("partial-grant-then-deny", 12, 9, lock!(REQUEST 2 > 12)),
            extra(
                "partial-grant-then-deny",
                14,
                &[lock!(RELEASE 2 > 12), lock!(REQUEST 2 > 11), lock!(REQUEST 2 > 12)],
            ),
        ],
    },
    Reason {
        title: "A denied requester wakes when anybody releases that may have denied it",
        text: "The Go library wakes on a LOCK_RELEASE from the first denier only, and on its \
            departure. In ours one from any peer will do that denied or has not answered; such a \
            peer gets LOCK_RELEASE before it is asked again.",
        runs: REPAIRED,
        differences: &[
            extra("lock-denied-then-released", 9, &[lock!(RELEASE 2 > 11)]),
            instead("lock-denied-then-released", 12, 9, lock!(REQUEST 2 > 11)),
            instead("lock-denied-then-released", 13, 9, lock!(REQUEST 2 > 12)),
            extra("lock-denied-then-denier-leaves", 9, &[lock!(RELEASE 2 > 12)]),
            extra("late-joiner-contention", 20, &[lock!(RELEASE 4 > 3)]),
        ],
    },
    Reason {
        title: "Whoever was denied is told when the key is free",
        text: "A denied Go node wakes on its denier's LOCK_RELEASE and on nothing else, but a Go \
            node that denied because of its note sends none. Ours does, to everyone that it \
            denied, whoever held the key; its own callers let those ask first, for up to 20 ms.",
        runs: REPAIRED,
        differences: &[
            extra("release-by-non-holder", 13, &[lock!(RELEASE 2 > 12)]),
            extra("three-nodes-leaked-grant", 24, &[lock!(RELEASE 3 > 11)]),
            extra("late-joiner-contention", 19, &[lock!(RELEASE 3 > 4)]),
            extra("two-go-waiters-wake-together", 23, &[lock!(RELEASE 4 > 3)]),
            instead("two-go-waiters-wake-together", 24, 28, lock!(REQUEST 4 > 3)),
            instead("two-go-waiters-wake-together", 25, 28, lock!(REQUEST 4 > 2)),
        ],
    },
    Reason {
        title: "A node that asks for a key does not grant it",
        text: "The Go library grants while its own request is under way: two nodes that ask at the \
            same moment both get the lock. Ours denies the key to a classic peer meanwhile. (Of \
            two Rust nodes the one with the older request gets it.)",
        runs: REPAIRED,
        differences: &[instead("crossing-requests", 6, 5, lock!(DENY 2 > 11))],
    },
    Reason {
        title: "A request follows the membership",
        text: "In the Go library the number of grants needed stays as it was when the request was \
            sent. In ours a member that leaves is not waited for any more, and one that joins is \
            asked, too. (The newcomer of the recording does not answer, so that the lock on `k2` \
            is not got and there is nothing to be unlocked.)",
        runs: REPAIRED,
        differences: &[
            instead("peer-leaves-while-request-pending", 11, 9, tells!(2: "lock \"my-job\" done")),
            extra("peer-leaves-while-request-pending", 14, &[lock!(REQUEST 2 > 13, "k2")]),
            missing("peer-leaves-while-request-pending", &[17, 19, 20]),
            instead(
                "peer-leaves-while-request-pending",
                21,
                18,
                tells!(2: "unlock \"k2\" done: not held"),
            ),
            instead("quorum-gate", 9, 6, lock!(REQUEST 2 > 12)),
            extra("quorum-gate", 6, &[lock!(REQUEST 2 > 12, "other")]),
        ],
    },
    Reason {
        title: "The noted holder may ask again",
        text: "The Go library denies a request to the very peer that it noted as the holder, so a \
            lost LOCK_GRANT never heals. Ours grants it again: an address is one node, and a node \
            does not ask for what it holds.",
        runs: REPAIRED,
        differences: &[
            instead("repeated-lock-request", 6, 5, lock!(GRANT 2 > 11)),
            instead("repeated-lock-request", 8, 7, lock!(GRANT 2 > 11)),
            instead("repeated-lock-request", 11, 10, lock!(GRANT 2 > 11)),
            instead("three-nodes-leaked-grant", 15, 14, lock!(GRANT 3 > 2)),
            instead("trailing-bytes", 8, 7, lock!(GRANT 2 > 11)),
            instead("lock-request-from-stranger", 21, 20, lock!(GRANT 2 > 12)),
        ],
    },
    Reason {
        title: "A grant to a stranger runs out",
        text: "The Go library keeps it until the stranger releases it, which it may never do. Ours \
            lets it end one heartbeat timeout after the stranger last asked, unless it has become \
            a member.",
        runs: REPAIRED,
        differences: &[instead("lock-request-from-stranger", 17, 16, lock!(GRANT 2 > 12))],
    },
    Reason {
        title: "Callers of one node exclude each other",
        text: "In the Go library a second caller of the same node shares the held lock by \
            accident, and the first unlock ends it for both. In ours it waits in line.",
        runs: REPAIRED,
        differences: &[missing("lock-uncontended", &[12])],
    },
    Reason {
        title: "Without the repairs: a request that was sent before the quorum of the recording",
        text: "Our node has its quorum, and asks, when it has one member; the number of grants that \
            it needs stays.",
        runs: FAITHFUL,
        differences: &[
            missing("quorum-gate", &[9]),
            instead("quorum-gate", 12, 10, tells!(2: "lock \"my-job\" done")),
        ],
    },
    Reason {
        title: "Without the repairs: a lock that a stray denial takes away",
        text: "The Go library's program learns of it when it unlocks; ours is told.",
        runs: FAITHFUL,
        differences: &[extra(
            "stray-deny",
            7,
            &[tells!(2: "lock \"my-job\" lost: denied by 127.0.0.11")],
        )],
    },
];
