//! What the handles of a peer and its driver both look at.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::ClientConfig;
use tokio::sync::{mpsc, watch};

use super::registry::Registry;
use super::{PeerError, PeerErrorKind};
use crate::connection::{Context, Outbound};
use crate::room::SessionState;
use crate::signalling::Endpoint;
use crate::signalling::session;
use crate::transport::NetworkOptions;

/// How things stand between a peer and its signalling server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PeerState {
    /// Not open yet.
    Connecting,
    /// Known to the server under its id.
    Open,
    /// The connection is lost and will be made again.
    Reconnecting,
    /// Without a connection, until [`reconnect`](crate::Peer::reconnect).
    Disconnected,
    /// Over.
    Destroyed,
}

impl From<session::Status> for PeerState {
    fn from(status: session::Status) -> Self {
        match status {
            session::Status::Connecting => Self::Connecting,
            session::Status::Open => Self::Open,
            session::Status::Reconnecting => Self::Reconnecting,
            session::Status::Disconnected => Self::Disconnected,
            session::Status::Destroyed => Self::Destroyed,
        }
    }
}

/// What the application wants. Only the last wish counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Want {
    Connected,
    Away,
    Destroyed,
}

/// A wish and its number.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wish {
    pub(super) want: Want,
    pub(super) serial: u64,
}

/// How things stand, as the driver tells.
#[derive(Debug, Clone)]
pub(super) struct Status {
    pub(super) state: PeerState,
    /// The wish that the state obeys.
    pub(super) serial: u64,
    pub(super) id: Option<String>,
    /// What went wrong last.
    pub(super) error: Option<PeerError>,
    /// Nothing will follow.
    pub(super) finished: bool,
}

/// See the module documentation.
pub(super) struct Shared {
    pub(super) endpoint: Endpoint,
    pub(super) tls: Arc<ClientConfig>,
    pub(super) status: watch::Sender<Status>,
    /// The same, as rooms want to know it.
    pub(super) session: watch::Sender<SessionState>,
    registry: Mutex<Registry>,
    /// Changes when the server tells new ICE servers.
    network: watch::Sender<Arc<NetworkOptions>>,
    lent: Lent,
}

/// What connections say to the driver.
pub(super) struct Lent {
    pub(super) signals: mpsc::Sender<Outbound>,
    pub(super) ended: mpsc::UnboundedSender<String>,
    pub(super) moved: mpsc::Sender<()>,
}

impl Shared {
    pub(super) fn new(
        endpoint: Endpoint,
        network: NetworkOptions,
        id: Option<String>,
        lent: Lent,
    ) -> Self {
        let status =
            Status { state: PeerState::Connecting, serial: 0, id, error: None, finished: false };
        Self {
            endpoint,
            tls: network.tls.clone(),
            status: watch::Sender::new(status),
            session: watch::Sender::new(SessionState::default()),
            registry: Mutex::default(),
            network: watch::Sender::new(Arc::new(network)),
            lent,
        }
    }

    pub(super) fn registry(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn network(&self) -> Arc<NetworkOptions> {
        Arc::clone(&self.network.borrow())
    }

    /// Connections that start or restart from now on use these.
    pub(super) fn set_network(&self, network: NetworkOptions) {
        self.network.send_replace(Arc::new(network));
    }

    /// What connections are lent.
    pub(super) fn context(&self) -> Context {
        Context {
            signals: self.lent.signals.clone(),
            network: self.network.subscribe(),
            closed: self.lent.ended.clone(),
            moved: self.lent.moved.clone(),
        }
    }
}

impl Status {
    /// The state in view of a wish that the driver may not have heard of.
    pub(super) fn state_under(&self, wish: Wish) -> PeerState {
        match (self.state, wish.want) {
            (PeerState::Destroyed, _) => PeerState::Destroyed,
            (state, _) if self.serial >= wish.serial => state,
            (_, Want::Destroyed) => PeerState::Destroyed,
            (_, Want::Away) => PeerState::Disconnected,
            (PeerState::Disconnected, Want::Connected) => PeerState::Reconnecting,
            (state, Want::Connected) => state,
        }
    }

    /// Why the peer is not open and will not be.
    pub(super) fn why_not_open(&self) -> PeerError {
        self.error.clone().unwrap_or_else(|| not_in(self.state))
    }
}

/// The error of what cannot be done in this state.
pub(super) fn not_in(state: PeerState) -> PeerError {
    match state {
        PeerState::Destroyed => PeerError::new(PeerErrorKind::Destroyed, "the peer is destroyed"),
        _ => PeerError::new(
            PeerErrorKind::Disconnected,
            "the peer is disconnected from its server: reconnect() first",
        ),
    }
}
