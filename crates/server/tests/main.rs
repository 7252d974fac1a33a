//! Black-box tests of the server: real sockets on the loopback interface, one server per test.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod apps;
mod config;
mod connections;
mod engineio;
mod engineio_limits;
mod handshake;
mod http;
mod leave;
mod limits;
mod liveness;
#[path = "../../media/tests/support/mod.rs"]
mod media_clients;
mod proxied;
mod reconnect;
mod relay;
mod rooms;
mod sfu;
mod shutdown;
mod signed_ids;
mod skyway;
mod skyway_auth;
mod skyway_fork;
mod skyway_interop;
mod skyway_polling;
mod skyway_replay;
mod skyway_rooms;
mod status;
mod support;
mod tls;
mod turn_config;
mod turn_ice;
mod turn_limits;
mod turn_metrics;
mod turn_policy;
mod turn_relay;
mod turn_shutdown;
mod turn_streams;
mod turn_tcp_peers;
mod xhr;
mod xhr_post;
