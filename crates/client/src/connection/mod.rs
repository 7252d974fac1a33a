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

pub(crate) use context::{Context, Inbound, Outbound, Outgoing, RoomOffer, Started};
pub use data::{DataConnection, DataEvent};
pub(crate) use data::{INBOX, weight};
pub use error::{ConnectionError, ConnectionErrorKind, SendError};
pub(crate) use media::Command as TrackCommand;
pub use media::{MediaConnection, MediaEvent};
pub use options::{CallOptions, ConnectOptions, Lifetime, MediaSelection};
pub(crate) use queue::Queue;
pub use state::IceState;
pub use stats::{ConnectionStats, TrackStats};
pub(crate) use task::{Beginning, Channels, Front, Names, Task};
pub(crate) use track::{LocalInner, RemoteInner, Way};
pub use track::{LocalTrack, RemoteTrack, TrackRequest};
