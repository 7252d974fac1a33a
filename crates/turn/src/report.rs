//! What the server tells about itself: the only source of metrics and of the console's live view.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::address::FiveTuple;

/// Something that happened to an allocation, or that was refused.
#[derive(Debug, Clone)]
pub enum Report {
    /// An allocation was made.
    Opened {
        /// Whose it is.
        owner: Owner,
        /// Its relayed addresses, as the client knows them.
        relayed: Vec<SocketAddr>,
    },
    /// An allocation ended.
    Closed {
        /// Whose it was.
        owner: Owner,
        /// Why it ended.
        reason: CloseReason,
        /// What it carried.
        traffic: Traffic,
        /// How long it lived.
        age: Duration,
    },
    /// A request was refused.
    Refused {
        /// The app, where the request had a right credential.
        app: Option<Arc<str>>,
        /// Who asked.
        client: FiveTuple,
        /// Why.
        reason: Refusal,
    },
}

/// Whose an allocation is.
#[derive(Debug, Clone)]
pub struct Owner {
    /// The app, or `other`.
    pub app: Arc<str>,
    /// The user name of the credential.
    pub user: Arc<str>,
    /// The client.
    pub client: FiveTuple,
}

/// Why an allocation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseReason {
    /// The client said so.
    Released,
    /// It was not refreshed.
    Expired,
    /// Its connection ended.
    Disconnected,
    /// The server stops.
    Stopped,
}

/// Packets and bytes of payload.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Flow {
    /// Packets.
    pub packets: u64,
    /// Bytes without any header.
    pub bytes: u64,
}

impl Flow {
    pub(crate) fn add(&mut self, bytes: usize) {
        self.packets += 1;
        self.bytes += bytes as u64;
    }
}

/// Both directions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// From the client to peers.
    pub to_peer: Flow,
    /// From peers to the client.
    pub to_client: Flow,
}

macro_rules! refusals {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// Why something was refused.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Refusal { $($(#[$doc])* $variant,)* }

        impl Refusal {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// As metrics and logs name it.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

refusals! {
    /// A request without a credential: how every client begins (401).
    Challenge = "challenge",
    /// A user name or password that is not right (401).
    Credentials = "credentials",
    /// A credential whose time is over (401).
    Expired = "expired",
    /// A nonce that is old or of another server (438).
    StaleNonce = "stale_nonce",
    /// The allocation is another user's (441).
    WrongUser = "wrong_user",
    /// A request that is wrong in itself (400).
    BadRequest = "bad_request",
    /// A demand that the server does not know (420).
    UnknownAttribute = "unknown_attribute",
    /// No allocation, or one too many (437).
    Mismatch = "mismatch",
    /// Neither UDP nor TCP to relay (442).
    UnsupportedTransport = "unsupported_transport",
    /// An address family that is not to be had (440, 443).
    AddressFamily = "address_family",
    /// A peer that policy protects (403).
    ForbiddenPeer = "forbidden_peer",
    /// Allocations of the user (486).
    QuotaUser = "quota_user",
    /// Allocations of the app (486).
    QuotaApp = "quota_app",
    /// Allocations from the source (486).
    QuotaSource = "quota_source",
    /// Allocations in all (486).
    QuotaTotal = "quota_total",
    /// No relay port, or too many permissions, channels, connections (508).
    Capacity = "capacity",
    /// Sent elsewhere, because the server is being drained (300).
    Draining = "draining",
    /// A TCP connection to a peer that was not to be had (446, 447).
    PeerConnection = "peer_connection",
    /// Not answered: too many answers to one source without a credential.
    AnswerRate = "answer_rate",
    /// Dropped: payload beyond the allocation's bandwidth.
    Bandwidth = "bandwidth",
    /// Dropped: payload from or to an address without a permission or channel.
    NoPermission = "no_permission",
    /// Dropped: neither STUN nor channel data, or for no allocation.
    Noise = "noise",
}

/// What one app did since it was last asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counts {
    /// The app, or `other`.
    pub app: Arc<str>,
    /// What was relayed.
    pub traffic: Traffic,
    /// Refusals, in the order of [`Refusal::ALL`].
    pub refusals: [u64; Refusal::ALL.len()],
}

impl Counts {
    pub(crate) fn new(app: Arc<str>) -> Self {
        Self { app, traffic: Traffic::default(), refusals: [0; Refusal::ALL.len()] }
    }

    pub(crate) fn refused(&mut self, reason: Refusal) {
        self.refusals[reason as usize] += 1;
    }

    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        self.traffic == Traffic::default() && self.refusals.iter().all(|count| *count == 0)
    }
}
