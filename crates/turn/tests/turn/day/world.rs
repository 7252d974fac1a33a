//! Two servers of one program, everybody who uses them, and the clock.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use peerway_turn::{
    Command, Credentials, Family, FiveTuple, Form, Limits, Now, RelayId, Server, Settings, Shared,
    Traffic,
};
use stun_types::attribute::{ErrorCode, Nonce};
use stun_types::message::Message;
use turn_types::attribute::Lifetime;

use super::driver::{Driver, Opening};
use super::person::{Person, Relayed};
use crate::draft::{Draft, Login};
use crate::random::Random;
use crate::stage::{UNIX, any_instant, settings};

pub type Millis = u64;
pub const MINUTE: Millis = 60_000;
pub const HOUR: Millis = 60 * MINUTE;

pub struct World {
    pub random: Random,
    pub elapsed: Millis,
    pub(super) start: Instant,
    pub(super) shared: Arc<Shared>,
    pub(super) nodes: Vec<Node>,
    pub(super) people: Vec<Person>,
    pub(super) next_person: u64,
    pub(super) arrived: u64,
    pub(super) codes: BTreeSet<u16>,
    pub(super) traffic: Traffic,
}

pub(super) struct Node {
    pub(super) server: Server,
    pub(super) driver: Driver,
}

/// An answer, as far as clients here look at it.
pub(super) struct Heard {
    pub(super) code: Option<u16>,
    pub(super) lifetime: Option<u32>,
    pub(super) nonce: Option<String>,
}

impl World {
    pub fn new(seed: u64, limits: Limits) -> Self {
        let start = any_instant();
        let shared = Shared::new(Settings { limits, ..settings() }, &[3; 32], start);
        let node = || Node { server: Server::new(shared.clone()), driver: Driver::default() };
        Self {
            random: Random::new(seed),
            elapsed: 0,
            start,
            nodes: vec![node(), node()],
            shared,
            people: Vec::new(),
            next_person: 0,
            arrived: 0,
            codes: BTreeSet::new(),
            traffic: Traffic::default(),
        }
    }

    pub fn login(&self, app: &str, tag: &str) -> Login {
        let credential = self.credentials().issue(Form::Dot, app, tag, self.now().unix);
        let credential = credential.expect("there is a secret");
        Login::new(&credential.username, &credential.password)
    }

    pub(super) fn credentials(&self) -> &Credentials {
        &self.shared.settings().credentials
    }

    pub(super) fn now(&self) -> Now {
        let elapsed = Duration::from_millis(self.elapsed);
        Now { instant: self.start + elapsed, unix: UNIX + elapsed.as_secs() }
    }

    /// Lets time pass, and everything happen that is due.
    pub fn pass(&mut self, duration: Millis) {
        let until = self.elapsed + duration;
        loop {
            let step = (until - self.elapsed).min(5000);
            self.elapsed += step;
            for node in 0..self.nodes.len() {
                self.drive(node);
            }
            if self.elapsed == until {
                break;
            }
        }
    }

    fn drive(&mut self, index: usize) {
        let now = self.now();
        let server = &mut self.nodes[index].server;
        // Timers may be late.
        if server.poll_timeout().is_some_and(|due| due <= now.instant) {
            server.handle_timeout(now);
        }
        self.drain(index, None);
        let Node { server, driver } = &mut self.nodes[index];
        driver.finish_connections(server, self.elapsed, &mut self.random);
        self.drain(index, None);
        while let Some(opening) = self.nodes[index].driver.next_opening(self.elapsed) {
            self.give_sockets(index, &opening);
        }
    }

    pub(super) fn give_sockets(&mut self, index: usize, opening: &Opening) {
        let now = self.now();
        let Node { server, driver } = &mut self.nodes[index];
        let opened = driver.sockets(opening, &mut self.random);
        let results = opened.relays.clone();
        let relays = server.handle_opened(opening.client, opened, now);
        assert_eq!(relays.len(), results.len());
        driver.note(&relays, &results);
        let person = self.people.iter().position(|person| {
            person.node == index
                && person.client == Some(opening.client)
                && person.relays.is_empty()
        });
        let Some(person) = person else {
            assert!(relays.iter().all(Option::is_none), "sockets for nobody");
            return;
        };
        let Some(heard) = self.drain(index, Some(person)) else {
            unreachable!("an allocation is answered")
        };
        let person = &mut self.people[person];
        for (relay, result) in relays.into_iter().zip(results) {
            let (Some(relay), Ok(address)) = (relay, result) else { continue };
            let lifetime = heard.lifetime.expect("a success says its lifetime");
            let expires = self.elapsed + u64::from(lifetime) * 1000;
            person.relays.insert(relay, Relayed { family: Family::of(address.ip()), expires });
        }
        if person.relays.is_empty() {
            assert!(matches!(heard.code, Some(440 | 508)));
            person.client = None;
            person.vanished = true;
        }
    }

    /// A request; with a fresh nonce if the old one is stale.
    pub(super) fn ask(&mut self, index: usize, draft: &Draft) -> Heard {
        let Person { node, from, .. } = self.people[index];
        let bytes = draft.signed(&self.people[index].login, &self.people[index].nonce);
        let heard = self.say(node, from, &bytes).expect("requests are answered");
        if heard.code != Some(438) {
            return heard;
        }
        self.people[index].nonce = heard.nonce.expect("a new one");
        let bytes = draft.signed(&self.people[index].login, &self.people[index].nonce);
        self.say(node, from, &bytes).expect("requests are answered")
    }

    /// What one client hears of what it says.
    pub(super) fn say(&mut self, node: usize, from: FiveTuple, bytes: &[u8]) -> Option<Heard> {
        let now = self.now();
        assert_eq!(self.nodes[node].server.handle_client(&from, bytes, now), None);
        self.drain_for(node, Some(from))
    }

    pub(super) fn drain(&mut self, node: usize, person: Option<usize>) -> Option<Heard> {
        let from = person.map(|index| self.people[index].from);
        self.drain_for(node, from)
    }

    fn drain_for(&mut self, index: usize, from: Option<FiveTuple>) -> Option<Heard> {
        let mut heard = None;
        while let Some(command) = self.nodes[index].server.next_command() {
            let Node { server, driver } = &mut self.nodes[index];
            match command {
                Command::Reply { to, bytes } => {
                    let answer = Heard::read(&bytes);
                    self.codes.extend(answer.code);
                    if Some(to) == from {
                        assert!(heard.replace(answer).is_none(), "one answer to one request");
                    }
                }
                Command::Open { client, families, port, .. } => {
                    let due = self.elapsed + self.random.below(1500);
                    driver.open(client, families, port, due);
                    driver.peak_clients = driver.peak_clients.max(server.len());
                    assert!(client.0 < driver.peak_clients, "ids are used again");
                }
                Command::Close(relay) => {
                    driver.close(relay);
                    self.forget(index, relay);
                }
                Command::Connect { client, relay, peer } => {
                    driver.connect(client, relay, peer, self.elapsed + self.random.below(3000));
                }
                Command::Bind(bind) => {
                    let found = driver.connections.contains_key(&bind.connection);
                    server.handle_bound(bind, found);
                }
                Command::Report(report) => driver.report(&report),
            }
        }
        heard
    }

    /// A relayed address is gone; it had to be.
    fn forget(&mut self, node: usize, relay: RelayId) {
        for person in self.people.iter_mut().filter(|person| person.node == node) {
            let Some(closed) = person.relays.remove(&relay) else { continue };
            assert!(person.ends || closed.expires <= self.elapsed, "nobody wanted it to be closed");
            if person.relays.is_empty() {
                person.client = None;
            }
        }
    }
}

impl Heard {
    fn read(bytes: &[u8]) -> Self {
        let message = Message::from_bytes(bytes).expect("answers are STUN");
        Self {
            code: message.attribute::<ErrorCode>().ok().map(|error| error.code()),
            lifetime: message.attribute::<Lifetime>().ok().map(|lifetime| lifetime.seconds()),
            nonce: message.attribute::<Nonce>().ok().map(|nonce| nonce.nonce().to_owned()),
        }
    }
}
