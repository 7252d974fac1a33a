//! The selective forwarding unit: the sockets and threads around the routers of `peerway-media`.
//!
//! ```text
//!   node loop --MediaCommand--> handle --orders--> worker.rs   one thread per core, each with a
//!             <--MediaEvent---  tell.rs ---------              MediaRouter and a socket of its own
//!                                                              for every address (SO_REUSEPORT)
//!   UDP   the kernel deals clients out by their addresses, rooms are dealt out by load: what comes
//!         to another worker's socket is handed over (paths.rs), in batches
//!   TCP   accept.rs reads the first frame, whose ICE user name tells the worker, which takes the
//!         connection over (stream.rs)
//! ```

mod accept;
mod addresses;
mod members;
mod orders;
mod paths;
mod report;
mod rooms;
mod settings;
mod stream;
mod tell;
#[cfg(test)]
mod tests;
mod worker;

use std::net::SocketAddr;
use std::sync::Arc;

use peerway_broker::{LegId, MediaCommand};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Config;
use crate::edge::Crowd;
use crate::metrics::Metrics;
use crate::node::Media;
use crate::server::StartError;
use crate::udp::listen::{self, Unbound};
use crate::udp::{Inboxes, StopOnDrop};
use addresses::Addresses;
use orders::{Order, Orders};
use paths::Paths;
pub(crate) use report::MemberReport;
use rooms::Rooms;
use settings::Settings;
use worker::Worker;

/// Events that wait for the node loop; what more there is waits with the worker.
const EVENTS: usize = 1024;

/// What workers and tasks share.
#[derive(Debug)]
struct Common {
    settings: Settings,
    addresses: Addresses,
    rooms: Rooms,
    orders: Vec<Orders>,
    inboxes: Inboxes,
    paths: Paths,
    connections: Crowd,
    metrics: Arc<Metrics>,
}

/// A forwarding unit that listens and is ready to run.
#[derive(Debug)]
pub(crate) struct Sfu {
    common: Arc<Common>,
    workers: Vec<Worker>,
    listeners: Vec<TcpListener>,
}

impl Sfu {
    /// Listens. `None` if it is turned off.
    pub(crate) fn bind(
        config: &Config,
        metrics: Arc<Metrics>,
    ) -> Result<Option<(Self, Media)>, StartError> {
        if !config.sfu.enabled {
            return Ok(None);
        }
        let settings = Settings::new(config);
        let told = |transport| {
            move |Unbound { address, cause }| StartError::Sfu { transport, address, cause }
        };
        let locals = addresses::usable(listen::local_addresses());
        let [udp, tcp] = config.sfu.listen(config.port);
        let udp = listen::udp(&udp, &locals, settings.workers).map_err(told("UDP"))?;
        let tcp = listen::tcp(&tcp, &locals).map_err(told("TCP"))?;
        let at = |addresses: &mut dyn Iterator<Item = SocketAddr>| addresses.collect::<Vec<_>>();
        let udp_at = at(&mut udp.iter().map(|it| it.address));
        let tcp_at = at(&mut tcp.iter().map(|it| it.address));
        for (transport, addresses) in [("UDP", &udp_at), ("TCP", &tcp_at)] {
            for address in addresses {
                tracing::info!(%address, transport, "the SFU is listening");
            }
        }
        let externals = match &config.sfu.external_addresses[..] {
            [] => &config.turn.external_addresses,
            own => own,
        };
        let dealt = listen::deal_out(udp, settings.workers);
        let (tell, events) = mpsc::channel(EVENTS);
        let prepared = (0..settings.workers)
            .map(|_| worker::Prepared::new())
            .collect::<Result<Vec<_>, _>>()
            .map_err(StartError::SfuIo)?;
        let common = Arc::new(Common {
            addresses: Addresses::new(&udp_at, &tcp_at, externals),
            rooms: Rooms::new(settings.workers, settings.members),
            orders: prepared.iter().map(|it| Orders::new(it.waker())).collect(),
            inboxes: Inboxes::default(),
            paths: Paths::default(),
            connections: Crowd::default(),
            metrics,
            settings,
        });
        let workers = prepared
            .into_iter()
            .zip(dealt)
            .map(|(it, sockets)| it.with(common.clone(), sockets, tell.clone()))
            .collect::<Result<_, _>>()
            .map_err(StartError::SfuIo)?;
        let listeners = tcp
            .into_iter()
            .map(|it| TcpListener::from_std(it.socket))
            .collect::<Result<_, _>>()
            .map_err(StartError::SfuIo)?;
        let sfu = Self { common, workers, listeners };
        let media = Media { sfu: sfu.handle(), events };
        Ok(Some((sfu, media)))
    }

    /// The way to it while it runs.
    pub(crate) fn handle(&self) -> SfuHandle {
        SfuHandle { common: self.common.clone() }
    }

    /// Starts serving, until told to stop; returns at once. What it starts is in `tasks`.
    pub(crate) fn start(self, tasks: &TaskTracker, stop: &CancellationToken) {
        for (index, worker) in self.workers.into_iter().enumerate() {
            let guard = StopOnDrop(worker.waker());
            let (ended, end) = tokio::sync::oneshot::channel::<()>();
            let thread = std::thread::Builder::new().name(format!("sfu-{index}"));
            let started = thread.spawn(move || {
                worker.run();
                drop(ended);
            });
            if let Err(error) = started {
                tracing::error!(%error, "cannot start a thread for the SFU");
            }
            let stop = stop.clone();
            tasks.spawn(async move {
                // The sender is dropped by the thread when it has ended, however it did.
                let mut end = end;
                tokio::select! {
                    () = stop.cancelled() => {
                        drop(guard);
                        let _ = (&mut end).await;
                    }
                    _ = &mut end => tracing::error!("a thread of the SFU has ended: restart me"),
                }
            });
        }
        for listener in self.listeners {
            let (common, stop) = (self.common.clone(), stop.clone());
            tasks.spawn(accept::accept_loop(common, listener, tasks.clone(), stop));
        }
    }
}

/// The way to it while it runs.
#[derive(Debug, Clone)]
pub struct SfuHandle {
    common: Arc<Common>,
}

impl SfuHandle {
    /// Takes what the broker wants done. Never waits.
    pub fn perform(&self, command: MediaCommand) {
        let common = &self.common;
        let (worker, order) = match command {
            MediaCommand::Open { leg, room, peer, stream, owner, profile } => {
                match common.rooms.open(leg, &room) {
                    Ok(place) => {
                        let settings = &common.settings;
                        let options = settings.leg(&room.app, profile, stream.is_some(), owner);
                        let id = place.room;
                        (place.worker, Order::Open { leg, id, room, peer, options })
                    }
                    // Any worker can say so.
                    Err(full) => (0, Order::Refuse(leg, full.to_string())),
                }
            }
            MediaCommand::Close(leg) => {
                let Some(worker) = common.rooms.close(leg) else { return };
                (worker, Order::Media(MediaCommand::Close(leg)))
            }
            command => {
                // Of a leg that has ended by itself, which the broker may not have heard yet.
                let Some(worker) = common.rooms.worker_of(command.leg()) else { return };
                (worker, Order::Media(command))
            }
        };
        common.orders[worker].push(order);
    }

    /// How all members' media are.
    pub(crate) async fn reports(&self) -> Vec<MemberReport> {
        let mut all = Vec::new();
        for orders in &self.common.orders {
            let (reply, answer) = oneshot::channel();
            orders.push(Order::Report(reply));
            // A worker that is stopped, or too far behind, has nothing to tell.
            all.extend(answer.await.unwrap_or_default());
        }
        all
    }
}

/// The router's name of a leg is the broker's.
fn media_id(leg: LegId) -> peerway_media::LegId {
    peerway_media::LegId(leg.0)
}

fn broker_id(leg: peerway_media::LegId) -> LegId {
    LegId(leg.0)
}
