//! What is done to machines and to the network, and how it ends.

use std::net::SocketAddr;
use std::time::Duration;

use alan_proto::Incarnation;
use alan_proto::envelope::{AnyEnvelope, Key as Secret};
use alan_proto::wire::{Control, Message, SessionBlock};
use rand_core::Rng;

use super::flights::{Origin, Recorded};
use super::user::TaskKind;
use super::{World, sealed};
use crate::check::Fact;
use crate::host::State;
use crate::place::{PORT, Place, dead, stranger};
use crate::plan::{Cut, Event, FirstToRun, Forgery, Knows, Name, Return, Weather};
use crate::queue::Due;
use crate::trace::{Meaning, Occurrence};

impl World<'_> {
    /// An entry of the schedule is due: a fault happens at once; what a user does is his to do.
    pub(super) fn on_entry(&mut self, number: u32) {
        let event = &self.plan.schedule[number as usize].event;
        if let Some(node) = event.user() {
            return self.task_at(self.now, node, TaskKind::Entry(number));
        }
        if self.calm {
            return;
        }
        match event.clone() {
            Event::Crash { node, back } => self.crash(node, back),
            Event::Pause { node, lasts, first } => self.pause(node, lasts, first),
            Event::Cut { cut, lasts } => self.cut(number, cut, lasts),
            Event::Weather { weather, lasts } => self.change_weather(weather, lasts),
            Event::Discovery { node, knows } => self.hosts[node.index()].knows = knows,
            Event::Strangers { to, first, count } => self.send_strangers(to, first, count),
            Event::Forge { to, what, count } => self.forge(to, what, count),
            Event::Replay { to, count } => self.replay(to, count),
            _ => unreachable!("what users do was dealt with"),
        }
    }

    fn crash(&mut self, node: Place, back: Option<Return>) {
        if self.hosts[node.index()].node.is_some() {
            self.hosts[node.index()].back = back;
            self.end(node, true);
        }
    }

    /// The process is gone; the machine may start another.
    pub(super) fn end(&mut self, node: Place, crashed: bool) {
        self.empty_socket(node);
        let host = &mut self.hosts[node.index()];
        host.end();
        let deferred = std::mem::take(&mut host.deferred);
        if let Some(back) = host.back.take() {
            host.moves += u8::from(!back.same_address);
            self.queue.push(self.now + back.after, Due::Start(node));
        }
        for task in deferred {
            self.tasks[task as usize] = None;
            self.free_tasks.push(task);
        }
        self.note(Occurrence::Ended { node, crashed });
        self.observe(&Fact::Ended { node });
    }

    fn pause(&mut self, node: Place, lasts: Duration, first: FirstToRun) {
        let host = &mut self.hosts[node.index()];
        if host.runs() {
            host.state = State::Paused(first);
            let life = host.lives;
            self.queue.push(self.now + lasts, Due::Resume(node, life));
            self.note(Occurrence::Paused { node });
            self.observe(&Fact::Paused { node });
        }
    }

    /// A paused node goes on: its user or its driver first.
    pub(super) fn resume(&mut self, node: Place) {
        let host = &mut self.hosts[node.index()];
        let State::Paused(first) = host.state else { return };
        host.state = State::Running;
        let deferred = std::mem::take(&mut host.deferred);
        self.note(Occurrence::Resumed { node, first });
        let held = self.hosts[node.index()].held();
        if first == FirstToRun::Driver {
            self.drive(node);
        }
        self.ask_guards(node, &held);
        self.observe(&Fact::Resumed { node });
        for task in deferred {
            self.on_task(task);
        }
        self.drive(node);
    }

    fn cut(&mut self, number: u32, cut: Cut, lasts: Duration) {
        self.network.cut(number, cut.clone());
        self.queue.push(self.now + lasts, Due::Heal(number));
        self.note(Occurrence::Cut { number, cut });
    }

    pub(super) fn heal(&mut self, number: u32) {
        if self.network.heal(number) {
            self.note(Occurrence::Healed { number });
        }
    }

    fn change_weather(&mut self, weather: Weather, lasts: Duration) {
        self.weather_changes += 1;
        self.network.set_weather(weather);
        self.queue.push(self.now + lasts, Due::Weather(self.weather_changes));
        self.note(Occurrence::WeatherChanged);
    }

    /// The plan's weather is back, unless it has changed again meanwhile.
    pub(super) fn restore_weather(&mut self, number: u32) {
        if self.weather_changes == number && !self.calm {
            self.network.set_weather(self.plan.weather);
            self.note(Occurrence::WeatherChanged);
        }
    }

    /// No more faults: cuts heal, who is paused goes on, and nothing is lost from now on.
    pub(super) fn begin_calm(&mut self) {
        self.calm = true;
        self.note(Occurrence::Calm);
        for number in self.network.cuts() {
            self.heal(number);
        }
        let weather = self.network.weather().without_faults();
        self.network.set_weather(weather);
        for place in self.plan.places() {
            self.resume(place);
        }
    }

    /// Discovery answers a node.
    pub(super) fn refresh(&mut self, node: Place, life: u16) {
        let host = &self.hosts[node.index()];
        if host.lives != life || host.node.is_none() {
            return;
        }
        self.queue.push(self.now + self.plan.cluster.refresh, Due::Refresh(node, life));
        if !host.runs() {
            return;
        }
        let names: Vec<SocketAddr> = match &host.knows {
            Knows::Everyone => {
                let running = self.hosts.iter().filter(|host| host.node.is_some());
                running.map(crate::host::Host::address).collect()
            }
            Knows::These(names) => names.iter().map(|name| self.named(*name)).collect(),
        };
        let host = &mut self.hosts[node.index()];
        let now = host.clock.local(self.now);
        if let Some(running) = &mut host.node {
            running.handle_discovery(now, &names);
        }
        self.note(Occurrence::Discovered { node, named: names.len() });
        self.drain(node);
    }

    fn named(&self, name: Name) -> SocketAddr {
        match name {
            Name::Node(place) => self.hosts[place.index()].address(),
            Name::First(place) => crate::place::address_of(place, 0),
            Name::Dead(number) => dead(number),
        }
    }

    fn send_strangers(&mut self, to: Place, first: u16, count: u16) {
        let to = self.hosts[to.index()].address();
        for number in (0..count).map(|more| first.wrapping_add(more)) {
            let (bytes, meaning) = self.foreign_join(self.secret.clone().as_ref());
            let from = stranger(number);
            self.inject(self.now, Origin::Stranger, Recorded { from, to, bytes, meaning });
        }
    }

    /// A JOIN of a life that nobody knows.
    fn foreign_join(&mut self, key: Option<&Secret>) -> (Vec<u8>, Meaning) {
        let incarnation = Incarnation::new(self.attacker.next_u64() | 1).expect("odd");
        let block = Some(SessionBlock::new(incarnation));
        let message = Message::Join(Control { port: PORT, block });
        let mut envelope = AnyEnvelope::new(key);
        let datagram = sealed(&mut envelope, &mut self.attacker, &message);
        (datagram, Meaning::Join(Some(incarnation)))
    }

    fn forge(&mut self, to: Place, what: Forgery, count: u16) {
        let to = self.hosts[to.index()].address();
        for number in 0..count {
            let (bytes, meaning) = match what {
                Forgery::Noise => {
                    let len = 1 + usize::from(self.attacker.next_u32().to_be_bytes()[0]);
                    let mut bytes = vec![0; len];
                    self.attacker.fill_bytes(&mut bytes);
                    let meaning = Meaning::of(&bytes);
                    (bytes, meaning)
                }
                Forgery::OtherKey => {
                    let other = Secret::from_bytes(&[0xa5; Secret::LEN]).expect("32 bytes");
                    self.foreign_join(Some(&other))
                }
                Forgery::ClearText => self.foreign_join(None),
            };
            let nodes = self.hosts.len();
            // Half of them claim to come from a node.
            let from = match usize::from(number) {
                odd if odd % 2 == 1 => self.hosts[odd % nodes].address(),
                _ => stranger(number),
            };
            self.inject(self.now, Origin::Untrusted, Recorded { from, to, bytes, meaning });
        }
    }

    /// The latest datagrams to a node are sent to it again.
    fn replay(&mut self, to: Place, count: u16) {
        let to = self.hosts[to.index()].address();
        let Some(recorded) = &self.recorded else { return };
        let to_it = recorded.iter().rev().filter(|recorded| recorded.to == to);
        let again: Vec<Recorded> = to_it
            .take(count.into())
            .map(|recorded| Recorded { bytes: recorded.bytes.clone(), ..*recorded })
            .collect();
        for recorded in again.into_iter().rev() {
            self.inject(self.now, Origin::Stranger, recorded);
        }
    }
}
