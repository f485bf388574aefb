//! In: a batch of datagrams for one system call, each lent as a slice of its own.

use std::array;
use std::fmt;
use std::io::{self, IoSliceMut};
use std::iter;
use std::net::SocketAddr;

use quinn_udp::RecvMeta;

use super::{Socket, canonical};

/// The most slots that one [`Socket::receive`] fills.
pub const BATCH_SIZE: usize = quinn_udp::BATCH_SIZE;

/// The bytes in a slot. The kernel may put dozens of equally long datagrams into one slot, up to
/// the longest IP packet, and cuts unnoticed what does not fit.
const SLOT: usize = 64 * 1024;

/// What a slot's content takes of the kernel's buffer beside its own length: at least this.
pub(crate) const KERNEL_OVERHEAD: usize = 256;

impl Socket {
    /// Takes what has arrived, at most [`BATCH_SIZE`] slots of it, into `buffers`, in place of
    /// what they held, and tells how many slots were filled (a slot may hold several datagrams).
    ///
    /// Nothing waits: when nothing has arrived, the error's kind is
    /// [`WouldBlock`](io::ErrorKind::WouldBlock). Any other error (on some platforms: somebody
    /// refused an earlier datagram) is the failure of this one read, and nothing has been
    /// received; count it, and read again when there is time.
    pub fn receive(&self, buffers: &mut ReceiveBuffers) -> io::Result<usize> {
        buffers.filled = 0;
        let mut slots = buffers.bytes.chunks_exact_mut(SLOT);
        let mut slots: [IoSliceMut<'_>; BATCH_SIZE] =
            array::from_fn(|_| IoSliceMut::new(slots.next().expect("there are BATCH_SIZE slots")));
        let filled = self.state.recv((&self.inner).into(), &mut slots, &mut buffers.meta)?;
        buffers.filled = filled;
        Ok(filled)
    }
}

/// Memory for one batch: [`BATCH_SIZE`] slots of 64 KiB, 2 MiB in all on most platforms. Pages
/// that no datagram has touched cost nothing on systems that hand out memory lazily.
pub struct ReceiveBuffers {
    bytes: Box<[u8]>,
    meta: [RecvMeta; BATCH_SIZE],
    filled: usize,
}

impl ReceiveBuffers {
    /// Buffers that hold nothing yet.
    pub fn new() -> Self {
        Self {
            bytes: vec![0; BATCH_SIZE * SLOT].into_boxed_slice(),
            meta: [RecvMeta::default(); BATCH_SIZE],
            filled: 0,
        }
    }

    /// How much of the kernel's buffer the latest [`Socket::receive`] has freed, at least. What
    /// shares a slot may have shared the overhead, too: a sender on the same machine can hand
    /// dozens of short datagrams over as one.
    pub(crate) fn kernel_bytes(&self) -> usize {
        self.meta[..self.filled].iter().map(|meta| meta.len + KERNEL_OVERHEAD).sum()
    }

    /// The datagrams of the latest [`Socket::receive`], in the order of arrival, each with its
    /// sender. An IPv4 sender has an IPv4 address, whatever the socket is bound to.
    pub fn datagrams(&mut self) -> Datagrams<'_> {
        Datagrams {
            slots: self.meta[..self.filled].iter().zip(self.bytes.chunks_exact_mut(SLOT)),
            current: None,
        }
    }
}

impl Default for ReceiveBuffers {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for ReceiveBuffers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceiveBuffers").field("filled", &self.filled).finish_non_exhaustive()
    }
}

/// Iterates over the datagrams in [`ReceiveBuffers`]; made by [`ReceiveBuffers::datagrams`].
pub struct Datagrams<'b> {
    slots: iter::Zip<std::slice::Iter<'b, RecvMeta>, std::slice::ChunksExactMut<'b, u8>>,
    current: Option<Slot<'b>>,
}

/// What is left of a slot.
struct Slot<'b> {
    from: SocketAddr,
    stride: usize,
    bytes: &'b mut [u8],
}

impl<'b> Iterator for Datagrams<'b> {
    type Item = (SocketAddr, &'b mut [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let Slot { from, stride, bytes } = match self.current.take() {
            Some(slot) => slot,
            None => self.next_slot()?,
        };
        if bytes.len() <= stride {
            return Some((from, bytes));
        }
        let (datagram, rest) = bytes.split_at_mut(stride);
        self.current = Some(Slot { from, stride, bytes: rest });
        Some((from, datagram))
    }
}

impl<'b> Datagrams<'b> {
    fn next_slot(&mut self) -> Option<Slot<'b>> {
        let (meta, slot) = self.slots.next()?;
        let bytes = &mut slot[..meta.len];
        // A stride of zero comes with an empty datagram only; as one byte it can't loop for ever.
        Some(Slot { from: canonical(meta.addr), stride: meta.stride.max(1), bytes })
    }
}

impl fmt::Debug for Datagrams<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Datagrams").field("slots_left", &self.slots.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(slots: &[(usize, usize)]) -> ReceiveBuffers {
        let mut buffers = ReceiveBuffers::new();
        for (index, &(len, stride)) in slots.iter().enumerate() {
            let port = 1_000 + u16::try_from(index).expect("few slots");
            buffers.meta[index].addr = SocketAddr::from(([127, 0, 0, 1], port));
            buffers.meta[index].len = len;
            buffers.meta[index].stride = stride;
            for (offset, byte) in buffers.bytes[index * SLOT..][..len].iter_mut().enumerate() {
                *byte = u8::try_from(offset % 251).expect("below 251");
            }
        }
        buffers.filled = slots.len();
        buffers
    }

    fn lengths(buffers: &mut ReceiveBuffers) -> Vec<(u16, usize)> {
        buffers.datagrams().map(|(from, bytes)| (from.port(), bytes.len())).collect()
    }

    #[test]
    fn a_slot_is_split_at_its_stride_and_the_last_datagram_may_be_shorter() {
        let mut buffers = filled(&[(25, 10), (7, 7), (40, 20)]);
        assert_eq!(
            lengths(&mut buffers),
            [(1000, 10), (1000, 10), (1000, 5), (1001, 7), (1002, 20), (1002, 20)]
        );
        let third = buffers.datagrams().nth(2).expect("there are six").1.to_vec();
        assert_eq!(third, [20, 21, 22, 23, 24]);
    }

    #[test]
    fn short_datagrams_in_one_slot_free_no_more_than_one_packet() {
        assert_eq!(filled(&[(60, 1)]).kernel_bytes(), 60 + KERNEL_OVERHEAD);
        assert_eq!(filled(&[(0, 0), (3, 3)]).kernel_bytes(), 3 + 2 * KERNEL_OVERHEAD);
    }

    #[test]
    fn an_empty_datagram_is_one_datagram() {
        assert_eq!(
            lengths(&mut filled(&[(0, 0), (3, 3), (0, 0)])),
            [(1000, 0), (1001, 3), (1002, 0)]
        );
    }

    #[test]
    fn the_last_slot_can_be_filled_to_its_end() {
        let mut slots = [(1, 1); BATCH_SIZE];
        slots[BATCH_SIZE - 1] = (65_535, 65_535);
        let mut buffers = filled(&slots);
        assert_eq!(buffers.datagrams().last().map(|(_, bytes)| bytes.len()), Some(65_535));
    }
}
