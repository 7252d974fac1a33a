//! Why there is no connection to the server, in words that say what to do.

use std::io;

use thiserror::Error;

use crate::peer::{PeerError, PeerErrorKind};

/// What came in the way of a connection or request. `at` is the server's URL.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum Failure {
    #[error(
        "the name {host} has no address ({cause}): is it spelled right, and is this machine online?"
    )]
    Name { host: String, cause: String },
    #[error("nothing listens at {at}: is the server running, and are host and port right?")]
    Refused { at: String },
    #[error("no answer from {at}: a firewall may be in the way, or host and port are wrong")]
    NoAnswer { at: String },
    #[error("this machine has no way to {at}: is it online?")]
    NoRoute { at: String },
    #[error("no secure connection to {at}: {fault}")]
    Tls { at: String, fault: TlsFault },
    #[error("{at} does not talk HTTP ({cause}){}", wants_tls(*.secure))]
    NotHttp { at: String, cause: String, secure: bool },
    /// Another status than the one that is good.
    #[error("{}", told(*.status, .at, .problem.as_ref(), .location.as_deref()))]
    Status { at: String, status: u16, problem: Option<Problem>, location: Option<String> },
    #[error("{at} is no PeerJS server ({cause}): are host, port and path right?")]
    NotOurs { at: String, cause: String },
    /// A frame that says no.
    #[error("{message}{}", advice(*.kind, .message))]
    Said { kind: Word, message: String },
    #[error("the connection to {at} is lost: {cause}")]
    Lost { at: String, cause: String },
}

/// The frame that says no.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Word {
    Error,
    IdTaken,
    InvalidKey,
}

/// What is wrong with a certificate, or with TLS.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum TlsFault {
    #[error("its certificate is for {0}: use that as the host, or give it a certificate for this")]
    Name(String),
    #[error(
        "nobody who is trusted has signed its certificate: if it is your own, name it in ca_file; \
         else see that the server sends the whole chain"
    )]
    Issuer,
    #[error("its certificate has ended, or the clock of this machine is wrong")]
    Expired,
    #[error("its certificate is not valid yet, or the clock of this machine is wrong")]
    NotYet,
    #[error("it talks no TLS at this port: is `secure` right?")]
    NoTls,
    #[error("this cannot be the name in a certificate")]
    NoName,
    #[error("{0}")]
    Other(String),
}

/// What a peerway server answers with a status that is not good:
/// `{"error":{"type":"unknown_key","message":"Invalid key provided"}}`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
pub(crate) struct Problem {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) message: String,
}

impl Problem {
    pub(crate) fn in_body(body: &[u8]) -> Option<Self> {
        #[derive(serde::Deserialize)]
        struct Wrapped {
            error: Problem,
        }

        serde_json::from_slice::<Wrapped>(body).ok().map(|it| it.error)
    }
}

impl Failure {
    /// What connecting to a socket came to.
    pub(crate) fn of_io(error: &io::Error, at: String) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Self::Refused { at },
            io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::AddrNotAvailable => Self::NoRoute { at },
            io::ErrorKind::TimedOut => Self::NoAnswer { at },
            _ => Self::Lost { at, cause: error.to_string() },
        }
    }

    /// Under which kind applications know it.
    pub(crate) fn kind(&self) -> PeerErrorKind {
        match self {
            Self::Name { .. }
            | Self::Refused { .. }
            | Self::NoAnswer { .. }
            | Self::NoRoute { .. }
            | Self::Lost { .. } => PeerErrorKind::Network,
            Self::Tls { .. } => PeerErrorKind::SslUnavailable,
            Self::Status { problem: Some(problem), .. }
                if matches!(problem.kind.as_str(), "unknown_key" | "origin") =>
            {
                PeerErrorKind::InvalidKey
            }
            Self::Status { status: 401 | 403, .. } => PeerErrorKind::Unauthorized,
            Self::Status { .. } | Self::NotHttp { .. } | Self::NotOurs { .. } => {
                PeerErrorKind::ServerError
            }
            Self::Said { kind: Word::IdTaken, .. } => PeerErrorKind::UnavailableId,
            Self::Said { kind: Word::InvalidKey, .. } => PeerErrorKind::InvalidKey,
            // PeerServer and peerway have no frame of their own for these.
            Self::Said { message, .. } if message.starts_with("Invalid key") => {
                PeerErrorKind::InvalidKey
            }
            Self::Said { message, .. } if message.starts_with("Token refused") => {
                PeerErrorKind::Unauthorized
            }
            Self::Said { .. } => PeerErrorKind::ServerError,
        }
    }

    /// Whether the same would come of the next attempt: the server knows us and does not want us.
    /// Anything else may pass, a wrong certificate (the login page of a hotel) and a 404 (a proxy
    /// whose server is being replaced) included.
    pub(crate) fn is_final(&self) -> bool {
        matches!(
            self.kind(),
            PeerErrorKind::InvalidKey | PeerErrorKind::Unauthorized | PeerErrorKind::UnavailableId
        )
    }
}

impl From<Failure> for PeerError {
    fn from(failure: Failure) -> Self {
        Self::new(failure.kind(), failure.to_string()).caused_by(failure)
    }
}

fn wants_tls(secure: bool) -> &'static str {
    if secure { "" } else { ": if it wants TLS, set `secure`; else the port is wrong" }
}

fn told(status: u16, at: &str, problem: Option<&Problem>, location: Option<&str>) -> String {
    let said = problem.map_or_else(String::new, |it| format!(": {}", it.message));
    let advice = match (status, location) {
        (300..=399, Some(location)) => format!("; it sends everybody to {location}: use that"),
        (400, _) if problem.is_none() => {
            "; the path may be wrong, or a proxy in front does not pass WebSocket upgrades".into()
        }
        (401 | 403, _) => match problem.map(|it| it.kind.as_str()) {
            Some("unknown_key") => "; set `key` to one of the server's app keys".into(),
            Some("origin") => "; set `origin` to one that the app allows".into(),
            _ => "; it asks for a credential that was not given, or forbids this".into(),
        },
        (404, _) if problem.is_none() => "; is `path` that of the server?".into(),
        (502..=504, _) => "; the proxy in front does not reach the server".into(),
        _ => String::new(),
    };
    format!("{at} answers {status}{said}{advice}")
}

fn advice(kind: Word, message: &str) -> &'static str {
    match kind {
        Word::IdTaken => ": another peer has this id; use another id, or the token it has",
        Word::InvalidKey if message.starts_with("Origin") => {
            ": set `origin` to one that the app allows"
        }
        Word::InvalidKey => ": set `key` to one of the server's app keys",
        Word::Error if message.starts_with("Invalid key") => {
            ": set `key` to one of the server's app keys"
        }
        Word::Error if message.starts_with("Token refused") => {
            ": the app wants signed ids; set `id` and `token` (peerway token makes it)"
        }
        Word::Error => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(status: u16, body: &str) -> Failure {
        let problem = Problem::in_body(body.as_bytes());
        Failure::Status { at: "http://a/".into(), status, problem, location: None }
    }

    #[test]
    fn each_failure_says_what_to_do() {
        let said = |kind, message: &str| Failure::Said { kind, message: message.into() };
        let unknown = r#"{"error":{"type":"unknown_key","message":"Invalid key provided"}}"#;
        for (failure, kind, is_final, part) in [
            (status(404, ""), PeerErrorKind::ServerError, false, "is `path` that of the server?"),
            (status(401, unknown), PeerErrorKind::InvalidKey, true, "provided; set `key`"),
            (status(401, "Unauthorized"), PeerErrorKind::Unauthorized, true, "credential"),
            (status(403, ""), PeerErrorKind::Unauthorized, true, "forbids"),
            (status(502, ""), PeerErrorKind::ServerError, false, "proxy in front"),
            (said(Word::IdTaken, "ID is taken"), PeerErrorKind::UnavailableId, true, "another id"),
            (said(Word::InvalidKey, "x"), PeerErrorKind::InvalidKey, true, "`key`"),
            (
                said(Word::InvalidKey, "Origin (none) is"),
                PeerErrorKind::InvalidKey,
                true,
                "`origin`",
            ),
            (
                said(Word::Error, "Invalid key provided"),
                PeerErrorKind::InvalidKey,
                true,
                "app keys",
            ),
            (
                said(Word::Error, "Token refused: it expired"),
                PeerErrorKind::Unauthorized,
                true,
                "token",
            ),
            (said(Word::Error, "full"), PeerErrorKind::ServerError, false, "full"),
        ] {
            assert_eq!(failure.kind(), kind, "{failure}");
            assert_eq!(failure.is_final(), is_final, "{failure}");
            assert!(failure.to_string().contains(part), "{failure}");
        }
    }

    #[test]
    fn a_redirection_tells_where_to() {
        let failure = Failure::Status {
            at: "http://a/".into(),
            status: 301,
            problem: None,
            location: Some("https://a/".into()),
        };
        let told = "http://a/ answers 301; it sends everybody to https://a/: use that";
        assert_eq!(failure.to_string(), told);
    }
}
