//! Receiving: many datagrams per system call, each in a slot of one big buffer, with room before it
//! for what TURN puts around a payload: nothing is copied and nothing allocated between receiving and
//! sending.

use std::io::IoSliceMut;
use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6, UdpSocket};
use std::ops::Range;
use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrIn, SockaddrIn6, SockaddrLike, recvmmsg};

/// Datagrams received by one system call.
pub(crate) const BATCH: usize = 32;
const SLOTS: usize = 128;
/// Before a datagram: the longest header of a Data indication.
const HEADROOM: usize = 48;
/// After it: padding.
const TAILROOM: usize = 4;
/// The longest datagram that is relayed, as in coturn: ten times what a path takes in one piece. Slots
/// for everything that UDP can carry would be 9 MB for each thread, which huge pages make real.
const LONGEST: usize = 16 * 1024;
/// Not a multiple of a page or of the caches' ways, so that the beginnings of all slots, which are
/// what is used, do not fight for the same cache lines.
const STRIDE: usize = HEADROOM + LONGEST + TAILROOM + 524;

/// See the module documentation.
pub(crate) struct Slots {
    bytes: Vec<u8>,
    used: usize,
    /// Of the last [`Slots::receive`].
    received: Vec<(SocketAddr, Range<usize>)>,
    v4: MultiHeaders<SockaddrIn>,
    v6: MultiHeaders<SockaddrIn6>,
}

impl std::fmt::Debug for Slots {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Slots").field("used", &self.used).finish_non_exhaustive()
    }
}

impl Slots {
    pub(crate) fn new() -> Self {
        Self {
            bytes: Vec::new(),
            used: 0,
            received: Vec::with_capacity(BATCH),
            v4: MultiHeaders::preallocate(BATCH, None),
            v6: MultiHeaders::preallocate(BATCH, None),
        }
    }

    /// Takes the memory when the first datagram comes: many servers relay nothing.
    fn prepare(&mut self) {
        if self.bytes.is_empty() {
            self.bytes = vec![0; SLOTS * STRIDE];
        }
    }

    /// Whether a whole batch has no room any more.
    pub(crate) fn is_full(&self) -> bool {
        self.used + BATCH > SLOTS
    }

    /// Forgets all datagrams.
    pub(crate) fn clear(&mut self) {
        self.used = 0;
    }

    pub(crate) fn bytes(&self, range: Range<usize>) -> &[u8] {
        &self.bytes[range]
    }

    /// Receives what waits, `most` datagrams at most; their number.
    pub(crate) fn receive(&mut self, socket: &UdpSocket, v6: bool, most: usize) -> usize {
        self.received.clear();
        self.prepare();
        let first = self.used;
        let free = (SLOTS - first).min(most).min(BATCH);
        let mut slots = self.bytes.chunks_exact_mut(STRIDE).skip(first);
        let mut slices: [[IoSliceMut<'_>; 1]; BATCH] = std::array::from_fn(|index| {
            let slot = if index < free { slots.next() } else { None }.unwrap_or_default();
            let data = slot.get_mut(HEADROOM..=HEADROOM + LONGEST).unwrap_or_default();
            [IoSliceMut::new(data)]
        });
        let slices = &mut slices[..free];
        self.used += if v6 {
            receive(socket, &mut self.v6, slices, first, &mut self.received)
        } else {
            receive(socket, &mut self.v4, slices, first, &mut self.received)
        };
        self.received.len()
    }

    /// Receives one datagram, if one waits: cheaper than looking for more where more are rare.
    pub(crate) fn receive_one(&mut self, socket: &UdpSocket) -> usize {
        self.received.clear();
        self.prepare();
        let start = self.used * STRIDE + HEADROOM;
        let Some(free) = self.bytes.get_mut(start..=start + LONGEST) else { return 0 };
        match socket.recv_from(free) {
            Ok((length, from)) => {
                self.used += 1;
                if length <= LONGEST {
                    self.received.push((from, start..start + length));
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) => tracing::trace!(%error, "cannot receive"),
        }
        self.received.len()
    }

    /// A datagram of the last batch: who sent it, and where it is.
    pub(crate) fn datagram(&self, index: usize) -> (SocketAddr, Range<usize>) {
        self.received[index].clone()
    }

    /// Puts a datagram into a slot as if it had been received; there must be room
    /// ([`Slots::is_full`]).
    pub(crate) fn place(&mut self, datagram: &[u8]) -> Range<usize> {
        self.prepare();
        let start = self.used * STRIDE + HEADROOM;
        let range = start..start + datagram.len();
        self.bytes[range.clone()].copy_from_slice(datagram);
        self.used += 1;
        range
    }

    /// Puts a header before a datagram and zeroes after it; where the whole is.
    pub(crate) fn wrap(
        &mut self,
        datagram: &Range<usize>,
        header: &[u8],
        padding: usize,
    ) -> Range<usize> {
        let whole = datagram.start - header.len()..datagram.end + padding;
        self.bytes[whole.start..datagram.start].copy_from_slice(header);
        self.bytes[datagram.end..whole.end].fill(0);
        whole
    }
}

/// An address as the kernel writes it.
trait Sender: SockaddrLike + Copy {
    fn address(&self) -> SocketAddr;
}

impl Sender for SockaddrIn {
    fn address(&self) -> SocketAddr {
        SocketAddrV4::from(*self).into()
    }
}

impl Sender for SockaddrIn6 {
    fn address(&self) -> SocketAddr {
        SocketAddrV6::from(*self).into()
    }
}

fn receive<'a, S: Sender + 'a>(
    socket: &UdpSocket,
    headers: &'a mut MultiHeaders<S>,
    slices: &'a mut [[IoSliceMut<'a>; 1]],
    first: usize,
    received: &mut Vec<(SocketAddr, Range<usize>)>,
) -> usize {
    let mut taken = 0;
    match recvmmsg(socket.as_raw_fd(), headers, slices, MsgFlags::MSG_DONTWAIT, None) {
        Ok(messages) => {
            for (index, message) in messages.enumerate() {
                let start = (first + index) * STRIDE + HEADROOM;
                let from = message.address.map(|it| it.address());
                let from = from.unwrap_or_else(|| SocketAddr::from(([0, 0, 0, 0], 0)));
                taken += 1;
                // There is room for one byte more than is allowed, so that what was cut off shows.
                if message.bytes <= LONGEST {
                    received.push((from, start..start + message.bytes));
                }
            }
        }
        Err(Errno::EAGAIN | Errno::EINTR) => {}
        // What an ICMP message says about an earlier datagram, for instance.
        Err(error) => tracing::trace!(%error, "cannot receive"),
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_is_not_relayed_in_part() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut slots = Slots::new();
        for length in [LONGEST, LONGEST + 1, 60_000] {
            for one in [true, false] {
                sender.send_to(&vec![1; length], socket.local_addr().unwrap()).unwrap();
                let received =
                    if one { slots.receive_one(&socket) } else { slots.receive(&socket, false, 8) };
                assert_eq!(received, usize::from(length <= LONGEST), "{length}");
                assert!(received == 0 || slots.datagram(0).1.len() == length);
            }
        }
    }

    #[test]
    fn a_batch_is_received_with_its_senders_and_wrapped_in_place() {
        for any in ["127.0.0.1:0", "[::1]:0"] {
            let socket = UdpSocket::bind(any).unwrap();
            let senders = [0, 1].map(|_| UdpSocket::bind(any).unwrap());
            for (sender, text) in senders.iter().zip([b"one", b"two"]) {
                sender.send_to(text, socket.local_addr().unwrap()).unwrap();
            }
            let mut slots = Slots::new();
            assert_eq!(slots.receive(&socket, any.starts_with('['), BATCH), 2);
            let (from, range) = slots.datagram(1);
            assert_eq!(from, senders[1].local_addr().unwrap());
            let whole = slots.wrap(&range, b"head", 1);
            assert_eq!(slots.bytes(whole), b"headtwo\0");
            assert_eq!(slots.bytes(slots.datagram(0).1), b"one");
            socket.set_nonblocking(true).unwrap();
            assert_eq!(slots.receive(&socket, any.starts_with('['), BATCH), 0);
        }
    }
}
