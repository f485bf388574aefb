//! Plays a conversation to our node, and finds where it does not do what the recorded node did.
//!
//! What the node does stands in *lanes*: one for what it sends to each address, and two for what it
//! tells its program. Within a lane our node must do the same, in the same order, at the same time.
//! Between lanes the recording has no order of its own: it is that of a hash table, or of two
//! threads.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use alan_proto::{Instant, RequestId};

use super::recording::{Conversation, Datagram, Entry};
use super::stand_in::{Manner, Output, StandIn};
use super::words;

/// How long after its cause the recorded node may have done something.
const LAG: Duration = Duration::from_millis(5);

/// How much earlier than our timer one of the recorded node may have fired: moments are rounded,
/// and the first entry came a little after the start.
const EARLY: Duration = Duration::from_micros(500);

const REQUEST: u8 = 0x20;
const RESPONSE: u8 = 0x21;
const LOCK_REQUEST: u8 = 0x30;
const LOCK_GRANT: u8 = 0x31;
const LOCK_DENY: u8 = 0x32;

/// What our node did otherwise than the recorded one.
#[derive(Default, Debug)]
pub(crate) struct Deviations {
    /// Entries that our node has no counterpart for.
    pub(crate) missing: Vec<usize>,
    pub(crate) extra: Vec<Extra>,
}

/// Something that our node did and the recorded one did not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Extra {
    pub(crate) moment: Instant,
    /// The last entry before it.
    pub(crate) after: usize,
    pub(crate) words: String,
}

/// Where an output belongs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Lane {
    To(SocketAddr),
    /// What a call returned that does not wait.
    Returned,
    Told,
}

/// Why our node did something.
#[derive(Clone, Copy, Debug)]
enum Cause {
    /// This entry was played to it.
    Entry(usize),
    Timer,
}

/// Something that the recorded node did.
struct Expected {
    entry: usize,
    moment: Instant,
    lane: Lane,
    output: Output,
    /// The last entry before it that was played to the node.
    input: Option<usize>,
    matched: bool,
}

struct Replay<'c> {
    entries: &'c [Entry],
    at: SocketAddr,
    node: StandIn,
    expected: Vec<Expected>,
    /// The last entry matched in each lane.
    reached: BTreeMap<Lane, usize>,
    /// What the recorded node asked, id blanked out, by the id that it drew.
    recorded: BTreeMap<RequestId, Vec<u8>>,
    /// The id that our node drew in the place of a recorded one.
    ours: BTreeMap<RequestId, RequestId>,
    /// What our node asked, id blanked out, in order.
    asked: Vec<(Vec<u8>, RequestId)>,
    deviations: Deviations,
}

/// Plays the conversation with our node in the place of the recorded one `at` this address. If it
/// is to be `introduced`, whom discovery names says so first.
pub(crate) fn play(
    port: u16,
    conversation: &Conversation,
    at: SocketAddr,
    manner: Manner,
    introduced: bool,
) -> Deviations {
    let entries = &conversation.entries;
    let settings = &conversation.config[&at];
    let first = entries.iter().position(|entry| entry.actor() == at);
    let first = first.expect("a recorded node does something");
    let start = entries[first].moment();

    let mut replay = Replay {
        entries,
        at,
        node: StandIn::start(port, settings, manner, start),
        expected: expectations(entries, at),
        reached: BTreeMap::new(),
        recorded: recorded_ids(entries, at),
        ours: BTreeMap::new(),
        asked: Vec::new(),
        deviations: Deviations::default(),
    };
    if introduced {
        replay.node.introduce(start);
    }
    replay.compare(start, Cause::Timer);
    // What was sent to it before it started, nobody heard.
    for (index, entry) in entries.iter().enumerate().skip(first) {
        replay.run_until(entry.moment());
        replay.input(index, entry);
    }
    let end = entries.last().expect("there are entries").moment();
    replay.run_until(end + EARLY);
    replay.finish()
}

fn is_input(entry: &Entry, at: SocketAddr) -> bool {
    match entry {
        Entry::Datagram(datagram) => datagram.to == at,
        Entry::Call { at: called, .. } => *called == at,
        Entry::Event(_) => false,
    }
}

fn expectations(entries: &[Entry], at: SocketAddr) -> Vec<Expected> {
    let mut input = None;
    let mut expected = Vec::new();
    for (entry, recorded) in entries.iter().enumerate() {
        if is_input(recorded, at) {
            input = Some(entry);
        }
        let output = match recorded {
            Entry::Datagram(datagram) if datagram.from == at => {
                Some(Output::Sent { to: datagram.to, message: datagram.message() })
            }
            Entry::Event(event) if event.at == at => words::event(event).map(Output::Told),
            _ => None,
        };
        expected.extend(output.map(|output| Expected {
            entry,
            moment: recorded.moment(),
            lane: lane(&output),
            output,
            input,
            matched: false,
        }));
    }
    expected
}

fn recorded_ids(entries: &[Entry], at: SocketAddr) -> BTreeMap<RequestId, Vec<u8>> {
    let sent = entries.iter().filter_map(|entry| match entry {
        Entry::Datagram(datagram) if datagram.from == at => Some(datagram.message()),
        _ => None,
    });
    sent.filter_map(|message| Some((question_id(&message)?, blanked(&message)))).collect()
}

fn lane(output: &Output) -> Lane {
    match output {
        Output::Sent { to, .. } => Lane::To(*to),
        Output::Told(words) if words.starts_with("sent ") => Lane::Returned,
        Output::Told(_) => Lane::Told,
    }
}

/// The id in a message, which is all that REQUEST, RESPONSE and the lock messages have in common.
fn id(message: &[u8]) -> Option<RequestId> {
    let (_, rest) = message.split_first()?;
    rest.first_chunk().copied().map(RequestId)
}

fn question_id(message: &[u8]) -> Option<RequestId> {
    match message.first()? {
        &REQUEST | &LOCK_REQUEST => id(message),
        _ => None,
    }
}

fn answer_id(message: &[u8]) -> Option<RequestId> {
    match message.first()? {
        &RESPONSE | &LOCK_GRANT | &LOCK_DENY => id(message),
        _ => None,
    }
}

fn with_id(message: &[u8], id: RequestId) -> Vec<u8> {
    let mut message = message.to_vec();
    message[1..][..id.0.len()].copy_from_slice(&id.0);
    message
}

/// The message without the id that its sender drew: questions of one role are equal.
fn blanked(message: &[u8]) -> Vec<u8> {
    match question_id(message) {
        Some(_) => with_id(message, RequestId::ZERO),
        None => message.to_vec(),
    }
}

/// What one thread of the recorder wrote down may stand behind what came in meanwhile. That a
/// waiting call came to its end, or a member left, is what the last input led to, and our node must
/// not do it before.
fn must_follow_the_last_input(output: &Output) -> bool {
    const ENDS: [&str; 6] = ["lock ", "try_lock ", "answer", "no answer", "leave ", "peers "];
    match output {
        Output::Sent { .. } => false,
        Output::Told(words) => ENDS.iter().any(|end| words.starts_with(end)),
    }
}

impl Replay<'_> {
    fn run_until(&mut self, end: Instant) {
        while let Some(wake) = self.node.next_wake().filter(|wake| *wake <= end) {
            self.node.wake(wake);
            self.compare(wake, Cause::Timer);
        }
    }

    /// Plays one entry to the node, if it is for the node.
    fn input(&mut self, index: usize, entry: &Entry) {
        if !is_input(entry, self.at) {
            return;
        }
        match entry {
            Entry::Datagram(datagram) => {
                let Some(bytes) = self.in_terms_of_ours(datagram) else {
                    return;
                };
                self.node.receive(entry.moment(), datagram.from, bytes);
            }
            Entry::Call { call, .. } => self.node.call(entry.moment(), call),
            Entry::Event(_) => {}
        }
        self.compare(entry.moment(), Cause::Entry(index));
    }

    /// An answer to a question of the recorded node answers that of our node in its place: the
    /// one that was matched with it, or else the latest of the same role. `None` if our node asked
    /// nothing like it.
    fn in_terms_of_ours(&mut self, datagram: &Datagram) -> Option<Vec<u8>> {
        let bytes = datagram.bytes();
        let message = self.node.opened(&bytes).unwrap_or_default();
        let Some((id, question)) =
            answer_id(&message).and_then(|id| Some((id, self.recorded.get(&id)?)))
        else {
            return Some(bytes);
        };
        let latest = || {
            let mut asked = self.asked.iter().rev();
            let same = asked.find(|(asked, _)| asked == question);
            same.map(|(_, ours)| *ours)
        };
        let ours = self.ours.get(&id).copied().or_else(latest)?;
        let answer = with_id(&message, ours);
        Some(self.node.sealed(&answer))
    }

    /// Matches what the node has just done with what is expected of it.
    fn compare(&mut self, now: Instant, cause: Cause) {
        for output in self.node.take_outputs() {
            match self.find(&output, now, cause) {
                Some(found) => self.matched(found, &output),
                None => self.deviations.extra.push(Extra {
                    moment: now,
                    after: self.last_entry(now, cause),
                    words: said(self.at, &output),
                }),
            }
            if let Output::Sent { message, .. } = &output
                && let Some(id) = question_id(message)
            {
                self.asked.push((blanked(message), id));
            }
        }
    }

    fn find(&self, output: &Output, now: Instant, cause: Cause) -> Option<usize> {
        let lane = lane(output);
        let reached = self.reached.get(&lane);
        self.expected.iter().position(|expected| {
            expected.lane == lane
                && !expected.matched
                && reached.is_none_or(|reached| expected.entry > *reached)
                && same(&expected.output, output)
                && in_time(expected, now, cause)
        })
    }

    fn matched(&mut self, found: usize, output: &Output) {
        let expected = &mut self.expected[found];
        expected.matched = true;
        self.reached.insert(expected.lane, expected.entry);
        if let (Output::Sent { message: theirs, .. }, Output::Sent { message: ours, .. }) =
            (&expected.output, output)
            && let (Some(theirs), Some(ours)) = (question_id(theirs), question_id(ours))
        {
            let before = self.ours.insert(theirs, ours);
            assert!(
                before.is_none_or(|before| before == ours),
                "what has one id in the recording has one id"
            );
        }
    }

    fn last_entry(&self, now: Instant, cause: Cause) -> usize {
        match cause {
            Cause::Entry(index) => index,
            Cause::Timer => {
                let before = self.entries.iter().take_while(|entry| entry.moment() <= now);
                before.count().saturating_sub(1)
            }
        }
    }

    fn finish(mut self) -> Deviations {
        let unmatched = self.expected.iter().filter(|expected| !expected.matched);
        self.deviations.missing = unmatched.map(|expected| expected.entry).collect();
        self.deviations
    }
}

fn same(expected: &Output, ours: &Output) -> bool {
    match (expected, ours) {
        (Output::Sent { message: theirs, .. }, Output::Sent { message: ours, .. }) => {
            blanked(theirs) == blanked(ours)
        }
        (expected, ours) => expected == ours,
    }
}

fn in_time(expected: &Expected, now: Instant, cause: Cause) -> bool {
    if expected.moment.saturating_since(now) > LAG {
        return false;
    }
    match cause {
        Cause::Timer => now <= expected.moment + EARLY,
        Cause::Entry(index) => {
            index < expected.entry
                && (expected.input == Some(index) || !must_follow_the_last_input(&expected.output))
        }
    }
}

/// What the node `at` this address did, in words.
fn said(at: SocketAddr, output: &Output) -> String {
    let at = words::address(at);
    match output {
        Output::Sent { to, message } => {
            let (message, to) = (words::message(message), words::address(*to));
            format!("{at} sends {message} to {to}")
        }
        Output::Told(words) => format!("{at} tells: {words}"),
    }
}

/// An entry in words; `None` if it is nothing that a recorded node did.
pub(crate) fn recorded(entry: &Entry) -> Option<String> {
    let output = match entry {
        Entry::Datagram(datagram) => Output::Sent { to: datagram.to, message: datagram.message() },
        Entry::Event(event) => Output::Told(words::event(event)?),
        Entry::Call { .. } => return None,
    };
    Some(said(entry.actor(), &output))
}
