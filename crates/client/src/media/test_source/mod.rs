//! Video and sound without a device and without a codec library: to try a call, and to prove
//! that what arrives is what was sent.
//!
//! [`TestVideo`] is VP8 with a moving bar and the number of each frame as a bar code that programs
//! can read; [`TestTone`] is 440 Hz in Opus or G.711. Both say when their next frame is
//! due and leave the waiting to the caller.

mod g711;
mod picture;
mod tone;
mod video;
mod vp8;

pub use picture::frame_number;
pub use tone::TestTone;
pub use video::{InvalidTestVideo, TestVideo};

#[cfg(test)]
mod tests;
