//! Reports to a member about what is sent to it: which time on each line's clock is which on ours
//! (RFC 3550, section 6.4.1), so that sound and pictures go together, and the way there and back can be measured.

use std::time::{Duration, Instant};

use super::line::Line;
use crate::Clock;

const SENDER_REPORT: u8 = 200;
const SOURCE_DESCRIPTION: u8 = 202;
const CNAME: u8 = 1;
/// From 1900, where this time counts from, to 1970.
const UNIX_EPOCH: Duration = Duration::from_hours(613_608);
/// Lines of one compound packet: each takes about 60 bytes.
pub(super) const MOST_LINES: usize = 16;

/// Our clock, beside everybody's.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WallClock {
    /// One moment on both: since 1970 there.
    pub(crate) moment: (Instant, Duration),
}

impl WallClock {
    /// Seconds since 1900, and behind the point as many bits.
    fn read(&self, now: Instant) -> u64 {
        let (moment, there) = self.moment;
        let time = UNIX_EPOCH + there + now.saturating_duration_since(moment);
        // It wraps in 2036.
        let seconds = time.as_secs() & u64::from(u32::MAX);
        seconds << 32 | ((u64::from(time.subsec_nanos()) << 32) / 1_000_000_000)
    }
}

/// Writes a line's report to the end of a compound packet, if there is something to tell.
pub(super) fn write(
    compound: &mut Vec<u8>,
    now: Instant,
    wall: &WallClock,
    line: &mut Line,
    clock: Clock,
) {
    let Some(timestamp) = line.timestamp(clock, now) else { return };
    let time = wall.read(now);
    compound.extend_from_slice(&[0x80, SENDER_REPORT, 0, 6]);
    compound.extend_from_slice(&line.source.to_be_bytes());
    compound.extend_from_slice(&time.to_be_bytes());
    compound.extend_from_slice(&timestamp.to_be_bytes());
    #[expect(clippy::cast_possible_truncation, reason = "they wrap")]
    for count in [line.packets as u32, line.bytes as u32] {
        compound.extend_from_slice(&count.to_be_bytes());
    }
    describe(compound, line);
    #[expect(clippy::cast_possible_truncation, reason = "its middle")]
    line.reported(now, (time >> 16) as u32);
}

fn describe(compound: &mut Vec<u8>, line: &Line) {
    let name = line.name.as_bytes();
    let name = &name[..name.len().min(255)];
    // At least one zero ends the list.
    let words = (4 + 2 + name.len() + 1).div_ceil(4);
    let words = u8::try_from(words).unwrap_or_default();
    compound.extend_from_slice(&[0x81, SOURCE_DESCRIPTION, 0, words]);
    let end = compound.len() + usize::from(words) * 4;
    compound.extend_from_slice(&line.source.to_be_bytes());
    compound.extend_from_slice(&[CNAME, u8::try_from(name.len()).unwrap_or_default()]);
    compound.extend_from_slice(name);
    compound.resize(end, 0);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods, reason = "any instant will do")]

    use super::*;

    #[test]
    fn a_report_tells_both_clocks_and_how_much_was_sent() {
        let now = Instant::now();
        let wall = WallClock { moment: (now, Duration::from_millis(1500)) };
        let mut line = Line::new(0x0102_0304, None, 0, "abcde");
        let mut compound = Vec::new();
        write(&mut compound, now, &wall, &mut line, Clock::VIDEO);
        assert!(compound.is_empty() && line.owes_report, "nothing was sent");
        line.count(1, 1000, now, 300);
        write(&mut compound, now + Duration::from_secs(1), &wall, &mut line, Clock::VIDEO);
        let seconds = (2_208_988_802_u32).to_be_bytes();
        assert_eq!(compound[..8], [0x80, 200, 0, 6, 1, 2, 3, 4]);
        assert_eq!(compound[8..12], seconds);
        assert_eq!(compound[12..16], [0x80, 0, 0, 0]);
        assert_eq!(compound[16..20], 91_000_u32.to_be_bytes());
        assert_eq!(compound[20..28], [0, 0, 0, 1, 0, 0, 1, 44]);
        let described = [0x81, 202, 0, 3, 1, 2, 3, 4, 1, 5, b'a', b'b', b'c', b'd', b'e', 0];
        assert_eq!(compound[28..], described);
        assert!(!line.owes_report);
    }
}
