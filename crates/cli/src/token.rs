//! `peerway token`: signs an id, as an app's own backend would.

use anyhow::{Result, ensure};
use clap::Args;
use peerway_protocol::{AppKey, PeerId};
use peerway_server::auth::sign_token;
use peerway_server::config::Millis;

#[derive(Debug, Args)]
pub(crate) struct TokenArgs {
    /// App key
    #[arg(long, default_value = "peerjs")]
    key: AppKey,
    /// The id to sign
    #[arg(long)]
    id: PeerId,
    /// How long the token may be used to connect: "1h", "30m"
    #[arg(long, default_value = "1h")]
    ttl: Millis,
    /// The app's secret
    #[arg(long, env = "PEERWAY_SECRET", hide_env_values = true)]
    secret: String,
}

pub(crate) fn run(args: &TokenArgs) -> Result<()> {
    ensure!(args.secret.len() >= 16, "the secret must have at least 16 characters");
    let expiry = peerway_server::clock::unix_now() + args.ttl.0.as_secs();
    println!("{}", sign_token(&args.secret, &args.key, &args.id, expiry));
    Ok(())
}
