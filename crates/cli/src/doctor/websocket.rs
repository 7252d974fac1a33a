//! Does a `PeerJS` client get its OPEN?

use std::net::SocketAddr;

use futures_util::StreamExt;
use peerway_server::clock;
use serde::Deserialize;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::header::{HeaderValue, ORIGIN};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::Doctor;
use super::fault::Fault;
use super::net::{BoxIo, in_millis};
use super::report::Finding;

/// Why there is no OPEN.
enum Obstacle {
    Fault(Fault),
    /// The upgrade was answered with something else.
    Status(u16),
    /// A frame that says why.
    Frame {
        kind: String,
        message: String,
    },
}

impl From<Fault> for Obstacle {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl Doctor {
    pub(super) async fn examine_web_socket(&self, address: SocketAddr) -> Finding {
        let subject = format!("WebSocket {address}");
        let started = clock::now();
        let obstacle = match self.open(address).await {
            Ok(()) => {
                let time = in_millis(started.elapsed());
                return Finding::ok(subject, format!("a peer is open ({time})"));
            }
            Err(obstacle) => obstacle,
        };
        match obstacle {
            Obstacle::Fault(fault) => fault.finding(subject, address, self.http_door()),
            Obstacle::Status(status) => {
                let told = format!("the answer is {status} instead of 101");
                Finding::fail(subject, told, remedy_of_status(status))
            }
            Obstacle::Frame { kind, message } => {
                let told = format!("the server says {kind}: {message}");
                Finding::fail(subject, told, remedy_of_frame(&kind, &message))
            }
        }
    }

    /// Waits until the server has opened a peer of ours.
    async fn open(&self, address: SocketAddr) -> Result<(), Obstacle> {
        let deadline = self.deadline();
        let io = self.connect(address, deadline).await?;
        let handshake = async { Ok(self.upgrade(io).await) };
        let mut socket = deadline.limit(Fault::Silent, handshake).await??;
        let first = deadline.limit(Fault::Silent, first_frame(&mut socket)).await?;
        if first.kind != "OPEN" {
            return Err(Obstacle::Frame { kind: first.kind, message: first.payload.msg });
        }
        // The peer ends with the connection in any case.
        let _ = deadline.limit(Fault::Silent, async { Ok(socket.close(None).await) }).await;
        Ok(())
    }

    async fn upgrade(&self, io: BoxIo) -> Result<WebSocketStream<BoxIo>, Obstacle> {
        let scheme = if self.server.secure { "wss" } else { "ws" };
        let (authority, path) = (&self.server.authority, &self.server.path);
        let url = format!("{scheme}://{authority}{path}peerjs?{}&version=1.5.5", self.query());
        let garbled = |error: &dyn std::fmt::Display| Fault::Garbled(error.to_string());
        let mut request = url.into_client_request().map_err(|error| garbled(&error))?;
        if let Some(origin) = &self.origin {
            let origin = HeaderValue::from_str(origin).map_err(|error| garbled(&error))?;
            request.headers_mut().insert(ORIGIN, origin);
        }
        match tokio_tungstenite::client_async(request, io).await {
            Ok((socket, _)) => Ok(socket),
            Err(Error::Http(answer)) => Err(Obstacle::Status(answer.status().as_u16())),
            Err(error) => Err(garbled(&error).into()),
        }
    }
}

#[derive(Deserialize)]
struct Frame {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    payload: Payload,
}

#[derive(Default, Deserialize)]
struct Payload {
    #[serde(default)]
    msg: String,
}

async fn first_frame(socket: &mut WebSocketStream<BoxIo>) -> Result<Frame, Fault> {
    while let Some(message) = socket.next().await {
        match message.map_err(|error| Fault::Broken(error.to_string()))? {
            Message::Text(text) => {
                return serde_json::from_str(&text)
                    .map_err(|_| Fault::Garbled(format!("the first message is {text}")));
            }
            Message::Close(_) => break,
            _ => {}
        }
    }
    Err(Fault::Broken("it was closed by the other side".into()))
}

fn remedy_of_status(status: u16) -> &'static str {
    match status {
        404 => "Give doctor the URL with the server's path (its setting `path`).",
        502..=504 => "The proxy in front does not reach the server: see that the server runs.",
        _ => {
            "A proxy in front must pass WebSocket upgrades; nginx wants proxy_http_version 1.1, \
             proxy_set_header Upgrade $http_upgrade and proxy_set_header Connection \"upgrade\"."
        }
    }
}

fn remedy_of_frame(kind: &str, message: &str) -> &'static str {
    match kind {
        "INVALID-KEY" if message.starts_with("Origin") => {
            "Only pages of the app's `origins` may use it: give one with --origin \
             https://your.page, or add yours there."
        }
        "INVALID-KEY" => {
            "Give one of the server's app keys with --key, or add this one (`key` or [[app]])."
        }
        "ID-TAKEN" => "Another peer has this id: give another one with --id and --token.",
        _ if message.starts_with("Token") => {
            "The app wants signed ids: give one with --id and --token (peerway token makes it)."
        }
        _ => "See the log of the server.",
    }
}

#[cfg(test)]
mod tests {
    use peerway_protocol::Refusal;

    use super::*;

    #[test]
    fn error_frames_have_remedies() {
        for (kind, refusal, part) in [
            ("INVALID-KEY", Refusal::UnknownKey, "--key"),
            ("INVALID-KEY", Refusal::OriginNotAllowed("(none)".into()), "--origin"),
            ("ID-TAKEN", Refusal::IdTaken, "--id"),
            ("ERROR", Refusal::TokenRefused("it expired".into()), "--token"),
            ("ERROR", Refusal::Incomplete, "log"),
        ] {
            let remedy = remedy_of_frame(kind, &refusal.to_string());
            assert!(remedy.contains(part), "{refusal}: {remedy}");
        }
        assert!(remedy_of_status(400).contains("nginx"));
    }
}
