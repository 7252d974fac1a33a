//! A TURN client (RFC 8656): one allocation, its permissions and channels. Pure: bytes and time go
//! in, bytes come out.
//!
//! Not `turn-client-proto` 0.7: it does not say with which code a server refuses, which is what a
//! user needs to know, does not follow `ALTERNATE-SERVER`, and copies what it relays.

pub(super) mod frame;
mod peers;
mod request;

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::time::{Duration, Instant};

use stun_types::attribute::{AlternateDomain, AlternateServer, ErrorCode};
use stun_types::message::{Message, MessageClass, TransactionId};
use turn_types::attribute::{Data, Lifetime, XorPeerAddress, XorRelayedAddress};
use turn_types::channel::ChannelData;
use turn_types::message::DATA;

use super::failure::Failure;
use super::stun::{Ids, Schedule, Step};
use peers::Peers;
use request::{Challenge, Purpose};
pub(super) use request::{Families, Login};

/// What we ask for; servers give what they like.
const LIFETIME: u32 = 600;
/// The shortest time until a refresh, whatever the server says.
const SHORTEST: Duration = Duration::from_secs(5);
/// Requests that wait for an answer at the same time.
const MOST_REQUESTS: usize = 16;
/// How often one request may be repeated with a fresher nonce.
const MOST_NONCES: u8 = 3;

/// One allocation, from the first request to the last.
#[derive(Debug)]
pub(super) struct TurnClient {
    login: Login,
    reliable: bool,
    ids: Ids,
    state: State,
    challenge: Option<Challenge>,
    requests: Vec<Request>,
    peers: Peers,
    /// IPv4, IPv6.
    relayed: [Option<SocketAddr>; 2],
    expires: Option<Instant>,
    refresh: Option<Instant>,
    outgoing: VecDeque<Vec<u8>>,
    events: VecDeque<TurnEvent>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Allocating,
    Allocated,
    Releasing,
    Ended,
}

#[derive(Debug)]
struct Request {
    purpose: Purpose,
    id: TransactionId,
    bytes: Vec<u8>,
    schedule: Schedule,
    nonces: u8,
}

/// What became of the allocation.
#[derive(Debug)]
pub(super) enum TurnEvent {
    /// There are relayed addresses now.
    Allocated,
    /// There is no allocation, or no more.
    Failed(Failure),
    /// It was given back.
    Released,
}

/// What a frame from the server was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Frame {
    /// For this client.
    Control,
    /// Data of a peer, in this part of the frame.
    Data { peer: SocketAddr, range: Range<usize> },
}

impl TurnClient {
    /// Asks for an allocation over a connection that is there already.
    pub(super) fn new(
        login: Login,
        families: Families,
        reliable: bool,
        ids: Ids,
        now: Instant,
    ) -> Self {
        let mut client = Self {
            login,
            reliable,
            ids,
            state: State::Allocating,
            challenge: None,
            requests: Vec::new(),
            peers: Peers::default(),
            relayed: [None; 2],
            expires: None,
            refresh: None,
            outgoing: VecDeque::new(),
            events: VecDeque::new(),
        };
        client.ask(Purpose::Allocate(families), 0, now);
        client
    }

    pub(super) fn relayed(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        self.relayed.iter().copied().flatten()
    }

    /// The relayed address that a peer of this family sees.
    pub(super) fn relayed_for(&self, peer: SocketAddr) -> Option<SocketAddr> {
        self.relayed[usize::from(peer.is_ipv6())]
    }

    /// Lets a peer in.
    pub(super) fn permit(&mut self, ip: IpAddr) {
        self.peers.permit(ip);
    }

    /// Appends what the server needs to relay `data` to `peer`. Whether it can.
    pub(super) fn wrap(&mut self, peer: SocketAddr, data: &[u8], out: &mut Vec<u8>) -> bool {
        let Ok(length) = u16::try_from(data.len()) else { return false };
        if self.state != State::Allocated
            || self.relayed_for(peer).is_none()
            || !self.peers.may_send(peer.ip())
        {
            return false;
        }
        let Some(channel) = self.peers.channel_to(peer) else {
            let id = self.ids.draw();
            let Some(message) = request::indication(peer, data, id) else { return false };
            out.extend_from_slice(&message);
            return true;
        };
        out.extend_from_slice(&channel.to_be_bytes());
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(data);
        if self.reliable {
            out.resize(out.len() + data.len().next_multiple_of(4) - data.len(), 0);
        }
        true
    }

    /// Takes one frame from the server.
    pub(super) fn handle(&mut self, frame: &[u8], now: Instant) -> Frame {
        if let Ok(channel) = ChannelData::parse(frame) {
            return match self.peers.peer_of(channel.id()) {
                Some(peer) => Frame::Data { peer, range: 4..4 + channel.data().len() },
                None => Frame::Control,
            };
        }
        let Ok(message) = Message::from_bytes(frame) else { return Frame::Control };
        match message.class() {
            MessageClass::Indication if message.has_method(DATA) => {
                return self.handle_data(&message).unwrap_or(Frame::Control);
            }
            MessageClass::Success => self.handle_success(&message, now),
            MessageClass::Error => self.handle_error(&message, now),
            MessageClass::Indication | MessageClass::Request => {}
        }
        Frame::Control
    }

    fn handle_data(&mut self, message: &Message<'_>) -> Option<Frame> {
        let peer = message.attribute::<XorPeerAddress>().ok()?.addr(message.transaction_id());
        let (offset, data) = message.attribute_and_offset::<Data<'_>>().ok()?;
        self.peers.hear(peer);
        let start = offset + 4;
        Some(Frame::Data { peer, range: start..start + data.data().len() })
    }

    /// Sends again and refreshes what is due.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        let mut given_up = Vec::new();
        self.requests.retain_mut(|request| match request.schedule.step(now) {
            Step::Wait => true,
            Step::Send => {
                self.outgoing.push_back(request.bytes.clone());
                true
            }
            Step::GiveUp => {
                given_up.push(request.purpose);
                false
            }
        });
        for purpose in given_up {
            self.give_up(purpose, now);
        }
        if self.state != State::Allocated {
            return;
        }
        if self.expires.is_some_and(|expires| expires <= now) {
            self.fail(Failure::Expired);
            return;
        }
        if self.refresh.is_some_and(|refresh| refresh <= now) {
            self.refresh = None;
            self.ask(Purpose::Refresh(LIFETIME), 0, now);
        }
        while self.requests.len() < MOST_REQUESTS
            && let Some(purpose) = self.peers.next_request(now)
        {
            self.ask(purpose, 0, now);
        }
    }

    pub(super) fn deadline(&self, now: Instant) -> Option<Instant> {
        let answers = self.requests.iter().map(|request| request.schedule.due());
        let allocated = self.state == State::Allocated;
        let peers = (allocated && self.requests.len() < MOST_REQUESTS)
            .then(|| self.peers.deadline(now))
            .flatten();
        let own = [self.refresh, self.expires].into_iter().flatten().filter(|_| allocated);
        answers.chain(own).chain(peers).min()
    }

    /// What goes to the server.
    pub(super) fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.outgoing.pop_front()
    }

    pub(super) fn poll_event(&mut self) -> Option<TurnEvent> {
        self.events.pop_front()
    }

    /// Gives the allocation back. Whether there will be an answer to wait for.
    pub(super) fn release(&mut self, now: Instant) -> bool {
        self.requests.clear();
        let allocated = self.state == State::Allocated;
        self.state = if allocated { State::Releasing } else { State::Ended };
        if allocated {
            self.ask(Purpose::Refresh(0), 0, now);
        }
        allocated
    }

    fn ask(&mut self, purpose: Purpose, nonces: u8, now: Instant) {
        let id = self.ids.draw();
        let Some(bytes) = request::write(purpose, id, &self.login, self.challenge.as_ref()) else {
            self.fail(Failure::Username);
            return;
        };
        self.outgoing.push_back(bytes.clone());
        let schedule = if self.reliable { Schedule::stream(now) } else { Schedule::datagram(now) };
        self.requests.push(Request { purpose, id, bytes, schedule, nonces });
    }

    /// Asks the server whether it still knows the allocation.
    pub(super) fn verify(&mut self, now: Instant) {
        let asks = |request: &Request| matches!(request.purpose, Purpose::Refresh(_));
        if !self.requests.iter().any(asks) {
            self.refresh = Some(now);
        }
    }

    /// The request that an answer belongs to.
    fn take(&mut self, answer: &Message<'_>) -> Option<Request> {
        let id = answer.transaction_id();
        let fits = |request: &Request| request.id == id && request.purpose.is_of(answer);
        let index = self.requests.iter().position(fits)?;
        Some(self.requests.swap_remove(index))
    }

    fn handle_success(&mut self, answer: &Message<'_>, now: Instant) {
        // Nothing but the key tells the server from somebody on the way; what is not signed is as
        // good as lost.
        if !self.challenge.as_ref().is_some_and(|challenge| challenge.signed(answer)) {
            tracing::debug!("an answer of the TURN server is not signed");
            return;
        }
        let Some(Request { purpose, .. }) = self.take(answer) else { return };
        match purpose {
            Purpose::Allocate(_) => self.allocated(answer, now),
            Purpose::Refresh(0) => self.end(TurnEvent::Released),
            Purpose::Refresh(_) => self.renew(answer, now),
            Purpose::Permit(_) | Purpose::Bind { .. } => self.peers.granted(purpose, now),
        }
    }

    fn allocated(&mut self, answer: &Message<'_>, now: Instant) {
        for index in 0..2 {
            let Ok(relayed) = answer.nth_attribute::<XorRelayedAddress>(index) else { break };
            let addr = relayed.addr(answer.transaction_id());
            self.relayed[usize::from(addr.is_ipv6())] = Some(addr);
        }
        if self.relayed().next().is_none() {
            self.fail(Failure::Garbled);
            return;
        }
        self.state = State::Allocated;
        self.renew(answer, now);
        self.events.push_back(TurnEvent::Allocated);
    }

    fn renew(&mut self, answer: &Message<'_>, now: Instant) {
        let lifetime = answer.attribute::<Lifetime>().map_or(LIFETIME, |it| it.seconds());
        let lifetime = Duration::from_secs(lifetime.into());
        let early = if lifetime >= Duration::from_mins(2) {
            lifetime.saturating_sub(Duration::from_mins(1))
        } else {
            lifetime / 2
        };
        self.expires = Some(now + lifetime.max(SHORTEST));
        self.refresh = Some(now + early.max(SHORTEST / 2));
    }

    fn handle_error(&mut self, answer: &Message<'_>, now: Instant) {
        let Ok(error) = answer.attribute::<ErrorCode>() else { return };
        let Some(request) = self.take(answer) else { return };
        let (purpose, nonces) = (request.purpose, request.nonces);
        let fresher = match error.code() {
            ErrorCode::UNAUTHORIZED => self.challenge.is_none(),
            ErrorCode::STALE_NONCE => nonces < MOST_NONCES,
            _ => false,
        };
        if fresher && let Some(challenge) = Challenge::read(answer, &self.login) {
            self.challenge = Some(challenge);
            self.ask(purpose, nonces + 1, now);
            return;
        }
        let refused = || Failure::refused(error.code(), error.reason());
        match purpose {
            Purpose::Allocate(families) => match error.code() {
                ErrorCode::TRY_ALTERNATE => self.redirect(answer),
                // Better an IPv4 relay over IPv6 than none.
                ErrorCode::ADDRESS_FAMILY_NOT_SUPPORTED if families == Families::V6 => {
                    self.ask(Purpose::Allocate(Families::V4), nonces, now);
                }
                _ => self.fail(refused()),
            },
            Purpose::Refresh(0) => self.end(TurnEvent::Released),
            Purpose::Refresh(_) => self.fail(refused()),
            Purpose::Permit(_) | Purpose::Bind { .. } => {
                tracing::debug!(code = error.code(), ?purpose, "refused by the TURN server");
                self.peers.refused(purpose);
            }
        }
    }

    fn redirect(&mut self, answer: &Message<'_>) {
        let failure = match answer.attribute::<AlternateServer>() {
            Ok(to) => Failure::Redirected {
                to: to.server(),
                domain: answer.attribute::<AlternateDomain>().ok().map(|it| it.domain().to_owned()),
            },
            Err(_) => Failure::Garbled,
        };
        self.fail(failure);
    }

    fn give_up(&mut self, purpose: Purpose, now: Instant) {
        match purpose {
            Purpose::Allocate(_) => self.fail(Failure::NoAnswer),
            Purpose::Refresh(0) => self.end(TurnEvent::Released),
            // Until the allocation ends there is hope.
            Purpose::Refresh(_) => self.refresh = Some(now),
            Purpose::Permit(_) | Purpose::Bind { .. } => self.peers.refused(purpose),
        }
    }

    fn fail(&mut self, failure: Failure) {
        if self.state != State::Ended {
            self.end(TurnEvent::Failed(failure));
        }
    }

    fn end(&mut self, event: TurnEvent) {
        self.state = State::Ended;
        self.relayed = [None; 2];
        self.requests.clear();
        self.events.push_back(event);
    }
}

#[cfg(test)]
mod tests;
