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
const RETRY: Duration = Duration::from_secs(60);

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
        let mut network = shared.network();
        let fresh =
            NetworkOptions { ice_servers: servers.ice_servers, ..NetworkOptions::clone(&network) };
        *network = Arc::new(fresh);
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.at
    }

    /// Asks again if it is time.
    pub(super) fn handle_time(&mut self, shared: &Arc<Shared>, id: &str, token: &str, now: Instant) {
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
