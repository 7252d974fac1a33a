//! What every backplane promises (`src/backplane/mod.rs`), tried on clusters of one node and of
//! two. A new implementation adds itself at the bottom.

use std::time::Duration;

use peerway_broker::{
    Ask, Claim, Claimant, FromRoom, News, Parcel, Proof, SessionId, Stay, ToRoom,
};
use peerway_protocol::{
    AppKey, Envelope, PeerAddress, PeerId, RoomAddress, RoomEvent, RoomName, RoomRequest, Signal,
    SignalKind,
};
use peerway_server::backplane::BackplaneEvent::{
    Arrived, Claimed, Gone, Refused, Undeliverable, Up,
};
use peerway_server::backplane::{Backplane, BackplaneEvent, MemoryHub};
use tokio::sync::oneshot;

/// Where a test that does not care does its things.
const HERE: usize = 0;
/// The address that nobody ever holds.
const NOBODY: &str = "nobody";

async fn a_free_address_is_granted<B: Backplane>(mut cluster: Cluster<B>) {
    cluster.claim(HERE, 1, "alice", "t");

    assert_eq!(cluster.heard(HERE).await, [claimed(1)]);
}

async fn a_held_address_is_refused_to_another_proof<B: Backplane>(mut cluster: Cluster<B>) {
    cluster.hold(HERE, "alice").await;
    let there = cluster.there();
    cluster.claim(there, 2, "alice", "guess");

    assert_eq!(cluster.heard(there).await, [Refused(Claimant::Session(SessionId(2)))]);
    cluster.nodes[there].send(envelope("bob", "alice", SignalKind::Offer));
    let arrived = Arrived(envelope("bob", "alice", SignalKind::Offer));
    assert_eq!(cluster.next(HERE).await, arrived, "it is where it was");
}

async fn a_held_address_is_granted_to_the_same_proof<B: Backplane>(mut cluster: Cluster<B>) {
    cluster.hold(HERE, "alice").await;
    let there = cluster.there();
    cluster.claim(there, 2, "alice", "alice");

    assert_eq!(cluster.heard(there).await, [claimed(2)]);
    if there != HERE {
        assert_eq!(cluster.next(HERE).await, Gone(address("alice")));
    }
    cluster.nodes[HERE].send(envelope("bob", "alice", SignalKind::Offer));
    assert_eq!(
        cluster.next(there).await,
        Arrived(envelope("bob", "alice", SignalKind::Offer)),
        "what is sent goes to the new holder"
    );
}

async fn claims_and_losses_are_heard_in_the_order_they_happened<B: Backplane>(
    mut cluster: Cluster<B>,
) {
    let there = cluster.there();
    let mut heard = Vec::new();
    for round in 0..20 {
        cluster.claim(HERE, round, "alice", "t");
        while heard.last() != Some(&claimed(round)) {
            heard.push(cluster.next(HERE).await);
        }
        cluster.claim(there, 100 + round, "alice", "t");
        while cluster.next(there).await != claimed(100 + round) {}
    }

    let expected: Vec<BackplaneEvent> = if there == HERE {
        (0..20).map(claimed).collect()
    } else {
        // The last loss is still to come.
        (0..20).flat_map(|round| [claimed(round), Gone(address("alice"))]).take(39).collect()
    };
    assert_eq!(heard, expected);
}

async fn a_released_address_is_free<B: Backplane>(mut cluster: Cluster<B>) {
    cluster.hold(HERE, "alice").await;
    cluster.nodes[HERE].release(&address("alice").into());
    cluster.heard(HERE).await;
    let there = cluster.there();
    cluster.claim(there, 2, "alice", "other");

    assert_eq!(cluster.heard(there).await, [claimed(2)]);
}

async fn only_the_holder_releases<B: Backplane>(mut cluster: Cluster<B>) {
    let there = cluster.there();
    cluster.hold(HERE, "alice").await;
    cluster.hold(there, "bob").await;
    if there != HERE {
        cluster.nodes[there].release(&address("alice").into());
    }
    cluster.nodes[there].release(&address(NOBODY).into());
    cluster.claim(there, 2, "alice", "other");

    assert_eq!(cluster.heard(there).await, [Refused(Claimant::Session(SessionId(2)))]);
}

async fn a_release_and_a_claim_take_effect_in_that_order<B: Backplane>(mut cluster: Cluster<B>) {
    cluster.hold(HERE, "alice").await;
    cluster.nodes[HERE].release(&address("alice").into());
    cluster.claim(HERE, 2, "alice", "other");

    assert_eq!(cluster.heard(HERE).await, [claimed(2)]);
    let there = cluster.there();
    cluster.claim(there, 3, "alice", "third");
    assert_eq!(
        cluster.heard(there).await,
        [Refused(Claimant::Session(SessionId(3)))],
        "it is held"
    );
}

async fn what_is_sent_arrives_in_order<B: Backplane>(mut cluster: Cluster<B>) {
    let there = cluster.there();
    cluster.hold(there, "bob").await;
    let kinds: Vec<SignalKind> = SignalKind::ALL.into_iter().cycle().take(40).collect();
    for kind in &kinds {
        cluster.nodes[HERE].send(envelope("alice", "bob", *kind));
    }

    for kind in kinds {
        assert_eq!(cluster.next(there).await, Arrived(envelope("alice", "bob", kind)));
    }
}

async fn what_is_sent_to_nobody_comes_back_in_order<B: Backplane>(mut cluster: Cluster<B>) {
    let kinds = [SignalKind::Offer, SignalKind::Candidate, SignalKind::Leave];
    for kind in kinds {
        cluster.nodes[HERE].send(envelope("alice", "bob", kind));
    }

    let back = kinds.map(|kind| Undeliverable(envelope("alice", "bob", kind)));
    assert_eq!(cluster.heard(HERE).await, back);
}

async fn the_same_id_in_another_app_is_another_address<B: Backplane>(mut cluster: Cluster<B>) {
    cluster.hold(HERE, "alice").await;
    let Parcel::Signal(here) = envelope("bob", "alice", SignalKind::Offer) else { unreachable!() };
    let other = Parcel::Signal(Envelope { app: key("other"), ..here });
    cluster.nodes[HERE].send(other.clone());

    assert_eq!(cluster.heard(HERE).await, [Undeliverable(other)]);
}

async fn what_came_too_late_goes_back_to_its_senders_node<B: Backplane>(mut cluster: Cluster<B>) {
    cluster.hold(HERE, "alice").await;
    let there = cluster.there();
    let late = envelope("alice", "bob", SignalKind::Offer);
    cluster.nodes[there].give_back(late.clone());
    cluster.nodes[there].give_back(envelope(NOBODY, "bob", SignalKind::Offer));

    assert_eq!(cluster.next(HERE).await, Undeliverable(late));
    assert_eq!(cluster.heard(there).await, [], "nobody waits for the other one");
}

async fn a_watcher_hears_once_that_an_address_is_held<B: Backplane>(mut cluster: Cluster<B>) {
    let there = cluster.there();
    cluster.nodes[HERE].watch(address("bob"));
    assert_eq!(cluster.heard(HERE).await, []);

    cluster.hold(there, "bob").await;
    cluster.claim(there, 2, "bob", "bob");

    assert_eq!(cluster.next(HERE).await, Up(address("bob")));
    let more = cluster.heard(HERE).await;
    assert!(!more.contains(&Up(address("bob"))), "{more:?}");
}

async fn a_watcher_hears_that_an_address_is_held_already<B: Backplane>(mut cluster: Cluster<B>) {
    let there = cluster.there();
    cluster.hold(there, "bob").await;
    cluster.nodes[HERE].watch(address("bob"));

    assert_eq!(cluster.next(HERE).await, Up(address("bob")));
    assert_eq!(cluster.heard(HERE).await, []);
}

async fn every_watching_node_hears<B: Backplane>(mut cluster: Cluster<B>) {
    let there = cluster.there();
    cluster.nodes[HERE].watch(address("bob"));
    cluster.nodes[there].watch(address("bob"));
    cluster.heard(HERE).await;
    cluster.heard(there).await;
    cluster.claim(there, 1, "bob", "t");

    assert_eq!(cluster.heard(there).await, [claimed(1), Up(address("bob"))]);
    if there != HERE {
        assert_eq!(cluster.next(HERE).await, Up(address("bob")));
    }
}

async fn who_takes_a_watch_back_hears_nothing<B: Backplane>(mut cluster: Cluster<B>) {
    let there = cluster.there();
    cluster.nodes[HERE].watch(address("bob"));
    cluster.nodes[HERE].unwatch(&address("bob"));
    cluster.nodes[HERE].unwatch(&address("carol"));
    cluster.heard(HERE).await;
    cluster.hold(there, "bob").await;

    assert_eq!(cluster.heard(HERE).await, []);
}

async fn a_claimant_hears_so_before_anything_arrives<B: Backplane>(mut cluster: Cluster<B>) {
    let there = cluster.there();
    cluster.nodes[HERE].watch(address("bob"));
    cluster.heard(HERE).await;
    cluster.claim(there, 1, "bob", "t");
    if there != HERE {
        assert_eq!(cluster.next(HERE).await, Up(address("bob")));
    }
    let offer = envelope("alice", "bob", SignalKind::Offer);
    cluster.nodes[HERE].send(offer.clone());

    let mut heard = Vec::new();
    while !heard.contains(&Arrived(offer.clone())) {
        heard.push(cluster.next(there).await);
    }
    assert_eq!(heard.first(), Some(&claimed(1)), "{heard:?}");
}

async fn the_ids_of_an_app_are_listed_in_order<B: Backplane>(mut cluster: Cluster<B>) {
    let there = cluster.there();
    cluster.hold(HERE, "carol").await;
    cluster.hold(there, "alice").await;
    cluster.hold(HERE, "bob").await;
    cluster.nodes[HERE].release(&address("carol").into());
    cluster.heard(HERE).await;

    assert_eq!(cluster.list(HERE, "app").await, [peer("alice"), peer("bob")]);
    assert_eq!(cluster.list(there, "app").await, [peer("alice"), peer("bob")]);
    assert_eq!(cluster.list(HERE, "other").await, []);
}

async fn a_free_room_is_granted_to_one_node<B: Backplane>(mut cluster: Cluster<B>) {
    let there = cluster.there();
    cluster.nodes[HERE].claim(Claim::Room(room("lobby")));
    assert_eq!(cluster.heard(HERE).await, [Claimed(Claimant::Host(room("lobby")))]);
    cluster.nodes[there].claim(Claim::Room(room("lobby")));

    assert_eq!(cluster.heard(there).await, [Refused(Claimant::Host(room("lobby")))]);
    assert_eq!(cluster.heard(HERE).await, [], "nobody takes a room over");
    cluster.nodes[HERE].release(&room("lobby").into());
    cluster.heard(HERE).await;
    cluster.nodes[there].claim(Claim::Room(room("lobby")));
    assert_eq!(cluster.heard(there).await, [Claimed(Claimant::Host(room("lobby")))]);
}

async fn a_room_and_a_peer_of_one_name_are_two_addresses<B: Backplane>(mut cluster: Cluster<B>) {
    let there = cluster.there();
    cluster.hold(HERE, "lobby").await;
    cluster.nodes[there].claim(Claim::Room(room("lobby")));

    assert_eq!(cluster.heard(there).await, [Claimed(Claimant::Host(room("lobby")))]);
    cluster.nodes[there].send(to_room("alice", "lobby", Ask::Departed));
    assert_eq!(cluster.next(there).await, Arrived(to_room("alice", "lobby", Ask::Departed)));
    cluster.nodes[there].send(envelope("alice", "lobby", SignalKind::Offer));
    assert_eq!(
        cluster.next(HERE).await,
        Arrived(envelope("alice", "lobby", SignalKind::Offer)),
        "and only the peer is listed"
    );
    assert_eq!(cluster.list(HERE, "app").await, [peer("lobby")]);
    cluster.nodes[HERE].release(&address("lobby").into());
    cluster.heard(HERE).await;
    cluster.nodes[there].send(to_room("alice", "lobby", Ask::Departed));
    assert_eq!(cluster.next(there).await, Arrived(to_room("alice", "lobby", Ask::Departed)));
}

async fn rooms_and_members_reach_each_other_in_order<B: Backplane>(mut cluster: Cluster<B>) {
    let there = cluster.there();
    cluster.hold(HERE, "alice").await;
    cluster.nodes[there].claim(Claim::Room(room("lobby")));
    cluster.heard(there).await;
    let requests = [RoomRequest::Members, RoomRequest::Log, RoomRequest::Leave];
    for request in &requests {
        let ask = Ask::Request(request.clone());
        cluster.nodes[HERE].send(to_room("alice", "lobby", ask));
    }
    for request in requests {
        let ask = Ask::Request(request);
        assert_eq!(cluster.next(there).await, Arrived(to_room("alice", "lobby", ask)));
    }
    for id in ["bob", "carol", "dave"] {
        cluster.nodes[there].send(from_room("lobby", "alice", left(id)));
    }
    for id in ["bob", "carol", "dave"] {
        assert_eq!(cluster.next(HERE).await, Arrived(from_room("lobby", "alice", left(id))));
    }
}

async fn what_rooms_and_members_send_to_nobody_comes_back<B: Backplane>(mut cluster: Cluster<B>) {
    let there = cluster.there();
    let request = || to_room("alice", "lobby", Ask::Request(RoomRequest::Log));
    cluster.nodes[HERE].send(request());
    assert_eq!(cluster.heard(HERE).await, [Undeliverable(request())]);
    cluster.nodes[HERE].send(from_room("lobby", NOBODY, News::Knock));
    assert_eq!(cluster.heard(HERE).await, [Undeliverable(from_room("lobby", NOBODY, News::Knock))]);

    cluster.hold(HERE, "alice").await;
    cluster.nodes[there].give_back(request());
    assert_eq!(cluster.next(HERE).await, Undeliverable(request()), "it came too late");
    cluster.nodes[HERE].claim(Claim::Room(room("lobby")));
    cluster.heard(HERE).await;
    let late = || from_room("lobby", "bob", left("carol"));
    cluster.nodes[there].give_back(late());
    assert_eq!(cluster.next(HERE).await, Undeliverable(late()), "to the host of the room");
}

struct Cluster<B> {
    nodes: Vec<B>,
}

impl<B: Backplane> Cluster<B> {
    /// Another node, where there is one.
    fn there(&self) -> usize {
        self.nodes.len() - 1
    }

    fn claim(&mut self, node: usize, session: u64, id: &str, token: &str) {
        let (session, address, proof) = (SessionId(session), address(id), proof(token));
        self.nodes[node].claim(Claim::Peer { session, address, proof });
    }

    /// Claims an id, which is its own token, and waits until it is granted.
    async fn hold(&mut self, node: usize, id: &str) {
        self.claim(node, 1, id, id);
        while self.next(node).await != claimed(1) {}
    }

    async fn next(&mut self, node: usize) -> BackplaneEvent {
        let node = &mut self.nodes[node];
        loop {
            if let Some(event) = node.try_next() {
                return event;
            }
            tokio::time::timeout(Duration::from_secs(5), node.ready())
                .await
                .expect("an event comes within five seconds");
        }
    }

    /// All that a node has heard by the time that an envelope to nobody is back.
    async fn heard(&mut self, node: usize) -> Vec<BackplaneEvent> {
        let fence = envelope("fence", NOBODY, SignalKind::Leave);
        self.nodes[node].send(fence.clone());
        let fence = Undeliverable(fence);
        let mut events = Vec::new();
        loop {
            match self.next(node).await {
                event if event == fence => return events,
                event => events.push(event),
            }
        }
    }

    async fn list(&mut self, node: usize, app: &str) -> Vec<PeerId> {
        let (reply, answer) = oneshot::channel();
        self.nodes[node].list(&key(app), reply);
        answer.await.expect("a list is answered")
    }
}

fn key(app: &str) -> AppKey {
    AppKey::new(app).expect("a valid key")
}

fn peer(id: &str) -> PeerId {
    PeerId::new(id).expect("a valid id")
}

fn address(id: &str) -> PeerAddress {
    PeerAddress { app: key("app"), peer: peer(id) }
}

fn proof(token: &str) -> Proof {
    let mut digest = [0; 32];
    digest[..token.len()].copy_from_slice(token.as_bytes());
    Proof(digest)
}

fn envelope(from: &str, to: &str, kind: SignalKind) -> Parcel {
    let (app, from, to) = (key("app"), peer(from), peer(to));
    Parcel::Signal(Envelope { app, from, to, signal: Signal::bare(kind) })
}

fn room(name: &str) -> RoomAddress {
    RoomAddress { app: key("app"), room: RoomName::new(name).expect("a valid name") }
}

fn to_room(from: &str, name: &str, ask: Ask) -> Parcel {
    let RoomAddress { app, room } = room(name);
    Parcel::ToRoom(ToRoom { app, from: peer(from), stay: Stay(1), room, ask })
}

fn from_room(name: &str, to: &str, news: News) -> Parcel {
    let RoomAddress { app, room } = room(name);
    Parcel::FromRoom(FromRoom { app, room, to: peer(to), stay: Stay(1), news })
}

fn left(id: &str) -> News {
    News::Event(RoomEvent::Left { peer: peer(id) })
}

fn claimed(session: u64) -> BackplaneEvent {
    Claimed(Claimant::Session(SessionId(session)))
}

/// Makes a test of each promise for a cluster.
macro_rules! contract {
    ($name:ident, $cluster:expr) => {
        contract!($name, $cluster,
            a_free_address_is_granted
            a_held_address_is_refused_to_another_proof
            a_held_address_is_granted_to_the_same_proof
            claims_and_losses_are_heard_in_the_order_they_happened
            a_released_address_is_free
            only_the_holder_releases
            a_release_and_a_claim_take_effect_in_that_order
            what_is_sent_arrives_in_order
            what_is_sent_to_nobody_comes_back_in_order
            the_same_id_in_another_app_is_another_address
            what_came_too_late_goes_back_to_its_senders_node
            a_watcher_hears_once_that_an_address_is_held
            a_watcher_hears_that_an_address_is_held_already
            every_watching_node_hears
            who_takes_a_watch_back_hears_nothing
            a_claimant_hears_so_before_anything_arrives
            the_ids_of_an_app_are_listed_in_order
            a_free_room_is_granted_to_one_node
            a_room_and_a_peer_of_one_name_are_two_addresses
            rooms_and_members_reach_each_other_in_order
            what_rooms_and_members_send_to_nobody_comes_back
        );
    };
    ($name:ident, $cluster:expr, $($promise:ident)*) => {
        mod $name {
            use super::*;

            $(
                #[tokio::test]
                async fn $promise() {
                    super::$promise($cluster).await;
                }
            )*
        }
    };
}

fn memory(nodes: usize) -> Cluster<impl Backplane> {
    let hub = MemoryHub::default();
    Cluster { nodes: (0..nodes).map(|_| hub.join()).collect() }
}

contract!(memory_of_one_node, memory(1));
contract!(memory_of_two_nodes, memory(2));
