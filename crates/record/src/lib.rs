//! Encoded media frames to container bytes: `WebM`, IVF, Ogg. No IO.
//!
//! A writer takes [`Frame`]s and says in an [`Output`] what is to be done to the file. What it
//! has appended so far is a file that plays: a recording survives a crash of the program, a full
//! disk and a pulled plug. The patches make it better (seekable, with its duration) and
//! may be dropped where the output is a pipe; then every track must have begun before the first
//! byte is written.
//!
//! | writer | codecs | tracks |
//! |---|---|---|
//! | [`webm::Writer`] | all | many; `WebM` with VP8, VP9, AV1 and Opus, else Matroska |
//! | [`ivf::Writer`] | VP8, VP9, AV1, H.264 | one |
//! | [`ogg::Writer`] | Opus | one |
//!
//! ```
//! use std::time::Duration;
//! use peerway_record::{Codec, Frame, ogg};
//!
//! let mut file = Vec::new();
//! let mut writer = ogg::Writer::new();
//! let packet = Frame {
//!     codec: Codec::Opus,
//!     data: &[0xFC, 0xFF, 0xFE],
//!     timestamp: Duration::ZERO,
//!     keyframe: true,
//! };
//! writer.write(&packet)?.apply(&mut file);
//! writer.finish().apply(&mut file);
//! assert!(file.starts_with(b"OggS"));
//! # Ok::<(), peerway_record::WriteError>(())
//! ```

mod bits;
mod frame;
pub mod ivf;
pub mod ogg;
mod opus;
mod output;
mod video;
pub mod webm;

pub use frame::{Codec, Frame, WriteError};
pub use output::{Output, Patch};
pub use video::size;
