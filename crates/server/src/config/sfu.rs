//! The settings of the selective forwarding unit.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::addresses::{ExternalAddress, ListenAddress};

/// Where the forwarding unit listens unless told.
const PORT: u16 = 9001;

/// The selective forwarding unit: in rooms of type sfu each member sends once, and the server sends
/// that to the others.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SfuConfig {
    /// Forward media.
    pub enabled: bool,
    /// Where to listen for UDP: a port ("9001") of all addresses but loopback, or one address
    /// ("192.0.2.1:9001"). Open it in the firewall. If unset 9001 (9002 where that is `port`), or any
    /// free port where `port` is 0.
    #[schemars(extend("examples" = [["9001"]]))]
    pub udp: Option<Vec<ListenAddress>>,
    /// Where to listen for ICE over TCP, for members whose network lets no UDP through. If unset
    /// like `udp`; empty for nowhere.
    #[schemars(extend("examples" = [["9001"]]))]
    pub tcp: Option<Vec<ListenAddress>>,
    /// Behind 1:1 NAT (cloud machines): the public address, "203.0.113.5", or for one of several
    /// addresses "203.0.113.5/10.0.0.5". Empty for those of `[turn]`.
    pub external_addresses: Vec<ExternalAddress>,
    /// Members of one room that may publish at the same time; 0 for any number. `[[app]]` may
    /// differ.
    pub publishers_per_room: usize,
    /// Bits per second that browsers are asked to send at most; 0 for any number. Video of who sends
    /// half as much again for three seconds goes to nobody until it is less. `[[app]]` may differ.
    pub bitrate_per_publisher: u64,
    /// Members that can be connected at the same time, in all; each costs about 150 kB of memory. 0
    /// for any number.
    pub members: usize,
    /// TCP connections at the same time from one source address.
    pub connections_per_source: usize,
    /// Threads; one for each core if unset.
    #[schemars(extend("examples" = [2]))]
    pub workers: Option<usize>,
}

impl Default for SfuConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            udp: None,
            tcp: None,
            external_addresses: Vec::new(),
            publishers_per_room: 50,
            // What Chromium sends by itself for one camera at 720p.
            bitrate_per_publisher: 2_500_000,
            members: 5000,
            connections_per_source: 1000,
            workers: None,
        }
    }
}

impl SfuConfig {
    /// What the types cannot say.
    pub(super) fn validate(&self) -> Result<(), String> {
        match self.workers {
            Some(0) => Err("sfu.workers must not be 0; unset it for one per core".into()),
            Some(many) if many > MOST_WORKERS => {
                Err(format!("sfu.workers ({many}) must not be more than {MOST_WORKERS}"))
            }
            _ => Ok(()),
        }
    }

    /// Where to listen for UDP and for TCP; `http` is the configured port of the whole program.
    pub(crate) fn listen(&self, http: u16) -> [Vec<ListenAddress>; 2] {
        let port = match http {
            0 => 0,
            PORT => PORT + 1,
            _ => PORT,
        };
        let usual = vec![ListenAddress { ip: None, port }];
        let udp = self.udp.clone().unwrap_or(usual);
        let tcp = self.tcp.clone().unwrap_or_else(|| udp.clone());
        [udp, tcp]
    }
}

/// What two characters can number.
pub(crate) const MOST_WORKERS: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unless_told_it_listens_beside_the_rest_of_the_program() {
        let config = SfuConfig::default();
        for (http, port) in [(9000, 9001), (443, 9001), (9001, 9002), (0, 0)] {
            let expected = vec![ListenAddress { ip: None, port }];
            assert_eq!(config.listen(http), [expected.clone(), expected]);
        }
    }

    #[test]
    fn tcp_is_where_udp_is_unless_told() {
        let listen = |text: &str| vec![text.parse::<ListenAddress>().unwrap()];
        let mut config = SfuConfig { udp: Some(listen("192.0.2.1:7000")), ..SfuConfig::default() };
        assert_eq!(config.listen(9000), [listen("192.0.2.1:7000"), listen("192.0.2.1:7000")]);
        config.tcp = Some(Vec::new());
        assert_eq!(config.listen(9000), [listen("192.0.2.1:7000"), Vec::new()]);
    }
}
