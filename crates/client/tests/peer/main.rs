//! A peer and its signalling server, over real sockets: peerway in process, stubs for what it never
//! does, and the npm package `peer` where it is installed.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod lifetime;
mod npm_server;
mod opening;
mod reconnecting;
mod refusals;
mod requests;
mod stub;
mod support;
mod tls;
