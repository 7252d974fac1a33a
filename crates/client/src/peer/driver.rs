//! The task of a peer: sockets, clock and connections around the [`Session`].

use std::collections::VecDeque;
use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use peerway_protocol::peerjs::client::{self, ServerFrame};
use peerway_protocol::peerjs::payload::{Kind, Offer};
use peerway_protocol::{PeerId, RoomName};
use tokio::sync::{mpsc, watch};

use super::ice::{self, Renewal};
use super::shared::{Shared, Want, Wish};
use super::{PeerError, PeerErrorKind, PeerEvent, PeerState};
use crate::clock;
use crate::connection::{DataConnection, Inbound, MediaConnection, Outbound, Outgoing};
use crate::room::{self, SessionState};
use crate::signalling::Failure;
use crate::signalling::http::{self, IceServers};
use crate::signalling::session::{self, Command, Happening, Session};
use crate::signalling::socket::{Received, Socket};

/// How long connections whose inboxes are full may take to make room for the end.
const FAREWELL: Duration = Duration::from_secs(1);

/// What was begun and takes time.
type Activity = Pin<Box<dyn Future<Output = Done> + Send>>;

enum Done {
    Id(Result<String, Failure>),
    Dialled(Box<Result<(Socket, Option<IceServers>), Failure>>),
}

/// What a driver is made of.
pub(super) struct Parts {
    pub(super) shared: Arc<Shared>,
    pub(super) session: Session,
    pub(super) token: String,
    /// Whether to ask the server for ICE servers.
    pub(super) ask_ice: bool,
    pub(super) wishes: watch::Receiver<Wish>,
    pub(super) signals: mpsc::Receiver<Outbound>,
    pub(super) ended: mpsc::UnboundedReceiver<String>,
    /// A connection has seen that this machine has got other addresses.
    pub(super) moved: mpsc::Receiver<()>,
    pub(super) events: mpsc::Sender<PeerEvent>,
}

/// See the module documentation.
pub(super) struct Driver {
    parts: Parts,
    /// Of the wish that the session obeys.
    serial: u64,
    socket: Option<Socket>,
    activity: Option<Activity>,
    renewal: Renewal,
    /// Events that found no room. While there are any, nothing is read from the server.
    pending: VecDeque<PeerEvent>,
    /// That they wait has been logged.
    held_up: bool,
    /// What went wrong since the peer was last open.
    error: Option<PeerError>,
    /// How often the session was opened.
    opened: u64,
    /// What a room is told that has no room for it. While there is something, nothing is read from
    /// the server.
    told: Option<(mpsc::Sender<room::Inbound>, room::Inbound)>,
}

impl Driver {
    pub(super) fn new(parts: Parts) -> Self {
        Self {
            parts,
            serial: 0,
            socket: None,
            activity: None,
            renewal: Renewal::default(),
            pending: VecDeque::new(),
            held_up: false,
            error: None,
            opened: 0,
            told: None,
        }
    }

    /// Runs until the peer is destroyed.
    pub(super) async fn run(mut self) {
        loop {
            self.obey_session().await;
            self.tell_status();
            self.flush_events();
            if self.state() == PeerState::Destroyed {
                break;
            }
            self.step().await;
        }
    }

    fn state(&self) -> PeerState {
        self.parts.session.status().into()
    }

    /// Waits for one thing to happen, and hands it on.
    async fn step(&mut self) {
        let reading = self.pending.is_empty() && self.told.is_none();
        self.parts.session.handle_reading(reading, clock::now());
        let has_room =
            self.parts.session.has_room() && self.socket.as_ref().is_none_or(Socket::has_room);
        let deadline = self.deadline();
        let parts = &mut self.parts;
        tokio::select! {
            wish = parts.wishes.changed() => match wish {
                Ok(()) => {
                    let wish = *parts.wishes.borrow_and_update();
                    self.handle_wish(wish);
                }
                // The last handle is gone.
                Err(_) => parts.session.destroy(),
            },
            Some(signal) = parts.signals.recv(), if has_room => {
                if let Some(frame) = frame_of(signal) {
                    parts.session.say(frame);
                }
            }
            Some(()) = parts.moved.recv() => parts.session.handle_moved(clock::now()),
            Some(id) = parts.ended.recv() => parts.shared.registry().ended(&id, clock::now()),
            // Room for an event: the next turn of the loop uses it.
            () = room_for(&parts.events), if !self.pending.is_empty() => {}
            () = handed_over(&mut self.told), if self.told.is_some() => {}
            received = received(&mut self.socket, reading) => self.handle_received(received),
            done = done(&mut self.activity) => self.handle_done(done),
            servers = self.renewal.answer() => {
                if let Some(servers) = servers {
                    self.renewal.renew(&parts.shared, servers, clock::now());
                }
            }
            () = until(deadline) => self.handle_time(),
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let renewal = self.renewal.poll_timeout().filter(|_| self.state() == PeerState::Open);
        [self.parts.session.poll_timeout(), renewal].into_iter().flatten().min()
    }

    fn handle_time(&mut self) {
        let (now, Parts { shared, session, token, .. }) = (clock::now(), &mut self.parts);
        session.handle_time(now);
        if let (session::Status::Open, Some(id)) = (session.status(), session.id()) {
            self.renewal.handle_time(shared, id, token, now);
        }
    }

    fn handle_wish(&mut self, wish: Wish) {
        self.serial = wish.serial;
        match wish.want {
            Want::Connected => self.parts.session.reconnect(),
            Want::Away => self.parts.session.disconnect(),
            Want::Destroyed => self.parts.session.destroy(),
        }
    }

    fn handle_received(&mut self, received: Received) {
        let (now, session) = (clock::now(), &mut self.parts.session);
        match received {
            Received::Text(frame) => session.handle_frame(&frame, now),
            Received::SignOfLife => session.handle_heard(now),
            Received::Closed(cause) => {
                self.socket = None;
                let at = self.parts.shared.endpoint.url();
                session.handle_closed(Failure::Lost { at, cause }, now);
            }
        }
    }

    fn handle_done(&mut self, done: Done) {
        self.activity = None;
        let (now, session) = (clock::now(), &mut self.parts.session);
        match done {
            Done::Id(answer) => session.handle_id(answer, now),
            Done::Dialled(outcome) => match *outcome {
                Ok((socket, servers)) => {
                    self.socket = Some(socket);
                    if let Some(servers) = servers {
                        self.renewal.renew(&self.parts.shared, servers, now);
                    }
                    session.handle_dialled(Ok(()), now);
                }
                Err(failure) => session.handle_dialled(Err(failure), now),
            },
        }
    }

    /// Does what the session wants.
    async fn obey_session(&mut self) {
        while let Some(command) = self.parts.session.next_command() {
            match command {
                Command::AskId => {
                    let shared = self.parts.shared.clone();
                    self.activity = Some(Box::pin(async move {
                        let salt = clock::random_word();
                        Done::Id(http::fresh_id(&shared.endpoint, &shared.tls, &salt).await)
                    }));
                }
                Command::Dial { id } => self.activity = Some(self.dial(id)),
                Command::Say(frame) => {
                    // A full socket is one that the server does not read: it needs no heartbeat.
                    let Some(socket) = &mut self.socket else { continue };
                    if socket.has_room() || frame != client::HEARTBEAT {
                        socket.send(frame);
                    }
                }
                Command::Ping => {
                    if let Some(socket) = self.socket.as_mut().filter(|socket| socket.has_room()) {
                        socket.ping();
                    }
                }
                Command::HangUp => {
                    self.activity = None;
                    if let Some(socket) = self.socket.take() {
                        socket.close().await;
                    }
                }
                Command::Tell(happening) => self.handle_happening(happening).await,
            }
        }
    }

    fn dial(&self, id: String) -> Activity {
        let (shared, token) = (self.parts.shared.clone(), self.parts.token.clone());
        let ask_ice = self.parts.ask_ice;
        Box::pin(async move {
            let socket = Socket::open(&shared.endpoint, &shared.tls, &id, &token);
            let servers =
                async { Ok(if ask_ice { ice::ask(&shared, &id, &token).await } else { None }) };
            Done::Dialled(Box::new(tokio::try_join!(socket, servers)))
        })
    }

    async fn handle_happening(&mut self, happening: Happening) {
        let event = match happening {
            Happening::Opened { id } => PeerEvent::Open { id },
            Happening::Reopened { id } => PeerEvent::Reconnected { id },
            Happening::Disconnected { id } => PeerEvent::Disconnected { id },
            Happening::Failed(failure) => {
                let error = PeerError::from(failure);
                self.error = Some(error.clone());
                PeerEvent::Error(error)
            }
            Happening::Frame(frame) => return self.handle_frame(frame),
            Happening::Destroyed => return self.end_connections().await,
        };
        if matches!(event, PeerEvent::Open { .. } | PeerEvent::Reconnected { .. }) {
            self.error = None;
            self.opened += 1;
        }
        self.pending.push_back(event);
    }

    fn handle_frame(&mut self, frame: ServerFrame) {
        let (now, shared) = (clock::now(), &self.parts.shared);
        match frame {
            ServerFrame::Offer { from, payload } => self.handle_offer(from.as_str(), payload, now),
            ServerFrame::Answer { from, payload } => {
                shared.registry().answer(from.as_str(), payload);
            }
            ServerFrame::Candidate { from, payload } => {
                shared.registry().candidate(from.as_str(), payload, now);
            }
            ServerFrame::Leave { from } => shared.registry().leave(from.as_str()),
            ServerFrame::Expire { from } => {
                let news = shared.registry().expire(from.as_str());
                if news {
                    let message = format!("could not connect to peer {from}: it is not there");
                    let error = PeerError::new(PeerErrorKind::PeerUnavailable, message);
                    self.pending.push_back(PeerEvent::Error(error));
                }
            }
            ServerFrame::Room { room, event } => {
                self.handle_room(Some(&room), room::Inbound::Told(event));
            }
            ServerFrame::RoomRefused { room, kind, message } => {
                let refused = room::Inbound::Refused { word: kind, message };
                self.handle_room(room.as_ref(), refused);
            }
            _ => {}
        }
    }

    fn handle_room(&mut self, room: Option<&RoomName>, told: room::Inbound) {
        let inbox = room.and_then(|room| self.parts.shared.registry().room(room).cloned());
        let Some(inbox) = inbox else {
            tracing::debug!(?told, "of a room that we are not in");
            return;
        };
        match inbox.try_send(told) {
            Err(mpsc::error::TrySendError::Full(told)) => self.told = Some((inbox, told)),
            // A closed one is a stay that is over.
            Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => {}
        }
    }

    fn handle_offer(&mut self, from: &str, offer: Offer, now: Instant) {
        let shared = &self.parts.shared;
        let Some(offer) = shared.registry().restart(from, offer) else { return };
        let context = shared.context();
        let event = match offer.kind {
            Kind::Data => match DataConnection::accept(&context, from.to_owned(), offer) {
                Ok(started) => {
                    let (id, inbox) = (started.id, started.inbox);
                    shared.registry().insert(from, &id, Kind::Data.into(), inbox, now);
                    PeerEvent::Connection(started.connection)
                }
                Err(error) => {
                    let message = format!("cannot take the connection of peer {from}: {error}");
                    let error = PeerError::new(PeerErrorKind::WebRtc, message).caused_by(error);
                    PeerEvent::Error(error)
                }
            },
            Kind::Media => {
                let started = MediaConnection::ring(&context, from.to_owned(), offer);
                let (id, inbox) = (started.id, started.inbox);
                shared.registry().insert(from, &id, Kind::Media.into(), inbox, now);
                PeerEvent::Call(started.connection)
            }
        };
        self.pending.push_back(event);
    }

    async fn end_connections(&mut self) {
        let inboxes = self.parts.shared.registry().close();
        let rooms = self.parts.shared.registry().leave_rooms();
        self.parts.shared.session.send_modify(|session| session.destroyed = true);
        let farewell = async {
            for room in &rooms {
                room.closed().await;
            }
            for inbox in &inboxes {
                // Those that are gone already do not matter.
                let _ = inbox.send(Inbound::Destroyed).await;
            }
            // They say goodbye to the other side: a program that ends with its peer would cut
            // them short.
            for inbox in &inboxes {
                inbox.closed().await;
            }
        };
        if tokio::time::timeout(FAREWELL, farewell).await.is_err() {
            tracing::debug!("a connection is too busy to end with its peer");
        }
    }

    fn tell_status(&self) {
        let state = self.state();
        let session = SessionState {
            is_open: state == PeerState::Open,
            opened: self.opened,
            destroyed: state == PeerState::Destroyed,
        };
        self.parts.shared.session.send_if_modified(|known| {
            let same = *known == session;
            *known = session;
            !same
        });
        self.parts.shared.status.send_if_modified(|status| {
            let id = self.parts.session.id();
            let same =
                status.state == state && status.serial == self.serial && status.id.as_deref() == id;
            status.state = state;
            status.serial = self.serial;
            status.id = id.map(str::to_owned);
            status.error.clone_from(&self.error);
            !same
        });
    }

    fn flush_events(&mut self) {
        while !self.pending.is_empty() {
            let Ok(permit) = self.parts.events.try_reserve() else {
                if !std::mem::replace(&mut self.held_up, true) {
                    let peer = self.parts.session.id();
                    tracing::warn!(peer, "no events are taken: signalling waits for that");
                }
                return;
            };
            if let Some(event) = self.pending.pop_front() {
                permit.send(event);
            }
        }
        self.held_up = false;
    }
}

impl Drop for Driver {
    /// Also when the runtime ends before the peer does.
    fn drop(&mut self) {
        for inbox in self.parts.shared.registry().close() {
            let _ = inbox.try_send(Inbound::Destroyed);
        }
        self.parts.shared.status.send_modify(|status| {
            status.state = PeerState::Destroyed;
            status.finished = true;
        });
        self.parts.shared.session.send_modify(|session| session.destroyed = true);
    }
}

async fn handed_over(told: &mut Option<(mpsc::Sender<room::Inbound>, room::Inbound)>) {
    let Some((inbox, _)) = told else { return };
    // Cancel-safe: nothing is taken before there is room for it. Without a reader there is nobody
    // to tell.
    let permit = inbox.clone().reserve_owned().await;
    if let (Ok(permit), Some((_, told))) = (permit, told.take()) {
        permit.send(told);
    }
}

async fn room_for(events: &mpsc::Sender<PeerEvent>) {
    // Without a reader the peer ends: `wishes` tells.
    drop(events.reserve().await);
}

async fn received(socket: &mut Option<Socket>, reading: bool) -> Received {
    match socket {
        Some(socket) => socket.next(reading).await,
        None => pending().await,
    }
}

async fn done(activity: &mut Option<Activity>) -> Done {
    match activity {
        Some(activity) => activity.await,
        None => pending().await,
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => pending().await,
    }
}

/// What a connection says, as the server wants to hear it.
fn frame_of(outbound: Outbound) -> Option<String> {
    let (to, signal) = match outbound {
        Outbound::Signal { to, signal } => (to, signal),
        Outbound::Room { room, request } => return Some(client::encode_room(&room, &request)),
    };
    // Ids are checked where connections begin.
    let to = PeerId::new(&to).ok()?;
    Some(match signal {
        Outgoing::Offer(offer) => client::encode_offer(&to, &offer),
        Outgoing::Answer(answer) => client::encode_answer(&to, &answer),
        Outgoing::Candidate(candidate) => client::encode_candidate(&to, &candidate),
    })
}
