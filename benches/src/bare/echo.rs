//! A datagram there and back: with tokio's own socket, and with the one that reads in batches.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::UdpSocket;
use tokio::sync::Mutex;

use super::Cover;
use super::socket::{BatchSocket, Buffers, bind};
use crate::background::Background;
use crate::{Failure, measure};

/// Room for the longest datagram of any row.
const BUFFER: usize = 4_096;

/// `send_to` and `recv_from` of tokio's UDP socket, on both sides.
pub(crate) struct Echo {
    client: Arc<Mutex<Client>>,
    _server: Background,
}

struct Client {
    socket: UdpSocket,
    server: SocketAddr,
    cover: Cover,
}

impl Echo {
    pub(crate) fn start(sealed: bool) -> Result<Self, Failure> {
        let (ours, theirs) = (bind()?, bind()?);
        let client = Client {
            socket: UdpSocket::from_std(ours)?,
            server: theirs.local_addr()?,
            cover: Cover::new(sealed),
        };
        Ok(Self {
            client: Arc::new(Mutex::new(client)),
            _server: Background::spawn(serve(theirs, Cover::new(sealed))),
        })
    }

    /// Sends `payload` and waits for it to come back, `count` times.
    pub(crate) async fn round_trips(
        &self,
        count: u32,
        payload: &'static [u8],
    ) -> Result<(), Failure> {
        let client = Arc::clone(&self.client);
        measure::as_task(async move { client.lock().await.round_trips(count, payload).await }).await
    }
}

impl Client {
    async fn round_trips(&mut self, count: u32, payload: &[u8]) -> Result<(), Failure> {
        let (mut outgoing, mut incoming) = ([0; BUFFER], [0; BUFFER]);
        for _ in 0..count {
            let len = self.cover.wrap(payload, &mut outgoing)?;
            self.socket.send_to(&outgoing[..len], self.server).await?;
            let (len, _server) = self.socket.recv_from(&mut incoming).await?;
            check(self.cover.unwrap(&mut incoming[..len])?, payload)?;
        }
        Ok(())
    }
}

async fn serve(socket: std::net::UdpSocket, mut cover: Cover) -> Result<(), Failure> {
    let socket = UdpSocket::from_std(socket)?;
    let (mut outgoing, mut incoming) = ([0; BUFFER], [0; BUFFER]);
    loop {
        let (len, from) = socket.recv_from(&mut incoming).await?;
        let payload = cover.unwrap(&mut incoming[..len])?;
        let len = cover.wrap(payload, &mut outgoing)?;
        socket.send_to(&outgoing[..len], from).await?;
    }
}

/// The same with the system calls that alan makes: batches in, one by one out.
pub(crate) struct BatchEcho {
    client: Arc<Mutex<BatchClient>>,
    _server: Background,
}

struct BatchClient {
    socket: BatchSocket,
    buffers: Buffers,
    server: SocketAddr,
}

impl BatchEcho {
    pub(crate) fn start() -> Result<Self, Failure> {
        let (ours, theirs) = (bind()?, bind()?);
        let client = BatchClient {
            socket: BatchSocket::new(ours)?,
            buffers: Buffers::new(),
            server: theirs.local_addr()?,
        };
        Ok(Self {
            client: Arc::new(Mutex::new(client)),
            _server: Background::spawn(serve_batches(theirs)),
        })
    }

    /// Sends `payload` and waits for it to come back, `count` times.
    pub(crate) async fn round_trips(
        &self,
        count: u32,
        payload: &'static [u8],
    ) -> Result<(), Failure> {
        let client = Arc::clone(&self.client);
        measure::as_task(async move { client.lock().await.round_trips(count, payload).await }).await
    }
}

impl BatchClient {
    async fn round_trips(&mut self, count: u32, payload: &[u8]) -> Result<(), Failure> {
        for _ in 0..count {
            self.socket.send(self.server, payload)?;
            self.socket.receive(&mut self.buffers).await?;
            let (_server, echo) = self.buffers.datagrams().next().ok_or("an empty batch")?;
            check(echo, payload)?;
        }
        Ok(())
    }
}

async fn serve_batches(socket: std::net::UdpSocket) -> Result<(), Failure> {
    let socket = BatchSocket::new(socket)?;
    let mut buffers = Buffers::new();
    loop {
        socket.receive(&mut buffers).await?;
        for (from, datagram) in buffers.datagrams() {
            socket.send(from, datagram)?;
        }
    }
}

fn check(echo: &[u8], payload: &[u8]) -> Result<(), Failure> {
    if echo == payload { Ok(()) } else { Err("the echo is not what was sent".into()) }
}
