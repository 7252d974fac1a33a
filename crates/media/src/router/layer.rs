//! One size of a publication: what is known of its packets.

use std::time::{Duration, Instant};

use super::LayerReport;
use super::bandwidth::Meter;
use super::key_frames::KeyFrames;
use super::recent::Recent;
use crate::leg::Packet;

/// Pictures that stand still for longer are a freeze.
const FREEZE: Duration = Duration::from_millis(500);
/// Who is heard again only after such a silence of its successor.
const SILENT: Duration = Duration::from_secs(2);
/// More missing at once is another stream and no loss.
const LONGEST_LOSS: u64 = 3000;

/// See the module documentation.
#[derive(Debug, Default)]
pub(super) struct Layer {
    pub(super) key_frames: KeyFrames,
    pub(super) recent: Recent,
    pub(super) meter: Meter,
    /// Of its lowest temporal layer, and of the two lowest, where it has such.
    parts: [Meter; 2],
    /// Since it began, the highest temporal layer.
    highest: u8,
    newest: Option<Newest>,
    /// The source that it had before the newest packet's.
    former: Option<u32>,
    /// Packets that have not come, although later ones have.
    missing: u64,
    /// Width and height, where a key frame told.
    pub(super) size: Option<(u16, u16)>,
}

#[derive(Debug, Clone, Copy)]
struct Newest {
    ssrc: u32,
    sequence: u64,
    timestamp: u64,
    arrival: Instant,
}

/// What is remarkable about a packet.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Remarks {
    /// A later one came before it.
    pub(super) late: bool,
    /// Pictures stood still before it, although there were some.
    pub(super) froze: bool,
    /// It is the first of another source, whose numbers have nothing to do with those before.
    pub(super) renewed: bool,
}

impl Layer {
    /// A packet came. `None`: of a source that has a successor.
    pub(super) fn note(&mut self, packet: &Packet) -> Option<Remarks> {
        let renewed = self.newest.is_some_and(|newest| newest.ssrc != packet.ssrc);
        if let (true, Some(newest)) = (renewed, self.newest) {
            if self.former == Some(packet.ssrc) && packet.arrival < newest.arrival + SILENT {
                return None;
            }
            self.former = Some(newest.ssrc);
            self.newest = None;
        }
        self.meter.count(packet.arrival, packet.len());
        self.highest = self.highest.max(packet.temporal.layer);
        if self.highest > 0 {
            for (highest, part) in (0..).zip(&mut self.parts) {
                if packet.temporal.layer <= highest {
                    part.count(packet.arrival, packet.len());
                }
            }
        }
        if packet.begins {
            self.key_frames.arrived();
            self.size = packet.size.or(self.size);
        }
        let next = Newest {
            ssrc: packet.ssrc,
            sequence: packet.sequence,
            timestamp: packet.timestamp,
            arrival: packet.arrival,
        };
        let Some(newest) = self.newest else {
            self.newest = Some(next);
            return Some(Remarks { renewed, ..Remarks::default() });
        };
        if next.sequence <= newest.sequence {
            self.missing = self.missing.saturating_sub(1);
            return Some(Remarks { late: true, ..Remarks::default() });
        }
        self.newest = Some(next);
        let gap = next.sequence - newest.sequence - 1;
        if gap < LONGEST_LOSS {
            self.missing += gap;
        }
        Some(Remarks { froze: next.follows_a_freeze(newest, gap), ..Remarks::default() })
    }

    /// What its temporal layers cost, with those below each, in bits per second. All together are
    /// the last.
    pub(super) fn steps(&self, now: Instant) -> impl Iterator<Item = (u8, u64)> {
        let all = self.meter.rate(now);
        let parts = (0..self.highest.min(2)).zip(&self.parts);
        let parts: Vec<(u8, u64)> = parts.map(|(layer, part)| (layer, part.rate(now))).collect();
        let below = move |(_, rate): &(u8, u64)| (1..all).contains(rate);
        parts.into_iter().filter(below).chain([(u8::MAX, all)])
    }

    /// Packets that did not come, and were not repeated.
    pub(super) fn missing(&self) -> u64 {
        self.missing
    }

    pub(super) fn report(&self, now: Instant) -> LayerReport {
        let (packets, bytes) = self.meter.total();
        LayerReport { active: self.meter.rate(now) > 0, size: self.size, packets, bytes }
    }
}

impl Newest {
    /// Who sends a picture now and then does not freeze: its clock goes on as the wall's does, and
    /// nothing is missing.
    fn follows_a_freeze(self, before: Self, gap: u64) -> bool {
        let passed = self.arrival.saturating_duration_since(before.arrival);
        if passed <= FREEZE {
            return false;
        }
        let ticks = self.timestamp.saturating_sub(before.timestamp);
        let meant = crate::Clock::VIDEO.duration(ticks);
        gap > 0 || passed > meant + FREEZE
    }
}
