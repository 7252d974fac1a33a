//! STUN and TURN: the sockets, threads and tasks around the state machine of `peerway-turn`.
//!
//! ```text
//!   UDP   worker.rs   one thread per core, each with a socket of its own for every address
//!                     (SO_REUSEPORT): the kernel deals clients out, a client stays with its thread
//!   TCP   stream.rs   one task per connection; the data connections of RFC 6062 in data.rs
//!   TLS               the same inside TLS
//! ```
//! Each worker and each task has a `peerway_turn::Server` of its own; what they share is
//! `peerway_turn::Shared`, the relay ports (`ports.rs`) and the reports (`reports.rs`).

mod data;
mod hairpin;
mod ice;
mod ports;
mod reports;
mod settings;
mod stream;
mod worker;

use std::net::SocketAddr;
use std::sync::Arc;

use peerway_turn::{Report, Shared, Transport};
use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) use ice::Ice;
pub use ice::{Form, IceError, IceServer, IceServers, ice_servers};

use crate::clock;
use crate::config::Config;
use crate::edge::Crowd;
use crate::http::Certificates;
use crate::metrics::Metrics;
use crate::server::StartError;
use crate::udp::listen::Unbound;
use crate::udp::{Inboxes, StopOnDrop, listen};
use hairpin::Directory;
use ports::RelayPorts;
use reports::Reports;
use worker::Worker;

/// What workers and tasks share.
#[derive(Debug)]
struct Common {
    shared: Arc<Shared>,
    ports: RelayPorts,
    reports: Reports,
    data: Arc<data::DataConnections>,
    directory: Directory,
    inboxes: Inboxes,
    connections: Crowd,
    settings: settings::IoSettings,
}

/// A TURN server that listens and is ready to run.
#[derive(Debug)]
pub(crate) struct Turn {
    common: Arc<Common>,
    workers: Vec<Worker>,
    streams: Vec<(Transport, TcpListener)>,
    certificates: Option<Arc<Certificates>>,
    addresses: Vec<(Transport, SocketAddr)>,
}

impl Turn {
    /// Listens; `http` is where the rest of the program does, which nobody may reach through the
    /// relay. `None` if TURN is off.
    pub(crate) fn bind(
        config: &Config,
        apps: Vec<String>,
        http: SocketAddr,
        metrics: Arc<Metrics>,
    ) -> Result<Option<Self>, StartError> {
        if !config.turn.enabled {
            return Ok(None);
        }
        let certificates = settings::certificates(config).map_err(StartError::Config)?;
        let locals = listen::local_addresses();
        let io = settings::IoSettings::new(config);
        let told = |transport: Transport| {
            move |Unbound { address, cause }| StartError::Turn {
                transport: transport.name().to_uppercase(),
                address,
                cause,
            }
        };
        let turn = &config.turn;
        let tls = if certificates.is_some() { &turn.tls[..] } else { &[] };
        let udp = listen::udp(&turn.udp, &locals, io.workers).map_err(told(Transport::Udp))?;
        let tcp = listen::tcp(&turn.tcp, &locals).map_err(told(Transport::Tcp))?;
        let tls = listen::tcp(tls, &locals).map_err(told(Transport::Tls))?;
        let addresses: Vec<_> = udp
            .iter()
            .map(|it| (Transport::Udp, it.address))
            .chain(tcp.iter().map(|it| (Transport::Tcp, it.address)))
            .chain(tls.iter().map(|it| (Transport::Tls, it.address)))
            .collect();
        for (transport, address) in &addresses {
            tracing::info!(%transport, %address, "TURN is listening");
        }

        let ports = RelayPorts::new(&config.turn, &locals);
        let listening: Vec<_> = addresses.iter().map(|(_, address)| *address).collect();
        let settings =
            settings::core(config, apps, &ports, &locals, &[&listening[..], &[http]].concat())
                .map_err(StartError::Config)?;
        let relays = settings.policy.relays.clone();
        let shared = Shared::new(settings, &clock::random(), clock::now());
        let common = Arc::new(Common {
            shared,
            ports,
            reports: Reports::new(metrics),
            data: Arc::default(),
            directory: Directory::new(relays, config.turn.relay_ports.0.clone()),
            inboxes: Inboxes::default(),
            connections: Crowd::default(),
            settings: io,
        });
        let workers = listen::deal_out(udp, io.workers)
            .into_iter()
            .map(|sockets| Worker::new(common.clone(), sockets))
            .collect::<Result<_, _>>()
            .map_err(StartError::TurnIo)?;
        let streams = tcp
            .into_iter()
            .map(|it| (Transport::Tcp, it))
            .chain(tls.into_iter().map(|it| (Transport::Tls, it)))
            .map(|(transport, it)| Ok((transport, TcpListener::from_std(it.socket)?)))
            .collect::<Result<_, _>>()
            .map_err(StartError::TurnIo)?;
        Ok(Some(Self { common, workers, streams, certificates, addresses }))
    }

    /// What tells clients how to use it.
    pub(crate) fn ice(&self, config: &Config) -> Ice {
        Ice::new(self.common.shared.clone(), &self.addresses, config.turn.public_host.clone())
    }

    /// The way to it while it runs.
    pub(crate) fn control(&self) -> TurnControl {
        TurnControl { common: self.common.clone(), certificates: self.certificates.clone() }
    }

    /// Where it listens.
    pub(crate) fn addresses(&self) -> &[(Transport, SocketAddr)] {
        &self.addresses
    }

    /// Starts serving, until told to stop; returns at once. What it starts is in `tasks`.
    pub(crate) fn start(self, tasks: &TaskTracker, stop: &CancellationToken) {
        for (index, worker) in self.workers.into_iter().enumerate() {
            let thread_guard = StopOnDrop(worker.waker());
            let (ended, end) = tokio::sync::oneshot::channel::<()>();
            let thread = std::thread::Builder::new().name(format!("turn-udp-{index}"));
            let started = thread.spawn(move || {
                worker.run();
                drop(ended);
            });
            if let Err(error) = started {
                tracing::error!(%error, "cannot start a thread for TURN");
            }
            let stop = stop.clone();
            tasks.spawn(async move {
                // The sender is dropped by the thread when it has ended, however it did.
                let mut end = end;
                tokio::select! {
                    () = stop.cancelled() => {
                        drop(thread_guard);
                        let _ = (&mut end).await;
                    }
                    _ = &mut end => tracing::error!(
                        "a TURN thread has ended: its clients have lost their relays; restart me"
                    ),
                }
            });
        }
        for (transport, listener) in self.streams {
            let certificates = self.certificates.clone();
            tasks.spawn(stream::accept_loop(
                self.common.clone(),
                transport,
                listener,
                certificates.filter(|_| transport == Transport::Tls),
                tasks.clone(),
                stop.clone(),
            ));
        }
    }
}

/// Checks what only shows when files are read.
pub(crate) fn check(config: &Config) -> Result<(), String> {
    if config.turn.enabled { settings::certificates(config).map(drop) } else { Ok(()) }
}

/// The way to a running TURN server.
#[derive(Debug, Clone)]
pub(crate) struct TurnControl {
    common: Arc<Common>,
    certificates: Option<Arc<Certificates>>,
}

impl TurnControl {
    /// Sends new clients elsewhere from now on.
    pub(crate) fn drain(&self) {
        self.common.shared.drain();
    }

    /// Reads the certificate files again.
    pub(crate) fn reload_certificates(&self) -> Result<(), String> {
        self.certificates.as_ref().map_or(Ok(()), |certificates| certificates.reload())
    }

    /// Everything that happens from now on. A receiver that falls behind is told how much it
    /// missed.
    pub(crate) fn reports(&self) -> broadcast::Receiver<Report> {
        self.common.reports.subscribe()
    }
}
