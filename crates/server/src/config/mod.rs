//! The configuration: one struct, read from a TOML file, then `PEERWAY_*` environment variables,
//! then flags.

mod addresses;
mod engineio;
mod layers;
mod reference;
mod sfu;
mod skyway;
mod turn;
mod units;

use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

pub use addresses::{ExternalAddress, ListenAddress, Net, PortRange};
pub use engineio::EngineIoConfig;
pub use layers::{ConfigError, Layers};
pub use reference::{example_toml, reference_markdown};
pub(crate) use sfu::MOST_WORKERS;
pub use sfu::SfuConfig;
pub use skyway::{QuotaConfig, SkyWayConfig};
pub use turn::TurnConfig;
pub use units::{Bytes, Millis};

/// What is served at the root, whatever `path` says.
const OWN_PATHS: [&str; 4] = ["/healthz", "/metrics", "/signaling", "/socket.io"];

/// Clients of the SkyWay fork give up 45 s after the last PING.
const LONGEST_PING_INTERVAL: Duration = Duration::from_secs(20);

/// What the server is configured with.
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own, not a state")]
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Address to listen on: an IP address, or a name that resolves to one. `::` takes IPv6 and
    /// IPv4.
    pub host: String,
    /// TCP port to listen on; 0 takes any free one.
    pub port: u16,
    /// Prefix of every PeerJS URL, as in the client option `path`.
    pub path: String,
    /// The app key of a server with a single app, as in the client option `key`. Without it and
    /// without any `[[app]]` the key is `peerjs`.
    #[schemars(extend("examples" = ["shop"]))]
    pub key: Option<String>,
    /// Serve any well-formed key, each with its own peers, under the settings that follow.
    pub accept_any_key: bool,
    /// Let clients list the ids of an app's peers. `[[app]]` may differ.
    pub allow_discovery: bool,
    /// Peers at the same time, per app. `[[app]]` may differ.
    pub concurrent_limit: usize,
    /// Milliseconds (or a text like "5s") that messages wait for a peer that is not connected,
    /// before their sender is told EXPIRE; 0 tells it at once.
    pub expire_timeout: Millis,
    /// Milliseconds (or a text like "60s") without any frame from a client before its socket
    /// counts as dead. Silent clients are pinged, so idle ones stay.
    pub alive_timeout: Millis,
    /// Silence after which a client is pinged, and the interval of PING messages to clients
    /// before PeerJS 1.0, which need one in every 45 seconds. A third of `alive_timeout` if unset,
    /// but 20 seconds at most.
    #[schemars(extend("examples" = ["20s"]))]
    pub ping_interval: Option<Millis>,
    /// When an id is wanted that is open under another token, its holder is pinged; if it is
    /// silent for this long it counts as dead and the newcomer gets the id. 0 refuses every
    /// newcomer at once.
    pub probe_timeout: Millis,
    /// How long a client of the SkyWay fork may take to go on by XHR when its socket died.
    pub resume_grace: Millis,
    /// How long a SkyWay client whose connection broke without a goodbye keeps its id, its rooms
    /// and what is sent to it, until it is back with the same token. 0 forgets it at once.
    pub session_grace: Millis,
    /// Tell LEAVE to the peers a departed peer talked to, this long after its last connection to
    /// the server ended; unset for never, as in PeerServer. The price: clients close every call
    /// with a peer they hear LEAVE of, so a peer whose signalling is away for longer than this
    /// loses calls that were fine.
    #[schemars(extend("examples" = ["30s"]))]
    pub leave_after: Option<Millis>,
    /// The server stands behind a reverse proxy: take client addresses from `X-Forwarded-For`.
    pub proxied: bool,
    /// How many proxies in a row append to `X-Forwarded-For`.
    pub proxy_hops: usize,
    /// Origins that get CORS headers; empty for any. The origins of an `[[app]]` decide who may
    /// use it, this list only what browsers let pages read.
    pub cors: Vec<String>,
    /// Show browsers a page at the path prefix: what the server does, and a demonstration.
    pub status_page: bool,
    /// Certificate files; without them the server speaks plain HTTP.
    pub tls: Option<TlsConfig>,
    /// What a single client may do.
    pub limits: LimitsConfig,
    /// Socket.IO, by which SkyWay clients come.
    pub engineio: EngineIoConfig,
    /// STUN and TURN.
    pub turn: TurnConfig,
    /// Rooms of type sfu.
    pub sfu: SfuConfig,
    /// Clients of SkyWay.
    pub skyway: SkyWayConfig,
    /// Prometheus metrics at `/metrics`.
    pub metrics: MetricsConfig,
    /// What is written to standard error.
    pub log: LogConfig,
    /// Apps with settings of their own.
    pub app: Vec<AppConfig>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            host: "::".into(),
            port: 9000,
            path: "/".into(),
            key: None,
            accept_any_key: false,
            allow_discovery: false,
            concurrent_limit: 50_000,
            expire_timeout: Millis::from_secs(5),
            alive_timeout: Millis::from_secs(60),
            ping_interval: None,
            probe_timeout: Millis::from_secs(2),
            resume_grace: Millis::from_secs(10),
            session_grace: Millis::from_secs(30),
            leave_after: None,
            proxied: false,
            proxy_hops: 1,
            cors: Vec::new(),
            status_page: true,
            tls: None,
            limits: LimitsConfig::default(),
            engineio: EngineIoConfig::default(),
            turn: TurnConfig::default(),
            sfu: SfuConfig::default(),
            skyway: SkyWayConfig::default(),
            metrics: MetricsConfig::default(),
            log: LogConfig::default(),
            app: Vec::new(),
        }
    }
}

/// One app: who may use it and what it may do.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AppConfig {
    /// The key that clients give.
    #[schemars(extend("examples" = ["shop"]))]
    pub key: String,
    /// Secret that signs ids. Never sent to anybody.
    #[serde(default)]
    #[schemars(extend("examples" = ["a long random text"]))]
    pub secret: Option<Secret>,
    /// Refuse ids that are not signed with the secret (`peerway token` signs one).
    #[serde(default)]
    pub require_signed_id: bool,
    /// Origins whose pages may use the app: `https://example.com` (exact), `example.com` (any
    /// scheme and port), `*.example.com` (its subdomains), `*` (any). Empty for any.
    #[serde(default)]
    pub origins: Vec<String>,
    /// Let clients list the ids of the app's peers; the general setting if unset.
    #[serde(default)]
    #[schemars(extend("examples" = [true]))]
    pub allow_discovery: Option<bool>,
    /// Peers at the same time; the general setting if unset.
    #[serde(default)]
    #[schemars(extend("examples" = [1000]))]
    pub concurrent_limit: Option<usize>,
    /// Give the app's clients credentials for TURN.
    #[serde(default = "yes")]
    pub turn: bool,
    /// Let the app's clients open rooms of type sfu.
    #[serde(default = "yes")]
    pub sfu: bool,
    /// Members of one room; that of `[limits]` if unset.
    #[serde(default)]
    #[schemars(extend("examples" = [50]))]
    pub members_per_room: Option<usize>,
    /// Members of one room of type sfu that may publish at the same time; that of `[sfu]` if unset.
    #[serde(default)]
    #[schemars(extend("examples" = [10]))]
    pub publishers_per_room: Option<usize>,
    /// Bits per second that browsers are asked to send at most in rooms of type sfu; that of `[sfu]`
    /// if unset.
    #[serde(default)]
    #[schemars(extend("examples" = [1_000_000]))]
    pub bitrate_per_publisher: Option<u64>,
    /// What the app may use in a month.
    #[serde(default)]
    pub quota: QuotaConfig,
}

fn yes() -> bool {
    true
}

impl AppConfig {
    /// An app with a key and nothing else.
    #[must_use]
    pub fn named(key: &str) -> Self {
        Self {
            key: key.to_owned(),
            secret: None,
            require_signed_id: false,
            origins: Vec::new(),
            allow_discovery: None,
            concurrent_limit: None,
            turn: true,
            sfu: true,
            members_per_room: None,
            publishers_per_room: None,
            bitrate_per_publisher: None,
            quota: QuotaConfig::default(),
        }
    }
}

/// A text that is never printed.
#[derive(Clone, PartialEq, Eq, Deserialize, JsonSchema)]
pub struct Secret(String);

impl Secret {
    /// The secret itself, for the one who computes with it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("..")
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Certificate files.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// PEM file with the certificate chain. SIGHUP reads both files again.
    #[schemars(extend("examples" = ["/etc/peerway/fullchain.pem"]))]
    pub cert: PathBuf,
    /// PEM file with the private key.
    #[schemars(extend("examples" = ["/etc/peerway/privkey.pem"]))]
    pub key: PathBuf,
}

/// Bounds on what one client can cost.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsConfig {
    /// Longest message from a client, in bytes or with a unit ("256KiB").
    pub frame_size: Bytes,
    /// Longest message from a Socket.IO client, and longest body that it polls with: a message to a
    /// room (`room_data_size`) and what is around it. Messages over 256KiB share 64MiB.
    pub payload_size: Bytes,
    /// Messages per second from one client, in the long run.
    pub messages_per_second: u32,
    /// Messages from one client at once, on top of the long run.
    pub message_burst: u32,
    /// Messages of one sender that may wait for absent peers.
    pub mail_per_sender: usize,
    /// Bytes of one sender that may wait for absent peers.
    pub mail_bytes_per_sender: Bytes,
    /// Messages of one app that may wait for absent peers.
    pub mail_per_app: usize,
    /// Bytes of one app that may wait for absent peers.
    pub mail_bytes_per_app: Bytes,
    /// Bytes waiting to be read by one client before it counts as a slow reader and is cut.
    pub outbox_size: Bytes,
    /// Bytes waiting to be read by all clients together; when they are reached, clients with more
    /// than 16 KiB waiting are cut as slow readers.
    pub outbox_total: Bytes,
    /// How long a client may leave everything unread before it counts as a slow reader.
    pub write_timeout: Millis,
    /// Rooms that one peer may be in at the same time.
    pub rooms_per_peer: usize,
    /// Members of one room.
    pub members_per_room: usize,
    /// Rooms of one app that this node keeps.
    pub rooms_per_app: usize,
    /// Longest message to a room, with the JSON around its binary parts: skyway-js itself allows
    /// 20MiB of data. PeerJS frames are bounded by `frame_size` before.
    pub room_data_size: Bytes,
    /// What a room remembers for its log: the last so many entries, and 1 MiB of them at most.
    pub room_log: usize,
    /// Sessions at the same time from one network address.
    pub sessions_per_address: usize,
    /// Connections at the same time that have not yet sent a complete request.
    pub pending_handshakes: usize,
    /// Of those, how many may come from one network address (not applied when `proxied`).
    pub pending_handshakes_per_address: usize,
    /// How long a connection may take to send a complete request, and idle between requests.
    pub handshake_timeout: Millis,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            frame_size: Bytes(256 * 1024),
            payload_size: Bytes(21 * 1024 * 1024),
            messages_per_second: 500,
            message_burst: 2500,
            mail_per_sender: 1000,
            mail_bytes_per_sender: Bytes(2 * 1024 * 1024),
            mail_per_app: 20_000,
            mail_bytes_per_app: Bytes(64 * 1024 * 1024),
            outbox_size: Bytes(1024 * 1024),
            outbox_total: Bytes(256 * 1024 * 1024),
            write_timeout: Millis::from_secs(15),
            rooms_per_peer: 64,
            members_per_room: 1000,
            rooms_per_app: 10_000,
            room_data_size: Bytes(20 * 1024 * 1024 + 512 * 1024),
            room_log: 100,
            sessions_per_address: 5000,
            pending_handshakes: 4096,
            pending_handshakes_per_address: 1024,
            handshake_timeout: Millis::from_secs(10),
        }
    }
}

/// Prometheus metrics.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MetricsConfig {
    /// Answer `GET /metrics`.
    pub enabled: bool,
    /// Ask for `Authorization: Bearer <token>`; unset for no questions.
    #[schemars(extend("examples" = ["a long random text"]))]
    pub token: Option<Secret>,
}

impl Default for MetricsConfig {
    fn default() -> Self {
        Self { enabled: true, token: None }
    }
}

/// Logging.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// `error`, `warn`, `info`, `debug`, `trace`, or directives like `info,peerway_server=debug`.
    pub level: String,
    /// `pretty` for people, `json` for collectors: one object per line.
    pub format: LogFormat,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { level: "info".into(), format: LogFormat::Pretty }
    }
}

/// Form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Pretty,
    /// One JSON object per line.
    Json,
}

impl Config {
    /// What the types cannot say.
    fn validate(&self) -> Result<(), String> {
        for (name, value) in [
            ("alive_timeout", self.alive_timeout),
            ("ping_interval", self.ping_interval()),
            ("limits.handshake_timeout", self.limits.handshake_timeout),
            ("limits.write_timeout", self.limits.write_timeout),
            ("engineio.ping_interval", self.engineio.ping_interval),
            ("engineio.ping_timeout", self.engineio.ping_timeout),
        ] {
            if value.0.is_zero() {
                return Err(format!("{name} must not be 0"));
            }
        }
        if self.ping_interval() >= self.alive_timeout {
            return Err(format!(
                "ping_interval ({}) must be shorter than alive_timeout ({}), or idle clients are cut \
                 before they are asked",
                self.ping_interval(),
                self.alive_timeout
            ));
        }
        if self.limits.frame_size.0 < 1024 {
            return Err(format!(
                "limits.frame_size ({}) must be at least 1KiB",
                self.limits.frame_size
            ));
        }
        if !self.path.chars().all(|c| c.is_ascii_alphanumeric() || "/-_.~".contains(c)) {
            return Err(format!(
                "path '{}' may only have letters, digits and any of / - _ . ~",
                self.path
            ));
        }
        if OWN_PATHS.contains(&self.base_path().trim_end_matches('/')) {
            return Err(format!("path '{}' is one that the server uses for itself", self.path));
        }
        self.skyway.validate()?;
        if self.base_path() == "/socket.io/" {
            return Err("path must not be /socket.io, where Socket.IO clients come".into());
        }
        self.sfu.validate()?;
        self.turn.validate()
    }

    /// Silence after which a client is pinged.
    pub fn ping_interval(&self) -> Millis {
        self.ping_interval.unwrap_or(Millis((self.alive_timeout.0 / 3).min(LONGEST_PING_INTERVAL)))
    }

    /// `path` in the form that routes are made of: starts and ends with a slash.
    pub fn base_path(&self) -> String {
        let inner = self.path.trim_matches('/');
        if inner.is_empty() { "/".into() } else { format!("/{inner}/") }
    }
}
