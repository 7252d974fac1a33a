//! Members on TCP: datagrams in frames of a stream (RFC 4571), for networks that let no UDP through
//! (RFC 6544; the server's end is the passive one).

use std::collections::{HashMap, VecDeque};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use nix::sys::epoll::{Epoll, EpollEvent, EpollFlags};

use crate::edge::Place;

/// The longest datagram; those of WebRTC fit into one packet of a network.
const LONGEST: usize = 16 * 1024;
/// Read at once.
const READ: usize = 32 * 1024;
/// Bytes that a member may leave unread; like on every full path, what comes after that is lost.
const MOST_UNREAD: usize = 256 * 1024;
/// Without any datagram that is for a leg a connection is of no use.
const IDLE: Duration = Duration::from_secs(40);

/// A connection that has begun with a check.
#[derive(Debug)]
pub(super) struct Incoming {
    pub(super) stream: TcpStream,
    pub(super) remote: SocketAddr,
    /// The candidate that it came to.
    pub(super) local: SocketAddr,
    /// What was read of it.
    pub(super) input: Vec<u8>,
    pub(super) place: Place,
}

/// The first frame of what was read. `None`: it has not come as a whole yet.
pub(super) fn first_frame(input: &[u8]) -> io::Result<Option<&[u8]>> {
    let Some((length, rest)) = input.split_first_chunk::<2>() else { return Ok(None) };
    let length = usize::from(u16::from_be_bytes(*length));
    if length > LONGEST {
        return Err(io::Error::new(ErrorKind::InvalidData, "a frame that is too long"));
    }
    Ok(rest.get(..length))
}

/// The connections of one worker, by their numbers.
#[derive(Debug, Default)]
pub(super) struct Streams {
    all: HashMap<u32, Stream>,
    by_path: HashMap<(SocketAddr, SocketAddr), u32>,
    /// Numbers of connections with something to write.
    unwritten: Vec<u32>,
    /// Numbers of all, the oldest first, for the sweep.
    order: VecDeque<u32>,
    next: u32,
}

#[derive(Debug)]
struct Stream {
    socket: TcpStream,
    path: (SocketAddr, SocketAddr),
    input: Vec<u8>,
    output: VecDeque<u8>,
    /// Whether the kernel tells when it takes more.
    blocked: bool,
    active: Instant,
    _place: Place,
}

impl Streams {
    /// A connection more. `mark` is put beside its number in what `epoll` tells.
    pub(super) fn add(
        &mut self,
        now: Instant,
        epoll: &Epoll,
        mark: u64,
        incoming: Incoming,
    ) -> io::Result<u32> {
        let Incoming { stream, remote, local, input, place } = incoming;
        // Numbers come again only after four billion connections.
        let number = self.next;
        self.next = self.next.wrapping_add(1);
        let event = EpollEvent::new(EpollFlags::EPOLLIN, mark | u64::from(number));
        epoll.add(&stream, event)?;
        let path = (remote, local);
        let output = VecDeque::new();
        let stream = Stream {
            socket: stream,
            path,
            input,
            output,
            blocked: false,
            active: now,
            _place: place,
        };
        self.all.insert(number, stream);
        self.by_path.insert(path, number);
        self.order.push_back(number);
        Ok(number)
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// Reads what waits, and gives out each whole frame with its path; `take` says whether it was for
    /// a leg.
    pub(super) fn read(
        &mut self,
        number: u32,
        now: Instant,
        buffer: &mut Vec<u8>,
        mut take: impl FnMut(SocketAddr, SocketAddr, &[u8]) -> bool,
    ) {
        let Some(it) = self.all.get_mut(&number) else { return };
        buffer.resize(READ, 0);
        let read = match it.socket.read(buffer) {
            Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
            Ok(read) => Ok(read),
            Err(error) if is_passing(&error) => Ok(0),
            Err(error) => Err(error),
        };
        let done = read.and_then(|read| {
            it.input.extend_from_slice(&buffer[..read]);
            let mut at = 0;
            while let Some(frame) = first_frame(&it.input[at..])? {
                if take(it.path.0, it.path.1, frame) {
                    it.active = now;
                }
                at += 2 + frame.len();
            }
            it.input.drain(..at);
            Ok(())
        });
        if let Err(error) = done {
            tracing::debug!(%error, remote = %it.path.0, "a connection of the SFU ended");
            self.remove(number);
        }
    }

    /// Queues a datagram. It is lost if its member reads too little, or has gone.
    pub(super) fn send(&mut self, remote: SocketAddr, local: SocketAddr, datagram: &[u8]) {
        let Some(number) = self.by_path.get(&(remote, local)).copied() else { return };
        let Some(it) = self.all.get_mut(&number) else { return };
        let Ok(length) = u16::try_from(datagram.len()) else { return };
        if it.output.len() + datagram.len() > MOST_UNREAD {
            return;
        }
        if it.output.is_empty() {
            self.unwritten.push(number);
        }
        it.output.extend(length.to_be_bytes());
        it.output.extend(datagram);
    }

    /// Writes what was queued.
    pub(super) fn flush(&mut self, epoll: &Epoll, mark: u64) {
        let mut unwritten = std::mem::take(&mut self.unwritten);
        for number in unwritten.drain(..) {
            self.write(number, epoll, mark);
        }
        self.unwritten = unwritten;
    }

    /// Writes what one connection takes.
    pub(super) fn write(&mut self, number: u32, epoll: &Epoll, mark: u64) {
        let Some(it) = self.all.get_mut(&number) else { return };
        let written = loop {
            let (front, _) = it.output.as_slices();
            if front.is_empty() {
                break Ok(());
            }
            match it.socket.write(front) {
                Ok(count) => drop(it.output.drain(..count)),
                Err(error) if is_passing(&error) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        let blocked = !it.output.is_empty();
        let told = written.and_then(|()| {
            if blocked == it.blocked {
                return Ok(());
            }
            it.blocked = blocked;
            let more = if blocked { EpollFlags::EPOLLOUT } else { EpollFlags::empty() };
            let mut event = EpollEvent::new(EpollFlags::EPOLLIN | more, mark | u64::from(number));
            Ok(epoll.modify(&it.socket, &mut event)?)
        });
        if let Err(error) = told {
            tracing::debug!(%error, remote = %it.path.0, "a connection of the SFU ended");
            self.remove(number);
        }
    }

    /// Ends those that are of no use any more.
    pub(super) fn sweep(&mut self, now: Instant) {
        for _ in 0..self.order.len() {
            let Some(number) = self.order.pop_front() else { return };
            let Some(it) = self.all.get(&number) else { continue };
            if now.saturating_duration_since(it.active) < IDLE {
                self.order.push_back(number);
            } else {
                self.remove(number);
            }
        }
    }

    /// Ends all: what was queued is written first, and what has come is read, because a connection
    /// that is closed with something unread takes the last words with it (RFC 9293, section 3.6.1).
    pub(super) fn close(&mut self, epoll: &Epoll, mark: u64, buffer: &mut Vec<u8>) {
        buffer.resize(READ, 0);
        for number in std::mem::take(&mut self.order) {
            self.write(number, epoll, mark);
            let Some(it) = self.all.get_mut(&number) else { continue };
            // The other side may have gone first.
            let _ = it.socket.shutdown(Shutdown::Write);
            let mut left = MOST_UNREAD / READ;
            while left > 0 && it.socket.read(buffer).is_ok_and(|read| read > 0) {
                left -= 1;
            }
        }
    }

    /// Closing takes it out of epoll, too.
    fn remove(&mut self, number: u32) {
        let Some(it) = self.all.remove(&number) else { return };
        if self.by_path.get(&it.path) == Some(&number) {
            self.by_path.remove(&it.path);
        }
    }
}

fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_taken_when_it_is_whole() {
        assert_eq!(first_frame(&[]).unwrap(), None);
        assert_eq!(first_frame(&[0]).unwrap(), None);
        assert_eq!(first_frame(&[0, 2, 7]).unwrap(), None);
        assert_eq!(first_frame(&[0, 2, 7, 8, 9]).unwrap(), Some(&[7, 8][..]));
        assert_eq!(first_frame(&[0, 0, 1]).unwrap(), Some(&[][..]));
        assert!(first_frame(&[0xff, 0xff]).is_err());
    }
}
