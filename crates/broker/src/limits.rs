//! What the broker allows, and the arithmetic of "not too often".

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use peerway_protocol::AppKey;

/// How much mail may wait for absent peers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MailLimit {
    /// Envelopes.
    pub messages: usize,
    /// Weight of their payloads and bookkeeping, in bytes.
    pub bytes: usize,
}

/// What one app may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppPolicy {
    /// Peers at the same time on this node.
    pub concurrent_limit: usize,
    /// How long after a peer's last session ended the peers it talked to are told LEAVE; `None`
    /// for never, as in `PeerServer`.
    pub leave_after: Option<Duration>,
    /// Whether rooms may send media through a selective forwarding unit.
    pub sfu: bool,
    /// Members of one room.
    pub members_per_room: usize,
}

/// What rooms may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoomLimits {
    /// Rooms that one peer is in.
    pub per_peer: usize,
    /// Rooms of one app that this node hosts.
    pub per_app: usize,
    /// Weight of what a member says at once, in bytes.
    pub data_size: usize,
    /// Entries of a room's log.
    pub log_entries: usize,
}

/// What the time of day was at an instant; the broker reckons from there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WallClock {
    /// Then.
    pub at: Instant,
    /// Milliseconds since 1970, then.
    pub unix_millis: u64,
}

impl WallClock {
    /// Microseconds since 1970.
    pub(crate) fn unix_micros(&self, now: Instant) -> u64 {
        let since = u64::try_from(now.saturating_duration_since(self.at).as_micros());
        (self.unix_millis.saturating_mul(1000)).saturating_add(since.unwrap_or(u64::MAX))
    }
}

/// Everything the broker is configured with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Policies of the apps that have one of their own.
    pub apps: BTreeMap<AppKey, AppPolicy>,
    /// The policy of all others.
    pub other_apps: AppPolicy,
    /// How long mail waits for an absent peer; zero expires it at once.
    pub expire_after: Duration,
    /// How long the holder of an id may take to show that it is alive when somebody else wants the
    /// id; zero refuses the newcomer at once.
    pub probe_timeout: Duration,
    /// How long a peer whose client can fall back to another transport is remembered.
    pub resume_grace: Duration,
    /// How long a session without a transport waits for its client to come back; zero for not.
    pub session_grace: Duration,
    /// Requests per second from one session, in the long run.
    pub messages_per_second: u32,
    /// Requests from one session at once.
    pub message_burst: u32,
    /// Mail of one sender.
    pub mail_per_sender: MailLimit,
    /// Mail of one app.
    pub mail_per_app: MailLimit,
    /// Peers remembered per peer for `leave_after`.
    pub contacts_per_peer: usize,
    /// Departed peers remembered for `leave_after` and `resume_grace`.
    pub remembered_departures: usize,
    /// Rooms.
    pub rooms: RoomLimits,
}

impl Settings {
    /// The policy of an app.
    pub(crate) fn policy(&self, app: &AppKey) -> &AppPolicy {
        self.apps.get(app).unwrap_or(&self.other_apps)
    }

    pub(crate) fn remembers_contacts(&self, app: &AppKey) -> bool {
        self.policy(app).leave_after.is_some()
    }
}

/// A rate limit with a burst, as one instant (the generic cell rate algorithm).
#[derive(Debug, Clone, Copy)]
pub struct RateLimit {
    /// When the bucket will be full again.
    full_at: Instant,
}

impl RateLimit {
    /// A full bucket.
    pub fn new(now: Instant) -> Self {
        Self { full_at: now }
    }

    /// Takes one from the bucket, if there is one.
    pub fn take(&mut self, now: Instant, per_second: u32, burst: u32) -> bool {
        let cost = Duration::from_secs(1) / per_second.max(1);
        let full_at = self.full_at.max(now) + cost;
        if full_at.duration_since(now) > cost * burst.max(1) {
            return false;
        }
        self.full_at = full_at;
        true
    }
}
