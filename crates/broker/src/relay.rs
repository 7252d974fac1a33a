//! What peers say to each other: relayed at once, kept for those who are not there yet, expired.

use std::time::Instant;

use peerway_protocol::{
    Dialect, Envelope, Event, Json, PeerAddress, PeerId, Refusal, Request, Signal, SignalKind,
    interop,
};

use crate::mailbox::Full;
use crate::{Broker, Command, HangupReason, Happening, Parcel, Proof, SessionId};

/// Refusals of mail are told to a sender at most this often.
const REFUSAL_INTERVAL: std::time::Duration = std::time::Duration::from_secs(1);

/// Why a request that came beside a session was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PostRefused {
    /// No such peer is here.
    UnknownPeer,
    /// The peer is here but the token is not its own.
    WrongProof,
}

impl Broker {
    /// A session asks for something.
    pub fn handle_request(&mut self, now: Instant, session: SessionId, request: Request) {
        let settings = &self.settings;
        let Some(entry) = self.sessions.get_mut(&session) else { return };
        if !entry.is_attached() {
            return;
        }
        if !entry.rate.take(now, settings.messages_per_second, settings.message_burst) {
            let refusal = Refusal::TooManyMessages(settings.messages_per_second);
            self.report(Happening::Refused(refusal.clone()));
            self.tell(session, Event::Refused(refusal));
            return self.end_all(now, session, HangupReason::TooManyMessages);
        }
        match request {
            Request::Depart => self.end_all(now, session, HangupReason::Departed),
            Request::Send { to, signal } => {
                let source = entry.address.clone();
                self.send(now, source, to, signal);
            }
            Request::Room { room, request } => {
                let address = entry.address.clone();
                self.ask_room(now, &address, room, request);
            }
        }
    }

    /// A request for a peer that came beside its session, with the proof that it may ask.
    pub fn handle_post(
        &mut self,
        now: Instant,
        address: &PeerAddress,
        proof: Proof,
        request: Request,
    ) -> Result<(), PostRefused> {
        let peer = self.peers.get(address).ok_or(PostRefused::UnknownPeer)?;
        if !peer.accepts(proof) {
            return Err(PostRefused::WrongProof);
        }
        let session = peer.primary;
        self.handle_request(now, session, request);
        Ok(())
    }

    /// A parcel reached this node for one of its peers or rooms.
    pub fn handle_arrival(&mut self, now: Instant, parcel: Parcel) {
        match parcel {
            Parcel::Signal(envelope) => self.handle_signal(envelope),
            Parcel::ToRoom(asked) => self.handle_asked(now, asked),
            Parcel::FromRoom(told) => self.handle_told(now, told),
        }
    }

    fn handle_signal(&mut self, envelope: Envelope) {
        let destination = envelope.destination();
        let Some(peer) = self.peers.get_mut(&destination) else {
            self.commands.push_back(Command::Return(Parcel::Signal(envelope)));
            return;
        };
        let session = peer.primary;
        let dialect = self.sessions.get(&session).map_or(Dialect::default(), |it| it.dialect);
        if envelope.signal.kind == SignalKind::Offer
            && envelope.signal.dialect != dialect
            && let Err(reason) = interop::check(&envelope.signal, dialect)
        {
            return self.reject(envelope, reason);
        }
        let Envelope { from, signal, .. } = envelope;
        if self.settings.remembers_contacts(&destination.app) {
            peer.remember_contact(&from, self.settings.contacts_per_peer);
        }
        self.report(Happening::Delivered(signal.kind));
        self.tell(session, Event::Signal { from, signal });
    }

    /// A parcel of one of this node's peers or rooms found nobody.
    pub fn handle_undeliverable(&mut self, now: Instant, parcel: Parcel) {
        match parcel {
            Parcel::Signal(envelope) => self.handle_undelivered_signal(now, envelope),
            Parcel::ToRoom(asked) => self.handle_unasked(now, asked),
            Parcel::FromRoom(told) => self.handle_untold(now, told),
        }
    }

    /// Tells the sender of an offer that the receiver's client would not understand what flows.
    fn reject(&mut self, offer: Envelope, reason: String) {
        let payload = Some(Json::string(&reason));
        self.report(Happening::Refused(Refusal::Incompatible(reason)));
        self.forward(Parcel::Signal(Envelope {
            app: offer.app,
            from: offer.to,
            to: offer.from,
            signal: Signal { kind: SignalKind::Reject, payload, dialect: Dialect::default() },
        }));
    }

    fn handle_undelivered_signal(&mut self, now: Instant, envelope: Envelope) {
        let kind = envelope.signal.kind;
        if !kind.waits_for_peer() {
            return self.report(Happening::Dropped(kind));
        }
        if self.settings.expire_after.is_zero() {
            // Candidates follow an offer that has expired already: one EXPIRE is enough.
            if kind == SignalKind::Candidate {
                return self.report(Happening::Dropped(kind));
            }
            let (from, to) = (envelope.source(), envelope.to);
            return self.tell_expired(&from, to);
        }
        self.keep(now, envelope);
    }

    /// Somebody holds an address that was watched.
    pub fn handle_up(&mut self, address: &PeerAddress) {
        let envelopes = self.mailbox.take(address);
        if envelopes.is_empty() {
            return;
        }
        self.report(Happening::MailGone {
            messages: envelopes.len(),
            bytes: envelopes.iter().map(Envelope::weight).sum(),
        });
        self.commands.extend(envelopes.into_iter().map(Parcel::Signal).map(Command::Forward));
    }

    pub(crate) fn expire_mail(&mut self, now: Instant) {
        while let Some(expired) = self.mailbox.expire_one(now) {
            let usage = expired.usage;
            self.report(Happening::MailGone { messages: usage.messages, bytes: usage.bytes });
            if expired.was_last {
                self.commands.push_back(Command::Unwatch(expired.to.clone()));
            }
            self.tell_expired(&expired.from, expired.to.peer);
        }
    }

    pub(crate) fn announce_leave(&mut self, leaver: &PeerAddress, contact: &PeerId) {
        self.forward(Parcel::Signal(Envelope {
            app: leaver.app.clone(),
            from: leaver.peer.clone(),
            to: contact.clone(),
            signal: Signal::bare(SignalKind::Leave),
        }));
    }

    fn send(&mut self, now: Instant, source: PeerAddress, to: PeerId, signal: Signal) {
        self.report(Happening::Received(signal.kind));
        if self.settings.remembers_contacts(&source.app)
            && let Some(peer) = self.peers.get_mut(&source)
        {
            peer.remember_contact(&to, self.settings.contacts_per_peer);
        }
        let waits = signal.kind.waits_for_peer();
        let envelope = Envelope { app: source.app, from: source.peer, to, signal };
        if waits && self.mailbox.holds(&envelope.destination(), &envelope.from) {
            self.keep(now, envelope);
        } else {
            self.forward(Parcel::Signal(envelope));
        }
    }

    fn keep(&mut self, now: Instant, envelope: Envelope) {
        let bytes = envelope.weight();
        let (source, destination) = (envelope.source(), envelope.destination());
        match self.mailbox.keep(envelope, now + self.settings.expire_after) {
            Ok(first) => {
                self.report(Happening::MailKept { bytes });
                if first {
                    self.commands.push_back(Command::Watch(destination));
                }
            }
            Err(Full::Sender) => {
                self.refuse_mail(now, &source, Refusal::SenderMailFull(destination.peer));
            }
            Err(Full::App) => {
                self.refuse_mail(now, &source, Refusal::AppMailFull(destination.peer));
            }
        }
    }

    /// Tells a sender that its mail is not kept, but not for each message of a flood.
    fn refuse_mail(&mut self, now: Instant, source: &PeerAddress, refusal: Refusal) {
        self.report(Happening::Refused(refusal.clone()));
        let Some(peer) = self.peers.get_mut(source) else { return };
        if peer.last_refusal.is_some_and(|last| now.duration_since(last) < REFUSAL_INTERVAL) {
            return;
        }
        peer.last_refusal = Some(now);
        let session = peer.primary;
        self.tell(session, Event::Refused(refusal));
    }

    fn tell_expired(&mut self, sender: &PeerAddress, absent: PeerId) {
        self.report(Happening::Expired);
        let Some(session) = self.peers.get(sender).map(|peer| peer.primary) else { return };
        self.tell(session, Event::Expired { peer: absent });
    }
}
