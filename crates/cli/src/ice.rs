//! `peerway ice`: a credential for the TURN server, as the server itself would give it.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Args;
use peerway_server::auth::Apps;
use peerway_server::turn::{Form, ice_servers};

use crate::serve;

#[derive(Debug, Args)]
pub(crate) struct IceArgs {
    /// TOML file with the server's settings, turn.secrets among them
    #[arg(long, env = "PEERWAY_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// App key, as in the client option `key`
    #[arg(long, short = 'k')]
    key: String,
    /// Host name in the URLs [default: turn.public_host, else turn.external_addresses]
    #[arg(long, short = 'H')]
    host: Option<String>,
    /// Make a user name without a colon, for clients that cannot have one (Skylink)
    #[arg(long)]
    dot: bool,
}

pub(crate) fn run(args: &IceArgs) -> Result<()> {
    let config = serve::layers(args.config.as_deref())?.finish()?;
    let apps = Apps::new(&config).map_err(anyhow::Error::msg)?;
    let Some(app) = apps.find(&args.key) else {
        let known: Vec<_> = apps.keys().collect();
        bail!("no app has the key '{}'; there is {}", args.key, known.join(", "));
    };
    let form = if args.dot { Form::Dot } else { Form::Colon };
    let servers = ice_servers(&config, form, app.key.as_str(), args.host.as_deref())?;
    let json = serde_json::to_string_pretty(&servers).context("cannot write JSON")?;
    println!("{json}");
    Ok(())
}
