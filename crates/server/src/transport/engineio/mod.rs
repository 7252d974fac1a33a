//! Engine.IO 3 and Socket.IO 4 at `/socket.io/`: long-polling, the upgrade to a `WebSocket`, and
//! `WebSocket` alone. It knows no dialect: what clients say goes to a [`Client`], and what a client is
//! told comes from there.

mod answer;
mod budget;
mod core;
mod hub;
mod polling;
mod routes;
mod socket;

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use peerway_protocol::Refusal;
use peerway_protocol::socketio::{Event, Outgoing};

pub(crate) use routes::{is_path, router};

/// What is served over the transport.
pub trait Application: Send + Sync + 'static {
    /// One session of it.
    type Client: Client;

    /// A client has shaken hands; it is told that it is connected before anything else. Is always
    /// driven to its end.
    fn open(&self, handshake: Handshake) -> impl Future<Output = Self::Client> + Send;
}

/// What a client said when it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handshake {
    /// The query of its first request, not decoded.
    pub query: String,
    /// The page's origin, from `Origin` or else from `Referer`.
    pub origin: Option<String>,
    /// The server as the client knows it.
    pub host: Option<String>,
    /// What it says it is.
    pub user_agent: Option<String>,
    /// Where it comes from.
    pub address: IpAddr,
}

/// One session of an [`Application`]. It outlives the change from polling to a `WebSocket`.
pub trait Client: Send + 'static {
    /// The client says something. One after the other, in order; while one is handled, nothing more is
    /// read from the client. Is always driven to its end.
    fn receive(&mut self, event: Event) -> impl Future<Output = ()> + Send;

    /// What to tell the client. Is asked only when the client can be told, and when all that was
    /// given before has been written. Wakes the caller when there is something; may be asked by
    /// another task than before.
    fn poll_send(&mut self, context: &mut Context<'_>) -> Poll<Next>;

    /// After [`Next::Probe`]: the client has been heard. Is always driven to its end.
    fn alive(&self) -> Alive {
        Box::pin(async {})
    }

    /// The transport refuses what the client sent (too big, too much, malformed) and will end the
    /// session: what to tell the client before. [`Client::closed`] follows with [`Closed::Refused`].
    fn refuse(&mut self, _refusal: &Refusal) -> Vec<Outgoing> {
        Vec::new()
    }

    /// The session is over. Is always driven to its end.
    fn closed(self, how: Closed) -> impl Future<Output = ()> + Send;
}

/// Passes on that a client has been heard. Rare, so a box costs nothing.
pub type Alive = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What [`Client::poll_send`] wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Tell the client these, in order.
    Packets(Vec<Outgoing>),
    /// Find out whether the client is alive. One that polls is answered with nothing, and comes again if it is.
    Probe,
    /// Tell the client these, and that it is disconnected, and end the session. The client does not
    /// come back by itself. The text is for the log and metrics.
    End(Vec<Outgoing>, &'static str),
    /// Break the connection without a word, so that the client comes back by itself: it stays away
    /// once it has been disconnected. The text is for the log and metrics.
    Break(&'static str),
}

/// How a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closed {
    /// The client said that it goes.
    ByClient,
    /// The connection broke, or the client fell silent: it may come back.
    Lost,
    /// The client sent what it may not.
    Refused,
    /// [`Next::End`] was carried out.
    Ended,
}
