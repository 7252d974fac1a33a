//! Rooms: peers who hear each other's data, and in rooms of mode SFU each other's sound and pictures by
//! way of the server.
//!
//! ```text
//!   Room ........ handle
//!    | wishes, events
//!   RoomTask .... the server's words and the clock around a Stay, which is a value
//!    | offers, answers
//!   Transport ... a connection's task (connection/task) around a RoomFront; another one after each loss
//! ```

mod error;
mod event;
mod front;
mod lines;
mod options;
mod publications;
mod stay;
mod task;
#[cfg(test)]
mod tests;
mod transport;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use peerway_protocol::{PeerId, Reception, RoomData, RoomMode, RoomName, Value};
use tokio::sync::{Notify, mpsc, oneshot, watch};

pub use error::{RoomError, RoomErrorKind};
pub use event::{RoomEvent, RoomLogAction, RoomLogEntry, RoomTrack};
pub use options::RoomOptions;
pub(crate) use task::{Inbound, SessionState};

use crate::connection::{ConnectionStats, Context, LocalTrack, Queue};
use crate::media::TrackKind;
use publications::Publications;
use task::{Command, Parts, RoomTask};

/// What the server said that waits for a room's task.
pub(crate) const INBOX: usize = 64;

/// Wishes that wait for a room's task.
const COMMANDS: usize = 16;

/// What the frame of [`Room::send`] has besides name and data.
const ENVELOPE: usize = 64;

/// A stay in a room.
///
/// A cheap handle: clones are the same stay and share its events. When the last clone is dropped
/// the peer leaves the room.
///
/// In a room of mode SFU everything that others publish comes by itself, as [`RoomEvent::Track`], and
/// [`publish`](Self::publish) gives a track to send in. Both survive the loss of the media connection:
/// another one is made, tracks of others end and come again, tracks of ours go on and lose what is sent
/// meanwhile. In a room of mode mesh there are members, data and log; who wants media of another
/// member [calls](crate::Peer::call) it.
///
/// Events that are not taken hold up the whole peer when about a megabyte of them waits, as
/// [`Peer`](crate::Peer) says of its own.
#[derive(Clone)]
pub struct Room {
    handle: Arc<Handle>,
}

struct Handle {
    name: RoomName,
    options: RoomOptions,
    commands: mpsc::Sender<Command>,
    shared: Arc<Shared>,
}

/// The last one goes.
impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.hang_up.send_replace(true);
    }
}

/// What handle, task and front look at.
#[derive(Debug)]
struct Shared {
    events: Queue<RoomEvent>,
    status: watch::Sender<Status>,
    hang_up: watch::Sender<bool>,
    publications: Mutex<Publications>,
    stats: watch::Sender<ConnectionStats>,
    media_open: Notify,
}

#[derive(Debug, Default)]
struct Status {
    is_in: bool,
    is_over: bool,
    members: Vec<String>,
    /// What went wrong last.
    error: Option<RoomError>,
}

impl Shared {
    fn new() -> Self {
        Self {
            events: Queue::new(),
            status: watch::Sender::new(Status::default()),
            hang_up: watch::Sender::new(false),
            publications: Mutex::default(),
            stats: watch::Sender::new(ConnectionStats::default()),
            media_open: Notify::new(),
        }
    }

    fn publications(&self) -> MutexGuard<'_, Publications> {
        self.publications.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Room {
    /// Starts a stay.
    pub(crate) fn enter(
        context: Context,
        name: RoomName,
        options: RoomOptions,
        session: watch::Receiver<SessionState>,
        inbox: mpsc::Receiver<Inbound>,
    ) -> Self {
        let shared = Arc::new(Shared::new());
        let (commands, todo) = mpsc::channel(COMMANDS);
        let parts = Parts {
            name: name.clone(),
            options: options.clone(),
            context,
            shared: Arc::clone(&shared),
            inbox,
            commands: todo,
            session,
        };
        tokio::spawn(RoomTask::new(parts).run());
        Self { handle: Arc::new(Handle { name, options, commands, shared }) }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.handle.name.as_str()
    }

    /// How media travels in it.
    pub fn mode(&self) -> RoomMode {
        self.handle.options.mode
    }

    /// Whether this peer is in, as far as the server has told.
    pub fn is_joined(&self) -> bool {
        self.handle.shared.status.borrow().is_in
    }

    /// All who are in, this peer too, in the order in which they came.
    pub fn members(&self) -> Vec<String> {
        self.handle.shared.status.borrow().members.clone()
    }

    /// The numbers of the media connection, renewed once a second.
    pub fn stats(&self) -> ConnectionStats {
        self.handle.shared.stats.borrow().clone()
    }

    /// Waits until this peer is in. Takes no events. Cancel-safe.
    ///
    /// # Errors
    ///
    /// Why it will not be.
    pub async fn joined(&self) -> Result<(), RoomError> {
        let mut status = self.handle.shared.status.subscribe();
        match status.wait_for(|status| status.is_in || status.is_over).await {
            Ok(status) if status.is_in => Ok(()),
            Ok(status) => Err(status.error.clone().unwrap_or_else(RoomError::closed)),
            Err(_) => Err(RoomError::closed()),
        }
    }

    /// The next thing that happens, or `None` after [`RoomEvent::Close`]. Cancel-safe; of several
    /// callers each event goes to one.
    pub async fn next_event(&self) -> Option<RoomEvent> {
        self.handle.shared.events.next().await
    }

    /// The events as a stream. It keeps the stay alive, as a clone does.
    pub fn events(&self) -> impl futures_util::Stream<Item = RoomEvent> + Send + 'static {
        let room = self.clone();
        futures_util::stream::unfold(room, |room| async move {
            let event = room.next_event().await?;
            Some((event, room))
        })
    }

    /// Says a value to all other members. Waits until this peer is in and the value is on its way to
    /// the server, which is not yet arrived. Bytes travel as they are, dates become text, numbers
    /// that are none become null.
    ///
    /// # Errors
    ///
    /// [`Data`](RoomErrorKind::Data): nested too deep, or longer than
    /// [`RoomOptions::largest_message`]. [`Closed`](RoomErrorKind::Closed). What the server refuses
    /// is an event.
    pub async fn send(&self, value: impl Into<Value>) -> Result<(), RoomError> {
        let refused = |text: String| RoomError::new(RoomErrorKind::Data, text);
        let data = RoomData::from_value(&value.into()).map_err(|it| refused(it.to_string()))?;
        // Bytes travel in Base64.
        let attached: usize =
            data.attachments.iter().map(|part| part.len().div_ceil(3) * 4 + 3).sum();
        let size = data.json.as_str().len() + attached + self.name().len() + ENVELOPE;
        let limit = self.handle.options.largest_message;
        if size > limit {
            return Err(refused(format!(
                "message too big: {size} bytes, and the limit is {limit}"
            )));
        }
        let (sent, result) = oneshot::channel();
        self.wish(Command::Send(data, sent)).await?;
        result.await.map_err(|_| RoomError::closed())?
    }

    /// What happened in the room, oldest first, as far as the server keeps it.
    ///
    /// # Errors
    ///
    /// [`Closed`](RoomErrorKind::Closed).
    pub async fn log(&self) -> Result<Vec<RoomLogEntry>, RoomError> {
        let (reply, log) = oneshot::channel();
        self.wish(Command::Log(reply)).await?;
        log.await.map_err(|_| RoomError::closed())
    }

    /// Publishes sound or a picture in a room of mode SFU. Waits until the server has agreed on codecs,
    /// of which the first is what the room wants; see [`LocalTrack::codecs`]. Frames that are sent
    /// while there is no media connection are lost.
    ///
    /// # Errors
    ///
    /// [`NotPossible`](RoomErrorKind::NotPossible) in a mesh room and for a kind that is published
    /// already; what the server refuses ([`PublishersFull`](RoomErrorKind::PublishersFull),
    /// [`NoSfu`](RoomErrorKind::NoSfu)); [`Closed`](RoomErrorKind::Closed).
    pub async fn publish(&self, kind: TrackKind) -> Result<LocalTrack, RoomError> {
        let (reply, track) = oneshot::channel();
        self.wish(Command::Publish(kind, reply)).await?;
        track.await.map_err(|_| RoomError::closed())?
    }

    /// Takes back what is published: the track ends.
    ///
    /// # Errors
    ///
    /// [`Closed`](RoomErrorKind::Closed).
    pub async fn unpublish(&self, kind: TrackKind) -> Result<(), RoomError> {
        self.wish(Command::Unpublish(kind)).await
    }

    /// Says what is wanted of another member; everything, until told. It is forgotten when that
    /// member leaves.
    ///
    /// # Errors
    ///
    /// [`NotPossible`](RoomErrorKind::NotPossible) for an id that cannot be one;
    /// [`Closed`](RoomErrorKind::Closed).
    pub async fn receive(&self, peer: &str, reception: Reception) -> Result<(), RoomError> {
        let peer = PeerId::new(peer).map_err(|error| {
            RoomError::new(RoomErrorKind::NotPossible, format!("the id of the member {error}"))
        })?;
        self.wish(Command::Receive(peer, reception)).await
    }

    /// Leaves the room. Returns at once; [`RoomEvent::Close`] follows.
    pub fn leave(&self) {
        self.handle.shared.hang_up.send_replace(true);
    }

    async fn wish(&self, command: Command) -> Result<(), RoomError> {
        self.handle.commands.send(command).await.map_err(|_| RoomError::closed())
    }
}

impl fmt::Debug for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Room")
            .field("name", &self.name())
            .field("joined", &self.is_joined())
            .finish()
    }
}
