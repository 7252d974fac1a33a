//! Selective forwarding: what one member of a room sends is sent to those who want it, unchanged
//! but for the numbers that must stay continuous. No IO, no clock, no randomness.
//!
//! [`MediaRouter`] is all of it, as one value: it is told what happened, each time with `now`, and
//! answers with datagrams to send and events.

mod allocation;
mod leg;
mod rewrite;
mod router;
mod speakers;
mod srtp;
mod track;

pub use allocation::{Demand, allocate, next_step, shares};
pub use rewrite::{
    CaptureClock, Clock, Continuity, Incoming, Outgoing, PictureNumbers, Rewriter, SourceId,
};
pub use router::{
    CloseReason, Datagram, Event, LayerReport, LegId, LegOptions, LegReport, LocalAddress,
    MediaRouter, Output, PublicationReport, Quality, Reception, RoomId, RouterOptions,
    SubscriptionReport, Traffic, Transmit, Transport, VideoWish, ice_user,
};
pub use speakers::Speakers;
pub use track::{Codec, Codecs, Kind};
