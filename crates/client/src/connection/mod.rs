//! Data connections and calls: the handles that applications hold, and the task behind each of
//! them, which owns the sockets and the [`Link`](crate::link::Link).

mod context;
mod data;
mod description;
mod error;
mod media;
mod options;
mod queue;
mod state;
mod stats;
mod task;
mod track;

pub(crate) use context::{Context, Inbound, Outbound, Outgoing, Started};
pub use data::{DataConnection, DataEvent};
pub use error::{ConnectionError, ConnectionErrorKind, SendError};
pub use media::{MediaConnection, MediaEvent};
pub use options::{CallOptions, ConnectOptions, Lifetime, MediaSelection};
pub use state::IceState;
pub use stats::{ConnectionStats, TrackStats};
pub use track::{LocalTrack, RemoteTrack, TrackRequest};
