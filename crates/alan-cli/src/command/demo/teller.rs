//! Tells the story: a timeline for people, or one JSON object per step.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::time::Instant;

use serde_json::json;

use super::cast::{Cast, name};
use super::{HEARTBEAT, SILENCE};

/// A step that was not seen to happen.
#[derive(Debug)]
pub(crate) struct NotSeen {
    step: &'static str,
    why: String,
}

/// Prints as the demo goes on.
pub(crate) struct Teller {
    json: bool,
    colour: bool,
    started: Instant,
    step: Option<(&'static str, Instant)>,
    steps: usize,
    /// The first error of writing; told at the end.
    broken: Option<io::Error>,
}

impl Teller {
    pub(crate) fn new(json: bool) -> Self {
        let colour = !json
            && io::stdout().is_terminal()
            && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let started = Instant::now();
        Self { json, colour, started, step: None, steps: 0, broken: None }
    }

    pub(crate) fn introduce(&mut self, cast: &Cast) {
        if self.json {
            return;
        }
        self.line(format_args!(
            "alan demo: three nodes in this process, on real UDP sockets, sealed with a key made \
             just now."
        ));
        for (index, addr) in cast.addresses().iter().enumerate() {
            self.line(format_args!("  {} is {addr}", name(index + 1)));
        }
        self.line(format_args!(
            "Heartbeats every {HEARTBEAT:?}, death after {SILENCE:?} of silence: short, so that you \
             need not wait.\n(The defaults are 5s and 15s.)"
        ));
    }

    pub(crate) fn begin(&mut self, step: &'static str, title: &str) {
        self.step = Some((step, Instant::now()));
        self.steps += 1;
        if !self.json {
            let number = self.steps;
            let title = self.painted("1", format_args!("{number}. {title}"));
            self.line(format_args!("\n{title}"));
        }
    }

    /// One thing that was seen.
    pub(crate) fn say(&mut self, what: impl Display) {
        if !self.json {
            let at = self.started.elapsed().as_secs_f64();
            self.line(format_args!("  {at:7.3} s  {what}"));
        }
    }

    /// The present step was seen to happen, or was not.
    pub(crate) fn end(&mut self, outcome: Result<(), String>) -> Result<(), NotSeen> {
        let (step, since) = self.step.take().expect("a step that ends has begun");
        let ms = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
        if self.json {
            let object = match &outcome {
                Ok(()) => json!({ "step": step, "ok": true, "ms": ms }),
                Err(why) => json!({ "step": step, "ok": false, "ms": ms, "error": why }),
            };
            self.line(format_args!("{object}"));
        }
        outcome.map_err(|why| NotSeen { step, why })
    }

    /// The last words. Gives whether everything was seen to happen.
    pub(crate) fn conclude(
        mut self,
        outcome: Result<(), NotSeen>,
    ) -> Result<bool, Box<dyn std::error::Error>> {
        let seen = outcome.is_ok();
        let (steps, seconds) = (self.steps, self.started.elapsed().as_secs_f64());
        match outcome {
            Ok(()) if self.json => {}
            Ok(()) => {
                let verdict =
                    self.painted("32", format_args!("All {steps} steps were seen to happen"));
                self.line(format_args!("\n{verdict}, in {seconds:.1} s."));
            }
            Err(NotSeen { step, why }) => {
                if !self.json {
                    let verdict = self.painted("31", format_args!("Step \"{step}\" failed"));
                    self.line(format_args!("\n{verdict}: {why}."));
                }
                eprintln!("alan: the demo's step \"{step}\" failed: {why}");
            }
        }
        match self.broken {
            None => Ok(seen),
            // Whoever has stopped listening does not want to hear about it.
            Some(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(seen),
            Some(error) => Err(error.into()),
        }
    }

    fn painted(&self, code: &str, text: impl Display) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_string() }
    }

    fn line(&mut self, line: impl Display) {
        let mut out = io::stdout().lock();
        if let Err(error) = writeln!(out, "{line}").and_then(|()| out.flush()) {
            self.broken.get_or_insert(error);
        }
    }
}
