//! Two Rust peers and a peerway server in one process, over real sockets.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::time::Duration;

use peerway::{ConnectOptions, ConnectionErrorKind, DataEvent, PeerEvent, Serialization, Value};
use serde_json::json;
use support::{Server, connection, within};

const ALL: [Serialization; 5] = [
    Serialization::Binary,
    Serialization::BinaryUtf8,
    Serialization::Json,
    Serialization::Raw,
    Serialization::MsgPack,
];

#[tokio::test]
async fn values_of_every_serialization_go_both_ways() {
    let server = Server::start().await;
    let (alice, bob) = (server.peer("alice").await, server.peer("bob").await);
    for serialization in ALL {
        let options = ConnectOptions::new().serialization(serialization).reliable(true);
        let ours = alice.connect("bob", options).unwrap();
        let theirs = connection(&bob).await;
        within(ours.opened()).await.unwrap();
        within(theirs.opened()).await.unwrap();
        assert_eq!(theirs.serialization(), serialization);

        ours.send("to bob 😀").await.unwrap();
        theirs.send("to alice 😀").await.unwrap();
        assert_eq!(within(theirs.receive()).await.unwrap(), Some(Value::from("to bob 😀")));
        assert_eq!(within(ours.receive()).await.unwrap(), Some(Value::from("to alice 😀")));
        ours.close();
        assert_eq!(within(theirs.receive()).await.unwrap(), None);
    }
}

#[tokio::test]
async fn label_and_metadata_reach_the_other_side() {
    let server = Server::start().await;
    let (alice, bob) = (server.peer("alice").await, server.peer("bob").await);
    let options = ConnectOptions::new().label("files").metadata(json!({"n": [1, null]}));
    let ours = alice.connect("bob", options).unwrap();
    let theirs = connection(&bob).await;

    assert_eq!((theirs.label(), theirs.peer(), theirs.id()), ("files", "alice", ours.id()));
    assert_eq!(theirs.metadata(), Some(&json!({"n": [1, null]})));
}

#[tokio::test]
async fn a_connection_to_nobody_fails_with_peer_unavailable() {
    let server = Server::start().await;
    let alice = server.peer("alice").await;
    let connection = alice.connect("nobody", ConnectOptions::new()).unwrap();
    let error = within(connection.opened()).await.unwrap_err();
    assert_eq!(error.kind, ConnectionErrorKind::PeerUnavailable);
}

#[tokio::test]
async fn ten_megabytes_arrive_whole() {
    let server = Server::start().await;
    let (alice, bob) = (server.peer("alice").await, server.peer("bob").await);
    let ours = alice.connect("bob", ConnectOptions::new()).unwrap();
    let theirs = connection(&bob).await;
    within(ours.opened()).await.unwrap();
    let bytes: Vec<u8> = (0..10_000_000_u32).map(|n| (n % 251) as u8).collect();
    let value = Value::from(bytes);
    let (sent, received) = tokio::join!(ours.send(value.clone()), within(theirs.receive()));
    sent.unwrap();
    assert!(received.unwrap() == Some(value));
}

#[tokio::test]
async fn a_reader_that_rests_holds_the_sender_back_and_loses_nothing() {
    let server = Server::start().await;
    let (alice, bob) = (server.peer("alice").await, server.peer("bob").await);
    let ours = alice.connect("bob", ConnectOptions::new().reliable(true)).unwrap();
    let theirs = connection(&bob).await;
    within(ours.opened()).await.unwrap();

    let sender = tokio::spawn(async move {
        for n in 0..1000_u32 {
            let mut message = vec![0; 16_000];
            message[..4].copy_from_slice(&n.to_be_bytes());
            ours.send(message).await.unwrap();
        }
        ours.close();
    });
    tokio::time::timeout(Duration::from_millis(1500), async {
        while !sender.is_finished() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await
    .expect_err("16 MB went into a reader that does not read");
    for n in 0..1000_u32 {
        let value = within(theirs.receive()).await.unwrap().expect("the end came early");
        assert_eq!(value.as_bytes().unwrap()[..4], n.to_be_bytes());
    }
    assert_eq!(within(theirs.receive()).await.unwrap(), None);
    sender.await.unwrap();
}

#[tokio::test]
async fn connections_outlive_the_signalling_server() {
    let server = Server::start().await;
    let (alice, bob) = (server.peer("alice").await, server.peer("bob").await);
    let ours = alice.connect("bob", ConnectOptions::new()).unwrap();
    let theirs = connection(&bob).await;
    within(ours.opened()).await.unwrap();
    server.kill();
    loop {
        if let Some(PeerEvent::Disconnected { .. }) = within(alice.next_event()).await {
            break;
        }
    }
    ours.send("still here").await.unwrap();
    assert_eq!(within(theirs.receive()).await.unwrap(), Some(Value::from("still here")));
}

#[tokio::test]
async fn a_destroyed_peer_closes_its_connections() {
    let server = Server::start().await;
    let (alice, bob) = (server.peer("alice").await, server.peer("bob").await);
    let ours = alice.connect("bob", ConnectOptions::new()).unwrap();
    let theirs = connection(&bob).await;
    within(ours.opened()).await.unwrap();
    within(theirs.opened()).await.unwrap();
    alice.destroy();
    assert_eq!(within(theirs.receive()).await.unwrap(), None);
    assert_eq!(within(theirs.next_event()).await, None::<DataEvent>);
    assert_eq!(within(ours.receive()).await.unwrap(), None);
}

#[tokio::test]
async fn no_task_is_left_behind_by_a_dropped_peer() {
    let server = Server::start().await;
    let tasks = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let (alice, bob) = (server.peer("alice").await, server.peer("bob").await);
    let ours = alice.connect("bob", ConnectOptions::new()).unwrap();
    let theirs = connection(&bob).await;
    within(ours.opened()).await.unwrap();
    drop((alice, bob, ours, theirs));
    let metrics = tokio::runtime::Handle::current().metrics();
    within(async {
        while metrics.num_alive_tasks() > tasks {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}
