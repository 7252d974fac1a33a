//! What the engine tells about a leg's streams now and then, put together.

use std::time::{Duration, Instant};

use str0m::media::{Mid, Rid};
use str0m::stats::MediaIngressStats;

use super::Leg;
use crate::router::Quality;
use crate::{Clock, Kind};

/// Between two reports of the engine.
pub(super) const INTERVAL: Duration = Duration::from_secs(1);

/// Of one direction, each stream's.
#[derive(Debug, Default)]
pub(super) struct Statistics {
    round_trip: Option<Duration>,
    incoming: Vec<Stream>,
    outgoing: Vec<Stream>,
}

#[derive(Debug, Clone, Copy)]
struct Stream {
    mid: Mid,
    rid: Option<Rid>,
    at: Instant,
    packets: u64,
    /// In the last interval.
    recent: u64,
    loss: f32,
    lost: u64,
    jitter: Duration,
    nacks: u64,
}

impl Leg {
    pub(super) fn note_incoming(&mut self, stats: &MediaIngressStats) {
        let line = self.incoming.iter().find(|line| line.mid == Some(stats.mid));
        let Some(line) = line else { return };
        let clock = line.publishes().map_or(default_clock(line.kind()), crate::Codec::clock);
        note(
            &mut self.statistics.incoming,
            Stream {
                mid: stats.mid,
                rid: stats.rid,
                at: stats.timestamp,
                packets: stats.packets,
                recent: 0,
                loss: stats.loss.unwrap_or_default(),
                lost: 0,
                jitter: clock.duration(stats.jitter.into()),
                nacks: stats.nacks,
            },
        );
        self.statistics.round_trip = stats.rtt.or(self.statistics.round_trip);
    }

    pub(super) fn note_outgoing(&mut self, now: Instant) {
        for (_, slot) in self.slots.all_mut() {
            let clock = slot.clock();
            let (Some(mid), Some(line)) = (slot.mid, &mut slot.line) else { continue };
            let arrival = line.take_arrival();
            note(
                &mut self.statistics.outgoing,
                Stream {
                    mid,
                    rid: None,
                    at: now,
                    packets: line.packets,
                    recent: 0,
                    loss: arrival.loss,
                    lost: arrival.lost,
                    jitter: clock.duration(arrival.jitter.into()),
                    nacks: line.nacks,
                },
            );
        }
    }

    pub(super) fn note_round_trip(&mut self, round_trip: Duration) {
        self.statistics.round_trip = Some(round_trip);
    }

    /// The time to the member and back, if it is known.
    pub(crate) fn round_trip(&self) -> Option<Duration> {
        self.statistics.round_trip
    }

    /// What comes from the member, and what goes to it.
    pub(crate) fn qualities(&self) -> (Quality, Quality) {
        (sum(&self.statistics.incoming), sum(&self.statistics.outgoing))
    }
}

fn note(streams: &mut Vec<Stream>, mut stream: Stream) {
    let known = streams.iter_mut().find(|it| (it.mid, it.rid) == (stream.mid, stream.rid));
    stream.recent = stream.packets - known.as_ref().map_or(0, |it| it.packets.min(stream.packets));
    if let Some(known) = known {
        *known = stream;
    } else {
        // As many as there are lines and sizes: the engine knows no others.
        streams.push(stream);
    }
}

fn sum(streams: &[Stream]) -> Quality {
    let mut quality = Quality::default();
    let newest = streams.iter().map(|stream| stream.at).max();
    let (mut recent, mut lost) = (0, 0.0);
    for stream in streams {
        quality.lost += stream.lost;
        quality.repairs_wanted += stream.nacks;
        // A stream that has ended says nothing about now.
        if newest.is_some_and(|newest| newest < stream.at + INTERVAL) {
            quality.jitter = quality.jitter.max(stream.jitter);
            recent += stream.recent;
            #[expect(clippy::cast_precision_loss, reason = "packets of a second")]
            {
                lost += stream.loss * stream.recent as f32;
            }
        }
    }
    if recent > 0 {
        #[expect(clippy::cast_precision_loss, reason = "packets of a second")]
        {
            quality.loss = lost / recent as f32;
        }
    }
    quality
}

fn default_clock(kind: Kind) -> Clock {
    match kind {
        Kind::Audio => Clock::OPUS,
        Kind::Video => Clock::VIDEO,
    }
}
