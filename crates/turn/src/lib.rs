//! STUN (RFC 8489) and TURN (RFC 8656, RFC 6062) as a plain value.
//!
//! [`Server`] is told what clients and peers sent and answers with what is to be done; sockets,
//! threads and clocks live around it. A program may have many of them: state belongs to a client's
//! 5-tuple, and what all share is in [`Shared`].
//!
//! ```text
//!   client ---- datagram ---> handle_client --+--> ToPeer (payload: nothing is copied or allocated)
//!                                             +--> next_command: Reply, Open, Close, Connect, ..
//!   peer ------ datagram ---> handle_peer ------> ToClient (what goes before the payload)
//!   driver ---- handle_opened, handle_connected, handle_timeout
//! ```

mod address;
mod allocation;
mod answer;
mod credential;
mod nonce;
mod payload;
mod policy;
mod quota;
mod rate;
mod report;
mod requests;
mod server;
mod shared;

pub use address::{Family, FiveTuple, Now, Transport, household};
pub use allocation::{ClientId, RelayId};
pub use credential::{Credential, Credentials, Form};
pub use payload::{Envelope, NotTurn, frame_length};
pub use policy::{PeerPolicy, PeerRefusal};
pub use quota::Limits;
pub use report::{CloseReason, Counts, Flow, Owner, Refusal, Report, Traffic};
pub use server::{
    Bind, Command, ConnectError, ConnectionId, OpenError, Opened, Port, Protocol, Server, ToClient,
    ToPeer,
};
pub use shared::{Settings, Shared};
