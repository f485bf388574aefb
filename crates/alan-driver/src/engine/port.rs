//! The socket for as long as anybody uses it, and the word that its port is free.

use std::ops::Deref;

use crate::signal::Signal;
use crate::socket::Socket;
use crate::wakes::Wakes;

/// The socket, shared by the loop and by everybody who is sending at the moment. Whoever lets go of
/// it last closes it: a send under way may outlive the loop by a system call.
#[derive(Debug)]
pub(crate) struct Port {
    socket: Socket,
    /// Dropped after the socket.
    _free: TellFree,
}

#[derive(Debug)]
struct TellFree(Signal<()>);

impl Port {
    /// Sets `free` when the socket has been closed.
    pub(super) fn new(socket: Socket, free: Signal<()>) -> Self {
        Self { socket, _free: TellFree(free) }
    }
}

impl Deref for Port {
    type Target = Socket;

    fn deref(&self) -> &Socket {
        &self.socket
    }
}

impl Drop for TellFree {
    fn drop(&mut self) {
        let mut wakes = Wakes::default();
        self.0.set((), &mut wakes);
        wakes.wake();
    }
}
