//! What the rooms are like that are measured.

use std::time::Duration;

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

    /// How long after the last has joined the room changes no more. Where many streams meet on one
    /// path, the server finds out what that carries.
    pub(super) fn settling(self) -> Duration {
        Duration::from_millis(if self == Self::All { 8000 } else { 1500 })
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
            Self::Video | Self::Audio | Self::Join => Ear::Light,
            // peerway estimates bandwidth, and sends no more than it knows to arrive.
            Self::Full | Self::All => Ear::Full,
            Self::Latency => Ear::Stamped,
        }
    }

    /// Adds those who send.
    pub(super) fn add_senders(self, stage: &mut Stage, subscribers: usize) -> Result<()> {
        let senders = self.senders(subscribers);
        for sender in 0..senders {
            let hears =
                if stage.has_members() { others(senders, Some(sender)) } else { Vec::new() };
            stage.add(self.sends(), self.ear(), hears)?;
        }
        Ok(())
    }

    /// Adds those who only listen.
    pub(super) fn add_listeners(self, stage: &mut Stage, subscribers: usize) -> Result<()> {
        let senders = self.senders(subscribers);
        // Where a connection has one direction only, who sends needs a second one.
        let second = if self.is_mutual() && !stage.has_members() { senders } else { 0 };
        let rest = if self.is_mutual() { subscribers - senders } else { subscribers };
        let all = (0..second).map(Some).chain((0..rest).map(|_| None));
        for sender in all {
            stage.add(Sends::default(), self.ear(), others(senders, sender))?;
            stage.run(Duration::from_millis(1))?;
        }
        Ok(())
    }
}

/// All who send but one.
fn others(senders: usize, but: Option<usize>) -> Vec<usize> {
    (0..senders).filter(|sender| Some(*sender) != but).collect()
}
