//! One UDP socket, many datagrams per system call.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket as StdSocket};
use std::task::{Context, Poll, ready};

use quinn_udp::{Transmit, UdpSocketState};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::io::Interest;
use tokio::net::UdpSocket;

use super::inbox::Inbox;
use super::outbox::{Outbox, Segments};

/// What the kernel may keep for us, if it lets us: 20 ms at 100 MB/s.
const KERNEL_BUFFER: usize = 2 * 1024 * 1024;
/// Sent without being asked to, so that data does not lie long enough to leave the cache.
const FLUSH: usize = 64 * 1024;

/// See the module documentation.
#[derive(Debug)]
pub(super) struct UdpPort {
    socket: UdpSocket,
    state: UdpSocketState,
    addr: SocketAddr,
    outbox: Outbox,
    /// The system said that there is no way out.
    broken: bool,
}

impl UdpPort {
    /// A socket at any port of an address of this machine.
    pub(super) fn bind(ip: IpAddr) -> io::Result<Self> {
        let domain = Domain::for_address(SocketAddr::new(ip, 0));
        let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
        if ip.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        // The default of the system does as well, only slower.
        let _ = socket.set_recv_buffer_size(KERNEL_BUFFER);
        let _ = socket.set_send_buffer_size(KERNEL_BUFFER);
        socket.bind(&SocketAddr::new(ip, 0).into())?;
        socket.set_nonblocking(true)?;
        let socket = UdpSocket::from_std(socket.into())?;
        let state = UdpSocketState::new((&socket).into())?;
        let addr = socket.local_addr()?;
        Ok(Self { socket, state, addr, outbox: Outbox::default(), broken: false })
    }

    pub(super) fn addr(&self) -> SocketAddr {
        self.addr
    }

    #[cfg(test)]
    pub(super) fn queued(&self) -> usize {
        self.outbox.len()
    }

    /// Whether sending failed for want of a way since this was last asked.
    pub(super) fn take_broken(&mut self) -> bool {
        std::mem::take(&mut self.broken)
    }

    /// Queues what `write` appends.
    pub(super) fn push(
        &mut self,
        destination: SocketAddr,
        write: impl FnOnce(&mut Vec<u8>) -> bool,
    ) {
        if self.outbox.len() >= FLUSH {
            self.flush();
        }
        if !self.outbox.push(destination, self.state.max_gso_segments(), write) {
            tracing::trace!(%destination, "a datagram is lost");
        }
    }

    pub(super) fn push_bytes(&mut self, destination: SocketAddr, data: &[u8]) {
        self.push(destination, |bytes| {
            bytes.extend_from_slice(data);
            true
        });
    }

    /// Sends what the system takes. Whether nothing is left.
    pub(super) fn flush(&mut self) -> bool {
        while let Some(segments) = self.outbox.first() {
            match self.send(segments) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.outbox.compact();
                    return false;
                }
                Err(error) => {
                    // A datagram may get lost; that addresses are gone is worth a look.
                    tracing::trace!(%error, destination = %segments.destination, "not sent");
                    self.broken |= is_without_way(&error);
                }
            }
            self.outbox.remove_first();
        }
        true
    }

    fn send(&self, segments: Segments<'_>) -> io::Result<()> {
        let Segments { destination, bytes, segment } = segments;
        match self.try_send(destination, bytes, segment) {
            // No segmentation here: one by one.
            Err(error) if error.kind() != io::ErrorKind::WouldBlock && bytes.len() > segment => {
                for datagram in bytes.chunks(segment.max(1)) {
                    self.try_send(destination, datagram, segment)?;
                }
                Ok(())
            }
            result => result,
        }
    }

    fn try_send(&self, destination: SocketAddr, bytes: &[u8], segment: usize) -> io::Result<()> {
        let transmit = Transmit {
            destination,
            ecn: None,
            contents: bytes,
            segment_size: (bytes.len() > segment).then_some(segment),
            src_ip: None,
        };
        let send = || self.state.try_send((&self.socket).into(), &transmit);
        match send() {
            // Through tokio, so that it learns that the socket is not writable.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.socket.try_io(Interest::WRITABLE, send)
            }
            result => result,
        }
    }

    /// Sends what is queued, when the system takes it.
    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while !self.flush() {
            if ready!(self.socket.poll_send_ready(cx)).is_err() {
                break;
            }
        }
        Poll::Ready(())
    }

    /// Receives what waits into the slots of an inbox; the number of messages.
    pub(super) fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        inbox: &mut Option<Box<Inbox>>,
    ) -> Poll<usize> {
        loop {
            if ready!(self.socket.poll_recv_ready(cx)).is_err() {
                return Poll::Pending;
            }
            let inbox = inbox.get_or_insert_with(super::inbox::spare);
            let (mut slots, metas) = inbox.slots();
            let receive = || self.state.recv((&self.socket).into(), &mut slots, metas);
            match self.socket.try_io(Interest::READABLE, receive) {
                Ok(messages) => return Poll::Ready(messages),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // What ICMP says of an earlier datagram. The next call goes on.
                Err(error) => tracing::trace!(%error, "not received"),
            }
        }
    }

    /// Gives memory back while nothing happens.
    pub(super) fn rest(&mut self) {
        self.outbox.rest();
    }
}

/// The address of this machine from which another one is reached.
pub(super) fn local_towards(remote: SocketAddr) -> io::Result<IpAddr> {
    let any: SocketAddr =
        if remote.is_ipv6() { ([0_u16; 8], 0).into() } else { ([0_u8; 4], 0).into() };
    // Connecting a UDP socket sends nothing.
    let socket = StdSocket::bind(any)?;
    SockRef::from(&socket).connect(&remote.into())?;
    Ok(socket.local_addr()?.ip())
}

fn is_without_way(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::AddrNotAvailable
            | io::ErrorKind::InvalidInput
            | io::ErrorKind::NetworkDown
    )
}
