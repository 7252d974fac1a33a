//! Payload types: every leg offers the same formats in the same order, so a format is its place.

use str0m::format::{Codec as Format, PayloadParams};
use str0m::media::{Mid, Pt};
use str0m::{Rtc, RtcConfig};

use super::Incoming;
use crate::{Codec, Codecs};

/// The place of a format in what every leg offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FormatId(u8);

/// What every leg offers, the preferred first.
pub(super) fn configure(config: RtcConfig) -> RtcConfig {
    config
        .clear_codecs()
        .enable_opus(true, false)
        .enable_pcmu(true, false)
        .enable_pcma(true, false)
        .enable_vp8(true)
        .enable_h264(true)
        .enable_vp9(true)
        .enable_av1(true)
}

/// The formats with their payload types on this leg.
#[derive(Debug)]
pub(super) struct Formats {
    known: Vec<Known>,
}

#[derive(Debug)]
struct Known {
    payload_type: Pt,
    codec: Codec,
    /// Of repetitions (RFC 4588).
    repair: Option<Pt>,
}

impl Formats {
    /// As they are offered, or as they were agreed on.
    pub(super) fn new(rtc: &Rtc) -> Self {
        Self { known: rtc.codec_config().params().iter().filter_map(known).collect() }
    }

    pub(super) fn find(&self, payload_type: Pt) -> Option<(FormatId, Codec)> {
        let index = self.known.iter().position(|it| it.payload_type == payload_type)?;
        Some((FormatId(u8::try_from(index).ok()?), self.known[index].codec))
    }

    pub(super) fn is_repair(&self, payload_type: u8) -> bool {
        self.known.iter().filter_map(|it| it.repair).any(|pt| *pt == payload_type)
    }

    pub(super) fn payload_type(&self, format: FormatId) -> Pt {
        self.known[usize::from(format.0)].payload_type
    }

    /// Of its repetitions, if the member takes such.
    pub(super) fn repair(&self, format: FormatId) -> Option<Pt> {
        self.known[usize::from(format.0)].repair
    }

    /// Of repetitions of whatever the other side takes on a line.
    pub(super) fn repair_of(&self, accepted: Accepted) -> Option<Pt> {
        let known = (0..).zip(&self.known).filter(|(place, _)| accepted.takes(FormatId(*place)));
        known.into_iter().find_map(|(_, known)| known.repair)
    }

    /// Those that the other side takes on a line, in its order.
    pub(super) fn accepted(&self, rtc: &Rtc, mid: Mid) -> Accepted {
        let mut accepted = Accepted::default();
        let Some(media) = rtc.media(mid) else { return accepted };
        for payload_type in media.remote_pts() {
            let Some((format, codec)) = self.find(*payload_type) else { continue };
            accepted.formats |= 1 << format.0;
            accepted.codecs.insert(codec);
            accepted.first.get_or_insert(codec);
        }
        accepted
    }

    /// What the member understands: what it took on the lines for its own tracks; where it was not
    /// asked yet, everything.
    #[expect(clippy::unused_self, reason = "the formats are what the answer is about")]
    pub(super) fn codecs(&self, incoming: &[Incoming; 2]) -> Codecs {
        let mut all = Codecs::default();
        for line in incoming {
            let of_kind = Codec::ALL.into_iter().filter(|codec| codec.kind() == line.kind());
            for codec in of_kind {
                if line.accepted().is_none_or(|accepted| accepted.codecs.contains(codec)) {
                    all.insert(codec);
                }
            }
        }
        all
    }
}

/// What the other side takes on one line.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Accepted {
    formats: u64,
    pub(super) codecs: Codecs,
    pub(super) first: Option<Codec>,
}

impl Accepted {
    pub(super) fn takes(self, format: FormatId) -> bool {
        self.formats & (1 << format.0) != 0
    }
}

fn known(params: &PayloadParams) -> Option<Known> {
    let codec = match params.spec().codec {
        Format::Opus => Codec::Opus,
        Format::PCMU => Codec::Pcmu,
        Format::PCMA => Codec::Pcma,
        Format::Vp8 => Codec::Vp8,
        Format::Vp9 => Codec::Vp9,
        Format::H264 => Codec::H264,
        Format::Av1 => Codec::Av1,
        _ => return None,
    };
    Some(Known { payload_type: params.pt(), codec, repair: params.resend() })
}
