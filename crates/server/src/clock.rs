//! The one place where the server reads a clock or draws randomness; everything below takes them
//! as arguments.
#![expect(clippy::disallowed_methods, reason = "this is the place the lint sends readers to")]

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// The monotonic clock.
pub fn now() -> Instant {
    Instant::now()
}

/// Seconds since 1970, for what is written down: token expiry.
pub fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Both clocks, for the broker.
pub(crate) fn wall() -> peerway_broker::WallClock {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let unix_millis = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
    peerway_broker::WallClock { at: now(), unix_millis }
}

/// Now, and how long after 1970 that is, for what the members of a room are told.
pub(crate) fn now_and_since_1970() -> (Instant, std::time::Duration) {
    (now(), SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

/// Random bytes fit for ids that must not be guessed.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).expect("the operating system's randomness is available");
    bytes
}

/// Both clocks, for TURN.
pub(crate) fn both() -> peerway_turn::Now {
    peerway_turn::Now { instant: now(), unix: unix_now() }
}
