//! What forwarding a packet costs, without any socket: one publisher, N subscribers that count.
//!
//! `cargo run --release -p peerway-media --example forward -- [SUBSCRIBERS] [SECONDS] [bwe] [full]`
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::unchecked_time_subtraction,
    reason = "a measurement reads the clock, and its numbers are small"
)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use peerway_media::{
    Datagram, Event, LegId, LegOptions, LocalAddress, MediaRouter, Output, RoomId, RouterOptions,
    Transmit, Transport,
};
use support::client::{Client, NOTHING, VIDEO};

struct Bench {
    router: MediaRouter,
    address: SocketAddr,
    now: Instant,
    clients: Vec<Client>,
    by_address: HashMap<SocketAddr, usize>,
    /// The subscribers' engines see RTP too.
    full: bool,
    spent: Duration,
    forwarded: u64,
    runs: u64,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |index: usize, default| {
        arguments.get(index).and_then(|it| it.parse().ok()).unwrap_or(default)
    };
    let (subscribers, seconds) = (number(0, 200_u64), number(1, 10_u64));
    let has = |word: &str| arguments.iter().any(|it| it == word);
    let first_bitrate = has("bwe").then_some(5_000_000);

    let address: SocketAddr = "198.51.100.1:5000".parse().unwrap();
    let addresses = vec![LocalAddress { transport: Transport::Udp, address }];
    let mut bench = Bench {
        router: MediaRouter::new(RouterOptions { addresses, ..RouterOptions::default() }),
        address,
        now: Instant::now(),
        clients: Vec::new(),
        by_address: HashMap::new(),
        full: has("full"),
        spent: Duration::ZERO,
        forwarded: 0,
        runs: 0,
    };
    let memory = resident();
    for leg in 0..=subscribers {
        let sends = if leg == 0 { VIDEO } else { NOTHING };
        let at = SocketAddr::from(([10, 0, u8::try_from(leg >> 8).unwrap(), leg as u8], 1000));
        bench.by_address.insert(at, bench.clients.len());
        bench.clients.push(Client::new(bench.now, LegId(leg), at, sends));
        bench.clients.last_mut().unwrap().set_picture(4);
        let options = LegOptions { first_bitrate, ..LegOptions::default() };
        bench.router.handle_join(bench.now, RoomId(1), LegId(leg), options);
        bench.router.handle_offer_wanted(bench.now, LegId(leg));
        bench.turn(Duration::from_millis(1));
    }
    for _ in 0..300 {
        bench.turn(Duration::from_millis(10));
    }
    let connected = bench.clients.iter().filter(|client| client.connected_at.is_some()).count();
    println!(
        "joined: {connected} of {}, {:.1} ms each",
        subscribers + 1,
        bench.spent.as_secs_f64() * 1000.0 / (subscribers + 1) as f64
    );
    (bench.spent, bench.forwarded, bench.runs) = (Duration::ZERO, 0, 0);
    for _ in 0..seconds * 30 {
        bench.turn(Duration::from_micros(33_333));
    }
    let micros = bench.spent.as_secs_f64() * 1e6 / bench.forwarded as f64;
    println!(
        "{subscribers} subscribers, {} packets forwarded in {} runs to one destination: {micros:.2} us each",
        bench.forwarded, bench.runs
    );
    println!("{} KiB resident for each, both sides", (resident() - memory) / (subscribers + 1));
}

impl Bench {
    fn turn(&mut self, duration: Duration) {
        self.now += duration;
        let now = self.now;
        // A receive loop takes what a burst brought, and only then sends.
        let mut arrived: Vec<(SocketAddr, Vec<u8>)> = Vec::new();
        for client in &mut self.clients {
            if client.poll_timeout() <= now {
                client.handle_timeout(now);
            }
            arrived.extend(client.drain(now).into_iter().map(|(_, it)| (client.address, it)));
        }
        loop {
            let mut transmits: Vec<Transmit> = Vec::new();
            let mut events = Vec::new();
            let begin = processor_time();
            for (source, data) in &arrived {
                let datagram = Datagram {
                    transport: Transport::Udp,
                    source: *source,
                    destination: self.address,
                    data,
                };
                self.router.handle_datagram(now, datagram);
            }
            if self.router.poll_timeout().is_some_and(|due| due <= now) {
                self.router.handle_timeout(now);
            }
            let mut last = None;
            while let Some(output) = self.router.next_output() {
                match output {
                    Output::Transmit(transmit) => {
                        if last != Some(transmit.destination) {
                            self.runs += 1;
                            last = Some(transmit.destination);
                        }
                        let is_rtp = transmit.data[0] & 0xc0 == 0x80
                            && !(192..=223).contains(&transmit.data[1]);
                        self.forwarded += u64::from(is_rtp);
                        // What is sent is gone, as on a socket.
                        if !is_rtp || self.full {
                            transmits.push(transmit);
                        } else {
                            self.router.recycle(transmit.data);
                        }
                    }
                    Output::Event(event) => events.push(event),
                }
            }
            self.spent += processor_time() - begin;
            arrived.clear();
            for transmit in transmits {
                let client = &mut self.clients[self.by_address[&transmit.destination]];
                client.handle_datagram(now, self.address, &transmit.data);
                arrived.extend(client.drain(now).into_iter().map(|(_, it)| (client.address, it)));
            }
            for event in events {
                if let Event::Offer { leg, sdp, streams } = event {
                    let client = &mut self.clients[leg.0 as usize];
                    let answer = client.answer(&sdp, streams).unwrap();
                    client.handle_timeout(now);
                    arrived
                        .extend(client.drain(now).into_iter().map(|(_, it)| (client.address, it)));
                    let begin = processor_time();
                    self.router.handle_answer(now, leg, &answer);
                    self.spent += processor_time() - begin;
                }
            }
            if arrived.is_empty() {
                break;
            }
        }
    }
}

/// Of this thread: others may use the machine too.
fn processor_time() -> Duration {
    let clock = nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID;
    nix::time::clock_gettime(clock).unwrap().into()
}

/// KiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().split(' ').next()?.parse().ok()).unwrap_or_default()
}
