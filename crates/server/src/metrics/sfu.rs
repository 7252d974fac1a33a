//! Counters of the forwarding unit, without a word about any single room.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::ReasonLabel;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DirectionLabel {
    direction: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WorkerLabel {
    worker: usize,
}

/// See the module documentation.
#[derive(Debug, Default)]
pub struct SfuMetrics {
    members: Gauge,
    opened: Counter,
    closed: Family<ReasonLabel, Counter>,
    datagrams: Family<DirectionLabel, Counter>,
    bytes: Family<DirectionLabel, Counter>,
    lost: Family<DirectionLabel, Counter>,
    nacks: Family<DirectionLabel, Counter>,
    plis: Family<DirectionLabel, Counter>,
    freezes: Counter,
    excesses: Counter,
    strays: Counter,
    handed_over: Counter,
    calls: Counter,
    busy: Counter<f64, AtomicU64>,
    connections: Family<WorkerLabel, Gauge>,
    connections_refused: Family<ReasonLabel, Counter>,
}

/// What a worker did since the last time.
#[derive(Debug, Default)]
pub(crate) struct SfuCounts {
    received: u64,
    received_bytes: u64,
    sent: u64,
    sent_bytes: u64,
    /// Datagrams for nobody.
    pub(crate) strays: u64,
    /// Datagrams for other workers.
    pub(crate) handed_over: u64,
    /// How often the kernel was asked to send.
    pub(crate) calls: u64,
    /// How long it did not wait.
    pub(crate) busy: Duration,
}

/// What members' media suffered: from them, and to them.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct SfuQuality {
    pub(crate) lost: [u64; 2],
    pub(crate) nacks: [u64; 2],
    pub(crate) plis: [u64; 2],
    pub(crate) freezes: u64,
    pub(crate) excesses: u64,
}

impl SfuQuality {
    /// What is more than before.
    pub(crate) fn since(&self, before: &Self) -> Self {
        let more =
            |now: [u64; 2], before: [u64; 2]| [0, 1].map(|it| now[it].saturating_sub(before[it]));
        Self {
            lost: more(self.lost, before.lost),
            nacks: more(self.nacks, before.nacks),
            plis: more(self.plis, before.plis),
            freezes: self.freezes.saturating_sub(before.freezes),
            excesses: self.excesses.saturating_sub(before.excesses),
        }
    }

    /// Adds what another one suffered.
    pub(crate) fn add(&mut self, other: &Self) {
        for way in [0, 1] {
            self.lost[way] += other.lost[way];
            self.nacks[way] += other.nacks[way];
            self.plis[way] += other.plis[way];
        }
        self.freezes += other.freezes;
        self.excesses += other.excesses;
    }
}

impl SfuCounts {
    /// A datagram came.
    pub(crate) fn received(&mut self, bytes: usize) {
        self.received += 1;
        self.received_bytes += bytes as u64;
    }

    /// A datagram goes.
    pub(crate) fn sent(&mut self, bytes: usize) {
        self.sent += 1;
        self.sent_bytes += bytes as u64;
    }
}

impl SfuMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        let it = registry.sub_registry_with_prefix("sfu");
        it.register("members", "Members that media are forwarded for", self.members.clone());
        it.register("members_opened", "Members since start", self.opened.clone());
        it.register("members_closed", "Members gone, by reason", self.closed.clone());
        it.register("datagrams", "Datagrams received and sent", self.datagrams.clone());
        it.register_with_unit("traffic", "What was in them", Unit::Bytes, self.bytes.clone());
        it.register("lost", "Packets lost on members' paths and not repaired", self.lost.clone());
        it.register("nacks", "Requests to repeat packets, by the way of media", self.nacks.clone());
        it.register("plis", "Requests for key frames, by the way of media", self.plis.clone());
        it.register("freezes", "Times that a member's pictures stood still", self.freezes.clone());
        it.register(
            "excesses",
            "Times that a publisher sent far more video than it may, and was not forwarded",
            self.excesses.clone(),
        );
        it.register("strays", "Datagrams that were for nobody", self.strays.clone());
        it.register(
            "handed_over",
            "Datagrams that came to another thread than their room's",
            self.handed_over.clone(),
        );
        it.register("send_calls", "System calls for sending", self.calls.clone());
        it.register_with_unit(
            "busy",
            "Time that threads did not wait",
            Unit::Seconds,
            self.busy.clone(),
        );
        it.register("connections", "Open TCP connections, by thread", self.connections.clone());
        it.register(
            "connections_refused",
            "TCP connections turned away",
            self.connections_refused.clone(),
        );
    }

    /// Adds what a worker did.
    pub(crate) fn count(&self, counts: &SfuCounts) {
        for (direction, datagrams, bytes) in [
            ("in", counts.received, counts.received_bytes),
            ("out", counts.sent, counts.sent_bytes),
        ] {
            let labels = DirectionLabel { direction };
            self.datagrams.get_or_create(&labels).inc_by(datagrams);
            self.bytes.get_or_create(&labels).inc_by(bytes);
        }
        self.strays.inc_by(counts.strays);
        self.handed_over.inc_by(counts.handed_over);
        self.calls.inc_by(counts.calls);
        self.busy.inc_by(counts.busy.as_secs_f64());
    }

    /// Adds what members' media suffered.
    pub(crate) fn suffered(&self, quality: &SfuQuality) {
        for (index, direction) in ["in", "out"].into_iter().enumerate() {
            let labels = DirectionLabel { direction };
            self.lost.get_or_create(&labels).inc_by(quality.lost[index]);
            self.nacks.get_or_create(&labels).inc_by(quality.nacks[index]);
            self.plis.get_or_create(&labels).inc_by(quality.plis[index]);
        }
        self.freezes.inc_by(quality.freezes);
        self.excesses.inc_by(quality.excesses);
    }

    /// A member more.
    pub(crate) fn opened(&self) {
        self.members.inc();
        self.opened.inc();
    }

    /// A member less.
    pub(crate) fn ended(&self) {
        self.members.dec();
    }

    /// Why a member has gone, or was not let in.
    pub(crate) fn closed(&self, reason: &'static str) {
        self.closed.get_or_create(&ReasonLabel { reason }).inc();
    }

    /// The TCP connections that a worker has.
    pub(crate) fn connections(&self, worker: usize, count: usize) {
        let gauge = self.connections.get_or_create(&WorkerLabel { worker });
        gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// Counts a connection that was turned away.
    pub(crate) fn connection_refused(&self, reason: &'static str) {
        self.connections_refused.get_or_create(&ReasonLabel { reason }).inc();
    }
}
