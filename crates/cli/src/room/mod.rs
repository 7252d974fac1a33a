//! `peerway room`: a member of a room without camera, microphone and screen.

mod record;
mod visit;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use peerway::media::TrackKind;
use peerway::{RoomMode, RoomOptions};
use peerway_server::clock;
use peerway_server::config::Millis;

use crate::call::Size;
use crate::peering::{self, Exit, Failure, Interrupt, PeerArgs};
use record::Recordings;
use visit::Visit;

/// The server may take so long to hear that we go.
const FAREWELL: Duration = Duration::from_secs(2);

/// Nobody stays longer, and clocks can count so far.
const DAY: Duration = Duration::from_hours(24);

#[derive(Debug, Args)]
pub(crate) struct RoomArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Join a room: show who is there and what is said, publish a test source, record what comes
    Join(JoinArgs),
}

#[derive(Debug, Args)]
struct JoinArgs {
    /// The room
    name: String,
    /// How media travels: through the server, or not at all by this command. The first member
    /// decides
    #[arg(long, value_enum, default_value = "sfu")]
    mode: Mode,
    /// Publish a moving picture with a frame number, and a tone
    #[arg(long, visible_alias = "test-source")]
    publish_test_source: bool,
    /// Size and pace of the test picture
    #[arg(
        long,
        default_value = "640x360@30",
        value_name = "WIDTHxHEIGHT@FPS",
        requires = "publish_test_source"
    )]
    size: Size,
    /// Record each publisher into a file of this folder, named after it: PEER.webm
    #[arg(long, value_name = "FOLDER")]
    record: Option<PathBuf>,
    /// Replace recordings that are there
    #[arg(long, visible_alias = "overwrite", requires = "record")]
    force: bool,
    /// Say this to the other members; can be given several times
    #[arg(long, value_name = "TEXT")]
    send: Vec<String>,
    /// Leave after this time; without it at Ctrl-C
    #[arg(long, value_name = "DURATION")]
    duration: Option<Millis>,
    #[command(flatten)]
    peer: PeerArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Mode {
    /// Media goes through the server
    Sfu,
    /// Members call each other: here only members, texts and the log
    Mesh,
}

impl From<Mode> for RoomMode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Sfu => Self::Sfu,
            Mode::Mesh => Self::Mesh,
        }
    }
}

pub(crate) fn run(args: RoomArgs) -> ExitCode {
    let Command::Join(args) = args.command;
    let log = args.peer.log().map(str::to_owned);
    peering::run(log.as_deref(), join(args))
}

async fn join(args: JoinArgs) -> Result<Exit, Failure> {
    let has_media = args.publish_test_source || args.record.is_some();
    if args.mode == Mode::Mesh && has_media {
        let text = "members of a mesh room call each other: use peerway call, or --mode sfu";
        return Err(Failure::new(Exit::Failed, text));
    }
    // Before anybody sees us.
    let recordings = match &args.record {
        Some(folder) => {
            std::fs::create_dir_all(folder).map_err(|error| {
                let text = format!("cannot record into {}: {error}", folder.display());
                Failure::new(Exit::Failed, text)
            })?;
            Some(Recordings::start(folder.clone(), args.force))
        }
        None => None,
    };
    let console = args.peer.console(false);
    let mut interrupt = Interrupt::listen()?;
    let peer = tokio::select! {
        peer = args.peer.open(None) => peer?,
        () = interrupt.wanted() => return Err(Failure::new(Exit::Interrupted, "stopped")),
    };
    let room = peer.join_room(&args.name, RoomOptions::new(args.mode.into()).receive(has_media))?;
    let patience = args.peer.patience(Duration::from_secs(30));
    tokio::select! {
        joined = tokio::time::timeout(patience, room.joined()) => {
            let Ok(joined) = joined else {
                let text = format!("not let into the room within {patience:?}");
                return Err(Failure::new(Exit::Unreachable, text));
            };
            joined.map_err(visit::failure)?;
        }
        () = interrupt.wanted() => return Err(Failure::new(Exit::Interrupted, "stopped")),
    }
    let deadline = args.duration.map(|duration| clock::now() + duration.0.min(DAY));
    let mut visit = Visit::new(console, room.clone(), peer.clone(), recordings);
    visit.announce();
    if args.publish_test_source {
        visit.publish(TrackKind::Video, args.size.0);
        visit.publish(TrackKind::Audio, args.size.0);
    }
    visit.say(args.send);
    let ended = visit.run(deadline, &mut interrupt).await;
    room.leave();
    let told = visit.end(ended).await;
    peer.destroy();
    peer.destroyed().await;
    told
}
