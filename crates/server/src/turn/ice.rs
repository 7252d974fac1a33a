//! What clients are told about the server: `RTCConfiguration.iceServers` with a fresh credential.

use std::net::SocketAddr;
use std::sync::Arc;

pub use peerway_turn::Form;
use peerway_turn::{Credential, Credentials, Shared, Transport};
use serde::Serialize;
use thiserror::Error;

use super::settings;
use crate::clock;
use crate::config::Config;

/// The body of `GET /v1/ice`: fit to be an `RTCConfiguration` as it is.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IceServers {
    /// STUN first, then TURN.
    pub ice_servers: Vec<IceServer>,
    /// Seconds that the credential is good for.
    pub ttl: u64,
}

/// An `RTCIceServer`.
#[derive(Debug, Serialize)]
pub struct IceServer {
    /// RFC 7064 and RFC 7065 URIs.
    pub urls: Vec<String>,
    /// Only for TURN.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// Only for TURN.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
}

/// Why there is nothing to tell.
#[derive(Debug, Error)]
pub enum IceError {
    /// `turn.enabled` is false.
    #[error("STUN and TURN are turned off (turn.enabled)")]
    Off,
    /// The server signs with a secret that only it knows.
    #[error(
        "turn.secrets is not set, so the running server signs with a secret of its own: set it, or \
         ask the server: GET /v1/ice?key=.."
    )]
    NoSecret,
    /// A static user or secret that is not one.
    #[error("{0}")]
    Config(String),
}

/// The ports that clients are told, by transport.
#[derive(Debug, Clone, Default)]
struct Ports {
    udp: Option<u16>,
    tcp: Option<u16>,
    tls: Option<u16>,
}

/// Makes credentials and the URLs to use them with.
#[derive(Debug)]
pub(crate) struct Ice {
    shared: Arc<Shared>,
    ports: Ports,
    public_host: Option<String>,
}

impl Ice {
    pub(super) fn new(
        shared: Arc<Shared>,
        addresses: &[(Transport, SocketAddr)],
        public_host: Option<String>,
    ) -> Self {
        let port = |wanted| {
            let mut of_it = addresses.iter().filter(|(transport, _)| *transport == wanted);
            of_it.next().map(|(_, address)| address.port())
        };
        let ports = Ports {
            udp: port(Transport::Udp),
            tcp: port(Transport::Tcp),
            tls: port(Transport::Tls),
        };
        Self { shared, ports, public_host }
    }

    /// For a client that asked for `asked_host`.
    pub(crate) fn servers(&self, form: Form, app: &str, asked_host: &str) -> Option<IceServers> {
        let host = self.public_host.as_deref().unwrap_or(asked_host);
        servers(&self.shared.settings().credentials, &self.ports, form, app, host)
    }

    /// For a client that knows the server's name itself; it ends at `end` at the latest.
    pub(crate) fn credential_until(&self, app: &str, end: u64) -> Option<Credential> {
        let credentials = &self.shared.settings().credentials;
        credentials.issue_until(Form::Colon, app, &random_tag(), clock::unix_now(), end)
    }

    /// The password for the user name that a client of the `SkyWay` fork makes itself.
    pub(crate) fn peer_password(&self, app: &str, id: &str) -> Option<String> {
        let credentials = &self.shared.settings().credentials;
        credentials.issue_for_peer(app, id, clock::unix_now()).map(|it| it.password)
    }
}

/// The same for the command line, which knows the configuration but not the running server.
pub fn ice_servers(
    config: &Config,
    form: Form,
    app: &str,
    host: Option<&str>,
) -> Result<IceServers, IceError> {
    let turn = &config.turn;
    if !turn.enabled {
        return Err(IceError::Off);
    }
    let credentials = settings::credentials(turn, None).map_err(IceError::Config)?;
    let with_tls = turn.certificate(config.tls.as_ref()).is_some();
    let ports = Ports {
        udp: turn.udp.first().map(|it| it.port),
        tcp: turn.tcp.first().map(|it| it.port),
        tls: turn.tls.first().map(|it| it.port).filter(|_| with_tls),
    };
    let external = turn.external_addresses.first().map(|it| uri_host(it.public));
    let host = host.or(turn.public_host.as_deref()).or(external.as_deref()).unwrap_or("localhost");
    servers(&credentials, &ports, form, app, host).ok_or(IceError::NoSecret)
}

/// Tells users of an app apart.
fn random_tag() -> String {
    format!("{:016x}", u64::from_be_bytes(clock::random()))
}

fn uri_host(ip: std::net::IpAddr) -> String {
    match ip {
        std::net::IpAddr::V4(ip) => ip.to_string(),
        std::net::IpAddr::V6(ip) => format!("[{ip}]"),
    }
}

fn servers(
    credentials: &Credentials,
    ports: &Ports,
    form: Form,
    app: &str,
    host: &str,
) -> Option<IceServers> {
    let Credential { username, password, ttl } =
        credentials.issue(form, app, &random_tag(), clock::unix_now())?;
    let mut stun = Vec::new();
    let mut turn = Vec::new();
    if let Some(port) = ports.udp {
        stun.push(format!("stun:{host}:{port}"));
        turn.push(format!("turn:{host}:{port}?transport=udp"));
    }
    if let Some(port) = ports.tcp {
        turn.push(format!("turn:{host}:{port}?transport=tcp"));
    }
    if let Some(port) = ports.tls {
        turn.push(format!("turns:{host}:{port}?transport=tcp"));
    }
    let mut ice_servers = Vec::new();
    if !stun.is_empty() {
        ice_servers.push(IceServer { urls: stun, username: None, credential: None });
    }
    if !turn.is_empty() {
        let (username, credential) = (Some(username), Some(password));
        ice_servers.push(IceServer { urls: turn, username, credential });
    }
    Some(IceServers { ice_servers, ttl: ttl.as_secs() })
}
