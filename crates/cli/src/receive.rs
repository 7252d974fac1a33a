//! `peerway receive`.

use std::path::PathBuf;
use std::process::ExitCode;

use bytesize::ByteSize;
use clap::Args;
use peerway_server::config::Millis;

use crate::peering::{self, Exit, Failure, Interrupt, PeerArgs, PublicArgs};
use crate::transfer::{Consent, Contact, Folder, Reception, STDIN, Stdout, Store, Way, receive};

#[derive(Debug, Args)]
pub(crate) struct ReceiveArgs {
    /// Where to put what comes; - is the standard output, for one file
    #[arg(default_value = ".", value_name = "FOLDER")]
    folder: PathBuf,
    /// Take everything without asking; without a terminal nobody is asked anyway
    #[arg(long, short = 'y')]
    yes: bool,
    /// Replace files that are there
    #[arg(long, visible_alias = "overwrite")]
    force: bool,
    /// Take files from this id only
    #[arg(long, value_name = "ID")]
    from: Option<String>,
    /// Most bytes of a transfer: "10GB"
    #[arg(long, value_name = "SIZE")]
    limit: Option<ByteSize>,
    /// Go on waiting after a transfer
    #[arg(long)]
    keep: bool,
    /// How long to wait when the connection is lost
    #[arg(long, value_name = "DURATION", default_value = "2m")]
    retry: Millis,
    #[command(flatten)]
    public: PublicArgs,
    #[command(flatten)]
    peer: PeerArgs,
}

pub(crate) fn run(args: ReceiveArgs) -> ExitCode {
    let log = args.peer.log().map(str::to_owned);
    peering::run(log.as_deref(), run_receive(args))
}

async fn run_receive(args: ReceiveArgs) -> Result<Exit, Failure> {
    let to_stdout = args.folder.as_os_str() == STDIN;
    let console = args.peer.console(to_stdout);
    if !to_stdout && !args.folder.is_dir() {
        let text = format!("{} is no folder", args.folder.display());
        return Err(Failure::new(Exit::Failed, text));
    }
    let mut interrupt = Interrupt::listen()?;
    let peer = tokio::select! {
        peer = args.peer.open(None) => peer?,
        () = interrupt.wanted() => return Err(Failure::new(Exit::Interrupted, "stopped")),
    };
    args.peer.announce(&args.public, &peer.id().unwrap_or_default(), &console);
    let (folder, force) = (args.folder, args.force);
    let store = move || -> Box<dyn Store> {
        if to_stdout {
            Box::new(Stdout::new())
        } else {
            Box::new(Folder::new(folder.clone(), force))
        }
    };
    let mut reception = Reception {
        store: Box::new(store),
        consent: Consent::new(args.yes),
        limit: args.limit.map(|limit| limit.as_u64()),
        patience: args.retry.0,
        console: console.clone(),
    };
    let first = args.peer.patience_if_any();
    let way = Way::Wait { from: args.from };
    let mut contact = Contact::new(peer, way, first, args.retry.0);
    let ended = loop {
        let ended = receive(&mut contact, &mut reception, &mut interrupt).await;
        match &ended {
            _ if !args.keep => break ended,
            Err(failure) if matches!(failure.exit, Exit::Interrupted | Exit::Unreachable) => {
                break ended;
            }
            Err(failure) => console.line(format!("{failure}")),
            Ok(_) => {}
        }
        contact.no_hurry();
    };
    contact.leave().await;
    ended
}
