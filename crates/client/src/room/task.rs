//! The task of a stay in a room: the server's words, the application's wishes, clock and media around a
//! [`Stay`].

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use peerway_protocol::{
    MediaRequest, PeerId, Reception, RoomData, RoomMode, RoomName, RoomRequest,
};
use tokio::sync::{mpsc, oneshot, watch};

use super::publications::Reply;
use super::stay::{self, Stay};
use super::transport::{Heard, Transport};
use super::{RoomError, RoomErrorKind, RoomEvent, RoomLogEntry, RoomOptions, Shared};
use crate::clock;
use crate::connection::{self, Context, Outbound, RoomOffer};
use crate::media::TrackKind;

/// How long goodbyes may take.
const FAREWELL: Duration = Duration::from_secs(1);

/// What the peer's driver has for a room.
#[derive(Debug)]
pub(crate) enum Inbound {
    /// The room tells something.
    Told(peerway_protocol::RoomEvent),
    /// What was asked of it came to nothing.
    Refused { word: String, message: String },
}

/// How the peer's session with its server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct SessionState {
    pub(crate) is_open: bool,
    /// How often it was opened.
    pub(crate) opened: u64,
    /// There will be none any more.
    pub(crate) destroyed: bool,
}

/// Who waits until something is said.
type Sent = oneshot::Sender<Result<(), RoomError>>;

/// What the application wants.
#[derive(Debug)]
pub(super) enum Command {
    Send(RoomData, Sent),
    Log(oneshot::Sender<Vec<RoomLogEntry>>),
    Publish(TrackKind, Reply),
    Unpublish(TrackKind),
    Receive(PeerId, Reception),
}

/// What a task is made of.
pub(super) struct Parts {
    pub(super) name: RoomName,
    pub(super) options: RoomOptions,
    pub(super) context: Context,
    pub(super) shared: Arc<Shared>,
    pub(super) inbox: mpsc::Receiver<Inbound>,
    pub(super) commands: mpsc::Receiver<Command>,
    pub(super) session: watch::Receiver<SessionState>,
}

/// See the module documentation.
pub(super) struct RoomTask {
    parts: Parts,
    stay: Stay,
    /// Of the session that was told of last.
    opened: u64,
    /// What waits for the driver.
    outgoing: VecDeque<RoomRequest>,
    /// What the application says, until it is on its way. It waits until we are in (again).
    saying: Option<(RoomData, Sent)>,
    transport: Option<Transport>,
    /// A connection that is saying goodbye, while there may be another one.
    farewell: Option<Transport>,
    /// What named the connection that ended last: there is nothing to answer its offers with.
    dead: Option<String>,
    logs: Vec<oneshot::Sender<Vec<RoomLogEntry>>>,
}

enum Turn {
    Nothing,
    Inbound(Option<Inbound>),
    Session(bool),
    HangUp,
    Command(Option<Command>),
    Media(Heard),
    Time,
}

impl RoomTask {
    pub(super) fn new(parts: Parts) -> Self {
        let stay = Stay::new(parts.options.mode, parts.options.receive);
        Self {
            parts,
            stay,
            opened: 0,
            outgoing: VecDeque::new(),
            saying: None,
            transport: None,
            farewell: None,
            dead: None,
            logs: Vec::new(),
        }
    }

    /// Runs until the stay is over.
    pub(super) async fn run(mut self) {
        self.handle_session();
        loop {
            self.obey();
            if self.stay.is_over() {
                break;
            }
            let turn = self.step().await;
            self.handle(turn);
        }
        self.part().await;
    }

    /// Waits for one thing to happen.
    async fn step(&mut self) -> Turn {
        let deadline = self.stay.poll_timeout();
        // Wishes wait until we are in; the next one until the last is on its way.
        let is_in = self.stay.is_in();
        let ready = is_in && self.outgoing.is_empty() && self.saying.is_none();
        let Self { parts, outgoing, saying, transport, farewell, .. } = self;
        let Parts { name, context, shared, inbox, commands, session, .. } = parts;
        let mut hang_up = shared.hang_up.subscribe();
        let reading = !shared.events.is_full();
        let says = session.borrow().is_open && (!outgoing.is_empty() || is_in && saying.is_some());
        tokio::select! {
            biased;
            changed = session.changed() => Turn::Session(changed.is_ok()),
            _ = hang_up.wait_for(|hang_up| *hang_up) => Turn::HangUp,
            permit = context.signals.reserve(), if says => {
                // An error is the end of the driver, which `session` tells.
                if let Ok(permit) = permit {
                    let request = outgoing.pop_front().or_else(|| said(saying));
                    if let Some(request) = request {
                        permit.send(Outbound::Room { room: name.clone(), request });
                    }
                }
                Turn::Nothing
            }
            inbound = inbox.recv(), if reading => Turn::Inbound(inbound),
            () = shared.events.drained(), if !reading => Turn::Nothing,
            heard = heard(transport) => Turn::Media(heard),
            () = shared.media_open.notified() => {
                self.stay.handle_media_open();
                Turn::Nothing
            }
            () = ended(farewell) => {
                self.farewell = None;
                Turn::Nothing
            }
            command = commands.recv(), if ready => Turn::Command(command),
            () = until(deadline) => Turn::Time,
        }
    }

    fn handle(&mut self, turn: Turn) {
        let now = clock::now();
        match turn {
            Turn::Nothing => {}
            Turn::Session(true) => self.handle_session(),
            // The driver is gone, or the last handle, or the user wants it.
            Turn::Session(false) | Turn::Inbound(None) | Turn::HangUp | Turn::Command(None) => {
                self.stay.leave();
            }
            Turn::Inbound(Some(Inbound::Told(told))) => self.stay.handle_told(told, now),
            Turn::Inbound(Some(Inbound::Refused { word, message })) => {
                self.stay.handle_refused(&word, message, now);
            }
            Turn::Command(Some(command)) => self.handle_command(command, now),
            Turn::Media(Heard::Answer(sdp)) => self.say(media(MediaRequest::Answer(sdp.into()))),
            Turn::Media(Heard::Closed) => {
                self.end_media();
                self.stay.handle_media_ended(now);
            }
            Turn::Time => self.stay.handle_timeout(now),
        }
    }

    fn handle_session(&mut self) {
        let session = *self.parts.session.borrow_and_update();
        if session.destroyed {
            self.stay.leave();
        } else if !session.is_open {
            self.stay.handle_session_lost();
        } else if self.opened != session.opened {
            self.opened = session.opened;
            // Joining says all that counts of what was to be said to the last session.
            self.outgoing.clear();
            self.stay.handle_session(clock::now());
        }
    }

    fn handle_command(&mut self, command: Command, now: Instant) {
        match command {
            Command::Send(data, sent) => self.saying = Some((data, sent)),
            Command::Log(reply) => {
                self.logs.push(reply);
                self.stay.ask_for_log();
            }
            Command::Publish(_, reply) if self.parts.options.mode == RoomMode::Mesh => {
                let text = "members of a mesh room call each other: use Peer::call";
                let _ = reply.send(Err(RoomError::new(RoomErrorKind::NotPossible, text)));
            }
            Command::Publish(kind, reply) => {
                if self.parts.shared.publications().want(kind, reply) {
                    self.stay.renegotiate(now);
                }
            }
            Command::Unpublish(kind) => {
                let over = RoomError::new(RoomErrorKind::Closed, "it was taken back");
                if self.parts.shared.publications().end(kind, &over) {
                    self.stay.renegotiate(now);
                }
            }
            Command::Receive(peer, reception) => self.stay.receive(peer, reception),
        }
    }

    /// Does what the stay wants.
    fn obey(&mut self) {
        // First, so that who hears an event finds the members as they are then.
        self.tell_status();
        while let Some(command) = self.stay.next_command() {
            match command {
                stay::Command::Say(request) => self.say(request),
                stay::Command::Tell(event) => self.tell(event),
                stay::Command::Answer(offer) => self.answer(offer),
                stay::Command::EndMedia { reason } => {
                    tracing::debug!(room = %self.parts.name, reason = &*reason, "media closed");
                    self.end_media();
                }
                stay::Command::Unpublish(error) => {
                    self.parts.shared.publications().end_all(&error);
                }
                stay::Command::Log(entries) => {
                    for reply in self.logs.drain(..) {
                        let _ = reply.send(entries.clone());
                    }
                }
                stay::Command::End => {}
            }
        }
    }

    fn tell_status(&self) {
        let members = self.stay.members();
        let is_in = self.stay.is_in();
        self.parts.shared.status.send_if_modified(|status| {
            let same = status.is_in == is_in
                && status.members.iter().map(String::as_str).eq(members.iter().map(PeerId::as_str));
            if !same {
                status.is_in = is_in;
                status.members = members.iter().map(|it| it.as_str().to_owned()).collect();
            }
            !same
        });
    }

    fn say(&mut self, request: RoomRequest) {
        self.outgoing.push_back(request);
    }

    fn tell(&self, event: RoomEvent) {
        let bytes = match &event {
            RoomEvent::Data { value, .. } => connection::weight(value),
            _ => 0,
        };
        if let RoomEvent::Error(error) = &event {
            self.parts.shared.status.send_modify(|status| status.error = Some(error.clone()));
        }
        self.parts.shared.events.push(event, bytes);
    }

    fn answer(&mut self, offer: RoomOffer) {
        if let Some(transport) = self.transport.as_ref().filter(|it| it.is_meant(&offer)) {
            return transport.handle_offer(offer);
        }
        if self.dead.as_deref() == Some(super::lines::transport(&offer.sdp)) {
            // Its server's end finds out soon, and then there is another one.
            tracing::debug!("an offer of a connection that is over");
            return;
        }
        self.end_media();
        let Parts { context, shared, options, .. } = &self.parts;
        self.transport = Some(Transport::start(context, shared, &options.codecs, offer));
    }

    fn end_media(&mut self) {
        if let Some(transport) = self.transport.take() {
            transport.hang_up();
            self.dead = Some(transport.name().to_owned());
            self.farewell = Some(transport);
        }
    }

    /// The stay is over: says so to the server and to the application.
    async fn part(&mut self) {
        self.parts.shared.publications().end_all(&RoomError::closed());
        self.end_media();
        let Parts { name, context, .. } = &self.parts;
        let is_open = self.parts.session.borrow().is_open;
        let goodbye = async {
            for request in self.outgoing.drain(..).filter(|_| is_open) {
                let outbound = Outbound::Room { room: name.clone(), request };
                if context.signals.send(outbound).await.is_err() {
                    break;
                }
            }
            if self.farewell.is_some() {
                ended(&mut self.farewell).await;
            }
        };
        if tokio::time::timeout(FAREWELL, goodbye).await.is_err() {
            tracing::debug!(room = %name, "no time for a goodbye");
        }
    }
}

/// Whatever ends the task, a panic too, ends the room for its application.
impl Drop for RoomTask {
    fn drop(&mut self) {
        let shared = &self.parts.shared;
        shared.publications().end_all(&RoomError::closed());
        shared.status.send_modify(|status| (status.is_in, status.is_over) = (false, true));
        shared.events.push(RoomEvent::Close, 0);
        shared.events.close();
    }
}

fn said(saying: &mut Option<(RoomData, Sent)>) -> Option<RoomRequest> {
    let (data, sent) = saying.take()?;
    let _ = sent.send(Ok(()));
    Some(RoomRequest::Send(data))
}

fn media(request: MediaRequest) -> RoomRequest {
    RoomRequest::media(request)
}

async fn heard(transport: &mut Option<Transport>) -> Heard {
    match transport {
        Some(transport) => transport.next().await,
        None => std::future::pending().await,
    }
}

/// Waits until a connection has said goodbye.
async fn ended(transport: &mut Option<Transport>) {
    match transport {
        Some(transport) => while !matches!(transport.next().await, Heard::Closed) {},
        None => std::future::pending().await,
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}
