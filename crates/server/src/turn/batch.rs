//! Many datagrams per system call, each in a slot of one big buffer, with room before it for what
//! TURN puts around a payload: nothing is copied and nothing allocated between receiving and
//! sending.

use std::io::{IoSlice, IoSliceMut};
use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6, UdpSocket};
use std::ops::Range;
use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::sys::socket::{
    ControlMessage, MsgFlags, MultiHeaders, SockaddrIn, SockaddrIn6, SockaddrLike, SockaddrStorage,
    recvmmsg, sendmmsg, sendmsg,
};

/// Datagrams received by one system call.
pub(super) const BATCH: usize = 32;
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
/// Segments that the kernel takes in one call (`UDP_MAX_SEGMENTS` was 64 before Linux 6.9).
const MOST_SEGMENTS: usize = 64;

/// See the module documentation.
pub(super) struct Slots {
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
    pub(super) fn new() -> Self {
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
    pub(super) fn is_full(&self) -> bool {
        self.used + BATCH > SLOTS
    }

    /// Forgets all datagrams.
    pub(super) fn clear(&mut self) {
        self.used = 0;
    }

    pub(super) fn bytes(&self, range: Range<usize>) -> &[u8] {
        &self.bytes[range]
    }

    /// Receives what waits, `most` datagrams at most; their number.
    pub(super) fn receive(&mut self, socket: &UdpSocket, v6: bool, most: usize) -> usize {
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
    pub(super) fn receive_one(&mut self, socket: &UdpSocket) -> usize {
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
    pub(super) fn datagram(&self, index: usize) -> (SocketAddr, Range<usize>) {
        self.received[index].clone()
    }

    /// Puts a datagram into a slot as if it had been received; there must be room
    /// ([`Slots::is_full`]).
    pub(super) fn place(&mut self, datagram: &[u8]) -> Range<usize> {
        self.prepare();
        let start = self.used * STRIDE + HEADROOM;
        let range = start..start + datagram.len();
        self.bytes[range.clone()].copy_from_slice(datagram);
        self.used += 1;
        range
    }

    /// Puts a header before a datagram and zeroes after it; where the whole is.
    pub(super) fn wrap(
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

/// A datagram that waits to be sent.
#[derive(Debug, Clone)]
pub(super) struct Outgoing {
    /// Index of the socket.
    pub(super) socket: usize,
    pub(super) to: SocketAddr,
    pub(super) range: Range<usize>,
}

/// Sends datagrams with as few system calls as there can be.
#[derive(Debug)]
pub(super) struct Sending {
    headers: Headers,
    /// Whether the kernel cuts segments (`UDP_SEGMENT`).
    segmentation: bool,
}

struct Headers(MultiHeaders<SockaddrStorage>);

impl std::fmt::Debug for Headers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Headers")
    }
}

impl Sending {
    pub(super) fn new() -> Self {
        Self { headers: Headers(MultiHeaders::preallocate(BATCH, None)), segmentation: true }
    }

    /// Sends all, in order for each destination; what the kernel does not take is lost, as
    /// datagrams are. `socket` finds sockets by their index.
    pub(super) fn flush<'s>(
        &mut self,
        slots: &Slots,
        queue: &mut Vec<Outgoing>,
        socket: impl Fn(usize) -> Option<&'s UdpSocket>,
    ) {
        // The range starts grow with the time of arrival: the order of a destination is kept.
        queue.sort_unstable_by(|a, b| {
            (a.socket, a.to, a.range.start).cmp(&(b.socket, b.to, b.range.start))
        });
        for same_socket in queue.chunk_by(|a, b| a.socket == b.socket) {
            let Some(socket) = socket(same_socket[0].socket) else { continue };
            self.send(slots, socket, same_socket);
        }
        queue.clear();
    }

    /// Runs to one destination go as segments, all others together.
    fn send(&mut self, slots: &Slots, socket: &UdpSocket, queue: &[Outgoing]) {
        let mut singles = 0;
        let mut at = 0;
        while at < queue.len() {
            let run = if self.segmentation { run_length(&queue[at..]) } else { 1 };
            if run > 1 {
                self.send_each(slots, socket, &queue[singles..at]);
                if !self.send_segments(slots, socket, &queue[at..at + run]) {
                    self.send_each(slots, socket, &queue[at..at + run]);
                }
                singles = at + run;
            }
            at += run;
        }
        self.send_each(slots, socket, &queue[singles..]);
    }

    fn send_each(&mut self, slots: &Slots, socket: &UdpSocket, mut queue: &[Outgoing]) {
        while !queue.is_empty() {
            if let [one] = queue {
                // Cheaper than its plural.
                if let Err(error) = socket.send_to(slots.bytes(one.range.clone()), one.to) {
                    tracing::trace!(%error, to = %one.to, "cannot send");
                }
                return;
            }
            let batch = &queue[..queue.len().min(BATCH)];
            let sent = self.send_batch(slots, socket, batch).unwrap_or_else(|error| {
                tracing::trace!(%error, to = %batch[0].to, "cannot send");
                // The first one is what went wrong; the others may be fine.
                1
            });
            queue = &queue[sent.max(1)..];
        }
    }

    fn send_batch(
        &mut self,
        slots: &Slots,
        socket: &UdpSocket,
        batch: &[Outgoing],
    ) -> Result<usize, Errno> {
        let slices: [[IoSlice<'_>; 1]; BATCH] = std::array::from_fn(|index| {
            let range = batch.get(index).map_or(0..0, |it| it.range.clone());
            [IoSlice::new(slots.bytes(range))]
        });
        let addresses: [Option<SockaddrStorage>; BATCH] =
            std::array::from_fn(|index| batch.get(index).map(|it| it.to.into()));
        let (fd, flags) = (socket.as_raw_fd(), MsgFlags::MSG_DONTWAIT);
        let (slices, addresses) = (&slices[..batch.len()], &addresses[..batch.len()]);
        sendmmsg(fd, &mut self.headers.0, slices, addresses, [], flags).map(Iterator::count)
    }

    /// One call for all; `false` if they must go one by one.
    fn send_segments(&mut self, slots: &Slots, socket: &UdpSocket, run: &[Outgoing]) -> bool {
        let slices: [IoSlice<'_>; MOST_SEGMENTS] = std::array::from_fn(|index| {
            let range = run.get(index).map_or(0..0, |it| it.range.clone());
            IoSlice::new(slots.bytes(range))
        });
        let Ok(size) = u16::try_from(run[0].range.len()) else { return false };
        let to = SockaddrStorage::from(run[0].to);
        let segments = [ControlMessage::UdpGsoSegments(&size)];
        let (fd, flags) = (socket.as_raw_fd(), MsgFlags::MSG_DONTWAIT);
        match sendmsg(fd, &slices[..run.len()], &segments, flags, Some(&to)) {
            Ok(_) | Err(Errno::EAGAIN) => true,
            // A device that cannot compute checksums (EIO), or a kernel that cannot do it at all.
            Err(error @ (Errno::EIO | Errno::EOPNOTSUPP | Errno::ENOPROTOOPT)) => {
                tracing::debug!(%error, "no UDP segmentation here");
                self.segmentation = false;
                false
            }
            // Longer than the path takes in one piece, for instance.
            Err(_) => false,
        }
    }
}

/// How many of the first datagrams can go as segments: to one destination, of one size but for the
/// last one, which may be shorter, and no more bytes than a datagram.
fn run_length(queue: &[Outgoing]) -> usize {
    let (to, size) = (queue[0].to, queue[0].range.len());
    if size == 0 {
        return 1;
    }
    // No more than the kernel takes as one datagram.
    let most = 65_000 / size;
    let mut run = 1;
    for next in &queue[1..] {
        let fits = next.to == to && next.range.len() <= size && !next.range.is_empty();
        if !fits || run >= MOST_SEGMENTS.min(most) {
            break;
        }
        run += 1;
        if next.range.len() < size {
            break;
        }
    }
    run
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outgoing(sizes: &[usize]) -> Vec<Outgoing> {
        let to = "192.0.2.1:1".parse().unwrap();
        let one = |(index, size): (usize, &usize)| {
            let start = index * STRIDE;
            Outgoing { socket: 0, to, range: start..start + size }
        };
        sizes.iter().enumerate().map(one).collect()
    }

    #[test]
    fn segments_have_one_size_but_for_the_last() {
        for (sizes, run) in [
            (&[100][..], 1),
            (&[100, 100, 100], 3),
            (&[100, 100, 60, 60], 3),
            (&[100, 120], 1),
            (&[0, 0], 1),
            (&[100, 0], 1),
            (&[40_000, 40_000], 1),
            (&[16_000; 5], 4),
            (&[10; 70], MOST_SEGMENTS),
        ] {
            assert_eq!(run_length(&outgoing(sizes)), run, "{sizes:?}");
        }
    }

    #[test]
    fn datagrams_arrive_whole_and_in_order_however_they_are_sent() {
        let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
        let to = receiver.local_addr().unwrap();
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        for segmentation in [true, false] {
            let (mut slots, mut sending) = (Slots::new(), Sending::new());
            sending.segmentation = segmentation;
            let sizes = [1, 700, 700, 700, 300, 700, 0, 1400, 1400, 5];
            let mut queue = outgoing(&sizes);
            for (index, out) in queue.iter_mut().enumerate() {
                out.to = to;
                slots.prepare();
                slots.bytes[out.range.clone()].fill(u8::try_from(index).unwrap());
            }
            queue.reverse();
            sending.flush(&slots, &mut queue, |_| Some(&sender));
            for (index, size) in sizes.into_iter().enumerate() {
                let mut bytes = [0; 2000];
                let (length, _) = receiver.recv_from(&mut bytes).unwrap();
                assert_eq!(length, size);
                assert!(bytes[..length].iter().all(|byte| usize::from(*byte) == index));
            }
        }
    }

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
