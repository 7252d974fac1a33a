//! What a session is, whatever transport it is on.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use peerway_broker::RateLimit;
use peerway_protocol::Refusal;
use peerway_protocol::engineio::{Data, Kind, Packet};
use peerway_protocol::socketio::{Assembler, Incoming, Limits, Malformed, Outgoing, to_ascii};

use super::budget::Claim;
use super::hub::Hub;
use super::{Alive, Application, Client, Closed};
use crate::edge::Place;
use crate::metrics::Transport;

/// Binary parts that one event may have.
const ATTACHMENTS: usize = 256;

/// See the module documentation.
pub(super) struct Core<A: Application> {
    hub: Arc<Hub<A>>,
    pub(super) client: A::Client,
    pub(super) assembler: Assembler,
    /// For the event of which parts are here.
    pub(super) claim: Option<Box<Claim>>,
    /// The application wants to know whether the client is alive.
    pub(super) probed: bool,
    rate: RateLimit,
    transport: Transport,
    _place: Place,
}

/// Why a session is over.
#[derive(Debug)]
pub(super) enum Over {
    /// The client said so.
    ByClient,
    /// The connection is gone, or of no more use; the word is for the log and metrics.
    Lost(&'static str),
    /// The client closed its socket, and no more.
    SocketClosed,
    /// The client sent what it may not.
    Refused(Refusal),
    /// The application wants it, after these packets.
    Ended(Vec<Outgoing>, &'static str),
}

impl Over {
    fn how(&self) -> Closed {
        match self {
            Self::ByClient => Closed::ByClient,
            Self::Lost(_) | Self::SocketClosed => Closed::Lost,
            Self::Refused(_) => Closed::Refused,
            Self::Ended(..) => Closed::Ended,
        }
    }

    pub(super) fn reason(&self) -> &'static str {
        match self {
            Self::ByClient => "departed",
            Self::Lost(reason) | Self::Ended(_, reason) => reason,
            Self::SocketClosed => "closed",
            Self::Refused(refusal) => refusal.name(),
        }
    }
}

impl<A: Application> Core<A> {
    pub(super) fn new(
        hub: Arc<Hub<A>>,
        client: A::Client,
        place: Place,
        transport: Transport,
        now: Instant,
    ) -> Self {
        hub.edge.metrics.session_opened(transport);
        let limits = Limits { attachments: ATTACHMENTS, bytes: hub.payload_size() };
        Self {
            client,
            assembler: Assembler::new(limits),
            claim: None,
            probed: false,
            rate: RateLimit::new(now),
            transport,
            _place: place,
            hub,
        }
    }

    /// The session goes on over another transport.
    pub(super) fn move_to(&mut self, transport: Transport) {
        let metrics = &self.hub.edge.metrics;
        metrics.session_closed(self.transport, "upgraded");
        metrics.session_opened(transport);
        self.transport = transport;
    }

    /// Counts a packet against the client's rate.
    pub(super) fn charge(&mut self, now: Instant) -> Result<(), Over> {
        let limits = &self.hub.edge.config.limits;
        if self.rate.take(now, limits.messages_per_second, limits.message_burst) {
            return Ok(());
        }
        Err(Over::Refused(Refusal::TooManyMessages(limits.messages_per_second)))
    }

    /// Hands on what a message packet brought; the answer, if there is one, is the transport's own.
    pub(super) async fn handle(&mut self, data: Data<'_>) -> Result<Option<Outgoing>, Over> {
        let incoming = match data {
            Data::Text(text) => self.assembler.text(&text),
            Data::Binary(bytes) => self.assembler.binary(bytes),
        };
        match incoming.map_err(|error| self.refusal(error))? {
            Incoming::Event(event) => self.client.receive(event).await,
            Incoming::Disconnect => return Err(Over::ByClient),
            Incoming::OtherNamespace(namespace) => {
                return Ok(Some(Outgoing::error(&namespace, "Invalid namespace")));
            }
            Incoming::Nothing => {}
        }
        Ok(None)
    }

    fn refusal(&self, error: Malformed) -> Over {
        match error {
            Malformed::TooBig => self.too_big(),
            error => Over::Refused(Refusal::Malformed(error.to_string())),
        }
    }

    pub(super) fn too_big(&self) -> Over {
        Over::Refused(Refusal::FrameTooBig(self.hub.payload_size()))
    }

    /// The client has been heard.
    pub(super) async fn heard(&mut self) {
        if let Some(alive) = self.proof_of_life() {
            alive.await;
        }
    }

    /// What is to be done when the client has been heard, if that was in question.
    pub(super) fn proof_of_life(&mut self) -> Option<Alive> {
        std::mem::take(&mut self.probed).then(|| self.client.alive())
    }

    /// The same, told from a task that nobody can drop.
    pub(super) fn heard_by_a_poll(&mut self) {
        if let Some(alive) = self.proof_of_life() {
            self.hub.edge.tasks.spawn(alive);
        }
    }

    /// The last words to the client, and whether it is disconnected by them.
    pub(super) fn farewell(&mut self, over: &mut Over) -> Vec<Outgoing> {
        let mut last = match over {
            Over::Refused(refusal) => {
                self.hub.edge.metrics.refused(refusal);
                self.client.refuse(refusal)
            }
            Over::Ended(packets, _) => std::mem::take(packets),
            Over::ByClient | Over::Lost(_) | Over::SocketClosed => return Vec::new(),
        };
        last.push(Outgoing::disconnect());
        last
    }

    /// The session is over, told from a task that nobody can drop.
    pub(super) fn part(self, over: Over) {
        let tasks = self.hub.edge.tasks.clone();
        tasks.spawn(async move { self.close(&over).await });
    }

    /// The session is over.
    pub(super) async fn close(self, over: &Over) {
        self.hub.edge.metrics.session_closed(self.transport, over.reason());
        tracing::debug!(reason = over.reason(), "Socket.IO session closed");
        self.client.closed(over.how()).await;
    }
}

/// A packet for a poll's answer. See [`to_ascii`] for its texts.
pub(super) fn poll_packets(outgoing: Outgoing, packets: &mut Vec<Packet<'static>>) {
    let Outgoing { text, attachments } = outgoing;
    let text = match to_ascii(&text) {
        std::borrow::Cow::Borrowed(_) => text,
        std::borrow::Cow::Owned(ascii) => ascii,
    };
    packets.push(Packet::text(Kind::Message, text));
    packets.extend(attachments.into_iter().map(|part: Bytes| Packet::binary(part)));
}
