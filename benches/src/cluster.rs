//! Nodes on loopback that have found each other.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

use alan_driver::{Message, Node, Runtime};
use alan_proto::envelope::Key;

use crate::Failure;
use crate::background::Background;
use crate::bare::Credits;
use crate::ground::{Ground, PATIENCE};

/// Where a row's nodes are: one port, and an address of loopback for each.
#[derive(Clone, Copy)]
pub(crate) struct Places {
    port: u16,
    nodes: u8,
}

impl Places {
    /// Room for so many nodes, at a port that nobody uses.
    pub(crate) fn new(nodes: u8) -> io::Result<Self> {
        let port = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        Ok(Self { port, nodes })
    }

    /// The address of a node, from 1.
    pub(crate) fn node(self, number: u8) -> SocketAddr {
        (ip(number), self.port).into()
    }

    /// Starts a node under a runtime, with default settings throughout.
    fn start<R: Runtime>(self, number: u8, sealed: bool, runtime: R) -> Result<Node<R>, Failure> {
        let mut builder =
            Node::builder().bind(ip(number)).port(self.port).peers((1..=self.nodes).map(ip));
        if sealed {
            builder = builder.key(Key::from_bytes(&[7; Key::LEN])?);
        }
        Ok(builder.start_on(runtime)?)
    }

    /// Starts a node on a thread of its own that answers each request with what it said.
    pub(crate) fn spawn_echo<G: Ground>(self, number: u8, sealed: bool) -> Background {
        Background::spawn::<G, _>(move |runtime| async move {
            let node = self.start(number, sealed, runtime)?;
            let mut incoming = node.incoming()?;
            let mut echo = Vec::new();
            while let Some(message) = incoming.recv().await {
                if let Message::Request(request) = message {
                    echo.clear();
                    echo.extend_from_slice(request.payload());
                    request.reply(&echo)?;
                }
            }
            Ok(())
        })
    }

    /// Starts a node on a thread of its own that takes messages and gives credits for them.
    pub(crate) fn spawn_counter<G: Ground>(
        self,
        number: u8,
        sealed: bool,
        payload: usize,
        credits: Credits,
    ) -> Background {
        Background::spawn::<G, _>(move |runtime| async move {
            let node = self.start(number, sealed, runtime)?;
            let mut incoming = node.incoming()?;
            let mut pending = 0;
            while let Some(message) = incoming.recv().await {
                if message.payload().len() != payload {
                    return Err("a message of another length arrived".into());
                }
                credits.arrived(&mut pending);
            }
            Ok(())
        })
    }

    /// Starts a node here, and waits until it knows all others.
    pub(crate) fn join<G: Ground>(
        self,
        number: u8,
        sealed: bool,
        ground: &G,
    ) -> Result<Node<G::Runtime>, Failure> {
        let node = self.start(number, sealed, ground.runtime())?;
        let others = usize::from(self.nodes) - 1;
        ground.run(PATIENCE, async move {
            let mut events = node.events();
            while node.peer_count() < others {
                events.recv().await.ok_or("the node has left before it knew the others")?;
            }
            Ok(node)
        })
    }
}

fn ip(number: u8) -> IpAddr {
    Ipv4Addr::new(127, 0, 0, 10 + number).into()
}
