//! A broker with a clock in the test's hand, and short words for what goes in and comes out.

#![allow(dead_code, reason = "each test file uses a part of it")]

pub mod hall;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use peerway_broker::{
    AppPolicy, Broker, Channel, Claim, Claimant, Command, HangupReason, Happening, MailLimit, Open,
    Parcel, PostRefused, Proof, RoomLimits, SessionId, Settings, WallClock,
};
use peerway_protocol::peerjs::{ClientFrame, decode};
use peerway_protocol::{
    AppKey, Dialect, Envelope, Event, PeerAddress, PeerId, Refusal, Request, RoomAddress, Signal,
    SignalKind,
};

/// A broker, the time it is told, and what it reported last.
pub struct Stage {
    pub broker: Broker,
    pub reports: Vec<Happening>,
    start: Instant,
    now: Instant,
}

/// What the tests start from: generous, except for what they are about.
pub fn settings() -> Settings {
    Settings {
        apps: BTreeMap::new(),
        other_apps: AppPolicy {
            concurrent_limit: 10,
            leave_after: None,
            sfu: false,
            members_per_room: 10,
        },
        expire_after: Duration::from_secs(5),
        probe_timeout: Duration::ZERO,
        resume_grace: Duration::from_secs(3),
        session_grace: Duration::from_secs(30),
        messages_per_second: 10,
        message_burst: 100,
        mail_per_sender: MailLimit { messages: 100, bytes: 100_000 },
        mail_per_app: MailLimit { messages: 100, bytes: 100_000 },
        contacts_per_peer: 10,
        remembered_departures: 10,
        rooms: RoomLimits { per_peer: 10, per_app: 10, data_size: 1000, log_entries: 5 },
    }
}

/// The only instant that comes from outside; all others are reckoned from it.
#[expect(clippy::disallowed_methods, reason = "an Instant cannot be made in another way")]
pub fn any_instant() -> Instant {
    Instant::now()
}

impl Stage {
    pub fn new() -> Self {
        Self::with(settings())
    }

    pub fn with(settings: Settings) -> Self {
        // Room to turn the clock back.
        let start = any_instant() + Duration::from_secs(1000);
        let clock = WallClock { at: start, unix_millis: 1_000_000 };
        let broker = Broker::new(settings, clock);
        Self { broker, reports: Vec::new(), start, now: start }
    }

    /// Sets the clock, in milliseconds from the start, and does nothing else.
    pub fn set_clock(&mut self, millis: i64) {
        let distance = Duration::from_millis(millis.unsigned_abs());
        let moment = if millis < 0 {
            self.start.checked_sub(distance)
        } else {
            self.start.checked_add(distance)
        };
        self.now = moment.expect("the tests stay near the start");
    }

    /// Sets the clock and lets the broker do what is due by then.
    pub fn wait_until(&mut self, millis: i64) -> Vec<Command> {
        self.set_clock(millis);
        if self.broker.poll_timeout().is_some_and(|due| due <= self.now) {
            self.broker.handle_timeout(self.now);
        }
        self.drain()
    }

    /// When the broker wants to be woken, in milliseconds from the start.
    pub fn due(&self) -> Option<u128> {
        self.broker.poll_timeout().map(|due| due.duration_since(self.start).as_millis())
    }

    pub fn open(&mut self, session: u64, id: &str, token: &str) -> Vec<Command> {
        self.open_as(Channel::Socket, session, address(id), token)
    }

    pub fn open_stream(&mut self, session: u64, id: &str, token: &str) -> Vec<Command> {
        self.open_as(Channel::Stream, session, address(id), token)
    }

    pub fn open_as(
        &mut self,
        channel: Channel,
        session: u64,
        address: PeerAddress,
        token: &str,
    ) -> Vec<Command> {
        let session = SessionId(session);
        let (proof, dialect) = (proof(token), Dialect::PeerJs);
        let open = Open { session, address, proof, channel, dialect };
        self.open_with(open)
    }

    pub fn open_with(&mut self, open: Open) -> Vec<Command> {
        self.broker.handle_open(self.now, open);
        self.drain()
    }

    /// Opens and is granted, for tests that begin after that. The token is the id.
    pub fn enter(&mut self, session: u64, id: &str) {
        self.open(session, id, id);
        self.claimed(session);
    }

    pub fn claimed(&mut self, session: u64) -> Vec<Command> {
        self.broker.handle_claimed(self.now, Claimant::Session(SessionId(session)));
        self.drain()
    }

    pub fn refused(&mut self, session: u64) -> Vec<Command> {
        self.broker.handle_refused(self.now, Claimant::Session(SessionId(session)));
        self.drain()
    }

    pub fn lose(&mut self, session: u64) -> Vec<Command> {
        self.broker.handle_lost(self.now, SessionId(session));
        self.drain()
    }

    /// The claim of a room is granted.
    pub fn hosts(&mut self, room: RoomAddress) -> Vec<Command> {
        self.broker.handle_claimed(self.now, Claimant::Host(room));
        self.drain()
    }

    /// The claim of a room is refused.
    pub fn hosts_not(&mut self, room: RoomAddress) -> Vec<Command> {
        self.broker.handle_refused(self.now, Claimant::Host(room));
        self.drain()
    }

    pub fn alive(&mut self, session: u64) -> Vec<Command> {
        self.broker.handle_alive(SessionId(session));
        self.drain()
    }

    pub fn close(&mut self, session: u64) -> Vec<Command> {
        self.broker.handle_closed(self.now, SessionId(session), false);
        self.drain()
    }

    /// Closes a session of a client that can fall back to another transport.
    pub fn close_resumable(&mut self, session: u64) -> Vec<Command> {
        self.broker.handle_closed(self.now, SessionId(session), true);
        self.drain()
    }

    pub fn gone(&mut self, id: &str) -> Vec<Command> {
        self.broker.handle_gone(&address(id));
        self.drain()
    }

    pub fn send(&mut self, session: u64, to: &str, signal: Signal) -> Vec<Command> {
        self.request(session, Request::Send { to: peer(to), signal })
    }

    pub fn request(&mut self, session: u64, request: Request) -> Vec<Command> {
        self.broker.handle_request(self.now, SessionId(session), request);
        self.drain()
    }

    pub fn post(
        &mut self,
        id: &str,
        token: &str,
        request: Request,
    ) -> (Result<(), PostRefused>, Vec<Command>) {
        let result = self.broker.handle_post(self.now, &address(id), proof(token), request);
        (result, self.drain())
    }

    pub fn arrive(&mut self, parcel: impl Into<Parcel>) -> Vec<Command> {
        self.broker.handle_arrival(self.now, parcel.into());
        self.drain()
    }

    pub fn undeliverable(&mut self, parcel: impl Into<Parcel>) -> Vec<Command> {
        self.broker.handle_undeliverable(self.now, parcel.into());
        self.drain()
    }

    pub fn up(&mut self, id: &str) -> Vec<Command> {
        self.broker.handle_up(&address(id));
        self.drain()
    }

    pub fn overflow(&mut self, session: u64, lost: Event) -> Vec<Command> {
        self.broker.handle_overflow(self.now, SessionId(session), lost);
        self.drain()
    }

    /// All commands but reports, which are put aside.
    fn drain(&mut self) -> Vec<Command> {
        self.reports.clear();
        let mut commands = Vec::new();
        while let Some(command) = self.broker.next_command() {
            match command {
                Command::Report(happening) => self.reports.push(happening),
                command => commands.push(command),
            }
        }
        commands
    }
}

pub fn app() -> AppKey {
    AppKey::new("app").expect("a valid key")
}

pub fn peer(id: &str) -> PeerId {
    PeerId::new(id).expect("a valid id")
}

pub fn address(id: &str) -> PeerAddress {
    PeerAddress { app: app(), peer: peer(id) }
}

pub fn proof(token: &str) -> Proof {
    let mut digest = [0; 32];
    digest[..token.len()].copy_from_slice(token.as_bytes());
    Proof(digest)
}

pub fn offer(number: u32) -> Signal {
    signal("OFFER", number)
}

pub fn candidate(number: u32) -> Signal {
    signal("CANDIDATE", number)
}

pub fn leave() -> Signal {
    Signal::bare(SignalKind::Leave)
}

/// A signal with a number as its payload.
fn signal(kind: &str, number: u32) -> Signal {
    signal_of(&format!(r#"{{"type":"{kind}","dst":"somebody","payload":{number}}}"#))
}

/// The signal in a frame.
pub fn signal_of(frame: &str) -> Signal {
    let Ok(ClientFrame::Request(Request::Send { signal, .. })) = decode(frame) else {
        unreachable!("{frame} is a signal");
    };
    signal
}

pub fn envelope(from: &str, to: &str, signal: Signal) -> Envelope {
    Envelope { app: app(), from: peer(from), to: peer(to), signal }
}

pub fn heard(from: &str, signal: Signal) -> Event {
    Event::Signal { from: peer(from), signal }
}

pub fn expired(absent: &str) -> Event {
    Event::Expired { peer: peer(absent) }
}

pub fn tell(session: u64, event: Event) -> Command {
    Command::Tell(SessionId(session), event)
}

pub fn hangup(session: u64, reason: HangupReason) -> Command {
    Command::Hangup(SessionId(session), reason)
}

pub fn handover(from: u64, to: u64) -> Command {
    Command::Handover { from: SessionId(from), to: SessionId(to) }
}

pub fn claim(session: u64, id: &str, token: &str) -> Command {
    let (session, address, proof) = (SessionId(session), address(id), proof(token));
    Command::Claim(Claim::Peer { session, address, proof })
}

pub fn release(id: &str) -> Command {
    Command::Release(address(id).into())
}

pub fn forward(from: &str, to: &str, signal: Signal) -> Command {
    Command::Forward(Parcel::Signal(envelope(from, to, signal)))
}

pub fn watch(id: &str) -> Command {
    Command::Watch(address(id))
}

pub fn unwatch(id: &str) -> Command {
    Command::Unwatch(address(id))
}

/// What a session hears that does not become a peer.
pub fn turned_away(session: u64, refusal: Refusal) -> Vec<Command> {
    vec![tell(session, Event::Refused(refusal)), hangup(session, HangupReason::Refused)]
}
