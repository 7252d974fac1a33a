//! Counters of the TURN server, by app. Apps are those of the configuration and `other`, so the
//! number of series is bounded.

use std::sync::atomic::AtomicU64;

use peerway_turn::{Counts, Flow, Refusal, Report};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::ReasonLabel;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AppLabel {
    app: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AllocationLabels {
    app: String,
    transport: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FlowLabels {
    app: String,
    direction: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RefusalLabels {
    app: String,
    reason: &'static str,
}

/// See the module documentation.
#[derive(Debug, Default)]
pub struct TurnMetrics {
    allocations: Family<AllocationLabels, Gauge>,
    /// All of them, for the status page.
    open: Gauge,
    opened: Family<AppLabel, Counter>,
    packets: Family<FlowLabels, Counter>,
    bytes: Family<FlowLabels, Counter>,
    refusals: Family<RefusalLabels, Counter>,
    connections_refused: Family<ReasonLabel, Counter>,
}

impl TurnMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        let it = registry.sub_registry_with_prefix("turn");
        it.register("allocations", "Open allocations", self.allocations.clone());
        it.register("allocations_opened", "Allocations since start", self.opened.clone());
        it.register("packets", "Datagrams relayed", self.packets.clone());
        it.register_with_unit("payload", "Payload relayed", Unit::Bytes, self.bytes.clone());
        it.register("refusals", "Requests refused and payload dropped", self.refusals.clone());
        it.register(
            "connections_refused",
            "TCP and TLS connections turned away before any request",
            self.connections_refused.clone(),
        );
    }

    /// Notes what happened.
    pub(crate) fn observe(&self, report: &Report) {
        let (owner, open) = match report {
            Report::Opened { owner, .. } => (owner, true),
            Report::Closed { owner, .. } => (owner, false),
            // Counted with everything that was refused: see `count`.
            Report::Refused { .. } => return,
        };
        let transport = owner.client.transport.name();
        let labels = AllocationLabels { app: owner.app.to_string(), transport };
        let gauge = self.allocations.get_or_create(&labels);
        if open {
            gauge.inc();
            self.open.inc();
            self.opened.get_or_create(&AppLabel { app: labels.app.clone() }).inc();
        } else {
            gauge.dec();
            self.open.dec();
        }
    }

    /// Adds what an app did since the last time.
    pub(crate) fn count(&self, counts: &Counts) {
        let app = &counts.app;
        for (direction, Flow { packets, bytes }) in
            [("to_peer", counts.traffic.to_peer), ("to_client", counts.traffic.to_client)]
        {
            add(&self.packets, app, direction, packets);
            add(&self.bytes, app, direction, bytes);
        }
        for (reason, count) in Refusal::ALL.iter().zip(counts.refusals) {
            if count > 0 {
                let labels = RefusalLabels { app: app.to_string(), reason: reason.name() };
                self.refusals.get_or_create(&labels).inc_by(count);
            }
        }
    }

    /// Adds the bytes of a data connection (RFC 6062), which has no packets.
    pub(crate) fn carried(&self, app: &str, to_peer: u64, to_client: u64) {
        add(&self.bytes, app, "to_peer", to_peer);
        add(&self.bytes, app, "to_client", to_client);
    }

    /// Bytes that were relayed for an app.
    pub(crate) fn relayed(&self, app: &str) -> u64 {
        let directions = ["to_peer", "to_client"];
        let of = |direction| {
            let labels = FlowLabels { app: app.to_owned(), direction };
            self.bytes.get(&labels).map_or(0, |it| it.get())
        };
        directions.into_iter().map(of).sum()
    }

    /// Open allocations.
    pub(crate) fn allocations(&self) -> i64 {
        self.open.get()
    }

    /// Counts a connection that was turned away.
    pub(crate) fn connection_refused(&self, reason: &'static str) {
        self.connections_refused.get_or_create(&ReasonLabel { reason }).inc();
    }
}

fn add(
    family: &Family<FlowLabels, Counter<u64, AtomicU64>>,
    app: &str,
    direction: &'static str,
    count: u64,
) {
    if count > 0 {
        family.get_or_create(&FlowLabels { app: app.to_owned(), direction }).inc_by(count);
    }
}
