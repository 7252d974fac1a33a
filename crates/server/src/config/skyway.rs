//! Settings for clients of SkyWay.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// For clients made with `skyway-js`: see `docs/guide/from-skyway.md`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SkyWayConfig {
    /// Host names of this server that `GET /signaling` answers in turn; clients connect to the
    /// answer by HTTPS on port 443. Give two at least: a client that lost its connection only takes
    /// an answer that differs from the last one. Empty for the host that was asked.
    pub domains: Vec<String>,
    /// The name servers of your network send the vendor's host names to this server, which listens
    /// there on port 443 for TURN (turn.webrtc.ecl.ntt.com): clients are given credentials for it.
    /// Otherwise they would gather candidates at a server that is gone.
    pub vendor_hosts: bool,
}

impl SkyWayConfig {
    pub(super) fn validate(&self) -> Result<(), String> {
        let bad = self.domains.iter().find(|name| {
            let host = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
            name.is_empty() || !name.chars().all(host)
        });
        bad.map_or(Ok(()), |name| {
            Err(format!(
                "skyway.domains: '{name}' is not a host name; scheme and port cannot be given"
            ))
        })
    }
}

/// What an app may use in a calendar month (UTC). It is counted in memory: a restart begins anew.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct QuotaConfig {
    /// Sessions that may be opened by WebSocket or Socket.IO; reconnects count. More are refused.
    #[schemars(extend("examples" = [500_000]))]
    pub sessions_per_month: Option<u64>,
    /// Bytes that TURN may relay. When they are used up no more credentials are given; those that
    /// were given stay good for their time.
    #[schemars(extend("examples" = [500_000_000_000_u64]))]
    pub turn_bytes_per_month: Option<u64>,
}
