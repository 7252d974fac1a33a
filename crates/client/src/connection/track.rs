//! The tracks of a call, as an application holds them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{mpsc, oneshot, watch};

use super::media::Command;
use super::queue::Queue;
use super::{ConnectionError, ConnectionErrorKind, SendError};
use crate::engine::TrackId;
use crate::media::{Codec, EncodedFrame, RtpPacket, TrackKind};

/// What the other side asks of a track that we send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TrackRequest {
    /// The next frame shall be a key frame: somebody cannot decode without one.
    KeyFrame,
    /// What the path seems to carry, for all tracks of the call together, in bits per second.
    Bitrate(u64),
}

/// A track that we send.
#[derive(Debug, Clone)]
pub struct LocalTrack {
    pub(crate) inner: Arc<LocalInner>,
}

#[derive(Debug)]
pub(crate) struct LocalInner {
    pub(crate) id: TrackId,
    pub(crate) kind: TrackKind,
    pub(crate) codecs: Vec<Codec>,
    pub(crate) way: Way,
    pub(crate) key_frame: Queue<TrackRequest>,
    pub(crate) bitrate: watch::Sender<Option<u64>>,
}

/// Which task sends what a track is given.
#[derive(Debug)]
pub(crate) enum Way {
    /// That of its call.
    Call(mpsc::WeakSender<Command>),
    /// That of a room's connection, which may be another one later, or none for a while: then what
    /// is given is lost, as on a network that is down.
    Room(watch::Receiver<Option<mpsc::WeakSender<Command>>>),
}

impl LocalInner {
    /// The other side asks for something.
    pub(crate) fn request(&self, request: TrackRequest) {
        if !self.key_frame.is_full() {
            self.key_frame.push(request, 0);
        }
    }
}

impl LocalTrack {
    /// Sound or picture.
    pub fn kind(&self) -> TrackKind {
        self.inner.kind
    }

    /// The codecs that both sides can use, the preferred first. Empty if there is none.
    pub fn codecs(&self) -> &[Codec] {
        &self.inner.codecs
    }

    /// What the path seems to carry, for all tracks of the call together, in bits per second.
    pub fn available_bitrate(&self) -> Option<u64> {
        *self.inner.bitrate.borrow()
    }

    /// The next thing that the other side asks for, or `None` when the call is over. Cancel-safe.
    pub async fn next_request(&self) -> Option<TrackRequest> {
        self.inner.key_frame.next().await
    }

    /// Sends a frame. Timestamps count from wherever you like and go on from frame to frame; pace
    /// is the caller's: a frame goes out when it is given.
    ///
    /// # Errors
    ///
    /// [`ConnectionClosed`](ConnectionErrorKind::ConnectionClosed) when the call is over,
    /// [`Serialization`](ConnectionErrorKind::Serialization) for a codec that was not agreed on.
    pub async fn send_frame(&self, frame: EncodedFrame) -> Result<(), SendError> {
        let track = self.inner.id;
        self.send(|sent| Command::Frame { track, frame, sent }).await
    }

    /// Sends an RTP packet; the call must have been made with
    /// [`CallOptions::rtp`](super::CallOptions::rtp).
    ///
    /// # Errors
    ///
    /// As [`send_frame`](Self::send_frame).
    pub async fn send_rtp(&self, packet: RtpPacket) -> Result<(), SendError> {
        let track = self.inner.id;
        self.send(|sent| Command::Rtp { track, packet, sent }).await
    }

    async fn send(
        &self,
        command: impl FnOnce(oneshot::Sender<Result<(), SendError>>) -> Command,
    ) -> Result<(), SendError> {
        let (sent, result) = oneshot::channel();
        let commands = match &self.inner.way {
            Way::Call(commands) => commands.upgrade().ok_or_else(over)?,
            Way::Room(way) => {
                way.has_changed().map_err(|_| over())?;
                let commands = way.borrow().as_ref().and_then(mpsc::WeakSender::upgrade);
                let Some(commands) = commands else { return Ok(()) };
                let _ = commands.send(command(sent)).await;
                drop(commands);
                return result.await.unwrap_or(Ok(()));
            }
        };
        commands.send(command(sent)).await.map_err(|_| over())?;
        drop(commands);
        result.await.map_err(|_| over())?
    }
}

/// A track that we receive.
#[derive(Debug, Clone)]
pub struct RemoteTrack {
    pub(crate) inner: Arc<RemoteInner>,
}

#[derive(Debug)]
pub(crate) struct RemoteInner {
    pub(crate) id: TrackId,
    pub(crate) kind: TrackKind,
    commands: mpsc::WeakSender<Command>,
    pub(crate) frames: Queue<EncodedFrame>,
    pub(crate) packets: Queue<RtpPacket>,
    /// Frames were dropped: nothing can be decoded until the next key frame.
    broken: AtomicBool,
}

impl RemoteTrack {
    /// Sound or picture.
    pub fn kind(&self) -> TrackKind {
        self.inner.kind
    }

    /// The next frame, or `None` when the call is over. Cancel-safe. About 1 MiB of frames waits;
    /// who does not take them loses what waits, and a key frame is asked for: late is worse than
    /// never.
    pub async fn next_frame(&self) -> Option<EncodedFrame> {
        self.inner.frames.next().await
    }

    /// The next RTP packet of a call made with [`CallOptions::rtp`](super::CallOptions::rtp), or
    /// `None` when the call is over. Cancel-safe, bounded like [`next_frame`](Self::next_frame).
    pub async fn next_rtp(&self) -> Option<RtpPacket> {
        self.inner.packets.next().await
    }

    /// Asks the other side for a key frame (PLI). At most a few times a second makes sense.
    pub fn request_key_frame(&self) {
        if let Some(commands) = self.inner.commands.upgrade() {
            // A full queue means that the task is busy; who needs it asks again.
            let _ = commands.try_send(Command::RequestKeyFrame(self.inner.id));
        }
    }
}

impl RemoteInner {
    pub(crate) fn new(id: TrackId, kind: TrackKind, commands: mpsc::WeakSender<Command>) -> Self {
        let (frames, packets) = (Queue::new(), Queue::new());
        Self { id, kind, commands, frames, packets, broken: AtomicBool::new(false) }
    }

    /// Nothing will follow.
    pub(crate) fn close(&self) {
        self.frames.close();
        self.packets.close();
    }

    /// A packet arrived.
    pub(crate) fn push_packet(&self, packet: RtpPacket) {
        if self.packets.is_full() {
            self.packets.clear();
        }
        let bytes = packet.payload.len();
        self.packets.push(packet, bytes);
    }

    /// A frame arrived. Answers whether a key frame is needed.
    pub(crate) fn push(&self, frame: EncodedFrame) -> bool {
        let mut wants_key_frame = false;
        if self.frames.is_full() {
            let dropped = self.frames.clear();
            tracing::debug!(dropped, "frames of a track that nobody takes");
            self.broken.store(self.kind == TrackKind::Video, Ordering::Relaxed);
            wants_key_frame = true;
        }
        if frame.keyframe {
            self.broken.store(false, Ordering::Relaxed);
        } else if self.broken.load(Ordering::Relaxed) {
            return wants_key_frame;
        }
        let bytes = frame.data.len();
        self.frames.push(frame, bytes);
        wants_key_frame
    }
}

fn over() -> ConnectionError {
    ConnectionError::new(ConnectionErrorKind::ConnectionClosed, "the call is over")
}
