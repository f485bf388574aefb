//! A datagram there and back: with the runtime's own socket, and with one that reads in batches.

use std::net::SocketAddr;

use super::socket::{BatchSocket, Buffers, bind};
use super::{Bare, Cover, End};
use crate::Failure;
use crate::background::Background;
use crate::ground::{Batches, Ground, Socket};

/// Room for the longest datagram of any row.
const BUFFER: usize = 4_096;

/// `send_to` and `recv_from` of the runtime's UDP socket, on both sides.
pub(crate) fn echo<G: Ground>(ground: &G, sealed: bool) -> Result<Bare<impl End>, Failure> {
    let (ours, theirs) = (bind()?, bind()?);
    let server = theirs.local_addr()?;
    let client = async move {
        Ok(Client { socket: G::Socket::register(ours)?, server, cover: Cover::new(sealed) })
    };
    let echo = Background::spawn::<G, _>(move |_| serve::<G::Socket>(theirs, Cover::new(sealed)));
    Bare::start(ground, client, echo)
}

struct Client<S> {
    socket: S,
    server: SocketAddr,
    cover: Cover,
}

impl<S: Socket> End for Client<S> {
    async fn send(&mut self, count: u32, payload: &[u8]) -> Result<(), Failure> {
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

async fn serve<S: Socket>(socket: std::net::UdpSocket, mut cover: Cover) -> Result<(), Failure> {
    let socket = S::register(socket)?;
    let (mut outgoing, mut incoming) = ([0; BUFFER], [0; BUFFER]);
    loop {
        let (len, from) = socket.recv_from(&mut incoming).await?;
        let payload = cover.unwrap(&mut incoming[..len])?;
        let len = cover.wrap(payload, &mut outgoing)?;
        socket.send_to(&outgoing[..len], from).await?;
    }
}

/// The same with the system calls that alan makes: batches in, one by one out.
pub(crate) fn batch_echo<G: Ground>(ground: &G) -> Result<Bare<impl End>, Failure> {
    let (ours, theirs) = (bind()?, bind()?);
    let server = theirs.local_addr()?;
    let client = async move {
        let socket = BatchSocket::<G::Batches>::new(ours)?;
        Ok(BatchClient { socket, buffers: Buffers::new(), server })
    };
    let echo = Background::spawn::<G, _>(move |_| serve_batches::<G::Batches>(theirs));
    Bare::start(ground, client, echo)
}

struct BatchClient<B> {
    socket: BatchSocket<B>,
    buffers: Buffers,
    server: SocketAddr,
}

impl<B: Batches> End for BatchClient<B> {
    async fn send(&mut self, count: u32, payload: &[u8]) -> Result<(), Failure> {
        for _ in 0..count {
            self.socket.send(self.server, payload)?;
            self.socket.receive(&mut self.buffers).await?;
            let (_server, echo) = self.buffers.datagrams().next().ok_or("an empty batch")?;
            check(echo, payload)?;
        }
        Ok(())
    }
}

async fn serve_batches<B: Batches>(socket: std::net::UdpSocket) -> Result<(), Failure> {
    let mut socket = BatchSocket::<B>::new(socket)?;
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
