//! From timestamps of a track to the time of the recording.
//!
//! Timestamps of a track say exactly how far its frames are apart, but count from anywhere, run by
//! the sender's clock, and may begin anew. Arrivals share one clock, but are late by what the
//! network does. So a track is anchored at the frame that was the least late, and moved, slowly,
//! as its clock drifts.

use std::time::Duration;

use crate::media::MediaTimestamp;

/// Timestamps that are so far off have nothing to do with those before: the track began anew.
const MAX_EARLY: i64 = 1_000 * MILLISECOND;
const MAX_LATE: i64 = 10_000 * MILLISECOND;

/// How often, and by how much, a track is moved. That is 0.1 %; clocks differ by 0.01 %.
const WINDOW: Duration = Duration::from_secs(10);
const MAX_STEP: i64 = 10 * MILLISECOND;

const MILLISECOND: i64 = 1_000_000;

/// Of one track.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    anchor: Option<Anchor>,
}

#[derive(Debug)]
struct Anchor {
    /// The last timestamp, and its place in nanoseconds.
    ticks: u64,
    place: i64,
    window_end: Duration,
    /// Nanoseconds, of this window.
    least_late: i64,
}

impl Timeline {
    /// The place of a frame. Once frames are `kept`, the track is not moved all at once.
    pub(super) fn place(
        &mut self,
        timestamp: MediaTimestamp,
        arrived: Duration,
        kept: bool,
    ) -> Duration {
        let now = i64::try_from(arrived.as_nanos()).unwrap_or(i64::MAX);
        let anchor = self.anchor.get_or_insert(Anchor {
            ticks: timestamp.ticks,
            place: now,
            window_end: arrived + WINDOW,
            least_late: i64::MAX,
        });
        anchor.place = next_place(anchor, timestamp, now);
        anchor.ticks = timestamp.ticks;
        let late = now.saturating_sub(anchor.place);
        if !(-MAX_EARLY..=MAX_LATE).contains(&late) || (!kept && late < 0) {
            anchor.place = now;
            anchor.least_late = 0;
        } else {
            anchor.least_late = anchor.least_late.min(late);
        }
        if arrived >= anchor.window_end {
            if anchor.least_late.abs() >= MAX_STEP {
                anchor.place += anchor.least_late.clamp(-MAX_STEP, MAX_STEP);
            }
            anchor.window_end = arrived + WINDOW;
            anchor.least_late = i64::MAX;
        }
        Duration::from_nanos(u64::try_from(anchor.place).unwrap_or(0))
    }
}

/// In nanoseconds. Timestamps of 32 bits wrap: then it is the place nearest to the arrival.
fn next_place(anchor: &Anchor, timestamp: MediaTimestamp, now: i64) -> i64 {
    const WRAP: i128 = 1 << 32;
    let ticks = i128::from(timestamp.ticks) - i128::from(anchor.ticks);
    let may_wrap = anchor.ticks.max(timestamp.ticks) < 1 << 32;
    let turns = if may_wrap { &[-WRAP, 0, WRAP][..] } else { &[0] };
    let places = turns.iter().map(|turn| {
        let nanos = (ticks + turn) * 1_000_000_000 / i128::from(timestamp.clock_rate.max(1));
        anchor.place.saturating_add(i64::try_from(nanos).unwrap_or(i64::MAX))
    });
    places.min_by_key(|place| place.abs_diff(now)).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn video(ticks: u64) -> MediaTimestamp {
        MediaTimestamp { ticks, clock_rate: 90_000 }
    }

    #[test]
    fn what_is_late_keeps_its_distance() {
        let mut timeline = Timeline::default();
        let places = [(1_000, 0), (4_600, 90), (8_200, 81), (11_800, 400)]
            .map(|(ticks, arrived)| timeline.place(video(ticks), ms(arrived), true));
        assert_eq!(places, [ms(0), ms(40), ms(80), ms(120)]);
    }

    #[test]
    fn the_first_frame_kept_profits_from_those_before() {
        let mut timeline = Timeline::default();
        timeline.place(video(0), ms(100), false);
        timeline.place(video(9_000), ms(120), false);
        // The first one was 80 ms late.
        assert_eq!(timeline.place(video(18_000), ms(300), false), ms(220));
    }

    #[test]
    fn timestamps_may_wrap() {
        let mut timeline = Timeline::default();
        let near = u64::from(u32::MAX) - 899;
        assert_eq!(timeline.place(video(near), ms(0), true), ms(0));
        assert_eq!(timeline.place(video(900), ms(20), true), ms(20));
        assert_eq!(timeline.place(video(near + 450), ms(25), true), ms(5));
        assert_eq!(timeline.place(video(1_800), ms(30), true), ms(30));
    }

    #[test]
    fn long_timestamps_go_on_where_short_ones_wrap() {
        let mut timeline = Timeline::default();
        let near = u64::from(u32::MAX) - 899;
        timeline.place(video(near), ms(0), true);
        assert_eq!(timeline.place(video(near + 1_800), ms(20), true), ms(20));
    }

    #[test]
    fn a_track_that_begins_anew_goes_on_when_it_arrives() {
        let mut timeline = Timeline::default();
        timeline.place(video(500_000_000), ms(0), true);
        assert_eq!(timeline.place(video(7), ms(40), true), ms(40));
        assert_eq!(timeline.place(video(3_607), ms(85), true), ms(80));
        assert_eq!(timeline.place(video(u64::MAX), ms(120), true), ms(120));
        assert_eq!(timeline.place(video(0), ms(160), true), ms(160));
    }

    #[test]
    fn a_muted_track_goes_on_where_its_clock_is() {
        let mut timeline = Timeline::default();
        timeline.place(video(0), ms(0), true);
        let hours_7 = 7 * 3_600;
        let place = timeline.place(video(hours_7 * 90_000), ms(hours_7 * 1_000 + 30), true);
        assert_eq!(place, ms(hours_7 * 1_000));
    }

    #[test]
    fn a_drifting_clock_is_followed() {
        let mut timeline = Timeline::default();
        let mut worst = 0;
        // The sender's clock is slow by 100 parts in a million, for a day.
        for second in 0..86_400 {
            let arrived = ms(second * 1_000) + Duration::from_micros(second * 100);
            let place = timeline.place(video(second * 90_000), arrived, true);
            worst = worst.max(arrived.abs_diff(place).as_millis());
        }
        assert!(worst < 25, "{worst} ms off");
    }
}
