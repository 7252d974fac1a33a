//! The `PeerJS` transports: HTTP endpoints, `WebSocket` sessions, and the streaming XHR sessions
//! of 0.3. Behaviour and sources: `docs/reference/peerjs-dialect.md`.

mod parting;
mod routes;
mod socket;
mod stream;

pub(crate) use routes::{list_peers, router, web_socket};
