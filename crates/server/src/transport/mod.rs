//! Client transports: each turns bytes of one kind of client into requests, and events into bytes.

pub mod engineio;
mod line;
pub mod peerjs;
pub mod skyway;
mod websocket;
