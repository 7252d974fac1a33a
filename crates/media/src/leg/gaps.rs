//! Numbers that did not go out in their turn, because they did not come: a receiver reports them as lost, but it was
//! not its path that lost them.

use std::collections::VecDeque;

/// Gaps that are remembered; a member reports each second or more often.
const REMEMBERED: usize = 64;

/// See the module documentation.
#[derive(Debug, Default)]
pub(super) struct Gaps {
    newest: Option<u64>,
    /// The number behind each gap, and how many are missing up to there since the beginning.
    behind: VecDeque<(u64, u64)>,
    total: u64,
    /// What was counted up to the last report.
    told: u64,
}

impl Gaps {
    /// This number goes out.
    pub(super) fn sent(&mut self, sequence: u64) {
        let missing = self.newest.map_or(0, |newest| sequence.saturating_sub(newest + 1));
        self.newest = self.newest.max(Some(sequence));
        if missing > 0 {
            self.total += missing;
            if self.behind.len() == REMEMBERED {
                self.behind.pop_front();
            }
            self.behind.push_back((sequence, self.total));
        }
    }

    /// The newest number that went out.
    pub(super) fn newest(&self) -> Option<u64> {
        self.newest
    }

    /// Whether a number did not go out in its turn, as far as that is remembered.
    pub(super) fn covers(&self, sequence: u64) -> bool {
        let Some(place) = self.behind.iter().position(|(behind, _)| sequence < *behind) else {
            return false;
        };
        let (behind, total) = self.behind[place];
        let before = place.checked_sub(1).map_or(total, |place| self.behind[place].1);
        // Of the first that is remembered nobody knows how long it was.
        place > 0 && behind - sequence <= total - before || place == 0 && behind == sequence + 1
    }

    /// Which one is meant by its last 16 bits.
    pub(super) fn unwrap(&self, sequence: u32) -> Option<u64> {
        let newest = self.newest?;
        let ago = newest.wrapping_sub(sequence.into()) & 0xffff;
        Some(newest.saturating_sub(ago))
    }

    /// A report is about all up to this number, of which 16 bits count: how many of those since the last report
    /// had not gone out in their turn.
    pub(super) fn reported(&mut self, highest: u32) -> u64 {
        let Some(highest) = self.unwrap(highest) else { return 0 };
        let known = self.behind.iter().rev().find(|(behind, _)| *behind <= highest);
        let total = known.map_or(self.told, |(_, total)| *total);
        let since = total.saturating_sub(self.told);
        self.told = self.told.max(total);
        since
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_did_not_come_is_told_with_the_report_about_it() {
        let mut gaps = Gaps::default();
        for sequence in [65_530, 65_531, 65_534, 65_537, 65_538] {
            gaps.sent(sequence);
        }
        assert_eq!(gaps.reported(65_531), 0);
        assert_eq!(gaps.reported(65_534), 2);
        assert_eq!(gaps.reported(65_534), 0, "it is told once");
        assert_eq!(gaps.reported(1), 2, "the receiver counts in 16 bits");
        gaps.sent(65_536);
        gaps.sent(65_539);
        assert_eq!(gaps.reported(3), 0, "what comes late makes no gap");
    }

    #[test]
    fn what_did_not_come_in_its_turn_is_known_although_it_came_later() {
        let mut gaps = Gaps::default();
        for sequence in [10, 11, 13, 14, 17, 12, 15, 18] {
            gaps.sent(sequence);
        }
        let covered: Vec<u64> = (8..20).filter(|sequence| gaps.covers(*sequence)).collect();
        assert_eq!(covered, [12, 15, 16]);
    }

    #[test]
    fn gaps_without_end_take_no_more_room() {
        let mut gaps = Gaps::default();
        for sequence in 0..1000 {
            gaps.sent(sequence * 2);
        }
        assert_eq!(gaps.behind.len(), REMEMBERED);
        assert_eq!(gaps.reported(1998), 999);
        assert_eq!(gaps.reported(1998), 0);
    }
}
