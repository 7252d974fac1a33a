//! The task's side of a call.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use tokio::sync::{mpsc, watch};

use super::{Command, MediaEvent, Shared};
use crate::connection::queue::Queue;
use crate::connection::stats::ConnectionStats;
use crate::connection::task::Front;
use crate::connection::track::{
    LocalInner, LocalTrack, RemoteInner, RemoteTrack, TrackRequest, Way,
};
use crate::connection::{ConnectionError, ConnectionErrorKind, IceState};
use crate::engine::TrackId;
use crate::link::{Event, Link};
use crate::media::{EncodedFrame, TrackKind};

/// The task's side.
pub(super) struct MediaFront {
    shared: Arc<Shared>,
    commands: mpsc::WeakSender<Command>,
    local: Vec<Arc<LocalInner>>,
    remote: Vec<Arc<RemoteInner>>,
    ended: bool,
}

impl MediaFront {
    pub(super) fn new(shared: Arc<Shared>, commands: mpsc::WeakSender<Command>) -> Self {
        Self { shared, commands, local: Vec::new(), remote: Vec::new(), ended: false }
    }

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
                way: Way::Call(self.commands.clone()),
                key_frame: Queue::new(),
                bitrate: watch::Sender::new(None),
            });
            self.local.push(Arc::clone(&inner));
            self.shared.events.push(MediaEvent::LocalTrack(LocalTrack { inner }), 0);
        }
        if receives && self.remote(id).is_none() {
            let inner = Arc::new(RemoteInner::new(id, kind, self.commands.clone()));
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
                let pictures = self.remote.iter().filter(|track| track.kind == TrackKind::Video);
                for track in pictures {
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
                    remote.push_packet(packet);
                }
            }
            Event::KeyFrameWanted(id) => {
                if let Some(track) = self.local.iter().find(|track| track.id == id) {
                    track.request(TrackRequest::KeyFrame);
                }
            }
            Event::Bitrate(bitrate) => {
                for track in &self.local {
                    track.bitrate.send_replace(Some(bitrate));
                    if track.kind == TrackKind::Video {
                        track.request(TrackRequest::Bitrate(bitrate));
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
                track.close();
            }
        }
    }
}
