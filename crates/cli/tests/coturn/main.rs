//! The TURN server against coturn's own client, `turnutils_uclient`: every transport, address
//! family and mode that it knows, and what it must be refused.
//!
//! What an option of the client means is in `man turnutils_uclient`; what it does besides is said
//! where a test relies on it. Left out is what no server can satisfy:
//!
//! - `-S` without `-t` is DTLS and `-b` is SCTP, which peerway does not offer.
//! - `-P -S` begins a TLS handshake on the peer's socket before that socket is connected.
//! - `-T` with messages of several KiB: the client counts what one `recv` brings as messages.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod credentials;
mod draft;
mod peer;
mod ports;
mod process;
mod refusals;
mod relaying;
mod server;
mod stress;
mod stun;
mod tcp_relay;
mod uclient;
mod wiretap;
