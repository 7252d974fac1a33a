//! The dialect's end of the Socket.IO transport.

use std::sync::Arc;
use std::task::{Context, Poll};

use peerway_protocol::Refusal;
use peerway_protocol::skyway::Packet;
use peerway_protocol::socketio::{Event, Outgoing};

use super::admission::admit;
use super::session::Session;
use crate::edge::Edge;
use crate::transport::engineio::{Alive, Application, Client, Closed, Handshake, Next};

/// Everything that is said over Socket.IO is of this dialect.
#[derive(Debug, Clone)]
pub(crate) struct SkyWay {
    edge: Arc<Edge>,
}

impl SkyWay {
    pub(crate) fn new(edge: Arc<Edge>) -> Self {
        Self { edge }
    }
}

/// One client.
pub(crate) enum SkyWayClient {
    /// It may not come in; what it is told about it.
    Refused(Option<Packet>),
    /// It is a peer, or about to be one. Boxed, as the transport moves it about.
    In(Box<Session>),
}

impl Application for SkyWay {
    type Client = SkyWayClient;

    async fn open(&self, handshake: Handshake) -> SkyWayClient {
        match admit(&self.edge, &handshake) {
            Ok(admitted) => {
                SkyWayClient::In(Box::new(Session::open(self.edge.clone(), admitted).await))
            }
            Err(packet) => SkyWayClient::Refused(Some(packet)),
        }
    }
}

impl Client for SkyWayClient {
    async fn receive(&mut self, event: Event) {
        match self {
            Self::Refused(_) => {}
            Self::In(session) => session.receive(event).await,
        }
    }

    fn poll_send(&mut self, context: &mut Context<'_>) -> Poll<Next> {
        match self {
            Self::Refused(packet) => {
                let packets = packet.take().map(outgoing).into_iter().collect();
                Poll::Ready(Next::End(packets, "refused"))
            }
            Self::In(session) => session.poll_send(context),
        }
    }

    fn alive(&self) -> Alive {
        match self {
            Self::In(session) => Box::pin(session.alive()),
            Self::Refused(_) => Box::pin(std::future::ready(())),
        }
    }

    fn refuse(&mut self, refusal: &Refusal) -> Vec<Outgoing> {
        vec![outgoing(Packet::error(refusal.into(), &refusal.to_string()))]
    }

    async fn closed(self, how: Closed) {
        if let Self::In(session) = self {
            session.closed(how).await;
        }
    }
}

pub(super) fn outgoing(packet: Packet) -> Outgoing {
    let Packet { name, json, attachments } = packet;
    Outgoing::event(name, &[&json], attachments.to_vec())
}
