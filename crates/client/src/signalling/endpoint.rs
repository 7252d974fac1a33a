//! Where a signalling server is, and the URLs it has.

use hyper::Uri;
use hyper::http::HeaderValue;
use peerway_protocol::peerjs::client::handshake_query;

/// A server and the app on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) secure: bool,
    /// A name, or an address without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Prefix of all URLs, between slashes.
    pub(crate) path: String,
    pub(crate) key: String,
    pub(crate) origin: Option<HeaderValue>,
}

/// A server's URL taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ServerUrl {
    pub(crate) secure: bool,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) path: String,
}

impl ServerUrl {
    /// `https://example.org/myapp/`: the port may be left out, user and query there must be none.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let uri: Uri = text.parse().ok()?;
        let secure = match uri.scheme_str()? {
            "https" | "wss" => true,
            "http" | "ws" => false,
            _ => return None,
        };
        let authority = uri.authority()?;
        if authority.as_str().contains('@') || uri.query().is_some() {
            return None;
        }
        Some(Self {
            secure,
            host: authority.host().trim_matches(['[', ']']).to_owned(),
            port: authority.port_u16().unwrap_or(default_port(secure)),
            path: uri.path().to_owned(),
        })
    }
}

fn default_port(secure: bool) -> u16 {
    if secure { 443 } else { 80 }
}

impl Endpoint {
    /// As it goes into the `Host` header.
    pub(crate) fn authority(&self) -> String {
        let host =
            if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == default_port(self.secure) { host } else { format!("{host}:{}", self.port) }
    }

    /// The server as people write it down.
    pub(crate) fn url(&self) -> String {
        let scheme = if self.secure { "https" } else { "http" };
        format!("{scheme}://{}{}", self.authority(), self.path)
    }

    /// Whether requests can be made of it.
    pub(crate) fn is_sound(&self) -> bool {
        !self.host.is_empty()
            && self.url().parse::<Uri>().is_ok_and(|uri| uri.query().is_none())
            && self.id_target("0").parse::<Uri>().is_ok()
    }

    /// `GET` gives a fresh id. `salt` keeps caches from answering twice the same.
    pub(crate) fn id_target(&self, salt: &str) -> String {
        let version = env!("CARGO_PKG_VERSION");
        format!("{}{}/id?ts={salt}&version={version}", self.path, segment(&self.key))
    }

    /// `GET` lists the peers of the app.
    pub(crate) fn peers_target(&self, salt: &str) -> String {
        let version = env!("CARGO_PKG_VERSION");
        format!("{}{}/peers?ts={salt}&version={version}", self.path, segment(&self.key))
    }

    /// `GET` at a peerway server gives STUN and TURN servers with a fresh credential. Not below the
    /// path prefix. Id and token are for apps that want signed ids.
    pub(crate) fn ice_target(&self, id: &str, token: &str) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("key", &self.key).append_pair("id", id).append_pair("token", token);
        format!("/v1/ice?{}", query.finish())
    }

    /// The URL of a peer's `WebSocket`.
    pub(crate) fn socket_url(&self, id: &str, token: &str) -> String {
        let scheme = if self.secure { "wss" } else { "ws" };
        let query = handshake_query(&self.key, id, token, Some(env!("CARGO_PKG_VERSION")));
        format!("{scheme}://{}{}peerjs?{query}", self.authority(), self.path)
    }
}

/// The path between slashes, whatever was given of them.
pub(crate) fn between_slashes(path: &str) -> String {
    match path.trim_matches('/') {
        "" => "/".to_owned(),
        path => format!("/{path}/"),
    }
}

/// A text as one segment of a path. Forms write a space as a plus sign, paths do not.
fn segment(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(host: &str, port: u16, secure: bool, path: &str) -> Endpoint {
        let path = between_slashes(path);
        Endpoint { secure, host: host.into(), port, path, key: "a key+".into(), origin: None }
    }

    #[test]
    fn urls_are_those_of_peerjs() {
        let server = endpoint("::1", 9000, false, "my/app");
        assert_eq!(server.url(), "http://[::1]:9000/my/app/");
        assert!(server.id_target("7").starts_with("/my/app/a%20key%2B/id?ts=7&version="));
        assert!(server.peers_target("7").starts_with("/my/app/a%20key%2B/peers?ts=7&version="));
        let socket = server.socket_url("a b", "t&u");
        let expected = "ws://[::1]:9000/my/app/peerjs?key=a+key%2B&id=a+b&token=t%26u&version=";
        assert!(socket.starts_with(expected), "{socket}");
        assert_eq!(server.ice_target("a", "t"), "/v1/ice?key=a+key%2B&id=a&token=t");
        let usual = endpoint("a.example", 443, true, "/");
        assert_eq!(usual.url(), "https://a.example/");
    }

    #[test]
    fn addresses_that_make_no_url_are_noticed() {
        assert!(endpoint("localhost", 1, false, "/").is_sound());
        for (host, path) in [("", "/"), ("a b", "/"), ("a/b?", "/"), ("a", "/x y/"), ("a", "/x?y/")]
        {
            assert!(!endpoint(host, 1, false, path).is_sound(), "{host} {path}");
        }
    }

    #[test]
    fn a_server_can_be_given_as_url() {
        let parsed = |text| ServerUrl::parse(text).map(|it| (it.secure, it.host, it.port, it.path));
        let expected = |secure, host: &str, port, path: &str| {
            Some((secure, host.to_owned(), port, path.to_owned()))
        };
        assert_eq!(parsed("http://localhost:9000"), expected(false, "localhost", 9000, "/"));
        assert_eq!(parsed("https://a.example/my/"), expected(true, "a.example", 443, "/my/"));
        assert_eq!(parsed("wss://[::1]/"), expected(true, "::1", 443, "/"));
        for text in ["", "localhost", "localhost:9000", "turn:a", "http://u@a/", "http://a/?b"] {
            assert_eq!(parsed(text), None, "{text}");
        }
    }
}
