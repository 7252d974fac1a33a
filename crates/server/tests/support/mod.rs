//! What the tests share: a server of their own, a raw HTTP client, a `WebSocket` client, a
//! TURN client.

mod certificate;
mod echo;
mod http;
mod member;
mod panics;
mod server;
mod skyway;
mod socket;
mod socketio;
mod stream;
mod turn;
mod turn_server;
mod turn_wire;

use std::future::Future;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};

pub(crate) use certificate::{Files, connector, local_name};
pub(crate) use http::{Answer, Request};
pub(crate) use member::{Member, Path};
pub(crate) use server::{TestServer, peer_target};
pub(crate) use skyway::{SkyWay, query as skyway_query};
pub(crate) use socket::Socket;
pub(crate) use socketio::{Heard, Part, PollAnswer, Polling, SocketIo};
pub(crate) use stream::{stream_of, until_message};
pub(crate) use turn::{Login, Refused, Relayed, TurnClient, Wish};
pub(crate) use turn_server::{TurnServer, loopback};
pub(crate) use turn_wire::Wire;

/// A connection, whatever is under it.
pub(crate) trait Io: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}
pub(crate) type BoxIo = Box<dyn Io>;

/// How long anything may take before a test gives up on it.
const PATIENCE: Duration = Duration::from_secs(10);

/// Waits for something, but not forever; `what` is for the one who reads the failure.
pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    let result = tokio::time::timeout(PATIENCE, future).await;
    result.unwrap_or_else(|_| panic!("waited {PATIENCE:?} in vain for {what}"))
}

/// A duration of the configuration.
pub(crate) fn millis(millis: u64) -> peerway_server::config::Millis {
    peerway_server::config::Millis(Duration::from_millis(millis))
}
