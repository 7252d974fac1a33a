//! The UDP loop: one thread, its sockets, its clients.
//!
//! Priority, top to bottom, each time around: datagrams that wait (received in batches, relayed
//! from the buffer they came in), then what they made to be done, then time.

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollTimeout};
use peerway_turn::{
    ClientId, Command, FiveTuple, Now, OpenError, Opened, RelayId, Server, ToClient, ToPeer,
    Transport,
};

use super::Common;
use crate::clock;
use crate::udp::{BATCH, Bound, Outgoing, Parcel, Sending, Slots, Waker, watch};

/// Sockets that one look at the kernel can name.
const EVENTS: usize = 256;
/// Datagrams that one look at a relay socket takes; few, because preparing for many costs.
const RELAY_BATCH: usize = 8;
/// A relay socket that is readable again this soon has had more than one datagram.
const BURST: Duration = Duration::from_micros(500);
/// How often counts are handed over.
const REPORT: Duration = Duration::from_secs(1);
/// What an event's data says beside the index of a socket.
const RELAY: u64 = 1 << 32;
const WAKER: u64 = 1 << 33;

/// A loop that has not begun. What the kernel's batch calls need cannot move between threads, so
/// that is made by the thread itself.
#[derive(Debug)]
pub(super) struct Worker {
    common: Arc<Common>,
    epoll: Epoll,
    waker: Arc<Waker>,
    listeners: Vec<Bound<UdpSocket>>,
    index: usize,
}

/// See the module documentation.
#[derive(Debug)]
struct Running {
    common: Arc<Common>,
    server: Server,
    epoll: Epoll,
    waker: Arc<Waker>,
    listeners: Vec<Bound<UdpSocket>>,
    /// Its place in the [`crate::udp::Inboxes`].
    index: usize,
    /// By [`RelayId`].
    relays: Vec<Option<Relay>>,
    /// Relayed addresses as the world sees them.
    by_address: HashMap<SocketAddr, RelayId>,
    /// For other workers' relays.
    parcels: Vec<Parcel>,
    /// From other workers.
    inbox: Parcel,
    slots: Slots,
    sending: Sending,
    to_clients: Vec<Outgoing<Range<usize>>>,
    to_peers: Vec<Outgoing<Range<usize>>>,
    next_report: Instant,
}

#[derive(Debug)]
struct Relay {
    socket: UdpSocket,
    /// As bound.
    address: SocketAddr,
    /// As the world sees it.
    advertised: SocketAddr,
    /// When it was last read.
    read: Instant,
    /// Whether several datagrams may wait: media come in bursts, a frame at a time.
    bursts: bool,
}

impl Worker {
    pub(super) fn new(common: Arc<Common>, listeners: Vec<Bound<UdpSocket>>) -> io::Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let waker = Arc::new(Waker::new(&epoll, WAKER)?);
        for (index, listener) in listeners.iter().enumerate() {
            watch(&epoll, &listener.socket, index as u64)?;
        }
        let index = common.inboxes.join(waker.clone());
        Ok(Self { common, epoll, waker, listeners, index })
    }

    pub(super) fn waker(&self) -> Arc<Waker> {
        self.waker.clone()
    }

    /// Serves until it is stopped.
    pub(super) fn run(self) {
        let Self { common, epoll, waker, listeners, index } = self;
        let running = Running {
            server: Server::new(common.shared.clone()),
            common,
            epoll,
            waker,
            listeners,
            relays: Vec::new(),
            by_address: HashMap::new(),
            parcels: Vec::new(),
            inbox: Parcel::default(),
            index,
            slots: Slots::new(),
            sending: Sending::new(),
            to_clients: Vec::new(),
            to_peers: Vec::new(),
            next_report: clock::now() + REPORT,
        };
        running.run();
    }
}

impl Running {
    fn run(mut self) {
        let mut events = [EpollEvent::empty(); EVENTS];
        while !self.waker.is_stopped() {
            let ready = match self.epoll.wait(&mut events, self.timeout()) {
                Ok(ready) => ready,
                Err(nix::errno::Errno::EINTR) => 0,
                Err(error) => {
                    tracing::error!(%error, "a TURN thread cannot wait for its sockets");
                    break;
                }
            };
            let now = clock::both();
            for event in &events[..ready] {
                self.receive(event.data(), now);
            }
            self.flush();
            self.execute(now);
            self.keep_time(now);
        }
        let now = clock::both();
        self.server.stop(now);
        self.execute(now);
        self.common.reports.count(&self.server.take_counts());
    }

    fn timeout(&self) -> EpollTimeout {
        let next = self.server.poll_timeout().unwrap_or(self.next_report).min(self.next_report);
        let wait = next.saturating_duration_since(clock::now()) + Duration::from_millis(1);
        EpollTimeout::try_from(wait).unwrap_or(EpollTimeout::NONE)
    }

    fn receive(&mut self, data: u64, now: Now) {
        #[expect(clippy::cast_possible_truncation, reason = "the low half is an index of ours")]
        let index = data as u32 as usize;
        if self.slots.is_full() {
            self.flush();
        }
        if data & WAKER != 0 {
            self.read_parcels(now);
            return;
        }
        if data & RELAY == 0 {
            // More than one batch, so that a burst is answered as one.
            while self.read_clients(index, now) == BATCH && !self.slots.is_full() {}
        } else {
            self.read_peers(index, now);
        }
    }

    fn read_clients(&mut self, index: usize, now: Now) -> usize {
        let Some(listener) = self.listeners.get(index) else { return 0 };
        let server = listener.address;
        let received = self.slots.receive(&listener.socket, server.is_ipv6(), BATCH);
        for datagram in 0..received {
            let (client, range) = self.slots.datagram(datagram);
            let from = FiveTuple { transport: Transport::Udp, client, server };
            let bytes = self.slots.bytes(range.clone());
            let Some(ToPeer { relay, peer, payload }) =
                self.server.handle_client(&from, bytes, now)
            else {
                continue;
            };
            let start = range.start + payload.as_ptr().addr() - bytes.as_ptr().addr();
            self.queue_for_peer(relay, peer, start..start + payload.len(), now);
        }
        received
    }

    /// Queues a payload for a peer; the short way if that is a relay of ours.
    fn queue_for_peer(&mut self, relay: RelayId, peer: SocketAddr, range: Range<usize>, now: Now) {
        let Some(Some(from)) = self.relays.get(relay.0) else { return };
        let (address, advertised) = (from.address, from.advertised);
        if self.common.directory.is_ours(peer) {
            if let Some(other) = self.by_address.get(&peer) {
                return self.queue_for_client(*other, advertised, range, now);
            }
            if let Some(worker) = self.common.directory.worker_of(peer) {
                if self.parcels.len() <= worker {
                    self.parcels.resize_with(worker + 1, Parcel::default);
                }
                self.parcels[worker].push(advertised, peer, self.slots.bytes(range));
                return;
            }
        }
        let to = self.common.ports.inward(address, peer);
        self.to_peers.push(Outgoing { socket: relay.0, to, payload: range });
    }

    /// Queues what a peer sent for the client of a relay.
    fn queue_for_client(
        &mut self,
        relay: RelayId,
        peer: SocketAddr,
        range: Range<usize>,
        now: Now,
    ) {
        let Some(ToClient { to, envelope }) =
            self.server.handle_peer(relay, peer, range.len(), now)
        else {
            return;
        };
        let Some(socket) = self.listener(to.server) else { return };
        let range = self.slots.wrap(&range, envelope.header(), envelope.padding);
        self.to_clients.push(Outgoing { socket, to: to.client, payload: range });
    }

    /// What clients of other workers sent to relays of this one.
    fn read_parcels(&mut self, now: Now) {
        self.waker.clear();
        let mut inbox = std::mem::take(&mut self.inbox);
        self.common.inboxes.collect(self.index, &mut inbox);
        inbox.drain(|from, to, payload| {
            let Some(relay) = self.by_address.get(&to).copied() else { return };
            if self.slots.is_full() {
                self.flush();
            }
            let range = self.slots.place(payload);
            self.queue_for_client(relay, from, range, now);
        });
        self.inbox = inbox;
    }

    fn read_peers(&mut self, index: usize, now: Now) {
        let Some(Some(relay)) = self.relays.get_mut(index) else { return };
        let received = if relay.bursts {
            self.slots.receive(&relay.socket, relay.address.is_ipv6(), RELAY_BATCH)
        } else {
            self.slots.receive_one(&relay.socket)
        };
        let since = now.instant.saturating_duration_since(relay.read);
        relay.bursts = if relay.bursts { received > 1 } else { since < BURST };
        relay.read = now.instant;
        for datagram in 0..received {
            let (peer, range) = self.slots.datagram(datagram);
            let peer = self.common.ports.outward(peer);
            self.queue_for_client(RelayId(index), peer, range, now);
        }
    }

    fn listener(&self, address: SocketAddr) -> Option<usize> {
        self.listeners.iter().position(|listener| listener.address == address)
    }

    /// Sends what was received, and makes room.
    fn flush(&mut self) {
        let (slots, relays, listeners) = (&self.slots, &self.relays, &self.listeners);
        let bytes = |range: &Range<usize>| slots.bytes(range.clone());
        gather(&mut self.to_peers);
        self.sending.send(&self.to_peers, bytes, |index| {
            relays.get(index)?.as_ref().map(|relay| &relay.socket)
        });
        gather(&mut self.to_clients);
        self.sending.send(&self.to_clients, bytes, |index| {
            listeners.get(index).map(|listener| &listener.socket)
        });
        self.to_peers.clear();
        self.to_clients.clear();
        self.slots.clear();
        for (worker, parcel) in self.parcels.iter_mut().enumerate() {
            if !parcel.is_empty() {
                self.common.inboxes.hand_over(worker, parcel);
            }
        }
    }

    fn execute(&mut self, now: Now) {
        while let Some(command) = self.server.next_command() {
            match command {
                Command::Reply { to, bytes } => {
                    let Some(index) = self.listener(to.server) else { continue };
                    if let Err(error) = self.listeners[index].socket.send_to(&bytes, to.client) {
                        tracing::debug!(%error, to = %to.client, "cannot answer");
                    }
                }
                Command::Open { client, server, families, port, .. } => {
                    let opened = self.common.ports.open_udp(server, &families, port);
                    self.opened(client, opened, now);
                }
                Command::Close(relay) => {
                    // Closing takes it out of epoll, too.
                    if let Some(relay) = self.relays.get_mut(relay.0).and_then(Option::take) {
                        self.by_address.remove(&relay.advertised);
                        self.common.directory.leave(relay.advertised);
                    }
                }
                Command::Report(report) => self.common.reports.tell(report),
                // Only clients on streams can have these (RFC 6062 section 4.1).
                Command::Connect { .. } | Command::Bind(_) => {
                    tracing::error!("a stream was asked for by a client on UDP");
                }
            }
        }
    }

    fn opened(&mut self, client: ClientId, opened: super::ports::Opened<UdpSocket>, now: Now) {
        let bound = |socket: Result<UdpSocket, OpenError>| {
            let socket = socket?;
            let address = socket.local_addr().map_err(|_| OpenError::Capacity)?;
            let advertised = self.common.ports.advertise(address);
            Ok(Relay { socket, address, advertised, read: now.instant, bursts: false })
        };
        let sockets: Vec<Result<Relay, OpenError>> =
            opened.sockets.into_iter().map(bound).collect();
        let told = |relay: &Result<Relay, OpenError>| {
            relay.as_ref().map(|it| it.advertised).map_err(|it| *it)
        };
        let relays = sockets.iter().map(told).collect();
        let ids = self.server.handle_opened(client, Opened { relays, token: opened.token }, now);
        for (id, relay) in ids.into_iter().zip(sockets) {
            let (Some(id), Ok(relay)) = (id, relay) else { continue };
            if let Err(error) = watch(&self.epoll, &relay.socket, RELAY | id.0 as u64) {
                tracing::error!(%error, "a relay cannot be read");
            }
            self.by_address.insert(relay.advertised, id);
            self.common.directory.enter(relay.advertised, self.index);
            if self.relays.len() <= id.0 {
                self.relays.resize_with(id.0 + 1, || None);
            }
            self.relays[id.0] = Some(relay);
        }
    }

    fn keep_time(&mut self, now: Now) {
        if self.server.poll_timeout().is_some_and(|at| at <= now.instant) {
            self.server.handle_timeout(now);
            self.execute(now);
        }
        if self.next_report <= now.instant {
            self.next_report = now.instant + REPORT;
            self.common.reports.count(&self.server.take_counts());
            self.common.ports.forget_expired(now.instant);
        }
    }
}

/// Puts together what goes to one destination. The starts of ranges grow with the time of arrival:
/// the order of a destination is kept.
fn gather(queue: &mut [Outgoing<Range<usize>>]) {
    queue.sort_unstable_by(|a, b| {
        (a.socket, a.to, a.payload.start).cmp(&(b.socket, b.to, b.payload.start))
    });
}
