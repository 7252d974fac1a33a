//! A router, its members, and the network between them with a clock turned by hand.
#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    clippy::disallowed_methods,
    clippy::cast_possible_truncation,
    clippy::struct_excessive_bools,
    clippy::type_complexity,
    clippy::unwrap_used,
    reason = "every test uses a part; the clock is read once, as a beginning"
)]

pub mod client;
pub mod picture;

use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use client::{Client, Sends};
use peerway_media::{
    Datagram, Event, LegId, LegOptions, LocalAddress, MediaRouter, Output, RoomId, RouterOptions,
    Transport,
};

pub const ROOM: RoomId = RoomId(1);

/// The router's other address.
const ADDRESS_V6: SocketAddr =
    SocketAddr::new(IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)), 5000);

/// What the network does to datagrams of one client, each way.
#[derive(Debug, Clone, Copy)]
pub struct Path {
    pub delay: Duration,
    pub jitter: Duration,
    /// Of 1000 datagrams, so many are lost.
    pub loss: u64,
    /// Bits per second to the client; what would wait longer than 300 ms is lost.
    pub bandwidth: Option<u64>,
    /// Clients of one network share its bandwidth.
    pub network: Option<u8>,
    pub down: bool,
    /// Nothing reaches the client.
    pub deaf: bool,
}

pub const GOOD: Path = Path {
    delay: Duration::from_millis(10),
    jitter: Duration::ZERO,
    loss: 0,
    bandwidth: None,
    network: None,
    down: false,
    deaf: false,
};

pub const BAD: Path =
    Path { delay: Duration::from_millis(20), jitter: Duration::from_millis(15), loss: 50, ..GOOD };

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Flight {
    // Reversed: the heap's greatest is the earliest.
    at: std::cmp::Reverse<(Instant, u64)>,
    to_router: bool,
    transport: Transport,
    client: SocketAddr,
    data: Vec<u8>,
}

/// Everything there is.
pub struct World {
    pub start: Instant,
    pub now: Instant,
    pub router: MediaRouter,
    pub address: SocketAddr,
    pub clients: BTreeMap<LegId, Client>,
    pub events: Vec<(Instant, Event)>,
    pub paths: BTreeMap<SocketAddr, Path>,
    /// How long a description travels.
    pub signalling: Duration,
    /// How often what clients send arrives once more.
    pub replays: usize,
    /// What clients sent, while it is kept.
    pub kept: Option<Vec<(SocketAddr, Vec<u8>)>>,
    /// The source and number of every packet that a client was sent.
    sealed: BTreeSet<(SocketAddr, [u8; 6])>,
    /// Checks arrive without what nominates their path, as if it came with later ones, like Chromium's.
    pub unnominated: bool,
    flights: BinaryHeap<Flight>,
    answers: Vec<(Instant, LegId, String)>,
    offers: Vec<(Instant, LegId, String, Vec<(String, LegId)>)>,
    busy_until: BTreeMap<(Option<SocketAddr>, Option<u8>), Instant>,
    launched: u64,
    chance: u64,
}

impl Default for World {
    fn default() -> Self {
        Self::new(RouterOptions::default())
    }
}

impl World {
    pub fn new(options: RouterOptions) -> Self {
        let start = Instant::now();
        let address: SocketAddr = "198.51.100.1:5000".parse().unwrap();
        let local = |transport, address| LocalAddress { transport, address };
        let addresses = vec![
            local(Transport::Udp, ADDRESS_V6),
            local(Transport::Udp, address),
            local(Transport::Tcp, address),
        ];
        let router = MediaRouter::new(RouterOptions { addresses, seed: 7, ..options });
        Self {
            start,
            now: start,
            router,
            address,
            clients: BTreeMap::new(),
            events: Vec::new(),
            paths: BTreeMap::new(),
            signalling: Duration::from_millis(5),
            replays: 0,
            kept: None,
            sealed: BTreeSet::new(),
            unnominated: false,
            flights: BinaryHeap::new(),
            answers: Vec::new(),
            offers: Vec::new(),
            busy_until: BTreeMap::new(),
            launched: 0,
            chance: 0x9e37_79b9_7f4a_7c15,
        }
    }

    pub fn join(&mut self, leg: u64, sends: Sends, path: Path) -> LegId {
        self.join_with(leg, sends, path, LegOptions::default(), str0m::RtcConfig::new())
    }

    /// The same over another transport.
    pub fn join_over(&mut self, transport: Transport, leg: u64, sends: Sends, path: Path) -> LegId {
        let id = self.join(leg, sends, path);
        let client = self.client_mut(id);
        client.move_to(transport, client.address);
        id
    }

    pub fn join_with(
        &mut self,
        leg: u64,
        sends: Sends,
        path: Path,
        options: LegOptions,
        config: str0m::RtcConfig,
    ) -> LegId {
        let id = LegId(leg);
        let address = SocketAddr::from(([192, 0, 2, 1], 1000 + leg as u16));
        let client = Client::with(self.now, id, address, sends, config);
        self.clients.insert(id, client);
        self.paths.insert(address, path);
        self.router.handle_join(self.now, ROOM, id, options);
        self.router.handle_offer_wanted(self.now, id);
        self.settle();
        id
    }

    /// From now on a client has another address.
    pub fn relocate(&mut self, leg: LegId, address: SocketAddr) {
        let transport = self.client(leg).transport;
        self.relocate_with(leg, transport, address);
    }

    /// The same, over another transport.
    pub fn relocate_with(&mut self, leg: LegId, transport: Transport, address: SocketAddr) {
        let client = self.clients.get_mut(&leg).unwrap();
        let path = self.paths.remove(&client.address).unwrap();
        self.paths.insert(address, path);
        client.move_to(transport, address);
        client.handle_timeout(self.now);
        self.settle();
    }

    pub fn leave(&mut self, leg: LegId) {
        self.clients.remove(&leg);
        self.router.handle_leave(self.now, leg);
        self.settle();
    }

    pub fn client(&self, leg: LegId) -> &Client {
        &self.clients[&leg]
    }

    pub fn client_mut(&mut self, leg: LegId) -> &mut Client {
        self.clients.get_mut(&leg).unwrap()
    }

    /// A datagram arrives, as if a client had sent it.
    pub fn inject(&mut self, source: SocketAddr, data: &[u8]) {
        let destination = self.address;
        let datagram = Datagram { transport: Transport::Udp, source, destination, data };
        self.router.handle_datagram(self.now, datagram);
        self.settle();
    }

    /// Time since the start.
    pub fn elapsed(&self) -> Duration {
        self.now - self.start
    }

    pub fn happened(&self, event: &Event) -> bool {
        self.events.iter().any(|(_, happened)| happened == event)
    }

    /// Lets time pass.
    pub fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        let mut steps = 0_u32;
        while self.step(end) {
            steps += 1;
            assert!(steps < 2_000_000, "time stands still: {:?}", self.events.last());
        }
        self.now = end;
    }

    /// Lets time pass until something is so.
    pub fn run_until(&mut self, most: Duration, mut is_so: impl FnMut(&Self) -> bool) {
        let end = self.now + most;
        while !is_so(self) {
            assert!(self.step(end), "it did not come to pass within {most:?}");
        }
    }

    /// The next thing that happens before `end`.
    fn step(&mut self, end: Instant) -> bool {
        self.settle();
        let next = [
            self.flights.peek().map(|flight| flight.at.0.0),
            self.router.poll_timeout(),
            self.clients.values().map(Client::poll_timeout).min(),
            self.answers.iter().map(|it| it.0).min(),
            self.offers.iter().map(|it| it.0).min(),
        ];
        let Some(next) = next.into_iter().flatten().min().filter(|next| *next <= end) else {
            return false;
        };
        self.now = self.now.max(next);
        let now = self.now;
        while self.flights.peek().is_some_and(|flight| flight.at.0.0 <= now) {
            let flight = self.flights.pop().unwrap();
            self.land(&flight);
        }
        for (_, leg, sdp, streams) in take_due(&mut self.offers, |it| it.0 <= now) {
            let Some(client) = self.clients.get_mut(&leg) else { continue };
            if let Some(answer) = client.answer(&sdp, streams) {
                self.answers.push((now + self.signalling, leg, answer));
                client.handle_timeout(now);
            }
        }
        for (_, leg, sdp) in take_due(&mut self.answers, |it| it.0 <= now) {
            self.router.handle_answer(now, leg, &sdp);
        }
        if self.router.poll_timeout().is_some_and(|due| due <= now) {
            self.router.handle_timeout(now);
        }
        for client in self.clients.values_mut() {
            if client.poll_timeout() <= now {
                client.handle_timeout(now);
            }
        }
        self.settle();
        true
    }

    /// Drains everybody, putting what they send on its way.
    fn settle(&mut self) {
        while let Some(output) = self.router.next_output() {
            match output {
                Output::Transmit(transmit) => {
                    assert_eq!(transmit.source, self.address_for(transmit.destination));
                    self.assert_sealed_once(transmit.destination, &transmit.data);
                    let there = (transmit.transport, transmit.destination);
                    self.launch(false, there, transmit.data);
                }
                Output::Event(event) => {
                    if let Event::Offer { leg, sdp, streams } = &event {
                        let at = self.now + self.signalling;
                        self.offers.push((at, *leg, sdp.clone(), streams.clone()));
                    }
                    self.events.push((self.now, event));
                }
            }
        }
        let mut sent = Vec::new();
        for client in self.clients.values_mut() {
            let here = (client.transport, client.address);
            sent.extend(client.drain(self.now).into_iter().map(|(_, data)| (here, data)));
        }
        for (client, data) in sent {
            self.launch(true, client, data);
        }
    }

    /// Two packets with one number are encrypted with one key stream, which gives it away.
    fn assert_sealed_once(&mut self, to: SocketAddr, data: &[u8]) {
        let Some(head) = data.first_chunk::<12>() else { return };
        // RFC 7983 and RFC 5761: RTP alone.
        if !(128..192).contains(&head[0]) || (192..224).contains(&head[1]) {
            return;
        }
        let number = [head[2], head[3], head[8], head[9], head[10], head[11]];
        assert!(self.sealed.insert((to, number)), "a number was used twice");
    }

    fn launch(
        &mut self,
        to_router: bool,
        (transport, client): (Transport, SocketAddr),
        data: Vec<u8>,
    ) {
        let Some(path) = self.paths.get(&client).copied() else { return };
        if path.down || (path.deaf && !to_router) || self.random(1000) < path.loss {
            return;
        }
        let mut at = self.now + path.delay;
        if let (false, Some(bandwidth)) = (to_router, path.bandwidth) {
            let alone = path.network.is_none().then_some(client);
            let link = (alone, path.network);
            let free = self.busy_until.get(&link).copied().unwrap_or(self.now).max(self.now);
            if free > self.now + Duration::from_millis(300) {
                return;
            }
            let takes = Duration::from_nanos((data.len() as u64 + 28) * 8_000_000_000 / bandwidth);
            self.busy_until.insert(link, free + takes);
            at = free + takes + path.delay;
        }
        let jitter = self.random(path.jitter.as_micros() as u64);
        at += Duration::from_micros(jitter);
        self.launched += 1;
        let at = std::cmp::Reverse((at, self.launched));
        self.flights.push(Flight { at, to_router, transport, client, data });
    }

    /// The router's address for who is there.
    fn address_for(&self, client: SocketAddr) -> SocketAddr {
        if client.is_ipv4() { self.address } else { ADDRESS_V6 }
    }

    fn land(&mut self, flight: &Flight) {
        if flight.to_router {
            let client = self.clients.values().find(|client| client.address == flight.client);
            let check = client
                .filter(|_| self.unnominated)
                .and_then(|it| it.without_nomination(&flight.data));
            let datagram = Datagram {
                transport: flight.transport,
                source: flight.client,
                destination: self.address_for(flight.client),
                data: check.as_deref().unwrap_or(&flight.data),
            };
            for _ in 0..=self.replays {
                self.router.handle_datagram(self.now, datagram);
            }
            if let Some(kept) = &mut self.kept {
                kept.push((flight.client, flight.data.clone()));
            }
            return;
        }
        let source = self.address_for(flight.client);
        if let Some(client) = self
            .clients
            .values_mut()
            .find(|client| (client.transport, client.address) == (flight.transport, flight.client))
        {
            client.handle_datagram(self.now, source, &flight.data);
            let sent = client.drain(self.now);
            for (_, data) in sent {
                self.launch(true, (flight.transport, flight.client), data);
            }
        }
    }

    pub fn random(&mut self, below: u64) -> u64 {
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        if below == 0 { 0 } else { self.chance % below }
    }
}

fn take_due<T>(all: &mut Vec<T>, is_due: impl Fn(&T) -> bool) -> Vec<T> {
    let (due, later) = std::mem::take(all).into_iter().partition(is_due);
    *all = later;
    due
}
