//! Peers outside the browser: data connections and calls with any `PeerJS` page.

mod clock;
mod connection;
mod engine;
mod link;
pub mod media;
mod peer;
mod signalling;
mod transport;

pub use connection::{
    CallOptions, ConnectOptions, ConnectionError, ConnectionErrorKind, ConnectionStats,
    DataConnection, DataEvent, IceState, Lifetime, LocalTrack, MediaConnection, MediaEvent,
    MediaSelection, RemoteTrack, SendError, TrackRequest, TrackStats,
};
pub use peer::{
    ConnectionInfo, ConnectionKind, Peer, PeerError, PeerErrorKind, PeerEvent, PeerEvents,
    PeerOptions, PeerState, Reconnect,
};
pub use peerway_protocol::Value;
pub use peerway_protocol::data::Serialization;
pub use transport::{IceServer, IceTransportPolicy};
