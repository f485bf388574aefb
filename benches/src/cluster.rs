//! Nodes on loopback that have found each other.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use alan_proto::envelope::Key;
use alan_tokio::{Message, Node};
use tokio::time::{sleep, timeout};

use crate::Failure;
use crate::background::Background;
use crate::bare::Credits;

/// How long nodes may take to find each other; they need a few milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);

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

    /// Starts a node in the runtime that this is called in, with default settings throughout.
    pub(crate) async fn start(self, number: u8, sealed: bool) -> Result<Node, Failure> {
        let mut builder =
            Node::builder().bind(ip(number)).port(self.port).peers((1..=self.nodes).map(ip));
        if sealed {
            builder = builder.key(Key::from_bytes(&[7; Key::LEN])?);
        }
        Ok(builder.start().await?)
    }

    /// Starts a node on a thread of its own that answers each request with what it said.
    pub(crate) fn spawn_echo(self, number: u8, sealed: bool) -> Background {
        Background::spawn(async move {
            let node = self.start(number, sealed).await?;
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
    pub(crate) fn spawn_counter(
        self,
        number: u8,
        sealed: bool,
        payload: usize,
        credits: Credits,
    ) -> Background {
        Background::spawn(async move {
            let node = self.start(number, sealed).await?;
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

    /// Waits until the node knows all others.
    pub(crate) async fn meet(self, node: &Node) -> Result<(), Failure> {
        let others = usize::from(self.nodes) - 1;
        let met = async {
            while node.peer_count() < others {
                sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(PATIENCE, met).await.map_err(|_elapsed| "the nodes do not find each other")?;
        Ok(())
    }
}

fn ip(number: u8) -> IpAddr {
    Ipv4Addr::new(127, 0, 0, 10 + number).into()
}
