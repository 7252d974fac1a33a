//! What a peer can be made with.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use hyper::http::HeaderValue;

use super::{PeerError, PeerErrorKind};
use crate::clock;
use crate::signalling::backoff::Backoff;
use crate::signalling::endpoint::{Endpoint, ServerUrl, between_slashes};
use crate::signalling::{session, tls};
use crate::transport::{IceServer, IceTransportPolicy, NetworkOptions};

/// When and how often a lost connection to the server is made again. The waiting time doubles with
/// each attempt, and a random part of up to half of it is left out, so that the peers of a server
/// that was restarted do not all come at once.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reconnect {
    /// Waiting time before the first attempt. Default: 500 ms.
    pub first_delay: Duration,
    /// Longest waiting time. Default: 30 s.
    pub longest_delay: Duration,
    /// Attempts in a row before the peer stays disconnected. Default: none, it never gives up.
    pub attempts: Option<u32>,
}

impl Default for Reconnect {
    fn default() -> Self {
        Self {
            first_delay: Duration::from_millis(500),
            longest_delay: Duration::from_secs(30),
            attempts: None,
        }
    }
}

impl Reconnect {
    /// A lost connection stays lost until [`Peer::reconnect`](crate::Peer::reconnect), as in
    /// `PeerJS`.
    #[must_use]
    pub fn never() -> Self {
        Self { attempts: Some(0), ..Self::default() }
    }

    /// Waits so long before the first attempt.
    #[must_use]
    pub fn first_delay(mut self, delay: Duration) -> Self {
        self.first_delay = delay;
        self
    }

    /// Waits no longer than this.
    #[must_use]
    pub fn longest_delay(mut self, delay: Duration) -> Self {
        self.longest_delay = delay;
        self
    }

    /// Gives up after so many attempts in a row.
    #[must_use]
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = Some(attempts);
        self
    }
}

/// Options of a [`Peer`](crate::Peer); names are those of `PeerJS`.
///
/// Unlike in `PeerJS` the default server is `http://localhost:9000/`, where a bare `peerway serve`
/// and PeerServer listen: no program talks to a server on the internet that nobody named. The
/// option `debug` is the filter of your `tracing` subscriber: `peerway=debug`.
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own, not a state")]
#[derive(Clone)]
#[non_exhaustive]
pub struct PeerOptions {
    /// Wanted id; default: the server gives one.
    pub id: Option<String>,
    /// App key; default: `peerjs`.
    pub key: String,
    /// Name or address of the server; default: `localhost`.
    pub host: String,
    /// Its port; default: 9000.
    pub port: u16,
    /// Prefix of its URLs; default: `/`. Slashes at either end may be left out.
    pub path: String,
    /// Whether to use TLS; default: no.
    pub secure: bool,
    /// Secret under which the id can be taken up again; default: random. Where ids must be signed,
    /// the signature (`peerway token`).
    pub token: Option<String>,
    /// STUN and TURN servers. Default: what a peerway server tells at `/v1/ice`, with fresh
    /// credentials; with any other server none. An empty list asks for none.
    pub ice_servers: Option<Vec<IceServer>>,
    /// [`Relay`](IceTransportPolicy::Relay) uses relayed candidates only; default: all.
    pub ice_transport_policy: IceTransportPolicy,
    /// Offers addresses of the loopback interface too, for peers on one machine; default: no.
    pub loopback: bool,
    /// Resolves the `.local` names behind which browsers hide their addresses; default: yes.
    pub mdns: bool,
    /// PEM file of certificates to trust besides those of the system, for a server with a
    /// certificate of one's own. For signalling and for `turns:`.
    pub ca_file: Option<PathBuf>,
    /// `Origin` header, for apps that allow certain origins only; default: none.
    pub origin: Option<String>,
    /// What to do when the connection to the server is lost.
    pub reconnect: Reconnect,
    /// Waits for a server that cannot be reached in the beginning, in the rhythm of
    /// [`reconnect`](Self::reconnect), instead of ending the peer with an error; default: no.
    pub keep_trying: bool,
}

impl Default for PeerOptions {
    fn default() -> Self {
        Self {
            id: None,
            key: "peerjs".into(),
            host: "localhost".into(),
            port: 9000,
            path: "/".into(),
            secure: false,
            token: None,
            ice_servers: None,
            ice_transport_policy: IceTransportPolicy::default(),
            loopback: false,
            mdns: true,
            ca_file: None,
            origin: None,
            reconnect: Reconnect::default(),
            keep_trying: false,
        }
    }
}

impl PeerOptions {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The defaults at another server: `https://example.org/myapp/`, `http://localhost:9000`.
    ///
    /// # Errors
    ///
    /// [`InvalidOption`](super::PeerErrorKind::InvalidOption) if it is no such URL.
    pub fn at(url: &str) -> Result<Self, PeerError> {
        Self::default().server(url)
    }

    /// Sets [`secure`](Self::secure), [`host`](Self::host), [`port`](Self::port) and
    /// [`path`](Self::path) by a URL; see [`at`](Self::at).
    ///
    /// # Errors
    ///
    /// As [`at`](Self::at).
    pub fn server(mut self, url: &str) -> Result<Self, PeerError> {
        let parsed = ServerUrl::parse(url).ok_or_else(|| {
            invalid(format!("a server is given like https://example.org/ and not like this: {url}"))
        })?;
        (self.secure, self.host) = (parsed.secure, parsed.host);
        (self.port, self.path) = (parsed.port, parsed.path);
        Ok(self)
    }

    /// Sets the wanted id.
    #[must_use]
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Sets the app key.
    #[must_use]
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = key.into();
        self
    }

    /// Sets the server's name or address.
    #[must_use]
    pub fn host(mut self, host: impl Into<String>) -> Self {
        self.host = host.into();
        self
    }

    /// Sets the server's port.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Sets the prefix of the server's URLs.
    #[must_use]
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// Uses TLS.
    #[must_use]
    pub fn secure(mut self, secure: bool) -> Self {
        self.secure = secure;
        self
    }

    /// Sets the token.
    #[must_use]
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// Sets STUN and TURN servers; none at all with an empty list.
    #[must_use]
    pub fn ice_servers(mut self, servers: impl Into<Vec<IceServer>>) -> Self {
        self.ice_servers = Some(servers.into());
        self
    }

    /// Sets which candidates are used.
    #[must_use]
    pub fn ice_transport_policy(mut self, policy: IceTransportPolicy) -> Self {
        self.ice_transport_policy = policy;
        self
    }

    /// Offers addresses of the loopback interface too.
    #[must_use]
    pub fn loopback(mut self, loopback: bool) -> Self {
        self.loopback = loopback;
        self
    }

    /// Resolves `.local` names.
    #[must_use]
    pub fn mdns(mut self, mdns: bool) -> Self {
        self.mdns = mdns;
        self
    }

    /// Trusts the certificates in this PEM file too.
    #[must_use]
    pub fn ca_file(mut self, file: impl Into<PathBuf>) -> Self {
        self.ca_file = Some(file.into());
        self
    }

    /// Sets the `Origin` header.
    #[must_use]
    pub fn origin(mut self, origin: impl Into<String>) -> Self {
        self.origin = Some(origin.into());
        self
    }

    /// Sets what to do when the connection to the server is lost.
    #[must_use]
    pub fn reconnect(mut self, reconnect: Reconnect) -> Self {
        self.reconnect = reconnect;
        self
    }

    /// Waits for a server that cannot be reached in the beginning.
    #[must_use]
    pub fn keep_trying(mut self, keep_trying: bool) -> Self {
        self.keep_trying = keep_trying;
        self
    }
}

/// Without the token, which is a secret.
impl fmt::Debug for PeerOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeerOptions")
            .field("id", &self.id)
            .field("key", &self.key)
            .field("host", &self.host)
            .field("port", &self.port)
            .field("path", &self.path)
            .field("secure", &self.secure)
            .finish_non_exhaustive()
    }
}

/// What a peer is made of, once the options are seen to be right.
pub(super) struct Made {
    pub(super) endpoint: Endpoint,
    pub(super) network: NetworkOptions,
    pub(super) session: session::Settings,
    pub(super) token: String,
    /// The user gave no ICE servers.
    pub(super) ask_ice: bool,
}

impl PeerOptions {
    pub(super) fn check(self) -> Result<Made, PeerError> {
        if let Some(id) = self.id.as_deref().filter(|id| !is_id(id)) {
            let message = format!(
                "this cannot be an id, which has letters and digits with single spaces, dashes and \
                 underscores between them: {id}"
            );
            return Err(PeerError::new(PeerErrorKind::InvalidId, message));
        }
        let origin = self.origin.as_deref().map(HeaderValue::from_str).transpose();
        let origin = origin.map_err(|_| invalid("`origin` cannot be a header"))?;
        let endpoint = Endpoint {
            secure: self.secure,
            host: self.host.trim_matches(['[', ']']).to_owned(),
            port: self.port,
            path: between_slashes(&self.path),
            key: self.key,
            origin,
        };
        if !endpoint.is_sound() {
            let url = endpoint.url();
            return Err(invalid(format!("host and path make no URL of a server: {url}")));
        }
        if endpoint.key.is_empty() {
            return Err(invalid("`key` is empty"));
        }
        let tls = tls::config(self.ca_file.as_deref()).map_err(invalid)?;
        let own_token = self.token.is_some();
        let token = self.token.unwrap_or_else(clock::random_word);
        if token.is_empty() {
            return Err(invalid("`token` is empty"));
        }
        let Reconnect { first_delay, longest_delay, attempts } = self.reconnect;
        let mut seed = [0; 8];
        clock::fill_random(&mut seed);
        let seed = u64::from_ne_bytes(seed);
        let session = session::Settings {
            at: endpoint.url(),
            id: self.id,
            own_token,
            keep_trying: self.keep_trying,
            backoff: Backoff::new(first_delay, longest_delay, attempts, seed),
        };
        let ask_ice = self.ice_servers.is_none();
        let network = NetworkOptions {
            ice_servers: self.ice_servers.unwrap_or_default(),
            policy: self.ice_transport_policy,
            loopback: self.loopback,
            mdns: self.mdns,
            tls,
        };
        Ok(Made { endpoint, network, session, token, ask_ice })
    }
}

fn invalid(message: impl Into<String>) -> PeerError {
    PeerError::new(PeerErrorKind::InvalidOption, message)
}

/// The rule of `PeerJS`, `^[A-Za-z0-9]+(?:[ _-][A-Za-z0-9]+)*$`.
fn is_id(text: &str) -> bool {
    let words = &mut text.split([' ', '_', '-']);
    words.all(|word| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(options: PeerOptions) -> PeerErrorKind {
        options.check().err().expect("it is refused").kind()
    }

    #[test]
    fn ids_follow_the_rule_of_peerjs() {
        for id in ["a", "9", "a-b_c d", "01234567-89ab-4cde-8f01-23456789abcd"] {
            assert!(is_id(id), "{id}");
        }
        for id in ["", " ", "-a", "a-", "a--b", "a/b", "日本"] {
            assert!(!is_id(id), "{id}");
        }
        assert_eq!(refused(PeerOptions::new().id("a--b")), PeerErrorKind::InvalidId);
    }

    #[test]
    fn options_that_cannot_be_right_are_refused_at_once() {
        let new = PeerOptions::new;
        for options in [
            new().host(""),
            new().host("http://localhost/"),
            new().path("a?b"),
            new().key(""),
            new().token(""),
            new().origin("a\nb"),
            new().ca_file("/nowhere/at/all.pem"),
        ] {
            assert_eq!(refused(options), PeerErrorKind::InvalidOption);
        }
        assert!(PeerOptions::at("localhost:9000").is_err());
    }

    #[test]
    fn a_url_sets_four_options() {
        let options = PeerOptions::at("https://[::1]/my/").unwrap();
        assert!(options.secure);
        assert_eq!(
            (options.host.as_str(), options.port, options.path.as_str()),
            ("::1", 443, "/my/")
        );
        assert_eq!(options.check().unwrap().endpoint.url(), "https://[::1]/my/");
    }

    #[test]
    fn the_token_is_not_printed() {
        let printed = format!("{:?}", PeerOptions::new().token("secret-word"));
        assert!(!printed.contains("secret-word"), "{printed}");
    }
}
