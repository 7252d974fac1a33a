//! From the configuration to what the state machine and the sockets need.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use peerway_turn::{Credentials, Limits, PeerPolicy, Settings};

use super::ports::RelayPorts;
use crate::clock;
use crate::config::{Config, TurnConfig};
use crate::http::Certificates;

/// What concerns sockets.
#[derive(Debug, Clone, Copy)]
pub(super) struct IoSettings {
    pub(super) workers: usize,
    pub(super) connections_per_source: usize,
    pub(super) handshake_timeout: Duration,
    pub(super) write_timeout: Duration,
    pub(super) bandwidth: Option<u64>,
}

impl IoSettings {
    pub(super) fn new(config: &Config) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            workers: config.turn.workers.unwrap_or(cores),
            connections_per_source: config.turn.connections_per_source,
            handshake_timeout: config.limits.handshake_timeout.0,
            write_timeout: config.limits.write_timeout.0,
            bandwidth: config.turn.bandwidth_per_allocation.map(|bytes| bytes.0 as u64),
        }
    }
}

/// The certificate for TLS, if there is one and it is needed.
pub(super) fn certificates(config: &Config) -> Result<Option<Arc<Certificates>>, String> {
    if config.turn.tls.is_empty() {
        return Ok(None);
    }
    let files = config.turn.certificate(config.tls.as_ref());
    files.map(|files| Certificates::load_for_turn(&files).map(Arc::new)).transpose()
}

/// The credentials; with a secret of this process if none is configured.
pub(super) fn credentials(
    config: &TurnConfig,
    fallback: Option<String>,
) -> Result<Credentials, String> {
    let mut secrets: Vec<_> = config.secrets.iter().map(|it| it.expose().to_owned()).collect();
    if secrets.is_empty() {
        secrets.extend(fallback);
    }
    Ok(Credentials::new(secrets, config.static_users()?, config.credential_ttl.0))
}

/// What the state machine needs.
pub(super) fn core(
    config: &Config,
    apps: Vec<String>,
    ports: &RelayPorts,
    locals: &[IpAddr],
    listening: &[SocketAddr],
) -> Result<Settings, String> {
    let turn = &config.turn;
    let secret = format!("{:032x}", u128::from_be_bytes(clock::random()));
    // Behind NAT our listeners have a second name.
    let listeners: BTreeSet<_> =
        listening.iter().flat_map(|it| [*it, ports.advertise(*it)]).collect();
    let own: BTreeSet<_> =
        locals.iter().flat_map(|ip| [*ip, ports.advertise(SocketAddr::new(*ip, 0)).ip()]).collect();
    let reached = listening.iter().map(SocketAddr::ip);
    Ok(Settings {
        realm: turn.realm.clone(),
        credentials: credentials(turn, Some(secret))?,
        policy: PeerPolicy {
            allow: turn.allow_peers.iter().map(|net| net.0).collect(),
            deny: turn.deny_peers.iter().map(|net| net.0).collect(),
            own: own.into_iter().collect(),
            relays: ports.advertised(reached),
            listeners: listeners.into_iter().collect(),
        },
        limits: Limits {
            per_user: turn.allocations_per_user,
            per_app: turn.allocations_per_app,
            per_source: turn.allocations_per_source,
            total: turn.allocations,
        },
        bandwidth: turn.bandwidth_per_allocation.map(|bytes| bytes.0 as u64),
        answers_per_source: turn.answers_per_source,
        session_length: turn.session_length.0,
        apps,
        alternates: turn.alternate_servers.clone(),
    })
}
