//! Data connections.

mod front;

pub(crate) use front::weight;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use peerway_protocol::Value;
use peerway_protocol::data::Serialization;
use peerway_protocol::peerjs::payload;
use serde::Serialize;
use serde_json::Value as Json;
use tokio::sync::{mpsc, oneshot, watch};

use super::context::{Context, Started};
use super::queue::Queue;
use super::stats::ConnectionStats;
use super::task::{self, Beginning, Channels, Names, Task};
use super::{ConnectOptions, ConnectionError, ConnectionErrorKind, IceState, Lifetime, SendError};
use crate::clock;
use crate::engine::ChannelOptions;
use crate::link::Purpose;
use front::DataFront;

/// Signals that wait for a connection's task.
pub(crate) const INBOX: usize = 64;

/// What happens on a data connection.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum DataEvent {
    /// Values can be sent.
    Open,
    /// A value arrived.
    Data(Value),
    /// The ICE state changed.
    IceStateChanged(IceState),
    /// Something went wrong. [`DataEvent::Close`] follows if that is the end.
    Error(ConnectionError),
    /// It is over. The last event.
    Close,
}

/// A connection that carries values, like the `DataConnection` of `PeerJS`.
///
/// A cheap handle: clones are the same connection and share its events. When the last clone is
/// dropped the connection closes, after what was sent has arrived.
///
/// When the application does not take its events, at most about 1 MiB of them waits; then nothing
/// more is acknowledged and the other side's sending comes to rest.
#[derive(Debug, Clone)]
pub struct DataConnection {
    handle: Arc<Handle>,
}

#[derive(Debug)]
struct Handle {
    names: Names,
    label: String,
    metadata: Option<Json>,
    serialization: Serialization,
    reliable: bool,
    commands: mpsc::Sender<Command>,
    shared: Arc<Shared>,
}

/// What the task tells the handle.
#[derive(Debug)]
struct Shared {
    events: Queue<DataEvent>,
    open: AtomicBool,
    buffered: AtomicUsize,
    hang_up: watch::Sender<bool>,
    ice: watch::Sender<IceState>,
    stats: watch::Sender<ConnectionStats>,
}

enum Command {
    /// Send it, and say when it is on its way.
    Send { value: Value, sent: oneshot::Sender<Result<(), SendError>> },
}

impl DataConnection {
    /// The id that names this connection in signals (`dc_...`).
    pub fn id(&self) -> &str {
        &self.handle.names.id
    }

    /// The other peer's id.
    pub fn peer(&self) -> &str {
        &self.handle.names.peer
    }

    /// The channel's name; the connection id unless the caller gave one.
    pub fn label(&self) -> &str {
        &self.handle.label
    }

    /// What the caller wanted known.
    pub fn metadata(&self) -> Option<&Json> {
        self.handle.metadata.as_ref()
    }

    /// How values become messages.
    pub fn serialization(&self) -> Serialization {
        self.handle.serialization
    }

    /// The caller's `reliable` option.
    pub fn is_reliable(&self) -> bool {
        self.handle.reliable
    }

    /// Whether values can be sent now.
    pub fn is_open(&self) -> bool {
        self.handle.shared.open.load(Ordering::Acquire)
    }

    /// Bytes of values that have been sent and are not acknowledged yet; of values that
    /// [`send`](Self::send) still waits with nothing is counted.
    pub fn buffered(&self) -> usize {
        self.handle.shared.buffered.load(Ordering::Relaxed)
    }

    /// The ICE state now.
    pub fn ice_state(&self) -> IceState {
        *self.handle.shared.ice.borrow()
    }

    /// The connection's numbers, renewed once a second.
    pub fn stats(&self) -> ConnectionStats {
        self.handle.shared.stats.borrow().clone()
    }

    /// The next thing that happens, or `None` after [`DataEvent::Close`]. Cancel-safe; of several
    /// callers each event goes to one.
    pub async fn next_event(&self) -> Option<DataEvent> {
        self.handle.shared.events.next().await
    }

    /// The events as a stream.
    pub fn events(&self) -> impl futures_util::Stream<Item = DataEvent> + Send + 'static {
        let connection = self.clone();
        futures_util::stream::unfold(connection, |connection| async move {
            let event = connection.next_event().await?;
            Some((event, connection))
        })
    }

    /// The next value, or `None` when the connection is over; events of other kinds are skipped.
    /// Cancel-safe.
    ///
    /// # Errors
    ///
    /// What [`DataEvent::Error`] told meanwhile.
    pub async fn receive(&self) -> Result<Option<Value>, ConnectionError> {
        loop {
            match self.next_event().await {
                Some(DataEvent::Data(value)) => return Ok(Some(value)),
                Some(DataEvent::Error(error)) => return Err(error),
                Some(DataEvent::Close) | None => return Ok(None),
                Some(_) => {}
            }
        }
    }

    /// Waits until the connection is open; events of other kinds are skipped. Cancel-safe.
    ///
    /// # Errors
    ///
    /// Why it will not open.
    pub async fn opened(&self) -> Result<(), ConnectionError> {
        while !self.is_open() {
            match self.next_event().await {
                Some(DataEvent::Open) => break,
                Some(DataEvent::Error(error)) => return Err(error),
                Some(DataEvent::Close) | None => return Err(closed()),
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// Sends a value. Waits while the channel is full, so memory does not grow; returns when the
    /// value is on its way, which is not yet arrived: see [`close`](Self::close).
    ///
    /// Dropping the future before it is ready leaves it open whether the value is sent; it is
    /// never sent in part.
    ///
    /// # Errors
    ///
    /// [`NotOpenYet`](ConnectionErrorKind::NotOpenYet),
    /// [`ConnectionClosed`](ConnectionErrorKind::ConnectionClosed), and what the serialization
    /// cannot write ([`MessageTooBig`](ConnectionErrorKind::MessageTooBig),
    /// [`Serialization`](ConnectionErrorKind::Serialization)).
    pub async fn send(&self, value: impl Into<Value>) -> Result<(), SendError> {
        let (sent, result) = oneshot::channel();
        let command = Command::Send { value: value.into(), sent };
        self.handle.commands.send(command).await.map_err(|_| closed())?;
        result.await.map_err(|_| closed())?
    }

    /// Sends anything that serde can serialize, as [`send`](Self::send) does.
    ///
    /// # Errors
    ///
    /// Those of [`send`](Self::send), and what has no [`Value`].
    pub async fn send_serialize<T: Serialize + ?Sized>(&self, value: &T) -> Result<(), SendError> {
        let value = Value::from_serialize(value).map_err(|error| {
            ConnectionError::new(ConnectionErrorKind::Serialization, error.to_string())
        })?;
        self.send(value).await
    }

    /// Closes the connection after what was sent has arrived, or after 5 s. Returns at once;
    /// [`DataEvent::Close`] follows.
    pub fn close(&self) {
        self.handle.shared.hang_up.send_replace(true);
    }

    /// Starts a connection.
    pub(crate) fn dial(context: &Context, peer: String, options: ConnectOptions) -> Started<Self> {
        let id = format!("dc_{}", clock::random_word());
        let names = Names { id, peer, kind: payload::Kind::Data };
        let label = options.label.unwrap_or_else(|| names.id.clone());
        // A byte stream cannot do without order; 1.5 sets the option too.
        let reliable = options.reliable || options.serialization == Serialization::MsgPack;
        let offer = payload::Offer {
            metadata: options.metadata.clone(),
            label: Some(label.clone()),
            reliable: Some(reliable),
            serialization: Some(options.serialization.as_str().to_owned()),
            ..task::offer(&names)
        };
        let channel =
            ChannelOptions { label: label.clone(), ordered: reliable, lifetime: options.lifetime };
        Self::start(
            context,
            names,
            label,
            options.metadata,
            options.serialization,
            reliable,
            channel,
            Beginning::Call(offer),
        )
    }

    /// Accepts a connection.
    pub(crate) fn accept(
        context: &Context,
        from: String,
        offer: payload::Offer,
    ) -> Result<Started<Self>, ConnectionError> {
        let names =
            Names { id: offer.connection_id.clone(), peer: from, kind: payload::Kind::Data };
        let serialization =
            Serialization::announced(offer.serialization.as_deref()).map_err(|error| {
                ConnectionError::new(ConnectionErrorKind::Serialization, error.to_string())
            })?;
        let label = offer.label.clone().unwrap_or_else(|| names.id.clone());
        let reliable = offer.reliable.unwrap_or(false);
        let channel =
            ChannelOptions { label: label.clone(), ordered: true, lifetime: Lifetime::Reliable };
        let metadata = offer.metadata.clone();
        let beginning = Beginning::Answer(offer);
        Ok(Self::start(
            context,
            names,
            label,
            metadata,
            serialization,
            reliable,
            channel,
            beginning,
        ))
    }

    #[expect(clippy::too_many_arguments, reason = "private, and each is one field")]
    fn start(
        context: &Context,
        names: Names,
        label: String,
        metadata: Option<Json>,
        serialization: Serialization,
        reliable: bool,
        channel: ChannelOptions,
        beginning: Beginning,
    ) -> Started<Self> {
        let shared = Arc::new(Shared {
            events: Queue::new(),
            open: AtomicBool::new(false),
            buffered: AtomicUsize::new(0),
            hang_up: watch::Sender::new(false),
            ice: watch::Sender::new(IceState::New),
            stats: watch::Sender::new(ConnectionStats::default()),
        });
        // One place: who sends waits in `send`, not in a queue that grows.
        let (commands, command_inbox) = mpsc::channel(1);
        let (inbox, inbound) = mpsc::channel(INBOX);
        let hang_up = shared.hang_up.subscribe();
        let channels = Channels { commands: command_inbox, inbox: inbound, hang_up };
        let front = DataFront::new(Arc::clone(&shared));
        let purpose = Purpose::Data { serialization, channel };
        tokio::spawn(Task::run(
            names.clone(),
            context.clone(),
            purpose,
            beginning,
            front,
            channels,
        ));
        let id = names.id.clone();
        let handle = Handle { names, label, metadata, serialization, reliable, commands, shared };
        Started { connection: Self { handle: Arc::new(handle) }, inbox, id }
    }
}

fn closed() -> ConnectionError {
    ConnectionError::new(ConnectionErrorKind::ConnectionClosed, "the connection is closed")
}
