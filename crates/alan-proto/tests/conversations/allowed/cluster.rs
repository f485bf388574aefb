//! Differences in discovery, membership, messages and quorum.

use crate::difference::{Reason, Run, extra, instead, missing, sometime};

const JOIN_TO_11: &str = "127.0.0.2 sends JOIN to 127.0.0.11";
const NOBODY: &str = tells!(2: "peers []");

pub(super) const REASONS: &[Reason] = &[
    Reason {
        title: "An address from discovery is a candidate, not a member",
        text: "The Go library takes every address that discovery returns for a peer at once: it \
            counts it, sends it one JOIN and then heartbeats, drops it when it was silent for the \
            timeout, and adds it again at the next refresh. A quorum can be made of nodes that are \
            not there. Ours sends JOIN at once and again with growing pauses (200 ms, doubling up \
            to the refresh interval) until the address is heard, and counts it from then on.",
        runs: Run::BOTH,
        differences: &[
            instead("start-dns-peer-silent", 3, 2, NOBODY),
            missing("start-dns-peer-silent", &[4, 5, 6, 7]),
            sometime("start-dns-peer-silent", 3..=5, &[JOIN_TO_11, JOIN_TO_11]),
            missing("dns-refresh", &[2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]),
            sometime("dns-refresh", 1..=9, &[JOIN_TO_11, JOIN_TO_11, JOIN_TO_11]),
            instead("two-go-nodes", 2, 1, "127.0.0.2 sends JOIN to 127.0.0.3"),
        ],
    },
    Reason {
        title: "Every new member is told",
        text: "The Go library tells no join for an address that discovery returned at the start, \
            but does tell its leave. Ours tells both, alternately, for every peer.",
        runs: Run::BOTH,
        differences: &[
            extra("join-from-dns-known-peer", 2, &[tells!(2: "join 127.0.0.11")]),
            extra("two-go-nodes", 3, &[tells!(2: "join 127.0.0.3")]),
            extra("two-go-nodes", 5, &[tells!(3: "join 127.0.0.2")]),
            extra(
                "three-nodes-leaked-grant",
                1,
                &[tells!(2: "join 127.0.0.3"), tells!(2: "join 127.0.0.11")],
            ),
            extra(
                "three-nodes-leaked-grant",
                3,
                &[tells!(3: "join 127.0.0.2"), tells!(3: "join 127.0.0.11")],
            ),
            extra(
                "three-go-nodes-contention",
                2,
                &[tells!(2: "join 127.0.0.3"), tells!(2: "join 127.0.0.4")],
            ),
            extra(
                "three-go-nodes-contention",
                3,
                &[tells!(3: "join 127.0.0.2"), tells!(3: "join 127.0.0.4")],
            ),
            extra(
                "three-go-nodes-contention",
                6,
                &[tells!(4: "join 127.0.0.2"), tells!(4: "join 127.0.0.3")],
            ),
            extra(
                "two-go-waiters-wake-together",
                0,
                &[tells!(2: "join 127.0.0.3"), tells!(2: "join 127.0.0.4")],
            ),
            extra(
                "two-go-waiters-wake-together",
                3,
                &[tells!(3: "join 127.0.0.2"), tells!(3: "join 127.0.0.4")],
            ),
            extra(
                "two-go-waiters-wake-together",
                6,
                &[tells!(4: "join 127.0.0.2"), tells!(4: "join 127.0.0.3")],
            ),
            extra("late-joiner-contention", 0, &[tells!(2: "join 127.0.0.3")]),
            extra("late-joiner-contention", 3, &[tells!(3: "join 127.0.0.2")]),
            extra(
                "late-joiner-contention",
                8,
                &[tells!(4: "join 127.0.0.2"), tells!(4: "join 127.0.0.3")],
            ),
            extra(
                "sealed-broadcast",
                0,
                &[tells!(2: "join 127.0.0.11"), tells!(2: "join 127.0.0.12")],
            ),
        ],
    },
    Reason {
        title: "A silent member is gone at the timeout",
        text: "The Go library looks for silent members on its heartbeat tick only, after it has \
            sent the heartbeats, and so finds one up to an interval late. Ours has a timer for \
            each member.",
        runs: Run::BOTH,
        differences: &[
            missing("silent-until-timeout", &[14]),
            instead("silent-until-timeout", 15, 13, tells!(2: "leave 127.0.0.11")),
            missing("data-refreshes", &[33]),
            instead("data-refreshes", 34, 30, tells!(2: "leave 127.0.0.11")),
            missing("lock-denied-then-denier-leaves", &[16]),
            instead("lock-denied-then-denier-leaves", 17, 15, tells!(2: "leave 127.0.0.12")),
            instead("lock-denied-then-denier-leaves", 18, 15, tells!(2: "lock \"my-job\" done")),
        ],
    },
    Reason {
        title: "Nobody is a member at port 0",
        text: "A JOIN that advertises port 0 makes a member in the Go library, to which every \
            sending then fails. Ours drops it and counts it.",
        runs: Run::BOTH,
        differences: &[missing("advertised-port", &[8]), instead("advertised-port", 10, 9, NOBODY)],
    },
    Reason {
        title: "A response counts from who was asked, once",
        text: "The Go library matches a response by its id alone: any address can answer, and one \
            peer can answer a request to all twice. In ours a response counts from an address \
            that was asked and has not answered; the caller goes on waiting for that one.",
        runs: Run::BOTH,
        differences: &[
            instead("request-response", 21, 23, tells!(2: "no answer: deadline exceeded")),
            instead("request-all", 12, 10, tells!(2: "answers [127.0.0.11:15000 6f6e65]")),
        ],
    },
    Reason {
        title: "A datagram that is too long is dropped whole",
        text: "The Go library cuts a plain datagram to its receive buffer and takes what is left \
            for the message: a part of a text is delivered as if it were all of it. Ours reads it \
            whole, drops it and counts it.",
        runs: Run::BOTH,
        differences: &[missing("oversize-plain", &[6, 8, 10, 11])],
    },
    Reason {
        title: "A message that is too long is refused at the call",
        text: "The Go library sends whatever the socket takes, 65,507 bytes, though its peers cut \
            it to 4,096. Ours returns an error for what does not fit into `buffer_size`, and sends \
            nothing.",
        runs: Run::BOTH,
        differences: &[
            missing("oversize-plain", &[16]),
            instead("oversize-plain", 18, 17, tells!(2: "sent 0: too long")),
        ],
    },
    Reason {
        title: "A node counts itself towards the quorum",
        text: "With a cluster size of 3 the Go library wants two *other* members, so that a \
            cluster of two with `Quorum: 2` never gets a quorum. Ours needs two nodes, itself \
            among them: a true majority. In this conversation it has its quorum with the first \
            peer, and asks where the Go node waits.",
        runs: Run::BOTH,
        differences: &[
            missing("quorum-gate", &[5]),
            instead("quorum-gate", 8, 3, lock!(REQUEST 2 > 11)),
            extra("quorum-gate", 4, &[lock!(REQUEST 2 > 11, "other")]),
            extra("quorum-gate", 20, &[lock!(REQUEST 2 > 11, "k2")]),
        ],
    },
    Reason {
        title: "Whoever waits for the quorum goes on when it comes",
        text: "The Go library looks every 50 ms. Ours asks for the lock in the same step. (The \
            conversation `quorum-gate`, with a cluster size of 5, of which the quorum is as many \
            others as it was for the recorded node.)",
        runs: Run::BOTH,
        differences: &[
            instead("quorum-gate with 5", 8, 6, lock!(REQUEST 2 > 11)),
            instead("quorum-gate with 5", 9, 6, lock!(REQUEST 2 > 12)),
        ],
    },
    Reason {
        title: "A broadcast needs the quorum",
        text: "With a cluster size, and too few nodes here, the Go library sends to those that are \
            here. Ours waits for the quorum, as for everything that is meant for the whole \
            cluster; the core, which never waits, returns an error. A message to one address is \
            sent.",
        runs: Run::BOTH,
        differences: &[
            missing("quorum-gate with 5", &[23]),
            instead(
                "quorum-gate with 5",
                24,
                22,
                tells!(2: "not sent: no quorum: 2 of 3 nodes are here"),
            ),
        ],
    },
    Reason {
        title: "The program is told more",
        text: "The Go library has no events for a quorum that is reached or lost, for datagrams \
            that do not open, and for a held lock that is lost because its node leaves.",
        runs: Run::BOTH,
        differences: &[
            extra("quorum-gate", 1, &[tells!(2: "quorum reached: 2 of 2")]),
            extra("quorum-gate with 5", 6, &[tells!(2: "quorum reached: 3 of 3")]),
            extra("quorum-gate with 5", 13, &[tells!(2: "quorum lost: 2 of 3")]),
            extra("sealed", 1, &[tells!(2: "warning: 1 from 127.0.0.12 did not open")]),
            extra("stop-while-holding", 11, &[tells!(2: "lock \"my-job\" lost: the node leaves")]),
        ],
    },
];
