//! Video and sound without a device and without a codec library: to try a call, and to prove
//! that what arrives is what was sent.
//!
//! [`TestVideo`] is VP8 with a moving bar and the number of each frame as a bar code that programs
//! can read; [`TestTone`] is 440 Hz in Opus or G.711. Both say when their next frame is
//! [due](TestVideo::due) and leave the waiting to the caller.
//!
//! # The bar code
//!
//! The upper left corner of the picture, 128 x 96 pixels, is 8 x 6 squares of 16 x 16 pixels. Black
//! is 0, white is 1, the left square of a row is the highest bit of a byte.
//!
//! ```text
//!   row 0      10100101: this is a bar code
//!   row 1..4   number of the frame, from 0, highest byte first
//!   row 5      the four bytes and 01011010, combined by exclusive or
//! ```
//!
//! A page reads it like this; [`frame_number`] is the same for Rust programs that decode.
//!
//! ```js
//! function frameNumber(video) {
//!   const context = new OffscreenCanvas(128, 96).getContext('2d');
//!   context.drawImage(video, 0, 0);
//!   const pixels = context.getImageData(0, 0, 128, 96).data;
//!   const white = (x, y) => pixels[((y * 16 + 8) * 128 + x * 16 + 8) * 4] > 127;
//!   const row = (y) => [...Array(8).keys()].reduce((byte, x) => byte * 2 + white(x, y), 0);
//!   const bytes = [1, 2, 3, 4].map(row);
//!   const sum = bytes.reduce((sum, byte) => sum ^ byte, 0b01011010);
//!   if (row(0) !== 0b10100101 || row(5) !== sum) return null;
//!   return bytes.reduce((number, byte) => number * 256 + byte, 0);
//! }
//! ```

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
