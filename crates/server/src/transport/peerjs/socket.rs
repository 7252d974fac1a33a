//! A `PeerJS` session over a `WebSocket`: one task, one future, woken by the socket, by its
//! outbox or by its clock.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use peerway_broker::{RateLimit, SessionId};
use peerway_protocol::peerjs::{self, ClientFrame};
use peerway_protocol::{Event, PeerId, Refusal};
use tokio::time::Sleep;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{Error, Message, Utf8Bytes};

use super::parting::{Over, Parting};
use crate::clock;
use crate::edge::Edge;
use crate::http::ClientIo;
use crate::node::Stopped;
use crate::outbox::{Outbox, Queued};
use crate::transport::line::{Line, Read};

/// Who is behind a session.
pub(super) struct Identity {
    pub(super) session: SessionId,
    pub(super) me: PeerId,
    /// The client announced a version: it is 1.4.0 or later and needs no PING messages.
    pub(super) versioned: bool,
    /// The OPEN of a client that asked for more than the word.
    pub(super) greeting: Option<Box<str>>,
}

#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own about the client")]
pub(super) struct SocketSession {
    edge: Arc<Edge>,
    identity: Identity,
    line: Line,
    outbox: Arc<Outbox>,
    inbound: VecDeque<Utf8Bytes>,
    /// How the session ends once `inbound` has been handled.
    over: Option<Over>,
    /// The broker has answered: the client's frames may be read.
    attached: bool,
    /// HEARTBEAT was seen: 1.0.0 or later.
    modern: bool,
    /// PONG was seen: the SkyWay fork, which falls back to XHR.
    resumable: bool,
    /// The broker wants to know whether the client is alive.
    probed: bool,
    rate: RateLimit,
    last_frame: Instant,
    next_ping: Instant,
    timer: Pin<Box<Sleep>>,
}

/// What the session's task has to do next.
enum Step {
    Frames,
    Time,
    Over(Over),
}

impl SocketSession {
    pub(super) fn new(
        edge: Arc<Edge>,
        identity: Identity,
        io: ClientIo,
        early: Vec<u8>,
        outbox: Arc<Outbox>,
    ) -> Self {
        let now = clock::now();
        let next_ping = now + edge.config.ping_interval().0;
        Self {
            line: Line::new(io, early, edge.config.limits.frame_size.0),
            modern: identity.versioned,
            timer: Box::pin(tokio::time::sleep_until(next_ping.into())),
            edge,
            identity,
            outbox,
            inbound: VecDeque::new(),
            over: None,
            attached: false,
            resumable: false,
            probed: false,
            rate: RateLimit::new(now),
            last_frame: now,
            next_ping,
        }
    }

    /// Runs until one side ends it; returns the reason for the log.
    ///
    /// What an idle session does not need is boxed when it is needed: the size of this future is
    /// most of what a client costs.
    pub(super) async fn run(&mut self) -> &'static str {
        let over = loop {
            let over = match poll_fn(|context| self.poll_step(context)).await {
                Step::Frames => Box::pin(self.handle_frames()).await,
                Step::Time => self.handle_time(),
                Step::Over(over) => Some(over),
            };
            if let Some(over) = over {
                break over;
            }
        };
        if !matches!(over, Over::Ended(_)) {
            // The peer is gone as soon as we know, not when the socket has been closed politely.
            let resumable =
                self.resumable && matches!(over, Over::Lost | Over::Dead | Over::Closed);
            Box::pin(self.edge.node.closed(self.identity.session, resumable)).await;
        }
        let Parting { refusal, close, reason } = over.parting();
        if let Some(refusal) = refusal {
            self.edge.metrics.refused(&refusal);
            self.encode(&Event::Refused(refusal));
        }
        if let Some(close) = close {
            Box::pin(self.line.hang_up(close.frame())).await;
        }
        reason
    }

    /// Writes what can be written, then reads, then looks at the clock.
    fn poll_step(&mut self, context: &mut Context<'_>) -> Poll<Step> {
        loop {
            match self.line.poll_flush(context) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => return Poll::Ready(Step::Over(Over::Lost)),
                Poll::Pending => {
                    self.set_timer();
                    break;
                }
            }
            match self.outbox.poll_take(context) {
                Poll::Ready(Ok(events)) => self.encode_all(events),
                Poll::Ready(Err(ending)) => return Poll::Ready(Step::Over(Over::Ended(ending))),
                Poll::Pending => break,
            }
        }
        if self.attached
            && let Poll::Ready(step) = self.poll_frames(context)
        {
            return Poll::Ready(step);
        }
        self.timer.as_mut().poll(context).map(|()| Step::Time)
    }

    fn encode_all(&mut self, events: VecDeque<Queued>) {
        let now = clock::now();
        for queued in events {
            if let Some(received) = queued.received
                && matches!(queued.event, Event::Signal { .. })
            {
                self.edge.metrics.relayed(now.duration_since(received));
            }
            self.attached = true;
            if queued.event == Event::Probe {
                self.probed = true;
                self.line.send(Message::Ping(tungstenite::Bytes::new()));
            }
            self.encode(&queued.event);
        }
    }

    fn encode(&mut self, event: &Event) {
        let mut text = String::new();
        match self.identity.greeting.take_if(|_| *event == Event::Opened) {
            Some(greeting) => text = greeting.into_string(),
            None => peerjs::encode(event, &self.identity.me, &mut text),
        }
        if !text.is_empty() {
            self.line.send(Message::text(text));
        }
    }

    /// Reads until there is a text frame for the broker, or nothing more to read.
    fn poll_frames(&mut self, context: &mut Context<'_>) -> Poll<Step> {
        loop {
            let mut seen = Seen::default();
            let inbound = &mut self.inbound;
            let result = match self.line.poll_read(context, |message| seen.take(message, inbound)) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Read::Lost) => return Poll::Ready(Step::Over(Over::Lost)),
                Poll::Ready(Read::Bytes(_, result)) => result,
            };
            if let Some(step) = self.judge(seen, result) {
                return Poll::Ready(step);
            }
        }
    }

    fn judge(&mut self, seen: Seen, result: Result<(), Error>) -> Option<Step> {
        let Seen { alive, control_frames, mut over } = seen;
        if alive {
            self.last_frame = clock::now();
        }
        for _ in 0..control_frames {
            over = over.or_else(|| self.charge());
        }
        let over = over.or_else(|| match result {
            Ok(()) => None,
            Err(Error::Capacity(_)) => Some(Over::Refused(
                Refusal::FrameTooBig(self.edge.config.limits.frame_size.0),
                CloseCode::Size,
            )),
            Err(Error::Utf8(_)) => Some(Over::not_utf8()),
            Err(Error::ConnectionClosed | Error::AlreadyClosed) => Some(Over::Closed),
            Err(error) => Some(Over::Protocol(error.to_string())),
        });
        match over {
            // What came before the end still counts.
            Some(over) if self.inbound.is_empty() => Some(Step::Over(over)),
            Some(over) => {
                self.over = Some(over);
                Some(Step::Frames)
            }
            None => (!self.inbound.is_empty() || (alive && self.probed)).then_some(Step::Frames),
        }
    }

    /// Counts a frame that the broker does not see against the client's rate.
    fn charge(&mut self) -> Option<Over> {
        let limits = &self.edge.config.limits;
        if self.rate.take(self.last_frame, limits.messages_per_second, limits.message_burst) {
            return None;
        }
        let refusal = Refusal::TooManyMessages(limits.messages_per_second);
        Some(Over::Refused(refusal, CloseCode::Policy))
    }

    async fn handle_frames(&mut self) -> Option<Over> {
        if std::mem::take(&mut self.probed)
            && let Err(Stopped) = self.edge.node.alive(self.identity.session).await
        {
            // The outbox has the farewell.
            return None;
        }
        for frame in std::mem::take(&mut self.inbound) {
            let request = match peerjs::decode(&frame) {
                Ok(ClientFrame::Request(request)) => request,
                Ok(other) => {
                    self.modern |= other == ClientFrame::Heartbeat;
                    self.resumable |= other == ClientFrame::Pong;
                    if let Some(over) = self.charge() {
                        return Some(over);
                    }
                    continue;
                }
                Err(error) => {
                    if let Some(over) = self.charge() {
                        return Some(over);
                    }
                    tracing::debug!(peer = %self.identity.me, %error, "malformed frame");
                    let refusal = Refusal::from(error);
                    self.edge.metrics.refused(&refusal);
                    self.encode(&Event::Refused(refusal));
                    continue;
                }
            };
            let node = &self.edge.node;
            if let Err(Stopped) =
                node.request(self.identity.session, request, self.last_frame).await
            {
                // The outbox has the farewell.
                return None;
            }
        }
        self.over.take()
    }

    fn handle_time(&mut self) -> Option<Over> {
        let now = clock::now();
        let config = &self.edge.config;
        let silent = now.duration_since(self.last_frame);
        if silent >= config.alive_timeout.0 {
            return Some(Over::Dead);
        }
        if self.line.stuck_since().is_some_and(|since| now >= since + config.limits.write_timeout.0)
        {
            return Some(Over::Stuck);
        }
        if now >= self.next_ping {
            self.next_ping = now + config.ping_interval().0;
            if !self.modern {
                self.line.send(Message::text(peerjs::PING));
            }
            if silent >= config.ping_interval().0 {
                self.line.send(Message::Ping(tungstenite::Bytes::new()));
            }
        }
        self.set_timer();
        None
    }

    /// Sets the timer to the next thing that time can bring.
    fn set_timer(&mut self) {
        let config = &self.edge.config;
        let dead_at = self.last_frame + config.alive_timeout.0;
        let stuck_at = self.line.stuck_since().map(|since| since + config.limits.write_timeout.0);
        let next = [Some(self.next_ping), Some(dead_at), stuck_at].into_iter().flatten().min();
        if let Some(next) = next {
            self.timer.as_mut().reset(next.into());
        }
    }
}

/// What one read brought besides texts.
#[derive(Default)]
struct Seen {
    alive: bool,
    control_frames: u32,
    over: Option<Over>,
}

impl Seen {
    fn take(&mut self, message: Message, inbound: &mut VecDeque<Utf8Bytes>) {
        self.alive = true;
        match message {
            Message::Text(text) => inbound.push_back(text),
            // PeerServer takes JSON in binary frames too.
            Message::Binary(bytes) => match Utf8Bytes::try_from(bytes) {
                Ok(text) => inbound.push_back(text),
                Err(_) => self.over = Some(Over::not_utf8()),
            },
            Message::Close(_) => self.over = Some(Over::Closed),
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => self.control_frames += 1,
        }
    }
}
