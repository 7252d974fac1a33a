//! `peerway listen`: somebody to try a page with, who answers calls and sends everything back.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use clap::Args;
use peerway::{
    CallOptions, DataConnection, DataEvent, LocalTrack, MediaConnection, MediaEvent,
    MediaSelection, Peer, PeerEvent, RemoteTrack, TrackRequest, Value,
};
use peerway_server::clock;
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::peering::{
    self, Console, Exit, Failure, Interrupt, PeerArgs, PublicArgs, described, printable, told_stats,
};

/// Connections and calls at a time.
const MOST: usize = 256;
/// Longest description of a value.
const LINE: usize = 500;

#[derive(Debug, Args)]
pub(crate) struct ListenArgs {
    /// Send back every value, and the sound and pictures of calls
    #[arg(long)]
    echo: bool,
    #[command(flatten)]
    public: PublicArgs,
    #[command(flatten)]
    peer: PeerArgs,
}

pub(crate) fn run(args: ListenArgs) -> ExitCode {
    let log = args.peer.log().map(str::to_owned);
    peering::run(log.as_deref(), run_listen(args))
}

async fn run_listen(args: ListenArgs) -> Result<Exit, Failure> {
    let console = args.peer.console(false);
    let mut interrupt = Interrupt::listen()?;
    let peer = tokio::select! {
        peer = args.peer.open(None) => peer?,
        () = interrupt.wanted() => return Err(Failure::new(Exit::Interrupted, "stopped")),
    };
    args.peer.announce(&args.public, &peer.id().unwrap_or_default(), &console);
    let mut guests = JoinSet::new();
    let ended = listen(&peer, args.echo, &console, &mut interrupt, &mut guests).await;
    guests.shutdown().await;
    peer.destroy();
    peer.destroyed().await;
    ended
}

async fn listen(
    peer: &Peer,
    echo: bool,
    console: &Console,
    interrupt: &mut Interrupt,
    guests: &mut JoinSet<()>,
) -> Result<Exit, Failure> {
    let room = Arc::new(Semaphore::new(MOST));
    loop {
        tokio::select! {
            event = peer.next_event() => match event {
                Some(PeerEvent::Connection(connection)) => {
                    // Dropped when there is no room, which closes it.
                    if let Ok(place) = room.clone().try_acquire_owned() {
                        let console = console.clone();
                        guests.spawn(async move {
                            attend(connection, echo, &console).await;
                            drop(place);
                        });
                    }
                }
                Some(PeerEvent::Call(call)) => {
                    if let Ok(place) = room.clone().try_acquire_owned() {
                        let console = console.clone();
                        guests.spawn(async move {
                            answer(call, echo, &console).await;
                            drop(place);
                        });
                    }
                }
                Some(PeerEvent::Disconnected { .. }) => {
                    console.tell("disconnected", json!({}), "The server is lost; coming back to it.");
                }
                Some(PeerEvent::Reconnected { id }) => {
                    console.tell("reconnected", json!({ "id": id }), "The server is back.");
                }
                Some(PeerEvent::Close) | None => {
                    return Err(Failure::new(Exit::Unreachable, "the server does not know us any more"));
                }
                Some(_) => {}
            },
            Some(_) = guests.join_next() => {}
            () = interrupt.wanted() => return Ok(Exit::Interrupted),
        }
    }
}

/// One data connection to its end.
async fn attend(connection: DataConnection, echo: bool, console: &Console) {
    let peer = printable(connection.peer(), 100);
    let serialization = connection.serialization().as_str();
    let (mut count, started) = (0_u64, clock::now());
    while let Some(event) = connection.next_event().await {
        match event {
            DataEvent::Open => {
                let members = json!({
                    "peer": peer, "label": connection.label(), "serialization": serialization,
                });
                let line = format!("{peer} is connected ({serialization})");
                console.tell("connection", members, line);
            }
            DataEvent::Data(value) => {
                count += 1;
                if !echo {
                    show(&peer, &value, console);
                } else if let Err(error) = connection.send(value).await {
                    console.line(format!("{peer}: cannot send it back: {}", error.message));
                }
            }
            DataEvent::Error(error) => console.line(format!("{peer}: {}", error.message)),
            DataEvent::Close => break,
            _ => {}
        }
    }
    let members = json!({ "peer": peer, "values": count, "seconds": since(started) });
    console.tell("close", members, format!("{peer} is gone after {count} values"));
}

fn show(peer: &str, value: &Value, console: &Console) {
    let line = described(value, LINE);
    console.tell("data", json!({ "peer": peer, "text": line }), format!("{peer}: {line}"));
}

/// One call to its end.
async fn answer(call: MediaConnection, echo: bool, console: &Console) {
    let peer = printable(call.peer(), 100);
    let started = clock::now();
    console.tell("call", json!({ "peer": peer }), format!("{peer} calls"));
    let send = if echo { MediaSelection::BOTH } else { MediaSelection::NONE };
    call.answer(CallOptions::new().send(send));
    let (mut local, mut remote) = (Vec::<LocalTrack>::new(), Vec::<RemoteTrack>::new());
    let mut mirrors = JoinSet::new();
    while let Some(event) = call.next_event().await {
        match event {
            MediaEvent::LocalTrack(track) => local.push(track),
            MediaEvent::RemoteTrack(track) => remote.push(track),
            MediaEvent::Open => {
                let line = format!("{peer} is in a call");
                console.tell("answered", json!({ "peer": peer }), line);
            }
            MediaEvent::Error(error) => console.line(format!("{peer}: {}", error.message)),
            MediaEvent::Close => break,
            _ => {}
        }
        // Each pair once both halves are known; who comes without a partner is only taken.
        while let Some((to, from)) = pair(&mut local, &mut remote) {
            mirrors.spawn(mirror(from, Some(to)));
        }
        if !echo {
            for track in remote.drain(..) {
                mirrors.spawn(mirror(track, None));
            }
        }
    }
    let stats = call.stats();
    mirrors.shutdown().await;
    let (members, lines) = told_stats(&stats, since(started));
    console.tell("hangup", members, format!("{peer} hung up\n{lines}"));
}

fn pair(
    local: &mut Vec<LocalTrack>,
    remote: &mut Vec<RemoteTrack>,
) -> Option<(LocalTrack, RemoteTrack)> {
    for (place, track) in local.iter().enumerate() {
        if let Some(partner) = remote.iter().position(|it| it.kind() == track.kind()) {
            return Some((local.swap_remove(place), remote.swap_remove(partner)));
        }
    }
    None
}

/// Sends what comes in one track out by another, or nowhere.
async fn mirror(from: RemoteTrack, to: Option<LocalTrack>) {
    let requests = async {
        while let Some(to) = &to {
            match to.next_request().await {
                Some(TrackRequest::KeyFrame) => from.request_key_frame(),
                Some(_) => {}
                None => break,
            }
        }
        std::future::pending::<()>().await;
    };
    let frames = async {
        while let Some(frame) = from.next_frame().await {
            if let Some(to) = &to
                && to.codecs().contains(&frame.codec)
                && let Err(error) = to.send_frame(frame).await
            {
                tracing::debug!(%error, "a frame is not sent back");
            }
        }
    };
    tokio::select! {
        () = requests => {}
        () = frames => {}
    }
}

fn since(started: Instant) -> f64 {
    clock::now().duration_since(started).as_secs_f64()
}
