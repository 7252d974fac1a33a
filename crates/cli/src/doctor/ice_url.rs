//! The URLs of ICE servers: `stun:` (RFC 7064) and `turn:` (RFC 7065).

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// What is spoken below STUN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transport {
    Udp,
    Tcp,
    Tls,
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Service {
    Stun,
    Turn,
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stun => "STUN",
            Self::Turn => "TURN",
        })
    }
}

/// Where an ICE server is, as pages are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct IceUrl {
    pub(super) service: Service,
    pub(super) transport: Transport,
    /// A name, or an address without brackets.
    pub(super) host: String,
    pub(super) port: u16,
}

/// Why a text is not such a URL.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum InvalidIceUrl {
    #[error("it must begin with stun:, stuns:, turn: or turns:")]
    Scheme,
    #[error("it has no host")]
    Host,
    #[error("'{0}' is not a port")]
    Port(String),
    #[error("'{0}' is not known after the host")]
    Query(String),
    #[error("no browser speaks TURN over DTLS")]
    Dtls,
}

impl FromStr for IceUrl {
    type Err = InvalidIceUrl;

    fn from_str(text: &str) -> Result<Self, InvalidIceUrl> {
        let (scheme, rest) = text.split_once(':').ok_or(InvalidIceUrl::Scheme)?;
        let (service, secure) = match scheme.to_ascii_lowercase().as_str() {
            "stun" => (Service::Stun, false),
            "stuns" => (Service::Stun, true),
            "turn" => (Service::Turn, false),
            "turns" => (Service::Turn, true),
            _ => return Err(InvalidIceUrl::Scheme),
        };
        let (authority, query) = match rest.split_once('?') {
            Some((authority, query)) => (authority, Some(query)),
            None => (rest, None),
        };
        let transport = match (service, secure, query) {
            (_, false, None) | (Service::Turn, false, Some("transport=udp")) => Transport::Udp,
            (Service::Turn, false, Some("transport=tcp")) => Transport::Tcp,
            (_, true, None) | (Service::Turn, true, Some("transport=tcp")) => Transport::Tls,
            (Service::Turn, true, Some("transport=udp")) => return Err(InvalidIceUrl::Dtls),
            (_, _, Some(query)) => return Err(InvalidIceUrl::Query(query.to_owned())),
        };
        let (host, port) = host_and_port(authority)?;
        let port = match port {
            None if secure => 5349,
            None => 3478,
            Some(port) => match port.parse() {
                Ok(port) if port > 0 => port,
                _ => return Err(InvalidIceUrl::Port(port.to_owned())),
            },
        };
        Ok(Self { service, transport, host: host.to_owned(), port })
    }
}

/// Takes `[::1]:3478` and `name:3478` apart, with and without the port.
fn host_and_port(authority: &str) -> Result<(&str, Option<&str>), InvalidIceUrl> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']').ok_or(InvalidIceUrl::Host)?;
            match rest.strip_prefix(':') {
                Some(port) => (host, Some(port)),
                None if rest.is_empty() => (host, None),
                None => return Err(InvalidIceUrl::Port(rest.to_owned())),
            }
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
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

    fn parse(text: &str) -> Result<(Service, Transport, String, u16), InvalidIceUrl> {
        let url: IceUrl = text.parse()?;
        Ok((url.service, url.transport, url.host, url.port))
    }

    #[test]
    fn the_examples_of_rfc_7064_and_rfc_7065_are_understood() {
        use Service::{Stun, Turn};
        use Transport::{Tcp, Tls, Udp};

        for (text, service, transport, port) in [
            ("stun:example.org", Stun, Udp, 3478),
            ("stuns:example.org", Stun, Tls, 5349),
            ("stun:example.org:8000", Stun, Udp, 8000),
            ("turn:example.org", Turn, Udp, 3478),
            ("turns:example.org", Turn, Tls, 5349),
            ("turn:example.org:8000", Turn, Udp, 8000),
            ("turn:example.org?transport=udp", Turn, Udp, 3478),
            ("turn:example.org?transport=tcp", Turn, Tcp, 3478),
            ("turns:example.org?transport=tcp", Turn, Tls, 5349),
            ("TURNS:example.org:443?transport=tcp", Turn, Tls, 443),
        ] {
            let expected = (service, transport, "example.org".to_owned(), port);
            assert_eq!(parse(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn addresses_stand_in_brackets_when_they_have_colons() {
        assert_eq!(parse("stun:[2001:db8::5]").unwrap().2, "2001:db8::5");
        let turn = parse("turn:[::1]:3479?transport=tcp").unwrap();
        assert_eq!(turn, (Service::Turn, Transport::Tcp, "::1".to_owned(), 3479));
        assert_eq!(parse("turn:192.0.2.1:3478").unwrap().2, "192.0.2.1");
    }

    #[test]
    fn what_is_not_such_a_url_is_told() {
        for (text, error) in [
            ("https://example.org", InvalidIceUrl::Scheme),
            ("example.org", InvalidIceUrl::Scheme),
            ("turn://example.org", InvalidIceUrl::Host),
            ("turn:", InvalidIceUrl::Host),
            ("turn:?transport=udp", InvalidIceUrl::Host),
            ("turn:[::1", InvalidIceUrl::Host),
            ("turn:[::1]8", InvalidIceUrl::Port("8".into())),
            ("turn:::1", InvalidIceUrl::Host),
            ("turn:example.org:0", InvalidIceUrl::Port("0".into())),
            ("turn:example.org:70000", InvalidIceUrl::Port("70000".into())),
            ("turn:example.org?transport=sctp", InvalidIceUrl::Query("transport=sctp".into())),
            ("stun:example.org?transport=tcp", InvalidIceUrl::Query("transport=tcp".into())),
            ("turns:example.org?transport=udp", InvalidIceUrl::Dtls),
        ] {
            assert_eq!(parse(text), Err(error), "{text}");
        }
    }
}
