//! A `PeerJS` session over a `WebSocket`: one task, one future, woken by the socket, by its
//! outbox or by its clock.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use peerway_broker::{RateLimit, SessionId};
use peerway_protocol::peerjs::{self, ClientFrame};
use peerway_protocol::{Event, PeerId, Refusal};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::Sleep;
use tungstenite::protocol::CloseFrame;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{Error, Message, Utf8Bytes};

use super::parting::{Over, Parting};
use crate::clock;
use crate::edge::Edge;
use crate::http::ClientIo;
use crate::node::Stopped;
use crate::outbox::{Outbox, Queued};
use crate::transport::websocket::Codec;

/// Bytes read from a socket at once, into a buffer that the sessions of a thread share.
const READ_SIZE: usize = 64 * 1024;
/// How long and how much is read after a close frame, so that what was said last is not lost to
/// a connection reset.
const LINGER: Duration = Duration::from_secs(3);
const LINGER_BYTES: usize = 64 * 1024 * 1024;

thread_local! {
    static READ_BUFFER: std::cell::RefCell<Vec<u8>> = const { std::cell::RefCell::new(Vec::new()) };
}

/// Who is behind a session.
pub(super) struct Identity {
    pub(super) session: SessionId,
    pub(super) me: PeerId,
    /// The client announced a version: it is 1.4.0 or later and needs no PING messages.
    pub(super) versioned: bool,
}

#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own about the client")]
pub(super) struct SocketSession {
    edge: Arc<Edge>,
    identity: Identity,
    io: ClientIo,
    codec: Codec,
    /// Bytes that came right behind the handshake.
    early: Vec<u8>,
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
    /// Since when the socket has not taken what is to be written.
    stuck_since: Option<Instant>,
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
            codec: Codec::new(edge.config.limits.frame_size.0),
            early,
            modern: identity.versioned,
            timer: Box::pin(tokio::time::sleep_until(next_ping.into())),
            edge,
            identity,
            io,
            outbox,
            inbound: VecDeque::new(),
            over: None,
            attached: false,
            resumable: false,
            probed: false,
            rate: RateLimit::new(now),
            last_frame: now,
            next_ping,
            stuck_since: None,
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
            Box::pin(self.hang_up(close.frame())).await;
        }
        reason
    }

    /// Writes what can be written, then reads, then looks at the clock.
    fn poll_step(&mut self, context: &mut Context<'_>) -> Poll<Step> {
        loop {
            match self.poll_flush(context) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => return Poll::Ready(Step::Over(Over::Lost)),
                Poll::Pending => {
                    self.note_stuck();
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
                self.codec.send(Message::Ping(tungstenite::Bytes::new()));
            }
            self.encode(&queued.event);
        }
    }

    fn encode(&mut self, event: &Event) {
        let mut text = String::new();
        peerjs::encode(event, &self.identity.me, &mut text);
        if !text.is_empty() {
            self.codec.send(Message::text(text));
        }
    }

    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        let mut written = 0;
        let output = self.codec.output();
        let result = loop {
            if written == output.len() {
                break Poll::Ready(Ok(()));
            }
            match Pin::new(&mut self.io).poll_write(context, &output[written..]) {
                Poll::Ready(Ok(0)) => {
                    break Poll::Ready(Err(std::io::ErrorKind::WriteZero.into()));
                }
                Poll::Ready(Ok(count)) => {
                    written += count;
                    self.stuck_since = None;
                }
                Poll::Ready(Err(error)) => break Poll::Ready(Err(error)),
                Poll::Pending => break Poll::Pending,
            }
        };
        output.drain(..written);
        if output.is_empty() {
            // An idle session keeps no buffer.
            *output = Vec::new();
        }
        ready!(result)?;
        // TLS keeps records of its own.
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn note_stuck(&mut self) {
        if self.stuck_since.is_none() {
            let now = clock::now();
            self.stuck_since = Some(now);
            self.set_timer();
        }
    }

    /// Reads until there is a text frame for the broker, or nothing more to read.
    fn poll_frames(&mut self, context: &mut Context<'_>) -> Poll<Step> {
        let mut early = std::mem::take(&mut self.early);
        let filled = early.len();
        if filled > 0
            && let Some(step) = self.decode(&mut early, filled)
        {
            return Poll::Ready(step);
        }
        with_read_buffer(|buffer| {
            loop {
                let filled = match poll_read(&mut self.io, context, buffer) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Step::Over(Over::Lost)),
                    Poll::Ready(Ok(filled)) => filled,
                };
                if let Some(step) = self.decode(buffer, filled) {
                    return Poll::Ready(step);
                }
            }
        })
    }

    fn decode(&mut self, buffer: &mut Vec<u8>, filled: usize) -> Option<Step> {
        let mut over = None;
        let mut alive = false;
        let mut control_frames = 0;
        let inbound = &mut self.inbound;
        let result = self.codec.feed(buffer, filled, |message| {
            alive = true;
            match message {
                Message::Text(text) => inbound.push_back(text),
                // PeerServer takes JSON in binary frames too.
                Message::Binary(bytes) => match Utf8Bytes::try_from(bytes) {
                    Ok(text) => inbound.push_back(text),
                    Err(_) => over = Some(Over::not_utf8()),
                },
                Message::Close(_) => over = Some(Over::Closed),
                Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => control_frames += 1,
            }
        });
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
        if self.stuck_since.is_some_and(|since| now >= since + config.limits.write_timeout.0) {
            return Some(Over::Stuck);
        }
        if now >= self.next_ping {
            self.next_ping = now + config.ping_interval().0;
            if !self.modern {
                self.codec.send(Message::text(peerjs::PING));
            }
            if silent >= config.ping_interval().0 {
                self.codec.send(Message::Ping(tungstenite::Bytes::new()));
            }
        }
        self.set_timer();
        None
    }

    /// Sets the timer to the next thing that time can bring.
    fn set_timer(&mut self) {
        let config = &self.edge.config;
        let dead_at = self.last_frame + config.alive_timeout.0;
        let stuck_at = self.stuck_since.map(|since| since + config.limits.write_timeout.0);
        let next = [Some(self.next_ping), Some(dead_at), stuck_at].into_iter().flatten().min();
        if let Some(next) = next {
            self.timer.as_mut().reset(next.into());
        }
    }

    /// Writes what is left and a close frame, and reads on until the client has answered it. A
    /// socket that is closed with unread input resets the connection and takes the last words
    /// with it; and Firefox 153 drops them when the end of the stream comes close behind.
    async fn hang_up(&mut self, close: Option<CloseFrame>) {
        self.codec.close(close);
        let linger = async {
            poll_fn(|context| self.poll_flush(context)).await?;
            let mut left = LINGER_BYTES;
            // A client that closed first waits for the server to end the connection.
            while left > 0 && !self.codec.is_closed() {
                let Some(read) = poll_fn(|context| self.poll_discard(context)).await? else {
                    break;
                };
                left = left.saturating_sub(read);
            }
            self.io.shutdown().await
        };
        // Whatever fails now, the connection ends.
        let _ = tokio::time::timeout(LINGER, linger).await;
    }

    /// Reads and ignores; `None` once the client has closed its side.
    fn poll_discard(&mut self, context: &mut Context<'_>) -> Poll<std::io::Result<Option<usize>>> {
        with_read_buffer(|buffer| {
            let read = ready!(poll_read(&mut self.io, context, buffer))?;
            // Looked at only for the client's close frame; what else is wrong with it is all the same.
            let _ = self.codec.feed(buffer, read, |_| {});
            Poll::Ready(Ok((read > 0).then_some(read)))
        })
    }
}

fn with_read_buffer<R>(work: impl FnOnce(&mut Vec<u8>) -> R) -> R {
    READ_BUFFER.with_borrow_mut(|buffer| {
        buffer.resize(READ_SIZE, 0);
        work(buffer)
    })
}

fn poll_read(
    io: &mut ClientIo,
    context: &mut Context<'_>,
    buffer: &mut [u8],
) -> Poll<std::io::Result<usize>> {
    let mut target = ReadBuf::new(buffer);
    ready!(Pin::new(io).poll_read(context, &mut target))?;
    Poll::Ready(Ok(target.filled().len()))
}
