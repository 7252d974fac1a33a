//! A forwarding unit driven as the node loop drives it.

use std::sync::Arc;
use std::time::Duration;

use peerway_broker::{LegId, MediaCommand, MediaEvent};
use peerway_protocol::{AppKey, MediaProfile, PeerAddress, PeerId, RoomAddress, RoomName};
use tokio::sync::mpsc::Receiver;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use super::orders::Order;
use super::{Sfu, SfuHandle};
use crate::config::Config;
use crate::metrics::Metrics;

/// Long enough for a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

struct Unit {
    handle: SfuHandle,
    events: Receiver<(LegId, MediaEvent)>,
    metrics: Arc<Metrics>,
    _stop: DropGuard,
}

impl Unit {
    fn with(edit: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::default();
        config.sfu.udp = Some(vec!["127.0.0.1:0".parse().unwrap()]);
        edit(&mut config);
        let metrics = Arc::new(Metrics::new());
        let (sfu, media) = Sfu::bind(&config, metrics.clone()).unwrap().unwrap();
        let stop = CancellationToken::new();
        sfu.start(&TaskTracker::new(), &stop);
        Self { handle: media.sfu, events: media.events, metrics, _stop: stop.drop_guard() }
    }

    fn join(&self, leg: u64, room: &str) {
        let (app, leg) = (AppKey::new("app").unwrap(), LegId(leg));
        let peer = PeerAddress { app: app.clone(), peer: PeerId::new("ann").unwrap() };
        let room = RoomAddress { app, room: RoomName::new(room).unwrap() };
        let profile = MediaProfile::default();
        self.handle.perform(MediaCommand::Open {
            leg,
            room,
            peer,
            stream: None,
            owner: leg,
            profile,
        });
        self.handle.perform(MediaCommand::Offer(leg));
    }

    fn leave(&self, leg: u64) {
        self.handle.perform(MediaCommand::Close(LegId(leg)));
    }

    async fn next(&mut self) -> (u64, MediaEvent) {
        let event = tokio::time::timeout(PATIENCE, self.events.recv()).await;
        let (leg, event) = event.expect("an event in time").expect("a running unit");
        (leg.0, event)
    }

    async fn next_offer(&mut self) -> (u64, Arc<str>) {
        match self.next().await {
            (leg, MediaEvent::Offer { sdp, .. }) => (leg, sdp),
            other => panic!("wanted an offer, got {other:?}"),
        }
    }
}

#[tokio::test]
async fn an_offer_has_all_addresses_in_it() {
    let mut unit = Unit::with(|config| {
        config.sfu.udp = Some(["127.0.0.1:0", "[::1]:0"].map(|it| it.parse().unwrap()).into());
    });
    unit.join(1, "a");
    let (leg, sdp) = unit.next_offer().await;
    let candidates: Vec<_> = sdp.lines().filter(|line| line.starts_with("a=candidate:")).collect();
    assert_eq!(leg, 1);
    for (address, transport) in
        [(" 127.0.0.1 ", " udp "), (" 127.0.0.1 ", " tcp "), (" ::1 ", " udp "), (" ::1 ", " tcp ")]
    {
        let fits = |line: &&&str| line.contains(address) && line.contains(transport);
        assert!(candidates.iter().any(|line| fits(&line)), "{address} {transport} {candidates:?}");
    }
}

#[tokio::test]
async fn who_is_one_too_many_is_told_and_a_place_that_was_left_is_free() {
    let mut unit = Unit::with(|config| config.sfu.members = 1);
    unit.join(1, "a");
    assert_eq!(unit.next_offer().await.0, 1);
    unit.join(2, "b");
    let text = "the server forwards media for no more than 1 members";
    assert_eq!(unit.next().await, (2, MediaEvent::Closed(text.into())));
    unit.leave(1);
    unit.join(3, "b");
    assert_eq!(unit.next_offer().await.0, 3);
}

#[tokio::test]
async fn a_fault_costs_one_thread_its_members_and_no_more() {
    let mut unit = Unit::with(|config| config.sfu.workers = Some(2));
    for (leg, room) in [(1, "a"), (2, "b")] {
        unit.join(leg, room);
        unit.next_offer().await;
    }

    unit.handle.common.orders[0].push(Order::Fault);

    let text = "an error inside the server";
    assert_eq!(unit.next().await, (1, MediaEvent::Closed(text.into())));
    unit.join(3, "a");
    assert_eq!(unit.next_offer().await.0, 3);
    let workers = [2, 3].map(|leg| unit.handle.common.rooms.worker_of(LegId(leg)));
    assert_eq!(workers, [Some(1), Some(0)]);
    let mut peers = unit.handle.reports().await.len();
    assert_eq!(peers, 2);
    unit.leave(2);
    peers = unit.handle.reports().await.len();
    assert_eq!(peers, 1);
}

#[tokio::test]
async fn a_thousand_members_come_and_go() {
    let mut unit = Unit::with(|_| {});
    for leg in 0..1000 {
        unit.join(leg, &format!("room {}", leg / 10));
    }
    let mut told = vec![false; 1000];
    for _ in 0..1000 {
        let (leg, _) = unit.next_offer().await;
        assert!(!std::mem::replace(&mut told[usize::try_from(leg).unwrap()], true));
    }
    assert!(unit.metrics.render().contains("peerway_sfu_members 1000\n"));
    (0..1000).for_each(|leg| unit.leave(leg));
    assert!(unit.handle.reports().await.is_empty());
    assert!(unit.metrics.render().contains("peerway_sfu_members 0\n"));
    assert_eq!(unit.handle.common.rooms.worker_of(LegId(1)), None);
}
