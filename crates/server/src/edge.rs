//! What every transport needs: the configuration, the apps, the way to the node, the counters.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use peerway_turn::household;
use tokio_util::task::TaskTracker;

use crate::auth::{App, Apps};
use crate::clock;
use crate::config::Config;
use crate::metrics::Metrics;
use crate::node::NodeHandle;
use crate::outbox::Outboxes;
use crate::sfu::SfuHandle;
use crate::turn::Ice;

/// See the module documentation.
#[derive(Debug)]
pub(crate) struct Edge {
    pub(crate) config: Config,
    pub(crate) apps: Apps,
    pub(crate) node: NodeHandle,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) outboxes: Arc<Outboxes>,
    pub(crate) sessions: Crowd,
    /// Sessions whose client may come back, which hold no connection.
    pub(crate) lost: Crowd,
    pub(crate) handshakes: Crowd,
    pub(crate) tasks: TaskTracker,
    pub(crate) started: Instant,
    /// Unless TURN is off.
    pub(crate) ice: Option<Ice>,
    /// Unless media are not forwarded.
    pub(crate) sfu: Option<SfuHandle>,
}

/// Why a client is not given a credential for TURN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoRelay {
    /// The app has no permission.
    Permission,
    /// The app has used up what it may relay this month.
    Quota,
}

impl Edge {
    /// Whether an app's clients may have credentials for TURN.
    pub(crate) fn may_relay(&self, app: &App) -> Result<(), NoRelay> {
        if !app.turn {
            return Err(NoRelay::Permission);
        }
        let relayed = self.metrics.turn.relayed(app.key.as_str());
        if app.may_relay(clock::unix_now(), relayed) { Ok(()) } else { Err(NoRelay::Quota) }
    }
}

/// Counts what each network address has open.
#[derive(Debug, Clone, Default)]
pub(crate) struct Crowd {
    counts: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// One place in a [`Crowd`], given back when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    crowd: Crowd,
    address: IpAddr,
}

impl Crowd {
    /// Takes a place for an address, unless it has `limit` of them.
    pub(crate) fn enter(&self, address: IpAddr, limit: usize) -> Option<Place> {
        let address = household(address);
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(address).or_default();
        if *count >= limit {
            return None;
        }
        *count += 1;
        Some(Place { crowd: self.clone(), address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.crowd.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(count) = counts.get_mut(&self.address) else { return };
        *count -= 1;
        if *count == 0 {
            counts.remove(&self.address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_free_again_when_it_is_left() {
        let crowd = Crowd::default();
        let address: IpAddr = "192.0.2.1".parse().unwrap();
        let place = crowd.enter(address, 1);
        assert!(place.is_some());
        assert!(crowd.enter("::ffff:192.0.2.1".parse().unwrap(), 1).is_none());
        drop(place);
        assert!(crowd.enter(address, 1).is_some());
    }

    #[test]
    fn an_ipv6_customer_counts_once() {
        let crowd = Crowd::default();
        let _place = crowd.enter("2001:db8:0:1::5".parse().unwrap(), 1);
        assert!(crowd.enter("2001:db8:0:1:ffff::9".parse().unwrap(), 1).is_none());
        assert!(crowd.enter("2001:db8:0:2::5".parse().unwrap(), 1).is_some());
    }
}
