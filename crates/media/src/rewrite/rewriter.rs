//! All numbers of one stream to one subscriber.

use std::time::Instant;

use super::Continuity;
use super::picture::{PictureNumbers, Pictures};
use super::timeline::{Clock, Timeline};

/// One encoding of one publication.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(pub u32);

/// The numbers of a packet that came in, unwrapped where they wrap in RTP.
#[derive(Debug, Clone, Copy)]
pub struct Incoming {
    /// Where it belongs.
    pub source: SourceId,
    /// Sequence number.
    pub sequence: u64,
    /// Timestamp, in ticks of the stream's clock.
    pub timestamp: u64,
    /// When it arrived.
    pub arrival: Instant,
    /// The numbers in its payload.
    pub picture: PictureNumbers,
}

/// The numbers with which it goes out, unwrapped likewise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outgoing {
    /// Sequence number.
    pub sequence: u64,
    /// Timestamp.
    pub timestamp: u64,
    /// The numbers for its payload.
    pub picture: PictureNumbers,
}

/// See the module documentation. The caller decides which packets go out, and that a source begins
/// where a decoder can begin.
#[derive(Debug, Clone)]
pub struct Rewriter {
    source: Option<SourceId>,
    sequences: Continuity,
    timeline: Timeline,
    pictures: Pictures,
}

impl Rewriter {
    /// The numbers of the first packet are chosen by the caller: at random (RFC 3550, section 5.1).
    pub fn new(clock: Clock, first_sequence: u16, first_timestamp: u32) -> Self {
        Self {
            source: None,
            sequences: Continuity::starting_at(first_sequence.into()),
            timeline: Timeline::starting_at(clock, first_timestamp.into()),
            pictures: Pictures::default(),
        }
    }

    /// The source of what goes out now.
    pub fn source(&self) -> Option<SourceId> {
        self.source
    }

    /// A packet goes out. One of another source than the last begins that source anew: it must be
    /// the first packet of a picture that needs no other. `None`: it is too late, and must not go out.
    pub fn forward(&mut self, packet: &Incoming) -> Option<Outgoing> {
        if self.source != Some(packet.source) {
            self.begin(packet);
        }
        let picture = self.pictures.forward(packet.picture)?;
        let sequence = self.sequences.forward(packet.sequence)?;
        let timestamp = self.timeline.map(packet.arrival, packet.timestamp);
        Some(Outgoing { sequence, timestamp, picture })
    }

    /// A packet of the current source does not go out, because its subscriber does not want its layer.
    pub fn omit(&mut self, packet: &Incoming) {
        if self.source == Some(packet.source) {
            self.sequences.omit(packet.sequence);
            self.pictures.omit(packet.picture);
        }
    }

    /// From this packet on time goes on as its arrival says: those before it had waited.
    pub fn restart_clock(&mut self, packet: &Incoming) {
        self.timeline.begin(packet.arrival, packet.timestamp);
    }

    /// Nothing goes out for a while. The next packet begins its source anew.
    pub fn pause(&mut self) {
        self.source = None;
    }

    fn begin(&mut self, packet: &Incoming) {
        self.source = Some(packet.source);
        self.sequences.begin(packet.sequence);
        self.timeline.begin(packet.arrival, packet.timestamp);
        self.pictures.begin(packet.picture);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods, reason = "any instant will do")]

    use std::time::Duration;

    use super::*;

    fn packet(source: u32, number: u64, start: Instant) -> Incoming {
        Incoming {
            source: SourceId(source),
            sequence: 1000 * u64::from(source) + number,
            timestamp: 77 * u64::from(source) + 3000 * number,
            arrival: start + Duration::from_micros(33_333) * u32::try_from(number).unwrap(),
            picture: PictureNumbers {
                picture_id: Some(u16::try_from(number).unwrap() + 100),
                tl0_pic_idx: None,
            },
        }
    }

    #[test]
    fn a_subscriber_sees_one_stream_over_switch_and_pause() {
        let start = Instant::now();
        let mut rewriter = Rewriter::new(Clock::VIDEO, 65_535, 10);
        let out: Vec<Outgoing> = (0..3)
            .map(|number| packet(1, number, start))
            .chain((3..6).map(|number| packet(2, number, start)))
            .map(|packet| rewriter.forward(&packet).unwrap())
            .collect();
        rewriter.pause();
        let after = rewriter.forward(&packet(2, 36, start)).unwrap();

        let sequences: Vec<u64> = out.iter().map(|it| it.sequence).collect();
        assert_eq!(sequences, [65_535, 65_536, 65_537, 65_538, 65_539, 65_540]);
        let ids: Vec<_> = out.iter().map(|it| it.picture.picture_id.unwrap()).collect();
        assert_eq!(ids, [0, 1, 2, 3, 4, 5]);
        for pair in out.windows(2) {
            let step = pair[1].timestamp - pair[0].timestamp;
            assert!((2999..=3001).contains(&step), "{step}");
        }
        assert_eq!((after.sequence, after.picture.picture_id), (65_541, Some(6)));
        let pause = after.timestamp - out[5].timestamp;
        assert!((92_990..=93_010).contains(&pause), "a second and a frame: {pause}");
    }

    #[test]
    fn what_is_left_of_the_old_layer_does_not_go_out() {
        let start = Instant::now();
        let mut rewriter = Rewriter::new(Clock::VIDEO, 0, 0);
        rewriter.forward(&packet(1, 0, start)).unwrap();
        rewriter.forward(&packet(2, 1, start)).unwrap();
        rewriter.omit(&packet(1, 1, start));
        assert_eq!(rewriter.forward(&packet(2, 0, start)), None);
        assert_eq!(rewriter.forward(&packet(2, 2, start)).unwrap().sequence, 2);
    }
}
