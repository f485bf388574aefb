//! Every recorded conversation of the Go library, played with our node in the place of each node
//! that was recorded: in virtual time, with the repairs of the lock algorithm on and off, and by a
//! node with sessions and by one that is told to speak classic.
//!
//! Our node must do what the recorded one did, in bytes and in order. Deliberate differences stand
//! in the allow-list, by conversation, entry and reason, and from there in `docs/protocol.md`.
//! What is not listed fails the test, and so does a difference that is listed and does not occur.
//!
//! After a change of the list, `ALAN_BLESS=1 cargo test -p alan-proto --test conversations` writes
//! the document.
mod recording;
mod words;
mod steady;
mod stand_in;
mod replay;
mod difference;
mod allowed;
mod document;

use difference::{Findings, Reason, Run, complaints, extra, missing};
use recording::{Conversation, Entry, Recording};
use stand_in::Manner;

/// Conversations about something else than discovery: what it names introduces itself at once, by
/// a HEARTBEAT that is not in the recording. To a Go node it is a member without that.
const INTRODUCED: &[&str] = &[
    "three-nodes-leaked-grant",
    "three-go-nodes-contention",
    "two-go-waiters-wake-together",
    "late-joiner-contention",
    "sealed-broadcast",
];

/// The conversations, and one of them with a cluster size of which the quorum is as many *other*
/// nodes as it was for the recorded node.
fn conversations() -> (u16, Vec<Conversation>) {
    let Recording { port, mut conversations, .. } = Recording::read();
    let gate = conversations.iter().find(|c| c.name == "quorum-gate");
    let mut gate = gate.expect("it was recorded").clone();
    "quorum-gate with 5".clone_into(&mut gate.name);
    for settings in gate.config.values_mut() {
        settings.quorum = Some(5);
    }
    conversations.push(gate);
    (port, conversations)
}

/// With sessions, as in the product.
fn play_all(port: u16, conversations: &[Conversation]) -> Vec<Findings<'_>> {
    play_each(port, conversations, false)
}

fn play_each(port: u16, conversations: &[Conversation], speaks_classic: bool) -> Vec<Findings<'_>> {
    let mut all = Vec::new();
    for &run in Run::BOTH {
        let manner = Manner { repairs: run.repairs(), speaks_classic };
        for conversation in conversations {
            let introduced = INTRODUCED.contains(&conversation.name.as_str());
            let mut deviations = replay::Deviations::default();
            for &at in conversation.config.keys() {
                let found = replay::play(port, conversation, at, manner, introduced);
                deviations.missing.extend(found.missing);
                deviations.extra.extend(found.extra);
            }
            all.push(Findings { conversation, run, deviations });
        }
    }
    all
}

#[test]
fn our_node_does_what_the_recorded_one_did() {
    let (port, conversations) = conversations();
    let complaints = complaints(play_all(port, &conversations), allowed::reasons());
    assert!(complaints.is_empty(), "\n{complaints}");
}

#[test]
fn a_node_that_speaks_classic_does_so_too_in_the_very_same_bytes() {
    let (port, conversations) = conversations();
    let found = play_each(port, &conversations, true);
    let complaints = complaints(found, allowed::reasons());
    assert!(complaints.is_empty(), "\n{complaints}");
}

#[test]
fn the_document_says_what_the_list_says() {
    let (_, conversations) = conversations();
    let section = document::section(&conversations, INTRODUCED, allowed::reasons());
    let document = std::fs::read_to_string(document::PATH).expect("the document exists");
    let wanted = document::with_section(&document, &section);
    if std::env::var_os("ALAN_BLESS").is_some() {
        std::fs::write(document::PATH, &wanted).expect("the document can be written");
    } else {
        assert!(
            document == wanted,
            "docs/protocol.md is behind the allow-list: run this test with ALAN_BLESS=1"
        );
    }
}

/// Complaints when one conversation is other than it was recorded.
fn complaints_about_changed(name: &str, change: impl Fn(&mut [Entry])) -> String {
    let (port, mut conversations) = conversations();
    let changed = conversations.iter_mut().find(|c| c.name == name);
    change(&mut changed.expect("it was recorded").entries);
    complaints(play_all(port, &conversations), allowed::reasons())
}

fn call(entry: &mut Entry) -> &mut String {
    match entry {
        Entry::Call { call, .. } => call,
        _ => panic!("entry is no call"),
    }
}

#[test]
fn a_byte_that_differs_is_seen() {
    let complaints = complaints_about_changed("data", |entries| {
        "send to ALL".clone_into(call(&mut entries[11]));
    });
    for expected in [
        "data (Repaired), entry 12: expected: 127.0.0.2 sends DATA \"to all\" to 127.0.0.11",
        "data (Repaired), after entry 11: expected nothing; got: 0.051900s 127.0.0.2 sends DATA \"to ALL\"",
        "data (Faithful), entry 12: expected: ",
    ] {
        assert!(complaints.contains(expected), "{complaints}");
    }
}

#[test]
fn another_order_is_seen() {
    let complaints = complaints_about_changed("request-response", |entries| {
        let first = std::mem::take(call(&mut entries[12]));
        let second = std::mem::replace(call(&mut entries[18]), first);
        *call(&mut entries[12]) = second;
    });
    let expected =
        "request-response (Repaired), entry 13: expected: 127.0.0.2 sends REQUEST \"ping\"";
    assert!(complaints.contains(expected), "{complaints}");
}

/// Nothing like this was recorded.
const INVENTED: &Reason = &Reason {
    title: "invented",
    text: "",
    runs: Run::BOTH,
    differences: &[
        missing("leave", &[10]),
        extra("leave", 3, &["127.0.0.2 sends JOIN to 127.0.0.11"]),
        missing("no-such-conversation", &[0]),
    ],
};

#[test]
fn a_difference_that_is_listed_and_does_not_occur_is_seen() {
    let (port, conversations) = conversations();
    let reasons = allowed::reasons().chain([INVENTED]);
    let complaints = complaints(play_all(port, &conversations), reasons);
    let unused = complaints.matches("listed, but it does not happen").count();
    assert_eq!(unused, 6, "each in both runs: {complaints}");
}

#[test]
fn a_difference_that_is_not_listed_is_seen() {
    let (port, conversations) = conversations();
    let most = allowed::reasons().filter(|reason| !reason.title.starts_with("A silent member"));
    let complaints = complaints(play_all(port, &conversations), most);
    for expected in [
        "silent-until-timeout (Repaired), entry 14: expected: 127.0.0.2 sends HEARTBEAT to 127.0.0.11",
        "data-refreshes (Faithful), after entry 30: expected nothing; got: 1.854500s 127.0.0.2 tells: leave",
    ] {
        assert!(complaints.contains(expected), "{complaints}");
    }
}
