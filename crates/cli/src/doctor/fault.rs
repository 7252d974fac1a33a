//! What can go wrong between two programs, and what an operator does about it.

use std::io;
use std::net::SocketAddr;

use thiserror::Error;

use super::ice_url::Transport;
use super::report::Finding;

/// Why nothing was heard, or nothing that makes sense.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum Fault {
    #[error("no answer")]
    NoAnswer,
    #[error("connected, but no answer")]
    Silent,
    #[error("nothing listens there")]
    NothingListens,
    #[error("this machine has no way to that address")]
    NoRoute,
    #[error("TLS failed: {0}")]
    Tls(String),
    #[error("the answer makes no sense: {0}")]
    Garbled(String),
    #[error("the connection broke: {0}")]
    Broken(String),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Self::NothingListens,
            io::ErrorKind::NetworkUnreachable | io::ErrorKind::AddrNotAvailable => Self::NoRoute,
            io::ErrorKind::TimedOut => Self::NoAnswer,
            io::ErrorKind::UnexpectedEof => Self::Broken("it was closed by the other side".into()),
            _ => Self::Broken(error.to_string()),
        }
    }
}

/// A port of the server that should be open, and the settings that open it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Door {
    Http { secure: bool, port: u16 },
    Turn { transport: Transport, port: u16 },
}

impl Fault {
    /// The line for it. That this machine has no IPv6 says nothing about the server.
    pub(super) fn finding(
        &self,
        subject: impl Into<String>,
        to: SocketAddr,
        door: Door,
    ) -> Finding {
        if *self == Self::NoRoute && to.is_ipv6() {
            return Finding::skip(subject, "this machine has no IPv6");
        }
        let mut finding = Finding::fail(subject, self.to_string(), self.remedy(door));
        finding.absent = *self == Self::NothingListens && to.ip().is_loopback();
        finding
    }

    /// The line for a name that has no address.
    pub(super) fn unknown_name(&self, subject: impl Into<String>) -> Finding {
        let told = match self {
            Self::NoAnswer => "the name servers do not answer".to_owned(),
            _ => "it has no address".to_owned(),
        };
        let remedy = "Is it spelled right? Else add an A or AAAA record for it, and try again when \
                      name servers have heard of it.";
        Finding::fail(subject, told, remedy)
    }

    /// What to do about it, in words.
    pub(super) fn remedy(&self, door: Door) -> String {
        let (port, protocol, setting) = match door {
            Door::Http { port, .. } => (port, "TCP", "port"),
            Door::Turn { transport: Transport::Udp, port } => (port, "UDP", "turn.udp"),
            Door::Turn { transport: Transport::Tcp, port } => (port, "TCP", "turn.tcp"),
            Door::Turn { transport: Transport::Tls, port } => (port, "TCP", "turn.tls"),
        };
        match self {
            Self::NoAnswer => format!(
                "Open {protocol} port {port} in the server's firewall and in the security group of \
                 its cloud. If doctor succeeds from elsewhere, the network you are in blocks it."
            ),
            Self::NothingListens => format!(
                "Start the server and see that its setting `{setting}` names port {port}. A \
                 firewall that rejects {protocol} port {port} looks the same."
            ),
            Self::NoRoute => "Connect this machine to the internet, or use another one.".to_owned(),
            Self::Silent | Self::Garbled(_) => match door {
                Door::Http { secure: false, .. } => {
                    "Something else than a web server listens there, or it wants https:// instead \
                     of http://."
                        .to_owned()
                }
                Door::Http { secure: true, .. } => format!(
                    "Something else than a web server listens there: see which program has TCP \
                     port {port}."
                ),
                Door::Turn { .. } => format!(
                    "Something else than a TURN server listens there: see which program has \
                     {protocol} port {port}, and that no proxy stands in front of it."
                ),
            },
            Self::Tls(_) => match door {
                Door::Http { .. } => {
                    "If the server has no certificate, use http://; else see its log.".to_owned()
                }
                Door::Turn { .. } => format!(
                    "Port {port} must speak TLS: see that `turn.tls` and not `turn.tcp` names it."
                ),
            },
            Self::Broken(_) => format!(
                "See the server's log, and whether a proxy or firewall cuts {protocol} port {port}."
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remedy_names_protocol_port_and_setting() {
        let udp = Door::Turn { transport: Transport::Udp, port: 3478 };
        assert!(
            Fault::NoAnswer.remedy(udp).starts_with("Open UDP port 3478 in the server's firewall")
        );
        assert!(Fault::NothingListens.remedy(udp).contains("`turn.udp` names port 3478"));
        let tls = Door::Turn { transport: Transport::Tls, port: 5349 };
        assert!(Fault::NoAnswer.remedy(tls).starts_with("Open TCP port 5349"));
        assert!(Fault::Tls(String::new()).remedy(tls).contains("`turn.tls`"));
        let http = Door::Http { secure: false, port: 80 };
        assert!(Fault::NothingListens.remedy(http).contains("`port` names port 80"));
        assert!(Fault::Garbled(String::new()).remedy(http).contains("https://"));
    }

    #[test]
    fn errors_of_the_system_get_a_plain_name() {
        let fault = |kind: io::ErrorKind| Fault::from(io::Error::from(kind));
        assert_eq!(fault(io::ErrorKind::ConnectionRefused), Fault::NothingListens);
        assert_eq!(fault(io::ErrorKind::NetworkUnreachable), Fault::NoRoute);
        assert!(matches!(fault(io::ErrorKind::ConnectionReset), Fault::Broken(_)));
    }
}
