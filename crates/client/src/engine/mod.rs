//! The WebRTC engine: ICE, DTLS, SCTP, RTP. The only module that names `str0m`; what it says and
//! takes is this crate's own vocabulary. No sockets, no clock.
//!
//! Contract, as the engine's own: after each `handle_*` or other change, [`Engine::poll`] until it
//! answers [`Output::Timeout`].

mod channel;
mod media;
mod stats;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use str0m::change::{SdpAnswer, SdpOffer, SdpPendingOffer};
use str0m::net::{Protocol, Receive, TcpType};
use str0m::{Candidate, CandidateKind, IceConnectionState, Input, Rtc, RtcConfig, RtcError};

pub(crate) use channel::{ChannelId, ChannelOptions};
pub(crate) use media::{MediaOptions, TrackId};
pub(crate) use stats::Traffic;

use crate::connection::IceState;
use crate::media::{EncodedFrame, RtpPacket, TrackKind};
use crate::transport::{LocalCandidate, RelayProtocol};

/// The STUN schedule of a check: 250 ms, 500 ms, 1 s, then every 1.5 s: a path is known to be lost after
/// about 11 s without an answer, where the engine's own takes 21 s.
const LONGEST_RTO: Duration = Duration::from_millis(1500);
const RETRANSMITS: usize = 9;

/// How an engine is made.
#[derive(Debug, Clone, Default)]
pub(crate) struct EngineOptions {
    /// For calls: what is sent and how. `None` for data.
    pub(crate) media: Option<MediaOptions>,
}

/// What comes out of a value that is driven: of an engine, or of the link around it.
#[derive(Debug)]
pub(crate) enum Output<E = Event> {
    /// A datagram to send from the candidate `source` to `destination`.
    Transmit { source: SocketAddr, destination: SocketAddr, data: Vec<u8> },
    /// Something happened.
    Event(E),
    /// Nothing more until then, or until the next input.
    Timeout(Instant),
}

/// What happens in an engine.
#[derive(Debug)]
pub(crate) enum Event {
    /// ICE and DTLS are up.
    Connected,
    /// The ICE state changed.
    Ice(IceState),
    /// A channel is open, ours or the other side's.
    ChannelOpen { id: ChannelId, label: String },
    /// A message arrived.
    ChannelData { id: ChannelId, binary: bool, data: Vec<u8> },
    /// A channel is gone.
    ChannelClosed(ChannelId),
    /// There is room to send again.
    ChannelDrained,
    /// The other side's track, or the other direction of ours.
    Track { id: TrackId, kind: TrackKind, sends: bool, receives: bool },
    /// An encoded frame.
    Frame { track: TrackId, frame: EncodedFrame },
    /// An RTP packet, in RTP mode.
    Rtp { track: TrackId, packet: RtpPacket },
    /// The other side wants a key frame of this track.
    KeyFrameWanted(TrackId),
    /// What the path seems to carry, in bits per second.
    Bitrate(u64),
    /// Numbers, once a second.
    Traffic(Traffic),
    /// The other side said goodbye.
    Closed,
}

/// A description or a candidate that makes no sense, or a failure inside.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct EngineError(String);

impl From<RtcError> for EngineError {
    fn from(error: RtcError) -> Self {
        Self(error.to_string())
    }
}

/// One peer connection.
pub(crate) struct Engine {
    rtc: Rtc,
    pending: Option<SdpPendingOffer>,
    media: media::Tracks,
    /// Our ends of TCP connections.
    tcp: Vec<SocketAddr>,
    /// Ways to reach us over sockets of this machine, with the address of the socket.
    own: Vec<(SocketAddr, Candidate)>,
    /// How many relayed candidates there have been.
    relayed: u16,
    open_channels: Vec<str0m::channel::ChannelId>,
    high_water: usize,
    stats: stats::Collector,
}

impl Engine {
    /// An engine that has not negotiated yet.
    pub(crate) fn new(now: Instant, options: &EngineOptions) -> Self {
        // `Channel::write` of a message that this buffer has no room for is refused. We keep the
        // queue short ourselves (`channel::high_water`); this only has to hold one big message.
        let mut config = RtcConfig::new();
        config.set_max_stun_rto(LONGEST_RTO);
        config.set_max_stun_retransmits(RETRANSMITS);
        let mut config = config
            .set_crypto_provider(peerway_dtls::crypto())
            // Between two of ours SCTP is there as soon as DTLS is; others ignore the offer of it.
            .set_snap_enabled(true)
            .set_sctp_max_buffered_amount(channel::LARGEST_MESSAGE + channel::HIGHEST_WATER)
            .set_stats_interval(Some(Duration::from_secs(1)))
            .clear_codecs();
        if let Some(media) = &options.media {
            config = media.configure(config);
        }
        Self {
            rtc: config.build(now),
            pending: None,
            media: media::Tracks::new(options.media.clone()),
            tcp: Vec::new(),
            own: Vec::new(),
            relayed: 0,
            open_channels: Vec::new(),
            high_water: channel::high_water(None),
            stats: stats::Collector::default(),
        }
    }

    /// Makes an offer with the candidates known so far, a channel, and the tracks of `media`.
    pub(crate) fn offer(
        &mut self,
        channel: Option<&ChannelOptions>,
        media: Option<&MediaOptions>,
    ) -> (String, Option<ChannelId>) {
        let mut api = self.rtc.sdp_api();
        if let Some(media) = media {
            self.media.offer(&mut api, media);
        }
        let channel = channel.map(|options| ChannelId(api.add_channel_with_config(options.into())));
        let (offer, pending) = api.apply().expect("a channel or a track was added");
        self.pending = Some(pending);
        (offer.to_sdp_string(), channel)
    }

    /// An offer that renews ICE: other credentials, the candidates that there are, and those that
    /// are added from now on.
    pub(crate) fn restart_offer(&mut self) -> Option<String> {
        let mut api = self.rtc.sdp_api();
        api.ice_restart(true);
        let (offer, pending) = api.apply()?;
        self.pending = Some(pending);
        Some(offer.to_sdp_string())
    }

    /// Whether an offer of ours waits for its answer.
    pub(crate) fn is_offering(&self) -> bool {
        self.pending.is_some()
    }

    /// Takes the other side's offer and answers it.
    pub(crate) fn accept_offer(&mut self, sdp: &str) -> Result<String, EngineError> {
        let offer = SdpOffer::from_sdp_string(sdp)
            .map_err(|error| EngineError(format!("the offer's SDP is malformed: {error}")))?;
        // Ours loses: whoever accepts while offering rolls back.
        self.pending = None;
        let answer = self.rtc.sdp_api().accept_offer(offer)?.to_sdp_string();
        if self.media.is_empty() {
            self.media.answered(&mut self.rtc, &answer);
        }
        Ok(self.media.restrict(&answer))
    }

    /// Takes the answer to the offer that is out.
    pub(crate) fn accept_answer(&mut self, sdp: &str) -> Result<(), EngineError> {
        let answer = SdpAnswer::from_sdp_string(sdp)
            .map_err(|error| EngineError(format!("the answer's SDP is malformed: {error}")))?;
        let Some(pending) = self.pending.take() else {
            return Err(EngineError("an answer came to no offer".to_owned()));
        };
        self.rtc.sdp_api().accept_answer(pending, answer)?;
        self.media.negotiated(&mut self.rtc);
        Ok(())
    }

    /// Adds a way to reach us. Answers the candidate attribute to tell the other side, or nothing
    /// if it is of no use (a duplicate).
    pub(crate) fn add_local(&mut self, local: &LocalCandidate) -> Option<String> {
        let built = match *local {
            LocalCandidate::Host { addr } => Candidate::host(addr, Protocol::Udp),
            LocalCandidate::Tcp { addr } => {
                self.tcp.push(addr);
                Candidate::builder().tcp().tcptype(TcpType::Active).host(addr).build()
            }
            LocalCandidate::ServerReflexive { addr, base } => {
                Candidate::server_reflexive(addr, base, Protocol::Udp)
            }
            LocalCandidate::Relayed { addr, protocol, .. } => {
                self.relayed += 1;
                Ok(relayed(addr, protocol, self.relayed))
            }
        };
        let candidate = match built {
            Ok(candidate) => candidate,
            Err(error) => {
                tracing::debug!(%error, ?local, "a local candidate that cannot be one");
                return None;
            }
        };
        let added = self.rtc.add_local_candidate(candidate)?;
        match *local {
            LocalCandidate::Host { addr: base } | LocalCandidate::ServerReflexive { base, .. } => {
                let own = (base, added.clone());
                // Those that are told again after a restart are known.
                if !self.own.contains(&own) {
                    self.own.push(own);
                }
            }
            LocalCandidate::Tcp { .. } | LocalCandidate::Relayed { .. } => {}
        }
        Some(added.to_sdp_string())
    }

    /// The only UDP sockets of this machine that are left. The engine would try the others for ten
    /// seconds before it uses another way.
    pub(crate) fn keep_local(&mut self, sockets: &[SocketAddr]) {
        let Self { rtc, own, .. } = self;
        own.retain(|(base, candidate)| {
            let is_left = sockets.contains(base);
            if !is_left {
                rtc.direct_api().invalidate_candidate(candidate);
            }
            is_left
        });
    }

    /// Adds a way to reach the other side. Answers its address.
    pub(crate) fn add_remote(&mut self, candidate: &str) -> Result<SocketAddr, EngineError> {
        let candidate = Candidate::from_sdp_string(candidate)
            .map_err(|error| EngineError(format!("cannot use a candidate: {error}")))?;
        let listens = candidate.tcptype() == Some(TcpType::Passive);
        if candidate.proto() != Protocol::Udp && !listens {
            return Err(EngineError("cannot be reached from here".to_owned()));
        }
        let address = candidate.addr();
        self.rtc.add_remote_candidate(candidate);
        Ok(address)
    }

    /// A datagram arrived at the candidate `destination` of ours. What the engine cannot read is
    /// not its error: anybody can send to a port.
    pub(crate) fn handle_datagram(
        &mut self,
        now: Instant,
        source: SocketAddr,
        destination: SocketAddr,
        data: &[u8],
    ) -> Result<(), EngineError> {
        let Ok(contents) = data.try_into() else { return Ok(()) };
        let is_tcp = self.tcp.contains(&destination);
        let proto = if is_tcp { Protocol::Tcp } else { Protocol::Udp };
        let receive = Receive { proto, source, destination, contents };
        Ok(self.rtc.handle_input(Input::Receive(now, receive))?)
    }

    /// Time went on.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Result<(), EngineError> {
        Ok(self.rtc.handle_input(Input::Timeout(now))?)
    }

    /// Says goodbye: RTCP BYE, SCTP shutdown, DTLS `close_notify`. [`Engine::poll`] gives the
    /// datagrams; then [`Engine::is_alive`] is false. `false`: it cannot be said yet, for SCTP is
    /// still shaking hands.
    pub(crate) fn try_close(&mut self) -> bool {
        self.rtc.close().is_ok()
    }

    /// The same; where no goodbye can be said, without.
    pub(crate) fn close(&mut self) {
        if !self.try_close() {
            self.abort();
        }
    }

    /// Ends at once, without a word.
    pub(crate) fn abort(&mut self) {
        self.rtc.disconnect();
    }

    /// Whether there is anything left to do.
    pub(crate) fn is_alive(&self) -> bool {
        self.rtc.is_alive()
    }

    /// What is to be done next.
    pub(crate) fn poll(&mut self) -> Result<Output, EngineError> {
        if let Some(event) = self.media.next_event() {
            return Ok(Output::Event(event));
        }
        loop {
            match self.rtc.poll_output()? {
                str0m::Output::Timeout(at) => return Ok(Output::Timeout(at)),
                str0m::Output::Transmit(transmit) => {
                    return Ok(Output::Transmit {
                        source: transmit.source,
                        destination: transmit.destination,
                        data: transmit.contents.into(),
                    });
                }
                str0m::Output::Event(event) => {
                    if let Some(event) = self.translate(event) {
                        return Ok(Output::Event(event));
                    }
                }
            }
        }
    }

    fn translate(&mut self, event: str0m::Event) -> Option<Event> {
        use str0m::Event as E;

        Some(match event {
            E::Connected => Event::Connected,
            E::IceConnectionStateChange(state) => Event::Ice(ice_state(state)),
            E::ChannelOpen(id, label) => {
                channel::configure(&mut self.rtc, id, self.high_water);
                self.open_channels.push(id);
                Event::ChannelOpen { id: ChannelId(id), label }
            }
            E::ChannelData(data) => {
                Event::ChannelData { id: ChannelId(data.id), binary: data.binary, data: data.data }
            }
            E::ChannelClose(id) => {
                self.open_channels.retain(|open| *open != id);
                Event::ChannelClosed(ChannelId(id))
            }
            E::ChannelBufferedAmountLow(_) => Event::ChannelDrained,
            E::MediaData(data) => return media::frame(&data),
            E::RtpPacket(packet) => return media::rtp(&mut self.rtc, &packet),
            E::KeyframeRequest(request) => Event::KeyFrameWanted(TrackId(request.mid)),
            E::EgressBitrateEstimate(kind) => Event::Bitrate(media::estimate(&kind)),
            E::PeerStats(stats) => {
                let traffic = self.stats.peer(&stats);
                self.adapt(traffic.round_trip_time);
                Event::Traffic(traffic)
            }
            E::MediaIngressStats(stats) => return self.stats.ingress(&stats),
            E::MediaEgressStats(stats) => return self.stats.egress(&stats),
            E::Closed => Event::Closed,
            _ => return None,
        })
    }
}

impl Engine {
    /// Lets as much be under way as the path is long.
    fn adapt(&mut self, round_trip: Option<Duration>) {
        let high_water = channel::high_water(round_trip);
        if high_water != self.high_water {
            self.high_water = high_water;
            for id in &self.open_channels {
                channel::configure(&mut self.rtc, *id, high_water);
            }
        }
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("alive", &self.is_alive()).finish_non_exhaustive()
    }
}

/// A relayed candidate. The engine would prefer whichever came first; a relay that is reached over UDP
/// is better than one over TCP, and that better than one over TLS.
fn relayed(address: SocketAddr, protocol: RelayProtocol, number: u16) -> Candidate {
    let preference = match protocol {
        RelayProtocol::Udp => 2,
        RelayProtocol::Tcp => 1,
        RelayProtocol::Tls => 0,
    };
    // RFC 8445, 5.1.2.1, with component 1; no two alike.
    let local = u32::from(u16::MAX.saturating_sub(number));
    let priority = (preference << 24) | (local << 8) | 255;
    let related = match address {
        SocketAddr::V4(_) => SocketAddr::from(([0, 0, 0, 0], 0)),
        SocketAddr::V6(_) => SocketAddr::from(([0; 16], 0)),
    };
    Candidate::from_parts(
        format!("relay{number}"),
        1,
        Protocol::Udp,
        priority,
        address,
        CandidateKind::Relayed,
        Some(related),
        None,
        None,
    )
}

fn ice_state(state: IceConnectionState) -> IceState {
    match state {
        IceConnectionState::New => IceState::New,
        IceConnectionState::Checking => IceState::Checking,
        IceConnectionState::Connected => IceState::Connected,
        IceConnectionState::Completed => IceState::Completed,
        IceConnectionState::Disconnected => IceState::Disconnected,
    }
}
