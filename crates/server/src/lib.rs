//! All IO of the peerway server: transports, node loop, configuration, metrics. A library without
//! a `main`; `ARCHITECTURE.md` has the drawing.

pub mod auth;
pub mod backplane;
pub mod clock;
pub mod config;
mod edge;
mod http;
mod metrics;
mod node;
mod outbox;
mod quota;
mod server;
mod sfu;
mod transport;
pub mod turn;
mod udp;

pub use server::{Control, Server, StartError, check};
pub use transport::engineio;
