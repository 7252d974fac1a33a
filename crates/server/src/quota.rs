//! What an app has used in a calendar month, in memory.

use std::sync::{Arc, Mutex, PoisonError};

use peerway_protocol::Refusal;

use crate::config::QuotaConfig;

/// An app's quota and what is left of it. Clones count together.
#[derive(Debug, Clone, Default)]
pub(crate) struct Quota {
    limits: QuotaConfig,
    month: Arc<Mutex<Month>>,
}

/// What was used in a month.
#[derive(Debug, Default)]
struct Month {
    /// Months since January 1970; `None` before anything was counted.
    number: Option<u64>,
    sessions: u64,
    /// What TURN had relayed since the program's start when it was first asked in a later month.
    relayed_before: Option<u64>,
}

impl Quota {
    pub(crate) fn new(limits: &QuotaConfig) -> Self {
        Self { limits: limits.clone(), month: Arc::default() }
    }

    /// One more session is opened, unless the month's are used up.
    pub(crate) fn count_session(&self, unix: u64) -> Result<(), Refusal> {
        let Some(limit) = self.limits.sessions_per_month else { return Ok(()) };
        let mut month = self.month(unix);
        if month.sessions >= limit {
            return Err(Refusal::QuotaUsed(limit));
        }
        month.sessions += 1;
        Ok(())
    }

    /// Whether TURN may go on, which has relayed so many bytes since the program's start.
    pub(crate) fn may_relay(&self, unix: u64, relayed: u64) -> bool {
        let Some(limit) = self.limits.turn_bytes_per_month else { return true };
        let mut month = self.month(unix);
        relayed.saturating_sub(*month.relayed_before.get_or_insert(relayed)) < limit
    }

    /// The current month's book; a new one if the last is of another month.
    fn month(&self, unix: u64) -> std::sync::MutexGuard<'_, Month> {
        let mut month = self.month.lock().unwrap_or_else(PoisonError::into_inner);
        let number = month_of(unix);
        match month.number {
            Some(own) if own == number => {}
            Some(_) => *month = Month { number: Some(number), ..Month::default() },
            None => {
                *month =
                    Month { number: Some(number), relayed_before: Some(0), ..Month::default() };
            }
        }
        month
    }
}

/// Months since January 1970 of a time in seconds since then.
fn month_of(unix: u64) -> u64 {
    // Years that begin in March have their leap day at the end, and 400 of them 146 097 days; the era
    // of 1970 began on 1 March 1600, 135 080 days before.
    let days = unix / 86_400 + 135_080;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    (1600 + era * 400 + year) * 12 + month + 2 - 1970 * 12
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_begin_where_the_calendar_has_them() {
        for (unix, year, month) in [
            (0, 1970, 1),
            (2_678_399, 1970, 1),
            (2_678_400, 1970, 2),
            (951_782_400, 2000, 2),   // 29 February
            (951_868_800, 2000, 3),   // 1 March
            (1_709_164_800, 2024, 2), // 29 February
            (1_709_251_200, 2024, 3), // 1 March
            (1_735_689_599, 2024, 12),
            (1_735_689_600, 2025, 1),
            (4_107_542_400, 2100, 3), // 1 March of a year without a leap day
            (4_107_542_399, 2100, 2),
        ] {
            assert_eq!(month_of(unix), (year - 1970) * 12 + month - 1, "{unix}");
        }
    }

    const JANUARY: u64 = 1_735_689_600;
    const FEBRUARY: u64 = JANUARY + 31 * 86_400;

    #[test]
    fn sessions_are_counted_by_the_month() {
        let quota = Quota::new(&QuotaConfig { sessions_per_month: Some(2), ..Default::default() });
        let other = quota.clone();
        assert_eq!(quota.count_session(JANUARY), Ok(()));
        assert_eq!(other.count_session(JANUARY), Ok(()));
        assert_eq!(quota.count_session(FEBRUARY - 1), Err(Refusal::QuotaUsed(2)));
        assert_eq!(quota.count_session(FEBRUARY), Ok(()));
    }

    #[test]
    fn relayed_bytes_are_counted_from_where_the_month_began() {
        let quota =
            Quota::new(&QuotaConfig { turn_bytes_per_month: Some(100), ..Default::default() });
        assert!(quota.may_relay(JANUARY, 0));
        assert!(quota.may_relay(JANUARY, 99));
        assert!(!quota.may_relay(JANUARY, 100));
        assert!(quota.may_relay(FEBRUARY, 150));
        assert!(!quota.may_relay(FEBRUARY, 250));
    }

    #[test]
    fn a_month_that_begins_with_a_session_owes_nothing_of_the_last() {
        let limits = QuotaConfig { sessions_per_month: Some(9), turn_bytes_per_month: Some(100) };
        let quota = Quota::new(&limits);
        assert!(!quota.may_relay(JANUARY, 150));
        assert_eq!(quota.count_session(FEBRUARY), Ok(()));
        assert!(quota.may_relay(FEBRUARY, 150));
        assert!(!quota.may_relay(FEBRUARY, 250));
    }

    #[test]
    fn without_limits_nothing_is_refused() {
        let quota = Quota::default();
        assert!(quota.count_session(0).is_ok() && quota.may_relay(0, u64::MAX));
    }
}
