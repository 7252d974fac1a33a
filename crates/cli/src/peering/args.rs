//! Arguments of all commands that are a peer.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use peerway::{IceTransportPolicy, Peer, PeerOptions};
use peerway_protocol::AppKey;
use peerway_server::config::Millis;
use serde_json::json;

use super::console::colors;
use super::{Console, Exit, Failure, Link, Target};

/// Nobody waits longer, and clocks can count so far.
const LONGEST_PATIENCE: Duration = Duration::from_hours(24 * 7);

#[derive(Debug, Args)]
pub(crate) struct PeerArgs {
    /// URL of the server, with its path
    #[arg(long, env = "PEERWAY_SERVER", default_value = "http://localhost:9000/",
          value_name = "URL", value_parser = server_url)]
    server: String,
    /// App key
    #[arg(long, short = 'k', default_value = "peerjs")]
    key: AppKey,
    /// The id to have; without it the server gives one that nobody can guess
    #[arg(long)]
    id: Option<String>,
    /// Token that signs the id, or under which it can be had again
    #[arg(long, env = "PEERWAY_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// PEM file with a certificate to trust, besides those of the operating system
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Origin to show, for an app that has origins: "https://example.com"
    #[arg(long, value_name = "ORIGIN")]
    origin: Option<String>,
    /// Connect through a TURN server only, so that the other side does not see our addresses
    #[arg(long)]
    relay_only: bool,
    /// How long to wait for the other peer to come and to connect
    #[arg(long, value_name = "DURATION")]
    timeout: Option<Millis>,
    /// One JSON object per line on stdout, for scripts
    #[arg(long)]
    json: bool,
    /// What to log on stderr, as in RUST_LOG: "debug", "peerway=trace"
    #[arg(long, value_name = "FILTER")]
    log: Option<String>,
}

/// Of the commands that wait for somebody to come.
#[derive(Debug, Args)]
pub(crate) struct PublicArgs {
    /// Show a QR code of the link
    #[arg(long)]
    qr: bool,
    /// The page that the link leads to; the id stands behind its '#' [default: the server]
    #[arg(long, value_name = "URL")]
    page: Option<String>,
}

fn server_url(text: &str) -> Result<String, String> {
    PeerOptions::at(text).map(|_| text.to_owned()).map_err(|error| error.to_string())
}

impl PeerArgs {
    /// What the libraries may log.
    pub(crate) fn log(&self) -> Option<&str> {
        self.log.as_deref()
    }

    pub(crate) fn console(&self, stdout_taken: bool) -> Console {
        Console::new(self.json, stdout_taken)
    }

    /// How long to wait for the other peer.
    pub(crate) fn patience(&self, default: Duration) -> Duration {
        self.timeout.map_or(default, |timeout| timeout.0.min(LONGEST_PATIENCE))
    }

    /// The same where nothing said means for ever.
    pub(crate) fn patience_if_any(&self) -> Option<Duration> {
        self.timeout.map(|timeout| timeout.0.min(LONGEST_PATIENCE))
    }

    /// The key of the app, unless a link names another.
    fn place<'a>(&'a self, target: Option<&'a Target>) -> (&'a str, &'a str) {
        match target {
            Some(Target::Link(link)) => {
                (&link.place, link.key.as_deref().unwrap_or(self.key.as_str()))
            }
            _ => (&self.server, self.key.as_str()),
        }
    }

    /// Opens the peer, at the server that the target names, if it does.
    pub(crate) async fn open(&self, target: Option<&Target>) -> Result<Peer, Failure> {
        let (server, key) = self.place(target);
        let mut options = PeerOptions::at(server)?.key(key);
        // Peers of a server on this machine may be here too, where nothing else connects them.
        let loopback = is_loopback(&options.host);
        options = options.loopback(loopback);
        if let Some(id) = &self.id {
            options = options.id(id);
        }
        if let Some(token) = &self.token {
            options = options.token(token);
        }
        if let Some(ca) = &self.ca {
            options = options.ca_file(ca);
        }
        if let Some(origin) = &self.origin {
            options = options.origin(origin);
        }
        if self.relay_only {
            options = options.ice_transport_policy(IceTransportPolicy::Relay);
        }
        let patience = self.patience(Duration::from_secs(30));
        let opened = tokio::time::timeout(patience, Peer::open(options)).await;
        let Ok(opened) = opened else {
            let message = format!("{server} did not answer within {patience:?}");
            return Err(Failure::new(Exit::Unreachable, message));
        };
        Ok(opened?)
    }

    /// Tells under which id we are found.
    pub(crate) fn announce(&self, public: &PublicArgs, id: &str, console: &Console) {
        let place = public.page.as_ref().unwrap_or(&self.server);
        let link = Link::new(place, self.key.as_str(), id);
        let members = json!({ "id": id, "link": link.to_string() });
        console.tell("open", members, format!("id    {id}\nlink  {link}"));
        if public.qr {
            match link.qr_code(colors()) {
                Some(code) => console.line(code),
                None => console.line("the link is too long for a QR code"),
            }
        }
    }
}

fn is_loopback(host: &str) -> bool {
    let address: Option<std::net::IpAddr> = host.trim_matches(['[', ']']).parse().ok();
    host == "localhost"
        || host.ends_with(".localhost")
        || address.is_some_and(|it| it.is_loopback())
}
