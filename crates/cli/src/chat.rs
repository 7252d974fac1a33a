//! `peerway chat`: lines to and from other peers, each a string on a data connection.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use peerway::{
    ConnectOptions, ConnectionError, DataConnection, DataEvent, Peer, PeerErrorKind, PeerEvent,
    Serialization, Value,
};
use serde_json::json;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use crate::peering::{
    self, Console, Exit, Failure, Interrupt, PeerArgs, PublicArgs, Target, described, printable,
    typed,
};

/// Longest line that is shown.
const LINE: usize = 10_000;
/// Lines that wait for somebody who does not take them.
const WAITING: usize = 64;
/// Most connections at a time.
const MOST: usize = 64;
/// What is under way at the end may take so long.
const FAREWELL: Duration = Duration::from_secs(6);

#[derive(Debug, Args)]
pub(crate) struct ChatArgs {
    /// Whom to talk to: an id, or a link. Without it we wait for others to come
    #[arg(value_name = "ID")]
    with: Option<Target>,
    /// How lines are sent: binary, json, raw, MsgPack
    #[arg(long, default_value = "binary", value_name = "NAME", value_parser = serialization)]
    serialization: Serialization,
    #[command(flatten)]
    public: PublicArgs,
    #[command(flatten)]
    peer: PeerArgs,
}

fn serialization(name: &str) -> Result<Serialization, String> {
    Serialization::announced(Some(name)).map_err(|error| error.to_string())
}

pub(crate) fn run(args: ChatArgs) -> ExitCode {
    let log = args.peer.log().map(str::to_owned);
    peering::run(log.as_deref(), run_chat(args))
}

async fn run_chat(args: ChatArgs) -> Result<Exit, Failure> {
    let console = args.peer.console(false);
    let mut interrupt = Interrupt::listen()?;
    let peer = tokio::select! {
        peer = args.peer.open(args.with.as_ref()) => peer?,
        () = interrupt.wanted() => return Err(Failure::new(Exit::Interrupted, "stopped")),
    };
    let (told, heard) = mpsc::channel(WAITING);
    let mut chat = Chat { console, told, guests: BTreeMap::new(), called: None, why: None };
    if let Some(target) = &args.with {
        let options = ConnectOptions::new().serialization(args.serialization).reliable(true);
        let connection = peer.connect(target.id(), options)?;
        chat.called = Some(connection.id().to_owned());
        let patience = args.peer.patience(Duration::from_secs(30));
        chat.welcome(connection, Some(patience));
    } else {
        let id = peer.id().unwrap_or_default();
        args.peer.announce(&args.public, &id, &chat.console);
    }
    let ended = chat.run(&peer, heard, &mut interrupt).await;
    chat.farewell().await;
    peer.destroy();
    peer.destroyed().await;
    ended
}

struct Chat {
    console: Console,
    told: mpsc::Sender<(String, Happening)>,
    guests: BTreeMap<String, Guest>,
    /// The connection that we made; when it ends, so does the chat.
    called: Option<String>,
    /// What went wrong with it.
    why: Option<Failure>,
}

/// Somebody at the other end of a connection.
struct Guest {
    peer: String,
    open: bool,
    lines: mpsc::Sender<String>,
    task: tokio::task::JoinHandle<()>,
}

enum Happening {
    Open,
    Value(Value),
    Error(ConnectionError),
    Close,
}

impl Chat {
    async fn run(
        &mut self,
        peer: &Peer,
        mut heard: mpsc::Receiver<(String, Happening)>,
        interrupt: &mut Interrupt,
    ) -> Result<Exit, Failure> {
        // Nothing is read before somebody can hear it.
        let mut lines: Option<mpsc::Receiver<String>> = None;
        loop {
            let line = async {
                match &mut lines {
                    Some(lines) => lines.recv().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                line = line => match line {
                    Some(line) => self.say(&line),
                    None => return Ok(Exit::Success),
                },
                Some((id, happening)) = heard.recv() => {
                    let ours = self.called.as_ref() == Some(&id);
                    match happening {
                        Happening::Open => lines = Some(lines.unwrap_or_else(typed)),
                        Happening::Close if ours => {
                            self.handle(&id, Happening::Close);
                            return self.why.take().map_or(Ok(Exit::Success), Err);
                        }
                        Happening::Error(ref error) if ours => self.why = Some(error.clone().into()),
                        _ => {}
                    }
                    self.handle(&id, happening);
                }
                event = peer.next_event() => match event {
                    Some(PeerEvent::Connection(connection)) => {
                        if self.guests.len() < MOST {
                            self.welcome(connection, None);
                        }
                    }
                    Some(PeerEvent::Error(error)) => {
                        if error.kind() != PeerErrorKind::PeerUnavailable {
                            self.console.line(format!("* {error}"));
                        }
                    }
                    Some(PeerEvent::Close) | None => {
                        return Err(Failure::new(Exit::Unreachable, "the server does not know us any more"));
                    }
                    Some(_) => {}
                },
                () = interrupt.wanted() => return Ok(Exit::Interrupted),
            }
        }
    }

    fn welcome(&mut self, connection: DataConnection, patience: Option<Duration>) {
        let (lines, said) = mpsc::channel(WAITING);
        let id = connection.id().to_owned();
        let peer = printable(connection.peer(), 100);
        let told = self.told.clone();
        let task = tokio::spawn(converse(connection, said, told, patience));
        self.guests.insert(id, Guest { peer, open: false, lines, task });
    }

    /// To everybody.
    fn say(&self, line: &str) {
        for guest in self.guests.values().filter(|guest| guest.open) {
            if let Err(TrySendError::Full(_)) = guest.lines.try_send(line.to_owned()) {
                let text = format!("* {} does not keep up and misses a line", guest.peer);
                self.console.line(text);
            }
        }
    }

    fn handle(&mut self, id: &str, happening: Happening) {
        let Some(guest) = self.guests.get_mut(id) else { return };
        let peer = guest.peer.clone();
        match happening {
            Happening::Open => {
                guest.open = true;
                let line = format!("* {peer} is here");
                self.console.tell("connection", json!({ "peer": peer }), line);
            }
            Happening::Value(value) => self.show(&peer, &value),
            Happening::Error(error) => {
                let members = json!({ "peer": peer, "message": error.message });
                self.console.tell("error", members, format!("* {peer}: {}", error.message));
            }
            Happening::Close => {
                let was_open = guest.open;
                self.guests.remove(id);
                if was_open {
                    let line = format!("* {peer} is gone");
                    self.console.tell("close", json!({ "peer": peer }), line);
                }
            }
        }
    }

    fn show(&self, peer: &str, value: &Value) {
        if self.console.is_json() {
            let text = match value {
                Value::Text(text) => text.clone(),
                other => described(other, LINE),
            };
            return self.console.tell("message", json!({ "peer": peer, "text": text }), "");
        }
        match value {
            Value::Text(text) if !text.is_empty() => {
                for line in text.lines() {
                    Console::output(format!("{peer}: {}", printable(line, LINE)));
                }
            }
            other => Console::output(format!("{peer}: {}", described(other, LINE))),
        }
    }

    /// Lets what was typed arrive.
    async fn farewell(self) {
        let tasks: Vec<_> = self.guests.into_values().map(|guest| guest.task).collect();
        drop(self.told);
        let all = async {
            for task in tasks {
                let _ = task.await;
            }
        };
        let _ = tokio::time::timeout(FAREWELL, all).await;
    }
}

/// One connection, until it ends or nothing more is to be said. `patience`: how long it may take
/// to open.
async fn converse(
    connection: DataConnection,
    mut lines: mpsc::Receiver<String>,
    told: mpsc::Sender<(String, Happening)>,
    patience: Option<Duration>,
) {
    let own = connection.clone();
    let writing = tokio::spawn(async move {
        while let Some(line) = lines.recv().await {
            if own.send(line).await.is_err() {
                break;
            }
        }
        own.close();
    });
    let late = async {
        match patience {
            Some(patience) => tokio::time::sleep(patience).await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(late);
    loop {
        let event = tokio::select! {
            event = connection.next_event() => event,
            () = &mut late, if !connection.is_open() => {
                connection.close();
                continue;
            }
        };
        let happening = match event {
            Some(DataEvent::Open) => Happening::Open,
            Some(DataEvent::Data(value)) => Happening::Value(value),
            Some(DataEvent::Error(error)) => Happening::Error(error),
            Some(DataEvent::Close) | None => Happening::Close,
            Some(_) => continue,
        };
        let over = matches!(happening, Happening::Close);
        let _ = told.send((connection.id().to_owned(), happening)).await;
        if over {
            break;
        }
    }
    writing.abort();
}
