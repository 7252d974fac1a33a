//! The broker: who is who, what waits for whom, and what nobody may do too often.
//!
//! A [`Broker`] is a plain value. It is told what happened through `handle_*` methods, each of
//! which takes `now`, and answers with [`Command`]s. The contract: after each `handle_*` call the
//! driver drains [`Broker::next_command`] until it is empty, and calls
//! [`Broker::handle_timeout`] once [`Broker::poll_timeout`] has passed. Sockets, cluster and
//! clock live around it, in the `server` crate.

mod challenge;
mod command;
mod departed;
mod limits;
mod lost;
mod mailbox;
mod media;
mod parcel;
mod registry;
mod relay;
mod rooms;

use std::collections::{HashMap, VecDeque};
use std::time::Instant;

use peerway_protocol::{AppKey, Event, PeerAddress};

pub use command::{Command, HangupReason, Happening};
pub use limits::{AppPolicy, MailLimit, RateLimit, RoomLimits, Settings, WallClock};
pub use media::{LegId, MediaCommand, MediaEvent};
pub use parcel::{Ask, Claim, Claimant, FromRoom, News, Parcel, Stay, ToRoom};
pub use registry::{Channel, Open, Proof, SessionId};
pub use relay::PostRefused;

use challenge::Challenges;
use departed::DepartedPeers;
use lost::LostSessions;
use mailbox::Mailbox;
use registry::{Claims, Peer, Session};
use rooms::Rooms;

/// See the module documentation.
#[derive(Debug)]
pub struct Broker {
    settings: Settings,
    clock: WallClock,
    sessions: HashMap<SessionId, Session>,
    peers: HashMap<PeerAddress, Peer>,
    /// Addresses in use per app: those of peers and those being claimed.
    app_sizes: HashMap<AppKey, usize>,
    claims: HashMap<PeerAddress, Claims>,
    challenges: Challenges,
    lost: LostSessions,
    rooms: Rooms,
    departed: DepartedPeers,
    mailbox: Mailbox,
    commands: VecDeque<Command>,
}

impl Broker {
    /// A broker with nobody in it.
    pub fn new(settings: Settings, clock: WallClock) -> Self {
        Self {
            clock,
            sessions: HashMap::new(),
            peers: HashMap::new(),
            app_sizes: HashMap::new(),
            claims: HashMap::new(),
            challenges: Challenges::default(),
            lost: LostSessions::default(),
            rooms: Rooms::default(),
            departed: DepartedPeers::new(settings.remembered_departures),
            mailbox: Mailbox::new(settings.mail_per_sender, settings.mail_per_app),
            commands: VecDeque::new(),
            settings,
        }
    }

    /// The next thing to do, in order. Drain it after each `handle_*` call.
    pub fn next_command(&mut self) -> Option<Command> {
        self.commands.pop_front()
    }

    /// When [`Broker::handle_timeout`] wants to be called, if ever.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let timers = [
            self.mailbox.next_due(),
            self.departed.next_due(),
            self.challenges.next_due(),
            self.lost.next_due(),
        ];
        timers.into_iter().flatten().min()
    }

    /// Whether nothing at all is remembered: nobody is here, nothing waits, no limit is charged.
    pub fn is_idle(&self) -> bool {
        self.sessions.is_empty()
            && self.peers.is_empty()
            && self.app_sizes.is_empty()
            && self.claims.is_empty()
            && self.challenges.is_empty()
            && self.lost.is_empty()
            && self.rooms.is_empty()
            && self.departed.is_empty()
            && self.mailbox.is_empty()
            && self.commands.is_empty()
    }

    /// Time has passed: expires mail, gives up holders that do not answer and sessions that nobody
    /// comes back to, forgets those who left.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.expire_mail(now);
        self.settle_challenges(now);
        self.settle_lost(now);
        self.settle_departures(now);
    }

    fn tell(&mut self, session: SessionId, event: Event) {
        self.commands.push_back(Command::Tell(session, event));
    }

    fn forward(&mut self, parcel: Parcel) {
        self.commands.push_back(Command::Forward(parcel));
    }

    fn report(&mut self, happening: Happening) {
        self.commands.push_back(Command::Report(happening));
    }
}
