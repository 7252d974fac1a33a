//! Selective forwarding: what one member of a room sends is sent to those who want it, unchanged
//! but for the numbers that must stay continuous. No IO, no clock, no randomness.

mod allocation;
mod rewrite;
mod speakers;

pub use allocation::{Demand, allocate};
pub use rewrite::{Clock, Continuity, Incoming, Outgoing, PictureNumbers, Rewriter, SourceId};
pub use speakers::Speakers;
