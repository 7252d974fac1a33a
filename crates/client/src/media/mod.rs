//! Encoded media: frames and RTP packets in and out of calls, a test source, a recorder.

mod frame;
mod track;

pub use frame::{EncodedFrame, MediaTimestamp};
pub use peerway_record::Codec;
pub use track::{RtpPacket, TrackKind};
