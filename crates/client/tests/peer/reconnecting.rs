//! Servers that go away, and peers that come back.

use std::time::Duration;

use peerway::{ConnectOptions, Peer, PeerErrorKind, PeerState, Reconnect};

use crate::stub::{self, Session};
use crate::support::{TestServer, event, events, local, within};

fn quickly() -> Reconnect {
    Reconnect::default().first_delay(Duration::from_millis(20))
}

#[tokio::test]
async fn a_server_that_is_restarted_gets_the_same_peer_back() {
    let server = TestServer::start().await;
    let options = server.options().reconnect(quickly());
    let ann = within(Peer::open(options)).await.unwrap();
    let id = ann.id().unwrap();
    assert_eq!(event(&ann).await, format!("open {id}"));
    let port = server.port;
    server.kill();
    let expected = ["error network".to_owned(), format!("disconnected {id}")];
    assert_eq!(events(&ann, 2).await, expected);
    assert_eq!(ann.state(), PeerState::Reconnecting);
    assert!(ann.is_disconnected());

    // What is begun meanwhile goes on when the server is there again.
    let _connection = ann.connect("bob", ConnectOptions::new()).unwrap();
    let server = TestServer::at(port).await;
    let bob = server.peer("bob").await;
    assert_eq!(event(&ann).await, format!("reconnected {id}"));
    assert_eq!((ann.state(), ann.id()), (PeerState::Open, Some(id.clone())));
    assert_eq!(events(&bob, 2).await, ["open bob".to_owned(), format!("connection {id}")]);
}

#[tokio::test]
async fn a_peer_that_shall_not_reconnect_waits_to_be_told() {
    let server = TestServer::start().await;
    let ann = server.options().id("ann").reconnect(Reconnect::never());
    let ann = within(Peer::open(ann)).await.unwrap();
    let port = server.port;
    server.kill();
    assert_eq!(events(&ann, 3).await, ["open ann", "error network", "disconnected ann"]);
    assert_eq!(ann.state(), PeerState::Disconnected);
    let refused = ann.connect("bob", ConnectOptions::new()).unwrap_err();
    assert_eq!(refused.kind(), PeerErrorKind::Disconnected);
    assert_eq!(ann.opened().await.unwrap_err().kind(), PeerErrorKind::Network);

    let _server = TestServer::at(port).await;
    ann.reconnect().unwrap();
    within(ann.opened()).await.unwrap();
    assert_eq!(event(&ann).await, "reconnected ann");
}

#[tokio::test]
async fn who_disconnects_frees_nothing_but_comes_back_under_the_same_id() {
    let server = TestServer::start().await;
    let ann = server.peer("ann").await;
    ann.disconnect();
    assert_eq!(ann.state(), PeerState::Disconnected, "at once");
    assert_eq!(events(&ann, 2).await, ["open ann", "disconnected ann"]);
    let refused = ann.connect("bob", ConnectOptions::new()).unwrap_err();
    assert_eq!(refused.kind(), PeerErrorKind::Disconnected);
    ann.reconnect().unwrap();
    within(ann.opened()).await.unwrap();
    assert_eq!(event(&ann).await, "reconnected ann");
    assert_eq!(ann.id().as_deref(), Some("ann"));
}

#[tokio::test]
async fn only_the_last_wish_counts() {
    let server = TestServer::start().await;
    let ann = server.peer("ann").await;
    for _ in 0..1000 {
        ann.disconnect();
        ann.reconnect().unwrap();
    }
    within(ann.opened()).await.unwrap();
    ann.destroy();
    ann.reconnect().unwrap_err();
    ann.disconnect();
    assert!(ann.is_destroyed());
    within(ann.destroyed()).await;
}

#[tokio::test]
async fn an_id_that_another_has_meanwhile_is_lost() {
    let server = TestServer::start().await;
    let ann = server.peer("ann").await;
    ann.disconnect();
    assert_eq!(events(&ann, 2).await, ["open ann", "disconnected ann"]);
    let _other = within(async {
        // The server may not have noticed yet.
        loop {
            if let Ok(other) = Peer::open(server.options().id("ann")).await {
                break other;
            }
        }
    })
    .await;
    ann.reconnect().unwrap();
    assert_eq!(within(ann.opened()).await.unwrap_err().kind(), PeerErrorKind::UnavailableId);
    assert_eq!(event(&ann).await, "error unavailable-id");
    assert_eq!(ann.state(), PeerState::Disconnected);
}

/// `PeerServer` lets a client with the same id and token in without OPEN.
#[tokio::test]
async fn a_server_that_says_no_open_the_second_time() {
    let port = stub::serve(|number, stream| async move {
        let mut session = Session::accept(stream).await;
        if number == 0 {
            session.say(r#"{"type":"OPEN"}"#).await;
        } else {
            while session.hear().await.is_some() {}
        }
    })
    .await;
    let ann = within(Peer::open(local(port).id("ann").reconnect(quickly()))).await.unwrap();
    let expected = ["open ann", "error network", "disconnected ann", "reconnected ann"];
    assert_eq!(events(&ann, 4).await, expected);
}
