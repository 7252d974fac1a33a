//! TCP connections to peers (RFC 6062): those that wait for their client to come for them, and the
//! bytes once it has.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use peerway_turn::ConnectionId;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::clock;

/// How long a client may take to bind a connection (RFC 6062 section 5.2).
const BIND_TIMEOUT: Duration = Duration::from_secs(30);
/// Read at once.
const BUFFER: usize = 16 * 1024;

/// Connections to peers whose client has not come for them yet.
#[derive(Debug, Default)]
pub(super) struct DataConnections {
    waiting: Mutex<HashMap<ConnectionId, Waiting>>,
}

#[derive(Debug)]
struct Waiting {
    user: Arc<str>,
    connection: PeerConnection,
}

/// A connection to a peer. Ends with its allocation, and tells it when it ends by itself.
#[derive(Debug)]
pub(super) struct PeerConnection {
    pub(super) stream: TcpStream,
    /// Cancelled when the allocation is gone.
    pub(super) allocation: CancellationToken,
    /// Dropped when the connection is gone.
    pub(super) _alive: DropGuard,
}

impl DataConnections {
    /// Keeps a connection for its user, for half a minute.
    pub(super) fn park(
        self: &Arc<Self>,
        id: ConnectionId,
        user: Arc<str>,
        connection: PeerConnection,
    ) {
        let allocation = connection.allocation.clone();
        self.lock().insert(id, Waiting { user, connection });
        let parked = self.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = tokio::time::sleep(BIND_TIMEOUT) => {}
                () = allocation.cancelled() => {}
            }
            parked.lock().remove(&id);
        });
    }

    /// The connection, if it is there and belongs to this user.
    pub(super) fn take(&self, id: ConnectionId, user: &str) -> Option<PeerConnection> {
        let mut waiting = self.lock();
        if *waiting.get(&id)?.user != *user {
            return None;
        }
        waiting.remove(&id).map(|it| it.connection)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<ConnectionId, Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Carries bytes both ways until both sides have ended or the allocation has. The numbers of bytes
/// to the peer and to the client.
pub(super) async fn splice(
    client: impl AsyncRead + AsyncWrite,
    peer: PeerConnection,
    early: &[u8],
    bandwidth: Option<u64>,
) -> (u64, u64) {
    let PeerConnection { mut stream, allocation, _alive } = peer;
    let (mut from_client, mut to_client) = tokio::io::split(client);
    let (mut from_peer, mut to_peer) = stream.split();
    let (mut up, mut down) = (0, 0);
    let both = async {
        if to_peer.write_all(early).await.is_ok() {
            up += early.len() as u64;
            let there = pump(&mut from_client, &mut to_peer, bandwidth, &mut up);
            let back = pump(&mut from_peer, &mut to_client, bandwidth, &mut down);
            let ended = tokio::try_join!(there, back);
            tracing::trace!(?ended, "data connection ended");
        }
    };
    tokio::select! {
        () = both => {}
        () = allocation.cancelled() => {}
    }
    (up, down)
}

/// One direction: to the end of `from`, which is passed on.
async fn pump(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    bandwidth: Option<u64>,
    carried: &mut u64,
) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    let mut free_at = clock::now();
    loop {
        let count = from.read(&mut buffer).await?;
        if count == 0 {
            return to.shutdown().await;
        }
        if let Some(bandwidth) = bandwidth {
            tokio::time::sleep_until(Instant::from_std(free_at)).await;
            let cost = (count as u64).saturating_mul(1_000_000_000) / bandwidth.max(1);
            free_at = free_at.max(clock::now()) + Duration::from_nanos(cost);
        }
        to.write_all(&buffer[..count]).await?;
        *carried += count as u64;
    }
}
