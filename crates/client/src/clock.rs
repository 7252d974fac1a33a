//! The only place of this crate that reads the clock and draws chance.

use std::time::Instant;

/// Now.
#[expect(clippy::disallowed_methods, reason = "the one place that may")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// A random word of 16 letters and digits, for ids.
pub(crate) fn random_word() -> String {
    const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let mut bytes = [0; 16];
    fill_random(&mut bytes);
    bytes.iter().map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect()
}

/// Fills with randomness that is good for secrets.
#[expect(clippy::disallowed_methods, reason = "the one place that may")]
pub(crate) fn fill_random(bytes: &mut [u8]) {
    aws_lc_rs::rand::fill(bytes).expect("the system has randomness");
}
