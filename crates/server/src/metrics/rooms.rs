//! What rooms do, without a word about any single one: their names are not ours to publish.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// Counters of the rooms that this node hosts.
#[derive(Debug, Default)]
pub(super) struct RoomMetrics {
    pub(super) open: Gauge,
    pub(super) members: Gauge,
    pub(super) opened: Counter,
    pub(super) received: Counter,
    pub(super) told: Counter,
}

impl RoomMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register("rooms", "Rooms that this node hosts", self.open.clone());
        registry.register("room_members", "Members of these rooms", self.members.clone());
        registry.register("rooms_opened", "Rooms opened since start", self.opened.clone());
        registry.register("room_messages", "Messages sent to rooms", self.received.clone());
        registry.register(
            "room_deliveries",
            "Members that were told a message of a room",
            self.told.clone(),
        );
    }
}
