//! A plan in words: what is left of it when it was shrunk fits on half a screen.

use std::fmt;
use std::time::Duration;

use crate::plan::{
    Claim, Disguise, Entry, Event, FirstToRun, Flood, Forgery, Knows, Locks, Name, NodePlan, Plan,
    Repeat, Return, Target, Weather, Word,
};

/// Shows a plan: one line each for the cluster, the network, what differs between the nodes, and
/// each entry of the schedule.
#[derive(Clone, Copy, Debug)]
pub struct InWords<'a, T>(pub &'a T);

impl fmt::Display for InWords<'_, Plan> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plan = self.0;
        let cluster = &plan.cluster;
        let plural = if plan.nodes.len() == 1 { "" } else { "s" };
        write!(f, "{} node{plural}, ", plan.nodes.len())?;
        match cluster.size {
            0 => f.write_str("no cluster size")?,
            size => write!(f, "cluster size {size}")?,
        }
        write!(f, ", {} locks", InWords(&cluster.locks))?;
        f.write_str(if cluster.sealed { ", sealed" } else { "" })?;
        f.write_str(if cluster.classic_peers { "" } else { ", no classic peers" })?;
        f.write_str(if plan.attacked { ", attacked" } else { "" })?;
        writeln!(
            f,
            "; heartbeats every {:?}, dead after {:?} of silence",
            cluster.heartbeat_interval, cluster.heartbeat_timeout
        )?;
        writeln!(f, "network: {}", InWords(&plan.weather))?;
        for (place, node) in plan.places().zip(&plan.nodes) {
            if *node != NodePlan::default() {
                writeln!(f, "{place}: {}", InWords(node))?;
            }
        }
        plan.schedule.iter().try_for_each(|entry| writeln!(f, "{}", InWords(entry)))?;
        match plan.bound {
            Some(bound) => {
                write!(
                    f,
                    "at {:?} the faults end; {bound:?} later nobody may still wait",
                    plan.calm
                )
            }
            None => write!(f, "the end is at {:?}", plan.calm),
        }
    }
}

impl fmt::Display for InWords<'_, Locks> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Locks::Classic => "classic",
            Locks::Repaired => "repaired",
            Locks::Partly(_) => "partly repaired",
        })
    }
}

impl fmt::Display for InWords<'_, Weather> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Weather { delay, lost, doubled, corrupted, in_order, bandwidth, queue } = self.0;
        write!(f, "{:?}", delay.least)?;
        if !delay.spread.is_zero() {
            write!(f, " to {:?}", delay.least + delay.spread)?;
        }
        f.write_str(" a datagram")?;
        if delay.late.0 > 0 {
            write!(f, ", {} ‰ up to {:?} more", delay.late.0, delay.tail)?;
        }
        for (share, what) in [(lost, "lost"), (doubled, "doubled"), (corrupted, "altered")] {
            if share.0 > 0 {
                write!(f, ", {} ‰ {what}", share.0)?;
            }
        }
        if let Some(bandwidth) = bandwidth {
            write!(f, ", {bandwidth} bytes a second, queues of {queue:?}")?;
        }
        f.write_str(if *in_order { ", in order" } else { "" })
    }
}

impl fmt::Display for InWords<'_, NodePlan> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let NodePlan { start, knows, clock_rate, lag, socket, answers_after, .. } = self.0;
        let NodePlan { wall_offset, classic, two_addresses, .. } = self.0;
        let usual = NodePlan::default();
        write!(f, "starts at {start:?}")?;
        if *knows != usual.knows {
            write!(f, ", discovers {}", InWords(knows))?;
        }
        if *clock_rate != 0 {
            write!(f, ", clock {clock_rate:+} ppm")?;
        }
        if *wall_offset != 0 {
            write!(f, ", wall clock {wall_offset:+} µs")?;
        }
        if *classic {
            f.write_str(", classic")?;
        }
        f.write_str(if *two_addresses { ", two addresses" } else { "" })?;
        if *lag != usual.lag {
            write!(f, ", driver up to {lag:?} late")?;
        }
        if *socket != usual.socket {
            write!(f, ", a socket of {socket} datagrams")?;
        }
        if *answers_after != usual.answers_after {
            write!(f, ", answers after {answers_after:?}")?;
        }
        Ok(())
    }
}

impl fmt::Display for InWords<'_, Knows> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Knows::These(names) = self.0 else { return f.write_str("everyone") };
        if names.is_empty() {
            return f.write_str("nobody");
        }
        let dead = names.iter().filter(|name| matches!(name, Name::Dead(_))).count();
        let mut words: Vec<String> = names
            .iter()
            .filter_map(|name| match name {
                Name::Node(place) => Some(place.to_string()),
                Name::First(place) => Some(format!("{place}'s first address")),
                Name::Dead(_) => None,
            })
            .collect();
        if dead > 0 {
            words.push(format!("{dead} dead addresses"));
        }
        f.write_str(&words.join(", "))
    }
}

impl fmt::Display for InWords<'_, Entry> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0.at.as_micros();
        let (seconds, rest) = (micros / 1_000_000, micros % 1_000_000);
        write!(f, "{seconds:>5}.{rest:06}s  {}", InWords(&self.0.event))
    }
}

impl fmt::Display for InWords<'_, Event> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Event::Lock { node, key, hold, patience } => {
                write!(
                    f,
                    "{node} asks for lock {key}, to hold it for {hold:?}{}",
                    Within(*patience)
                )
            }
            Event::TryLock { node, key, hold } => {
                write!(f, "{node} tries lock {key}, to hold it for {hold:?}")
            }
            Event::Cancel { node, key } => write!(f, "{node} gives up waiting for lock {key}"),
            Event::Unlock { node, key } => write!(f, "{node} unlocks {key}"),
            Event::Send { node, to } => write!(f, "{node} sends {to} a message"),
            Event::Broadcast { node } => write!(f, "{node} sends all a message"),
            Event::Request { node, to, patience } => {
                write!(f, "{node} asks {to}{}", Within(*patience))
            }
            Event::RequestAll { node, patience } => {
                write!(f, "{node} asks all{}", Within(*patience))
            }
            Event::CancelRequest { node } => write!(f, "{node} gives up its oldest request"),
            Event::Leave { node, back } => write!(f, "{node} leaves{}", Back(*back)),
            Event::Crash { node, back } => write!(f, "{node} dies{}", Back(*back)),
            Event::Pause { node, lasts, first } => {
                let first = match first {
                    FirstToRun::Application => "application",
                    FirstToRun::Driver => "driver",
                };
                write!(f, "{node} stops for {lasts:?}; then its {first} runs first")
            }
            Event::Cut { cut, lasts } => write!(f, "cut for {lasts:?}: {cut}"),
            Event::Weather { weather, lasts } => {
                write!(f, "network for {lasts:?}: {}", InWords(weather))
            }
            Event::Discovery { node, knows } => {
                write!(f, "discovery names {} to {node}", InWords(knows))
            }
            Event::Strangers { to, count, with_life, .. } => {
                write!(f, "{count} strangers ask {to} to join, {}", life(*with_life))
            }
            Event::Forge { to, what, count } => {
                let what = match what {
                    Forgery::Noise => "noise",
                    Forgery::OtherKey => "messages under another key",
                    Forgery::ClearText => "messages in clear text",
                };
                write!(f, "somebody sends {to} {count} times {what}")
            }
            Event::Replay { to, count } => {
                write!(f, "somebody sends {to} again the latest {count} datagrams")
            }
            Event::Repeat { repeat, lasts } => {
                write!(f, "for {lasts:?} somebody sends {}", InWords(repeat))
            }
            Event::Claim { to, claim, count } => {
                write!(f, "somebody sends {to} {count} times {}", InWords(claim))
            }
            Event::Flood { to, what, per_second, lasts } => {
                let what = match what {
                    Flood::Joins => "JOINs",
                    Flood::ClassicJoins => "classic JOINs",
                    Flood::Noise => "datagrams of noise",
                };
                write!(f, "for {lasts:?} strangers send {to} {per_second} {what} a second")
            }
            Event::StepWallClock { node, micros } => {
                write!(f, "the wall clock of {node} steps by {micros:+} µs")
            }
        }
    }
}

impl fmt::Display for InWords<'_, Repeat> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Repeat { from, to, after, within } = self.0;
        let to = match to {
            Target::Receiver => "to its receiver",
            Target::Sender => "to its sender",
            Target::AnyNode => "to any node",
        };
        let from = match from {
            Disguise::Sender => "its sender",
            Disguise::Receiver => "its receiver",
            Disguise::AnyNode => "any node",
            Disguise::Stranger => "a stranger",
        };
        write!(f, "each datagram again {to}, as if from {from}, ")?;
        if !after.is_zero() {
            write!(f, "{after:?} to ")?;
        }
        write!(f, "{:?} later", *after + *within)
    }
}

impl fmt::Display for InWords<'_, Claim> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Claim { whose, says, with_life } = self.0;
        let says = match says {
            Word::Join => "JOIN",
            Word::Heartbeat => "HEARTBEAT",
            Word::Leave => "LEAVE",
        };
        write!(f, "{says} {} in the name of {whose}", life(*with_life))
    }
}

const fn life(named: bool) -> &'static str {
    if named { "of a life that never was" } else { "without a life" }
}

struct Within(Option<Duration>);

impl fmt::Display for Within {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |patience| write!(f, ", and waits for at most {patience:?}"))
    }
}

struct Back(Option<Return>);

impl fmt::Display for Back {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(Return { after, same_address }) = self.0 else { return Ok(()) };
        let address = if same_address { "the same" } else { "a new" };
        write!(f, ", and starts again {after:?} later at {address} address")
    }
}
