//! Counting RTP by its header.

/// The parts of an RTP header that counting needs (RFC 3550, section 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rtp {
    pub(super) source: u32,
    pub(super) payload_type: u8,
    sequence: u16,
    bytes: usize,
}

impl Rtp {
    /// `None`: RTCP, STUN, DTLS or worse (RFC 5761, section 4; RFC 7983).
    pub(super) fn parse(data: &[u8]) -> Option<Self> {
        let header = data.first_chunk::<12>()?;
        let is_rtp = header[0] >> 6 == 2 && !(192..=223).contains(&header[1]);
        is_rtp.then(|| Self {
            source: u32::from_be_bytes([header[8], header[9], header[10], header[11]]),
            payload_type: header[1] & 0x7f,
            sequence: u16::from_be_bytes([header[2], header[3]]),
            bytes: data.len(),
        })
    }
}

/// What came of one source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Track {
    pub(super) packets: u64,
    pub(super) bytes: u64,
    /// The highest sequence number, with its cycles.
    pub(super) highest: u64,
}

impl Track {
    /// `first` is not counted yet.
    pub(super) fn new(first: &Rtp) -> Self {
        // A cycle ahead, so that an earlier packet that comes later has a place.
        let highest = u64::from(first.sequence) + (1 << 16) - 1;
        Self { highest, ..Self::default() }
    }

    pub(super) fn count(&mut self, rtp: &Rtp) {
        self.packets += 1;
        self.bytes += rtp.bytes as u64;
        let highest = u16::try_from(self.highest & 0xffff).unwrap_or_default();
        let ahead = rtp.sequence.wrapping_sub(highest);
        if ahead < 1 << 15 {
            self.highest += u64::from(ahead);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_number_counts_cycles_and_ignores_late_packets() {
        let rtp = |sequence| Rtp { source: 1, payload_type: 96, sequence, bytes: 100 };
        let mut track = Track::new(&rtp(65_534));
        let before = track.highest;
        for sequence in [65_534, 65_535, 1, 0, 2] {
            track.count(&rtp(sequence));
        }
        assert_eq!((track.packets, track.highest - before), (5, 5));
        track.count(&rtp(5));
        assert_eq!((track.packets, track.highest - before), (6, 8));
    }

    #[test]
    fn only_rtp_is_rtp() {
        let with = |first: u8, second: u8| {
            let mut data = [0; 20];
            (data[0], data[1]) = (first, second);
            Rtp::parse(&data).is_some()
        };
        assert!(with(0x80, 96));
        assert!(with(0x90, 0xef));
        assert!(!with(0x80, 200));
        assert!(!with(0x00, 1));
        assert!(!with(22, 254));
    }
}
