//! What peers say to each other: relayed at once, kept for those who are not there yet, expired.

use std::time::Instant;

use peerway_protocol::{Address, Envelope, Event, PeerId, Refusal, Request, Signal, SignalKind};

use crate::mailbox::Full;
use crate::{Broker, Command, HangupReason, Happening, Proof, SessionId};

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
            Request::Room { room, .. } => {
                self.tell(session, Event::Refused(Refusal::NotInRoom(room)));
            }
        }
    }

    /// A request for a peer that came beside its session, with the proof that it may ask.
    pub fn handle_post(
        &mut self,
        now: Instant,
        address: &Address,
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

    /// An envelope reached this node for one of its peers.
    pub fn handle_arrival(&mut self, envelope: Envelope) {
        let destination = envelope.destination();
        let Some(peer) = self.peers.get_mut(&destination) else {
            self.commands.push_back(Command::Return(envelope));
            return;
        };
        let session = peer.primary;
        let Envelope { from, signal, .. } = envelope;
        if self.settings.remembers_contacts(&destination.app) {
            peer.remember_contact(&from, self.settings.contacts_per_peer);
        }
        self.report(Happening::Delivered(signal.kind));
        self.tell(session, Event::Signal { from, signal });
    }

    /// An envelope of one of this node's peers found nobody.
    pub fn handle_undeliverable(&mut self, now: Instant, envelope: Envelope) {
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
    pub fn handle_up(&mut self, address: &Address) {
        let envelopes = self.mailbox.take(address);
        if envelopes.is_empty() {
            return;
        }
        self.report(Happening::MailGone {
            messages: envelopes.len(),
            bytes: envelopes.iter().map(Envelope::weight).sum(),
        });
        self.commands.extend(envelopes.into_iter().map(Command::Forward));
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

    pub(crate) fn announce_leave(&mut self, leaver: &Address, contact: &PeerId) {
        self.commands.push_back(Command::Forward(Envelope {
            app: leaver.app.clone(),
            from: leaver.peer.clone(),
            to: contact.clone(),
            signal: Signal::bare(SignalKind::Leave),
        }));
    }

    fn send(&mut self, now: Instant, source: Address, to: PeerId, signal: Signal) {
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
            self.commands.push_back(Command::Forward(envelope));
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
    fn refuse_mail(&mut self, now: Instant, source: &Address, refusal: Refusal) {
        self.report(Happening::Refused(refusal.clone()));
        let Some(peer) = self.peers.get_mut(source) else { return };
        if peer.last_refusal.is_some_and(|last| now.duration_since(last) < REFUSAL_INTERVAL) {
            return;
        }
        peer.last_refusal = Some(now);
        let session = peer.primary;
        self.tell(session, Event::Refused(refusal));
    }

    fn tell_expired(&mut self, sender: &Address, absent: PeerId) {
        self.report(Happening::Expired);
        let Some(session) = self.peers.get(sender).map(|peer| peer.primary) else { return };
        self.tell(session, Event::Expired { peer: absent });
    }
}
