//! Tracks: which, in what codec, and the frames and packets in them.

use std::collections::VecDeque;
use std::time::Instant;

use bytes::Bytes;

use str0m::bwe::{Bitrate, BweKind};
use str0m::change::SdpApi;
use str0m::format::{Codec as Format, PayloadParams};
use str0m::media::{Direction, Frequency, KeyframeRequestKind, MediaData, MediaKind};
use str0m::media::{MediaTime, Mid};
use str0m::rtp::{RtpPacket as Packet, RtpWrite};
use str0m::{Rtc, RtcConfig};

use super::{Engine, EngineError, Event};
use crate::connection::MediaSelection;
use crate::media::{Codec, EncodedFrame, MediaTimestamp, RtpPacket, TrackKind};

/// What the first second may send, until the estimate has learned the path.
const FIRST_BITRATE: Bitrate = Bitrate::kbps(1_000);

/// One track of a call (an m-line of its SDP).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct TrackId(pub(super) Mid);

impl TrackId {
    /// The line of this name (`a=mid`).
    pub(crate) fn named(mid: &str) -> Self {
        Self(Mid::from(mid))
    }
}

/// How a call is made.
#[derive(Debug, Clone)]
pub(crate) struct MediaOptions {
    /// What this side sends.
    pub(crate) send: MediaSelection,
    /// Allowed codecs, the first preferred; none means all.
    pub(crate) codecs: Vec<Codec>,
    /// RTP packets instead of frames.
    pub(crate) rtp: bool,
}

impl MediaOptions {
    pub(super) fn configure(&self, config: RtcConfig) -> RtcConfig {
        const ALL: [Codec; 7] = [
            Codec::Vp8,
            Codec::Vp9,
            Codec::H264,
            Codec::Av1,
            Codec::Opus,
            Codec::Pcmu,
            Codec::Pcma,
        ];
        let codecs = if self.codecs.is_empty() { &ALL[..] } else { &self.codecs };
        let config = codecs.iter().fold(config, |config, codec| match codec {
            Codec::Vp8 => config.enable_vp8(true),
            Codec::Vp9 => config.enable_vp9(true),
            Codec::H264 => config.enable_h264(true),
            Codec::Av1 => config.enable_av1(true),
            Codec::Opus => config.enable_opus(true, false),
            Codec::Pcmu => config.enable_pcmu(true, false),
            Codec::Pcma => config.enable_pcma(true, false),
        });
        config.set_rtp_mode(self.rtp).enable_bwe(Some(FIRST_BITRATE))
    }

    fn sends(&self, kind: TrackKind) -> bool {
        match kind {
            TrackKind::Audio => self.send.audio,
            TrackKind::Video => self.send.video,
        }
    }
}

/// The tracks of an engine.
#[derive(Debug, Default)]
pub(super) struct Tracks {
    options: Option<MediaOptions>,
    offered: Vec<(Mid, TrackKind)>,
    agreed: bool,
    events: VecDeque<Event>,
}

impl Tracks {
    pub(super) fn new(options: Option<MediaOptions>) -> Self {
        Self { options, ..Self::default() }
    }

    /// Whether no line has been agreed on yet.
    pub(super) fn is_empty(&self) -> bool {
        !self.agreed
    }

    fn is_rtp(&self) -> bool {
        self.options.as_ref().is_some_and(|options| options.rtp)
    }

    pub(super) fn next_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Adds one line for each kind: both ways where we send, else to receive.
    pub(super) fn offer(&mut self, api: &mut SdpApi<'_>, options: &MediaOptions) {
        // One stream for both, or a page gets two `stream` events with one track each.
        let stream = Some("peerway".to_owned());
        for kind in [TrackKind::Audio, TrackKind::Video] {
            let direction =
                if options.sends(kind) { Direction::SendRecv } else { Direction::RecvOnly };
            let media = match kind {
                TrackKind::Audio => MediaKind::Audio,
                TrackKind::Video => MediaKind::Video,
            };
            let track = Some(format!("peerway-{}", kind.name()));
            let mid = api.add_media(media, direction, stream.clone(), track, None);
            self.offered.push((mid, kind));
        }
    }

    /// The answer is in: what became of the lines.
    pub(super) fn negotiated(&mut self, rtc: &mut Rtc) {
        self.agreed = true;
        for (mid, kind) in std::mem::take(&mut self.offered) {
            let Some(media) = rtc.media(mid) else { continue };
            let direction = media.direction();
            let wanted = self.options.as_ref().is_some_and(|options| options.sends(kind));
            let dead = media.disabled() || media.stopped();
            self.events.push_back(Event::Track {
                id: TrackId(mid),
                kind,
                sends: !dead && wanted && direction.is_sending(),
                receives: !dead && direction.is_receiving(),
            });
        }
    }

    /// Our answer is made: the lines that the other side offered. The engine tells of them too, but
    /// only after the connection is up.
    pub(super) fn answered(&mut self, rtc: &mut Rtc, answer: &str) {
        let mut kind = None;
        for line in answer.lines() {
            if line.starts_with("m=") {
                kind = kind_of(line);
            } else if let (Some(mid), Some(kind)) = (line.strip_prefix("a=mid:"), kind) {
                self.offered.push((Mid::from(mid.trim()), kind));
            }
        }
        self.negotiated(rtc);
    }

    /// Says in our answer that we do not send what we do not: the engine mirrors the offer.
    pub(super) fn restrict(&self, sdp: &str) -> String {
        let Some(options) = &self.options else { return sdp.to_owned() };
        let mut kind = None;
        let mut restricted = String::with_capacity(sdp.len());
        for line in sdp.split_inclusive('\n') {
            if line.starts_with("m=") {
                kind = kind_of(line);
            }
            let silent = kind.is_some_and(|kind| !options.sends(kind));
            restricted.push_str(match line.trim_end() {
                "a=sendrecv" if silent => "a=recvonly\r\n",
                "a=sendonly" if silent => "a=inactive\r\n",
                _ => line,
            });
        }
        restricted
    }
}

fn kind_of(media_line: &str) -> Option<TrackKind> {
    match media_line.get(2..7) {
        Some("audio") => Some(TrackKind::Audio),
        Some("video") => Some(TrackKind::Video),
        _ => None,
    }
}

fn codec(format: Format) -> Option<Codec> {
    Some(match format {
        Format::Vp8 => Codec::Vp8,
        Format::Vp9 => Codec::Vp9,
        Format::H264 => Codec::H264,
        Format::Av1 => Codec::Av1,
        Format::Opus => Codec::Opus,
        Format::PCMU => Codec::Pcmu,
        Format::PCMA => Codec::Pcma,
        _ => return None,
    })
}

pub(super) fn frame(data: &MediaData) -> Option<Event> {
    let codec = codec(data.params.spec().codec)?;
    Some(Event::Frame {
        track: TrackId(data.mid),
        frame: EncodedFrame {
            codec,
            keyframe: codec.is_audio() || data.is_keyframe(),
            timestamp: MediaTimestamp { ticks: data.time.numer(), clock_rate: data.time.denom() },
            contiguous: data.contiguous,
            data: data.data.to_vec(),
        },
    })
}

pub(super) fn rtp(rtc: &mut Rtc, packet: &Packet) -> Option<Event> {
    let mut api = rtc.direct_api();
    let mid = api.stream_rx(&packet.header.ssrc)?.mid();
    Some(Event::Rtp {
        track: TrackId(mid),
        packet: RtpPacket {
            payload_type: *packet.header.payload_type,
            sequence_number: *packet.seq_no,
            timestamp: packet.header.timestamp,
            marker: packet.header.marker,
            payload: Bytes::copy_from_slice(&packet.payload),
        },
    })
}

pub(super) fn estimate(kind: &BweKind) -> u64 {
    match kind {
        BweKind::Twcc { estimate, .. } | BweKind::Remb { estimate, .. } => estimate.as_u64(),
        _ => 0,
    }
}

impl Engine {
    /// What our next answers say that we send.
    pub(crate) fn set_send(&mut self, send: MediaSelection) {
        if let Some(options) = &mut self.media.options {
            options.send = send;
        }
    }

    /// The codecs that both sides can use for a track of ours, in the other side's order.
    pub(crate) fn offered_codecs(&mut self, track: TrackId) -> Vec<Codec> {
        let Some(media) = self.rtc.media(track.0) else { return Vec::new() };
        let offered = media.remote_pts().to_vec();
        let mut codecs: Vec<Codec> = Vec::new();
        for payload_type in offered {
            let mut all = self.rtc.codec_config().params().iter();
            if let Some(params) = all.find(|params| params.pt() == payload_type)
                && let Some(codec) = codec(params.spec().codec)
                && !codecs.contains(&codec)
            {
                codecs.push(codec);
            }
        }
        codecs
    }

    /// The codecs that both sides can use for a track of ours, the preferred first.
    pub(crate) fn codecs(&mut self, track: TrackId) -> Vec<Codec> {
        let Some(media) = self.rtc.media(track.0) else { return Vec::new() };
        let agreed = media.remote_pts();
        let mut codecs: Vec<Codec> = Vec::new();
        for params in self.rtc.codec_config().params() {
            if let Some(codec) = codec(params.spec().codec)
                && agreed.contains(&params.pt())
                && !codecs.contains(&codec)
            {
                codecs.push(codec);
            }
        }
        codecs
    }

    /// Sends a frame.
    pub(crate) fn write_frame(
        &mut self,
        now: Instant,
        track: TrackId,
        frame: &EncodedFrame,
    ) -> Result<(), EngineError> {
        if self.media.is_rtp() {
            return Err(EngineError("this call carries RTP packets, not frames".to_owned()));
        }
        let Some(writer) = self.rtc.writer(track.0) else {
            return Err(EngineError("the track does not send".to_owned()));
        };
        let payload_type = writer
            .payload_params()
            .find(|params| codec(params.spec().codec) == Some(frame.codec))
            .map(PayloadParams::pt);
        let Some(payload_type) = payload_type else {
            return Err(EngineError(format!("the other side takes no {}", frame.codec.name())));
        };
        let Some(rate) = Frequency::new(frame.timestamp.clock_rate) else {
            return Err(EngineError("a frame's clock rate cannot be 0".to_owned()));
        };
        let time = MediaTime::new(frame.timestamp.ticks, rate);
        Ok(writer.write(payload_type, now, time, frame.data.as_slice())?)
    }

    /// Sends an RTP packet, in RTP mode.
    pub(crate) fn write_rtp(
        &mut self,
        now: Instant,
        track: TrackId,
        packet: &RtpPacket,
    ) -> Result<(), EngineError> {
        if !self.media.is_rtp() {
            return Err(EngineError("this call carries frames, not RTP packets".to_owned()));
        }
        let mut api = self.rtc.direct_api();
        let Some(stream) = api.stream_tx_by_mid(track.0, None) else {
            return Err(EngineError("the track does not send".to_owned()));
        };
        let write = RtpWrite::new(
            packet.payload_type.into(),
            packet.sequence_number.into(),
            packet.timestamp,
            now,
            &packet.payload[..],
        );
        stream.write_rtp(write.marker(packet.marker).nackable(true));
        Ok(())
    }

    /// Asks the other side for a key frame. `false`: it cannot be asked (yet).
    pub(crate) fn request_key_frame(&mut self, track: TrackId) -> bool {
        if self.media.is_rtp() {
            let mut api = self.rtc.direct_api();
            let Some(stream) = api.stream_rx_by_mid(track.0, None) else { return false };
            stream.request_keyframe(KeyframeRequestKind::Pli);
            return true;
        }
        let Some(mut writer) = self.rtc.writer(track.0) else { return false };
        writer.request_keyframe(None, KeyframeRequestKind::Pli).is_ok()
    }
}
