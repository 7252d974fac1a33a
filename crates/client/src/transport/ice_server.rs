//! ICE servers as a program writes them down (RFC 7064, RFC 7065), and as they are used.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer};
use thiserror::Error;

/// One or more URLs of a STUN or TURN server, like `RTCIceServer` in a browser.
///
/// ```
/// use peerway::IceServer;
///
/// let stun = IceServer::new("stun:stun.example.org");
/// let turn = IceServer::new("turns:turn.example.org?transport=tcp").credential("joe", "secret");
/// assert_eq!(turn.username.as_deref(), Some("joe"));
/// # let _ = stun;
/// ```
#[derive(Clone, PartialEq, Eq, Default, Deserialize)]
pub struct IceServer {
    /// `stun:`, `turn:` and `turns:` URLs; a TURN URL may end in `?transport=udp` or
    /// `?transport=tcp`.
    #[serde(deserialize_with = "one_or_many")]
    pub urls: Vec<String>,
    /// The user name, which TURN needs.
    #[serde(default)]
    pub username: Option<String>,
    /// The password, which TURN needs.
    #[serde(default)]
    pub credential: Option<String>,
}

impl IceServer {
    /// A server with one URL. A URL that makes no sense is told when the server is used.
    pub fn new(url: impl Into<String>) -> Self {
        Self { urls: vec![url.into()], username: None, credential: None }
    }

    /// The same with the user name and password that TURN needs.
    #[must_use]
    pub fn credential(
        mut self,
        username: impl Into<String>,
        credential: impl Into<String>,
    ) -> Self {
        self.username = Some(username.into());
        self.credential = Some(credential.into());
        self
    }
}

impl fmt::Debug for IceServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IceServer").field("urls", &self.urls).finish_non_exhaustive()
    }
}

/// Which paths a connection may take, like `iceTransportPolicy` in a browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IceTransportPolicy {
    /// Any: direct ones are preferred.
    #[default]
    All,
    /// Through TURN servers alone: the other peer does not learn an address of this machine.
    Relay,
}

/// `"urls": "a"` and `"urls": ["a", "b"]` are both in use.
fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Urls {
        One(String),
        Many(Vec<String>),
    }
    Ok(match Urls::deserialize(deserializer)? {
        Urls::One(url) => vec![url],
        Urls::Many(urls) => urls,
    })
}

/// What is spoken below STUN on the way to a TURN server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum RelayProtocol {
    Udp,
    Tcp,
    Tls,
}

impl fmt::Display for RelayProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
        })
    }
}

/// What a URL asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Service {
    Stun,
    Turn(RelayProtocol),
}

/// A URL taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct IceUrl {
    pub(super) service: Service,
    /// A name, or an address without brackets.
    pub(super) host: String,
    pub(super) port: u16,
}

/// Why a text is not the URL of an ICE server that can be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum InvalidIceUrl {
    #[error("it must begin with stun:, turn: or turns:")]
    Scheme,
    #[error("it has no host")]
    Host,
    #[error("this is not a port: {0}")]
    Port(String),
    #[error("this is not known after the host: {0}")]
    Query(String),
    #[error("TURN over DTLS is not spoken: use turns: with ?transport=tcp")]
    Dtls,
    #[error("a reflexive address is learned over UDP only: use stun:")]
    SecureStun,
}

impl FromStr for IceUrl {
    type Err = InvalidIceUrl;

    fn from_str(text: &str) -> Result<Self, InvalidIceUrl> {
        let (scheme, rest) = text.split_once(':').ok_or(InvalidIceUrl::Scheme)?;
        let (authority, query) = match rest.split_once('?') {
            Some((authority, query)) => (authority, Some(query)),
            None => (rest, None),
        };
        let unknown = |query: &str| InvalidIceUrl::Query(query.to_owned());
        let (service, port) = match (scheme.to_ascii_lowercase().as_str(), query) {
            ("stun", None) => (Service::Stun, 3478),
            ("stuns", _) => return Err(InvalidIceUrl::SecureStun),
            ("turn", None | Some("transport=udp")) => (Service::Turn(RelayProtocol::Udp), 3478),
            ("turn", Some("transport=tcp")) => (Service::Turn(RelayProtocol::Tcp), 3478),
            ("turns", None | Some("transport=tcp")) => (Service::Turn(RelayProtocol::Tls), 5349),
            ("turns", Some("transport=udp")) => return Err(InvalidIceUrl::Dtls),
            ("stun" | "turn" | "turns", Some(query)) => return Err(unknown(query)),
            _ => return Err(InvalidIceUrl::Scheme),
        };
        let (host, given) = host_and_port(authority)?;
        let port = match given {
            None => port,
            Some(text) => text
                .parse()
                .ok()
                .filter(|port| *port > 0)
                .ok_or_else(|| InvalidIceUrl::Port(text.to_owned()))?,
        };
        Ok(Self { service, host: host.to_owned(), port })
    }
}

/// Takes `[::1]:3478` and `name:3478` apart, with and without the port.
fn host_and_port(authority: &str) -> Result<(&str, Option<&str>), InvalidIceUrl> {
    let (host, port) = if let Some(rest) = authority.strip_prefix('[') {
        let (host, rest) = rest.split_once(']').ok_or(InvalidIceUrl::Host)?;
        let port = rest.strip_prefix(':');
        if port.is_none() && !rest.is_empty() {
            return Err(InvalidIceUrl::Port(rest.to_owned()));
        }
        (host, port)
    } else {
        match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        }
    };
    // "turn://host" is the mistake that people make.
    if host.is_empty() || host.starts_with('/') {
        return Err(InvalidIceUrl::Host);
    }
    Ok((host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<(Service, String, u16), InvalidIceUrl> {
        let url: IceUrl = text.parse()?;
        Ok((url.service, url.host, url.port))
    }

    #[test]
    fn the_examples_of_the_rfcs_are_understood() {
        use RelayProtocol::{Tcp, Tls, Udp};
        for (text, service, port) in [
            ("stun:example.org", Service::Stun, 3478),
            ("stun:example.org:8000", Service::Stun, 8000),
            ("turn:example.org", Service::Turn(Udp), 3478),
            ("turn:example.org:8000?transport=udp", Service::Turn(Udp), 8000),
            ("turn:example.org?transport=tcp", Service::Turn(Tcp), 3478),
            ("turns:example.org", Service::Turn(Tls), 5349),
            ("TURNS:example.org:443?transport=tcp", Service::Turn(Tls), 443),
        ] {
            assert_eq!(parse(text), Ok((service, "example.org".to_owned(), port)), "{text}");
        }
    }

    #[test]
    fn addresses_stand_in_brackets_when_they_have_colons() {
        assert_eq!(parse("stun:[2001:db8::5]").unwrap().1, "2001:db8::5");
        assert_eq!(parse("turn:[::1]:3479").unwrap().2, 3479);
        assert_eq!(parse("turn:192.0.2.1:3478").unwrap().1, "192.0.2.1");
    }

    #[test]
    fn what_cannot_be_used_is_told() {
        for (text, error) in [
            ("https://example.org", InvalidIceUrl::Scheme),
            ("example.org", InvalidIceUrl::Scheme),
            ("stuns:example.org", InvalidIceUrl::SecureStun),
            ("turn://example.org", InvalidIceUrl::Host),
            ("turn:", InvalidIceUrl::Host),
            ("turn:[::1", InvalidIceUrl::Host),
            ("turn:[::1]8", InvalidIceUrl::Port("8".into())),
            ("turn:example.org:0", InvalidIceUrl::Port("0".into())),
            ("turn:example.org:70000", InvalidIceUrl::Port("70000".into())),
            ("turn:example.org?transport=sctp", InvalidIceUrl::Query("transport=sctp".into())),
            ("turns:example.org?transport=udp", InvalidIceUrl::Dtls),
        ] {
            assert_eq!(parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn the_list_of_a_server_is_read_with_one_url_and_with_many() {
        let text =
            r#"[{"urls":"stun:a"},{"urls":["turn:b","turns:b"],"username":"u","credential":"p"}]"#;
        let servers: Vec<IceServer> = serde_json::from_str(text).unwrap();
        assert_eq!(servers[0], IceServer::new("stun:a"));
        assert_eq!(servers[1].urls, ["turn:b", "turns:b"]);
        assert_eq!(servers[1].credential.as_deref(), Some("p"));
    }

    #[test]
    fn debug_output_has_no_password() {
        let server = IceServer::new("turn:a").credential("joe", "hunter2");
        assert!(!format!("{server:?}").contains("hunter2"));
    }
}
