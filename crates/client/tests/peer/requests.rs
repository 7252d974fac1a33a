//! What a peer asks its server beside signalling.

use peerway::PeerErrorKind;

use crate::support::{TestServer, closed_port, local, within};

#[tokio::test]
async fn peers_are_listed_where_the_server_allows_it() {
    let server = TestServer::with(|config| config.allow_discovery = true).await;
    let (ann, _bob) = (server.peer("ann").await, server.peer("bob").await);
    let mut peers = within(ann.list_all_peers()).await.unwrap();
    peers.sort();
    assert_eq!(peers, ["ann", "bob"]);
}

#[tokio::test]
async fn a_list_that_is_refused_does_the_peer_no_harm() {
    let server = TestServer::start().await;
    let ann = server.peer("ann").await;
    let refused = within(ann.list_all_peers()).await.unwrap_err();
    assert_eq!(refused.kind(), PeerErrorKind::Unauthorized);
    assert_eq!(refused.kind().as_str(), "server-error");
    assert!(ann.is_open());
}

#[tokio::test]
async fn a_list_is_asked_for_without_a_session() {
    let peer = peerway::Peer::new(local(closed_port().await).id("ann")).unwrap();
    within(peer.destroyed()).await;
    let refused = within(peer.list_all_peers()).await.unwrap_err();
    assert_eq!(refused.kind(), PeerErrorKind::Network);
}
