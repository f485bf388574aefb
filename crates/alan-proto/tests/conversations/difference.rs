//! The vocabulary of the allow-list, and what holds it to the truth: every deviation must be
//! listed, and everything listed must happen.

use std::fmt::Write as _;
use std::ops::RangeInclusive;

use alan_proto::lock::Repairs;

use super::recording::{Conversation, Entry};
use super::replay::{Deviations, Extra, recorded};
use super::words;

/// How the lock algorithm was set when a conversation was played.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Run {
    /// As in the product: with all repairs.
    Repaired,
    /// The Go library's algorithm, defects included.
    Faithful,
}

impl Run {
    pub(crate) const BOTH: &[Self] = &[Self::Repaired, Self::Faithful];

    pub(crate) const fn repairs(self) -> Repairs {
        match self {
            Self::Repaired => Repairs::ALL,
            Self::Faithful => Repairs::NONE,
        }
    }
}

/// Why our node does otherwise than the Go library, and everywhere that it shows.
#[derive(Debug)]
pub(crate) struct Reason {
    /// A few words.
    pub(crate) title: &'static str,
    /// What the Go library does, what ours does, and why.
    pub(crate) text: &'static str,
    /// In which runs each of the differences occurs.
    pub(crate) runs: &'static [Run],
    pub(crate) differences: &'static [Difference],
}

/// One place in one conversation.
#[derive(Debug)]
pub(crate) struct Difference {
    pub(crate) conversation: &'static str,
    pub(crate) kind: Kind,
}

#[derive(Clone, Debug)]
pub(crate) enum Kind {
    /// The recorded node did this; ours does not.
    Missing { entries: &'static [usize] },
    /// Ours does each of these, behind some of these entries.
    Extra { after: RangeInclusive<usize>, words: &'static [&'static str] },
    /// Where the recorded node did what the entry says, ours does this, behind entry `after`.
    Instead { entry: usize, after: usize, words: &'static str },
}

/// What the recorded node did and ours does not.
pub(crate) const fn missing(conversation: &'static str, entries: &'static [usize]) -> Difference {
    let kind = Kind::Missing { entries };
    Difference { conversation, kind }
}

/// What ours does right behind this entry, and the recorded node did not.
pub(crate) const fn extra(
    conversation: &'static str,
    after: usize,
    words: &'static [&'static str],
) -> Difference {
    sometime(conversation, after..=after, words)
}

/// What ours does at moments that it draws, or at several.
pub(crate) const fn sometime(
    conversation: &'static str,
    after: RangeInclusive<usize>,
    words: &'static [&'static str],
) -> Difference {
    let kind = Kind::Extra { after, words };
    Difference { conversation, kind }
}

/// The same as the entry says, earlier or later, or something else in its place.
pub(crate) const fn instead(
    conversation: &'static str,
    entry: usize,
    after: usize,
    words: &'static str,
) -> Difference {
    let kind = Kind::Instead { entry, after, words };
    Difference { conversation, kind }
}

/// What was found when one conversation was played with our node in the place of each of its
/// recorded nodes.
pub(crate) struct Findings<'c> {
    pub(crate) conversation: &'c Conversation,
    pub(crate) run: Run,
    pub(crate) deviations: Deviations,
}

/// Everything that is wrong with the list, in words: what is not listed, and what is listed but
/// did not happen. Empty if all is well.
pub(crate) fn complaints<'r>(
    mut all: Vec<Findings<'_>>,
    reasons: impl Iterator<Item = &'r Reason>,
) -> String {
    let mut complaints = String::new();
    for reason in reasons {
        for difference in reason.differences {
            for &run in reason.runs {
                let findings = all.iter_mut().find(|findings| {
                    findings.run == run && findings.conversation.name == difference.conversation
                });
                let used =
                    findings.is_some_and(|findings| difference.kind.take(&mut findings.deviations));
                if !used {
                    let title = reason.title;
                    writeln!(
                        complaints,
                        "listed, but it does not happen ({run:?}): {difference:?} of \"{title}\""
                    )
                    .expect("a string takes all");
                }
            }
        }
    }
    for findings in &all {
        findings.complain(&mut complaints);
    }
    complaints
}

impl Kind {
    /// Strikes out the deviations that this names; false if they are not all there.
    fn take(&self, deviations: &mut Deviations) -> bool {
        match self {
            Self::Missing { entries } => {
                entries.iter().all(|entry| take_missing(deviations, *entry))
            }
            Self::Extra { after, words } => {
                words.iter().all(|words| take_extra(deviations, after, words))
            }
            Self::Instead { entry, after, words } => {
                take_missing(deviations, *entry)
                    && take_extra(deviations, &(*after..=*after), words)
            }
        }
    }
}

fn take_missing(deviations: &mut Deviations, entry: usize) -> bool {
    let found = deviations.missing.iter().position(|missing| *missing == entry);
    found.map(|found| deviations.missing.remove(found)).is_some()
}

fn take_extra(deviations: &mut Deviations, after: &RangeInclusive<usize>, words: &str) -> bool {
    let mut extra = deviations.extra.iter();
    let found = extra.position(|extra| after.contains(&extra.after) && extra.words == words);
    found.map(|found| deviations.extra.remove(found)).is_some()
}

impl Findings<'_> {
    fn complain(&self, complaints: &mut String) {
        let Deviations { missing, extra } = &self.deviations;
        let (name, run) = (&self.conversation.name, self.run);
        for &entry in missing {
            let expected = recorded(&self.conversation.entries[entry]);
            let expected = expected.expect("only what the node did is expected");
            writeln!(
                complaints,
                "{name} ({run:?}), entry {entry}: expected: {expected}; got nothing like it\n{}",
                self.context(entry)
            )
            .expect("a string takes all");
        }
        for Extra { moment, after, words } in extra {
            writeln!(
                complaints,
                "{name} ({run:?}), after entry {after}: expected nothing; got: {moment:?} {words}\n{}",
                self.context(*after)
            )
            .expect("a string takes all");
        }
    }

    /// The last few entries, up to this one.
    fn context(&self, entry: usize) -> String {
        let first = entry.saturating_sub(4);
        let entries = self.conversation.entries.iter().enumerate();
        let lines = entries.skip(first).take(entry + 1 - first).map(|(index, entry)| {
            format!("    {index:>3} {:?} {}", entry.moment(), in_words(entry))
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

fn in_words(entry: &Entry) -> String {
    match entry {
        Entry::Call { at, call, .. } => format!("{} is asked: {call}", words::address(*at)),
        Entry::Event(event) if words::event(event).is_none() => {
            format!("{} is {}", words::address(event.at), event.name)
        }
        Entry::Datagram(_) | Entry::Event(_) => recorded(entry).expect("it has words"),
    }
}
