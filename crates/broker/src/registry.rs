//! Who is who: sessions open, attach to a peer, take over from each other, and close.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use peerway_protocol::{Address, AppKey, Dialect, Event, PeerAddress, PeerId, Refusal, RoomName};

use crate::departed::Departed;
use crate::limits::RateLimit;
use crate::rooms::Membership;
use crate::{Broker, Claim, Claimant, Command, HangupReason, Happening};

/// One client transport on this node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

/// A digest of what a client knows and nobody else does: who shows it again may take the id over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proof(pub [u8; 32]);

/// What kind of transport a session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// Both ways, preferred.
    Socket,
    /// Server to client only, the fall-back of `PeerJS` 0.3; requests come beside it.
    Stream,
}

/// A session wants to be a peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    /// The session.
    pub session: SessionId,
    /// The peer it wants to be.
    pub address: PeerAddress,
    /// What it will show when it comes back.
    pub proof: Proof,
    /// Its kind of transport.
    pub channel: Channel,
    /// What its client speaks.
    pub dialect: Dialect,
}

#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) address: PeerAddress,
    pub(crate) channel: Channel,
    pub(crate) dialect: Dialect,
    state: State,
    pub(crate) rate: RateLimit,
    /// It has no transport, and this is when it is given up.
    pub(crate) lost_until: Option<Instant>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Somebody else has the address and has been asked to show that it is alive.
    Challenging,
    /// The backplane has been asked for the address.
    Claiming(Proof),
    /// The client went away while the claim was under way.
    Abandoned,
    /// The session speaks for its peer.
    Attached,
}

#[derive(Debug)]
pub(crate) struct Peer {
    proof: Proof,
    /// The session that events go to.
    pub(crate) primary: SessionId,
    /// A stream opened beside a socket; it takes over if the socket dies and its client lives on.
    standby: Option<SessionId>,
    pub(crate) contacts: BTreeSet<PeerId>,
    pub(crate) last_refusal: Option<Instant>,
    /// The rooms that it is in, or on its way in or out.
    pub(crate) rooms: BTreeMap<RoomName, Membership>,
}

impl Session {
    /// Whether it speaks for its peer. Until the claim is granted it is nobody.
    pub(crate) fn is_attached(&self) -> bool {
        self.state == State::Attached
    }
}

impl Peer {
    /// Whether a session speaks for it and no other one stands by.
    pub(crate) fn is_only(&self, session: SessionId) -> bool {
        self.primary == session && self.standby.is_none()
    }

    pub(crate) fn proof(&self) -> Proof {
        self.proof
    }

    pub(crate) fn accepts(&self, proof: Proof) -> bool {
        self.proof == proof
    }

    /// Remembers whom to tell when this peer leaves.
    pub(crate) fn remember_contact(&mut self, contact: &PeerId, limit: usize) {
        if self.contacts.len() < limit && !self.contacts.contains(contact) {
            self.contacts.insert(contact.clone());
        }
    }
}

/// Claims under way for one address.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    outstanding: usize,
    granted: bool,
}

impl Broker {
    /// A session has authenticated and wants to be a peer. It hears `Opened`, `Resumed` or
    /// `Refused`.
    pub fn handle_open(&mut self, now: Instant, open: Open) {
        if let Some(peer) = self.peers.get(&open.address) {
            let holder = peer.primary;
            if peer.accepts(open.proof) {
                self.add_session(now, &open, State::Attached);
                return self.attach(open.session, open.channel, &open.address);
            }
            if !self.is_lost(&open.address) {
                return self.challenge(now, holder, open);
            }
            // A page was loaded anew: nobody will come back to the old one's session.
            self.end(now, holder, HangupReason::Dead);
        }
        if !self.claims.contains_key(&open.address) && !self.grow(&open.address.app) {
            return self.refuse(open.session, Refusal::AppFull);
        }
        self.claims.entry(open.address.clone()).or_default().outstanding += 1;
        self.add_session(now, &open, State::Claiming(open.proof));
        let Open { session, address, proof, .. } = open;
        self.commands.push_back(Command::Claim(Claim::Peer { session, address, proof }));
    }

    pub(crate) fn add_session(&mut self, now: Instant, open: &Open, state: State) {
        let (address, channel, dialect) = (open.address.clone(), open.channel, open.dialect);
        let rate = RateLimit::new(now);
        let session = Session { address, channel, dialect, state, rate, lost_until: None };
        self.sessions.insert(open.session, session);
    }

    /// The backplane granted a claim.
    pub fn handle_claimed(&mut self, now: Instant, claimant: Claimant) {
        match claimant {
            Claimant::Session(session) => self.handle_id_claimed(now, session),
            Claimant::Host(room) => self.handle_room_claimed(now, &room),
        }
    }

    /// The backplane refused a claim: somebody else holds the address.
    pub fn handle_refused(&mut self, now: Instant, claimant: Claimant) {
        match claimant {
            Claimant::Session(session) => self.handle_id_refused(session),
            Claimant::Host(room) => self.handle_room_refused(now, &room),
        }
    }

    fn handle_id_claimed(&mut self, now: Instant, session: SessionId) {
        let Some(entry) = self.sessions.get_mut(&session) else { return };
        let (address, channel) = (entry.address.clone(), entry.channel);
        match std::mem::replace(&mut entry.state, State::Attached) {
            // Neither has a claim under way.
            state @ (State::Attached | State::Challenging) => entry.state = state,
            State::Abandoned => {
                self.sessions.remove(&session);
            }
            State::Claiming(_) if self.peers.contains_key(&address) => {
                // Two claims with the same proof; the other one was first.
                self.attach(session, channel, &address);
            }
            State::Claiming(proof) => self.register(now, session, channel, &address, proof),
        }
        self.settle_claim(&address, true);
    }

    fn handle_id_refused(&mut self, session: SessionId) {
        let Some(entry) = self.sessions.remove(&session) else { return };
        if entry.state != State::Abandoned {
            self.refuse(session, Refusal::IdTaken);
        }
        self.settle_claim(&entry.address, false);
    }

    /// A session's transport is gone. `resumable` says that its client is of the kind that comes
    /// back on another transport without starting anew. Any other has left with its socket, even
    /// if it has not ended the stream beside it yet: `PeerJS` 0.3 does so after five seconds,
    /// and one that came back meanwhile must be told OPEN.
    pub fn handle_closed(&mut self, now: Instant, session: SessionId, resumable: bool) {
        let Some(entry) = self.sessions.get_mut(&session) else { return };
        match entry.state {
            State::Attached => {
                let address = entry.address.clone();
                let speaks = self.peers.get(&address).is_some_and(|peer| peer.primary == session);
                if speaks && !resumable {
                    self.end_standby(&address, HangupReason::Departed);
                }
                self.detach(now, session, &address, resumable);
            }
            State::Challenging => self.forget_challenger(session),
            State::Claiming(_) | State::Abandoned => entry.state = State::Abandoned,
        }
    }

    /// Another node's session has taken this address over by showing the same proof.
    pub fn handle_gone(&mut self, address: &PeerAddress) {
        let Some(peer) = self.peers.remove(address) else { return };
        if !self.claims.contains_key(address) {
            self.shrink(&address.app);
        }
        self.move_rooms(address, &peer);
        for session in [Some(peer.primary), peer.standby].into_iter().flatten() {
            self.hang_up(session, HangupReason::Superseded);
        }
        self.report(Happening::PeerClosed(address.app.clone()));
        self.refuse_challenger(address);
    }

    /// A session's outbox is full: its client does not read. `lost` is what did not fit.
    pub fn handle_overflow(&mut self, now: Instant, session: SessionId, lost: Event) {
        let Some(entry) = self.sessions.get(&session) else { return };
        let address = entry.address.clone();
        self.report(Happening::SlowReader);
        match lost {
            // PeerServer's answer to a failed send: the receiver has left.
            Event::Signal { from, .. } => self.announce_leave(&address, &from),
            // A stream that took over would not know what it missed of its rooms.
            Event::Room { .. } => return self.end_all(now, session, HangupReason::SlowReader),
            _ => {}
        }
        self.end(now, session, HangupReason::SlowReader);
    }

    /// Ends a session from the server's side.
    pub(crate) fn end(&mut self, now: Instant, session: SessionId, reason: HangupReason) {
        let Some(address) = self.sessions.get(&session).map(|entry| entry.address.clone()) else {
            return;
        };
        self.detach(now, session, &address, false);
        self.commands.push_back(Command::Hangup(session, reason));
    }

    /// Tells a refusal to a session that never became a peer, and ends it.
    pub(crate) fn refuse(&mut self, session: SessionId, refusal: Refusal) {
        self.report(Happening::Refused(refusal.clone()));
        self.tell(session, Event::Refused(refusal));
        self.commands.push_back(Command::Hangup(session, HangupReason::Refused));
    }

    fn register(
        &mut self,
        now: Instant,
        session: SessionId,
        channel: Channel,
        address: &PeerAddress,
        proof: Proof,
    ) {
        let departed = self.departed.recall(address);
        let returning = departed.as_ref().is_some_and(|departed| departed.proof == proof);
        let resumed = returning
            && channel == Channel::Stream
            && departed.as_ref().and_then(|it| it.resume_until).is_some_and(|until| now <= until);
        let contacts = match departed {
            Some(departed) if returning => departed.contacts,
            Some(departed) => {
                self.announce_departure(address, departed);
                BTreeSet::new()
            }
            None => BTreeSet::new(),
        };
        let peer = Peer {
            proof,
            primary: session,
            standby: None,
            contacts,
            last_refusal: None,
            rooms: BTreeMap::new(),
        };
        self.peers.insert(address.clone(), peer);
        self.report(Happening::PeerOpened(address.app.clone()));
        if resumed {
            self.report(Happening::PeerResumed(address.app.clone()));
            self.tell(session, Event::Resumed);
        } else {
            self.tell(session, Event::Opened);
        }
    }

    /// A second session of a peer that is here. OPEN is told once per life of the client's
    /// connection, on whichever transport came first (`docs/reference/peerjs-dialect.md` A5, B1).
    fn attach(&mut self, session: SessionId, channel: Channel, address: &PeerAddress) {
        self.refuse_challenger(address);
        let lost = self.is_lost(address);
        let Some(peer) = self.peers.get_mut(address) else { return };
        let old = peer.primary;
        let old_channel = self.sessions.get(&old).map_or(Channel::Socket, |entry| entry.channel);
        if channel == Channel::Stream && old_channel == Channel::Socket && !lost {
            let replaced = peer.standby.replace(session);
            self.tell(session, Event::Resumed);
            if let Some(replaced) = replaced {
                self.hang_up(replaced, HangupReason::Superseded);
            }
            return;
        }
        peer.primary = session;
        let reconnected = channel == Channel::Socket && old_channel == Channel::Socket;
        self.tell(session, if reconnected { Event::Opened } else { Event::Resumed });
        self.commands.push_back(Command::Handover { from: old, to: session });
        self.hang_up(old, HangupReason::Superseded);
        let app = address.app.clone();
        self.report(if lost {
            Happening::PeerResumed(app)
        } else {
            Happening::SessionReplaced(app)
        });
    }

    fn detach(&mut self, now: Instant, session: SessionId, address: &PeerAddress, resumable: bool) {
        self.remove_session(session);
        let Some(peer) = self.peers.get_mut(address) else { return };
        if peer.standby == Some(session) {
            peer.standby = None;
            return;
        }
        if peer.primary != session {
            return;
        }
        if let Some(standby) = peer.standby.take() {
            peer.primary = standby;
            self.commands.push_back(Command::Handover { from: session, to: standby });
            self.report(Happening::SessionReplaced(address.app.clone()));
            return;
        }
        self.depart(now, address, resumable);
    }

    /// Forgets a peer whose last session has ended.
    fn depart(&mut self, now: Instant, address: &PeerAddress, resumable: bool) {
        let Some(mut peer) = self.peers.remove(address) else { return };
        self.leave_rooms(address, std::mem::take(&mut peer.rooms));
        // What the backplane will grant to a claim under way must not be given back before.
        if !self.claims.contains_key(address) {
            self.shrink(&address.app);
            self.commands.push_back(Command::Release(Address::Peer(address.clone())));
        }
        self.report(Happening::PeerClosed(address.app.clone()));
        let leave_after = self.settings.policy(&address.app).leave_after;
        let departed = Departed {
            proof: peer.proof,
            resume_until: resumable.then(|| now + self.settings.resume_grace),
            leave_at: leave_after.filter(|_| !peer.contacts.is_empty()).map(|after| now + after),
            contacts: peer.contacts,
        };
        if let Some((address, evicted)) = self.departed.remember(address.clone(), departed) {
            self.announce_departure(&address, evicted);
        }
        self.admit_challenger(now, address);
    }

    /// Ends every session of a session's peer, so that none takes over from another.
    pub(crate) fn end_all(&mut self, now: Instant, session: SessionId, reason: HangupReason) {
        let Some(address) = self.sessions.get(&session).map(|entry| entry.address.clone()) else {
            return;
        };
        self.end_standby(&address, reason);
        let Some(primary) = self.peers.get(&address).map(|peer| peer.primary) else { return };
        self.end(now, primary, reason);
    }

    fn end_standby(&mut self, address: &PeerAddress, reason: HangupReason) {
        let standby = self.peers.get_mut(address).and_then(|peer| peer.standby.take());
        if let Some(standby) = standby {
            self.hang_up(standby, reason);
        }
    }

    pub(crate) fn settle_departures(&mut self, now: Instant) {
        while let Some((address, departed)) = self.departed.settle_one(now) {
            self.announce_departure(&address, departed);
        }
    }

    fn announce_departure(&mut self, address: &PeerAddress, departed: Departed) {
        if departed.leave_at.is_none() {
            return;
        }
        for contact in departed.contacts {
            self.announce_leave(address, &contact);
        }
    }

    fn hang_up(&mut self, session: SessionId, reason: HangupReason) {
        self.remove_session(session);
        self.commands.push_back(Command::Hangup(session, reason));
    }

    /// Counts one more address in use, if the app may have it.
    fn grow(&mut self, app: &AppKey) -> bool {
        let limit = self.settings.policy(app).concurrent_limit;
        if self.app_sizes.get(app).copied().unwrap_or_default() >= limit {
            return false;
        }
        *self.app_sizes.entry(app.clone()).or_default() += 1;
        true
    }

    fn shrink(&mut self, app: &AppKey) {
        let Some(size) = self.app_sizes.get_mut(app) else { return };
        *size -= 1;
        if *size == 0 {
            self.app_sizes.remove(app);
        }
    }

    /// One claim for the address is answered. The address is given back when all are and nobody
    /// here uses what was granted.
    fn settle_claim(&mut self, address: &PeerAddress, granted: bool) {
        let Some(claims) = self.claims.get_mut(address) else { return };
        claims.outstanding -= 1;
        claims.granted |= granted;
        if claims.outstanding > 0 {
            return;
        }
        let granted = claims.granted;
        self.claims.remove(address);
        if self.peers.contains_key(address) {
            return;
        }
        self.shrink(&address.app);
        if granted {
            self.commands.push_back(Command::Release(Address::Peer(address.clone())));
        }
    }
}
