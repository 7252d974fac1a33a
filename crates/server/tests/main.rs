//! Black-box tests of the server: real sockets on the loopback interface, one server per test.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod apps;
mod config;
mod connections;
mod handshake;
mod http;
mod leave;
mod limits;
mod liveness;
mod proxied;
mod reconnect;
mod relay;
mod shutdown;
mod signed_ids;
mod skyway_fork;
mod status;
mod support;
mod tls;
mod xhr;
mod xhr_post;
