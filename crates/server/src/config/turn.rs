//! The settings of the STUN and TURN server.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::addresses::{ExternalAddress, ListenAddress, Net, PortRange};
use super::{Bytes, Millis, Secret, TlsConfig};

/// STUN and TURN: how peers find out their public address, and the relay for those that cannot
/// reach each other.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TurnConfig {
    /// Serve STUN and TURN.
    pub enabled: bool,
    /// Where to listen for UDP: a port ("3478") of all addresses, or one address
    /// ("192.0.2.1:3478").
    pub udp: Vec<ListenAddress>,
    /// Where to listen for TCP.
    pub tcp: Vec<ListenAddress>,
    /// Where to listen for TLS over TCP. Without a certificate nothing is.
    pub tls: Vec<ListenAddress>,
    /// PEM file with the certificate chain for TLS; that of `[tls]` if unset.
    #[schemars(extend("examples" = ["/etc/peerway/turn.pem"]))]
    pub cert: Option<PathBuf>,
    /// PEM file with the private key for TLS; that of `[tls]` if unset.
    #[schemars(extend("examples" = ["/etc/peerway/turn.key"]))]
    pub key: Option<PathBuf>,
    /// The realm that clients are told.
    pub realm: String,
    /// Host name of the server in the URLs that clients are given; the host that they asked if
    /// unset.
    #[schemars(extend("examples" = ["turn.example.com"]))]
    pub public_host: Option<String>,
    /// UDP and TCP ports to relay from. Open them in the firewall.
    pub relay_ports: PortRange,
    /// Addresses of the machine to relay from, one for each family; empty for the one that the
    /// client reached.
    pub relay_addresses: Vec<IpAddr>,
    /// Behind 1:1 NAT (cloud machines): the public address, "203.0.113.5", or for one of several
    /// addresses "203.0.113.5/10.0.0.5".
    pub external_addresses: Vec<ExternalAddress>,
    /// Secrets that sign credentials: the first one signs, all are accepted, so that a new one can
    /// be put in front while the old one runs out. Set it if credentials shall survive a restart,
    /// are made elsewhere (coturn's use-auth-secret), or are for several servers. Empty for a
    /// random one.
    pub secrets: Vec<Secret>,
    /// How long a credential is good for.
    pub credential_ttl: Millis,
    /// How long an allocation may be refreshed, although its credential has expired.
    pub session_length: Millis,
    /// Users with fixed passwords, "name:password", for tests and old clients.
    pub users: Vec<Secret>,
    /// Nets that may be relayed to although they are not public: "192.168.7.0/24".
    pub allow_peers: Vec<Net>,
    /// Nets that must not be relayed to, whatever `allow_peers` says.
    pub deny_peers: Vec<Net>,
    /// Servers that clients are sent to while this one is drained (SIGUSR1): "192.0.2.2:3478".
    pub alternate_servers: Vec<SocketAddr>,
    /// Allocations at the same time in all; 0 for any number, here and below.
    pub allocations: usize,
    /// Allocations of one user name.
    pub allocations_per_user: usize,
    /// Allocations of one app.
    pub allocations_per_app: usize,
    /// Allocations from one source address (or IPv6 /64).
    pub allocations_per_source: usize,
    /// Bytes of payload per second of an allocation, in each direction; more are dropped. Unset
    /// for any number.
    #[schemars(extend("examples" = ["1MiB"]))]
    pub bandwidth_per_allocation: Option<Bytes>,
    /// Answers per second to one source address that has not shown a credential; more are not
    /// given, so that nobody can use the server to flood another. 0 for any number.
    pub answers_per_source: u32,
    /// TCP and TLS connections at the same time from one source address.
    pub connections_per_source: usize,
    /// Threads for UDP; one for each core if unset.
    #[schemars(extend("examples" = [2]))]
    pub workers: Option<usize>,
}

impl Default for TurnConfig {
    fn default() -> Self {
        let listen = |port| vec![ListenAddress { ip: None, port }];
        Self {
            enabled: true,
            udp: listen(3478),
            tcp: listen(3478),
            tls: listen(5349),
            cert: None,
            key: None,
            realm: "peerway".into(),
            public_host: None,
            relay_ports: PortRange(49152..=65535),
            relay_addresses: Vec::new(),
            external_addresses: Vec::new(),
            secrets: Vec::new(),
            credential_ttl: Millis::from_secs(24 * 3600),
            session_length: Millis::from_secs(24 * 3600),
            users: Vec::new(),
            allow_peers: Vec::new(),
            deny_peers: Vec::new(),
            alternate_servers: Vec::new(),
            allocations: 10_000,
            allocations_per_user: 100,
            allocations_per_app: 0,
            allocations_per_source: 1000,
            bandwidth_per_allocation: None,
            answers_per_source: 200,
            connections_per_source: 1000,
            workers: None,
        }
    }
}

impl TurnConfig {
    /// What the types cannot say.
    pub(super) fn validate(&self) -> Result<(), String> {
        self.static_users()?;
        if self.cert.is_some() != self.key.is_some() {
            return Err("turn.cert and turn.key go together".into());
        }
        if self.credential_ttl.0 < Duration::from_mins(1) {
            return Err(format!(
                "turn.credential_ttl ({}) must be at least 1m: clients fetch credentials before \
                 they use them",
                self.credential_ttl
            ));
        }
        if self.realm.is_empty() || self.realm.len() > LONGEST_REALM {
            return Err(format!("turn.realm must have 1 to {LONGEST_REALM} characters"));
        }
        if self.secrets.iter().any(|secret| secret.expose().len() < SHORTEST_SECRET) {
            return Err(format!(
                "turn.secrets must have at least {SHORTEST_SECRET} characters each"
            ));
        }
        if self.workers == Some(0) {
            return Err("turn.workers must not be 0; unset it for one per core".into());
        }
        Ok(())
    }

    /// The users by name.
    pub fn static_users(&self) -> Result<BTreeMap<String, String>, String> {
        let user = |user: &Secret| {
            let (name, password) = user.expose().split_once(':')?;
            (!name.is_empty()).then(|| (name.to_owned(), password.to_owned()))
        };
        let users = self.users.iter().map(user);
        users
            .collect::<Option<_>>()
            .ok_or_else(|| "turn.users must be like \"name:password\"".into())
    }

    /// The certificate files: its own, or those of the whole program.
    pub fn certificate(&self, general: Option<&TlsConfig>) -> Option<TlsConfig> {
        let own = self.cert.clone().zip(self.key.clone());
        own.map(|(cert, key)| TlsConfig { cert, key }).or_else(|| general.cloned())
    }
}

/// Of the REALM attribute (RFC 8489 section 14.9).
const LONGEST_REALM: usize = 127;
const SHORTEST_SECRET: usize = 16;
