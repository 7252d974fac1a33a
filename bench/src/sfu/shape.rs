//! What the rooms are like that are measured.

use std::ops::Range;

use anyhow::Result;
use clap::ValueEnum;

use super::media::{Rhythm, Sends, VIDEO_BYTES};
use super::peer::Ear;
use super::stage::Stage;

const SPEAKERS: usize = 3;
const CAMERA: Rhythm = Rhythm { bits_per_second: 1_000_000, pictures_per_second: 30 };
/// A packet each 4 ms, so that one who joins does not wait long for the next.
const DENSE: Rhythm =
    Rhythm { bits_per_second: 250 * 8 * VIDEO_BYTES as u32, pictures_per_second: 250 };
/// In a second of a stream of 1 Mbit/s.
pub(super) const PACKETS_PER_MEGABIT: f64 = 1e6 / (8.0 * VIDEO_BYTES as f64);

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Shape {
    /// One sends video; the others count it by the header
    Video,
    /// The same, but the others decrypt it and report on it
    Full,
    /// The same as full, and the kernel tells when packets come
    Latency,
    /// All send video, to all others
    All,
    /// Three send sound; all are sent it
    Audio,
    /// One sends a packet of video each 4 ms; the others join one at a time
    Join,
}

impl Shape {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Video => "video",
            Self::Full => "full",
            Self::Latency => "latency",
            Self::All => "all",
            Self::Audio => "audio",
            Self::Join => "join",
        }
    }

    /// How many send.
    pub(super) fn senders(self, subscribers: usize) -> usize {
        match self {
            Self::Video | Self::Full | Self::Latency | Self::Join => 1,
            Self::All => subscribers,
            Self::Audio => SPEAKERS.min(subscribers),
        }
    }

    /// Those who send are sent others' media as well.
    fn is_mutual(self) -> bool {
        matches!(self, Self::All | Self::Audio)
    }

    /// How many are sent what one sends.
    pub(super) fn audience(self, subscribers: usize) -> usize {
        if self.is_mutual() { subscribers - 1 } else { subscribers }
    }

    /// Whether those who join after the senders are what makes memory grow.
    pub(super) fn grows(self) -> bool {
        !matches!(self, Self::All)
    }

    fn sends(self) -> Sends {
        match self {
            Self::Video | Self::Full | Self::Latency | Self::All => {
                Sends { audio: false, video: Some(CAMERA) }
            }
            Self::Join => Sends { audio: false, video: Some(DENSE) },
            Self::Audio => Sends { audio: true, video: None },
        }
    }

    fn ear(self) -> Ear {
        match self {
            Self::Video | Self::All | Self::Audio | Self::Join => Ear::Light,
            Self::Full => Ear::Full,
            Self::Latency => Ear::Stamped,
        }
    }

    /// Adds all peers, those who send first. Tells which of them only listen.
    pub(super) fn populate(self, stage: &mut Stage, subscribers: usize) -> Result<Range<usize>> {
        let senders = self.senders(subscribers);
        let others = |of: Option<usize>| (0..senders).filter(|peer| Some(*peer) != of).collect();
        // Where a connection has one direction only, who sends needs a second one.
        let has_two = self.is_mutual() && !stage.has_members();
        for sender in 0..senders {
            let hears = if has_two { Vec::new() } else { others(Some(sender)) };
            stage.add(self.sends(), self.ear(), hears)?;
        }
        for sender in (0..senders).filter(|_| has_two) {
            stage.add(Sends::default(), self.ear(), others(Some(sender)))?;
        }
        let rest = if self.is_mutual() { subscribers - senders } else { subscribers };
        for _ in 0..rest {
            stage.add(Sends::default(), self.ear(), others(None))?;
        }
        Ok(senders..stage.peers.len())
    }
}
