//! What is done to machines and to the network, and how it ends.

use std::net::SocketAddr;
use std::time::Duration;

use super::World;
use super::user::TaskKind;
use crate::check::Fact;
use crate::host::State;
use crate::place::{Place, dead};
use crate::plan::{Cut, Event, FirstToRun, Knows, Name, Return, Weather};
use crate::queue::Due;
use crate::trace::Occurrence;

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
            Event::StepWallClock { node, micros } => self.step_wall_clock(node, micros),
            attack => self.attack(number, &attack),
        }
    }

    pub(super) fn crash(&mut self, node: Place, back: Option<Return>) {
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

    fn step_wall_clock(&mut self, node: Place, micros: i64) {
        let host = &mut self.hosts[node.index()];
        host.wall.step(micros);
        let shows = host.wall_at(self.now);
        self.note(Occurrence::WallClockStepped { node, micros, shows });
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
        self.repeaters.clear();
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
        let mut names: Vec<SocketAddr> = match &host.knows {
            Knows::Everyone => {
                let running = self.hosts.iter().filter(|host| host.node.is_some());
                running.flat_map(crate::host::Host::addresses).collect()
            }
            Knows::These(names) => names.iter().map(|name| self.named(*name)).collect(),
        };
        let host = &mut self.hosts[node.index()];
        if host.classic {
            // The Go library knows its own addresses from its interfaces.
            let own = host.address();
            names.retain(|name| *name != own);
        }
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
}
