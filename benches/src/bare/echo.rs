//! A datagram there and back: with tokio's own socket, and with the one that reads in batches.

use std::net::SocketAddr;

use tokio::net::UdpSocket;

use super::Cover;
use super::socket::{BatchSocket, Buffers, bind};
use crate::Failure;
use crate::background::Background;

/// Room for the longest datagram of any row.
const BUFFER: usize = 4_096;

/// `send_to` and `recv_from` of tokio's UDP socket, on both sides.
pub(crate) struct Echo {
    socket: UdpSocket,
    server: SocketAddr,
    cover: Cover,
    _server: Background,
}

impl Echo {
    pub(crate) fn start(sealed: bool) -> Result<Self, Failure> {
        let (ours, theirs) = (bind()?, bind()?);
        Ok(Self {
            socket: UdpSocket::from_std(ours)?,
            server: theirs.local_addr()?,
            cover: Cover::new(sealed),
            _server: Background::spawn(async move || serve(theirs, Cover::new(sealed)).await),
        })
    }

    /// Sends `payload` and waits for it to come back, `count` times.
    pub(crate) async fn round_trips(&mut self, count: u32, payload: &[u8]) -> Result<(), Failure> {
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
    socket: BatchSocket,
    buffers: Buffers,
    server: SocketAddr,
    _server: Background,
}

impl BatchEcho {
    pub(crate) fn start() -> Result<Self, Failure> {
        let (ours, theirs) = (bind()?, bind()?);
        Ok(Self {
            socket: BatchSocket::new(ours)?,
            buffers: Buffers::new(),
            server: theirs.local_addr()?,
            _server: Background::spawn(async move || serve_batches(theirs).await),
        })
    }

    /// Sends `payload` and waits for it to come back, `count` times.
    pub(crate) async fn round_trips(&mut self, count: u32, payload: &[u8]) -> Result<(), Failure> {
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
