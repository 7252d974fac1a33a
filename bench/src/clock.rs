//! The one place of the generator that reads a clock or waits for one.
#![allow(clippy::disallowed_methods, reason = "a benchmark measures time")]

use std::fs;
use std::sync::LazyLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Stamps count from here, so that they fit into a fixed number of digits.
static EPOCH: LazyLock<Instant> = LazyLock::new(Instant::now);

pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Nanoseconds since the generator's own epoch.
pub(crate) fn stamp(at: Instant) -> u64 {
    u64::try_from(at.saturating_duration_since(*EPOCH).as_nanos()).unwrap_or(u64::MAX)
}

/// The low 64 bits of the wall clock, which are the ones that change.
pub(crate) fn unix_nanoseconds() -> u64 {
    let nanoseconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    u64::try_from(nanoseconds & u128::from(u64::MAX)).unwrap_or_default()
}

/// Blocks the calling thread: only for the pacing thread, which has nothing else to do.
pub(crate) fn block_until(deadline: Instant) {
    std::thread::sleep(deadline.saturating_duration_since(Instant::now()));
}

/// Lets threads started from here on wake at the time they asked for and not up to 50 us later.
pub(crate) fn wake_on_time() {
    LazyLock::force(&EPOCH);
    // An old kernel refuses; the pacing is then 50 us late for every server alike.
    let _ = fs::write("/proc/self/timerslack_ns", "1");
}
