//! Where reports go: into metrics, and to whoever watches.

use std::sync::Arc;

use peerway_turn::{Counts, Report};
use tokio::sync::broadcast;

use crate::metrics::Metrics;

/// How far a watcher may fall behind.
const BACKLOG: usize = 1024;

/// See the module documentation.
#[derive(Debug)]
pub(super) struct Reports {
    metrics: Arc<Metrics>,
    watchers: broadcast::Sender<Report>,
}

impl Reports {
    pub(super) fn new(metrics: Arc<Metrics>) -> Self {
        Self { metrics, watchers: broadcast::Sender::new(BACKLOG) }
    }

    /// Something happened.
    pub(super) fn tell(&self, report: Report) {
        match &report {
            Report::Opened { owner, relayed } => {
                tracing::debug!(app = %owner.app, user = %owner.user, client = %owner.client.client,
                    transport = %owner.client.transport, ?relayed, "allocation opened");
            }
            Report::Closed { owner, reason, traffic, age } => {
                tracing::debug!(app = %owner.app, user = %owner.user, client = %owner.client.client,
                    ?reason, ?traffic, ?age, "allocation closed");
            }
            Report::Refused { client, reason, .. } => {
                tracing::debug!(client = %client.client, reason = reason.name(), "refused");
            }
        }
        self.metrics.turn.observe(&report);
        // Nobody watches: nobody misses it.
        let _ = self.watchers.send(report);
    }

    /// What was relayed and refused since the last time.
    pub(super) fn count(&self, counts: &[Counts]) {
        for counts in counts {
            self.metrics.turn.count(counts);
        }
    }

    /// A connection was turned away before it could ask for anything.
    pub(super) fn connection_refused(&self, reason: &'static str) {
        self.metrics.turn.connection_refused(reason);
    }

    /// A data connection (RFC 6062) has carried this many bytes.
    pub(super) fn stream_carried(&self, app: &str, up: u64, down: u64) {
        self.metrics.turn.carried(app, up, down);
    }

    pub(super) fn subscribe(&self) -> broadcast::Receiver<Report> {
        self.watchers.subscribe()
    }
}
