//! What a member publishes: up to one track of each kind, over all its media connections.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};

use super::{RoomError, RoomErrorKind};
use crate::connection::{
    LocalInner, LocalTrack, MediaSelection, Queue, TrackCommand, TrackRequest, Way,
};
use crate::engine::TrackId;
use crate::media::{Codec, TrackKind};

/// Who waits for a track.
pub(super) type Reply = oneshot::Sender<Result<LocalTrack, RoomError>>;

/// The way to the task that sends, while there is one.
type Task = mpsc::WeakSender<TrackCommand>;

/// See the module documentation.
#[derive(Debug, Default)]
pub(super) struct Publications {
    audio: Publication,
    video: Publication,
}

#[derive(Debug, Default)]
enum Publication {
    #[default]
    Off,
    /// It waits for the line to be agreed on.
    Wanted(Reply),
    On {
        track: Arc<LocalInner>,
        /// Its end is the end of the track.
        way: watch::Sender<Option<Task>>,
    },
}

impl Publications {
    fn of(&mut self, kind: TrackKind) -> &mut Publication {
        match kind {
            TrackKind::Audio => &mut self.audio,
            TrackKind::Video => &mut self.video,
        }
    }

    /// What our answers say that we send.
    pub(super) fn selection(&self) -> MediaSelection {
        let is_on = |publication: &Publication| !matches!(publication, Publication::Off);
        MediaSelection { audio: is_on(&self.audio), video: is_on(&self.video) }
    }

    /// A track is wanted. Whether that is new.
    pub(super) fn want(&mut self, kind: TrackKind, reply: Reply) -> bool {
        let publication = self.of(kind);
        // Who waited for one that did not come has gone away.
        let idle = match publication {
            Publication::Off => true,
            Publication::Wanted(waiting) => waiting.is_closed(),
            Publication::On { .. } => false,
        };
        if idle {
            *publication = Publication::Wanted(reply);
        } else {
            let text = format!("this peer publishes {} already", kind.name());
            let _ = reply.send(Err(RoomError::new(RoomErrorKind::NotPossible, text)));
        }
        idle
    }

    /// A line for it is agreed on, in a new connection or once more.
    pub(super) fn agreed(&mut self, kind: TrackKind, codecs: Vec<Codec>, task: &Task) {
        let publication = self.of(kind);
        match std::mem::take(publication) {
            Publication::Off => {}
            Publication::Wanted(reply) => {
                let way = watch::Sender::new(Some(task.clone()));
                let track = Arc::new(LocalInner {
                    id: id(kind),
                    kind,
                    codecs,
                    way: Way::Room(way.subscribe()),
                    key_frame: Queue::new(),
                    bitrate: watch::Sender::new(None),
                });
                let told = reply.send(Ok(LocalTrack { inner: Arc::clone(&track) }));
                // Who gave up waiting has no other way to end it.
                if told.is_ok() {
                    *publication = Publication::On { track, way };
                }
            }
            Publication::On { track, way } => {
                way.send_replace(Some(task.clone()));
                *publication = Publication::On { track, way };
            }
        }
    }

    /// Ends a track. Whether there was one.
    pub(super) fn end(&mut self, kind: TrackKind, error: &RoomError) -> bool {
        match std::mem::take(self.of(kind)) {
            Publication::Off => false,
            Publication::Wanted(reply) => {
                let _ = reply.send(Err(error.clone()));
                true
            }
            Publication::On { track, .. } => {
                track.key_frame.close();
                true
            }
        }
    }

    pub(super) fn end_all(&mut self, error: &RoomError) {
        for kind in [TrackKind::Audio, TrackKind::Video] {
            self.end(kind, error);
        }
    }

    /// The media connection is gone: what is sent is lost until there is another one.
    pub(super) fn disconnected(&mut self) {
        for publication in [&self.audio, &self.video] {
            if let Publication::On { way, .. } = publication {
                way.send_replace(None);
            }
        }
    }

    /// Somebody needs key frames: of this line, or of all.
    pub(super) fn request_key_frame(&self, only: Option<TrackKind>) {
        for track in self.tracks().filter(|track| only.is_none_or(|only| track.kind == only)) {
            track.request(TrackRequest::KeyFrame);
        }
    }

    /// What the path seems to carry.
    pub(super) fn set_bitrate(&self, bitrate: u64) {
        for track in self.tracks() {
            track.bitrate.send_replace(Some(bitrate));
            if track.kind == TrackKind::Video {
                track.request(TrackRequest::Bitrate(bitrate));
            }
        }
    }

    fn tracks(&self) -> impl Iterator<Item = &Arc<LocalInner>> {
        [&self.audio, &self.video].into_iter().filter_map(|publication| match publication {
            Publication::On { track, .. } => Some(track),
            _ => None,
        })
    }
}

/// The name of a track of ours, whatever line it has in this connection or the next.
pub(super) fn id(kind: TrackKind) -> TrackId {
    TrackId::named(kind.name())
}
