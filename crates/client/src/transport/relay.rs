//! One TURN server that is being asked for an allocation, or has given one.

use std::net::{IpAddr, SocketAddr};
use std::task::{Context, Poll, ready};
use std::time::Instant;

use super::failure::Failure;
use super::gather::Attempt;
use super::inbox::Inbox;
use super::stream::StreamPort;
use super::turn::{Frame, TurnClient, TurnEvent, frame};
use super::udp::UdpPort;

/// The way to the server.
#[derive(Debug)]
pub(super) enum Port {
    Udp(UdpPort),
    Stream(StreamPort),
}

/// See the module documentation.
#[derive(Debug)]
pub(super) struct Relay {
    pub(super) attempt: Attempt,
    /// The server.
    pub(super) remote: SocketAddr,
    pub(super) allocated: bool,
    /// It is from before a restart; the server may not know it any more.
    pub(super) kept: bool,
    port: Port,
    client: TurnClient,
}

impl Relay {
    pub(super) fn new(
        attempt: Attempt,
        remote: SocketAddr,
        port: Port,
        client: TurnClient,
    ) -> Self {
        Self { attempt, remote, allocated: false, kept: false, port, client }
    }

    pub(super) fn local(&self) -> SocketAddr {
        match &self.port {
            Port::Udp(port) => port.addr(),
            Port::Stream(port) => port.addr(),
        }
    }

    pub(super) fn relayed(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        self.client.relayed()
    }

    pub(super) fn is_stream(&self) -> bool {
        matches!(self.port, Port::Stream(_))
    }

    pub(super) fn permit(&mut self, ip: IpAddr) {
        self.client.permit(ip);
    }

    /// Queues data for a peer.
    pub(super) fn send(&mut self, peer: SocketAddr, data: &[u8]) {
        let Self { client, port, remote, .. } = self;
        let write = |bytes: &mut Vec<u8>| client.wrap(peer, data, bytes);
        match port {
            Port::Udp(port) => port.push(*remote, write),
            Port::Stream(port) => port.push(write),
        }
    }

    /// Serves on after a restart, if the server agrees.
    pub(super) fn keep(&mut self, server: usize, now: Instant) {
        self.kept = true;
        self.attempt.server = server;
        self.client.verify(now);
        self.handle_timeout(now);
    }

    pub(super) fn deadline(&self, now: Instant) -> Option<Instant> {
        self.client.deadline(now)
    }

    /// Does what is due.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        self.client.handle_timeout(now);
        self.transmit();
    }

    /// Gives the allocation back. Whether there will be an answer to wait for.
    pub(super) fn release(&mut self, now: Instant) -> bool {
        let wait = self.client.release(now);
        self.transmit();
        // The end of a connection is the end of its allocation; an answer would not be sooner.
        wait && !self.is_stream()
    }

    pub(super) fn poll_event(&mut self) -> Option<TurnEvent> {
        self.client.poll_event()
    }

    fn transmit(&mut self) {
        while let Some(message) = self.client.poll_transmit() {
            match &mut self.port {
                Port::Udp(port) => port.push_bytes(self.remote, &message),
                Port::Stream(port) => port.push(|bytes| {
                    bytes.extend_from_slice(&message);
                    true
                }),
            }
        }
        self.flush();
    }

    pub(super) fn flush(&mut self) -> bool {
        match &mut self.port {
            Port::Udp(port) => port.flush(),
            Port::Stream(port) => port.flush(),
        }
    }

    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.port {
            Port::Udp(port) => port.poll_flush(cx),
            Port::Stream(port) => port.poll_flush(cx),
        }
    }

    /// Receives what waits; what peers sent is in the inbox afterwards.
    pub(super) fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        inbox: &mut Option<Box<Inbox>>,
        now: Instant,
    ) -> Poll<Result<(), Failure>> {
        match &mut self.port {
            Port::Udp(port) => {
                let messages = ready!(port.poll_receive(cx, inbox));
                let Some(inbox) = inbox else { return Poll::Pending };
                for (source, range) in inbox.received(messages) {
                    if source == self.remote {
                        take(&mut self.client, inbox, range.start, range.len(), now);
                    }
                }
            }
            Port::Stream(port) => {
                let received = ready!(port.poll_receive(cx, inbox))?;
                let Some(inbox) = inbox else { return Poll::Pending };
                let mut start = 0;
                loop {
                    let rest = inbox.bytes(start..received);
                    let Ok(length) = frame::length(rest) else {
                        return Poll::Ready(Err(Failure::Garbled));
                    };
                    let Some(length) = length.filter(|length| *length <= rest.len()) else {
                        port.keep(rest);
                        break;
                    };
                    take(&mut self.client, inbox, start, length, now);
                    start += length;
                }
            }
        }
        self.transmit();
        Poll::Ready(Ok(()))
    }

    /// Gives memory back while nothing happens.
    pub(super) fn rest(&mut self) {
        match &mut self.port {
            Port::Udp(port) => port.rest(),
            Port::Stream(port) => port.rest(),
        }
    }
}

/// Lets the client have a frame of the inbox, and notes what a peer sent where it lies.
fn take(client: &mut TurnClient, inbox: &mut Inbox, start: usize, length: usize, now: Instant) {
    let frame = client.handle(inbox.bytes(start..start + length), now);
    if let Frame::Data { peer, range } = frame
        && let Some(relayed) = client.relayed_for(peer)
    {
        inbox.push(start + range.start..start + range.end, peer, relayed);
    }
}
