//! The selective forwarding unit: the sockets and threads around the routers of `peerway-media`.

use peerway_broker::MediaCommand;

/// The way to it while it runs.
#[derive(Debug, Clone)]
pub struct SfuHandle {}

impl SfuHandle {
    /// Takes what the broker wants done. Never waits.
    pub fn perform(&self, _command: MediaCommand) {}
}
