//! `peerway token`: signs an id, as an app's own backend would.

use anyhow::{Context as _, Result, ensure};
use clap::{Args, Subcommand};
use peerway_protocol::skyway::Credential;
use peerway_protocol::{AppKey, PeerId};
use peerway_server::auth::{sign_credential, sign_token};
use peerway_server::clock;
use peerway_server::config::Millis;
use serde_json::json;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct TokenArgs {
    #[command(subcommand)]
    form: Option<Form>,
    #[command(flatten)]
    signer: Signer,
    /// The id to sign, for the option token of PeerJS clients
    #[arg(long)]
    id: Option<PeerId>,
    /// How long the token may be used to connect: "1h", "30m"
    #[arg(long, default_value = "1h")]
    ttl: Millis,
}

/// Whom the signature is for.
#[derive(Debug, Subcommand)]
enum Form {
    /// The credential of a SkyWay client, as JSON for its option credential
    Skyway(SkyWayArgs),
}

#[derive(Debug, Args)]
struct SkyWayArgs {
    #[command(flatten)]
    signer: Signer,
    /// The id to sign
    #[arg(long, visible_alias = "id")]
    peer: PeerId,
    /// How long the peer may be connected: 10 minutes to 25 hours
    #[arg(long, default_value = "1h")]
    ttl: Millis,
}

#[derive(Debug, Args)]
struct Signer {
    /// App key
    #[arg(long, default_value = "peerjs")]
    key: AppKey,
    /// The app's secret
    #[arg(long, env = "PEERWAY_SECRET", hide_env_values = true)]
    secret: Option<String>,
}

impl Signer {
    fn secret(&self) -> Result<&str> {
        let secret = self.secret.as_deref().context("give the app's secret: PEERWAY_SECRET")?;
        ensure!(secret.len() >= 16, "the secret must have at least 16 characters");
        Ok(secret)
    }
}

pub(crate) fn run(args: &TokenArgs) -> Result<()> {
    if let Some(Form::Skyway(args)) = &args.form {
        return skyway(args);
    }
    let id = args.id.as_ref().context("give the id to sign: --id")?;
    let expiry = clock::unix_now() + args.ttl.0.as_secs();
    println!("{}", sign_token(args.signer.secret()?, &args.signer.key, id, expiry));
    Ok(())
}

fn skyway(args: &SkyWayArgs) -> Result<()> {
    let ttl = args.ttl.0.as_secs();
    ensure!(
        (Credential::MIN_TTL..=Credential::MAX_TTL).contains(&ttl),
        "--ttl must be {} to {} seconds, not {ttl}",
        Credential::MIN_TTL,
        Credential::MAX_TTL
    );
    let Credential { timestamp, ttl, auth_token } =
        sign_credential(args.signer.secret()?, &args.peer, clock::unix_now(), ttl);
    let credential = json!({
        "peerId": args.peer.as_str(),
        "timestamp": timestamp,
        "ttl": ttl,
        "authToken": auth_token,
    });
    println!("{credential}");
    Ok(())
}
