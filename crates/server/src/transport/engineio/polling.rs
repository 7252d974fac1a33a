//! A session by long-polling: its state between requests, which belong to nobody else. A GET waits for
//! packets, a POST brings some; neither may be doubled.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use axum::body::Body as HttpBody;
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Body;
use peerway_protocol::Refusal;
use peerway_protocol::engineio::{self, Charset, Data, Kind, Packet};

use super::answer::Answer;
use super::budget::{Claim, LONGEST};
use super::core::{Core, Over, poll_packets};
use super::hub::Sid;
use super::{Application, Client, Next};
use crate::clock;
use crate::metrics::Transport;

/// How long the last words of a session wait for a poll.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// What waits for a poll may be as much as a client that never polls can cause.
const WAITING_PACKETS: usize = 256;
/// Polls during an upgrade are answered this late with nothing (engine.io 3 looks every 100 ms).
const UPGRADE_PACE: Duration = Duration::from_millis(100);

/// See the module documentation.
pub(super) struct Polling<A: Application> {
    pub(super) sid: Sid,
    pub(super) takes_binary: bool,
    state: Mutex<State<A>>,
}

struct State<A: Application> {
    phase: Phase,
    /// Away while a POST is handled, and when the session is over.
    core: Option<Core<A>>,
    posting: bool,
    polling: bool,
    /// Of the task that polls.
    poller: Option<Waker>,
    /// Of the task that waits for the core to upgrade.
    upgrader: Option<Waker>,
    /// What goes before the application's packets.
    packets: Vec<Packet<'static>>,
    charset: Charset,
    /// The last packet.
    heard: Instant,
    /// The end of the last poll.
    polled: Instant,
}

#[derive(Clone, Copy, PartialEq)]
enum Phase {
    Polling,
    /// A socket has shown that it works; `release` the poll that waits.
    Upgrading {
        release: bool,
    },
    Over(Instant),
}

/// Why a request is not served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unserved {
    /// There is no such session any more.
    Gone,
    /// A request of the same kind is under way; both end with the session.
    Doubled,
}

impl<A: Application> Polling<A> {
    pub(super) fn new(sid: Sid, core: Core<A>, takes_binary: bool, now: Instant) -> Arc<Self> {
        let state = State {
            phase: Phase::Polling,
            core: Some(core),
            posting: false,
            polling: false,
            poller: None,
            upgrader: None,
            packets: Vec::new(),
            charset: Charset::default(),
            heard: now,
            polled: now,
        };
        Arc::new(Self { sid, takes_binary, state: Mutex::new(state) })
    }

    fn lock(&self) -> MutexGuard<'_, State<A>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the session stays, and what is left of one that does not.
    pub(super) fn expire(
        &self,
        now: Instant,
        patience: Duration,
    ) -> (bool, Option<(Core<A>, Over)>) {
        let mut state = self.lock();
        if let Phase::Over(since) = state.phase {
            return (now < since + LAST_WORDS, None);
        }
        if state.polling {
            state.polled = now;
        }
        let claimed = state.core.as_ref().and_then(|core| Some(core.claim.as_ref()?.since));
        let over = if claimed.is_some_and(|since| now >= since + LONGEST) {
            Over::Lost("slow_sender")
        } else if now >= state.heard.min(state.polled) + patience && !state.posting {
            Over::Lost("dead")
        } else {
            return (true, None);
        };
        (false, state.end(now).map(|core| (core, over)))
    }

    /// Waits for packets to answer a GET with.
    pub(super) async fn poll(self: Arc<Self>) -> Result<Answer<A>, Unserved> {
        let pace = {
            let mut state = self.lock();
            if state.polling {
                let core = state.end(clock::now());
                drop(state);
                part(core, Over::Lost("doubled_poll"));
                return Err(Unserved::Doubled);
            }
            if matches!(state.phase, Phase::Over(_)) && state.packets.is_empty() {
                return Err(Unserved::Gone);
            }
            state.polling = true;
            if let Some(core) = &mut state.core {
                core.heard_by_a_poll();
            }
            matches!(state.phase, Phase::Upgrading { release: false })
        };
        let poll = PollGuard(self);
        let packets = std::future::poll_fn(|context| poll.0.poll_packets(context));
        let packets = if pace {
            let paced = tokio::time::timeout(UPGRADE_PACE, packets).await;
            paced.unwrap_or_else(|_| Ok(vec![Packet::text(Kind::Noop, "")]))
        } else {
            packets.await
        };
        let session = poll.0.clone();
        drop(poll);
        Ok(Answer { packets: packets?, session })
    }

    fn poll_packets(
        &self,
        context: &mut Context<'_>,
    ) -> Poll<Result<Vec<Packet<'static>>, Unserved>> {
        let mut state = self.lock();
        let mut packets = std::mem::take(&mut state.packets);
        let mut over = None;
        while let Some(core) = &mut state.core {
            match core.client.poll_send(context) {
                Poll::Pending => break,
                Poll::Ready(Next::Probe) => {
                    core.probed = true;
                    packets.push(Packet::text(Kind::Noop, ""));
                }
                Poll::Ready(Next::Packets(outgoing)) => {
                    for outgoing in outgoing {
                        poll_packets(outgoing, &mut packets);
                    }
                    break;
                }
                Poll::Ready(Next::End(outgoing, reason)) => {
                    over = Some(Over::Ended(outgoing, reason));
                    break;
                }
                Poll::Ready(Next::Break(reason)) => {
                    over = Some(Over::Lost(reason));
                    break;
                }
            }
        }
        if let Some(over) = over {
            let core = state.end_with_words(over, &mut packets);
            drop(state);
            if let Some((core, over)) = core {
                core.part(over);
            }
            return Poll::Ready(Ok(packets));
        }
        if !packets.is_empty() {
            return Poll::Ready(Ok(packets));
        }
        match state.phase {
            Phase::Over(_) => return Poll::Ready(Err(Unserved::Gone)),
            Phase::Upgrading { release: true } => {
                state.phase = Phase::Upgrading { release: false };
                return Poll::Ready(Ok(vec![Packet::text(Kind::Noop, "")]));
            }
            Phase::Upgrading { release: false } | Phase::Polling => {}
        }
        state.poller = Some(context.waker().clone());
        Poll::Pending
    }

    /// Packets that were taken for an answer which was not written.
    pub(super) fn put_back(&self, mut packets: Vec<Packet<'static>>) {
        let mut state = self.lock();
        packets.append(&mut state.packets);
        state.packets = packets;
        state.wake();
    }

    /// Handles the body of a POST.
    pub(super) async fn post(
        self: Arc<Self>,
        body: HttpBody,
        form: BodyForm,
        budget: &super::budget::Budget,
        limit: usize,
        pause: Duration,
    ) -> Result<(), PostError> {
        let covered = {
            let mut state = self.lock();
            if matches!(state.phase, Phase::Over(_)) {
                return Err(Unserved::Gone.into());
            }
            if state.posting {
                let core = state.end(clock::now());
                drop(state);
                part(core, Over::Lost("doubled_post"));
                return Err(Unserved::Doubled.into());
            }
            state.posting = true;
            state.core.as_ref().is_some_and(|core| core.claim.is_some())
        };
        let guard = PostGuard(self);
        let told = body.size_hint().upper().and_then(|it| usize::try_from(it).ok());
        // Where an event goes on, there is room for all of it.
        let most = if covered { 0 } else { told.map_or(limit, |told| told.min(limit)) };
        let mut claim = Claim::new(budget, most, clock::now());
        let body = tokio::time::timeout(LONGEST, read_body(body, &mut claim, limit, pause)).await;
        let body = match body {
            Ok(Err(ReadError::TooBig)) => None,
            Err(_) | Ok(Err(ReadError::Lost)) => return Err(PostError::Lost),
            Ok(Ok(body)) => Some(body),
        };
        // What came whole is handled whole, whether or not the client waits for the answer.
        let task = tokio::spawn(async move {
            let guard = guard;
            guard.0.handle(body, form, claim, limit).await
        });
        task.await.unwrap_or(Err(PostError::Lost))
    }

    /// Handles a body, or that it is too big.
    async fn handle(
        &self,
        body: Option<Bytes>,
        form: BodyForm,
        claim: Claim,
        limit: usize,
    ) -> Result<(), PostError> {
        let now = clock::now();
        let (mut core, mut charset) = {
            let mut state = self.lock();
            let core = state.core.take().ok_or(Unserved::Gone)?;
            (core, state.charset)
        };
        let mut replies = Vec::new();
        let mut result = match body {
            Some(body) => {
                handle_body(&mut core, &body, form, &mut charset, &mut replies, now).await
            }
            None => Err(core.too_big()),
        };
        if !Claim::is_needed(core.assembler.waiting_bytes()) {
            core.claim = None;
        } else if core.claim.is_none() {
            // The rest of a big event comes with another request.
            let mut claim = claim;
            if !claim.extend(limit) {
                result = result.and(Err(Over::Lost("busy")));
            }
            core.claim = Some(Box::new(claim));
        }
        let Settled { core, over, refusal } = self.settle(core, result, replies, charset, now);
        if let Some((core, over)) = core.zip(over) {
            core.close(&over).await;
        }
        refusal.map_or(Ok(()), |refusal| Err(PostError::Refused(refusal)))
    }

    /// After a POST: the session waits for the next request, or it is over.
    fn settle(
        &self,
        mut core: Core<A>,
        result: Result<(), Over>,
        mut replies: Vec<Packet<'static>>,
        charset: Charset,
        now: Instant,
    ) -> Settled<A> {
        let mut state = self.lock();
        state.charset = charset;
        state.heard = now;
        state.packets.append(&mut replies);
        let mut over = match result {
            // By a doubled request.
            Ok(()) if matches!(state.phase, Phase::Over(_)) => Over::Lost("doubled"),
            Ok(()) if state.packets.len() > WAITING_PACKETS => Over::Lost("never_polls"),
            Ok(()) => {
                state.core = Some(core);
                state.wake();
                return Settled { core: None, over: None, refusal: None };
            }
            Err(over) => over,
        };
        let refusal = match &over {
            Over::Refused(refusal) => Some(refusal.clone()),
            _ => None,
        };
        for last in core.farewell(&mut over) {
            poll_packets(last, &mut state.packets);
        }
        state.packets.push(Packet::text(Kind::Close, ""));
        state.end(now);
        Settled { core: Some(core), over: Some(over), refusal }
    }

    /// A socket has shown that it works. `false` if another has before, or the session is over.
    pub(super) fn begin_upgrade(&self) -> bool {
        let mut state = self.lock();
        if state.phase != Phase::Polling {
            return false;
        }
        state.phase = Phase::Upgrading { release: state.polling };
        state.wake();
        true
    }

    /// The socket that had shown that it works is gone.
    pub(super) fn give_up_upgrade(&self) {
        let mut state = self.lock();
        if matches!(state.phase, Phase::Upgrading { .. }) {
            state.phase = Phase::Polling;
        }
    }

    /// The rest goes over the socket: the session, and what has not been told yet.
    pub(super) async fn upgrade(&self) -> Option<(Core<A>, Vec<Packet<'static>>)> {
        std::future::poll_fn(|context| {
            let mut state = self.lock();
            if !matches!(state.phase, Phase::Upgrading { .. }) {
                return Poll::Ready(None);
            }
            if state.posting {
                state.upgrader = Some(context.waker().clone());
                return Poll::Pending;
            }
            let packets = std::mem::take(&mut state.packets);
            let core = state.end(clock::now());
            Poll::Ready(core.map(|mut core| {
                core.move_to(Transport::SocketIo);
                (core, packets)
            }))
        })
        .await
    }
}

fn part<A: Application>(core: Option<Core<A>>, over: Over) {
    if let Some(core) = core {
        core.part(over);
    }
}

impl<A: Application> State<A> {
    /// The session is over; returns what is left of it, unless a POST has it.
    fn end(&mut self, now: Instant) -> Option<Core<A>> {
        if !matches!(self.phase, Phase::Over(_)) {
            self.phase = Phase::Over(now);
        }
        self.wake();
        self.core.take()
    }

    fn end_with_words(
        &mut self,
        mut over: Over,
        packets: &mut Vec<Packet<'static>>,
    ) -> Option<(Core<A>, Over)> {
        let mut core = self.end(clock::now())?;
        for last in core.farewell(&mut over) {
            poll_packets(last, packets);
        }
        packets.push(Packet::text(Kind::Close, ""));
        Some((core, over))
    }

    fn wake(&mut self) {
        for waker in [self.poller.take(), self.upgrader.take()].into_iter().flatten() {
            waker.wake();
        }
    }
}

/// What is left to do after a POST: a session that is over, and what its client did wrong.
struct Settled<A: Application> {
    core: Option<Core<A>>,
    over: Option<Over>,
    refusal: Option<Refusal>,
}

/// A poll that is under way; dropped with its request when its client hangs up.
struct PollGuard<A: Application>(Arc<Polling<A>>);

impl<A: Application> Drop for PollGuard<A> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.polling = false;
        state.polled = clock::now();
        state.poller = None;
    }
}

/// A POST that is under way.
struct PostGuard<A: Application>(Arc<Polling<A>>);

impl<A: Application> Drop for PostGuard<A> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.posting = false;
        state.wake();
    }
}

/// What the body of a POST is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyForm {
    /// Text.
    Text,
    /// `application/octet-stream`.
    Bytes,
}

/// Why a POST was in vain.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum PostError {
    /// It was not served.
    Unserved(Unserved),
    /// It did not come whole.
    Lost,
    /// It brought what it may not.
    Refused(Refusal),
}

impl From<Unserved> for PostError {
    fn from(unserved: Unserved) -> Self {
        Self::Unserved(unserved)
    }
}

async fn handle_body<A: Application>(
    core: &mut Core<A>,
    body: &Bytes,
    form: BodyForm,
    charset: &mut Charset,
    replies: &mut Vec<Packet<'static>>,
    now: Instant,
) -> Result<(), Over> {
    let malformed =
        |error: engineio::Malformed| Over::Refused(Refusal::Malformed(error.to_string()));
    let packets = match form {
        BodyForm::Bytes => engineio::decode_body_bytes(body.clone()).map_err(malformed)?,
        BodyForm::Text => {
            let text = str::from_utf8(body).map_err(|_| malformed(engineio::Malformed::NotUtf8))?;
            engineio::decode_body_text(text, charset).map_err(malformed)?
        }
    };
    core.heard().await;
    for packet in packets {
        core.charge(now)?;
        match packet.kind {
            Kind::Message => {
                if let Some(reply) = core.handle(packet.data).await? {
                    poll_packets(reply, replies);
                }
            }
            Kind::Ping => {
                let Data::Text(text) = packet.data else { continue };
                replies.push(Packet::text(Kind::Pong, text.into_owned()));
            }
            Kind::Close => return Err(Over::ByClient),
            Kind::Open | Kind::Pong | Kind::Upgrade | Kind::Noop => {}
        }
    }
    Ok(())
}

enum ReadError {
    Lost,
    TooBig,
}

async fn read_body(
    mut body: HttpBody,
    claim: &mut Claim,
    limit: usize,
    pause: Duration,
) -> Result<Bytes, ReadError> {
    let mut whole = Vec::new();
    if body.size_hint().lower() > limit as u64 {
        return Err(ReadError::TooBig);
    }
    loop {
        let frame = tokio::time::timeout(pause, body.frame()).await.map_err(|_| ReadError::Lost)?;
        let Some(frame) = frame else { return Ok(whole.into()) };
        let Ok(data) = frame.map_err(|_| ReadError::Lost)?.into_data() else { continue };
        let length = whole.len() + data.len();
        if length > limit {
            return Err(ReadError::TooBig);
        }
        claim.grow(length).await;
        whole.extend_from_slice(&data);
    }
}
