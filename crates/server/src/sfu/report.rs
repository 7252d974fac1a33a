//! How a member's media are, for operators: `GET /v1/rooms`, and the sums of it for metrics.

use std::time::{Duration, Instant};

use peerway_media::{LayerReport, LegReport, PublicationReport, SubscriptionReport};
use peerway_protocol::RoomAddress;
use serde::Serialize;

use crate::metrics::SfuQuality;

/// A member of a room, as a part of JSON.
#[derive(Debug, Serialize)]
pub(crate) struct MemberReport {
    #[serde(skip)]
    pub(crate) room: RoomAddress,
    peer: String,
    connected: bool,
    round_trip_ms: Option<f64>,
    /// What its path seems to carry, in bits per second.
    bandwidth: Option<u64>,
    /// From the member.
    r#in: Direction,
    /// To the member.
    out: Direction,
    publications: Vec<Publication>,
    subscriptions: Vec<Subscription>,
}

/// One way of a member's media.
#[derive(Debug, Serialize)]
struct Direction {
    /// Payload, in bits per second.
    bitrate: u64,
    packets: u64,
    bytes: u64,
    /// The part that was lost lately, from 0 to 1.
    loss: f32,
    lost: u64,
    jitter_ms: f64,
    /// Requests to repeat packets.
    nacks: u64,
    /// Requests for key frames.
    plis: u64,
}

#[derive(Debug, Serialize)]
struct Publication {
    kind: &'static str,
    codec: String,
    stalled: bool,
    layers: Vec<Layer>,
}

#[derive(Debug, Serialize)]
struct Layer {
    active: bool,
    width: Option<u16>,
    height: Option<u16>,
    packets: u64,
    bytes: u64,
}

#[derive(Debug, Serialize)]
struct Subscription {
    publisher: String,
    kind: &'static str,
    layer: Option<usize>,
    paused: bool,
    freezes: u64,
    packets: u64,
    bytes: u64,
}

/// What was known of a leg when it was last looked at.
#[derive(Debug, Default)]
pub(super) struct Sample {
    at: Option<Instant>,
    bytes: [u64; 2],
    rates: [u64; 2],
    quality: SfuQuality,
}

impl Sample {
    /// Looks again; what has happened since the last time.
    pub(super) fn update(&mut self, now: Instant, report: &LegReport) -> SfuQuality {
        let traffic = &report.traffic;
        let bytes = [traffic.received_bytes, traffic.sent_bytes];
        if let Some(at) = self.at {
            let passed = now.saturating_duration_since(at).as_micros().max(1);
            let rate = |index: usize| {
                let bits = u128::from(bytes[index].saturating_sub(self.bytes[index])) * 8_000_000;
                u64::try_from(bits / passed).unwrap_or(u64::MAX)
            };
            self.rates = [rate(0), rate(1)];
        }
        (self.at, self.bytes) = (Some(now), bytes);
        let quality = SfuQuality {
            lost: [report.incoming.lost, report.outgoing.lost],
            nacks: [report.incoming.repairs_wanted, report.outgoing.repairs_wanted],
            plis: [traffic.key_frames_asked, traffic.key_frames_wanted],
            freezes: report.subscriptions.iter().map(|it| it.freezes).sum(),
            excesses: traffic.excesses,
        };
        let new = quality.since(&self.quality);
        self.quality = quality;
        new
    }
}

impl MemberReport {
    /// `name` tells who a leg is.
    pub(super) fn new(
        room: RoomAddress,
        report: &LegReport,
        sample: &Sample,
        name: impl Fn(peerway_media::LegId) -> String,
    ) -> Self {
        let traffic = &report.traffic;
        let way = |index: usize| {
            let quality = if index == 0 { &report.incoming } else { &report.outgoing };
            Direction {
                bitrate: sample.rates[index],
                packets: [traffic.received, traffic.sent][index],
                bytes: [traffic.received_bytes, traffic.sent_bytes][index],
                loss: quality.loss,
                lost: quality.lost,
                jitter_ms: millis(quality.jitter),
                nacks: quality.repairs_wanted,
                plis: [traffic.key_frames_asked, traffic.key_frames_wanted][index],
            }
        };
        Self {
            room,
            peer: name(report.leg),
            connected: report.connected,
            round_trip_ms: report.round_trip.map(millis),
            bandwidth: report.bandwidth,
            r#in: way(0),
            out: way(1),
            publications: report.publications.iter().map(publication).collect(),
            subscriptions: report.subscriptions.iter().map(|it| subscription(it, &name)).collect(),
        }
    }
}

fn publication(report: &PublicationReport) -> Publication {
    let layer = |layer: &LayerReport| Layer {
        active: layer.active,
        width: layer.size.map(|size| size.0),
        height: layer.size.map(|size| size.1),
        packets: layer.packets,
        bytes: layer.bytes,
    };
    Publication {
        kind: report.kind.name(),
        codec: format!("{:?}", report.codec).to_lowercase(),
        stalled: report.stalled,
        layers: report.layers.iter().map(layer).collect(),
    }
}

fn subscription(
    report: &SubscriptionReport,
    name: impl Fn(peerway_media::LegId) -> String,
) -> Subscription {
    Subscription {
        publisher: name(report.publisher),
        kind: report.kind.name(),
        layer: report.layer,
        paused: report.paused,
        freezes: report.freezes,
        packets: report.packets,
        bytes: report.bytes,
    }
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
