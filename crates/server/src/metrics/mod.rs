//! Counters for Prometheus, fed by what the broker and the transports report.

mod rooms;
mod sfu;
mod turn;

use std::fmt;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use peerway_broker::Happening;
use peerway_protocol::{Refusal, SignalKind};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabel {
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TransportLabel {
    transport: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TypeLabels {
    r#type: &'static str,
    outcome: &'static str,
}

use rooms::RoomMetrics;
pub use sfu::SfuMetrics;
pub(crate) use sfu::{SfuCounts, SfuQuality};
pub use turn::TurnMetrics;

/// The kinds of transport a session can have, as metrics name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// `PeerJS` over a `WebSocket`.
    WebSocket,
    /// `PeerJS` 0.3 over a streaming XHR.
    Xhr,
    /// Socket.IO over a `WebSocket`.
    SocketIo,
    /// Socket.IO over long-polling.
    Polling,
}

impl Transport {
    fn name(self) -> &'static str {
        match self {
            Self::WebSocket => "websocket",
            Self::Xhr => "xhr",
            Self::SocketIo => "socketio",
            Self::Polling => "polling",
        }
    }
}

/// What happens to a signal, counted apart.
#[derive(Debug, Default)]
struct Signals {
    received: [Counter; SignalKind::ALL.len()],
    delivered: [Counter; SignalKind::ALL.len()],
    dropped: [Counter; SignalKind::ALL.len()],
}

/// All metrics of the server.
pub struct Metrics {
    /// Of the TURN server.
    pub turn: TurnMetrics,
    /// Of the forwarding unit.
    pub sfu: SfuMetrics,
    registry: Registry,
    sessions: Family<TransportLabel, Gauge>,
    peers: Gauge,
    peers_opened: Counter,
    sessions_replaced: Counter,
    sessions_lost: Counter,
    rooms: RoomMetrics,
    signals: Signals,
    mail: Gauge,
    mail_bytes: Gauge,
    expired: Counter,
    refused: Family<ReasonLabel, Counter>,
    closed: Family<ReasonLabel, Counter>,
    slow_readers: Counter,
    relay_latency: Histogram,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// All metrics at zero.
    pub fn new() -> Self {
        // 10 us to 1.3 s, doubling.
        let latency = Histogram::new((0..18).map(|power| 0.000_01 * f64::from(1 << power)));
        let mut metrics = Self {
            registry: Registry::with_prefix("peerway"),
            sessions: Family::default(),
            peers: Gauge::default(),
            peers_opened: Counter::default(),
            sessions_replaced: Counter::default(),
            sessions_lost: Counter::default(),
            rooms: RoomMetrics::default(),
            signals: Signals::default(),
            mail: Gauge::default(),
            mail_bytes: Gauge::default(),
            expired: Counter::default(),
            refused: Family::default(),
            closed: Family::default(),
            slow_readers: Counter::default(),
            relay_latency: latency,
            turn: TurnMetrics::default(),
            sfu: SfuMetrics::default(),
        };
        metrics.register();
        metrics
    }

    fn register(&mut self) {
        let signals: Family<TypeLabels, Counter> = Family::default();
        for (index, kind) in SignalKind::ALL.into_iter().enumerate() {
            for (outcome, counters) in [
                ("received", &mut self.signals.received),
                ("delivered", &mut self.signals.delivered),
                ("dropped", &mut self.signals.dropped),
            ] {
                let labels = TypeLabels { r#type: kind.name(), outcome };
                // Held directly, so that the hot path looks nothing up.
                counters[index] = signals.get_or_create(&labels).clone();
            }
        }
        let it = &mut self.registry;
        self.turn.register(it);
        self.sfu.register(it);
        it.register("sessions", "Open client transports", self.sessions.clone());
        it.register("peers", "Registered peers", self.peers.clone());
        it.register("peers_opened", "Peers registered since start", self.peers_opened.clone());
        it.register(
            "sessions_replaced",
            "Sessions that took over from another one of the same peer",
            self.sessions_replaced.clone(),
        );
        it.register(
            "sessions_lost",
            "Sessions whose transport broke and whose client may come back",
            self.sessions_lost.clone(),
        );
        self.rooms.register(it);
        it.register("messages", "Signals between peers, by type and outcome", signals);
        it.register("mail", "Messages waiting for absent peers", self.mail.clone());
        it.register_with_unit(
            "mail",
            "Weight of the messages waiting for absent peers",
            Unit::Bytes,
            self.mail_bytes.clone(),
        );
        it.register("expired", "Pairs whose mail expired", self.expired.clone());
        it.register("refusals", "Refusals told to clients, by reason", self.refused.clone());
        it.register("closes", "Sessions ended, by reason", self.closed.clone());
        it.register(
            "slow_readers",
            "Clients cut because they did not read",
            self.slow_readers.clone(),
        );
        it.register_with_unit(
            "relay_latency",
            "From reading a signal to writing it to its receiver's socket",
            Unit::Seconds,
            self.relay_latency.clone(),
        );
    }

    /// Counts what the broker reports.
    pub fn observe(&self, happening: &Happening) {
        let gauge = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        match happening {
            Happening::PeerOpened(_) => {
                self.peers.inc();
                self.peers_opened.inc();
            }
            Happening::PeerClosed(_) => {
                self.peers.dec();
            }
            Happening::SessionReplaced(_) | Happening::PeerResumed(_) => {
                self.sessions_replaced.inc();
            }
            Happening::SessionLost(_) => {
                self.sessions_lost.inc();
            }
            Happening::RoomOpened(_) => {
                self.rooms.open.inc();
                self.rooms.opened.inc();
            }
            Happening::RoomClosed(_) => {
                self.rooms.open.dec();
            }
            Happening::RoomJoined(_) => {
                self.rooms.members.inc();
            }
            Happening::RoomLeft(_) => {
                self.rooms.members.dec();
            }
            Happening::RoomData { receivers } => {
                self.rooms.received.inc();
                self.rooms.told.inc_by(u64::try_from(*receivers).unwrap_or(u64::MAX));
            }
            Happening::Received(kind) => {
                self.signals.received[*kind as usize].inc();
            }
            Happening::Delivered(kind) => {
                self.signals.delivered[*kind as usize].inc();
            }
            Happening::Dropped(kind) => {
                self.signals.dropped[*kind as usize].inc();
            }
            Happening::MailKept { bytes } => {
                self.mail.inc();
                self.mail_bytes.inc_by(gauge(*bytes));
            }
            Happening::MailGone { messages, bytes } => {
                self.mail.dec_by(gauge(*messages));
                self.mail_bytes.dec_by(gauge(*bytes));
            }
            Happening::Expired => {
                self.expired.inc();
            }
            Happening::Refused(refusal) => self.refused(refusal),
            Happening::SlowReader => {
                self.slow_readers.inc();
            }
        }
    }

    /// Counts a refusal that the edge made before the broker was asked.
    pub fn refused(&self, refusal: &Refusal) {
        self.refused_for(refusal.name());
    }

    /// Counts a refusal that has no text for a client.
    pub fn refused_for(&self, reason: &'static str) {
        self.refused.get_or_create(&ReasonLabel { reason }).inc();
    }

    /// Counts a session from now until the guard is dropped.
    pub fn session_opened(&self, transport: Transport) {
        self.sessions.get_or_create(&TransportLabel { transport: transport.name() }).inc();
    }

    /// The counterpart of [`Metrics::session_opened`], with the reason.
    pub fn session_closed(&self, transport: Transport, reason: &'static str) {
        self.sessions.get_or_create(&TransportLabel { transport: transport.name() }).dec();
        self.closed.get_or_create(&ReasonLabel { reason }).inc();
    }

    /// Notes how long a signal took through the server.
    pub fn relayed(&self, latency: Duration) {
        self.relay_latency.observe(latency.as_secs_f64());
    }

    /// Registered peers, for the status page.
    pub fn peers(&self) -> i64 {
        self.peers.get()
    }

    /// Open sessions, for the status page.
    pub fn sessions(&self) -> i64 {
        [Transport::WebSocket, Transport::Xhr, Transport::SocketIo, Transport::Polling]
            .into_iter()
            .map(|it| self.sessions.get_or_create(&TransportLabel { transport: it.name() }).get())
            .sum()
    }

    /// Signals delivered since start, for the status page.
    pub fn delivered(&self) -> u64 {
        self.signals.delivered.iter().map(Counter::<u64, AtomicU64>::get).sum()
    }

    /// Messages waiting for absent peers, for the status page.
    pub fn mail(&self) -> i64 {
        self.mail.get()
    }

    /// The text that Prometheus scrapes (OpenMetrics 1.0).
    pub fn render(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("writing to a String cannot fail");
        text
    }
}
