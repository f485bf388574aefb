//! The three nodes of the demo, and what each has seen.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

use alan_proto::envelope::Key;
use alan_tokio::{Event, Events, Message, Node};
use thiserror::Error;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use zeroize::Zeroizing;

use super::{HEARTBEAT, PATIENCE, SILENCE};
use crate::args::Sabotage;

/// How many nodes play.
pub(crate) const NODES: usize = 3;

/// What they are called.
const NAMES: [&str; NODES] = ["Ada", "Bo", "Cleo"];

#[derive(Debug, Error)]
pub(crate) enum CastError {
    #[error("the system gave no random bytes")]
    NoRandomness(#[source] getrandom::Error),
    #[error("no UDP port is free on 127.0.0.1, 127.0.0.2 and 127.0.0.3 at once")]
    NoPort(#[source] io::Error),
}

/// How many messages wait for the story at most; it never has more than one under way.
const MESSAGES: usize = 16;

/// A running node.
pub(crate) struct Actor {
    pub(crate) node: Node,
    events: Events,
    heard: Receiver<String>,
}

impl Actor {
    /// Waits for an event of this node.
    pub(crate) async fn sees(
        &mut self,
        what: &str,
        mut is_it: impl FnMut(&Event) -> bool,
    ) -> Result<(), String> {
        let seen = async {
            while let Some(event) = self.events.recv().await {
                if is_it(&event) {
                    return true;
                }
            }
            false
        };
        match tokio::time::timeout(PATIENCE, seen).await {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => Err(format!("{what} was not seen")),
        }
    }

    /// Waits for a message to this node.
    pub(crate) async fn hears(&mut self) -> Result<String, String> {
        match tokio::time::timeout(PATIENCE, self.heard.recv()).await {
            Ok(Some(heard)) => Ok(heard),
            Ok(None) | Err(_) => Err("the message was not received".to_owned()),
        }
    }
}

/// All three, some of them dead at times.
pub(crate) struct Cast {
    addresses: [SocketAddr; NODES],
    key: Key,
    sabotage: Option<Sabotage>,
    actors: [Option<Actor>; NODES],
}

impl Cast {
    pub(crate) fn new(port: Option<u16>, sabotage: Option<Sabotage>) -> Result<Self, CastError> {
        let port = match port {
            Some(port) => port,
            None => free_port().map_err(CastError::NoPort)?,
        };
        let addresses = hosts().map(|host| SocketAddr::new(host, port));
        Ok(Self { addresses, key: random_key()?, sabotage, actors: [None, None, None] })
    }

    pub(crate) const fn addresses(&self) -> &[SocketAddr; NODES] {
        &self.addresses
    }

    pub(crate) fn is_sabotaged(&self, what: Sabotage) -> bool {
        self.sabotage == Some(what)
    }

    /// The node with this number, from 1.
    pub(crate) fn actor(&mut self, number: usize) -> Result<&mut Actor, String> {
        let name = name(number);
        self.actors[number - 1].as_mut().ok_or_else(|| format!("{name} is not running"))
    }

    /// Who has this address, in words.
    pub(crate) fn name_of(&self, addr: SocketAddr) -> String {
        match self.addresses.iter().position(|known| *known == addr) {
            Some(index) => NAMES[index].to_owned(),
            None => addr.to_string(),
        }
    }

    /// Starts the node with this number.
    pub(crate) async fn start(&mut self, number: usize) -> Result<(), String> {
        let addr = self.addresses[number - 1];
        let key = if number == NODES && self.is_sabotaged(Sabotage::AnotherKey) {
            random_key().map_err(|error| error.to_string())?
        } else {
            self.key.clone()
        };
        let name = name(number);
        let node = Node::builder()
            .name(name)
            .peers(self.addresses)
            .bind(addr.ip())
            .port(addr.port())
            .key(key)
            .cluster_size(3)
            .heartbeat_interval(HEARTBEAT)
            .heartbeat_timeout(SILENCE)
            .start()
            .await
            .map_err(|error| format!("{name} did not start: {error}"))?;
        let events = node.events();
        let incoming = node.incoming().map_err(|error| error.to_string())?;
        let (tell, heard) = channel(MESSAGES);
        let silent_to_one = number == 2 && self.is_sabotaged(Sabotage::NoReply);
        let silent_to_all = number == NODES && self.is_sabotaged(Sabotage::OneReplyMissing);
        tokio::spawn(listen(name, incoming, tell, silent_to_one || silent_to_all));
        self.actors[number - 1] = Some(Actor { node, events, heard });
        Ok(())
    }

    /// Ends a node without a word, as a crash would.
    pub(crate) async fn kill(&mut self, number: usize) {
        if let Some(actor) = self.actors[number - 1].take() {
            actor.node.abort().await;
        }
    }

    /// A node says goodbye and ends.
    pub(crate) async fn say_goodbye(&mut self, number: usize) {
        if let Some(actor) = self.actors[number - 1].take() {
            actor.node.shutdown().await;
        }
    }

    /// Everybody who still runs says goodbye.
    pub(crate) async fn leave(&mut self) {
        for number in 1..=NODES {
            self.say_goodbye(number).await;
        }
    }
}

/// What the node with this number, from 1, is called.
pub(crate) const fn name(number: usize) -> &'static str {
    NAMES[number - 1]
}

/// What a node of the demo does with messages: notes them, and answers requests.
async fn listen(
    name: &'static str,
    mut incoming: alan_tokio::Incoming,
    heard: Sender<String>,
    silent: bool,
) {
    while let Some(message) = incoming.recv().await {
        let said = String::from_utf8_lossy(message.payload()).into_owned();
        match message {
            Message::Request(request) if !silent => {
                let answer = format!("{said} yourself, says {name}");
                if let Err(error) = request.reply(answer) {
                    eprintln!("alan: {name} could not reply: {error}");
                }
            }
            Message::Data { .. } => {
                // Nobody listens any more once the node was killed.
                let _ = heard.send(said).await;
            }
            _ => {}
        }
    }
}

fn hosts() -> [IpAddr; NODES] {
    [1, 2, 3].map(|last| Ipv4Addr::new(127, 0, 0, last).into())
}

/// A port that is free on all three addresses now.
fn free_port() -> io::Result<u16> {
    let mut last_error = io::ErrorKind::AddrInUse.into();
    for _ in 0..32 {
        let first = UdpSocket::bind((hosts()[0], 0))?;
        let port = first.local_addr()?.port();
        let others =
            hosts()[1..].iter().try_for_each(|host| UdpSocket::bind((*host, port)).map(drop));
        match others {
            Ok(()) => return Ok(port),
            Err(error) => last_error = error,
        }
    }
    Err(last_error)
}

fn random_key() -> Result<Key, CastError> {
    let mut bytes = Zeroizing::new([0; Key::LEN]);
    getrandom::fill(&mut *bytes).map_err(CastError::NoRandomness)?;
    Ok(Key::from_bytes(&*bytes).expect("the array has the length of a key"))
}
