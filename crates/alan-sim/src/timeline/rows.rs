//! From the steps of a history to the rows of a timeline.

use std::collections::BTreeMap;

use super::Topic;
use super::spans::{Spans, Tracker};
use super::topic;
use crate::place::{Place, place_of};
use crate::plan::Plan;
use crate::time::Moment;
use crate::trace::{DatagramId, Meaning, Occurrence, Trace};

/// One row: one step, or a datagram's sending and its loss at the same moment.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) at: Moment,
    pub(super) mark: Mark,
    /// What happened, in words.
    pub(super) words: String,
}

/// What a row draws into the lanes.
#[derive(Clone, Debug)]
pub(super) enum Mark {
    /// A datagram leaves. Strangers have no place.
    Sent { from: Option<Place>, to: Option<Place>, label: String, fate: Fate },
    /// A datagram is handed to its node, out of the row in which it was sent.
    Arrived { from: Option<Place>, to: Place, label: String, sent: Option<usize> },
    /// Something happens at a node.
    At { node: Place, label: String, tone: Tone },
    /// Something happens to the network.
    World { label: String },
    /// An invariant is violated by these.
    Violation { places: Vec<Place> },
}

/// What becomes of a datagram within the history.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fate {
    /// It is still on its way at the end, or is dropped by who was there no more.
    OnItsWay,
    /// It is lost as soon as it is sent.
    Lost,
    /// It arrives, perhaps twice.
    Arrives,
}

/// What kind of thing happens at a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Tone {
    /// A user asks for something, or gets it.
    User,
    /// A lock is granted.
    Good,
    /// A lock is not got or lost; a node dies or stops.
    Bad,
    /// A node tells of others, or starts.
    Plain,
}

impl Mark {
    pub(super) fn places(&self) -> Vec<Place> {
        match self {
            Self::Sent { from, to, .. } => from.iter().chain(to).copied().collect(),
            Self::Arrived { from, to, .. } => from.iter().copied().chain([*to]).collect(),
            Self::At { node, .. } => vec![*node],
            Self::World { .. } => Vec::new(),
            Self::Violation { places } => places.clone(),
        }
    }
}

/// The rows of a history and what lasts across them.
pub(super) struct Rows {
    pub(super) list: Vec<Row>,
    pub(super) spans: Spans,
    pub(super) hidden: u64,
}

/// The row in which a datagram was sent, and what it says.
#[derive(Clone, Copy)]
struct Flight {
    row: Option<usize>,
    from: Option<Place>,
}

impl Rows {
    pub(super) fn of(plan: &Plan, trace: &Trace, topic: Topic) -> Self {
        let mut tracker = Tracker::new(plan, trace.dropped() > 0);
        let mut rows = Self { list: Vec::new(), spans: Spans::default(), hidden: 0 };
        let mut flights = BTreeMap::new();
        for step in trace.steps() {
            tracker.see(rows.list.len(), step.at, &step.what);
            let shown = rows.take(step.at, &step.what, topic, &mut flights);
            rows.hidden += u64::from(!shown);
        }
        rows.spans = tracker.finish(rows.list.len());
        rows
    }

    /// Adds a row for the step, or changes the one of the datagram that it is about. `false` if
    /// it is not shown.
    fn take(
        &mut self,
        at: Moment,
        what: &Occurrence,
        topic: Topic,
        flights: &mut BTreeMap<DatagramId, Flight>,
    ) -> bool {
        let shown = topic.has(what);
        let row = self.list.len();
        let mark = match what {
            Occurrence::Sent { datagram, from, to, meaning } => {
                let place = |address| place_of(address).map(|(place, _)| place);
                let (from, to) = (place(*from), place(*to));
                let sent_in = shown.then_some(row);
                flights.insert(*datagram, Flight { row: sent_in, from });
                Mark::Sent { from, to, label: label(meaning), fate: Fate::OnItsWay }
            }
            Occurrence::Doubled { datagram, copy } => {
                let flight = flights.get(datagram).copied();
                flights.extend(flight.map(|flight| (*copy, flight)));
                return self.add_words(flight, ", doubled");
            }
            Occurrence::Corrupted { datagram } => {
                return self.add_words(flights.get(datagram).copied(), ", altered");
            }
            Occurrence::Lost { datagram, why } => {
                let flight = flights.remove(datagram);
                if let Some(sent) = flight.and_then(|flight| flight.row)
                    && let Mark::Sent { fate: fate @ Fate::OnItsWay, .. } =
                        &mut self.list[sent].mark
                {
                    *fate = Fate::Lost;
                }
                return self.add_words(flight, &format!(", lost: {why}"));
            }
            Occurrence::Delivered { datagram, node, meaning } => {
                let flight = flights.remove(datagram);
                let sent = flight.and_then(|flight| flight.row);
                if let Some(sent) = sent
                    && let Mark::Sent { fate, .. } = &mut self.list[sent].mark
                {
                    *fate = Fate::Arrives;
                }
                let from = flight.and_then(|flight| flight.from);
                Mark::Arrived { from, to: *node, label: label(meaning), sent }
            }
            other => mark_of(other),
        };
        if shown {
            self.list.push(Row { at, mark, words: what.to_string() });
        }
        shown
    }

    /// Says more of a datagram in the row in which it was sent. `false` if that is not shown.
    fn add_words(&mut self, flight: Option<Flight>, words: &str) -> bool {
        let Some(row) = flight.and_then(|flight| flight.row) else { return false };
        self.list[row].words.push_str(words);
        true
    }
}

/// A message without its id: kind and key, or kind and number.
fn label(meaning: &Meaning) -> String {
    let words = meaning.to_string();
    let without_id = words.split(' ').filter(|word| !word.starts_with('#'));
    match meaning {
        Meaning::Join(_) | Meaning::Leave(_) | Meaning::Heartbeat(_) => {
            without_id.take(1).collect()
        }
        _ => without_id.collect::<Vec<_>>().join(" "),
    }
}

fn mark_of(what: &Occurrence) -> Mark {
    use alan_proto::{Action, LockEvent};
    let words = what.to_string();
    let (node, tone) = match what {
        Occurrence::Started { node, .. } | Occurrence::Resumed { node, .. } => (*node, Tone::Plain),
        Occurrence::Ended { node, .. } | Occurrence::Paused { node } => (*node, Tone::Bad),
        Occurrence::Discovered { node, .. } | Occurrence::Timer { node, .. } => {
            (*node, Tone::Plain)
        }
        Occurrence::Received { node, .. }
        | Occurrence::Command { node, .. }
        | Occurrence::GuardAsked { node, .. } => (*node, Tone::User),
        Occurrence::Told { node, action, .. } => {
            let tone = match action {
                Action::Lock(LockEvent::Granted { .. }) => Tone::Good,
                Action::Lock(_) => Tone::Bad,
                _ => Tone::Plain,
            };
            (*node, tone)
        }
        Occurrence::Violated(breach) => return Mark::Violation { places: topic::places(breach) },
        _ => return Mark::World { label: words },
    };
    // The lane says whose words these are.
    let name = node.to_string();
    let said = words.strip_prefix(&name).unwrap_or(&words);
    let said = ["'s user: ", "'s user ", " tells: ", " "]
        .iter()
        .find_map(|prefix| said.strip_prefix(prefix))
        .unwrap_or(said);
    // Names of lives and numbers of calls say little; whoever points at the row gets them.
    let said = match what {
        Occurrence::Started { .. } => said.split(" as ").next().unwrap_or(said).to_owned(),
        _ => without_call(said),
    };
    Mark::At { node, label: said, tone }
}

/// Words without the number of a lock call.
fn without_call(words: &str) -> String {
    let call = |marker: &&str| words.split_once(*marker);
    match [", call ", " to call ", " by call ", " of call "].iter().find_map(call) {
        Some((before, after)) => {
            before.to_owned() + after.trim_start_matches(|c: char| c.is_ascii_digit())
        }
        None => words.to_owned(),
    }
}
