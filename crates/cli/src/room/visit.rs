//! What happens from coming in to going out.

use std::time::Instant;

use peerway::media::{TestVideoSize, TrackKind, feed_test_source};
use peerway::{Peer, PeerEvent, Room, RoomError, RoomErrorKind, RoomEvent, RoomTrack, Value};
use peerway_server::clock;
use serde_json::json;
use tokio::task::JoinSet;

use super::FAREWELL;
use super::record::{Recordings, Told};
use crate::peering::{Console, Exit, Failure, Interrupt, described, printable, told_stats};

/// The longest text that is shown, in characters.
const LINE: usize = 10_000;

/// One stay, as the user sees it.
pub(super) struct Visit {
    console: Console,
    room: Room,
    peer: Peer,
    recordings: Option<Recordings>,
    tasks: JoinSet<Result<(), RoomError>>,
    entered: Instant,
    why: Option<RoomError>,
}

/// How a command ends that was not let in, or not left in.
pub(super) fn failure(error: RoomError) -> Failure {
    let exit = match error.kind {
        RoomErrorKind::NoAnswer => Exit::Unreachable,
        RoomErrorKind::Closed => Exit::Lost,
        _ => Exit::Refused,
    };
    Failure::new(exit, error.message)
}

impl Visit {
    pub(super) fn new(
        console: Console,
        room: Room,
        peer: Peer,
        recordings: Option<Recordings>,
    ) -> Self {
        let (tasks, entered) = (JoinSet::new(), clock::now());
        Self { console, room, peer, recordings, tasks, entered, why: None }
    }

    pub(super) fn announce(&self) {
        let own = self.peer.id().unwrap_or_default();
        let all = self.room.members();
        let others: Vec<_> = all.iter().filter(|id| **id != own).cloned().collect();
        let room = printable(self.room.name(), 100);
        let with = match others.len() {
            0 => "alone".to_owned(),
            _ => format!("with {}", printable(&others.join(", "), 1000)),
        };
        let members = json!({ "room": self.room.name(), "id": own, "members": others });
        self.console.tell("joined", members, format!("In the room {room} as {own}, {with}"));
    }

    pub(super) fn publish(&mut self, kind: TrackKind, size: TestVideoSize) {
        let (room, console) = (self.room.clone(), self.console.clone());
        self.tasks.spawn(async move {
            let track = room.publish(kind).await?;
            console.tell(
                "published",
                json!({ "kind": kind.name() }),
                format!("Publishing {}", kind.name()),
            );
            if let Err(error) = feed_test_source(&track, size).await {
                let members = json!({ "kind": kind.name(), "message": error.message });
                console.tell("error", members, format!("* {}: {}", kind.name(), error.message));
            }
            Ok(())
        });
    }

    pub(super) fn say(&mut self, texts: Vec<String>) {
        let room = self.room.clone();
        self.tasks.spawn(async move {
            for text in texts {
                room.send(text).await?;
            }
            Ok(())
        });
    }

    pub(super) async fn run(
        &mut self,
        deadline: Option<Instant>,
        interrupt: &mut Interrupt,
    ) -> Result<Exit, Failure> {
        loop {
            let late = async {
                match deadline {
                    Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                event = self.room.next_event() => match event {
                    Some(RoomEvent::Close) | None => {
                        return Err(failure(self.why.take().unwrap_or_else(closed)));
                    }
                    Some(event) => self.handle(event),
                },
                Some(told) = told(&mut self.recordings) => self.handle_recording(told)?,
                Some(Ok(Err(error))) = self.tasks.join_next() => {
                    if error.kind != RoomErrorKind::Closed {
                        return Err(failure(error));
                    }
                }
                event = self.peer.next_event() => self.handle_peer(event)?,
                () = late => return Ok(Exit::Success),
                // The usual way to leave.
                () = interrupt.wanted() => return Ok(Exit::Success),
            }
        }
    }

    fn handle_peer(&self, event: Option<PeerEvent>) -> Result<(), Failure> {
        match event {
            Some(PeerEvent::Error(error)) => self.trouble(&error.to_string()),
            Some(PeerEvent::Reconnected { .. }) => {
                self.console.tell("reconnected", json!({}), "The server is there again");
            }
            Some(PeerEvent::Close) | None => {
                let text = "the server does not know us any more";
                return Err(Failure::new(Exit::Unreachable, text));
            }
            Some(_) => {}
        }
        Ok(())
    }

    fn handle(&mut self, event: RoomEvent) {
        match event {
            RoomEvent::Joined { peer } => {
                let peer = printable(&peer, 100);
                self.console.tell(
                    "member_joined",
                    json!({ "peer": peer }),
                    format!("* {peer} is here"),
                );
            }
            RoomEvent::Left { peer } => {
                let peer = printable(&peer, 100);
                self.console.tell(
                    "member_left",
                    json!({ "peer": peer }),
                    format!("* {peer} is gone"),
                );
            }
            RoomEvent::Data { from, value } => self.show(&printable(&from, 100), &value),
            RoomEvent::Track(RoomTrack { peer, stream, track, .. }) => {
                let (name, kind) = (printable(&peer, 100), track.kind().name());
                let (which, stream) = which(stream.as_deref());
                let members = json!({ "peer": name, "stream": stream, "kind": kind });
                self.console.tell("track", members, format!("* {kind} of {name}{which}"));
                match &mut self.recordings {
                    Some(recordings) => recordings.take(&format!("{peer}{which}"), track),
                    // What nobody takes is thrown away by the track.
                    None => drop(track),
                }
            }
            RoomEvent::TrackEnded { peer, stream, kind } => {
                let (name, kind) = (printable(&peer, 100), kind.name());
                let (which, stream) = which(stream.as_deref());
                let members = json!({ "peer": name, "stream": stream, "kind": kind });
                self.console.tell(
                    "track_ended",
                    members,
                    format!("* no {kind} of {name}{which} any more"),
                );
            }
            RoomEvent::Speaker(speaker) => {
                let speaker = speaker.map(|peer| printable(&peer, 100));
                let line = match &speaker {
                    Some(peer) => format!("* {peer} speaks"),
                    None => "* nobody speaks".to_owned(),
                };
                self.console.tell("speaker", json!({ "peer": speaker }), line);
            }
            RoomEvent::Error(error) => {
                self.trouble(&error.message);
                self.why = Some(error);
            }
            _ => {}
        }
    }

    fn trouble(&self, message: &str) {
        self.console.tell("error", json!({ "message": message }), format!("* {message}"));
    }

    /// As `peerway chat` does it.
    fn show(&self, peer: &str, value: &Value) {
        let text = match value {
            Value::Text(text) => text.clone(),
            other => described(other, LINE),
        };
        if self.console.is_json() {
            return self.console.tell("message", json!({ "peer": peer, "text": text }), "");
        }
        for line in text.lines() {
            Console::output(format!("{peer}: {}", printable(line, LINE)));
        }
    }

    fn handle_recording(&mut self, told: Told) -> Result<(), Failure> {
        match told {
            Told::Recorded { peer, file, seconds, bytes } => {
                let members = json!({
                    "peer": peer, "file": file.display().to_string(), "seconds": seconds, "bytes": bytes,
                });
                let line = format!("Recorded {seconds:.1} s, {bytes} bytes: {}", file.display());
                self.console.tell("recorded", members, line);
                Ok(())
            }
            Told::Failed(why) => Err(Failure::new(Exit::Failed, why)),
        }
    }

    /// Completes the recordings and tells the numbers.
    pub(super) async fn end(mut self, ended: Result<Exit, Failure>) -> Result<Exit, Failure> {
        let stats = self.room.stats();
        let farewell = async {
            while !matches!(self.room.next_event().await, Some(RoomEvent::Close) | None) {}
        };
        let _ = tokio::time::timeout(FAREWELL, farewell).await;
        self.tasks.shutdown().await;
        let seconds = clock::now().duration_since(self.entered).as_secs_f64();
        let (members, lines) = told_stats(&stats, seconds);
        self.console.tell("left", members, format!("Left the room.\n{lines}"));
        if let Some(mut recordings) = self.recordings.take() {
            recordings.finish().await;
            while let Some(told) = recordings.told().await {
                if let Err(failure) = self.handle_recording(told) {
                    return ended.and(Err(failure));
                }
            }
        }
        ended
    }
}

fn closed() -> RoomError {
    let message = "the stay in the room is over".to_owned();
    RoomError { kind: RoomErrorKind::Closed, message }
}

async fn told(recordings: &mut Option<Recordings>) -> Option<Told> {
    match recordings {
        Some(recordings) => recordings.told().await,
        None => std::future::pending().await,
    }
}

/// Words for a stream that has a name, and the name.
fn which(stream: Option<&str>) -> (String, Option<String>) {
    let stream = stream.map(|name| printable(name, 64));
    (stream.as_ref().map_or_else(String::new, |name| format!(" ({name})")), stream)
}
