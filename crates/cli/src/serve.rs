//! `peerway serve`. Flags of PeerServer keep their names, so that a start line of it works here.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{ArgAction, Args};
use peerway_server::config::{Config, Layers, LogConfig, LogFormat};
use peerway_server::{Control, Server};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::EnvFilter;

// For the allocations of a handshake: 79 us of CPU per connect-to-OPEN, 91 with glibc's allocator,
// which in turn takes 6 MiB less at rest and a tenth less per idle client (bench/README.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// TOML file with settings; flags win over the environment, the environment over the file
    #[arg(long, env = "PEERWAY_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Address to listen on [default: ::, which takes IPv6 and IPv4]
    #[arg(long, short = 'H')]
    host: Option<String>,
    /// Port to listen on [default: 9000]
    #[arg(long, short = 'p')]
    port: Option<u16>,
    /// Prefix of every URL, as in the client option `path` [default: /]
    #[arg(long)]
    path: Option<String>,
    /// App key, as in the client option `key` [default: peerjs]
    #[arg(long, short = 'k')]
    key: Option<String>,
    /// File with the TLS private key (PEM)
    #[arg(long, value_name = "FILE", requires = "sslcert")]
    sslkey: Option<PathBuf>,
    /// File with the TLS certificate chain (PEM)
    #[arg(long, value_name = "FILE", requires = "sslkey")]
    sslcert: Option<PathBuf>,
    /// Let clients list the ids of all peers
    #[arg(long = "allow_discovery", alias = "allow-discovery", num_args = 0..=1,
          default_missing_value = "true", value_name = "BOOL")]
    allow_discovery: Option<bool>,
    /// Milliseconds that messages wait for a peer that is not connected [default: 5000]
    #[arg(long = "expire_timeout", alias = "expire-timeout", short = 't', value_name = "MS")]
    expire_timeout: Option<String>,
    /// Milliseconds without any sign of life before a socket counts as dead [default: 60000]
    #[arg(long = "alive_timeout", alias = "alive-timeout", value_name = "MS")]
    alive_timeout: Option<String>,
    /// Peers at the same time [default: 50000]
    #[arg(
        long = "concurrent_limit",
        alias = "concurrent-limit",
        short = 'c',
        value_name = "COUNT"
    )]
    concurrent_limit: Option<u32>,
    /// Sessions at the same time from one network address [default: 5000]
    #[arg(
        long = "sessions_per_address",
        alias = "sessions-per-address",
        alias = "ip_limit",
        value_name = "COUNT"
    )]
    sessions_per_address: Option<u32>,
    /// The server stands behind a reverse proxy: take client addresses from X-Forwarded-For
    #[arg(long, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    proxied: Option<bool>,
    /// Origin that gets CORS headers; may be repeated [default: any]
    #[arg(long, action = ArgAction::Append, num_args = 1.., value_name = "ORIGIN")]
    cors: Vec<String>,
    /// Serve any key, each with its own peers
    #[arg(long = "accept_any_key", alias = "accept-any-key")]
    accept_any_key: bool,
    /// Serve no STUN and TURN
    #[arg(long = "no-turn", alias = "no_turn")]
    no_turn: bool,
    /// Forward no media: no rooms of type sfu
    #[arg(long = "no-sfu", alias = "no_sfu")]
    no_sfu: bool,
    /// What to log: error, warn, info, debug, trace [default: info]
    #[arg(long = "log_level", alias = "log-level", value_name = "LEVEL")]
    log_level: Option<String>,
    /// How to log: pretty or json [default: pretty]
    #[arg(long = "log_format", alias = "log-format", value_name = "FORMAT")]
    log_format: Option<String>,
}

impl ServeArgs {
    fn configure(self) -> Result<Config> {
        let mut layers = layers(self.config.as_deref())?;
        let path = |path: PathBuf| path.to_string_lossy().into_owned();
        let texts = [
            ("host", self.host),
            ("path", self.path),
            ("key", self.key),
            ("expire_timeout", self.expire_timeout),
            ("alive_timeout", self.alive_timeout),
            ("tls.key", self.sslkey.map(path)),
            ("tls.cert", self.sslcert.map(path)),
            ("log.level", self.log_level),
            ("log.format", self.log_format),
        ];
        for (name, text) in texts {
            if let Some(text) = text {
                layers.set(name, text);
            }
        }
        let numbers = [
            ("port", self.port.map(i64::from)),
            ("concurrent_limit", self.concurrent_limit.map(i64::from)),
            ("limits.sessions_per_address", self.sessions_per_address.map(i64::from)),
        ];
        for (name, number) in numbers {
            if let Some(number) = number {
                layers.set(name, number);
            }
        }
        let switches = [
            ("allow_discovery", self.allow_discovery),
            ("proxied", self.proxied),
            ("accept_any_key", self.accept_any_key.then_some(true)),
            ("turn.enabled", self.no_turn.then_some(false)),
            ("sfu.enabled", self.no_sfu.then_some(false)),
        ];
        for (name, on) in switches {
            if let Some(on) = on {
                layers.set(name, on);
            }
        }
        if !self.cors.is_empty() {
            layers.set("cors", self.cors);
        }
        Ok(layers.finish()?)
    }
}

/// What the file and the environment say.
pub(crate) fn layers(file: Option<&Path>) -> Result<Layers> {
    let mut layers = Layers::default();
    if let Some(file) = file {
        layers.file(file)?;
    }
    layers.environment(
        std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        }),
    )?;
    Ok(layers)
}

pub(crate) fn run(args: ServeArgs) -> Result<()> {
    let config = args.configure()?;
    start_logging(&config.log)?;
    // A huge page stays resident as a whole while anything in it is in use.
    if let Err(error) = nix::sys::prctl::set_thp_disable(true) {
        tracing::debug!(%error, "cannot do without huge pages");
    }
    // Each client is a file descriptor; the soft limit is often 1024.
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(limit) => tracing::debug!(limit, "open files"),
        Err(error) => tracing::warn!(%error, "cannot raise the limit of open files"),
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    runtime.block_on(serve(config))
}

async fn serve(config: Config) -> Result<()> {
    let (path, tls) = (config.base_path(), config.tls.is_some());
    // Before anybody can know that the server runs, and want it to stop.
    let signals = Signals::listen()?;
    let server = Server::bind(config).await?;
    let address = server.local_addr();
    let scheme = if tls { "https" } else { "http" };
    tracing::info!(
        %address,
        path,
        version = env!("CARGO_PKG_VERSION"),
        "peerway is listening; open {scheme}://localhost:{}{path} in a browser",
        address.port()
    );
    let signals = tokio::spawn(signals.handle(server.control()));
    server.run().await;
    signals.abort();
    tracing::info!("peerway has stopped");
    Ok(())
}

/// SIGTERM and SIGINT stop the server, the second one at once; SIGHUP reads the certificates;
/// SIGUSR1 drains TURN, as it does in coturn.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    drain: Signal,
}

impl Signals {
    fn listen() -> Result<Self> {
        let listen = |kind| signal(kind).context("cannot listen for signals");
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            hangup: listen(SignalKind::hangup())?,
            drain: listen(SignalKind::user_defined1())?,
        })
    }

    async fn handle(mut self, control: Control) {
        let mut stopping = false;
        loop {
            tokio::select! {
                _ = self.terminate.recv() => {}
                _ = self.interrupt.recv() => {}
                _ = self.hangup.recv() => {
                    match control.reload_certificates() {
                        Ok(()) => tracing::info!("certificates read again"),
                        Err(error) => tracing::error!(error, "the old certificates stay in use"),
                    }
                    continue;
                }
                _ = self.drain.recv() => {
                    if control.drain_turn() {
                        tracing::info!("draining TURN: new clients are sent to turn.alternate_servers");
                    } else {
                        tracing::warn!("there is nothing to drain: turn.enabled is false");
                    }
                    continue;
                }
            }
            if stopping {
                std::process::exit(1);
            }
            stopping = true;
            tracing::info!("stopping; a second signal stops at once");
            control.stop();
        }
    }
}

fn start_logging(config: &LogConfig) -> Result<()> {
    let filter = EnvFilter::try_new(&config.level)
        .with_context(|| format!("log level '{}' is not one", config.level))?;
    // It warns about every malformed datagram; whoever sends such must not fill the log.
    let quiet = "stun_types=off".parse().context("the directive is well-formed")?;
    let filter =
        if config.level.contains("stun_types") { filter } else { filter.add_directive(quiet) };
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let subscriber = subscriber
        .with_ansi(std::io::stderr().is_terminal())
        // Telling about it would fail in the same way, and end the task that logs.
        .log_internal_errors(false);
    match config.format {
        LogFormat::Pretty => subscriber.init(),
        LogFormat::Json => subscriber.json().init(),
    }
    Ok(())
}
