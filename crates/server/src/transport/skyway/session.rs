//! One client that is a peer: its events become requests, and what the node tells it becomes events.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::net::IpAddr;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use peerway_broker::{Channel, HangupReason, Open, SessionId};
use peerway_protocol::skyway::{self, Credential, CredentialError, ErrorType, Message, Packet};
use peerway_protocol::socketio::{self, Outgoing};
use peerway_protocol::{Dialect, Event, Refusal, Request, RoomRequest};

use super::admission::{Admitted, refuse_credential, turn_credential};
use super::client::outgoing;
use super::expiry::{Expiry, Stage};
use crate::auth::App;
use crate::clock;
use crate::edge::Edge;
use crate::outbox::{Ending, Outbox, Queued};
use crate::transport::engineio::{Closed, Next};

/// See the module documentation.
pub(crate) struct Session {
    edge: Arc<Edge>,
    app: Arc<App>,
    id: SessionId,
    /// Where the client comes from.
    address: IpAddr,
    dialect: skyway::Session,
    outbox: Arc<Outbox>,
    /// What comes next to the client.
    packets: Vec<Outgoing>,
    /// The events behind `packets`.
    waiting: VecDeque<Queued>,
    /// The events that the transport is writing, or has written to a client that polls and has not come
    /// back since. If it never does they go to the session that takes over.
    given: VecDeque<Queued>,
    /// The node has answered: it takes requests.
    attached: bool,
    /// The node wants to know whether the client is alive.
    probed: bool,
    ending: Option<Ending>,
    /// Where a credential is wanted.
    expiry: Option<Box<Expiry>>,
    /// The seconds since 1970 at which that ends.
    expires: Option<u64>,
    /// Who waits for something to tell the client.
    waker: Option<Waker>,
}

impl Session {
    pub(super) async fn open(edge: Arc<Edge>, admitted: Admitted) -> Self {
        let Admitted { app, peer, proof, profile, expiry: expires, address: client } = admitted;
        let (id, outbox) = (edge.node.next_session(), edge.outboxes.open());
        let address = app.address(peer.clone());
        tracing::debug!(%address, "SkyWay session opened");
        let (channel, dialect) = (Channel::Socket, Dialect::SkyWay);
        let open = Open { session: id, address, proof, channel, dialect };
        if edge.node.open(open, outbox.clone()).await.is_err() {
            outbox.end(Ending::Shutdown);
        }
        Self {
            edge,
            app,
            id,
            address: client,
            dialect: skyway::Session::new(peer, profile),
            outbox,
            packets: Vec::new(),
            waiting: VecDeque::new(),
            given: VecDeque::new(),
            attached: false,
            probed: false,
            ending: None,
            expiry: expires.map(|end| Box::new(expiry_at(end))),
            expires,
            waker: None,
        }
    }

    pub(super) async fn receive(&mut self, event: socketio::Event) {
        let received = clock::now();
        let socketio::Event { name, arguments, attachments, .. } = event;
        let payload = arguments.first().map(|it| &**it);
        match self.dialect.decode(&name, payload, attachments) {
            Ok(Message::Request(request)) => match self.too_big(&request) {
                Some(refusal) => self.refuse(&refusal),
                // On a reconnect the SDK may speak before OPEN.
                None if self.attached().await => {
                    // If the node has stopped, the outbox has the farewell.
                    let _ = self.edge.node.request(self.id, request, received).await;
                }
                None => {}
            },
            Ok(Message::Credential(credential)) => self.renew(credential),
            Ok(Message::Ping | Message::Ignored) => {}
            Err(error) => {
                let told = error.to_string();
                tracing::debug!(peer = %self.dialect.peer(), name, error = told, "malformed event");
                self.edge.metrics.refused(&Refusal::Malformed(String::new()));
                self.tell(Packet::error(error.error_type(), &told));
            }
        }
    }

    /// The transport takes what rooms may be told; signals are as small as those of other clients.
    fn too_big(&self, request: &Request) -> Option<Refusal> {
        let limit = self.edge.config.limits.frame_size.0;
        match request {
            Request::Send { signal, .. } if signal.weight() > limit => {
                Some(Refusal::FrameTooBig(limit))
            }
            Request::Room { request: RoomRequest::Media { request, .. }, .. }
                if request.weight() > limit =>
            {
                Some(Refusal::FrameTooBig(limit))
            }
            _ => None,
        }
    }

    fn refuse(&mut self, refusal: &Refusal) {
        self.edge.metrics.refused(refusal);
        if let Some(packet) = self.dialect.encode(&Event::Refused(refusal.clone())) {
            self.tell(packet);
        }
    }

    /// `UPDATE_CREDENTIAL`: success is silent, and after a failure the old one is good for its time.
    fn renew(&mut self, credential: Result<Credential, CredentialError>) {
        if self.expires.is_none() {
            // Nobody asked; the SDK sends it nevertheless.
            return;
        }
        let judged = credential.and_then(|credential| {
            self.app.judge(self.dialect.peer(), &credential, clock::unix_now())?;
            Ok(credential.expiry())
        });
        match judged {
            Ok(end) => {
                self.expires = Some(end);
                self.expiry = Some(Box::new(expiry_at(end)));
                // The new timer must be waited for.
                self.wake();
            }
            Err(error) => {
                let packet = refuse_credential(&self.edge, &error);
                self.tell(packet);
            }
        }
    }

    fn tell(&mut self, packet: Packet) {
        self.packets.push(outgoing(packet));
        self.wake();
    }

    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Waits until the node has answered; false if it has refused.
    async fn attached(&mut self) -> bool {
        while !self.attached && self.ending.is_none() {
            poll_fn(|context| self.poll_outbox(context)).await;
        }
        // The outbox has woken us alone.
        self.wake();
        self.attached
    }

    /// Takes what is in the outbox, once there is something.
    fn poll_outbox(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.ending.is_some() {
            return Poll::Ready(());
        }
        match self.outbox.poll_take(context) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Err(ending)) => self.ending = Some(ending),
            Poll::Ready(Ok(events)) => {
                for queued in events {
                    self.encode(queued);
                }
            }
        }
        Poll::Ready(())
    }

    fn encode(&mut self, queued: Queued) {
        match &queued.event {
            Event::Probe => self.probed = true,
            Event::Opened | Event::Resumed => {
                self.attached = true;
                self.encode_opened();
            }
            event => {
                if let Some(packet) = self.dialect.encode(event) {
                    self.packets.push(outgoing(packet));
                }
                if let (Event::Signal { .. }, Some(received)) = (event, queued.received) {
                    let took = clock::now().saturating_duration_since(received);
                    self.edge.metrics.relayed(took);
                }
                self.waiting.push_back(queued);
            }
        }
    }

    fn encode_opened(&mut self) {
        let turn = turn_credential(&self.edge, &self.app, self.expires);
        self.packets.push(outgoing(self.dialect.opened(turn.as_ref().ok())));
        if let Err(Some(packet)) = turn {
            self.packets.push(outgoing(packet));
        }
    }

    pub(super) fn poll_send(&mut self, context: &mut Context<'_>) -> Poll<Next> {
        // What was given before has been written.
        self.given = VecDeque::new();
        while self.poll_outbox(context).is_ready() {
            if let Some(ending) = self.ending {
                return Poll::Ready(self.farewell(ending));
            }
        }
        match self.poll_expiry(context) {
            Some(Stage::End) => {
                let message = "the credential has expired";
                self.packets.push(outgoing(Packet::error(ErrorType::Authentication, message)));
                return Poll::Ready(Next::End(self.take_packets(), "credential_expired"));
            }
            Some(Stage::Warning(seconds)) => {
                self.packets.push(outgoing(Packet::expires_in(seconds)));
            }
            None => {}
        }
        if !self.packets.is_empty() {
            return Poll::Ready(Next::Packets(self.take_packets()));
        }
        if std::mem::take(&mut self.probed) {
            return Poll::Ready(Next::Probe);
        }
        match &mut self.waker {
            Some(waker) => waker.clone_from(context.waker()),
            none => *none = Some(context.waker().clone()),
        }
        Poll::Pending
    }

    fn poll_expiry(&mut self, context: &mut Context<'_>) -> Option<Stage> {
        match self.expiry.as_mut()?.poll(context) {
            Poll::Ready(stage) => Some(stage),
            Poll::Pending => None,
        }
    }

    fn take_packets(&mut self) -> Vec<Outgoing> {
        self.given = std::mem::take(&mut self.waiting);
        std::mem::take(&mut self.packets)
    }

    /// What the client is told when the node ends its session. The SDK takes a disconnect for its own
    /// wish, stays away for ever and tells nobody, so an ERROR goes before.
    fn farewell(&mut self, ending: Ending) -> Next {
        let (words, reason) = match ending {
            Ending::Hangup(HangupReason::Refused) => (None, "refused"),
            Ending::Hangup(HangupReason::Superseded) => (None, "superseded"),
            Ending::Hangup(HangupReason::Departed) => (None, "departed"),
            Ending::Hangup(HangupReason::TooManyMessages) => {
                (Some("too many messages"), "message_rate")
            }
            Ending::Hangup(HangupReason::SlowReader) => {
                (Some("what was sent was not read in time"), "slow_reader")
            }
            // If it lives it comes back, and hears that its id is another's.
            Ending::Hangup(HangupReason::Dead) => return Next::Break("dead"),
            // It comes back to the server that takes this one's place.
            Ending::Shutdown => return Next::Break("shutdown"),
        };
        if let Some(words) = words {
            self.packets.push(outgoing(Packet::error(ErrorType::ServerError, words)));
        }
        Next::End(self.take_packets(), reason)
    }

    pub(super) fn alive(&self) -> impl Future<Output = ()> + Send + 'static {
        let (edge, id) = (self.edge.clone(), self.id);
        async move {
            // If the node has stopped, the outbox has the farewell.
            let _ = edge.node.alive(id).await;
        }
    }

    pub(super) async fn closed(self, how: Closed) {
        match how {
            Closed::ByClient | Closed::Refused | Closed::Ended => {
                self.edge.node.closed(self.id, false).await;
            }
            Closed::Lost => {
                // As many may be lost as may be connected, lest one address fill the app.
                let limit = self.edge.config.limits.sessions_per_address;
                let Some(place) = self.edge.lost.enter(self.address, limit) else {
                    self.edge.metrics.refused_for("too_many_lost");
                    return self.edge.node.closed(self.id, false).await;
                };
                self.outbox.occupy(place);
                self.outbox.put_back(self.given.into_iter().chain(self.waiting));
                self.edge.node.lost(self.id).await;
            }
        }
    }
}

fn expiry_at(unix: u64) -> Expiry {
    Expiry::new(clock::now(), unix.saturating_sub(clock::unix_now()))
}
