//! The ICE servers that a peerway server tells, and when to ask again.

use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::shared::Shared;
use crate::signalling::http::{self, IceServers};
use crate::transport::NetworkOptions;

/// How long opening waits for the list. A server that is none of ours says at once that it has
/// none.
const PATIENCE: Duration = Duration::from_secs(3);
/// Not more often than this, whatever the server says.
const SHORTEST_TTL: u64 = 60;
/// When asking again has failed.
const RETRY: Duration = Duration::from_mins(1);

/// What the server tells, if it does so in time.
pub(super) async fn ask(shared: &Shared, id: &str, token: &str) -> Option<IceServers> {
    let asked = http::ice_servers(&shared.endpoint, &shared.tls, id, token);
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(Ok(servers)) => Some(servers),
        Ok(Err(failure)) => {
            tracing::debug!(%failure, "the server tells no ICE servers");
            None
        }
        Err(_) => {
            tracing::debug!("the server does not answer in time about ICE servers");
            None
        }
    }
}

type Question = Pin<Box<dyn Future<Output = Option<IceServers>> + Send>>;

/// Keeps the credentials fresh while the peer is open. They are also renewed with each new
/// connection to the server.
#[derive(Default)]
pub(super) struct Renewal {
    at: Option<Instant>,
    question: Option<Question>,
}

impl Renewal {
    /// Takes a fresh list: the connections that start from now on use it.
    pub(super) fn renew(&mut self, shared: &Shared, servers: IceServers, now: Instant) {
        tracing::debug!(servers = ?servers.ice_servers, "ICE servers of the signalling server");
        // At half time, so that a connection that starts last has a credential for the other half.
        let half = servers.ttl.map(|ttl| Duration::from_secs(ttl.max(SHORTEST_TTL)) / 2);
        self.at = half.and_then(|half| now.checked_add(half));
        let network = NetworkOptions::clone(&shared.network());
        shared.set_network(NetworkOptions { ice_servers: servers.ice_servers, ..network });
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.at
    }

    /// Asks again if it is time.
    pub(super) fn handle_time(
        &mut self,
        shared: &Arc<Shared>,
        id: &str,
        token: &str,
        now: Instant,
    ) {
        if self.at.is_none_or(|at| now < at) {
            return;
        }
        self.at = Some(now + RETRY);
        let (shared, id, token) = (shared.clone(), id.to_owned(), token.to_owned());
        self.question = Some(Box::pin(async move { ask(&shared, &id, &token).await }));
    }

    /// The answer, when there is one. Cancel-safe.
    pub(super) async fn answer(&mut self) -> Option<IceServers> {
        let Some(question) = &mut self.question else { return pending().await };
        let answer = question.await;
        self.question = None;
        answer
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use peerway_server::Server;
    use peerway_server::config::Config;

    use super::*;
    use crate::clock;
    use crate::peer::{Peer, PeerOptions};
    use crate::transport::IceServer;

    async fn options(with_turn: bool) -> PeerOptions {
        let mut config = Config { host: "127.0.0.1".into(), port: 0, ..Config::default() };
        config.turn.enabled = with_turn;
        config.turn.udp = vec!["127.0.0.1:0".parse().unwrap()];
        (config.turn.tcp, config.turn.tls) = (Vec::new(), Vec::new());
        config.turn.workers = Some(1);
        config.sfu.enabled = false;
        let server = Server::bind(config).await.unwrap();
        let port = server.local_addr().port();
        tokio::spawn(server.run());
        PeerOptions::new().host("127.0.0.1").port(port)
    }

    fn urls(peer: &Peer) -> Vec<String> {
        let network = peer.handle.shared.network();
        network.ice_servers.iter().flat_map(|server| server.urls.clone()).collect()
    }

    #[tokio::test]
    async fn an_open_peer_has_the_ice_servers_of_its_server() {
        let peer = Peer::open(options(true).await).await.unwrap();
        let urls = urls(&peer);
        assert!(urls.iter().any(|url| url.starts_with("turn:127.0.0.1:")), "{urls:?}");
        let network = peer.handle.shared.network();
        assert!(network.ice_servers.iter().any(|server| server.credential.is_some()));
    }

    #[tokio::test]
    async fn the_users_own_come_first() {
        let own = options(true).await.ice_servers([IceServer::new("stun:stun.example:1")]);
        assert_eq!(urls(&Peer::open(own).await.unwrap()), ["stun:stun.example:1"]);
        let none = options(true).await.ice_servers([]);
        assert!(urls(&Peer::open(none).await.unwrap()).is_empty());
    }

    #[tokio::test]
    async fn a_server_that_has_none_is_no_obstacle() {
        assert!(urls(&Peer::open(options(false).await).await.unwrap()).is_empty());
    }

    #[tokio::test]
    async fn credentials_are_renewed_at_half_time() {
        let peer = Peer::open(options(true).await.ice_servers([])).await.unwrap();
        let (shared, now) = (Arc::clone(&peer.handle.shared), clock::now());
        let mut renewal = Renewal::default();
        assert_eq!(renewal.poll_timeout(), None);
        let stale = IceServers { ice_servers: Vec::new(), ttl: Some(3600) };
        renewal.renew(&shared, stale, now);
        let half = now + Duration::from_mins(30);
        assert_eq!(renewal.poll_timeout(), Some(half));

        renewal.handle_time(&shared, "ann", "token", now + Duration::from_mins(29));
        assert!(renewal.question.is_none());
        renewal.handle_time(&shared, "ann", "token", half);
        assert_eq!(renewal.poll_timeout(), Some(half + RETRY), "if there is no answer");
        let fresh = renewal.answer().await.unwrap();
        renewal.renew(&shared, fresh, half);
        assert!(!urls(&peer).is_empty());
    }
}
