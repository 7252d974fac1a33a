//! Peers outside the browser: data connections and calls between Rust programs and any `PeerJS`
//! page, through peerway or a stock `PeerServer`.
//!
//! The API is that of `PeerJS` 1.5 in Rust's clothes, so its documentation remains a guide: a
//! [`Peer`] has an id at a signalling server; [`Peer::connect`] gives a [`DataConnection`] and
//! [`Peer::call`] a [`MediaConnection`]; what others start arrives as [`PeerEvent::Connection`] and
//! [`PeerEvent::Call`]. Events are pulled instead of called back, and [`DataConnection::send`] waits
//! where a page would fill its memory.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let mut config = peerway_server::config::Config::default();
//! # (config.host, config.port, config.turn.enabled) = ("127.0.0.1".into(), 0, false);
//! # let server = peerway_server::Server::bind(config).await?;
//! # let port = server.local_addr().port();
//! # tokio::spawn(server.run());
//! use peerway::{ConnectOptions, Peer, PeerEvent, PeerOptions, Value};
//!
//! // Answers everybody; in a page: `peer.on('connection', (c) => c.on('data', (d) => c.send(d)))`.
//! let echo = Peer::open(PeerOptions::new().port(port).id("echo")).await?;
//! tokio::spawn(async move {
//!     while let Some(event) = echo.next_event().await {
//!         if let PeerEvent::Connection(connection) = event {
//!             tokio::spawn(async move {
//!                 while let Ok(Some(value)) = connection.receive().await {
//!                     let _ = connection.send(value).await;
//!                 }
//!             });
//!         }
//!     }
//! });
//!
//! let peer = Peer::open(PeerOptions::new().port(port)).await?;
//! let connection = peer.connect("echo", ConnectOptions::new().reliable(true))?;
//! connection.opened().await?;
//! connection.send("hello").await?;
//! assert_eq!(connection.receive().await?, Some(Value::from("hello")));
//! # Ok(())
//! # }
//! ```
//!
//! # What interoperates
//!
//! Data with every generation of `PeerJS` since 0.3, in `binary`, `binary-utf8`, `json`, `raw` (`none`
//! before 1.5) and `MsgPack`; which form the other side reads is found out from its offer or answer.
//! Calls in VP8, VP9, H264, AV1, Opus and G.711: encoded [frames](media::EncodedFrame) in and out, or
//! [RTP packets](media::RtpPacket); devices are the application's. [`media`] has a test source that
//! needs none, and a recorder. Raw pictures and sound are a cargo feature away: `codec-vpx` (VP8, VP9),
//! `codec-h264` and `codec-opus` bring module `codec` with encoders and decoders.
//!
//! # Runtime
//!
//! Everything runs in the tokio runtime (with IO and time) in which a peer is made: one task for a
//! peer, one for each connection, none left behind when the last handle is dropped. A connection has
//! sockets of its own. All futures are `Send`; which are cancel-safe is said at each.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod clock;
#[cfg(any(feature = "codec-opus", feature = "codec-vpx", feature = "codec-h264"))]
#[cfg_attr(
    docsrs,
    doc(cfg(any(feature = "codec-opus", feature = "codec-vpx", feature = "codec-h264")))
)]
pub mod codec;
mod connection;
mod engine;
mod link;
pub mod media;
mod peer;
mod room;
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
pub use peerway_protocol::data::Serialization;
pub use peerway_protocol::{Reception, RoomMode, Value, VideoWish};
pub use room::{
    Room, RoomError, RoomErrorKind, RoomEvent, RoomLogAction, RoomLogEntry, RoomOptions, RoomTrack,
};
pub use transport::{IceServer, IceTransportPolicy};
