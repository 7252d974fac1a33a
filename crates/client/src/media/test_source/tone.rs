//! A tone in packets of 20 ms.

use std::time::Duration;

use super::g711;
use crate::media::{Codec, EncodedFrame, MediaTimestamp};

/// One second that joins its own beginning, made by `make_tone.sh`.
const OPUS: &[u8; 4000] = include_bytes!("tone.opus");
const OPUS_PACKET: usize = 80;
const PACKETS_PER_SECOND: u32 = 50;

const FREQUENCY: f64 = 440.0;
/// -20 dBFS.
const AMPLITUDE: f64 = 0.1;
const G711_RATE: f64 = 8_000.0;
/// 440 Hz and 8000 samples a second meet again after 11 waves.
const G711_PERIOD: u64 = 200;

/// 440 Hz at -20 dBFS, without an end.
///
/// ```
/// use peerway::media::{Codec, TestTone};
///
/// let mut tone = TestTone::new(Codec::Opus).expect("it is a codec for sound");
/// assert_eq!(tone.next_frame().data.len(), 80);
/// assert_eq!(tone.due().as_millis(), 20);
/// ```
#[derive(Debug)]
pub struct TestTone {
    codec: Codec,
    number: u64,
}

impl TestTone {
    /// A tone in Opus or G.711. `None`: the codec is for pictures.
    pub fn new(codec: Codec) -> Option<Self> {
        codec.is_audio().then_some(Self { codec, number: 0 })
    }

    /// When the next packet is due, counted from the first.
    pub fn due(&self) -> Duration {
        self.timestamp().as_duration()
    }

    /// The next 20 ms.
    pub fn next_frame(&mut self) -> EncodedFrame {
        let timestamp = self.timestamp();
        let data = match self.codec {
            Codec::Pcmu => self.samples().map(g711::mu_law).collect(),
            Codec::Pcma => self.samples().map(g711::a_law).collect(),
            _ => self.opus().to_vec(),
        };
        self.number += 1;
        EncodedFrame::new(self.codec, data, timestamp, true)
    }

    /// Leaves 20 ms out, as one does who is late.
    pub fn skip_frame(&mut self) {
        self.number += 1;
    }

    fn opus(&self) -> &'static [u8] {
        let packets = OPUS.chunks(OPUS_PACKET);
        let place = self.number % u64::from(PACKETS_PER_SECOND);
        packets.zip(0..).find(|(_, number)| *number == place).map_or(&[], |(packet, _)| packet)
    }

    fn samples(&self) -> impl Iterator<Item = i16> {
        let length = u64::from(self.codec.clock_rate() / PACKETS_PER_SECOND);
        let start = self.number * length;
        (start..start + length).map(|sample| wave(u32::try_from(sample % G711_PERIOD).unwrap_or(0)))
    }

    fn timestamp(&self) -> MediaTimestamp {
        let clock_rate = self.codec.clock_rate();
        let ticks = self.number * u64::from(clock_rate / PACKETS_PER_SECOND);
        MediaTimestamp { ticks, clock_rate }
    }
}

fn wave(sample: u32) -> i16 {
    let phase = f64::from(sample) / G711_RATE * FREQUENCY * std::f64::consts::TAU;
    let value = (phase.sin() * AMPLITUDE * f64::from(i16::MAX)).round();
    #[expect(clippy::cast_possible_truncation, reason = "a tenth of what fits")]
    let sample = value as i16;
    sample
}
