//! A session over a `WebSocket`: one task, one future, woken by the socket, by the application or by
//! its clock.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use peerway_protocol::Refusal;
use peerway_protocol::engineio::{self, Data, Kind, Packet};
use peerway_protocol::socketio::Outgoing;
use tokio::time::Sleep;
use tungstenite::protocol::CloseFrame;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{Error, Message, Utf8Bytes};

use super::budget::{Claim, LONGEST};
use super::core::{Core, Over};
use super::hub::{Hub, Sid};
use super::polling::Polling;
use super::{Application, Client, Handshake, Next};
use crate::clock;
use crate::edge::Place;
use crate::http::ClientIo;
use crate::metrics::Transport;
use crate::transport::line::{Line, Read};

/// How long a socket may take to take a polling session over (engine.io 3's `upgradeTimeout`).
const UPGRADE_TIMEOUT: Duration = Duration::from_secs(10);
/// The text of the ping and pong by which a client tries a socket out.
const PROBE: &str = "probe";

/// A session that begins on a socket.
pub(super) async fn serve_new<A: Application>(
    hub: Arc<Hub<A>>,
    handshake: Box<Handshake>,
    place: Place,
    takes_binary: bool,
    io: ClientIo,
    early: Vec<u8>,
) {
    let mut session = Box::pin(async {
        let mut line = Line::new(io, early, hub.payload_size());
        let sid = Sid::from_random(clock::random());
        line.send(text_frame(&Packet::text(Kind::Open, hub.open_text(sid, &[]))));
        let core = hub.open(*handshake, place, Transport::SocketIo).await;
        let mut session = SocketSession::new(hub, line, core, takes_binary, VecDeque::new());
        session.tell(&Outgoing::connect());
        session
    })
    .await;
    let over = session.run().await;
    Box::pin(session.part(over)).await;
}

/// A session that comes over from polling.
pub(super) async fn serve_upgrade<A: Application>(
    hub: Arc<Hub<A>>,
    polling: Arc<Polling<A>>,
    takes_binary: bool,
    io: ClientIo,
    early: Vec<u8>,
) {
    let session = Box::pin(take_over(hub, polling, takes_binary, io, early)).await;
    let Some(mut session) = session else { return };
    let over = session.run().await;
    Box::pin(session.part(over)).await;
}

async fn take_over<A: Application>(
    hub: Arc<Hub<A>>,
    polling: Arc<Polling<A>>,
    takes_binary: bool,
    io: ClientIo,
    early: Vec<u8>,
) -> Option<SocketSession<A>> {
    let mut line = Line::new(io, early, hub.payload_size());
    let mut inbound = VecDeque::new();
    let mut probed = false;
    let upgrade = async {
        probe(&mut line, &mut inbound, &polling, &mut probed).await?;
        polling.upgrade().await
    };
    let Ok(Some((mut core, packets))) = tokio::time::timeout(UPGRADE_TIMEOUT, upgrade).await else {
        if probed {
            polling.give_up_upgrade();
        }
        line.hang_up(None).await;
        return None;
    };
    hub.remove(polling.sid);
    // It has just said that it comes over.
    core.heard().await;
    let mut session = SocketSession::new(hub, line, core, takes_binary, inbound);
    for packet in packets {
        session.send(&packet);
    }
    Some(session)
}

/// Answers the probe and waits for the client's word that it comes over; `None` if it does not.
async fn probe<A: Application>(
    line: &mut Line,
    inbound: &mut VecDeque<Message>,
    polling: &Polling<A>,
    probed: &mut bool,
) -> Option<()> {
    loop {
        while let Some(message) = inbound.pop_front() {
            let Message::Text(text) = message else { continue };
            let packet = engineio::decode_text(&text).ok()?;
            match packet.kind {
                Kind::Ping if packet.as_text() == Some(PROBE) && !*probed => {
                    *probed = polling.begin_upgrade();
                    if !*probed {
                        return None;
                    }
                    line.send(text_frame(&Packet::text(Kind::Pong, PROBE)));
                    poll_fn(|context| line.poll_flush(context)).await.ok()?;
                }
                Kind::Upgrade if *probed => return Some(()),
                _ => return None,
            }
        }
        match poll_fn(|context| line.poll_read(context, |it| inbound.push_back(it))).await {
            Read::Bytes(_, Ok(())) => {}
            Read::Lost | Read::Bytes(_, Err(_)) => return None,
        }
    }
}

struct SocketSession<A: Application> {
    hub: Arc<Hub<A>>,
    line: Line,
    core: Core<A>,
    takes_binary: bool,
    inbound: VecDeque<Message>,
    /// How the session ends once `inbound` has been handled.
    over: Option<Over>,
    heard: Instant,
    /// Bytes of a message that is not complete.
    unfinished: usize,
    timer: Pin<Box<Sleep>>,
}

enum Step {
    Frames,
    Time,
    Over(Over),
}

impl<A: Application> SocketSession<A> {
    fn new(
        hub: Arc<Hub<A>>,
        line: Line,
        core: Core<A>,
        takes_binary: bool,
        inbound: VecDeque<Message>,
    ) -> Self {
        let heard = clock::now();
        let dead_at = heard + hub.edge.config.engineio.patience();
        let timer = Box::pin(tokio::time::sleep_until(dead_at.into()));
        let (over, unfinished) = (None, 0);
        Self { hub, line, core, takes_binary, inbound, over, heard, unfinished, timer }
    }

    /// Runs until one side ends it.
    async fn run(&mut self) -> Over {
        loop {
            let over = match poll_fn(|context| self.poll_step(context)).await {
                Step::Frames => Box::pin(self.handle_frames()).await,
                Step::Time => self.handle_time(),
                Step::Over(over) => Some(over),
            };
            if let Some(over) = over {
                return over;
            }
        }
    }

    /// Writes what can be written, then reads, then looks at the clock.
    fn poll_step(&mut self, context: &mut Context<'_>) -> Poll<Step> {
        loop {
            match self.line.poll_flush(context) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => return Poll::Ready(Step::Over(Over::Lost("lost"))),
                Poll::Pending => {
                    self.set_timer();
                    break;
                }
            }
            match self.core.client.poll_send(context) {
                Poll::Ready(Next::Packets(packets)) => {
                    for packet in packets {
                        self.tell(&packet);
                    }
                }
                Poll::Ready(Next::Probe) => {
                    self.core.probed = true;
                    self.line.send(Message::Ping(Bytes::new()));
                }
                Poll::Ready(Next::End(packets, reason)) => {
                    return Poll::Ready(Step::Over(Over::Ended(packets, reason)));
                }
                Poll::Ready(Next::Break(reason)) => {
                    return Poll::Ready(Step::Over(Over::Lost(reason)));
                }
                Poll::Pending => break,
            }
        }
        if !self.inbound.is_empty() {
            // What came with the upgrade.
            return Poll::Ready(Step::Frames);
        }
        if let Poll::Ready(step) = self.poll_frames(context) {
            return Poll::Ready(step);
        }
        self.timer.as_mut().poll(context).map(|()| Step::Time)
    }

    fn poll_frames(&mut self, context: &mut Context<'_>) -> Poll<Step> {
        loop {
            if self.poll_room(context).is_pending() {
                return Poll::Pending;
            }
            let (mut complete, mut closed) = (false, false);
            let inbound = &mut self.inbound;
            let read = self.line.poll_read(context, |message| match message {
                Message::Close(_) => closed = true,
                message => {
                    // Control frames may come between the parts of a message.
                    complete |= message.is_text() || message.is_binary();
                    inbound.push_back(message);
                }
            });
            let (bytes, result) = match read {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Read::Lost) => return Poll::Ready(Step::Over(Over::Lost("lost"))),
                Poll::Ready(Read::Bytes(bytes, result)) => (bytes, result),
            };
            // Not exact: the last bytes may be of the next message.
            self.unfinished = if complete { 0 } else { self.unfinished.saturating_add(bytes) };
            self.heard = clock::now();
            let over = match result {
                Ok(()) => closed.then_some(Over::SocketClosed),
                Err(Error::Capacity(_)) => Some(self.core.too_big()),
                Err(Error::ConnectionClosed | Error::AlreadyClosed) => Some(Over::SocketClosed),
                Err(error) => Some(Over::Refused(Refusal::Malformed(error.to_string()))),
            };
            match over {
                Some(over) if self.inbound.is_empty() => return Poll::Ready(Step::Over(over)),
                Some(over) => {
                    self.over = Some(over);
                    return Poll::Ready(Step::Frames);
                }
                None if !self.inbound.is_empty() => return Poll::Ready(Step::Frames),
                None => {}
            }
        }
    }

    /// Waits until there is memory for what comes.
    fn poll_room(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let bytes = self.unfinished + self.core.assembler.waiting_bytes();
        if !Claim::is_needed(bytes) {
            self.core.claim = None;
            return Poll::Ready(());
        }
        if self.core.claim.is_none() {
            let claim = Claim::new(&self.hub.budget, self.hub.payload_size(), clock::now());
            self.core.claim = Some(Box::new(claim));
            self.set_timer();
        }
        let claim = self.core.claim.as_mut();
        claim.map_or(Poll::Ready(()), |claim| claim.poll_grow(context, bytes))
    }

    async fn handle_frames(&mut self) -> Option<Over> {
        self.core.heard().await;
        for message in std::mem::take(&mut self.inbound) {
            if let Err(over) = self.core.charge(self.heard) {
                return Some(over);
            }
            if let Err(over) = self.handle(message).await {
                return Some(over);
            }
        }
        self.over.take()
    }

    async fn handle(&mut self, message: Message) -> Result<(), Over> {
        let malformed =
            |error: engineio::Malformed| Over::Refused(Refusal::Malformed(error.to_string()));
        let text;
        let Packet { kind, data } = match message {
            Message::Text(it) => {
                text = it;
                engineio::decode_text(&text).map_err(malformed)?
            }
            Message::Binary(bytes) => engineio::decode_binary(bytes).map_err(malformed)?,
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_) => {
                return Ok(());
            }
        };
        match kind {
            Kind::Message => {
                if let Some(reply) = self.core.handle(data).await? {
                    self.tell(&reply);
                }
            }
            Kind::Ping => {
                if let Data::Text(text) = data {
                    self.send(&Packet::text(Kind::Pong, text));
                }
            }
            Kind::Close => return Err(Over::ByClient),
            Kind::Open | Kind::Pong | Kind::Upgrade | Kind::Noop => {}
        }
        Ok(())
    }

    fn tell(&mut self, outgoing: &Outgoing) {
        self.send(&Packet::text(Kind::Message, outgoing.text.as_str()));
        for part in &outgoing.attachments {
            self.send(&Packet::binary(part.clone()));
        }
    }

    fn send(&mut self, packet: &Packet<'_>) {
        let message = match &packet.data {
            Data::Binary(bytes) if self.takes_binary => {
                let mut frame = Vec::new();
                Packet::encode_binary(packet.kind, bytes, &mut frame);
                Message::Binary(frame.into())
            }
            _ => text_frame(packet),
        };
        self.line.send(message);
    }

    fn handle_time(&mut self) -> Option<Over> {
        let now = clock::now();
        if now >= self.dead_at() {
            return Some(Over::Lost("dead"));
        }
        if self.stuck_at().is_some_and(|at| now >= at) {
            return Some(Over::Lost("stuck"));
        }
        if self.late_at().is_some_and(|at| now >= at) {
            return Some(Over::Lost("slow_sender"));
        }
        self.set_timer();
        None
    }

    fn dead_at(&self) -> Instant {
        self.heard + self.hub.edge.config.engineio.patience()
    }

    fn stuck_at(&self) -> Option<Instant> {
        self.line.stuck_since().map(|since| since + self.hub.edge.config.limits.write_timeout.0)
    }

    fn late_at(&self) -> Option<Instant> {
        self.core.claim.as_ref().map(|claim| claim.since + LONGEST)
    }

    /// Sets the timer to the next thing that time can bring.
    fn set_timer(&mut self) {
        let next = [Some(self.dead_at()), self.stuck_at(), self.late_at()];
        if let Some(next) = next.into_iter().flatten().min() {
            self.timer.as_mut().reset(next.into());
        }
    }

    /// Tells both sides that it is over.
    async fn part(mut self, mut over: Over) {
        let last = self.core.farewell(&mut over);
        for last in &last {
            self.tell(last);
        }
        let Self { core, mut line, .. } = self;
        // The peer is gone as soon as we know, not when the socket has been closed politely.
        core.close(&over).await;
        let close = match over {
            Over::Lost(_) => return,
            Over::Refused(refusal) => Some(close_frame(&refusal)),
            Over::ByClient | Over::SocketClosed | Over::Ended(..) => None,
        };
        line.hang_up(close).await;
    }
}

fn text_frame(packet: &Packet<'_>) -> Message {
    let mut text = String::new();
    packet.encode_text(&mut text);
    Message::text(text)
}

fn close_frame(refusal: &Refusal) -> CloseFrame {
    let code = match refusal {
        Refusal::FrameTooBig(_) => CloseCode::Size,
        Refusal::Malformed(_) => CloseCode::Protocol,
        _ => CloseCode::Policy,
    };
    let text = refusal.to_string();
    // RFC 6455, section 5.5: a control frame has at most 125 bytes, two of them the code.
    let end = text.floor_char_boundary(123);
    CloseFrame { code, reason: Utf8Bytes::from(&text[..end]) }
}
