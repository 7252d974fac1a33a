//! A Rust peer that does what `data.sh` tells it: one line of JSON on standard input is one command,
//! one line on standard output its reply, in order. It ends with its standard input.

mod meter;

use std::io::{BufRead, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use peerway::{ConnectOptions, DataConnection, DataEvent, Peer, PeerEvent, PeerOptions};
use peerway::{Serialization, Value};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use self::meter::{Arrival, Meter};

/// Connections that are begun before the first of them has to be open.
const AT_ONCE: usize = 8;

/// What a connection that was closed leaves to do is not to slow down the next one.
const PAUSE: Duration = Duration::from_millis(50);

const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
enum Command {
    Open {
        server: String,
        id: String,
    },
    /// Connects and closes so many times and tells how long each took to open, in ms.
    Dial {
        peer: String,
        count: usize,
    },
    /// Opens so many connections and keeps them.
    Hold {
        peer: String,
        count: usize,
    },
    /// How many connections there are.
    Links,
    /// Begins to count so many bytes.
    Expect {
        bytes: usize,
    },
    /// Waits until they have come and tells how long they took.
    Receive,
    /// Sends so many bytes over the connection that is kept, in messages of this size.
    Send {
        bytes: usize,
        size: usize,
    },
}

#[derive(Default)]
struct Side {
    peer: Option<Peer>,
    held: Vec<DataConnection>,
    meter: Arc<Meter>,
    arrival: Option<oneshot::Receiver<Arrival>>,
}

#[tokio::main]
async fn main() -> Result<()> {
    rlimit::increase_nofile_limit(u64::MAX).context("cannot raise the limit of open files")?;
    let mut side = Side::default();
    let (lines, mut commands) = mpsc::channel(1);
    std::thread::spawn(move || -> Result<()> {
        for line in std::io::stdin().lock().lines() {
            lines.blocking_send(line?)?;
        }
        Ok(())
    });
    while let Some(line) = commands.recv().await {
        let reply = match side.obey(serde_json::from_str(&line)?).await {
            Ok(result) => json!({ "result": result }),
            Err(error) => json!({ "error": format!("{error:#}") }),
        };
        writeln!(std::io::stdout().lock(), "{reply}")?;
    }
    Ok(())
}

impl Side {
    async fn obey(&mut self, command: Command) -> Result<Json> {
        match command {
            Command::Open { server, id } => {
                let options = PeerOptions::at(&server)?.id(id).loopback(true).ice_servers([]);
                let peer = Peer::open(options).await?;
                tokio::spawn(welcome(peer.clone(), Arc::clone(&self.meter)));
                self.peer = Some(peer);
                Ok(Json::Null)
            }
            Command::Dial { peer, count } => self.dial(&peer, count).await,
            Command::Hold { peer, count } => self.hold(&peer, count).await,
            Command::Links => Ok(json!(self.peer()?.connections().len())),
            Command::Expect { bytes } => {
                self.arrival = Some(self.meter.expect(bytes));
                Ok(Json::Null)
            }
            Command::Receive => {
                let arrival = self.arrival.take().context("nothing is expected")?.await?;
                Ok(json!({ "bytes": arrival.bytes, "seconds": arrival.time.as_secs_f64() }))
            }
            Command::Send { bytes, size } => self.send(bytes, size).await,
        }
    }

    async fn dial(&self, peer: &str, count: usize) -> Result<Json> {
        let mut times = Vec::new();
        for _ in 0..count {
            let start = now();
            let connection = self.peer()?.connect(peer, options())?;
            tokio::time::timeout(PATIENCE, connection.opened()).await??;
            times.push((now() - start).as_secs_f64() * 1000.0);
            connection.close();
            while connection.next_event().await.is_some() {}
            tokio::time::sleep(PAUSE).await;
        }
        Ok(json!(times))
    }

    async fn hold(&mut self, peer: &str, count: usize) -> Result<Json> {
        while self.held.len() < count {
            let mut opening = JoinSet::new();
            for _ in 0..AT_ONCE.min(count - self.held.len()) {
                let connection = self.peer()?.connect(peer, options())?;
                self.held.push(connection.clone());
                opening.spawn(async move { connection.opened().await });
            }
            while let Some(opened) = tokio::time::timeout(PATIENCE, opening.join_next()).await? {
                opened??;
            }
        }
        Ok(Json::Null)
    }

    async fn send(&self, bytes: usize, size: usize) -> Result<Json> {
        let [connection] = &self.held[..] else { bail!("this takes one connection") };
        let message = Value::from(vec![0x5a_u8; size]);
        for _ in 0..bytes / size {
            connection.send(message.clone()).await?;
        }
        Ok(Json::Null)
    }

    fn peer(&self) -> Result<&Peer> {
        self.peer.as_ref().context("there is no peer yet")
    }
}

/// Keeps whatever connects until it closes, and counts what arrives.
async fn welcome(peer: Peer, meter: Arc<Meter>) {
    while let Some(event) = peer.next_event().await {
        if let PeerEvent::Connection(connection) = event {
            let meter = Arc::clone(&meter);
            tokio::spawn(async move {
                while let Some(event) = connection.next_event().await {
                    if let DataEvent::Data(Value::Bytes(bytes)) = event {
                        meter.count(now(), bytes.len());
                    }
                }
            });
        }
    }
}

fn options() -> ConnectOptions {
    ConnectOptions::new().serialization(Serialization::Raw).reliable(true)
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
fn now() -> Instant {
    Instant::now()
}
