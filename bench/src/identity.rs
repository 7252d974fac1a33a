//! Ids and tokens in the form PeerJS makes them, from a generator that costs next to nothing.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::clock;

pub(crate) const ID_LENGTH: usize = 36;

/// Starts elsewhere in each run, so that two runs against one server do not meet.
static STATE: LazyLock<AtomicU64> = LazyLock::new(|| AtomicU64::new(clock::unix_nanoseconds()));

/// A UUID of version 4.
pub(crate) fn peer_id() -> String {
    let (high, low) = (random(), random());
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xfff,
        0x8000 | (low >> 50),
        low & 0xffff_ffff_ffff,
    )
}

/// What `Math.random().toString(36).slice(2)` gives.
pub(crate) fn token() -> String {
    const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let mut rest = random();
    std::iter::repeat_with(|| {
        let digit = rest % 36;
        rest /= 36;
        char::from(DIGITS[usize::try_from(digit).unwrap_or_default()])
    })
    .take(11)
    .collect()
}

/// `SplitMix64` (Steele, Lea, Flood 2014).
fn random() -> u64 {
    const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut word = STATE.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}
