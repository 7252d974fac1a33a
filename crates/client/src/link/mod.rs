//! One connection to another peer as a value: the engine, the channel's codec, and the rules for
//! candidates that come early, for giving up, for restarting ICE and for saying goodbye. No
//! sockets, no clock: tested by two of them on a simulated network.

mod channel;
mod timers;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Instant;

use peerway_protocol::Value;
use peerway_protocol::data::{Generation, Serialization};

use crate::connection::{ConnectionError, ConnectionErrorKind, IceState, MediaSelection};
use crate::engine::{
    self, ChannelId, ChannelOptions, Engine, EngineError, EngineOptions, MediaOptions,
};
use crate::engine::{TrackId, Traffic};
use crate::media::{EncodedFrame, RtpPacket, TrackKind};
use crate::transport::LocalCandidate;
use channel::Channel;
use timers::Timers;

/// Remote candidates that are kept while the other side's description is not known.
const EARLY_CANDIDATES: usize = 64;

/// The channel that a call of `PeerJS` 1.5 has beside its tracks: nothing is sent on it, its end
/// is the end of the call. The label is what 1.5 sends, for nobody sets one.
const AUXILIARY_LABEL: &str = "undefined";

/// What a link is for.
#[derive(Debug, Clone)]
pub(crate) enum Purpose {
    /// One data channel.
    Data { serialization: Serialization, channel: ChannelOptions },
    /// Tracks.
    Media(MediaOptions),
}

/// What comes out.
pub(crate) type Output = engine::Output<Event>;

/// What happens to a link.
#[derive(Debug)]
pub(crate) enum Event {
    /// Values can be sent; for a call: sound and picture can.
    Open,
    /// A value arrived.
    Value(Value),
    /// Something arrived that is no value.
    Garbled(ConnectionError),
    /// The ICE state changed.
    Ice(IceState),
    /// A track was agreed on.
    Track { id: TrackId, kind: TrackKind, sends: bool, receives: bool },
    /// A frame arrived.
    Frame { track: TrackId, frame: EncodedFrame },
    /// An RTP packet arrived.
    Rtp { track: TrackId, packet: RtpPacket },
    /// The other side wants a key frame.
    KeyFrameWanted(TrackId),
    /// What the path seems to carry, in bits per second.
    Bitrate(u64),
    /// The end of the call will be noticed at once: the other side has the auxiliary channel.
    WillCloseOnRemote,
    /// The path is lost and this side, the caller, shall offer a restart.
    RestartWanted,
    /// Numbers, once a second.
    Traffic(Traffic),
    /// It is over; with an error where nobody wanted that. The last event.
    Closed(Option<ConnectionError>),
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Link {
    engine: Engine,
    purpose: Purpose,
    /// The data channel, or a call's auxiliary one.
    channel: Option<Channel>,
    /// The channel that we offered.
    offered: Option<ChannelId>,
    early: Vec<String>,
    described: bool,
    /// Which generation of clients the other side is of.
    remote: Generation,
    /// The biggest message that the other side takes, in bytes.
    largest_message: usize,
    events: VecDeque<Event>,
    timers: Timers,
    closed: bool,
}

impl Link {
    fn new(now: Instant, purpose: Purpose) -> Self {
        let media = match &purpose {
            Purpose::Media(options) => Some(options.clone()),
            Purpose::Data { .. } => None,
        };
        Self {
            engine: Engine::new(now, &EngineOptions { media }),
            timers: Timers::new(now, matches!(purpose, Purpose::Data { .. })),
            purpose,
            channel: None,
            offered: None,
            early: Vec::new(),
            described: false,
            remote: Generation::Modern,
            largest_message: channel::UNSAID_LARGEST_MESSAGE,
            events: VecDeque::new(),
            closed: false,
        }
    }

    /// Begins a connection. Answers the offer's SDP, with `hosts` as candidates in it.
    pub(crate) fn call(now: Instant, purpose: Purpose, hosts: &[LocalCandidate]) -> (Self, String) {
        let mut link = Self::new(now, purpose);
        for host in hosts {
            link.engine.add_local(host);
        }
        let (sdp, id) = match &link.purpose {
            Purpose::Data { channel, .. } => link.engine.offer(Some(channel), None),
            Purpose::Media(options) => {
                let auxiliary = ChannelOptions {
                    label: AUXILIARY_LABEL.to_owned(),
                    ordered: false,
                    lifetime: crate::connection::Lifetime::Reliable,
                };
                link.engine.offer(Some(&auxiliary), Some(options))
            }
        };
        link.offered = id;
        (link, sdp)
    }

    /// Takes the other side's offer. Answers the answer's SDP.
    pub(crate) fn answer(
        now: Instant,
        purpose: Purpose,
        offer: &str,
        remote: Generation,
        hosts: &[LocalCandidate],
    ) -> Result<(Self, String), ConnectionError> {
        let mut link = Self::new(now, purpose);
        for host in hosts {
            link.engine.add_local(host);
        }
        let sdp = link.engine.accept_offer(offer).map_err(|error| negotiation(&error))?;
        link.timers.answered(now);
        link.described(offer, remote);
        Ok((link, sdp))
    }

    /// One end of a connection whose other end makes all offers, and any number of them: a room's
    /// forwarding unit.
    pub(crate) fn room(now: Instant, purpose: Purpose, hosts: &[LocalCandidate]) -> Self {
        let mut link = Self::new(now, purpose);
        for host in hosts {
            link.engine.add_local(host);
        }
        link
    }

    /// The first or a later offer of a room's forwarding unit. Answers the answer's SDP, which says
    /// that we send `send`.
    pub(crate) fn handle_offer(
        &mut self,
        now: Instant,
        sdp: &str,
        send: MediaSelection,
    ) -> Result<String, ConnectionError> {
        self.engine.set_send(send);
        let answer = self.engine.accept_offer(sdp).map_err(|error| negotiation(&error))?;
        if !self.described {
            self.timers.answered(now);
            self.described(sdp, Generation::Modern);
        }
        Ok(answer)
    }

    /// The answer to our offer, first or to a restart.
    pub(crate) fn handle_answer(
        &mut self,
        now: Instant,
        sdp: &str,
        remote: Generation,
    ) -> Result<(), ConnectionError> {
        self.engine.accept_answer(sdp).map_err(|error| negotiation(&error))?;
        self.timers.answered(now);
        self.described(sdp, remote);
        Ok(())
    }

    /// The other side restarts ICE. Answers the answer's SDP.
    pub(crate) fn handle_restart(&mut self, sdp: &str) -> Result<String, ConnectionError> {
        self.engine.accept_offer(sdp).map_err(|error| negotiation(&error))
    }

    /// Offers an ICE restart; the candidates have to be added anew.
    pub(crate) fn restart(&mut self, now: Instant) -> Option<String> {
        let offer = self.engine.restart_offer()?;
        self.timers.restarted(now);
        Some(offer)
    }

    /// Whether a restart of ours is under way.
    pub(crate) fn is_restarting(&self) -> bool {
        self.timers.is_restarting() && self.engine.is_offering()
    }

    fn described(&mut self, sdp: &str, remote: Generation) {
        self.described = true;
        self.remote = remote;
        self.largest_message = channel::largest_message(sdp);
        for candidate in std::mem::take(&mut self.early) {
            self.add_remote(&candidate);
        }
    }

    /// A candidate of the other side, its name resolved. It waits for the description if need be.
    pub(crate) fn handle_candidate(&mut self, candidate: String) {
        if self.described {
            self.add_remote(&candidate);
        } else if self.early.len() < EARLY_CANDIDATES {
            self.early.push(candidate);
        }
    }

    fn add_remote(&mut self, candidate: &str) {
        if let Err(error) = self.engine.add_remote(candidate) {
            tracing::debug!(%error, "a remote candidate is left out");
        }
    }

    /// A way to reach us. Answers the candidate attribute for the other side.
    pub(crate) fn add_local(&mut self, candidate: &LocalCandidate) -> Option<String> {
        self.engine.add_local(candidate)
    }

    /// The only UDP sockets of this machine that are left.
    pub(crate) fn keep_local(&mut self, sockets: &[SocketAddr]) {
        self.engine.keep_local(sockets);
    }

    /// A datagram arrived.
    pub(crate) fn handle_datagram(
        &mut self,
        now: Instant,
        source: SocketAddr,
        destination: SocketAddr,
        data: &[u8],
    ) {
        let result = self.engine.handle_datagram(now, source, destination, data);
        self.unless_failed(result);
    }

    /// Time went on.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        match self.timers.due(now) {
            timers::Due::Nothing => {}
            timers::Due::Restart => self.events.push_back(Event::RestartWanted),
            timers::Due::GiveUp(error) => return self.fail(error),
            timers::Due::Flushed => self.engine.close(),
        }
        let result = self.engine.handle_timeout(now);
        self.unless_failed(result);
    }

    fn unless_failed(&mut self, result: Result<(), EngineError>) {
        if let Err(error) = result {
            let kind = if self.timers.has_connected() {
                ConnectionErrorKind::ConnectionClosed
            } else {
                ConnectionErrorKind::NegotiationFailed
            };
            self.fail(ConnectionError::new(kind, error.to_string()));
        }
    }

    fn fail(&mut self, error: ConnectionError) {
        if !self.closed {
            let connected = self.timers.has_connected();
            self.closed = true;
            self.timers.stop();
            self.events.push_back(Event::Ice(IceState::Failed));
            self.events.push_back(Event::Closed(Some(error)));
            if connected {
                self.engine.close();
            } else {
                self.engine.abort();
            }
        }
    }

    /// Ends the connection. What has been sent is given a few seconds to arrive. Poll on until
    /// [`Link::is_alive`] is false.
    pub(crate) fn close(&mut self, now: Instant) {
        let waiting = self.channel.as_ref().is_some_and(|channel| channel.busy(&mut self.engine));
        if !self.timers.has_connected() {
            // Nobody is there to hear a goodbye.
            self.engine.abort();
        } else if waiting && !self.closed {
            self.timers.flush(now);
        } else if !self.engine.try_close() {
            self.timers.linger(now);
        }
    }

    /// Whether there is anything left to do.
    pub(crate) fn is_alive(&self) -> bool {
        self.engine.is_alive()
    }

    /// What is to be done next.
    pub(crate) fn poll(&mut self, now: Instant) -> Output {
        self.pump();
        loop {
            if let Some(event) = self.events.pop_front() {
                return Output::Event(event);
            }
            match self.engine.poll() {
                Ok(engine::Output::Transmit { source, destination, data }) => {
                    return Output::Transmit { source, destination, data };
                }
                Ok(engine::Output::Timeout(at)) => {
                    return Output::Timeout(self.timers.earliest(at));
                }
                Ok(engine::Output::Event(event)) => self.handle_event(now, event),
                Err(error) => {
                    self.unless_failed(Err(error));
                    if self.events.is_empty() {
                        return Output::Timeout(self.timers.earliest(now));
                    }
                }
            }
        }
    }

    fn handle_event(&mut self, now: Instant, event: engine::Event) {
        let event = match event {
            engine::Event::Connected => {
                self.timers.connected();
                match self.purpose {
                    Purpose::Media(_) => Event::Open,
                    Purpose::Data { .. } => return,
                }
            }
            engine::Event::Ice(state) => {
                self.timers.ice(now, state);
                Event::Ice(state)
            }
            engine::Event::ChannelOpen { id, label } => {
                tracing::debug!(label, "channel open");
                return self.channel_open(id);
            }
            engine::Event::ChannelData { id, binary, data } => {
                return self.channel_data(now, id, binary, data);
            }
            engine::Event::ChannelClosed(id) => {
                if self.channel.as_ref().is_some_and(|channel| channel.id == id) {
                    self.over();
                }
                return;
            }
            engine::Event::ChannelDrained => return self.pump(),
            engine::Event::Track { id, kind, sends, receives } => {
                Event::Track { id, kind, sends, receives }
            }
            engine::Event::Frame { track, frame } => Event::Frame { track, frame },
            engine::Event::Rtp { track, packet } => Event::Rtp { track, packet },
            engine::Event::KeyFrameWanted(track) => Event::KeyFrameWanted(track),
            engine::Event::Bitrate(bitrate) => Event::Bitrate(bitrate),
            engine::Event::Traffic(traffic) => Event::Traffic(traffic),
            engine::Event::Closed => return self.over(),
        };
        self.events.push_back(event);
    }

    /// The other side ended it.
    fn over(&mut self) {
        if !self.closed {
            self.closed = true;
            self.timers.stop();
            self.events.push_back(Event::Closed(None));
            self.engine.close();
        }
    }

    /// The engine, for tracks.
    pub(crate) fn engine(&mut self) -> &mut Engine {
        &mut self.engine
    }
}

fn negotiation(error: &EngineError) -> ConnectionError {
    ConnectionError::new(ConnectionErrorKind::NegotiationFailed, error.to_string())
}
