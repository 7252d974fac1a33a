//! Client transports: each turns bytes of one kind of client into requests, and events into bytes.

pub mod peerjs;
mod websocket;
