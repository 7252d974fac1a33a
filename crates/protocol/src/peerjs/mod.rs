//! The `PeerJS` dialect: frames of every client generation from 0.3.0 to 2.0 beta and of the
//! SkyWay fork. Facts and sources: `docs/reference/peerjs-dialect.md`.
//!
//! What a server reads and writes stands here; [`client`] is the other end of the same socket, and
//! [`payload`] what two clients say to each other through it.

pub mod client;
mod media;
pub mod payload;
mod rooms;
mod rooms_client;
mod server;

pub use server::{
    ClientFrame, FrameError, Handshake, IdAnswer, PING, decode, encode, open_with, wanted_id,
};
