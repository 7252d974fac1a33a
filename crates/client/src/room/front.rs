//! A room's side of one connection with the forwarding unit: tracks of others to the application,
//! tracks of ours to their lines.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::mpsc;

use super::lines::{self, Purpose};
use super::publications::id;
use super::{RoomError, RoomErrorKind, RoomEvent, RoomTrack, Shared};
use crate::connection::{
    ConnectionError, ConnectionErrorKind, ConnectionStats, Front, IceState, RemoteInner,
    RemoteTrack, RoomOffer, TrackCommand,
};
use crate::engine::TrackId;
use crate::link::{Event, Link};
use crate::media::{EncodedFrame, TrackKind};

/// See the module documentation.
pub(super) struct RoomFront {
    shared: Arc<Shared>,
    commands: mpsc::WeakSender<TrackCommand>,
    /// The lines for what we publish.
    ours: Vec<(TrackKind, TrackId)>,
    received: Vec<Received>,
    ended: bool,
}

struct Received {
    peer: String,
    name: Option<String>,
    stream: String,
    inner: Arc<RemoteInner>,
}

impl RoomFront {
    pub(super) fn new(shared: Arc<Shared>, commands: mpsc::WeakSender<TrackCommand>) -> Self {
        Self { shared, commands, ours: Vec::new(), received: Vec::new(), ended: false }
    }

    /// The line of a track of ours.
    fn line(&self, track: TrackId) -> Option<TrackId> {
        let ours = self.ours.iter().find(|(kind, _)| id(*kind) == track);
        ours.map(|(_, line)| *line)
    }

    /// Tells which tracks of others there are now.
    fn compare(&mut self, lines: Vec<lines::Line>, offer: &RoomOffer) {
        let mut now = Vec::new();
        for line in lines {
            let Purpose::Theirs { stream } = line.purpose else { continue };
            let Some(of) = offer.streams.iter().find(|it| *it.id == *stream) else {
                tracing::debug!(stream, "a stream of nobody");
                continue;
            };
            let name = of.name.as_ref().map(|name| name.as_str().to_owned());
            now.push((line.track, line.kind, stream, of.peer.as_str().to_owned(), name));
        }
        let (kept, gone) = std::mem::take(&mut self.received).into_iter().partition(|known| {
            now.iter()
                .any(|(track, _, stream, ..)| known.inner.id == *track && known.stream == *stream)
        });
        self.received = kept;
        for received in gone {
            self.end(received);
        }
        for (track, kind, stream, peer, name) in now {
            if self.received.iter().any(|known| known.inner.id == track) {
                continue;
            }
            let inner = Arc::new(RemoteInner::new(track, kind, self.commands.clone()));
            let remote = RemoteTrack { inner: Arc::clone(&inner) };
            let (of, named) = (peer.clone(), name.clone());
            self.received.push(Received { peer: of, name: named, stream, inner });
            self.tell(RoomEvent::Track(RoomTrack { peer, stream: name, track: remote }));
        }
    }

    fn end(&self, Received { peer, name, inner, .. }: Received) {
        inner.close();
        self.tell(RoomEvent::TrackEnded { peer, stream: name, kind: inner.kind });
    }

    fn tell(&self, event: RoomEvent) {
        self.shared.events.push(event, 0);
    }

    fn remote(&self, track: TrackId) -> Option<&RemoteInner> {
        let found = self.received.iter().find(|received| received.inner.id == track);
        found.map(|received| &*received.inner)
    }

    fn frame(&self, link: &mut Link, track: TrackId, frame: EncodedFrame) {
        let lost = !frame.contiguous && !frame.keyframe;
        let Some(remote) = self.remote(track) else { return };
        if remote.push(frame) || lost {
            link.engine().request_key_frame(track);
        }
    }
}

/// Whatever ends the task, a panic too, ends its tracks.
impl Drop for RoomFront {
    fn drop(&mut self) {
        self.handle_end();
    }
}

impl Front for RoomFront {
    type Command = TrackCommand;

    fn handle_offer(
        &mut self,
        now: Instant,
        link: &mut Link,
        offer: &RoomOffer,
    ) -> Result<String, ConnectionError> {
        let send = self.shared.publications().selection();
        let answer = link.handle_offer(now, &offer.sdp, send)?;
        let lines = lines::read(&offer.sdp);
        let ours = lines.iter().filter(|line| line.purpose == Purpose::Ours);
        self.ours = ours.map(|line| (line.kind, line.track)).collect();
        for (kind, line) in &self.ours {
            let sends = match kind {
                TrackKind::Audio => send.audio,
                TrackKind::Video => send.video,
            };
            if sends {
                let codecs = link.engine().offered_codecs(*line);
                self.shared.publications().agreed(*kind, codecs, &self.commands);
            }
        }
        self.compare(lines, offer);
        Ok(answer)
    }

    fn handle_event(&mut self, link: &mut Link, event: Event) {
        if self.ended {
            return;
        }
        match event {
            Event::Open => {
                self.shared.media_open.notify_one();
                self.shared.publications().request_key_frame(None);
                for received in self.received.iter().map(|it| &it.inner) {
                    if received.kind == TrackKind::Video {
                        link.engine().request_key_frame(received.id);
                    }
                }
            }
            Event::Ice(state) => self.tell(RoomEvent::IceStateChanged(state)),
            Event::Frame { track, frame } => self.frame(link, track, frame),
            Event::Rtp { track, packet } => {
                if let Some(remote) = self.remote(track) {
                    remote.push_packet(packet);
                }
            }
            Event::KeyFrameWanted(track) => {
                let ours = self.ours.iter().find(|(_, line)| *line == track);
                let kind = ours.map(|(kind, _)| *kind);
                if kind.is_some() {
                    self.shared.publications().request_key_frame(kind);
                }
            }
            Event::Bitrate(bitrate) => self.shared.publications().set_bitrate(bitrate),
            Event::Traffic(traffic) => {
                let kind = |track| {
                    let ours = self.ours.iter().map(|(kind, track)| (*track, *kind));
                    let theirs = self.received.iter().map(|it| (it.inner.id, it.inner.kind));
                    ours.chain(theirs)
                        .find(|(known, _)| *known == track)
                        .map_or(TrackKind::Video, |(_, kind)| kind)
                };
                self.shared.stats.send_replace(ConnectionStats::new(traffic, kind));
            }
            Event::Closed(Some(error)) => self.handle_failure(error),
            Event::Closed(None) => self.handle_end(),
            // Lines are told by the offers.
            Event::Track { .. }
            | Event::WillCloseOnRemote
            | Event::Value(_)
            | Event::Garbled(_)
            | Event::RestartWanted => {}
        }
    }

    fn handle_command(&mut self, now: Instant, link: &mut Link, command: TrackCommand) {
        let unsendable = |error: crate::engine::EngineError| {
            ConnectionError::new(ConnectionErrorKind::Serialization, error.to_string())
        };
        match command {
            TrackCommand::Frame { track, frame, sent } => {
                let result = self.line(track).map_or(Ok(()), |line| {
                    link.engine().write_frame(now, line, &frame).map_err(unsendable)
                });
                let _ = sent.send(result);
            }
            TrackCommand::Rtp { sent, .. } => {
                let text = "rooms carry frames, not RTP packets";
                let error = ConnectionError::new(ConnectionErrorKind::Serialization, text);
                let _ = sent.send(Err(error));
            }
            TrackCommand::RequestKeyFrame(track) => {
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
            let error = RoomError::new(RoomErrorKind::Media, error.message);
            self.tell(RoomEvent::Error(error));
        }
        self.handle_end();
    }

    fn handle_end(&mut self) {
        if !std::mem::replace(&mut self.ended, true) {
            self.shared.publications().disconnected();
            for received in std::mem::take(&mut self.received) {
                self.end(received);
            }
            self.tell(RoomEvent::IceStateChanged(IceState::Closed));
        }
    }
}
