//! The two lines on which a member's own tracks come.

use std::time::{Duration, Instant};

use str0m::bwe::Bitrate;
use str0m::media::{KeyframeRequestKind, Mid, Rid};
use str0m::rtp::Ssrc;

use super::Leg;
use super::format::Accepted;
use crate::{Codec, Kind};

/// The names of the sizes of a simulcast, the smallest first.
pub(super) const LAYERS: [&str; 3] = ["q", "h", "f"];

/// Sources that are remembered; more than a member can have at once.
const REMEMBERED: usize = 16;

/// One of the lines.
#[derive(Debug)]
pub(crate) struct Incoming {
    kind: Kind,
    pub(super) mid: Option<Mid>,
    accepted: Option<Accepted>,
    comes: bool,
}

impl Incoming {
    pub(super) fn new(kind: Kind) -> Self {
        Self { kind, mid: None, accepted: None, comes: false }
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    pub(super) fn accepted(&self) -> Option<Accepted> {
        self.accepted
    }

    pub(super) fn answered(&mut self, comes: bool, accepted: Accepted) {
        self.comes = comes;
        self.accepted = Some(accepted);
    }

    /// Whether the member sends, and how it will be encoded: browsers take the first that both have.
    pub(crate) fn publishes(&self) -> Option<Codec> {
        self.accepted.filter(|_| self.comes)?.first
    }
}

/// Where the streams belong that come in: those of which a genuine packet has come.
#[derive(Debug, Default)]
pub(super) struct Sources(Vec<Source>);

#[derive(Debug)]
pub(super) struct Source {
    ssrc: u32,
    mid: Mid,
    rid: Option<Rid>,
    kind: Kind,
    layer: usize,
    pub(super) heard: Instant,
}

impl Sources {
    pub(super) fn find_mut(&mut self, ssrc: u32) -> Option<&mut Source> {
        self.0.iter_mut().find(|source| source.ssrc == ssrc)
    }

    /// The engine's names of its line.
    pub(super) fn line(&self, ssrc: u32) -> Option<(Mid, Option<Rid>)> {
        let source = self.0.iter().find(|source| source.ssrc == ssrc)?;
        Some((source.mid, source.rid))
    }

    pub(super) fn is_alive(&self, place: (Kind, usize), now: Instant, within: Duration) -> bool {
        let of_place = self.0.iter().filter(|source| (source.kind, source.layer) == place);
        of_place.into_iter().any(|source| now < source.heard + within)
    }
}

impl Leg {
    /// The line for the member's own track.
    pub(crate) fn incoming(&self, kind: Kind) -> &Incoming {
        &self.incoming[kind.index()]
    }

    pub(super) fn source(&mut self, ssrc: Ssrc) -> Option<(Kind, usize)> {
        if let Some(known) = self.sources.find_mut(*ssrc) {
            return Some((known.kind, known.layer));
        }
        let mut api = self.rtc.direct_api();
        let stream = api.stream_rx(&ssrc)?;
        let (mid, rid) = (stream.mid(), stream.rid());
        let line = self.incoming.iter().find(|line| line.mid == Some(mid))?;
        let layer = match rid {
            None => 0,
            Some(rid) => LAYERS.iter().position(|name| Rid::from(*name) == rid)?,
        };
        if self.sources.0.len() >= REMEMBERED {
            self.sources.0.remove(0);
        }
        let (kind, heard) = (line.kind, self.latest);
        self.sources.0.push(Source { ssrc: *ssrc, mid, rid, kind, layer, heard });
        Some((line.kind, layer))
    }

    /// Asks the member to send no more than so many bits per second. `false`: nothing has come yet that could be
    /// asked for less.
    pub(crate) fn request_bitrate(&mut self, most: u64) -> bool {
        let Some(mid) = self.incoming[Kind::Video.index()].mid else { return false };
        let rids = LAYERS.map(|name| Some(Rid::from(name)));
        let mut api = self.rtc.direct_api();
        // It is about the whole of what comes, whatever source it names.
        for rid in rids.into_iter().chain([None]) {
            if let Some(stream) = api.stream_rx_by_mid(mid, rid) {
                stream.request_remb(Bitrate::from(most));
                return true;
            }
        }
        false
    }

    /// What the member may send of video, in bits per second.
    pub(crate) fn bitrate_limit(&self) -> Option<u64> {
        self.options.bitrate_limit
    }

    /// Asks the member for a key frame. `false`: nothing has come yet that could be asked for.
    pub(crate) fn request_key_frame(&mut self, kind: Kind, layer: usize) -> bool {
        let Some(mid) = self.incoming[kind.index()].mid else { return false };
        let rid = self.options.simulcast.then(|| Rid::from(LAYERS[layer.min(LAYERS.len() - 1)]));
        let mut api = self.rtc.direct_api();
        let stream = match api.stream_rx_by_mid(mid, rid) {
            Some(stream) => Some(stream),
            // It was asked for several sizes and sends one.
            None => api.stream_rx_by_mid(mid, None),
        };
        let Some(stream) = stream else { return false };
        stream.request_keyframe(KeyframeRequestKind::Pli);
        true
    }
}
