//! From the numbers of what comes in to those of what goes out to one subscriber.
//!
//! A subscriber sees one stream, whatever it is made of: a layer of a simulcast now, another one
//! later, nothing in between. Its sequence numbers have a gap only where a packet was lost (so that
//! it asks for just that one again), its timestamps go on as the wall clock does (RFC 3550, section 5.1), and the
//! picture numbers of VP8 and VP9 (RFC 7741, RFC 9628) go on by one, because decoders take a jump for a loss.

mod capture;
mod continuity;
mod picture;
mod rewriter;
mod timeline;

pub use capture::CaptureClock;
pub use continuity::Continuity;
pub use picture::PictureNumbers;
pub use rewriter::{Incoming, Outgoing, Rewriter, SourceId};
pub use timeline::Clock;
