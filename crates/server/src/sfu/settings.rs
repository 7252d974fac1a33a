//! From the configuration to what workers and routers need.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::time::Duration;

use peerway_broker::LegId;
use peerway_media::LegOptions;
use peerway_protocol::{AppKey, MediaProfile};

use crate::config::{Config, MOST_WORKERS};

/// What a path is taken to carry before it has shown anything, in bits per second: rather ten pictures at
/// once, and less after the first loss, than pictures that wait on a path that would carry them.
const FIRST_BITRATE: u64 = 10_000_000;

/// See the module documentation.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) workers: usize,
    pub(super) members: usize,
    pub(super) connections_per_source: usize,
    pub(super) handshake_timeout: Duration,
    pub(super) write_timeout: Duration,
    usual: Limits,
    apps: BTreeMap<AppKey, Limits>,
}

/// What the members of an app may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Limits {
    publishers: Option<usize>,
    bitrate: Option<u64>,
}

impl Settings {
    pub(super) fn new(config: &Config) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        let sfu = &config.sfu;
        let limits = |publishers, bitrate| Limits {
            publishers: Some(publishers).filter(|it| *it > 0),
            bitrate: Some(bitrate).filter(|it| *it > 0),
        };
        let apps = config.app.iter().filter_map(|app| {
            let publishers = app.publishers_per_room.unwrap_or(sfu.publishers_per_room);
            let bitrate = app.bitrate_per_publisher.unwrap_or(sfu.bitrate_per_publisher);
            Some((AppKey::new(&app.key).ok()?, limits(publishers, bitrate)))
        });
        Self {
            workers: sfu.workers.unwrap_or(cores.min(MOST_WORKERS)),
            members: sfu.members,
            connections_per_source: sfu.connections_per_source,
            handshake_timeout: config.limits.handshake_timeout.0,
            write_timeout: config.limits.write_timeout.0,
            usual: limits(sfu.publishers_per_room, sfu.bitrate_per_publisher),
            apps: apps.collect(),
        }
    }

    /// How a leg of an app behaves.
    pub(super) fn leg(
        &self,
        app: &AppKey,
        profile: MediaProfile,
        sends_only: bool,
        owner: LegId,
    ) -> LegOptions {
        let Limits { publishers, bitrate } = self.apps.get(app).copied().unwrap_or(self.usual);
        LegOptions {
            first_bitrate: Some(FIRST_BITRATE),
            bitrate_limit: bitrate,
            simulcast: profile.simulcast,
            two_lines: profile.two_lines,
            data: profile.data,
            publishers,
            sends_only,
            owner: Some(owner.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::AppConfig;

    #[test]
    fn an_app_may_differ() {
        let mut config = Config::default();
        config.sfu.publishers_per_room = 0;
        let publishers_per_room = Some(3);
        config.app = vec![AppConfig { publishers_per_room, ..AppConfig::named("shop") }];
        let settings = Settings::new(&config);
        let leg = |app| {
            settings.leg(&AppKey::new(app).unwrap(), MediaProfile::default(), false, LegId(1))
        };
        assert_eq!(leg("shop").publishers, Some(3));
        assert_eq!(leg("other").publishers, None);
        assert_eq!(leg("shop").bitrate_limit, Some(2_500_000));
    }
}
