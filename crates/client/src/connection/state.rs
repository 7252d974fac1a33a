//! How far a connection is.

/// The ICE state of a connection, as in W3C `RTCIceConnectionState`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum IceState {
    /// Nothing has been tried yet.
    #[default]
    New,
    /// Pairs of addresses are being tried.
    Checking,
    /// A pair works; better ones are still being tried.
    Connected,
    /// The best pair is in use.
    Completed,
    /// The other side does not answer any more; it may come back.
    Disconnected,
    /// It did not come back, or never came.
    Failed,
    /// Closed by either side.
    Closed,
}

impl IceState {
    /// The word that W3C has for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Checking => "checking",
            Self::Connected => "connected",
            Self::Completed => "completed",
            Self::Disconnected => "disconnected",
            Self::Failed => "failed",
            Self::Closed => "closed",
        }
    }
}
