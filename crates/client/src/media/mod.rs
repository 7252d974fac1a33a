//! Encoded media: frames and RTP packets in and out of calls, a test source, a recorder.

mod feed;
mod frame;
mod recorder;
mod test_source;
mod track;

pub use feed::{TestVideoSize, feed_test_source};
pub use frame::{EncodedFrame, MediaTimestamp};
pub use peerway_record::Codec;
pub use recorder::{RecordError, Recorded, Recorder, Recording};
pub use test_source::{InvalidTestVideo, TestTone, TestVideo, frame_number};
pub use track::{RtpPacket, TrackKind};
