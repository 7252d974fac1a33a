//! How a command ends: exit codes and the last line.

use std::fmt;
use std::future::Future;
use std::process::ExitCode;

use peerway::{ConnectionError, ConnectionErrorKind, PeerError, PeerErrorKind};
use tracing_subscriber::EnvFilter;

/// Exit codes (docs/guide/command-line-peers.md). 2 is a command line that makes no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    Success = 0,
    Failed = 1,
    /// The server or the other peer is not there.
    Unreachable = 3,
    /// The other side said no, or ended it.
    Refused = 4,
    /// Not every file went through.
    Incomplete = 5,
    /// The connection broke and did not come back in time.
    Lost = 6,
    /// Ctrl-C.
    Interrupted = 130,
}

/// What a command says before it fails.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    pub(crate) message: String,
}

impl Failure {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<PeerError> for Failure {
    fn from(error: PeerError) -> Self {
        let exit = match error.kind() {
            PeerErrorKind::Network
            | PeerErrorKind::SslUnavailable
            | PeerErrorKind::PeerUnavailable
            | PeerErrorKind::Disconnected => Exit::Unreachable,
            PeerErrorKind::UnavailableId
            | PeerErrorKind::InvalidKey
            | PeerErrorKind::Unauthorized => Exit::Refused,
            _ => Exit::Failed,
        };
        Self::new(exit, error.to_string())
    }
}

impl From<ConnectionError> for Failure {
    fn from(error: ConnectionError) -> Self {
        let exit = match error.kind {
            ConnectionErrorKind::PeerUnavailable | ConnectionErrorKind::NegotiationFailed => {
                Exit::Unreachable
            }
            ConnectionErrorKind::ConnectionClosed => Exit::Lost,
            _ => Exit::Failed,
        };
        Self::new(exit, error.message)
    }
}

/// Runs a command to its end, and says why it failed. `log`: what the libraries may say.
pub(crate) fn run(
    log: Option<&str>,
    command: impl Future<Output = Result<Exit, Failure>>,
) -> ExitCode {
    let ended = start_logging(log).and_then(|()| {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        let runtime = runtime.map_err(|error| {
            Failure::new(Exit::Failed, format!("cannot start the runtime: {error}"))
        })?;
        let ended = runtime.block_on(command);
        // Who waits for a line of the user, or a name of the resolver, must not hold us.
        runtime.shutdown_background();
        ended
    });
    let exit = ended.unwrap_or_else(|failure| {
        eprintln!("peerway: {failure}");
        failure.exit
    });
    ExitCode::from(exit as u8)
}

fn start_logging(filter: Option<&str>) -> Result<(), Failure> {
    let Some(filter) = filter else { return Ok(()) };
    let filter = EnvFilter::try_new(filter).map_err(|error| {
        Failure::new(Exit::Failed, format!("'{filter}' is no log level: {error}"))
    })?;
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    Ok(())
}
