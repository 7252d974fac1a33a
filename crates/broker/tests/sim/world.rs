//! Nodes, their backplane, and clients that open, close, come back and talk at random.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use peerway_broker::{Broker, Channel, Command, Happening, Parcel, SessionId, Settings, WallClock};
use peerway_protocol::{Address, Event, Json, PeerAddress, Refusal};

use super::backplane::{Answer, Ask, FakeBackplane};
use super::media::FakeSfu;
use super::model::{Fate, Model, Number, Seat};
use super::{Millis, Random};
use crate::support::any_instant;

/// What one world is like.
pub struct Shape {
    pub nodes: usize,
    pub max_delay: Millis,
    pub settings: Settings,
    /// Prints all that happens.
    pub aloud: bool,
}

pub struct World {
    pub(super) nodes: Vec<Node>,
    backplane: FakeBackplane,
    pub(super) model: Model,
    pub(super) random: Random,
    start: Instant,
    pub(super) now: Millis,
    pub(super) next_session: u64,
    pub(super) next_number: Number,
    /// Clients that will answer a probe when time passes.
    answering: Vec<(usize, SessionId)>,
    aloud: bool,
}

pub(super) struct Node {
    pub(super) broker: Broker,
    pub(super) sfu: FakeSfu,
    /// How late its timer is, this time.
    lag: Millis,
}

impl World {
    pub fn new(seed: u64, shape: &Shape) -> Self {
        let start = any_instant();
        let node = |number: u64| {
            // Clocks differ, as those of real nodes do.
            let clock = WallClock { at: start, unix_millis: 1_000_000_000 + 7 * number };
            Node {
                broker: Broker::new(shape.settings.clone(), clock),
                sfu: FakeSfu::default(),
                lag: 0,
            }
        };
        Self {
            nodes: (0..).map(node).take(shape.nodes).collect(),
            backplane: FakeBackplane::new(!seed, shape.max_delay),
            model: Model::default(),
            random: Random::new(seed),
            start,
            now: 0,
            next_session: 0,
            next_number: 0,
            answering: Vec::new(),
            aloud: shape.aloud,
        }
    }

    /// Lets time pass, and everything happen that is due.
    pub fn pass(&mut self, duration: Millis) {
        for (node, session) in std::mem::take(&mut self.answering) {
            self.nodes[node].broker.handle_alive(session);
            self.drain(node, None);
        }
        let until = self.now + duration;
        while let Some(due) = self.next_due().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            for node in 0..self.nodes.len() {
                if self.timer(node).is_some_and(|at| at <= self.now) {
                    self.nodes[node].lag = self.random.below(20);
                    let now = self.instant();
                    self.nodes[node].broker.handle_timeout(now);
                    self.drain(node, None);
                }
            }
            while let Some((node, answer)) = self.backplane.next_answer(self.now) {
                self.hear(node, answer);
            }
        }
        self.now = until;
    }

    /// Everybody who is here knows it, nobody else does, and every message has had its fate.
    /// Answers with the fates there were.
    pub fn assert_quiescent(&self) -> BTreeSet<Fate> {
        let mut seats: BTreeMap<&PeerAddress, Vec<&Seat>> = BTreeMap::new();
        for (session, seat) in &self.model.seats {
            assert!(seat.is_open(), "{session:?} never heard what became of its claim");
            seats.entry(&seat.address).or_default().push(seat);
        }
        for (address, together) in &seats {
            let holder = (together[0].node, together[0].proof);
            let held = self.backplane.holder(&Address::Peer((*address).clone()));
            assert_eq!(held, Some((holder.0, Some(holder.1))), "{address} is open there");
            for channel in [Channel::Socket, Channel::Stream] {
                let same = together.iter().filter(|seat| seat.channel == channel).count();
                assert!(same <= 1, "{address} is open {same} times as {channel:?}");
            }
            assert!(together.iter().all(|seat| (seat.node, seat.proof) == holder), "{together:?}");
        }
        for address in self.backplane.held() {
            let Address::Peer(address) = address else { continue };
            assert!(seats.contains_key(address), "{address} is held for nobody");
        }
        self.assert_rooms_agree();
        self.model.assert_settled()
    }

    /// A room has one host, which holds its address, and knows who is in as its members do.
    fn assert_rooms_agree(&self) {
        let mut hosted = BTreeMap::new();
        for (number, node) in self.nodes.iter().enumerate() {
            for (address, members) in node.broker.hosted_rooms() {
                let holder = self.backplane.holder(&Address::Room(address.clone()));
                assert_eq!(holder, Some((number, None)), "{address} is hosted there");
                for id in members.iter() {
                    let peer = PeerAddress { app: address.app.clone(), peer: id.clone() };
                    let here = self.model.seats.values().any(|seat| seat.address == peer);
                    assert!(here, "{peer} is a member of {address} and nowhere else");
                }
                assert!(
                    hosted.insert(address.clone(), members).is_none(),
                    "{address} has two hosts"
                );
            }
        }
        for address in self.backplane.held() {
            let Address::Room(address) = address else { continue };
            assert!(hosted.contains_key(address), "{address} is held for nobody");
        }
        let lives = self.model.seats.values().map(Seat::life).collect();
        self.model.rooms.assert_agree(&hosted, &lives);
    }

    /// Nothing is left of anybody.
    pub fn assert_empty(&mut self) {
        self.model.assert_settled();
        for (number, node) in self.nodes.iter().enumerate() {
            assert!(node.sfu.is_idle(), "a leg of node {number} was never closed");
            assert!(node.broker.is_idle(), "node {number} remembers: {:?}", node.broker);
        }
        assert!(self.backplane.is_idle(), "the backplane remembers");
        self.model.forget_messages();
    }

    /// What kinds of things clients heard of rooms.
    pub fn turns_of_rooms(&self) -> impl Iterator<Item = &'static str> {
        self.model.rooms.turns.iter().copied()
    }

    fn hear(&mut self, node: usize, answer: Answer) {
        self.log(|| format!("node {node} hears {answer:?}"));
        let now = self.instant();
        let broker = &mut self.nodes[node].broker;
        let mut about = None;
        match answer {
            Answer::Claimed(claimant) => broker.handle_claimed(now, claimant),
            Answer::Refused(claimant) => broker.handle_refused(now, claimant),
            Answer::Arrived(parcel) => broker.handle_arrival(now, parcel),
            Answer::Undeliverable(parcel) => {
                if let Parcel::Signal(envelope) = &parcel {
                    about.clone_from(&envelope.signal.payload);
                }
                broker.handle_undeliverable(now, parcel);
            }
            Answer::Up(address) => broker.handle_up(&address),
            Answer::Gone(address) => broker.handle_gone(&address),
        }
        self.drain(node, about.as_ref());
    }

    /// Does what a broker wants, as the contract in `broker/src/lib.rs` says. `about` is what the
    /// input was about, for refusals to count.
    pub(super) fn drain(&mut self, node: usize, about: Option<&Json>) {
        while let Some(command) = self.nodes[node].broker.next_command() {
            self.log(|| format!("node {node} wants {command:?}"));
            let ask = match command {
                Command::Tell(session, event) => {
                    self.tell(node, session, event);
                    continue;
                }
                Command::Handover { to, .. } => {
                    self.model.handed_over(to);
                    continue;
                }
                Command::Hangup(session, reason) => {
                    self.model.hung_up(session, reason);
                    continue;
                }
                Command::Report(Happening::Refused(
                    Refusal::SenderMailFull(_) | Refusal::AppMailFull(_),
                )) => {
                    self.model.lost(about, Fate::Refused);
                    continue;
                }
                Command::Report(_) => continue,
                Command::Media(command) => {
                    self.media(node, &command);
                    continue;
                }
                Command::Claim(claim) => Ask::Claim(claim),
                Command::Release(address) => Ask::Release(address),
                Command::Forward(parcel) => Ask::Send(parcel),
                Command::Return(parcel) => Ask::GiveBack(parcel),
                Command::Watch(address) => Ask::Watch(address),
                Command::Unwatch(address) => Ask::Unwatch(address),
            };
            self.backplane.ask(self.now, node, ask);
        }
    }

    /// Puts an event into a client's outbox, which now and then has no room.
    fn tell(&mut self, node: usize, session: SessionId, event: Event) {
        if matches!(event, Event::Signal { .. } | Event::Room { .. }) && self.random.percent(2) {
            if let Event::Signal { signal, .. } = &event {
                self.model.lost(signal.payload.as_ref(), Fate::Overflowed);
            }
            let now = self.instant();
            self.log(|| format!("{session:?} has no room for {event:?}"));
            return self.nodes[node].broker.handle_overflow(now, session, event);
        }
        // The others are dead and do not know it.
        if event == Event::Probe && self.random.percent(60) {
            self.answering.push((node, session));
        }
        self.model.told(self.now, session, &event);
    }

    fn next_due(&self) -> Option<Millis> {
        let timers = (0..self.nodes.len()).filter_map(|node| self.timer(node));
        timers.chain(self.backplane.next_due()).min()
    }

    fn timer(&self, node: usize) -> Option<Millis> {
        let Node { broker, lag, .. } = &self.nodes[node];
        let due = broker.poll_timeout()?.duration_since(self.start).as_millis();
        Some(Millis::try_from(due).expect("a run is shorter than that") + lag)
    }

    pub(super) fn instant(&self) -> Instant {
        self.start + Duration::from_millis(self.now)
    }

    pub(super) fn log(&self, line: impl Fn() -> String) {
        if self.aloud {
            println!("{:>8} {}", self.now, line());
        }
    }
}
