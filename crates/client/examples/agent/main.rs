//! A peer that does what it is told, for the browser tests of `e2e`.
//!
//! Commands come as lines of JSON on standard input, each with a number: `{"seq": 1, "do": "open",
//! "server": "http://localhost:9000/"}`. What happens goes to standard output, a line each: events
//! (`{"event": "data", "link": 0, "detail": "hello"}`) and one reply per command
//! (`{"reply": 1, "result": {"id": "ann"}}` or `{"reply": 1, "error": "..."}`). The agent ends with
//! its standard input. `RUST_LOG` asks for a log on standard error.

mod command;
mod links;
mod values;

use std::io::{BufRead, Write};
use std::sync::{Arc, OnceLock};

use peerway::{Peer, PeerEvent};
use serde_json::{Value as Json, json};
use tokio::sync::mpsc;

use self::command::{Command, Line, Media, Open, Source};
use self::links::{Links, locked};

#[derive(Clone, Default)]
struct Agent {
    peer: Arc<OnceLock<Peer>>,
    links: Links,
}

#[tokio::main]
async fn main() {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .init();
    let agent = Agent::default();
    let mut lines = lines();
    while let Some(line) = lines.recv().await {
        let Line { seq, command } = match serde_json::from_str(&line) {
            Ok(line) => line,
            Err(error) => {
                say(&json!({ "event": "nonsense", "detail": error.to_string() }));
                continue;
            }
        };
        let agent = agent.clone();
        tokio::spawn(async move {
            say(&match agent.obey(command).await {
                Ok(result) => json!({ "reply": seq, "result": result }),
                Err(error) => json!({ "reply": seq, "error": error }),
            });
        });
    }
    if let Some(peer) = agent.peer.get() {
        peer.destroy();
        peer.destroyed().await;
    }
}

/// Standard input is read by a thread, which ends with the process.
fn lines() -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::channel(16);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            let Ok(line) = line else { return };
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    lines
}

/// Nobody listens any more when this fails, and the agent is about to end.
fn say(line: &Json) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

impl Agent {
    async fn obey(&self, command: Command) -> Result<Json, String> {
        match command {
            Command::Open(open) => self.open(open).await,
            Command::Connect(connect) => {
                let peer = self.peer()?;
                let other = connect.peer.clone();
                let connection = peer.connect(other, connect.options()?).map_err(words)?;
                Ok(json!({ "link": self.links.add_data(&connection), "id": connection.id() }))
            }
            Command::Call { peer, metadata, media } => {
                let connection =
                    self.peer()?.call(peer, media.options(metadata)?).map_err(words)?;
                let (link, _) = self.links.add_call(&connection, media.send);
                Ok(json!({ "link": link, "id": connection.id() }))
            }
            Command::Answer { link, media } => {
                let call = self.links.call(link)?;
                *locked(&call.sending) = media.send;
                Ok(json!(call.connection.answer(media.options(None)?)))
            }
            Command::Send { link, value } => {
                let connection = self.links.data(link)?;
                connection.send(values::revive(value)?).await.map_err(words)?;
                Ok(json!({ "buffered": connection.buffered() }))
            }
            Command::Close { link } => {
                self.links.of(link)?.close();
                Ok(Json::Null)
            }
            Command::Stats { link } => Ok(self.links.of(link)?.stats()),
            Command::Peers => Ok(json!(self.peer()?.list_all_peers().await.map_err(words)?)),
            Command::Disconnect => {
                self.peer()?.disconnect();
                Ok(Json::Null)
            }
            Command::Reconnect => {
                self.peer()?.reconnect().map_err(words)?;
                Ok(Json::Null)
            }
            Command::Destroy => {
                self.peer()?.destroy();
                Ok(Json::Null)
            }
        }
    }

    async fn open(&self, open: Open) -> Result<Json, String> {
        let peer = Peer::new(open.options().map_err(words)?).map_err(words)?;
        if self.peer.set(peer.clone()).is_err() {
            return Err("the agent is a peer already".into());
        }
        tokio::spawn(follow(peer.clone(), self.links.clone(), open.answer));
        peer.opened().await.map_err(words)?;
        Ok(json!({ "id": peer.id() }))
    }

    fn peer(&self) -> Result<&Peer, String> {
        self.peer.get().ok_or_else(|| "the agent is no peer yet".into())
    }
}

async fn follow(peer: Peer, links: Links, answer: Option<Media>) {
    while let Some(event) = peer.next_event().await {
        match event {
            PeerEvent::Open { id } => tell("open", &id),
            PeerEvent::Connection(connection) => {
                links.add_data(&connection);
            }
            PeerEvent::Call(connection) => {
                let source = answer.as_ref().map_or(Source::Nothing, |answer| answer.send);
                links.add_call(&connection, source);
                if let Some(Ok(options)) = answer.as_ref().map(|answer| answer.options(None)) {
                    connection.answer(options);
                }
            }
            PeerEvent::Disconnected { id } => tell("disconnected", &id),
            PeerEvent::Reconnected { id } => tell("reconnected", &id),
            PeerEvent::Error(error) => {
                let kind = error.kind().as_str();
                say(&json!({ "event": "error", "detail": kind, "message": error.message() }));
            }
            PeerEvent::Close => tell("close", ""),
            other => tell("other", &format!("{other:?}")),
        }
    }
}

fn tell(event: &str, detail: &str) {
    say(&json!({ "event": event, "detail": detail }));
}

fn words(error: impl std::fmt::Display) -> String {
    error.to_string()
}
