//! The loop of one thread: its sockets, its rooms.
//!
//! Priority, top to bottom, each time around: datagrams that wait (received in batches, so that what
//! a burst brings for one leg goes out together), orders, time; then everything that these made to be
//! sent and told.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use peerway_broker::{LegId, MediaEvent};
use peerway_media::{Datagram, Transport};
use tokio::sync::mpsc::Sender;

use super::Common;
use super::members::Members;
use super::paths::{self, OwnPaths};
use super::stream::Streams;
use super::tell::Teller;
use crate::clock;
use crate::metrics::SfuCounts;
use crate::udp::{BATCH, Bound, Outgoing, Parcel, Sending, Slots, Waker, watch};

/// Sockets that one look at the kernel can name.
const EVENTS: usize = 256;
/// How often counts are handed over, and what is of no use any more is thrown away.
const REPORT: Duration = Duration::from_secs(1);
/// When the node loop, which was behind, is tried again.
const RETRY: Duration = Duration::from_millis(5);
/// Datagrams that are sent before more is made of what was received.
const MOST_OUTGOING: usize = 256;
/// What an event's data says beside the number of a socket or stream.
const STREAM: u64 = 1 << 32;
const WAKER: u64 = 1 << 33;

/// What a worker needs before there is anything that it shares with others.
#[derive(Debug)]
pub(super) struct Prepared {
    epoll: Epoll,
    waker: Arc<Waker>,
    /// To wait for room in full sockets.
    room: Epoll,
}

/// A loop that has not begun. What the kernel's batch calls need cannot move between threads, so
/// that is made by the thread itself.
#[derive(Debug)]
pub(super) struct Worker {
    common: Arc<Common>,
    prepared: Prepared,
    index: usize,
    sockets: Vec<Bound<UdpSocket>>,
    events: Sender<(LegId, MediaEvent)>,
}

/// See the module documentation.
#[derive(Debug)]
struct Running {
    common: Arc<Common>,
    epoll: Epoll,
    waker: Arc<Waker>,
    /// Its place among the workers.
    index: usize,
    sockets: Vec<Bound<UdpSocket>>,
    members: Members,
    paths: OwnPaths,
    streams: Streams,
    teller: Teller,
    slots: Slots,
    sending: Sending,
    outgoing: Vec<Outgoing<Vec<u8>>>,
    /// For other workers, by their places.
    parcels: Vec<Parcel>,
    /// From other workers.
    inbox: Parcel,
    /// Where streams are read into.
    buffer: Vec<u8>,
    counts: SfuCounts,
    told_all: bool,
    next_report: Instant,
}

impl Prepared {
    pub(super) fn new() -> io::Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let waker = Arc::new(Waker::new(&epoll, WAKER)?);
        let room = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        Ok(Self { epoll, waker, room })
    }

    pub(super) fn waker(&self) -> Arc<Waker> {
        self.waker.clone()
    }

    /// The worker of these sockets.
    pub(super) fn with(
        self,
        common: Arc<Common>,
        sockets: Vec<Bound<UdpSocket>>,
        events: Sender<(LegId, MediaEvent)>,
    ) -> io::Result<Worker> {
        for (index, socket) in sockets.iter().enumerate() {
            watch(&self.epoll, &socket.socket, index as u64)?;
        }
        let index = common.inboxes.join(self.waker.clone());
        Ok(Worker { common, prepared: self, index, sockets, events })
    }
}

impl Worker {
    pub(super) fn waker(&self) -> Arc<Waker> {
        self.prepared.waker()
    }

    /// Serves until it is stopped.
    pub(super) fn run(self) {
        let Self { common, prepared: Prepared { epoll, waker, room }, index, sockets, events } =
            self;
        let mut running = Running {
            members: Members::new(common.clone(), index),
            parcels: std::iter::repeat_with(Parcel::default)
                .take(common.settings.workers)
                .collect(),
            common,
            epoll,
            waker,
            index,
            sockets,
            paths: OwnPaths::default(),
            streams: Streams::default(),
            teller: Teller::new(events),
            slots: Slots::new(),
            sending: Sending::patient(room),
            outgoing: Vec::new(),
            inbox: Parcel::default(),
            buffer: Vec::new(),
            counts: SfuCounts::default(),
            told_all: true,
            next_report: clock::now() + REPORT,
        };
        // A fault outside of a single leg, which the router fences itself, costs this worker's legs;
        // those of others, and new ones here, live on.
        while catch_unwind(AssertUnwindSafe(|| running.run())).is_err() {
            tracing::error!(index, "a worker of the SFU failed: its members are disconnected");
            running.begin_again();
        }
    }
}

impl Running {
    fn run(&mut self) {
        let mut events = [EpollEvent::empty(); EVENTS];
        while !self.waker.is_stopped() {
            let ready = match self.epoll.wait(&mut events, self.timeout()) {
                Ok(ready) => ready,
                Err(Errno::EINTR) => 0,
                Err(error) => {
                    tracing::error!(%error, "a worker of the SFU cannot wait for its sockets");
                    break;
                }
            };
            let now = clock::now();
            for event in &events[..ready] {
                self.receive(*event, now);
            }
            self.hand_over();
            self.members.handle_timeout(now);
            self.settle();
            self.keep_time(now);
            self.counts.busy += clock::now().saturating_duration_since(now);
        }
        let now = clock::now();
        self.members.leave_all(now);
        self.settle();
        self.streams.close(&self.epoll, STREAM, &mut self.buffer);
        self.report(now);
    }

    fn timeout(&self) -> EpollTimeout {
        let now = clock::now();
        let retry = (!self.told_all).then_some(now + RETRY);
        let next = [self.members.poll_timeout(), retry, Some(self.next_report)];
        let next = next.into_iter().flatten().min().unwrap_or(now);
        // Rounded up: a loop that is too early turns for nothing.
        let wait = next.saturating_duration_since(now) + Duration::from_micros(999);
        EpollTimeout::try_from(wait).unwrap_or(EpollTimeout::ZERO)
    }

    fn receive(&mut self, event: EpollEvent, now: Instant) {
        let data = event.data();
        #[expect(clippy::cast_possible_truncation, reason = "the low half is a number of ours")]
        let number = data as u32;
        if data & WAKER != 0 {
            self.waker.clear();
            self.read_parcels(now);
            self.take_orders(now);
        } else if data & STREAM != 0 {
            if event.events().contains(EpollFlags::EPOLLOUT) {
                self.streams.write(number, &self.epoll, STREAM);
            }
            self.read_stream(number, now);
        } else {
            // More than one batch, so that a burst is forwarded as one.
            while self.read_socket(number as usize, now) == BATCH {
                if self.slots.is_full() {
                    // Others' turn; what waits is told again.
                    break;
                }
            }
            self.slots.clear();
        }
    }

    fn read_socket(&mut self, index: usize, now: Instant) -> usize {
        let Some(socket) = self.sockets.get(index) else { return 0 };
        let Some(destination) = self.common.addresses.candidate(index) else { return 0 };
        let received = self.slots.receive(&socket.socket, socket.address.is_ipv6(), BATCH);
        let mut workers = [self.index; BATCH];
        if self.parcels.len() > 1 {
            self.common.paths.find(|of_source| {
                for (datagram, worker) in workers[..received].iter_mut().enumerate() {
                    let (source, range) = self.slots.datagram(datagram);
                    let named = paths::worker_of(self.slots.bytes(range));
                    *worker = named.or_else(|| of_source(source)).unwrap_or(self.index);
                }
            });
        }
        for (datagram, worker) in workers[..received].iter().enumerate() {
            let (source, range) = self.slots.datagram(datagram);
            self.counts.received(range.len());
            if *worker != self.index
                && let Some(parcel) = self.parcels.get_mut(*worker)
            {
                self.counts.handed_over += 1;
                parcel.push(source, destination, self.slots.bytes(range));
                continue;
            }
            let data = self.slots.bytes(range);
            let transport = Transport::Udp;
            let datagram = Datagram { transport, source, destination, data };
            if self.members.handle_datagram(now, datagram) && paths::worker_of(data).is_some() {
                let others = (self.parcels.len() > 1).then_some((&self.common.paths, self.index));
                self.paths.checked(now, source, index, others);
            }
        }
        received
    }

    /// What came for legs of this worker to the sockets of others.
    fn read_parcels(&mut self, now: Instant) {
        self.common.inboxes.collect(self.index, &mut self.inbox);
        let Self { inbox, members, paths, common, index, .. } = self;
        inbox.drain(|source, destination, data| {
            let datagram = Datagram { transport: Transport::Udp, source, destination, data };
            if members.handle_datagram(now, datagram)
                && paths::worker_of(data).is_some()
                && let Some(socket) = common.addresses.socket(destination)
            {
                paths.checked(now, source, socket, Some((&common.paths, *index)));
            }
        });
    }

    fn read_stream(&mut self, number: u32, now: Instant) {
        let Self { streams, members, counts, buffer, .. } = self;
        streams.read(number, now, buffer, |source, destination, data| {
            counts.received(data.len());
            let transport = Transport::Tcp;
            members.handle_datagram(now, Datagram { transport, source, destination, data })
        });
    }

    fn take_orders(&mut self, now: Instant) {
        self.members.order(self.common.orders[self.index].take());
        while let Some(incoming) = self.members.next_order(now, &mut self.teller) {
            match self.streams.add(now, &self.epoll, STREAM, incoming) {
                // What was read before is looked at as if it had just come.
                Ok(number) => self.read_stream(number, now),
                Err(error) => tracing::warn!(%error, "a connection of the SFU cannot be watched"),
            }
        }
    }

    /// Gives others what is theirs.
    fn hand_over(&mut self) {
        for (worker, parcel) in self.parcels.iter_mut().enumerate() {
            if !parcel.is_empty() {
                self.common.inboxes.hand_over(worker, parcel);
            }
        }
    }

    /// Sends and tells all that there is.
    fn settle(&mut self) {
        while let Some(transmit) = self.members.next_transmit(&mut self.teller) {
            let (to, from) = (transmit.destination, transmit.source);
            self.counts.sent(transmit.data.len());
            if transmit.transport == Transport::Tcp {
                self.streams.send(to, from, &transmit.data);
                self.members.recycle(transmit.data);
                continue;
            }
            let Some(socket) = self.socket(to, from) else { continue };
            self.outgoing.push(Outgoing { socket, to, payload: transmit.data });
            if self.outgoing.len() >= MOST_OUTGOING {
                self.flush();
            }
        }
        self.flush();
        self.streams.flush(&self.epoll, STREAM);
        self.told_all = self.teller.flush();
    }

    /// The socket for a destination: where several stand for one candidate, the one that it was
    /// heard on.
    fn socket(&self, to: SocketAddr, candidate: SocketAddr) -> Option<usize> {
        let of_path = || self.paths.socket(to);
        let addresses = &self.common.addresses;
        let fits = |index: &usize| addresses.candidate(*index) == Some(candidate);
        if addresses.is_ambiguous() {
            return of_path().filter(fits).or_else(|| addresses.socket(candidate));
        }
        addresses.socket(candidate)
    }

    fn flush(&mut self) {
        // Runs stay together: the order inside of a socket is kept.
        if self.sockets.len() > 1 {
            self.outgoing.sort_by_key(|it| it.socket);
        }
        let sockets = &self.sockets;
        let socket = |index: usize| sockets.get(index).map(|it| &it.socket);
        self.sending.send(&self.outgoing, Vec::as_slice, socket);
        for sent in self.outgoing.drain(..) {
            self.members.recycle(sent.payload);
        }
    }

    fn keep_time(&mut self, now: Instant) {
        if self.next_report <= now {
            self.next_report = now + REPORT;
            self.paths.sweep(now, &self.common.paths, self.index);
            self.streams.sweep(now);
            self.report(now);
        }
    }

    fn report(&mut self, now: Instant) {
        self.counts.calls = self.sending.take_calls();
        self.counts.strays = self.members.take_strays();
        self.common.metrics.sfu.count(&std::mem::take(&mut self.counts));
        self.common.metrics.sfu.connections(self.index, self.streams.len());
        self.common.metrics.sfu.suffered(&self.members.sample(now));
    }

    /// After a fault nothing of the members is looked at again.
    fn begin_again(&mut self) {
        self.outgoing.clear();
        self.slots.clear();
        self.inbox = Parcel::default();
        self.members.begin_again(&mut self.teller);
        self.told_all = false;
    }
}
