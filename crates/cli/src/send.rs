//! `peerway send`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use peerway_server::clock;
use peerway_server::config::Millis;

use crate::peering::{self, Exit, Failure, Interrupt, PeerArgs, PublicArgs, Target};
use crate::transfer::{Contact, Offer, Sources, Way, gather, send};

#[derive(Debug, Args)]
pub(crate) struct SendArgs {
    /// Files and folders; - is the standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Who gets them: an id, or the link that `peerway receive` shows. Without it we wait for
    /// somebody to fetch them
    #[arg(long, value_name = "ID")]
    to: Option<Target>,
    /// What the standard input arrives as
    #[arg(long, value_name = "NAME", default_value = "stdin")]
    name: String,
    /// How long to try when the connection is lost
    #[arg(long, value_name = "DURATION", default_value = "2m")]
    retry: Millis,
    #[command(flatten)]
    public: PublicArgs,
    #[command(flatten)]
    peer: PeerArgs,
}

pub(crate) fn run(args: SendArgs) -> ExitCode {
    let log = args.peer.log().map(str::to_owned);
    peering::run(log.as_deref(), run_send(args))
}

async fn run_send(args: SendArgs) -> Result<Exit, Failure> {
    let console = args.peer.console(false);
    let gathered = gather(&args.files, &args.name)
        .map_err(|error| Failure::new(Exit::Failed, error.to_string()))?;
    for left_out in &gathered.left_out {
        console.line(format!("left out: {left_out}"));
    }
    let mut interrupt = Interrupt::listen()?;
    let peer = tokio::select! {
        peer = args.peer.open(args.to.as_ref()) => peer?,
        () = interrupt.wanted() => return Err(Failure::new(Exit::Interrupted, "stopped")),
    };
    let (way, first) = if let Some(target) = &args.to {
        let patience = args.peer.patience(Duration::from_secs(30));
        (Way::Call(target.id().to_owned()), Some(patience))
    } else {
        args.peer.announce(&args.public, &peer.id().unwrap_or_default(), &console);
        (Way::Wait { from: None }, args.peer.patience_if_any())
    };
    let offer = Offer {
        transfer: format!("{:032x}", u128::from_be_bytes(clock::random())),
        resume: true,
        entries: gathered.list.iter().map(|(_, entry)| entry.clone()).collect(),
    };
    let mut contact = Contact::new(peer, way, first, args.retry.0);
    let sources = Sources::new(gathered.list);
    let ended = send(&mut contact, sources, offer, args.retry.0, console, &mut interrupt).await;
    contact.leave().await;
    ended
}
