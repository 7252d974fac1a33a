//! How a peer gets its id and tells that it is open.

use std::time::Duration;

use peerway::{ConnectOptions, Peer, PeerErrorKind, PeerOptions, PeerState};

use crate::support::{TestServer, closed_port, event, events, local, within};

#[tokio::test]
async fn the_server_gives_an_id_to_who_has_none() {
    let server = TestServer::start().await;
    let peer = within(Peer::open(server.options())).await.unwrap();
    let id = peer.id().unwrap();
    assert_eq!((id.len(), id.matches('-').count()), (36, 4), "{id}");
    assert_eq!(event(&peer).await, format!("open {id}"));
    assert!(peer.is_open() && !peer.is_disconnected() && !peer.is_destroyed());
}

#[tokio::test]
async fn a_wanted_id_is_known_at_once() {
    let server = TestServer::start().await;
    let peer = Peer::new(server.options().id("ann")).unwrap();
    assert_eq!((peer.id().as_deref(), peer.state()), (Some("ann"), PeerState::Connecting));
    within(peer.opened()).await.unwrap();
    assert_eq!((peer.state(), event(&peer).await), (PeerState::Open, "open ann".into()));
}

#[tokio::test]
async fn all_clones_are_one_peer_and_share_its_events() {
    let server = TestServer::start().await;
    let peer = server.peer("ann").await;
    let clone = peer.clone();
    assert_eq!(event(&clone).await, "open ann");
    clone.destroy();
    assert_eq!(events(&peer, 3).await, ["disconnected ann", "close", "none"]);
}

#[tokio::test]
async fn a_server_can_be_given_as_url_with_a_path() {
    let server = TestServer::with(|config| config.path = "/my/app".into()).await;
    let url = format!("http://localhost:{}/my/app", server.port);
    let peer = within(Peer::open(PeerOptions::at(&url).unwrap().id("ann"))).await.unwrap();
    assert!(peer.is_open());
}

#[tokio::test]
async fn a_server_that_is_not_there_yet_can_be_waited_for() {
    let port = closed_port().await;
    let peer = Peer::new(local(port).id("ann").keep_trying(true)).unwrap();
    assert_eq!(event(&peer).await, "error network");
    assert_eq!(peer.state(), PeerState::Connecting);
    let _server = TestServer::at(port).await;
    assert_eq!(event(&peer).await, "open ann");
}

#[tokio::test]
async fn a_failed_opening_is_told_by_events_too() {
    let port = closed_port().await;
    let peer = Peer::new(local(port).id("ann")).unwrap();
    assert_eq!(events(&peer, 3).await, ["error network", "close", "none"]);
    assert!(peer.is_destroyed());
    assert_eq!(peer.opened().await.unwrap_err().kind(), PeerErrorKind::Network);
    let refused = peer.connect("bob", ConnectOptions::new()).unwrap_err();
    assert_eq!(refused.kind(), PeerErrorKind::Destroyed);
}

#[tokio::test]
async fn giving_up_the_opening_gives_up_the_peer() {
    let server = TestServer::start().await;
    let opening = Peer::open(server.options().id("ann"));
    drop(tokio::time::timeout(Duration::ZERO, opening).await);
    // Another with the same id and a token of its own.
    within(async { while Peer::open(server.options().id("ann")).await.is_err() {} }).await;
}

#[test]
fn a_peer_needs_a_runtime() {
    let error = Peer::new(PeerOptions::new()).unwrap_err();
    assert_eq!(error.kind(), PeerErrorKind::InvalidOption);
}

#[tokio::test]
async fn connections_start_from_threads_without_a_runtime() {
    let server = TestServer::start().await;
    let (ann, bob) = (server.peer("ann").await, server.peer("bob").await);
    let peer = ann.clone();
    let connect = move || peer.connect("bob", ConnectOptions::new()).map(drop);
    std::thread::spawn(connect).join().unwrap().unwrap();
    assert_eq!(events(&bob, 2).await, ["open bob", "connection ann"]);
}

#[tokio::test]
async fn a_peer_connects_to_others_only() {
    let server = TestServer::start().await;
    let ann = server.peer("ann").await;
    for id in ["", "ann", "a\nb"] {
        let refused = ann.connect(id, ConnectOptions::new()).unwrap_err();
        assert_eq!(refused.kind(), PeerErrorKind::InvalidId, "{id}");
    }
}

#[tokio::test]
async fn connections_are_listed_until_they_are_over() {
    let server = TestServer::start().await;
    let (ann, bob) = (server.peer("ann").await, server.peer("bob").await);
    let connection = ann.connect("bob", ConnectOptions::new()).unwrap();
    assert_eq!(events(&bob, 2).await, ["open bob", "connection ann"]);
    let listed = ann.connections();
    assert_eq!((listed.len(), &*listed[0].peer), (1, "bob"));
    assert_eq!(listed[0].connection_id, connection.id());
    connection.close();
    crate::support::until(|| ann.connections().is_empty() && bob.connections().is_empty()).await;
}

#[tokio::test]
async fn a_peer_that_is_not_there_is_told_as_in_peerjs() {
    let server = TestServer::with(|config| {
        config.expire_timeout = peerway_server::config::Millis(Duration::from_millis(50));
    })
    .await;
    let ann = server.peer("ann").await;
    let _connection = ann.connect("nobody", ConnectOptions::new()).unwrap();
    assert_eq!(events(&ann, 2).await, ["open ann", "error peer-unavailable"]);
}

fn _peers_may_go_to_other_threads(peer: Peer) -> impl Send + Sync + Clone + 'static {
    peer
}
