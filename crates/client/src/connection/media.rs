//! Calls.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use peerway_protocol::peerjs::payload;
use serde_json::Value as Json;
use tokio::sync::{mpsc, oneshot, watch};

use super::context::{Context, Inbound, Started};
use super::data::INBOX;
use super::queue::Queue;
use super::stats::ConnectionStats;
use super::task::{Beginning, Channels, Front, Names, Task};
use super::track::{LocalInner, LocalTrack, RemoteInner, RemoteTrack, TrackRequest};
use super::{CallOptions, ConnectionError, ConnectionErrorKind, IceState, SendError};
use crate::clock;
use crate::engine::{MediaOptions, TrackId};
use crate::link::{Event, Link, Purpose};
use crate::media::{EncodedFrame, RtpPacket, TrackKind};

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
pub(super) enum Command {
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
        self.ringing().is_some()
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
        let ringing = self.ringing().take();
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

    fn ringing(&self) -> std::sync::MutexGuard<'_, Option<oneshot::Sender<CallOptions>>> {
        self.handle.ringing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a call.
    pub(crate) fn dial(context: &Context, peer: String, options: CallOptions) -> Started<Self> {
        let id = format!("mc_{}", clock::random_word());
        let names = Names { id, peer, kind: payload::Kind::Media };
        let metadata = options.metadata.clone();
        let offer = payload::Offer { metadata: metadata.clone(), ..super::task::offer(&names) };
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
        let front = MediaFront {
            shared: Arc::clone(&shared),
            commands: sender.downgrade(),
            local: Vec::new(),
            remote: Vec::new(),
            ended: false,
        };
        let ringing = Mutex::new(ringing);
        let handle = Handle { names, metadata, commands: sender, shared, ringing };
        (Self { handle: Arc::new(handle) }, Parts { front, commands })
    }
}

struct Parts {
    front: MediaFront,
    commands: mpsc::Receiver<Command>,
}

/// Waits for an incoming call to be answered, refused, or given up by the caller.
async fn ringing(
    names: Names,
    context: Context,
    offer: payload::Offer,
    mut parts: Parts,
    answered: oneshot::Receiver<CallOptions>,
    mut hang_up: watch::Receiver<bool>,
    mut inbound: mpsc::Receiver<Inbound>,
) {
    let mut candidates = Vec::new();
    tokio::pin!(answered);
    let options = loop {
        tokio::select! {
            biased;
            _ = hang_up.wait_for(|hang_up| *hang_up) => break None,
            options = answered.as_mut() => break options.ok(),
            inbound = inbound.recv() => match inbound {
                Some(Inbound::Candidate(candidate)) if candidates.len() < INBOX => {
                    candidates.push(candidate);
                }
                Some(Inbound::Leave | Inbound::Destroyed | Inbound::Unreachable) | None => break None,
                Some(_) => {}
            },
        }
    };
    let Some(options) = options else {
        parts.front.handle_end();
        let _ = context.closed.send(names.id);
        return;
    };
    // The candidates that came while it rang are fed again in front of what follows.
    let (feed, merged) = mpsc::channel(INBOX);
    let relay = async move {
        for candidate in candidates {
            if feed.send(Inbound::Candidate(candidate)).await.is_err() {
                return;
            }
        }
        while let Some(message) = inbound.recv().await {
            if feed.send(message).await.is_err() {
                return;
            }
        }
    };
    let task = Task::run(
        names,
        context,
        Purpose::Media(media_options(options)),
        Beginning::Answer(offer),
        parts.front,
        Channels { commands: parts.commands, inbox: merged, hang_up },
    );
    tokio::pin!(relay);
    tokio::pin!(task);
    tokio::select! {
        () = &mut task => {}
        () = &mut relay => task.await,
    }
}

fn media_options(options: CallOptions) -> MediaOptions {
    MediaOptions { send: options.send, codecs: options.codecs, rtp: options.rtp }
}

/// The task's side.
struct MediaFront {
    shared: Arc<Shared>,
    commands: mpsc::WeakSender<Command>,
    local: Vec<Arc<LocalInner>>,
    remote: Vec<Arc<RemoteInner>>,
    ended: bool,
}

impl MediaFront {
    fn remote(&self, id: TrackId) -> Option<&Arc<RemoteInner>> {
        self.remote.iter().find(|track| track.id == id)
    }

    fn track(&mut self, link: &mut Link, id: TrackId, kind: TrackKind, ways: (bool, bool)) {
        let (sends, receives) = ways;
        if sends && self.local.iter().all(|track| track.id != id) {
            let inner = Arc::new(LocalInner {
                id,
                kind,
                codecs: link.engine().codecs(id),
                commands: self.commands.clone(),
                key_frame: Queue::new(),
                bitrate: watch::Sender::new(None),
            });
            self.local.push(Arc::clone(&inner));
            self.shared.events.push(MediaEvent::LocalTrack(LocalTrack { inner }), 0);
        }
        if receives && self.remote(id).is_none() {
            let inner = Arc::new(RemoteInner {
                id,
                kind,
                commands: self.commands.clone(),
                frames: Queue::new(),
                packets: Queue::new(),
                broken: AtomicBool::new(false),
            });
            self.remote.push(Arc::clone(&inner));
            self.shared.events.push(MediaEvent::RemoteTrack(RemoteTrack { inner }), 0);
        }
    }

    fn frame(&self, link: &mut Link, track: TrackId, frame: EncodedFrame) {
        let lost = !frame.contiguous && !frame.keyframe;
        let Some(remote) = self.remote(track) else { return };
        if remote.push(frame) || lost {
            link.engine().request_key_frame(track);
        }
    }
}

/// Whatever ends the task, a panic too, ends the connection for its application.
impl Drop for MediaFront {
    fn drop(&mut self) {
        self.handle_end();
    }
}

impl Front for MediaFront {
    type Command = Command;

    fn handle_event(&mut self, link: &mut Link, event: Event) {
        if self.ended {
            return;
        }
        let events = &self.shared.events;
        match event {
            Event::Open => {
                self.shared.open.store(true, Ordering::Release);
                events.push(MediaEvent::Open, 0);
                for track in &self.remote {
                    link.engine().request_key_frame(track.id);
                }
            }
            Event::Ice(state) => {
                self.shared.ice.send_replace(state);
                events.push(MediaEvent::IceStateChanged(state), 0);
            }
            Event::Track { id, kind, sends, receives } => {
                self.track(link, id, kind, (sends, receives));
            }
            Event::Frame { track, frame } => self.frame(link, track, frame),
            Event::Rtp { track, packet } => {
                if let Some(remote) = self.remote(track) {
                    if remote.packets.is_full() {
                        remote.packets.drop_oldest();
                    }
                    let bytes = packet.payload.len();
                    remote.packets.push(packet, bytes);
                }
            }
            Event::KeyFrameWanted(id) => {
                if let Some(track) = self.local.iter().find(|track| track.id == id)
                    && !track.key_frame.is_full()
                {
                    track.key_frame.push(TrackRequest::KeyFrame, 0);
                }
            }
            Event::Bitrate(bitrate) => {
                for track in &self.local {
                    track.bitrate.send_replace(Some(bitrate));
                    if track.kind == TrackKind::Video && !track.key_frame.is_full() {
                        track.key_frame.push(TrackRequest::Bitrate(bitrate), 0);
                    }
                }
            }
            Event::WillCloseOnRemote => events.push(MediaEvent::WillCloseOnRemote, 0),
            Event::Traffic(traffic) => {
                let kind = |id| {
                    let local = self.local.iter().map(|track| (track.id, track.kind));
                    let remote = self.remote.iter().map(|track| (track.id, track.kind));
                    local
                        .chain(remote)
                        .find(|(known, _)| *known == id)
                        .map_or(TrackKind::Video, |(_, kind)| kind)
                };
                self.shared.stats.send_replace(ConnectionStats::new(traffic, kind));
            }
            Event::Closed(Some(error)) => self.handle_failure(error),
            Event::Closed(None) => self.handle_end(),
            Event::Value(_) | Event::Garbled(_) | Event::RestartWanted => {}
        }
    }

    fn handle_command(&mut self, now: Instant, link: &mut Link, command: Command) {
        let unsendable = |error: crate::engine::EngineError| {
            ConnectionError::new(ConnectionErrorKind::Serialization, error.to_string())
        };
        match command {
            Command::Frame { track, frame, sent } => {
                let result = link.engine().write_frame(now, track, &frame).map_err(unsendable);
                let _ = sent.send(result);
            }
            Command::Rtp { track, packet, sent } => {
                let result = link.engine().write_rtp(now, track, &packet).map_err(unsendable);
                let _ = sent.send(result);
            }
            Command::RequestKeyFrame(track) => {
                link.engine().request_key_frame(track);
            }
        }
    }

    fn is_ready(&self, _link: &Link) -> bool {
        true
    }

    fn handle_progress(&mut self, _link: &mut Link) {}

    fn is_full(&self) -> bool {
        false
    }

    async fn drained(&self) {
        std::future::pending::<()>().await;
    }

    fn handle_failure(&mut self, error: ConnectionError) {
        if !self.ended {
            self.shared.events.push(MediaEvent::Error(error), 0);
        }
        self.handle_end();
    }

    fn handle_end(&mut self) {
        if !self.ended {
            self.ended = true;
            self.shared.open.store(false, Ordering::Release);
            self.shared.ice.send_replace(IceState::Closed);
            self.shared.events.push(MediaEvent::Close, 0);
            self.shared.events.close();
            for track in &self.local {
                track.key_frame.close();
            }
            for track in &self.remote {
                track.frames.close();
                track.packets.close();
            }
        }
    }
}
