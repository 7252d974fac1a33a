//! Calls.

mod front;
mod ringing;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use peerway_protocol::peerjs::payload;
use serde_json::Value as Json;
use tokio::sync::{mpsc, oneshot, watch};

use super::context::{Context, Started};
use super::data::INBOX;
use super::queue::Queue;
use super::stats::ConnectionStats;
use super::task::{self, Beginning, Channels, Names, Task};
use super::track::{LocalTrack, RemoteTrack};
use super::{CallOptions, ConnectionError, IceState, SendError};
use crate::clock;
use crate::engine::{MediaOptions, TrackId};
use crate::link::Purpose;
use crate::media::{EncodedFrame, RtpPacket};
use front::MediaFront;
use ringing::ringing;

/// Frames and packets that wait for a call's task.
const COMMANDS: usize = 32;

/// What happens in a call.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum MediaEvent {
    /// The call stands: sound and picture can flow.
    Open,
    /// A track that we send. Before [`MediaEvent::Open`].
    LocalTrack(LocalTrack),
    /// A track that we receive. Before [`MediaEvent::Open`].
    RemoteTrack(RemoteTrack),
    /// The other side will be known to have hung up at once (`PeerJS` 1.5 and we).
    WillCloseOnRemote,
    /// The ICE state changed.
    IceStateChanged(IceState),
    /// Something went wrong. [`MediaEvent::Close`] follows if that is the end.
    Error(ConnectionError),
    /// It is over. The last event.
    Close,
}

/// A call, like the `MediaConnection` of `PeerJS`.
///
/// A cheap handle: clones are the same call and share its events. When the last clone is dropped
/// the call ends.
#[derive(Debug, Clone)]
pub struct MediaConnection {
    handle: Arc<Handle>,
}

#[derive(Debug)]
struct Handle {
    names: Names,
    metadata: Option<Json>,
    /// Its end tells the task that the last handle is gone; tracks hold weak ones.
    #[expect(dead_code, reason = "held, never used")]
    commands: mpsc::Sender<Command>,
    shared: Arc<Shared>,
    /// What an incoming call needs to be answered.
    ringing: Mutex<Option<oneshot::Sender<CallOptions>>>,
}

#[derive(Debug)]
struct Shared {
    events: Queue<MediaEvent>,
    open: AtomicBool,
    hang_up: watch::Sender<bool>,
    ice: watch::Sender<IceState>,
    stats: watch::Sender<ConnectionStats>,
}

#[derive(Debug)]
pub(crate) enum Command {
    Frame { track: TrackId, frame: EncodedFrame, sent: oneshot::Sender<Result<(), SendError>> },
    Rtp { track: TrackId, packet: RtpPacket, sent: oneshot::Sender<Result<(), SendError>> },
    RequestKeyFrame(TrackId),
}

impl MediaConnection {
    /// The id that names this call in signals (`mc_...`).
    pub fn id(&self) -> &str {
        &self.handle.names.id
    }

    /// The other peer's id.
    pub fn peer(&self) -> &str {
        &self.handle.names.peer
    }

    /// What the caller wanted known.
    pub fn metadata(&self) -> Option<&Json> {
        self.handle.metadata.as_ref()
    }

    /// Whether the call stands.
    pub fn is_open(&self) -> bool {
        self.handle.shared.open.load(Ordering::Acquire)
    }

    /// Whether this is an incoming call that waits for [`answer`](Self::answer).
    pub fn is_ringing(&self) -> bool {
        self.pending_answer().is_some()
    }

    /// The ICE state now.
    pub fn ice_state(&self) -> IceState {
        *self.handle.shared.ice.borrow()
    }

    /// The call's numbers, renewed once a second.
    pub fn stats(&self) -> ConnectionStats {
        self.handle.shared.stats.borrow().clone()
    }

    /// Answers an incoming call. `false`: it is answered already, or over, or was ours.
    pub fn answer(&self, options: CallOptions) -> bool {
        let ringing = self.pending_answer().take();
        ringing.is_some_and(|ringing| ringing.send(options).is_ok())
    }

    /// The next thing that happens, or `None` after [`MediaEvent::Close`]. Cancel-safe; of several
    /// callers each event goes to one.
    pub async fn next_event(&self) -> Option<MediaEvent> {
        self.handle.shared.events.next().await
    }

    /// The events as a stream.
    pub fn events(&self) -> impl futures_util::Stream<Item = MediaEvent> + Send + 'static {
        let call = self.clone();
        futures_util::stream::unfold(call, |call| async move {
            let event = call.next_event().await?;
            Some((event, call))
        })
    }

    /// Hangs up, or refuses an incoming call. Returns at once; [`MediaEvent::Close`] follows.
    pub fn close(&self) {
        self.handle.shared.hang_up.send_replace(true);
    }

    fn pending_answer(&self) -> std::sync::MutexGuard<'_, Option<oneshot::Sender<CallOptions>>> {
        self.handle.ringing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a call.
    pub(crate) fn dial(context: &Context, peer: String, options: CallOptions) -> Started<Self> {
        let id = format!("mc_{}", clock::random_word());
        let names = Names { id, peer, kind: payload::Kind::Media };
        let metadata = options.metadata.clone();
        let offer = payload::Offer { metadata: metadata.clone(), ..task::offer(&names) };
        let (connection, parts) = Self::parts(names.clone(), metadata, None);
        let (inbox, inbound) = mpsc::channel(INBOX);
        let hang_up = connection.handle.shared.hang_up.subscribe();
        tokio::spawn(Task::run(
            names.clone(),
            context.clone(),
            Purpose::Media(media_options(options)),
            Beginning::Call(offer),
            parts.front,
            Channels { commands: parts.commands, inbox: inbound, hang_up },
        ));
        Started { connection, inbox, id: names.id }
    }

    /// Takes an incoming call, which then waits to be answered. What the other side says meanwhile
    /// waits in the inbox.
    pub(crate) fn ring(context: &Context, from: String, offer: payload::Offer) -> Started<Self> {
        let names =
            Names { id: offer.connection_id.clone(), peer: from, kind: payload::Kind::Media };
        let (answer, answered) = oneshot::channel();
        let (connection, parts) = Self::parts(names.clone(), offer.metadata.clone(), Some(answer));
        let (inbox, inbound) = mpsc::channel(INBOX);
        let context = context.clone();
        let id = names.id.clone();
        let hang_up = connection.handle.shared.hang_up.subscribe();
        tokio::spawn(ringing(names, context, offer, parts, answered, hang_up, inbound));
        Started { connection, inbox, id }
    }

    fn parts(
        names: Names,
        metadata: Option<Json>,
        ringing: Option<oneshot::Sender<CallOptions>>,
    ) -> (Self, Parts) {
        let shared = Arc::new(Shared {
            events: Queue::new(),
            open: AtomicBool::new(false),
            hang_up: watch::Sender::new(false),
            ice: watch::Sender::new(IceState::New),
            stats: watch::Sender::new(ConnectionStats::default()),
        });
        let (sender, commands) = mpsc::channel(COMMANDS);
        let front = MediaFront::new(Arc::clone(&shared), sender.downgrade());
        let ringing = Mutex::new(ringing);
        let handle = Handle { names, metadata, commands: sender, shared, ringing };
        (Self { handle: Arc::new(handle) }, Parts { front, commands })
    }
}

struct Parts {
    front: MediaFront,
    commands: mpsc::Receiver<Command>,
}

fn media_options(options: CallOptions) -> MediaOptions {
    MediaOptions { send: options.send, codecs: options.codecs, rtp: options.rtp }
}
