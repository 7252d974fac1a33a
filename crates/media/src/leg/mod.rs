//! One member's WebRTC transport into a room, both directions. The only module that names `str0m`;
//! what it says and takes is this crate's own vocabulary.
//!
//! Contract: after each change, [`Leg::poll`] until it answers [`Output::Timeout`]. Packets that
//! were given to [`Leg::send`] come out of [`Leg::flush`].

mod channels;
mod feedback;
mod format;
mod gaps;
mod gate;
mod header;
mod history;
mod incoming;
mod line;
mod negotiation;
mod nomination;
mod packet;
mod picture;
mod reports;
mod sdp;
mod sending;
mod slot;
mod statistics;
mod told;
mod train;
mod two_lines;
mod vp8;
mod vp9;
mod wire;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use str0m::config::{CryptoProvider, DtlsCert};
use str0m::net::{Protocol, Receive};
use str0m::rtp::{Extension, ExtensionMap};
use str0m::{Candidate, IceConnectionState, IceCreds, Input, Rtc, RtcConfig, RtcError};

pub(crate) use channels::{Message, Opening};
pub(crate) use packet::{Packet, Temporal};
pub(crate) use reports::WallClock;
pub(crate) use sending::Path;
pub(crate) use slot::{Label, SlotId};
pub(crate) use told::{Told, Trip};
pub(crate) use train::Arrived;

use crate::Kind;
use crate::router::{LocalAddress, Transport};
use format::Formats;
use incoming::Incoming;
use slot::Slots;

/// What all legs of a router share.
#[derive(Debug, Clone)]
pub(crate) struct Shared {
    crypto: Arc<CryptoProvider>,
    certificate: Option<DtlsCert>,
    candidates: Vec<LocalAddress>,
    /// The first characters of every ICE user name fragment.
    prefix: String,
    wall: Option<WallClock>,
}

impl Shared {
    pub(crate) fn new(
        candidates: Vec<LocalAddress>,
        prefix: String,
        wall: Option<WallClock>,
    ) -> Self {
        let crypto = peerway_dtls::crypto();
        // One for all: who is meant is in the ICE credentials.
        let certificate = crypto.dtls_provider.generate_certificate();
        Self { crypto, certificate, candidates, prefix, wall }
    }
}

/// How a leg is made.
#[derive(Debug, Clone, Default)]
pub(crate) struct Options {
    /// How much video and audio it may send, in bits per second.
    pub(crate) bitrate_limit: Option<u64>,
    /// Its video may come in several sizes.
    pub(crate) simulcast: bool,
    /// It has two lines, both ways.
    pub(crate) two_lines: bool,
    /// It may have data channels.
    pub(crate) data: bool,
    /// For what should not be guessed from the outside.
    pub(crate) seed: u64,
}

/// What comes out of a leg.
pub(crate) enum Output {
    Transmit {
        transport: Transport,
        source: SocketAddr,
        destination: SocketAddr,
        data: Vec<u8>,
    },
    /// A packet of one of its publications, for all that get it.
    Packet(Arc<Packet>),
    /// A subscriber's decoder is lost.
    KeyFrameWanted(SlotId),
    /// The member opened a data channel.
    Opened(Opening),
    /// The member said something on one.
    Message(Message),
    /// ICE and DTLS are up.
    Connected,
    /// It reported on what it got, or could have for a second: see [`Leg::take_told`].
    Reported,
    /// Whether anything answers on any path.
    Reachable(bool),
    /// It said goodbye.
    Closed,
    Timeout(Instant),
}

/// Why a leg cannot go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("the answer does not fit the offer: {0}")]
    Answer(String),
    #[error("an answer came to no offer")]
    NoOffer,
    #[error("{0}")]
    Engine(String),
}

impl From<RtcError> for Failure {
    fn from(error: RtcError) -> Self {
        Self::Engine(error.to_string())
    }
}

/// See the module documentation.
pub(crate) struct Leg {
    rtc: Rtc,
    options: Options,
    formats: Formats,
    negotiation: negotiation::Negotiation,
    nomination: nomination::Nomination,
    incoming: [Incoming; 2],
    sources: incoming::Sources,
    gate: gate::Gate,
    slots: Slots,
    streams: Vec<negotiation::Stream>,
    sending: sending::Sending,
    wall: WallClock,
    statistics: statistics::Statistics,
    channels: channels::Channels,
    user: String,
    /// The engine's time.
    latest: Instant,
}

impl Leg {
    pub(crate) fn new(now: Instant, shared: &Shared, options: Options) -> Self {
        let mut credentials = IceCreds::new();
        credentials.ufrag.insert_str(0, &shared.prefix);
        let user = credentials.ufrag.clone();
        let mut config = RtcConfig::new()
            .set_crypto_provider(shared.crypto.clone())
            .set_local_ice_credentials(credentials)
            .set_ice_lite(true)
            .set_rtp_mode(true)
            .set_stats_interval(Some(statistics::INTERVAL))
            .set_extension_map(extensions(&options));
        if let Some(certificate) = &shared.certificate {
            config = config.set_dtls_cert(certificate.clone());
        }
        let mut rtc = format::configure(config).build(now);
        for (before, address) in shared.candidates.iter().enumerate() {
            match nomination::candidate(*address, before) {
                Ok(candidate) => {
                    rtc.add_local_candidate(candidate);
                }
                Err(error) => tracing::warn!(?address, %error, "cannot be a candidate"),
            }
        }
        let formats = Formats::new(&rtc);
        Self {
            rtc,
            formats,
            negotiation: negotiation::Negotiation::default(),
            nomination: nomination::Nomination::default(),
            incoming: Kind::ALL.map(Incoming::new),
            sources: incoming::Sources::default(),
            gate: gate::Gate::default(),
            slots: Slots::new(options.seed),
            streams: Vec::new(),
            sending: sending::Sending::default(),
            wall: shared.wall.unwrap_or(WallClock { moment: (now, Duration::ZERO) }),
            statistics: statistics::Statistics::default(),
            channels: channels::Channels::default(),
            options,
            user,
            latest: now,
        }
    }

    /// The ICE user name fragment by which datagrams find this leg.
    pub(crate) fn user(&self) -> &str {
        &self.user
    }

    /// A candidate of the other side. With ICE-lite its checks tell the same: only for the record.
    pub(crate) fn add_candidate(&mut self, candidate: &str) -> bool {
        let Ok(candidate) = Candidate::from_sdp_string(candidate) else { return false };
        self.rtc.add_remote_candidate(candidate);
        true
    }

    /// Whether a STUN message is meant for this leg, and knows its password.
    pub(crate) fn accepts(&self, now: Instant, datagram: &crate::router::Datagram<'_>) -> bool {
        receive(datagram).is_some_and(|it| self.rtc.accepts(&Input::Receive(now, it)))
    }

    /// A datagram arrived. What cannot be read is nobody's error: anybody can send to a port.
    pub(crate) fn handle_datagram(
        &mut self,
        now: Instant,
        datagram: &crate::router::Datagram<'_>,
    ) -> Result<(), Failure> {
        let Some(receive) = receive(datagram) else { return Ok(()) };
        let now = self.at(now);
        self.heed_nomination(datagram);
        if !self.admits(now, datagram.data) {
            tracing::trace!(source = %datagram.source, "a packet of an unknown source");
            return Ok(());
        }
        if !self.heed(now, datagram.data) {
            return Ok(());
        }
        if let Some(check) = self.anticipated_nomination(datagram) {
            let check = crate::router::Datagram { data: &check, ..*datagram };
            if let Some(check) = self::receive(&check) {
                self.rtc.handle_input(Input::Receive(now, check))?;
            }
        }
        self.rtc.handle_input(Input::Receive(now, receive))?;
        if header::is_check(datagram.data) {
            self.look_for_path();
        }
        Ok(())
    }

    /// Time went on, or there is something to send.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Result<(), Failure> {
        let now = self.at(now);
        Ok(self.rtc.handle_input(Input::Timeout(now))?)
    }

    /// The engine leaves undone what it is told about an earlier time.
    fn at(&mut self, now: Instant) -> Instant {
        self.latest = self.latest.max(now);
        self.latest
    }

    /// Says goodbye; [`Leg::poll`] gives the datagrams.
    pub(crate) fn close(&mut self) {
        if self.rtc.close().is_err() {
            self.rtc.disconnect();
        }
    }

    /// What is to be done next.
    pub(crate) fn poll(&mut self) -> Result<Output, Failure> {
        if let Some(output) = self.next_feedback() {
            return Ok(output);
        }
        loop {
            match self.poll_engine()? {
                str0m::Output::Timeout(at) => return Ok(Output::Timeout(at)),
                str0m::Output::Transmit(transmit) => {
                    if self.learn_path(&transmit) {
                        continue;
                    }
                    return Ok(Output::Transmit {
                        transport: match transmit.proto {
                            Protocol::Udp => Transport::Udp,
                            _ => Transport::Tcp,
                        },
                        source: transmit.source,
                        destination: transmit.destination,
                        data: transmit.contents.into(),
                    });
                }
                str0m::Output::Event(event) => {
                    if let Some(output) = self.translate(event) {
                        return Ok(output);
                    }
                }
            }
        }
    }

    fn translate(&mut self, event: str0m::Event) -> Option<Output> {
        use str0m::Event as E;

        Some(match event {
            E::RtpPacket(packet) => return self.packet(packet).map(Arc::new).map(Output::Packet),
            E::MediaIngressStats(stats) => {
                self.note_incoming(&stats);
                return None;
            }
            E::PeerStats(stats) => {
                self.tick(stats.timestamp);
                return self.next_feedback();
            }
            E::ChannelOpen(id, _) => Output::Opened(self.channel_opened(id)?),
            E::ChannelData(data) => Output::Message(self.channel_message(data)?),
            E::ChannelClose(id) => {
                self.channel_closed(id);
                return None;
            }
            E::ChannelBufferedAmountLow(_) => {
                self.flush_channels();
                return None;
            }
            E::Connected => Output::Connected,
            E::IceConnectionStateChange(state) => {
                Output::Reachable(state != IceConnectionState::Disconnected)
            }
            E::Closed => Output::Closed,
            _ => return None,
        })
    }

    /// What the member can take, as far as its answers told; all before the first.
    pub(crate) fn codecs(&self) -> crate::Codecs {
        self.formats.codecs(&self.incoming)
    }

    /// Whether its video may come in several sizes.
    pub(crate) fn is_simulcast(&self) -> bool {
        self.options.simulcast
    }

    /// Whether it can get one other member only.
    pub(crate) fn has_two_lines(&self) -> bool {
        self.options.two_lines
    }
}

impl std::fmt::Debug for Leg {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Leg").field("user", &self.user).finish_non_exhaustive()
    }
}

fn receive<'a>(datagram: &crate::router::Datagram<'a>) -> Option<Receive<'a>> {
    Some(Receive {
        proto: match datagram.transport {
            Transport::Udp => Protocol::Udp,
            Transport::Tcp => Protocol::Tcp,
        },
        source: datagram.source,
        destination: datagram.destination,
        contents: datagram.data.try_into().ok()?,
    })
}

/// What browsers have, but for the absolute send time: transport-wide numbers say more.
fn extensions(options: &Options) -> ExtensionMap {
    let mut map = ExtensionMap::empty();
    map.set(1, Extension::AudioLevel);
    map.set(3, Extension::TransportSequenceNumber);
    map.set(13, Extension::VideoOrientation);
    if !options.two_lines {
        map.set(header::MID, Extension::RtpMid);
        map.set(header::RID, Extension::RtpStreamId);
        map.set(header::REPAIRED_RID, Extension::RepairedRtpStreamId);
    }
    map
}

fn str0m_kind(kind: Kind) -> str0m::media::MediaKind {
    match kind {
        Kind::Audio => str0m::media::MediaKind::Audio,
        Kind::Video => str0m::media::MediaKind::Video,
    }
}
