//! The connections and calls of the agent: every event of theirs becomes a line.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use peerway::media::{TestVideoSize, feed_test_source};
use peerway::{
    ConnectionError, DataConnection, DataEvent, LocalTrack, MediaConnection, MediaEvent,
    RemoteTrack, TrackRequest,
};
use serde_json::{Value as Json, json};

use crate::command::{Source, name_of};
use crate::{say, values};

#[derive(Clone)]
pub enum Link {
    Data(DataConnection),
    Call(Call),
}

#[derive(Clone)]
pub struct Call {
    pub connection: MediaConnection,
    pub sending: Arc<Mutex<Source>>,
    received: Received,
}

/// Frames and key frames of each codec.
type Received = Arc<Mutex<BTreeMap<String, Counts>>>;

#[derive(Default)]
struct Counts {
    frames: u64,
    key_frames: u64,
    bytes: u64,
}

/// In order of appearance.
#[derive(Clone, Default)]
pub struct Links(Arc<Mutex<Vec<Link>>>);

impl Links {
    pub fn of(&self, index: usize) -> Result<Link, String> {
        locked(&self.0).get(index).cloned().ok_or_else(|| format!("there is no link {index}"))
    }

    pub fn data(&self, index: usize) -> Result<DataConnection, String> {
        match self.of(index)? {
            Link::Data(connection) => Ok(connection),
            Link::Call(_) => Err(format!("link {index} is a call")),
        }
    }

    pub fn call(&self, index: usize) -> Result<Call, String> {
        match self.of(index)? {
            Link::Call(call) => Ok(call),
            Link::Data(_) => Err(format!("link {index} is no call")),
        }
    }

    /// Tells of a data connection and follows it.
    pub fn add_data(&self, connection: &DataConnection) -> usize {
        let index = self.add(Link::Data(connection.clone()));
        say(&json!({
            "event": "link",
            "link": index,
            "kind": "data",
            "id": connection.id(),
            "peer": connection.peer(),
            "label": connection.label(),
            "metadata": connection.metadata(),
            "serialization": connection.serialization().as_str(),
            "reliable": connection.is_reliable(),
        }));
        tokio::spawn(follow_data(index, connection.clone()));
        index
    }

    /// Tells of a call and follows it.
    pub fn add_call(&self, connection: &MediaConnection, source: Source) -> (usize, Call) {
        let call = Call {
            connection: connection.clone(),
            sending: Arc::new(Mutex::new(source)),
            received: Received::default(),
        };
        let index = self.add(Link::Call(call.clone()));
        say(&json!({
            "event": "link",
            "link": index,
            "kind": "media",
            "id": connection.id(),
            "peer": connection.peer(),
            "metadata": connection.metadata(),
        }));
        tokio::spawn(follow_call(index, call.clone()));
        (index, call)
    }

    fn add(&self, link: Link) -> usize {
        let mut links = locked(&self.0);
        links.push(link);
        links.len() - 1
    }
}

impl Link {
    pub fn close(&self) {
        match self {
            Self::Data(connection) => connection.close(),
            Self::Call(call) => call.connection.close(),
        }
    }

    pub fn stats(&self) -> Json {
        let (stats, frames) = match self {
            Self::Data(connection) => (connection.stats(), json!({})),
            Self::Call(call) => (call.connection.stats(), call.frames()),
        };
        json!({
            "bytesSent": stats.bytes_sent,
            "bytesReceived": stats.bytes_received,
            "localAddress": stats.local_address,
            "remoteAddress": stats.remote_address,
            "frames": frames,
        })
    }
}

impl Call {
    fn frames(&self) -> Json {
        let counts = locked(&self.received);
        let counts = counts.iter().map(|(codec, counts)| {
            let Counts { frames, key_frames, bytes } = counts;
            let counts = json!({ "frames": frames, "keyFrames": key_frames, "bytes": bytes });
            (codec.clone(), counts)
        });
        Json::Object(counts.collect())
    }
}

async fn follow_data(index: usize, connection: DataConnection) {
    while let Some(event) = connection.next_event().await {
        match event {
            DataEvent::Open => tell(index, "open", &Json::Null),
            DataEvent::Data(value) => tell(index, "data", &values::describe(&value)),
            DataEvent::IceStateChanged(state) => tell(index, "ice", &json!(state.as_str())),
            DataEvent::Error(error) => tell(index, "error", &words(&error)),
            DataEvent::Close => tell(index, "close", &Json::Null),
            other => tell(index, "other", &json!(format!("{other:?}"))),
        }
    }
}

async fn follow_call(index: usize, call: Call) {
    let (mut sending, mut receiving) = (Vec::new(), Vec::new());
    while let Some(event) = call.connection.next_event().await {
        match event {
            MediaEvent::Open => {
                tell(index, "open", &Json::Null);
                start(index, &call, std::mem::take(&mut sending), std::mem::take(&mut receiving));
            }
            MediaEvent::LocalTrack(track) => {
                let codecs: Vec<_> = track.codecs().iter().map(|codec| name_of(*codec)).collect();
                tell(index, "sends", &json!({ "kind": track.kind().name(), "codecs": codecs }));
                sending.push(track);
            }
            MediaEvent::RemoteTrack(track) => {
                tell(index, "receives", &json!(track.kind().name()));
                receiving.push(track);
            }
            MediaEvent::WillCloseOnRemote => tell(index, "willCloseOnRemote", &Json::Null),
            MediaEvent::IceStateChanged(state) => tell(index, "ice", &json!(state.as_str())),
            MediaEvent::Error(error) => tell(index, "error", &words(&error)),
            MediaEvent::Close => tell(index, "close", &Json::Null),
            other => tell(index, "other", &json!(format!("{other:?}"))),
        }
    }
}

/// Lets every track of an open call do what the call is for.
fn start(index: usize, call: &Call, sending: Vec<LocalTrack>, receiving: Vec<RemoteTrack>) {
    let source = *locked(&call.sending);
    for remote in receiving {
        let kind = remote.kind();
        let local = sending.iter().find(|local| local.kind() == kind && source == Source::Echo);
        if let Some(local) = local.cloned() {
            tokio::spawn(pass_requests(local, remote.clone()));
        }
        tokio::spawn(receive(index, remote, local.cloned(), Arc::clone(&call.received)));
    }
    if source == Source::Test {
        for track in sending {
            tokio::spawn(async move {
                if let Err(error) = feed_test_source(&track, TestVideoSize::default()).await {
                    tell(index, "error", &words(&error));
                }
            });
        }
    }
}

/// Counts what comes, and sends it back on `echo`.
async fn receive(index: usize, track: RemoteTrack, echo: Option<LocalTrack>, received: Received) {
    while let Some(frame) = track.next_frame().await {
        {
            let mut received = locked(&received);
            let counts = received.entry(name_of(frame.codec)).or_default();
            counts.frames += 1;
            counts.key_frames += u64::from(frame.keyframe);
            counts.bytes += frame.data.len() as u64;
        }
        let Some(echo) = &echo else { continue };
        if let Err(error) = echo.send_frame(frame).await {
            tell(index, "unsent", &words(&error));
        }
    }
}

async fn pass_requests(local: LocalTrack, remote: RemoteTrack) {
    while let Some(request) = local.next_request().await {
        if request == TrackRequest::KeyFrame {
            remote.request_key_frame();
        }
    }
}

fn tell(link: usize, event: &str, detail: &Json) {
    say(&json!({ "event": event, "link": link, "detail": detail }));
}

fn words(error: &ConnectionError) -> Json {
    json!({ "type": error.kind.as_str(), "message": error.message })
}

pub fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
