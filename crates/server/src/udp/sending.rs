//! Sending with as few system calls as there can be: runs of datagrams to one destination go as UDP
//! segments (`UDP_SEGMENT`, which the kernel or the network card cuts), and many runs by one call.

use std::io::IoSlice;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;

use nix::cmsg_space;
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollEvent, EpollFlags};
use nix::sys::socket::{ControlMessage, MsgFlags, MultiHeaders, SockaddrStorage, sendmmsg};

use super::BATCH;

/// Segments of one run (`UDP_MAX_SEGMENTS` was 64 before Linux 6.9).
const MOST_SEGMENTS: usize = 64;
/// How long room in a full socket is waited for, in milliseconds.
const PATIENCE: u8 = 10;
/// Datagrams of one call.
const MOST_DATAGRAMS: usize = 256;

/// A datagram that waits to be sent.
#[derive(Debug, Clone)]
pub(crate) struct Outgoing<P> {
    /// Index of the socket.
    pub(crate) socket: usize,
    pub(crate) to: SocketAddr,
    /// The bytes, or where they are.
    pub(crate) payload: P,
}

/// See the module documentation.
#[derive(Debug)]
pub(crate) struct Sending {
    plain: Headers,
    /// With the size of segments beside each message.
    segmented: Headers,
    /// Whether the kernel cuts segments.
    segmentation: bool,
    /// Waits for room in a full socket.
    room: Option<Epoll>,
    calls: u64,
}

struct Headers(MultiHeaders<SockaddrStorage>);

impl std::fmt::Debug for Headers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Headers")
    }
}

/// The first datagrams of a queue that can go by one call: messages, each of them one run.
struct Batch {
    /// Where each message ends in the queue.
    ends: [usize; BATCH],
    messages: usize,
    /// Of segments, if a message has more than one: the same for all, and no single datagram is
    /// longer, or the kernel would cut that, too.
    segment: Option<u16>,
}

impl Sending {
    pub(crate) fn new() -> Self {
        let control = Some(cmsg_space!(u16));
        Self {
            plain: Headers(MultiHeaders::preallocate(BATCH, None)),
            segmented: Headers(MultiHeaders::preallocate(BATCH, control)),
            segmentation: true,
            room: None,
            calls: 0,
        }
    }

    /// One that waits a moment where a socket is full: a burst for a large room is more than the kernel
    /// keeps for one socket, but the card sends it soon. `room` is for that alone.
    pub(crate) fn patient(room: Epoll) -> Self {
        Self { room: Some(room), ..Self::new() }
    }

    /// How often the kernel was asked to send, since the last time.
    pub(crate) fn take_calls(&mut self) -> u64 {
        std::mem::take(&mut self.calls)
    }

    /// Sends all, in their order; what the kernel does not take is lost, as datagrams are. The fewer
    /// changes of socket and destination in the queue, the fewer calls. `bytes` finds a payload, and
    /// `socket` a socket by its index.
    pub(crate) fn send<'q, P>(
        &mut self,
        queue: &'q [Outgoing<P>],
        bytes: impl Fn(&'q P) -> &'q [u8] + Copy,
        socket: impl Fn(usize) -> Option<&'q UdpSocket>,
    ) {
        for same_socket in queue.chunk_by(|a, b| a.socket == b.socket) {
            let Some(socket) = socket(same_socket[0].socket) else { continue };
            self.send_from(socket, same_socket, bytes);
        }
    }

    fn send_from<'q, P>(
        &mut self,
        socket: &UdpSocket,
        mut queue: &'q [Outgoing<P>],
        bytes: impl Fn(&'q P) -> &'q [u8] + Copy,
    ) {
        while !queue.is_empty() {
            let batch = Batch::first_of(queue, bytes, self.segmentation);
            let sent = match self.send_batch(socket, queue, &batch, bytes) {
                Ok(0) => batch.ends[0],
                Ok(messages) => batch.ends[messages.min(batch.messages) - 1],
                // A device that cannot compute checksums (EIO), or a kernel that cannot cut at all.
                Err(error @ (Errno::EIO | Errno::EOPNOTSUPP | Errno::ENOPROTOOPT))
                    if batch.segment.is_some() =>
                {
                    tracing::debug!(%error, "no UDP segmentation here");
                    self.segmentation = false;
                    0
                }
                Err(Errno::EAGAIN) if self.wait_for_room(socket) => 0,
                // The first message is what went wrong; the others may be fine.
                Err(error) => {
                    tracing::trace!(%error, to = %queue[0].to, "cannot send");
                    let first = &queue[..batch.ends[0]];
                    // A segment is longer than the path takes in one piece, for instance.
                    if first.len() > 1 && error != Errno::EAGAIN {
                        for it in first {
                            self.send_one(socket, it.to, bytes(&it.payload));
                        }
                    }
                    first.len()
                }
            };
            queue = &queue[sent..];
        }
    }

    /// Whether a full socket has room again.
    fn wait_for_room(&self, socket: &UdpSocket) -> bool {
        let Some(room) = &self.room else { return false };
        let event = EpollEvent::new(EpollFlags::EPOLLOUT, 0);
        let wait = || -> Result<usize, Errno> {
            room.add(socket, event)?;
            let ready = room.wait(&mut [EpollEvent::empty()], PATIENCE);
            room.delete(socket)?;
            ready
        };
        wait().is_ok_and(|ready| ready > 0)
    }

    fn send_one(&mut self, socket: &UdpSocket, to: SocketAddr, bytes: &[u8]) {
        self.calls += 1;
        if let Err(error) = socket.send_to(bytes, to) {
            tracing::trace!(%error, %to, "cannot send");
        }
    }

    /// How many messages the kernel took.
    fn send_batch<'q, P>(
        &mut self,
        socket: &UdpSocket,
        queue: &'q [Outgoing<P>],
        batch: &Batch,
        bytes: impl Fn(&'q P) -> &'q [u8],
    ) -> Result<usize, Errno> {
        if batch.ends[0] == 1 && batch.messages == 1 {
            // Cheaper than its plural.
            self.send_one(socket, queue[0].to, bytes(&queue[0].payload));
            return Ok(1);
        }
        let slices: [IoSlice<'_>; MOST_DATAGRAMS] = std::array::from_fn(|index| {
            IoSlice::new(queue.get(index).map_or(&[], |it| bytes(&it.payload)))
        });
        let start = |message: usize| message.checked_sub(1).map_or(0, |it| batch.ends[it]);
        let messages: [&[IoSlice<'_>]; BATCH] = std::array::from_fn(|message| {
            if message < batch.messages {
                &slices[start(message)..batch.ends[message]]
            } else {
                &[]
            }
        });
        let addresses: [Option<SockaddrStorage>; BATCH] = std::array::from_fn(|message| {
            (message < batch.messages).then(|| queue[start(message)].to.into())
        });
        let (fd, flags) = (socket.as_raw_fd(), MsgFlags::MSG_DONTWAIT);
        let (messages, addresses) = (&messages[..batch.messages], &addresses[..batch.messages]);
        self.calls += 1;
        if let Some(size) = batch.segment {
            let segments = [ControlMessage::UdpGsoSegments(&size)];
            let headers = &mut self.segmented.0;
            return sendmmsg(fd, headers, messages, addresses, segments, flags)
                .map(Iterator::count);
        }
        sendmmsg(fd, &mut self.plain.0, messages, addresses, [], flags).map(Iterator::count)
    }
}

impl Batch {
    fn first_of<'q, P>(
        queue: &'q [Outgoing<P>],
        bytes: impl Fn(&'q P) -> &'q [u8] + Copy,
        segmentation: bool,
    ) -> Self {
        let mut batch = Self { ends: [0; BATCH], messages: 0, segment: None };
        let (mut at, mut longest) = (0, 0);
        while at < queue.len() && batch.messages < BATCH {
            let run = if segmentation { run_length(&queue[at..], bytes) } else { 1 };
            let size = bytes(&queue[at].payload).len();
            let fits = match batch.segment.map(usize::from) {
                Some(segment) => {
                    if run > 1 {
                        size == segment
                    } else {
                        size <= segment
                    }
                }
                None => run == 1 || longest <= size,
            };
            if batch.messages > 0 && (!fits || at + run > MOST_DATAGRAMS) {
                break;
            }
            if run > 1 {
                // No datagram is longer than 65 535 bytes.
                batch.segment = u16::try_from(size).ok();
            }
            longest = longest.max(size);
            at += run;
            batch.ends[batch.messages] = at;
            batch.messages += 1;
        }
        batch
    }
}

/// How many of the first datagrams can go as segments: to one destination, of one size but for the
/// last one, which may be shorter, and no more bytes than a datagram.
fn run_length<'q, P>(queue: &'q [Outgoing<P>], bytes: impl Fn(&'q P) -> &'q [u8]) -> usize {
    let (to, size) = (queue[0].to, bytes(&queue[0].payload).len());
    if size == 0 {
        return 1;
    }
    // No more than the kernel takes as one datagram.
    let most = 65_000 / size;
    let mut run = 1;
    for next in &queue[1..] {
        let length = bytes(&next.payload).len();
        let fits = next.to == to && length <= size && length > 0;
        if !fits || run >= MOST_SEGMENTS.min(most) {
            break;
        }
        run += 1;
        if length < size {
            break;
        }
    }
    run
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(to: SocketAddr, sizes: &[usize]) -> Vec<Outgoing<Vec<u8>>> {
        let fill = |index: usize| u8::try_from(index).unwrap();
        let one = |(index, size): (usize, &usize)| Outgoing {
            socket: 0,
            to,
            payload: vec![fill(index); *size],
        };
        sizes.iter().enumerate().map(one).collect()
    }

    #[test]
    fn segments_have_one_size_but_for_the_last() {
        let to = "192.0.2.1:1".parse().unwrap();
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
            assert_eq!(run_length(&queue(to, sizes), Vec::as_slice), run, "{sizes:?}");
        }
    }

    #[test]
    fn a_call_takes_runs_of_one_size_and_nothing_that_would_be_cut() {
        let [a, b, c] = ["192.0.2.1:1", "192.0.2.1:2", "192.0.2.1:3"].map(|it| it.parse().unwrap());
        for (parts, ends, segment) in [
            (
                &[(a, &[100, 100, 50][..]), (b, &[100, 100, 50]), (c, &[100])][..],
                &[3, 6, 7][..],
                Some(100),
            ),
            (&[(a, &[100, 100]), (b, &[90, 90])], &[2], Some(100)),
            (&[(a, &[100, 100]), (b, &[120])], &[2], Some(100)),
            (&[(a, &[80]), (b, &[100, 100])], &[1, 3], Some(100)),
            (&[(a, &[120]), (b, &[100, 100])], &[1], None),
            (&[(a, &[120]), (b, &[0]), (c, &[7])], &[1, 2, 3], None),
        ] {
            let queue: Vec<_> = parts.iter().flat_map(|(to, sizes)| queue(*to, sizes)).collect();
            let batch = Batch::first_of(&queue, Vec::as_slice, true);
            assert_eq!(
                (&batch.ends[..batch.messages], batch.segment),
                (ends, segment),
                "{parts:?}"
            );
        }
    }

    #[test]
    fn datagrams_arrive_whole_and_in_order_however_they_are_sent() {
        let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
        let to = receiver.local_addr().unwrap();
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        for segmentation in [true, false] {
            let mut sending = Sending { segmentation, ..Sending::new() };
            let sizes = [1, 700, 700, 700, 300, 700, 0, 1400, 1400, 5];
            sending.send(&queue(to, &sizes), Vec::as_slice, |_| Some(&sender));
            for (index, size) in sizes.into_iter().enumerate() {
                let mut bytes = [0; 2000];
                let (length, _) = receiver.recv_from(&mut bytes).unwrap();
                assert_eq!(length, size);
                assert!(bytes[..length].iter().all(|byte| usize::from(*byte) == index));
            }
        }
    }

    #[test]
    fn one_picture_for_many_is_one_call() {
        let receivers: Vec<_> = (0..20).map(|_| UdpSocket::bind("127.0.0.1:0").unwrap()).collect();
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        let picture = |it: &UdpSocket| queue(it.local_addr().unwrap(), &[1100, 1100, 1100, 400]);
        let all: Vec<_> = receivers.iter().flat_map(picture).collect();
        let mut sending = Sending::new();
        sending.send(&all, Vec::as_slice, |_| Some(&sender));
        assert_eq!(sending.take_calls(), 1);
        for receiver in receivers {
            for size in [1100, 1100, 1100, 400] {
                assert_eq!(receiver.recv(&mut [0; 2000]).unwrap(), size);
            }
        }
    }
}
