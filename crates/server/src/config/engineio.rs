//! Settings of the Socket.IO transport.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Millis;

/// Socket.IO at `/socket.io/`, by which SkyWay clients come.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EngineIoConfig {
    /// How often clients shall ask whether the server is there. Announced to them.
    pub ping_interval: Millis,
    /// How long they wait for the answer. Announced to them; a client that is silent for the interval
    /// and twice this counts as lost.
    pub ping_timeout: Millis,
}

impl Default for EngineIoConfig {
    fn default() -> Self {
        Self { ping_interval: Millis::from_secs(25), ping_timeout: Millis::from_secs(5) }
    }
}

impl EngineIoConfig {
    /// How long a client may be silent.
    pub fn patience(&self) -> std::time::Duration {
        self.ping_interval.0 + self.ping_timeout.0 * 2
    }
}
