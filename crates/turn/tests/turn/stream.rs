//! TCP connections to peers (RFC 6062).

use peerway_turn::{ClientId, ConnectError, ConnectionId, Refusal, RelayId};
use stun_types::message::MessageClass;
use turn_types::AddressFamily::IPV6;
use turn_types::message::{CONNECT, CONNECTION_ATTEMPT, CONNECTION_BIND};

use crate::draft::{Draft, Login, allocate_tcp, connect, connection_bind, permit, release};
use crate::stage::{
    Done, Said, Stage, alice, at, carol, peer_v4, peer_v6, refused, relayed_v4, relayed_v6,
    success, tcp,
};

const CLIENT: ClientId = ClientId(0);
/// The first connection: where ids begin is in the key of [`Stage`].
const FIRST: u32 = 0x0707_0707;

fn joe() -> Login {
    Login::new("joe", "pw")
}

fn stage() -> (Stage, RelayId) {
    let mut stage = Stage::new();
    let relay = stage.allocated_as(carol(), &joe(), &allocate_tcp(), &[relayed_v4()])[0];
    stage.refusals();
    (stage, relay)
}

/// The second connection of carol, that payloads will go over.
fn data_connection() -> peerway_turn::FiveTuple {
    tcp("198.51.100.9:41001")
}

fn connected(id: u32) -> Done {
    success(carol(), CONNECT, &[Said::Connection(id), Said::Signed])
}

#[test]
fn a_client_connects_to_a_peer_and_binds_a_connection_to_it() {
    let (mut stage, relay) = stage();
    assert_eq!(
        stage.ask(carol(), &joe(), &connect(peer_v4())),
        [Done::Connect { client: CLIENT, relay, peer: peer_v4() }]
    );
    assert_eq!(
        stage.connected(CLIENT, peer_v4(), Ok(())),
        (Some(ConnectionId(FIRST)), vec![connected(FIRST)])
    );
    assert_eq!(stage.connections, [(ConnectionId(FIRST), "joe".into())], "who may bind it");

    let second = data_connection();
    assert_eq!(
        stage.ask(second, &joe(), &connection_bind(FIRST)),
        [Done::Bind { connection: ConnectionId(FIRST), user: "joe".into(), app: "other".into() }]
    );
    assert_eq!(stage.bound(true), [success(second, CONNECTION_BIND, &[Said::Signed])]);
    assert_eq!(stage.server.len(), 1, "a connection for payloads is no client");
}

#[test]
fn a_dual_allocation_connects_from_the_family_of_the_peer() {
    let mut stage = Stage::new();
    let both = [relayed_v4(), relayed_v6()];
    let relays = stage.allocated_as(carol(), &joe(), &allocate_tcp().additional(IPV6), &both);
    for (relay, peer) in relays.into_iter().zip([peer_v4(), peer_v6()]) {
        assert_eq!(
            stage.ask(carol(), &joe(), &connect(peer)),
            [Done::Connect { client: CLIENT, relay, peer }]
        );
    }
}

#[test]
fn a_peer_that_cannot_be_reached_is_told() {
    let (mut stage, _) = stage();
    for _ in 0..2 {
        stage.ask(carol(), &joe(), &connect(peer_v4()));
        assert_eq!(
            stage.connected(CLIENT, peer_v4(), Err(ConnectError)),
            (None, vec![refused(carol(), CONNECT, 447)])
        );
        assert_eq!(stage.reports.len(), 1);
    }
    assert_eq!(stage.refusals(), [("other".to_owned(), Refusal::PeerConnection, 2)]);
}

#[test]
fn there_is_one_connection_to_a_peer() {
    let (mut stage, _) = stage();
    let draft = connect(peer_v4());
    stage.ask(carol(), &joe(), &draft);
    assert_eq!(stage.ask(carol(), &joe(), &draft), [], "the same request: its answer will come");
    let again = draft.again();
    assert_eq!(stage.ask(carol(), &joe(), &again), [refused(carol(), CONNECT, 446)]);
    // The answer belongs to the first request.
    stage.ask(carol(), &joe(), &draft);
    stage.connected(CLIENT, peer_v4(), Ok(()));
    assert_eq!(stage.ask(carol(), &joe(), &again), [refused(carol(), CONNECT, 446)]);
    // Another port is another peer.
    let done = stage.ask(carol(), &joe(), &connect(at("5.6.7.8:4001")));
    assert!(matches!(done[..], [Done::Connect { .. }]));
    assert_eq!(stage.refusals(), [("other".to_owned(), Refusal::PeerConnection, 2)]);
}

#[test]
fn a_connection_that_ended_can_be_made_again() {
    let (mut stage, _) = stage();
    stage.ask(carol(), &joe(), &connect(peer_v4()));
    let (id, _) = stage.connected(CLIENT, peer_v4(), Ok(()));
    stage.server.handle_disconnected_peer(CLIENT, ConnectionId(FIRST + 99));
    let done = stage.ask(carol(), &joe(), &connect(peer_v4()));
    assert_eq!(done, [refused(carol(), CONNECT, 446)], "another connection ended");
    stage.server.handle_disconnected_peer(CLIENT, id.unwrap());
    let done = stage.ask(carol(), &joe(), &connect(peer_v4()));
    assert!(matches!(done[..], [Done::Connect { .. }]));
    assert_eq!(
        stage.connected(CLIENT, peer_v4(), Ok(())),
        (Some(ConnectionId(FIRST + 1)), vec![connected(FIRST + 1)])
    );
}

#[test]
fn a_peer_that_connects_is_told_if_it_has_a_permission() {
    let (mut stage, relay) = stage();
    assert_eq!(stage.incoming(relay, peer_v4()), (None, vec![]));
    assert_eq!(stage.refusals(), [("other".to_owned(), Refusal::NoPermission, 1)]);

    stage.ask(carol(), &joe(), &permit(&[peer_v4()]));
    assert_eq!(
        stage.incoming(relay, peer_v4()),
        (
            Some(ConnectionId(FIRST)),
            vec![Done::Reply {
                to: carol(),
                method: CONNECTION_ATTEMPT,
                class: MessageClass::Indication,
                said: vec![Said::Connection(FIRST), Said::Peer(peer_v4())],
            }]
        )
    );
    let done = stage.ask(data_connection(), &joe(), &connection_bind(FIRST));
    assert!(matches!(done[..], [Done::Bind { .. }]));

    stage.set_clock(300.0);
    assert_eq!(stage.incoming(relay, at("5.6.7.8:4001")), (None, vec![]));
    assert_eq!(stage.incoming(RelayId(99), peer_v4()), (None, vec![]));
}

#[test]
fn a_connect_is_answered_though_its_peer_connects_meanwhile() {
    let (mut stage, relay) = stage();
    stage.ask(carol(), &joe(), &permit(&[peer_v4()]));
    stage.ask(carol(), &joe(), &connect(peer_v4()));
    let (incoming, _) = stage.incoming(relay, peer_v4());
    let (outgoing, done) = stage.connected(CLIENT, peer_v4(), Ok(()));
    // Whichever of the two is kept, the request has an answer and the ids differ.
    assert_eq!(done.len(), 1, "{incoming:?} {outgoing:?}");
    assert_ne!(incoming, outgoing);
}

#[test]
fn an_answer_that_nobody_waits_for_is_none() {
    let (mut stage, relay) = stage();
    assert_eq!(stage.connected(CLIENT, peer_v4(), Ok(())), (None, vec![]));
    assert_eq!(stage.connected(ClientId(9), peer_v4(), Ok(())), (None, vec![]));
    // One that comes twice does not end the connection.
    stage.ask(carol(), &joe(), &connect(peer_v4()));
    stage.connected(CLIENT, peer_v4(), Ok(()));
    assert_eq!(stage.connected(CLIENT, peer_v4(), Err(ConnectError)), (None, vec![]));
    let done = stage.ask(carol(), &joe(), &connect(peer_v4()));
    assert_eq!(done, [refused(carol(), CONNECT, 446)]);

    stage.ask(carol(), &joe(), &connect(at("5.6.7.8:1")));
    let done = stage.ask(carol(), &joe(), &release());
    assert_eq!(done[1..], [Done::Close(relay)]);
    assert_eq!(stage.connected(CLIENT, at("5.6.7.8:1"), Ok(())), (None, vec![]));
}

#[test]
fn connections_are_bounded() {
    let (mut stage, relay) = stage();
    stage.ask(carol(), &joe(), &permit(&[peer_v4()]));
    for port in 1..=64 {
        let peer = at(&format!("5.6.7.8:{port}"));
        let done = stage.ask(carol(), &joe(), &connect(peer));
        assert!(matches!(done[..], [Done::Connect { .. }]));
    }
    assert_eq!(
        stage.ask(carol(), &joe(), &connect(at("5.6.7.8:65"))),
        [refused(carol(), CONNECT, 508)]
    );
    assert_eq!(stage.incoming(relay, at("5.6.7.8:66")), (None, vec![]));
    stage.connected(CLIENT, at("5.6.7.8:1"), Err(ConnectError));
    assert!(stage.incoming(relay, at("5.6.7.8:66")).0.is_some());
}

#[test]
fn only_an_allocation_for_connections_connects() {
    let mut stage = Stage::new();
    stage.allocated(carol(), &joe());
    assert_eq!(stage.ask(carol(), &joe(), &connect(peer_v4())), [refused(carol(), CONNECT, 400)]);
}

#[test]
fn a_connect_without_a_readable_peer_is_a_bad_request() {
    let (mut stage, _) = stage();
    for draft in [Draft::new(CONNECT), Draft::new(CONNECT).raw(0x0012, &[1, 2])] {
        assert_eq!(stage.ask(carol(), &joe(), &draft), [refused(carol(), CONNECT, 400)]);
    }
}

#[test]
fn a_connection_is_bound_on_a_stream_of_its_own() {
    let (mut stage, _) = stage();
    for (from, draft) in [
        (data_connection(), Draft::new(CONNECTION_BIND)),
        (data_connection(), Draft::new(CONNECTION_BIND).raw(0x002a, &[1])),
        (alice(), connection_bind(FIRST)),
        (carol(), connection_bind(FIRST)),
    ] {
        assert_eq!(stage.ask(from, &joe(), &draft), [refused(from, CONNECTION_BIND, 400)]);
    }
}

#[test]
fn a_connection_that_is_not_there_cannot_be_bound() {
    let (mut stage, _) = stage();
    let from = data_connection();
    let login = stage.login("shop", "x");
    stage.ask(from, &login, &connection_bind(1));
    stage.refusals();
    assert_eq!(stage.bound(false), [refused(from, CONNECTION_BIND, 400)]);
    assert_eq!(stage.refusals(), [("shop".to_owned(), Refusal::BadRequest, 1)]);
}

#[test]
fn connections_of_all_servers_have_different_ids() {
    let mut stage = Stage::new();
    let mut seen = Vec::new();
    for _ in 0..3 {
        stage.server = peerway_turn::Server::new(stage.shared.clone());
        stage.allocated_as(carol(), &joe(), &allocate_tcp(), &[relayed_v4()]);
        stage.ask(carol(), &joe(), &connect(peer_v4()));
        seen.push(stage.connected(CLIENT, peer_v4(), Ok(())).0.unwrap());
    }
    assert_eq!(seen, [0, 1, 2].map(|offset| ConnectionId(FIRST + offset)));
}
