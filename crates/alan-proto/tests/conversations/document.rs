//! The section of `docs/protocol.md` that the allow-list is written out to.

use std::fmt::Write as _;
use std::ops::RangeInclusive;

use super::difference::{Difference, Kind, Reason, Run};
use super::recording::Conversation;
use super::replay::recorded;

pub(crate) const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/protocol.md");

const BEGIN: &str = "<!-- generated: differences -->\n";
const END: &str = "<!-- end -->";

/// The document with this section in it.
pub(crate) fn with_section(document: &str, section: &str) -> String {
    let (before, rest) = document.split_once(BEGIN).expect("the section is marked");
    let (_, after) = rest.split_once(END).expect("the section's end is marked");
    format!("{before}{BEGIN}{section}{END}{after}")
}

/// What users of the product can meet, by reason.
pub(crate) fn section<'r>(
    conversations: &[Conversation],
    introduced: &[&str],
    reasons: impl Iterator<Item = &'r Reason>,
) -> String {
    let introduced: Vec<_> = introduced.iter().map(|name| format!("`{name}`")).collect();
    let mut section = format!(
        "This part is written by the test `crates/alan-proto/tests/conversations`. It plays each \
         conversation of `tests/vectors/classic-conversations.json` to a Rust node in the place of \
         each recorded Go node, in virtual time, and compares what the two send and tell their \
         programs, in bytes and order. Whatever is not listed here is the same. Every conversation \
         is also played with the repairs of the lock algorithm switched off: then what is said \
         below about locks does not occur, and our node locks as the Go library does. And it is \
         played to a node that is told to speak classic (`speak_classic`): that one differs in the \
         same places, and sends no block.\n\n\
         Not listed, since they are everywhere: the session block behind the port of JOIN, LEAVE \
         and HEARTBEAT; request ids and nonces, which are random; the ±10 % of heartbeats, which \
         the test takes out; the order of datagrams to different addresses, which is random in the \
         Go library. In {}, which are about other things than discovery, whom discovery names \
         sends our node a HEARTBEAT at the start: it is a member of the Go node without that.\n\n\
         Numbers are the conversation's entries, from 0. `.11` is 127.0.0.11:15000. A node *tells* \
         its program events and results.\n",
        introduced.join(", ")
    );
    for reason in reasons.filter(|reason| reason.runs.contains(&Run::Repaired)) {
        write!(
            section,
            "\n### {}\n\n{}\n\n| conversation | Go | Rust |\n| --- | --- | --- |\n",
            reason.title, reason.text
        )
        .expect("a string takes all");
        for difference in reason.differences {
            section.push_str(&row(conversations, difference));
        }
    }
    section
}

fn row(conversations: &[Conversation], difference: &Difference) -> String {
    let name = difference.conversation;
    let conversation = conversations.iter().find(|other| other.name == name);
    let conversation = conversation.expect("the conversation exists");
    let entry = |entry: usize| {
        recorded(&conversation.entries[entry]).expect("the entry is what a recorded node did")
    };
    let (theirs, ours) = match &difference.kind {
        Kind::Missing { entries } => {
            let words = entries.iter().map(|&number| (number, entry(number)));
            (runs(words), "–".to_owned())
        }
        Kind::Extra { after, words } => {
            let words: Vec<_> = counted(words);
            ("–".to_owned(), behind(after, &words.join("; ")))
        }
        Kind::Instead { entry: number, after, words } => {
            let theirs = entry(*number);
            let ours = if theirs == *words { "the same" } else { words };
            (format!("{number}: {theirs}"), behind(&(*after..=*after), ours))
        }
    };
    let row = format!("| `{name}` | {theirs} | {ours} |\n");
    row.replace("127.0.0.", ".")
}

/// Entries in words; such as say the same stand together.
fn runs(words: impl Iterator<Item = (usize, String)>) -> String {
    let mut runs: Vec<(Vec<String>, String)> = Vec::new();
    for (number, words) in words {
        match runs.last_mut().filter(|(_, last)| *last == words) {
            Some((numbers, _)) => numbers.push(number.to_string()),
            None => runs.push((vec![number.to_string()], words)),
        }
    }
    let run = |(numbers, words): &(Vec<String>, String)| format!("{}: {words}", numbers.join(", "));
    runs.iter().map(run).collect::<Vec<_>>().join("; ")
}

fn counted(words: &[&str]) -> Vec<String> {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for words in words {
        match counts.iter_mut().find(|(other, _)| other == words) {
            Some((_, count)) => *count += 1,
            None => counts.push((words, 1)),
        }
    }
    let counted = counts.iter().map(|(words, count)| match count {
        1 => (*words).to_owned(),
        _ => format!("{words} ({count} times)"),
    });
    counted.collect()
}

fn behind(after: &RangeInclusive<usize>, words: &str) -> String {
    if after.start() == after.end() {
        format!("after {}: {words}", after.start())
    } else {
        format!("after {} to {}: {words}", after.start(), after.end())
    }
}
