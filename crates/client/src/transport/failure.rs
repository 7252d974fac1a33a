//! Why an ICE server gives no address, in words that say what to do about it.

use std::io;
use std::net::SocketAddr;

use rustls::CertificateError;
use thiserror::Error;

use super::ice_server::InvalidIceUrl;

/// What went wrong with a STUN or TURN server.
#[derive(Debug, Error)]
pub(super) enum Failure {
    #[error("the URL is wrong: {0}")]
    Url(#[from] InvalidIceUrl),
    #[error("a TURN server needs username and credential: none are given")]
    NoLogin,
    #[error("the user name is too long for TURN")]
    Username,
    #[error("the name has no address ({0}): is it spelled right, and is there a name server?")]
    Name(io::Error),
    #[error("this machine has no way to that address: is it connected to the internet?")]
    NoRoute,
    #[error("no answer: is the server running, and do firewalls let its port pass?")]
    NoAnswer,
    #[error("nothing listens there: is the server running, and is the port right?")]
    NothingListens,
    #[error("the connection failed: {0}")]
    Io(io::Error),
    #[error("the server closed the connection")]
    Closed,
    #[error("the certificate is not for this host: use the name that it is for in the URL")]
    TlsName,
    #[error("the certificate is not trusted ({0}): is its authority among the trusted roots?")]
    TlsTrust(rustls::Error),
    #[error("TLS failed ({0}): does that port speak TLS?")]
    Tls(rustls::Error),
    #[error("what answers there is no TURN server, or a broken one")]
    Garbled,
    #[error("refused with {code} {reason}: {}", advice(*code))]
    Refused { code: u16, reason: String },
    /// Followed a few times.
    #[error("the server sends its clients to {to}, which does not help")]
    Redirected { to: SocketAddr, domain: Option<String> },
    #[error("the server did not renew the allocation in time")]
    Expired,
}

impl Failure {
    pub(super) fn refused(code: u16, reason: &str) -> Self {
        Self::Refused { code, reason: reason.to_owned() }
    }

    /// The one of two that says more: that there is no IPv6 here says nothing about the server.
    pub(super) fn or(self, other: Self) -> Self {
        if matches!(self, Self::NoRoute) { other } else { self }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            return tls.clone().into();
        }
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Self::NothingListens,
            io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::AddrNotAvailable => Self::NoRoute,
            io::ErrorKind::TimedOut => Self::NoAnswer,
            io::ErrorKind::UnexpectedEof => Self::Closed,
            _ => Self::Io(error),
        }
    }
}

impl From<rustls::Error> for Failure {
    fn from(error: rustls::Error) -> Self {
        match &error {
            rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            ) => Self::TlsName,
            rustls::Error::InvalidCertificate(_) => Self::TlsTrust(error),
            _ => Self::Tls(error),
        }
    }
}

fn advice(code: u16) -> &'static str {
    match code {
        401 | 441 => "user name or password are wrong, or have expired",
        403 => "the server does not allow this client",
        437 => "the last allocation from this port is not over yet, try again in a minute",
        438 => "the server ends its nonces at once",
        440 => "the server has no address of that family to relay from",
        442 => "the server does not relay UDP, which WebRTC needs",
        486 => "the quota of this user is used up, close other connections or ask for more",
        508 => "the server is full",
        _ => "see the log of the server",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_says_what_to_do() {
        for (code, part) in
            [(401, "password"), (403, "does not allow"), (486, "quota"), (500, "see the log")]
        {
            let told = Failure::refused(code, "Because").to_string();
            assert!(told.starts_with(&format!("refused with {code} Because: ")), "{told}");
            assert!(told.contains(part), "{told}");
        }
    }

    #[test]
    fn errors_of_the_system_get_a_plain_name() {
        let failure = |kind: io::ErrorKind| Failure::from(io::Error::from(kind));
        assert!(matches!(failure(io::ErrorKind::ConnectionRefused), Failure::NothingListens));
        assert!(matches!(failure(io::ErrorKind::NetworkUnreachable), Failure::NoRoute));
        assert!(matches!(failure(io::ErrorKind::UnexpectedEof), Failure::Closed));
    }

    #[test]
    fn a_certificate_for_another_name_is_told_as_such() {
        let error = rustls::Error::InvalidCertificate(CertificateError::NotValidForName);
        let failure = Failure::from(io::Error::new(io::ErrorKind::InvalidData, error));
        assert!(matches!(failure, Failure::TlsName));
    }
}
