//! The API of Janus and of its `VideoRoom` plugin on one WebSocket, with a session for each peer.
//!
//! ```text
//!   create -> attach -> joinandconfigure with an offer       -> answer      (publisher)
//!                    -> join -> offer -> start with an answer               (subscriber)
//! ```

use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use super::signalling::{Role, Signalling, Told};
use super::wire::Wire;
use crate::clock;
use crate::target::Target;

const ROOM: u32 = 1;
/// Who makes the room.
const OWNER: usize = usize::MAX;

pub(super) struct Janus {
    wire: Wire,
    /// By peer.
    sessions: Vec<Session>,
}

#[derive(Default)]
struct Session {
    id: u64,
    handle: u64,
    role: Option<Role>,
}

impl Janus {
    /// Connects and makes the room.
    pub(super) fn new(target: &Target) -> Result<Self> {
        let address = target.address();
        let upgrade = format!(
            "GET / HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Sec-WebSocket-Protocol: janus-protocol\r\n\r\n"
        );
        let wire = Wire::open(address, &upgrade)?;
        let mut janus = Self { wire, sessions: Vec::new() };
        let session = janus.ask(&json!({"janus": "create"}))?["data"]["id"].clone();
        let plugin = "janus.plugin.videoroom";
        let attach = json!({"janus": "attach", "plugin": plugin, "session_id": session});
        let handle = janus.ask(&attach)?["data"]["id"].clone();
        let room = json!({
            "request": "create", "room": ROOM, "publishers": 1000, "bitrate": 0, "fir_freq": 0,
            "audiocodec": "opus", "videocodec": "vp8", "record": false,
        });
        let create =
            json!({"janus": "message", "session_id": session, "handle_id": handle, "body": room});
        let made = janus.ask(&create)?;
        ensure!(made["plugindata"]["data"]["videoroom"] == "created", "no room but {made}");
        Ok(janus)
    }

    /// Waits for the answer: only before there are media.
    fn ask(&mut self, request: &Value) -> Result<Value> {
        self.send(OWNER, request.clone())?;
        let deadline = clock::now() + Duration::from_secs(5);
        while clock::now() < deadline {
            match self.wire.receive()? {
                Some(text) => {
                    let answer: Value = serde_json::from_str(&text)?;
                    ensure!(answer["janus"] == "success", "Janus said {answer}");
                    return Ok(answer);
                }
                None => clock::block_until(clock::now() + Duration::from_millis(1)),
            }
        }
        bail!("Janus does not answer")
    }

    fn send(&mut self, peer: usize, mut request: Value) -> Result<()> {
        request["transaction"] = json!(peer.to_string());
        self.wire.send(request.to_string())
    }

    fn message(&mut self, peer: usize, body: &Value, jsep: Option<Value>) -> Result<()> {
        let Session { id, handle, .. } = self.sessions[peer];
        let mut message =
            json!({"janus": "message", "session_id": id, "handle_id": handle, "body": body});
        if let Some(jsep) = jsep {
            message["jsep"] = jsep;
        }
        self.send(peer, message)
    }

    fn join(&mut self, peer: usize) -> Result<()> {
        match self.sessions[peer].role.take() {
            Some(Role::Publisher(offer)) => {
                let body = json!({
                    "request": "joinandconfigure", "room": ROOM, "ptype": "publisher", "id": feed(peer),
                });
                let jsep = json!({"type": "offer", "sdp": offer, "trickle": false});
                self.message(peer, &body, Some(jsep))
            }
            Some(Role::Subscriber(publishers)) => {
                let streams: Vec<Value> =
                    publishers.iter().map(|publisher| json!({"feed": feed(*publisher)})).collect();
                let body = json!({
                    "request": "join", "room": ROOM, "ptype": "subscriber", "streams": streams,
                });
                self.message(peer, &body, None)
            }
            Some(Role::Member) | None => bail!("Janus has publishers and subscribers"),
        }
    }

    fn handle(&mut self, message: &Value, told: &mut Vec<(usize, Told)>) -> Result<()> {
        let peer = message["transaction"].as_str().and_then(|peer| peer.parse::<usize>().ok());
        match (message["janus"].as_str(), peer) {
            (Some("success"), Some(peer)) => {
                let session = self.sessions.get_mut(peer).context("an answer without a request")?;
                let id = message["data"]["id"].as_u64().context("no id")?;
                if session.id == 0 {
                    session.id = id;
                    let plugin = "janus.plugin.videoroom";
                    self.send(peer, json!({"janus": "attach", "plugin": plugin, "session_id": id}))
                } else {
                    session.handle = id;
                    self.join(peer)
                }
            }
            (Some("event"), peer) => {
                let data = &message["plugindata"]["data"];
                ensure!(data["error"].is_null(), "Janus said {message}");
                let jsep = &message["jsep"];
                if let (Some(peer), Some(sdp)) = (peer, jsep["sdp"].as_str()) {
                    let sdp = sdp.to_owned();
                    let is_offer = jsep["type"] == "offer";
                    told.push((peer, if is_offer { Told::Offer(sdp) } else { Told::Answer(sdp) }));
                }
                Ok(())
            }
            (Some("error" | "hangup" | "timeout"), _) => bail!("Janus said {message}"),
            _ => Ok(()),
        }
    }
}

/// The number of a publisher in the room; zero is none.
fn feed(peer: usize) -> usize {
    peer + 1
}

impl Signalling for Janus {
    fn has_members(&self) -> bool {
        false
    }

    fn prepare(&mut self, peer: usize) -> Result<Option<BorrowedFd<'_>>> {
        self.sessions.push(Session::default());
        Ok((peer == 0).then(|| self.wire.as_fd()))
    }

    fn begin(&mut self, peer: usize, role: Role) -> Result<()> {
        self.sessions[peer].role = Some(role);
        self.send(peer, json!({"janus": "create"}))
    }

    fn answer(&mut self, peer: usize, sdp: &str) -> Result<()> {
        let jsep = json!({"type": "answer", "sdp": sdp, "trickle": false});
        self.message(peer, &json!({"request": "start"}), Some(jsep))
    }

    fn handle_readable(&mut self, _: usize, told: &mut Vec<(usize, Told)>) -> Result<()> {
        self.wire.flush()?;
        while let Some(text) = self.wire.receive()? {
            self.handle(&serde_json::from_str(&text)?, told)?;
        }
        Ok(())
    }
}
