//! The task behind a connection: sockets and clock around a [`Link`].

mod core;
mod signals;

use std::collections::VecDeque;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use futures_util::FutureExt;
use peerway_protocol::peerjs::payload;
use tokio::sync::{mpsc, watch};
use tokio::time::{Sleep, sleep_until};

use super::context::{Context, Inbound, Outbound, Outgoing, RoomOffer};
use super::{ConnectionError, ConnectionErrorKind, description};
use crate::clock;
use crate::link::{Event, Link, Purpose};
use crate::transport::{LocalCandidate, Network, NetworkEvent};
use core::Core;
pub(super) use signals::offer;
use signals::{answer, answer_room};

/// Data that arrived while the application does not read, in bytes. The other side's SCTP sends at
/// most its window, about 1 MiB, without an acknowledgement; more is a flood and is dropped.
const HELD: usize = 4 * 1024 * 1024;

/// The application's side of a connection.
pub(crate) trait Front: Send + 'static {
    /// What the application asks for.
    type Command: Send;

    /// Something happened.
    fn handle_event(&mut self, link: &mut Link, event: Event);
    /// The application wants something.
    fn handle_command(&mut self, now: Instant, link: &mut Link, command: Self::Command);
    /// Whether another command can be taken.
    fn is_ready(&self, link: &Link) -> bool;
    /// The engine has moved on: what waits for room may have found it.
    fn handle_progress(&mut self, link: &mut Link);
    /// Whether the application has enough to read.
    fn is_full(&self) -> bool;
    /// Waits until it has read some.
    fn drained(&self) -> impl Future<Output = ()> + Send;
    /// A room's forwarding unit makes an offer; to be answered with this SDP.
    fn handle_offer(
        &mut self,
        _now: Instant,
        _link: &mut Link,
        _offer: &RoomOffer,
    ) -> Result<String, ConnectionError> {
        Err(ConnectionError::new(ConnectionErrorKind::NegotiationFailed, "this is not a room"))
    }
    /// It ends with an error.
    fn handle_failure(&mut self, error: ConnectionError);
    /// Nothing will follow.
    fn handle_end(&mut self);
}

/// Who the connection is with, for the signals.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    pub(crate) id: String,
    pub(crate) peer: String,
    pub(crate) kind: payload::Kind,
}

/// How a task is spoken to.
#[derive(Debug)]
pub(crate) struct Channels<C> {
    /// By the application. Their end is the end of the last handle.
    pub(crate) commands: mpsc::Receiver<C>,
    /// By the other side, through the server.
    pub(crate) inbox: mpsc::Receiver<Inbound>,
    /// Whether the application wants it to end.
    pub(crate) hang_up: watch::Receiver<bool>,
}

/// What there is to do next.
enum Turn<C> {
    Nothing,
    Inbound(Option<Inbound>),
    Drained,
    HangUp,
    Command(Option<C>),
    Network(NetworkEvent),
    Time,
}

/// A running connection.
pub(crate) struct Task<F: Front> {
    names: Names,
    context: Context,
    core: Core<F>,
    network: Network,
    channels: Channels<F::Command>,
    signals: VecDeque<Outgoing>,
    held: VecDeque<(SocketAddr, SocketAddr, Vec<u8>)>,
    held_bytes: usize,
    unresolved: Vec<(String, String)>,
    /// The other end is our server's forwarding unit.
    of_room: bool,
    /// Sockets for this machine's new addresses are due.
    moved: bool,
}

/// How a connection begins.
pub(crate) enum Beginning {
    /// With our offer, which this completes with its SDP.
    Call(payload::Offer),
    /// With theirs.
    Answer(payload::Offer),
    /// With that of a room's forwarding unit.
    Room(RoomOffer),
}

impl<F: Front> Task<F> {
    /// Runs a connection to its end.
    pub(crate) async fn run(
        names: Names,
        context: Context,
        purpose: Purpose,
        beginning: Beginning,
        mut front: F,
        channels: Channels<F::Command>,
    ) {
        let id = names.id.clone();
        let closed = context.closed.clone();
        let options = Arc::clone(&context.network.borrow());
        let mut network = match Network::open(&options).await {
            Ok(network) => network,
            Err(error) => {
                front.handle_failure(ConnectionError::new(
                    ConnectionErrorKind::NegotiationFailed,
                    error.to_string(),
                ));
                let _ = closed.send(id);
                return;
            }
        };
        let (hosts, later) = first_candidates(&mut network);
        let of_room = matches!(beginning, Beginning::Room(_));
        let now = clock::now();
        let (link, signal, candidates, caller, remote_restarts) = match beginning {
            Beginning::Call(mut offer) => {
                let (link, sdp) = Link::call(now, purpose, &hosts);
                offer.sdp = sdp;
                (link, Outgoing::Offer(offer), Vec::new(), true, false)
            }
            Beginning::Room(offer) => {
                let mut link = Link::room(now, purpose, &hosts);
                match answer_room(now, &names, &mut link, &mut front, &offer) {
                    Ok((signal, candidates)) => (link, signal, candidates, false, false),
                    Err(error) => {
                        front.handle_failure(error);
                        network.close().await;
                        let _ = closed.send(id);
                        return;
                    }
                }
            }
            Beginning::Answer(offer) => {
                let (sdp, candidates) = description::split(&offer.sdp);
                match Link::answer(now, purpose, &sdp, offer.generation(), &hosts) {
                    Ok((link, sdp)) => {
                        let answer = answer(&names, sdp);
                        let restarts = offer.peerway;
                        (link, Outgoing::Answer(answer), candidates, false, restarts)
                    }
                    Err(error) => {
                        front.handle_failure(error);
                        network.close().await;
                        let _ = closed.send(id);
                        return;
                    }
                }
            }
        };
        let mut task = Self {
            names,
            context,
            core: Core::new(link, front, caller, remote_restarts),
            network,
            channels,
            signals: VecDeque::from([signal]),
            held: VecDeque::new(),
            held_bytes: 0,
            unresolved: Vec::new(),
            of_room,
            moved: false,
        };
        for candidate in candidates {
            task.remote_candidate(candidate);
        }
        for event in later {
            task.handle_network(event);
        }
        task.drive().await;
        task.network.close().await;
        let _ = closed.send(id);
    }

    async fn drive(&mut self) {
        let mut inbox_open = true;
        let mut commands_open = true;
        let mut closing = false;
        let sleep = sleep_until(clock::now().into());
        tokio::pin!(sleep);
        loop {
            let deadline = self.drain();
            if !self.core.link.is_alive() {
                self.network.flush().now_or_never();
                break;
            }
            if std::mem::take(&mut self.core.restart_wanted) {
                self.restart().await;
                continue;
            }
            if std::mem::take(&mut self.moved) {
                self.move_over().await;
                continue;
            }
            self.network.try_flush();
            set(sleep.as_mut(), deadline);
            let turn = {
                let Self { channels, context, core, network, signals, held, .. } = self;
                tokio::select! {
                    biased;
                    inbound = channels.inbox.recv(), if inbox_open => Turn::Inbound(inbound),
                    permit = context.signals.reserve(), if !signals.is_empty() => {
                        match permit {
                            Ok(permit) => {
                                let to = self.names.peer.clone();
                                let signal = signals.pop_front().expect("it is not empty");
                                permit.send(Outbound::Signal { to, signal });
                            }
                            // The peer is destroyed: the inbox tells.
                            Err(_) => signals.clear(),
                        }
                        Turn::Nothing
                    }
                    () = core.front.drained(), if !held.is_empty() => Turn::Drained,
                    // An error is the end of the last handle, which `commands` tells too.
                    Ok(_) = channels.hang_up.wait_for(|hang_up| *hang_up), if !closing => {
                        Turn::HangUp
                    }
                    command = channels.commands.recv(), if commands_open && core.front.is_ready(&core.link) => {
                        Turn::Command(command)
                    }
                    event = network.next() => Turn::Network(event),
                    () = sleep.as_mut() => Turn::Time,
                }
            };
            match turn {
                Turn::Nothing => {}
                Turn::Inbound(Some(inbound)) => self.handle_inbound(inbound).await,
                Turn::Inbound(None) => inbox_open = false,
                Turn::Drained => self.release(),
                Turn::HangUp => {
                    closing = true;
                    self.core.link.close(clock::now());
                }
                Turn::Command(Some(command)) => {
                    self.core.front.handle_command(clock::now(), &mut self.core.link, command);
                }
                // The last handle is gone.
                Turn::Command(None) => {
                    commands_open = false;
                    self.core.link.close(clock::now());
                }
                Turn::Network(event) => self.handle_network(event),
                Turn::Time => self.core.link.handle_timeout(clock::now()),
            }
        }
    }

    /// Opens sockets at this machine's new addresses. Checks from there find the way to the
    /// forwarding unit, which needs no restart.
    async fn move_over(&mut self) {
        if let Err(error) = self.network.restart(&self.options()).await {
            tracing::debug!(%error, "no sockets at the new addresses");
            return;
        }
        let (hosts, later) = first_candidates(&mut self.network);
        for host in &hosts {
            self.local_candidate(host);
        }
        // Not before there are others: a path that cannot be replaced would be given up.
        self.core.link.keep_local(&self.network.sockets());
        for event in later {
            self.handle_network(event);
        }
    }

    /// Drains the link: datagrams to the network, events to the application. Answers when to come
    /// back.
    fn drain(&mut self) -> Instant {
        let deadline = self.core.poll(clock::now());
        self.transmit();
        deadline
    }

    fn transmit(&mut self) {
        for (source, destination, data) in self.core.transmits.drain(..) {
            self.network.send(source, destination, &data);
        }
        if std::mem::take(&mut self.core.settled) {
            self.network.settled();
        }
    }

    fn handle_network(&mut self, event: NetworkEvent) {
        match event {
            NetworkEvent::Received => self.receive(),
            NetworkEvent::Candidate(candidate) => self.local_candidate(&candidate),
            NetworkEvent::GatheringDone => {}
            NetworkEvent::ServerFailed { url, reason } => {
                tracing::warn!(url, reason, connection = self.names.id, "ICE server unusable");
            }
            NetworkEvent::Resolved { name, addrs } => self.resolved(&name, &addrs),
            NetworkEvent::InterfacesChanged => {
                self.core.moved = true;
                self.moved = self.of_room;
                self.core.restart_wanted |= self.core.open && self.core.remote_restarts;
                // One notice is enough.
                let _ = self.context.moved.try_send(());
            }
        }
    }

    fn receive(&mut self) {
        let now = clock::now();
        for datagram in self.network.batch() {
            let (source, destination) = (datagram.source, datagram.destination);
            if is_dtls(datagram.data) && (self.core.front.is_full() || !self.held.is_empty()) {
                if self.held_bytes + datagram.data.len() <= HELD {
                    self.held_bytes += datagram.data.len();
                    self.held.push_back((source, destination, datagram.data.to_vec()));
                }
                continue;
            }
            self.core.link.handle_datagram(now, source, destination, datagram.data);
            // The engine wants to be drained after each input; what it sends cannot leave yet,
            // for the batch is the network's.
            self.core.poll(now);
        }
        self.transmit();
    }

    /// The application reads again.
    fn release(&mut self) {
        let now = clock::now();
        while !self.core.front.is_full()
            && let Some((source, destination, data)) = self.held.pop_front()
        {
            self.held_bytes -= data.len();
            self.core.link.handle_datagram(now, source, destination, &data);
            self.core.poll(now);
        }
        self.transmit();
    }
}

/// The host candidates, which come at once, and what came beside them.
fn first_candidates(network: &mut Network) -> (Vec<LocalCandidate>, Vec<NetworkEvent>) {
    let (mut hosts, mut later) = (Vec::new(), Vec::new());
    while let Some(event) = network.next().now_or_never() {
        match event {
            NetworkEvent::Candidate(candidate @ LocalCandidate::Host { .. }) => {
                hosts.push(candidate);
            }
            event => {
                later.push(event);
                break;
            }
        }
    }
    (hosts, later)
}

/// DTLS, by the first byte (RFC 7983).
fn is_dtls(data: &[u8]) -> bool {
    data.first().is_some_and(|first| (20..=63).contains(first))
}

fn set(sleep: std::pin::Pin<&mut Sleep>, deadline: Instant) {
    if sleep.deadline().into_std() != deadline {
        sleep.reset(deadline.into());
    }
}
