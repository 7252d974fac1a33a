//! The network between two links: delay, jitter (and so reordering), loss, outage.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use peerway_protocol::Value;
use peerway_protocol::data::{Generation, Serialization};

use super::super::{Event, Link, Output, Purpose};
use crate::connection::Lifetime;
use crate::engine::ChannelOptions;
use crate::transport::LocalCandidate;

/// One end.
pub(super) struct Side {
    pub(super) link: Link,
    pub(super) address: SocketAddr,
    pub(super) events: Vec<Event>,
    timeout: Instant,
}

impl Side {
    /// The values that arrived.
    pub(super) fn values(&self) -> Vec<&Value> {
        let mut values = Vec::new();
        for event in &self.events {
            if let Event::Value(value) = event {
                values.push(value);
            }
        }
        values
    }

    pub(super) fn is_closed(&self) -> bool {
        self.events.iter().any(|event| matches!(event, Event::Closed(_)))
    }
}

/// What the network does to datagrams.
#[derive(Debug, Clone, Copy)]
pub(super) struct Path {
    pub(super) delay: Duration,
    pub(super) jitter: Duration,
    /// Of 1000 datagrams, so many are lost.
    pub(super) loss: u64,
}

pub(super) const GOOD: Path =
    Path { delay: Duration::from_millis(10), jitter: Duration::ZERO, loss: 0 };

pub(super) const BAD: Path =
    Path { delay: Duration::from_millis(20), jitter: Duration::from_millis(15), loss: 50 };

struct Flight {
    at: Instant,
    to_callee: bool,
    source: SocketAddr,
    destination: SocketAddr,
    data: Vec<u8>,
}

/// Everything there is.
pub(super) struct World {
    pub(super) start: Instant,
    pub(super) now: Instant,
    pub(super) caller: Side,
    pub(super) callee: Side,
    pub(super) path: Path,
    /// Nothing arrives.
    pub(super) down: bool,
    flights: Vec<Flight>,
    chance: u64,
}

pub(super) fn data(serialization: Serialization, ordered: bool) -> Purpose {
    let channel =
        ChannelOptions { label: "test".to_owned(), ordered, lifetime: Lifetime::Reliable };
    Purpose::Data { serialization, channel }
}

fn host(address: SocketAddr) -> [LocalCandidate; 1] {
    [LocalCandidate::Host { addr: address }]
}

impl World {
    /// Two links that have exchanged their descriptions.
    pub(super) fn new(path: Path, purpose: Purpose) -> Self {
        let start = crate::clock::now();
        let addresses: [SocketAddr; 2] =
            ["192.0.2.1:1000".parse().unwrap(), "192.0.2.2:2000".parse().unwrap()];
        let (mut caller, offer) = Link::call(start, purpose.clone(), &host(addresses[0]));
        let (other, answer) =
            Link::answer(start, purpose, &offer, Generation::Modern, &host(addresses[1])).unwrap();
        caller.handle_answer(start, &answer, Generation::Modern).unwrap();
        let side = |link, address| Side { link, address, events: Vec::new(), timeout: start };
        Self {
            start,
            now: start,
            caller: side(caller, addresses[0]),
            callee: side(other, addresses[1]),
            path,
            down: false,
            flights: Vec::new(),
            chance: 0x9e37_79b9_7f4a_7c15,
        }
    }

    /// The same, driven until both are open.
    pub(super) fn open(path: Path, purpose: Purpose) -> Self {
        let mut world = Self::new(path, purpose);
        world.drive_until(Duration::from_secs(20), |world| {
            [&world.caller, &world.callee]
                .iter()
                .all(|side| side.events.iter().any(|event| matches!(event, Event::Open)))
        });
        world
    }

    /// Time since the start.
    pub(super) fn elapsed(&self) -> Duration {
        self.now - self.start
    }

    fn random(&mut self, below: u64) -> u64 {
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        if below == 0 { 0 } else { self.chance % below }
    }

    /// Drains both links, putting what they send on its way.
    pub(super) fn settle(&mut self) {
        for to_callee in [true, false] {
            loop {
                let side = if to_callee { &mut self.caller } else { &mut self.callee };
                match side.link.poll(self.now) {
                    Output::Transmit { source, destination, data } => {
                        self.launch(to_callee, source, destination, data);
                    }
                    Output::Event(event) => side.events.push(event),
                    Output::Timeout(at) => {
                        side.timeout = at;
                        break;
                    }
                }
            }
        }
    }

    fn launch(&mut self, to_callee: bool, source: SocketAddr, to: SocketAddr, data: Vec<u8>) {
        let lost = self.random(1000) < self.path.loss;
        if self.down || lost {
            return;
        }
        let jitter = u64::try_from(self.path.jitter.as_micros()).unwrap();
        let jitter = Duration::from_micros(self.random(jitter));
        let at = self.now + self.path.delay + jitter;
        self.flights.push(Flight { at, to_callee, source, destination: to, data });
    }

    /// Goes to the next thing that happens, but not beyond `limit`.
    pub(super) fn step(&mut self, limit: Instant) {
        self.settle();
        let arrival = self.flights.iter().map(|flight| flight.at).min();
        let next = [Some(self.caller.timeout), Some(self.callee.timeout), arrival];
        let next = next.into_iter().flatten().min().unwrap_or(limit);
        // Time always goes on, whatever an engine asks for.
        self.now = next.max(self.now + Duration::from_micros(1)).min(limit);
        while let Some(index) = self.next_arrival() {
            let flight = self.flights.remove(index);
            let side = if flight.to_callee { &mut self.callee } else { &mut self.caller };
            if !self.down && flight.destination == side.address {
                side.link.handle_datagram(
                    self.now,
                    flight.source,
                    flight.destination,
                    &flight.data,
                );
                self.settle();
            }
        }
        for side in [&mut self.caller, &mut self.callee] {
            if side.timeout <= self.now {
                side.link.handle_timeout(self.now);
            }
        }
        self.settle();
    }

    fn next_arrival(&self) -> Option<usize> {
        let due = self.flights.iter().enumerate().filter(|(_, flight)| flight.at <= self.now);
        due.min_by_key(|(_, flight)| flight.at).map(|(index, _)| index)
    }

    /// Drives until `done`, which must come within `within`.
    pub(super) fn drive_until(&mut self, within: Duration, done: impl Fn(&Self) -> bool) {
        let limit = self.now + within;
        self.settle();
        while !done(self) {
            assert!(self.now < limit, "nothing came of it within {within:?}");
            self.step(limit);
        }
    }

    /// Drives for so long.
    pub(super) fn drive_for(&mut self, time: Duration) {
        let limit = self.now + time;
        while self.now < limit {
            self.step(limit);
        }
    }

    /// Sends a value from the caller as soon as the link takes one.
    pub(super) fn send(&mut self, value: &Value) {
        self.drive_until(Duration::from_mins(1), |world| world.caller.link.can_send());
        self.caller.link.send(value).unwrap();
    }
}
