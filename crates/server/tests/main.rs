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
