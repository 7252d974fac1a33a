//! The server as a value: bind it, run it until told to stop.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use peerway_broker::{AppPolicy, Broker, MailLimit, RoomLimits, Settings};
use peerway_turn::Report;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::auth::Apps;
use crate::backplane::MemoryHub;
use crate::clock;
use crate::config::Config;
use crate::edge::{Crowd, Edge};
use crate::http::{self, Certificates};
use crate::metrics::Metrics;
use crate::node::Node;
use crate::outbox::Outboxes;
use crate::sfu::Sfu;
use crate::transport::engineio::{self, Application};
use crate::transport::skyway::SkyWay;
use crate::turn::{Turn, TurnControl};

/// How long sessions may take to say goodbye.
const GOODBYE: Duration = Duration::from_secs(5);

/// Why the server cannot start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The address cannot be listened on.
    #[error("cannot listen on {host} port {port}: {cause}")]
    Bind {
        /// As configured.
        host: String,
        /// As configured.
        port: u16,
        /// Why.
        cause: std::io::Error,
    },
    /// An address cannot be listened on for TURN.
    #[error(
        "cannot listen for TURN on {address} ({transport}): {cause}; is another TURN server \
         running? turn.{} says where to listen, --no-turn goes without", transport.to_lowercase()
    )]
    Turn {
        /// UDP, TCP or TLS.
        transport: String,
        /// Where.
        address: SocketAddr,
        /// Why.
        cause: std::io::Error,
    },
    /// An address cannot be listened on for the forwarding unit.
    #[error(
        "cannot listen for the SFU on {address} ({transport}): {cause}; is another server running? \
         sfu.{} says where to listen, --no-sfu goes without", transport.to_lowercase()
    )]
    Sfu {
        /// UDP or TCP.
        transport: &'static str,
        /// Where.
        address: SocketAddr,
        /// Why.
        cause: std::io::Error,
    },
    /// The forwarding unit cannot start for another reason.
    #[error("cannot start the SFU: {0}")]
    SfuIo(std::io::Error),
    /// TURN cannot start for another reason.
    #[error("cannot start TURN: {0}")]
    TurnIo(std::io::Error),
    /// Settings that do not work.
    #[error("{0}")]
    Config(String),
}

/// A server that listens and is ready to run.
#[derive(Debug)]
pub struct Server {
    edge: Arc<Edge>,
    listener: TcpListener,
    local_addr: SocketAddr,
    certificates: Option<Arc<Certificates>>,
    turn: Option<Turn>,
    sfu: Option<Sfu>,
    node: JoinHandle<()>,
    stop: CancellationToken,
    socketio: Option<SocketIo>,
}

/// Makes the routes of Socket.IO, with what is served over it.
struct SocketIo(Box<dyn FnOnce(Arc<Edge>) -> Router<Arc<Edge>> + Send>);

impl fmt::Debug for SocketIo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SocketIo(..)")
    }
}

/// The way to a running server.
#[derive(Debug, Clone)]
pub struct Control {
    stop: CancellationToken,
    certificates: Option<Arc<Certificates>>,
    turn: Option<TurnControl>,
}

impl Control {
    /// Begins a graceful shutdown.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Reads the certificate files again. On an error the certificate in use stays.
    pub fn reload_certificates(&self) -> Result<(), String> {
        self.certificates.as_ref().map_or(Ok(()), |certificates| certificates.reload())?;
        self.turn.as_ref().map_or(Ok(()), TurnControl::reload_certificates)
    }

    /// Sends new TURN clients to `turn.alternate_servers` from now on; those that have an
    /// allocation stay. `false` if TURN is off.
    pub fn drain_turn(&self) -> bool {
        self.turn.as_ref().inspect(|turn| turn.drain()).is_some()
    }

    /// What happens in the TURN server from now on, unless it is off.
    pub fn turn_reports(&self) -> Option<broadcast::Receiver<Report>> {
        self.turn.as_ref().map(TurnControl::reports)
    }
}

impl Server {
    /// Listens. Must be called inside a tokio runtime.
    pub async fn bind(config: Config) -> Result<Self, StartError> {
        let apps = Apps::new(&config).map_err(StartError::Config)?;
        let certificates = config.tls.as_ref().map(Certificates::load).transpose();
        let certificates = certificates.map_err(StartError::Config)?.map(Arc::new);
        let (host, port) = (config.host.clone(), config.port);
        let told = |cause| StartError::Bind { host: host.clone(), port, cause };
        let listener = http::bind(&host, port).await.map_err(told)?;
        let local_addr = listener.local_addr().map_err(told)?;

        let metrics = Arc::new(Metrics::new());
        let keys = apps.keys().map(ToOwned::to_owned).collect();
        let turn = Turn::bind(&config, keys, local_addr, metrics.clone())?;
        let broker = Broker::new(settings(&config, &apps), clock::wall());
        let (sfu, media) = Sfu::bind(&config, metrics.clone())?.unzip();
        let hub = MemoryHub::default();
        let (node, handle) = Node::new(broker, hub.join(), metrics.clone(), media);
        let limits = &config.limits;
        let outboxes = Outboxes::new(limits.outbox_size.0, limits.outbox_total.0);
        let edge = Arc::new(Edge {
            outboxes,
            sfu: sfu.as_ref().map(Sfu::handle),
            ice: turn.as_ref().map(|turn| turn.ice(&config)),
            config,
            apps,
            node: handle,
            metrics,
            sessions: Crowd::default(),
            lost: Crowd::default(),
            handshakes: Crowd::default(),
            tasks: TaskTracker::new(),
            started: clock::now(),
        });
        let node = tokio::spawn(node.run());
        let stop = CancellationToken::new();
        let socketio = None;
        Ok(Self { edge, listener, local_addr, certificates, turn, sfu, node, stop, socketio })
    }

    /// Serves something else over Socket.IO than SkyWay's dialect.
    #[must_use]
    pub fn with_socketio(mut self, application: impl Application) -> Self {
        let router = move |edge| engineio::router(edge, application);
        self.socketio = Some(SocketIo(Box::new(router)));
        self
    }

    /// Where it listens; tells the port if the configured one was 0.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Where it listens for STUN and TURN.
    pub fn turn_addresses(&self) -> &[(peerway_turn::Transport, SocketAddr)] {
        self.turn.as_ref().map_or(&[], Turn::addresses)
    }

    /// The way to the server while it runs.
    pub fn control(&self) -> Control {
        Control {
            stop: self.stop.clone(),
            certificates: self.certificates.clone(),
            turn: self.turn.as_ref().map(Turn::control),
        }
    }

    /// Serves until stopped: then accepts nobody, tells every client, and waits for them.
    pub async fn run(self) {
        let Self { edge, listener, certificates, turn, sfu, node, stop, socketio, .. } = self;
        let socketio = match socketio {
            Some(SocketIo(make)) => make(edge.clone()),
            None => engineio::router(edge.clone(), SkyWay::new(edge.clone())),
        };
        let router = http::router(edge.clone(), socketio);
        if let Some(turn) = turn {
            turn.start(&edge.tasks, &stop);
        }
        if let Some(sfu) = sfu {
            sfu.start(&edge.tasks, &stop);
        }
        http::accept_loop(listener, certificates, router, edge.clone(), stop).await;
        edge.node.shut_down().await;
        edge.tasks.close();
        if tokio::time::timeout(GOODBYE, edge.tasks.wait()).await.is_err() {
            tracing::warn!(sessions = edge.tasks.len(), "sessions did not end in time");
        }
        if let Err(error) = node.await {
            tracing::error!(%error, "the node loop ended badly");
        }
    }
}

/// Checks what only shows when the parts of a configuration are put together, without listening:
/// apps, certificate files.
pub fn check(config: &Config) -> Result<(), String> {
    Apps::new(config)?;
    config.tls.as_ref().map(Certificates::load).transpose()?;
    crate::turn::check(config)
}

fn settings(config: &Config, apps: &Apps) -> Settings {
    let limits = &config.limits;
    Settings {
        apps: apps.policies(config),
        other_apps: AppPolicy {
            concurrent_limit: config.concurrent_limit,
            leave_after: config.leave_after.map(|after| after.0),
            sfu: config.sfu.enabled,
            members_per_room: limits.members_per_room,
        },
        expire_after: config.expire_timeout.0,
        probe_timeout: config.probe_timeout.0,
        resume_grace: config.resume_grace.0,
        session_grace: config.session_grace.0,
        messages_per_second: limits.messages_per_second,
        message_burst: limits.message_burst,
        mail_per_sender: MailLimit {
            messages: limits.mail_per_sender,
            bytes: limits.mail_bytes_per_sender.0,
        },
        mail_per_app: MailLimit {
            messages: limits.mail_per_app,
            bytes: limits.mail_bytes_per_app.0,
        },
        contacts_per_peer: 1000,
        remembered_departures: 10_000,
        rooms: RoomLimits {
            per_peer: limits.rooms_per_peer,
            per_app: limits.rooms_per_app,
            data_size: limits.room_data_size.0,
            log_entries: limits.room_log,
        },
    }
}
