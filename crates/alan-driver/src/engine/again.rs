//! What is sent more than once: requests until they are answered, and answers that got lost.

use std::net::SocketAddr;

use alan_proto::{RequestId, Transmit};

use super::{Core, Engine};
use crate::completion::Again;
use crate::socket::SendFailure;
use crate::wakes::Wakes;

impl Engine {
    /// Sends a request to a member, for the first time or once more. If the system does not take it
    /// the first time, that member is known not to answer; later, it is one more lost datagram.
    pub(super) fn transmit_request(
        &self,
        core: &mut Core,
        request: RequestId,
        to: SocketAddr,
        wakes: &mut Wakes,
    ) {
        let Some((payload, sent)) = core.requests.begin_sending(request, to) else { return };
        if sent && fault!(NeverAskAgain) {
            return;
        }
        let now = self.clock.now();
        let Core { node, control, .. } = core;
        let made = node.transmit_request(now, request, to, &payload, control);
        let Some(transmit) = made else { return };
        if let Err(failure) = self.send_made(core, transmit)
            && !sent
        {
            core.requests.on_not_sent(request, to, failure, wakes);
        }
    }

    /// A member repeats a request that was delivered before.
    pub(super) fn answer_again(&self, core: &mut Core, peer: SocketAddr, request: RequestId) {
        let now = self.clock.now();
        match core.responses.repeated(peer, request) {
            Again::Nothing => {}
            Again::Gone => core.node.reply_gone(now, peer, request),
            Again::Answer(payload) => {
                let Core { node, control, .. } = core;
                // It fitted before, and if the node has left since, nobody waits for it.
                if let Ok(transmit) = node.reply(now, peer, request, &payload, control) {
                    // If it is lost once more, it will be asked for once more.
                    let _counted = self.send_made(core, transmit);
                }
            }
        }
    }

    /// A request got lost on its way to the user: nobody will answer it.
    pub(super) fn refuse_requests(&self, requests: &[(SocketAddr, RequestId)]) {
        if requests.is_empty() || fault!(IgnoreRefused) {
            return;
        }
        self.command(|core, now, _| {
            for &(peer, request) in requests {
                core.responses.refused(peer, request);
                core.node.reply_gone(now, peer, request);
            }
        });
    }

    /// The user has dropped a request, and will not answer it.
    pub(crate) fn abandon(&self, peer: SocketAddr, request: RequestId) {
        self.core().responses.abandoned(peer, request);
    }

    /// Sends what stands in the buffer for control datagrams.
    fn send_made(&self, core: &Core, transmit: Transmit) -> Result<(), SendFailure> {
        let Transmit { to, len } = transmit;
        // Without a socket the node has ended, and nobody waits any more.
        let Some(socket) = &core.socket else { return Ok(()) };
        self.send(socket, to, &core.control[..len])
    }
}
