//! Sockets that are set up as alan's are, and batches that are read as alan reads them.

use std::array;
use std::io::{self, IoSliceMut};
use std::net::{Ipv4Addr, SocketAddr};

use quinn_udp::{BATCH_SIZE, RecvMeta, Transmit, UdpSockRef, UdpSocketState};
use socket2::{Domain, Protocol, Socket, Type};

use crate::ground::Batches;

/// What alan asks the kernel to hold in each direction, in bytes.
const KERNEL_BUFFER: usize = 4 * 1024 * 1024;

/// With segment coalescing a slot may be filled up to the longest IP packet.
const SLOT: usize = 64 * 1024;

/// A non-blocking socket on loopback, at a port of the system's choice.
pub(super) fn bind() -> io::Result<std::net::UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    // Wishes, as in alan.
    let _ = socket.set_recv_buffer_size(KERNEL_BUFFER);
    let _ = socket.set_send_buffer_size(KERNEL_BUFFER);
    socket.set_nonblocking(true)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
    Ok(socket.into())
}

/// A socket that receives in batches and sends one by one.
pub(super) struct BatchSocket<B> {
    io: B,
    state: UdpSocketState,
}

impl<B: Batches> BatchSocket<B> {
    /// Registers the socket with the runtime that this is called in.
    pub(super) fn new(socket: std::net::UdpSocket) -> io::Result<Self> {
        let io = B::register(socket)?;
        let state = UdpSocketState::new(io.socket())?;
        Ok(Self { io, state })
    }

    pub(super) fn send(&self, destination: SocketAddr, contents: &[u8]) -> io::Result<()> {
        let transmit =
            Transmit { destination, ecn: None, contents, segment_size: None, src_ip: None };
        self.state.try_send(self.io.socket(), &transmit)
    }

    /// Waits for datagrams, and takes as many as fit.
    pub(super) async fn receive(&mut self, buffers: &mut Buffers) -> io::Result<()> {
        let Buffers { bytes, meta, filled } = buffers;
        let state = &self.state;
        let receive = |socket: UdpSockRef<'_>| {
            let mut slots = bytes.chunks_exact_mut(SLOT);
            let mut slots: [IoSliceMut<'_>; BATCH_SIZE] = array::from_fn(|_| {
                IoSliceMut::new(slots.next().expect("there are BATCH_SIZE slots"))
            });
            state.recv(socket, &mut slots, meta)
        };
        *filled = self.io.receive(receive).await?;
        Ok(())
    }
}

/// Memory for one batch.
pub(super) struct Buffers {
    bytes: Vec<u8>,
    meta: [RecvMeta; BATCH_SIZE],
    filled: usize,
}

impl Buffers {
    pub(super) fn new() -> Self {
        Self {
            bytes: vec![0; BATCH_SIZE * SLOT],
            meta: [RecvMeta::default(); BATCH_SIZE],
            filled: 0,
        }
    }

    /// The datagrams of the latest batch, each with its sender.
    pub(super) fn datagrams(&mut self) -> impl Iterator<Item = (SocketAddr, &mut [u8])> {
        self.meta[..self.filled].iter().zip(self.bytes.chunks_exact_mut(SLOT)).flat_map(
            |(meta, slot)| {
                slot[..meta.len].chunks_mut(meta.stride.max(1)).map(|bytes| (meta.addr, bytes))
            },
        )
    }
}
