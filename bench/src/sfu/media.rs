//! What a publisher sends: pictures that pass for VP8 and sound that passes for Opus.

use std::time::{Duration, Instant};

use crate::clock;

/// Payload of a packet of video.
pub(super) const VIDEO_BYTES: u16 = 1100;
const AUDIO_BYTES: usize = 100;

/// Which kinds of media a peer sends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sends {
    pub(super) audio: bool,
    pub(super) video: Option<Rhythm>,
}

impl Sends {
    pub(super) fn any(self) -> bool {
        self.audio || self.video.is_some()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rhythm {
    pub(super) bits_per_second: u32,
    pub(super) pictures_per_second: u32,
}

impl Rhythm {
    fn interval(self) -> Duration {
        Duration::from_secs(1) / self.pictures_per_second
    }
}

/// A packet before encryption.
pub(super) struct Packet {
    pub(super) sequence: u64,
    pub(super) timestamp: u32,
    pub(super) marker: bool,
    pub(super) payload: Vec<u8>,
}

pub(super) struct Camera {
    rhythm: Rhythm,
    pub(super) due: Instant,
    /// Bits that the rhythm owes: the pictures differ by one packet.
    owed: u32,
    sequence: u64,
    number: u16,
    key: bool,
}

impl Camera {
    pub(super) fn new(rhythm: Rhythm, now: Instant) -> Self {
        Self { rhythm, due: now, owed: 0, sequence: 1, number: 0, key: true }
    }

    /// The next picture is one that needs no other.
    pub(super) fn want_key(&mut self) {
        self.key = true;
    }

    /// How many packets the picture has that is due now.
    pub(super) fn begin_picture(&mut self) -> u32 {
        let packet = u32::from(VIDEO_BYTES) * 8;
        self.due += self.rhythm.interval();
        self.number = (self.number + 1) & 0x7fff;
        self.owed += self.rhythm.bits_per_second / self.rhythm.pictures_per_second;
        // A picture without a packet would leave a gap in the picture ids.
        let packets = (self.owed / packet).max(1);
        self.owed = self.owed.saturating_sub(packets * packet);
        packets
    }

    /// A packet of the picture, stamped with the time at which it is made.
    pub(super) fn packet(&mut self, part: u32, of: u32) -> Packet {
        let first = part == 0;
        let last = part + 1 == of;
        let [high, low] = (self.number | 0x8000).to_be_bytes();
        // The payload descriptor with picture id, TL0PICIDX and TID (RFC 7741, section 4.2); in the first
        // packet the frame header follows, whose lowest bit is 0 in a key frame (section 4.3).
        let mut payload = vec![0x80 | u8::from(first) << 4, 0xe0, high, low, low, 0];
        payload.push(u8::from(!self.key));
        payload.resize(VIDEO_BYTES.into(), 0x55);
        stamp(&mut payload);
        self.key &= !last;
        self.sequence += 1;
        let timestamp = 90_000 / self.rhythm.pictures_per_second * u32::from(self.number);
        Packet { sequence: self.sequence, timestamp, marker: last, payload }
    }
}

pub(super) struct Microphone {
    pub(super) due: Instant,
    sequence: u64,
}

impl Microphone {
    pub(super) fn new(now: Instant) -> Self {
        Self { due: now, sequence: 1 }
    }

    pub(super) fn packet(&mut self) -> Packet {
        self.due += Duration::from_millis(20);
        self.sequence += 1;
        let mut payload = vec![0x55; AUDIO_BYTES];
        stamp(&mut payload);
        let timestamp = u32::try_from((self.sequence * 960) & 0xffff_ffff).unwrap_or_default();
        Packet { sequence: self.sequence, timestamp, marker: false, payload }
    }
}

const STAMP: usize = size_of::<u64>();

/// The last bytes tell when: those that no server rewrites.
fn stamp(payload: &mut [u8]) {
    let at = payload.len() - STAMP;
    payload[at..].copy_from_slice(&clock::unix_nanoseconds().to_be_bytes());
}

/// When a payload was made.
pub(super) fn stamped(payload: &[u8]) -> Option<u64> {
    payload.last_chunk::<STAMP>().map(|stamp| u64::from_be_bytes(*stamp))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_share_out_the_bits_of_a_second() {
        let rhythm = Rhythm { bits_per_second: 1_000_000, pictures_per_second: 30 };
        let mut camera = Camera::new(rhythm, clock::now());
        let packets: u32 = (0..300).map(|_| camera.begin_picture()).sum();
        assert!((1135..=1137).contains(&packets), "{packets}");
    }

    #[test]
    fn only_the_picture_after_a_request_is_a_key_frame() {
        let rhythm = Rhythm { bits_per_second: 1_000_000, pictures_per_second: 30 };
        let mut camera = Camera::new(rhythm, clock::now());
        let mut is_key = || {
            let of = camera.begin_picture();
            let packets: Vec<Packet> = (0..of).map(|part| camera.packet(part, of)).collect();
            packets[0].payload[6] & 1 == 0
        };
        assert!(is_key());
        assert!(!is_key());
        camera.want_key();
        let of = camera.begin_picture();
        assert_eq!(camera.packet(0, of).payload[6] & 1, 0);
    }
}
