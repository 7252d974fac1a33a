//! Rooms: members, data and log, against a real server.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use peerway::media::TrackKind;
use peerway::{
    PeerErrorKind, Room, RoomErrorKind, RoomEvent, RoomLogAction, RoomLogEntry, RoomMode,
    RoomOptions, Value,
};
use support::{Server, within};

async fn next(room: &Room) -> RoomEvent {
    within(room.next_event()).await.expect("the room is over")
}

/// The next thing of a kind; other things are skipped.
async fn wait_for<T>(room: &Room, wanted: impl Fn(RoomEvent) -> Option<T>) -> T {
    loop {
        if let Some(found) = wanted(next(room).await) {
            return found;
        }
    }
}

fn data(event: RoomEvent) -> Option<(String, Value)> {
    match event {
        RoomEvent::Data { from, value } => Some((from, value)),
        _ => None,
    }
}

#[tokio::test]
async fn members_see_each_other_and_hear_what_is_said() {
    let server = Server::start().await;
    let (ann, bob) = (server.peer("ann").await, server.peer("bob").await);
    let ours = ann.join_room("tea", RoomMode::Mesh).unwrap();
    within(ours.joined()).await.unwrap();
    let theirs = bob.join_room("tea", RoomMode::Mesh).unwrap();
    within(theirs.joined()).await.unwrap();
    assert_eq!(theirs.members(), ["ann", "bob"]);
    assert!(matches!(next(&ours).await, RoomEvent::Open));
    assert!(matches!(next(&ours).await, RoomEvent::Joined { peer } if peer == "bob"));
    assert_eq!(ours.members(), ["ann", "bob"]);

    let value = Value::map([("file", Value::from(vec![0_u8, 255])), ("name", "a.bin".into())]);
    within(theirs.send(value.clone())).await.unwrap();
    assert_eq!(wait_for(&ours, data).await, ("bob".to_owned(), value.clone()));
    let log = within(ours.log()).await.unwrap();
    assert_eq!(log.len(), 3);
    assert_eq!((log[2].peer.as_str(), &log[2].action), ("bob", &RoomLogAction::Data(value)));

    theirs.leave();
    let left = |event| matches!(event, RoomEvent::Left { peer } if peer == "bob").then_some(());
    wait_for(&ours, left).await;
    wait_for(&theirs, |event| matches!(event, RoomEvent::Close).then_some(())).await;
    assert!(within(theirs.next_event()).await.is_none());
    assert_eq!(within(theirs.send(1)).await.unwrap_err().kind, RoomErrorKind::Closed);
    // And may come again.
    let again = bob.join_room("tea", RoomMode::Mesh).unwrap();
    within(again.joined()).await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_is_refused_with_words() {
    let server = Server::start().await;
    let ann = server.peer("ann").await;
    let room =
        ann.join_room("tea", RoomOptions::new(RoomMode::Mesh).largest_message(1000)).unwrap();
    within(room.joined()).await.unwrap();
    let twice = ann.join_room("tea", RoomMode::Mesh).unwrap_err();
    assert_eq!(twice.kind(), PeerErrorKind::InvalidOption);
    assert!(ann.join_room("", RoomMode::Mesh).is_err());
    let too_big = within(room.send("x".repeat(1000))).await.unwrap_err();
    assert_eq!(too_big.kind, RoomErrorKind::Data);
    let publish = within(room.publish(TrackKind::Audio)).await.unwrap_err();
    assert_eq!(publish.kind, RoomErrorKind::NotPossible);

    let bob = server.peer("bob").await;
    let other = bob.join_room("tea", RoomMode::Sfu).unwrap();
    let refused = within(other.joined()).await.unwrap_err();
    assert!(matches!(refused.kind, RoomErrorKind::Mode | RoomErrorKind::NoSfu), "{refused}");
}

#[tokio::test]
async fn dropping_the_last_handle_leaves_and_destroying_the_peer_does() {
    let server = Server::start().await;
    let (ann, bob) = (server.peer("ann").await, server.peer("bob").await);
    let watcher = ann.join_room("tea", RoomMode::Mesh).unwrap();
    within(watcher.joined()).await.unwrap();
    let left = |event| matches!(event, RoomEvent::Left { peer } if peer == "bob").then_some(());
    let room = bob.join_room("tea", RoomMode::Mesh).unwrap();
    within(room.joined()).await.unwrap();
    drop(room);
    wait_for(&watcher, left).await;
    // Before it is in, too.
    drop(bob.join_room("tea", RoomMode::Mesh).unwrap());
    // The old stay may have to end first.
    let room = loop {
        match bob.join_room("tea", RoomMode::Mesh) {
            Ok(room) => break room,
            Err(_) => tokio::task::yield_now().await,
        }
    };
    within(room.joined()).await.unwrap();
    bob.destroy();
    within(bob.destroyed()).await;
    wait_for(&room, |event| matches!(event, RoomEvent::Close).then_some(())).await;
    wait_for(&watcher, left).await;
}

#[tokio::test]
async fn a_restarted_server_has_its_members_back() {
    let server = Server::start().await;
    let port = server.port;
    let options = |id: &str| {
        let reconnect = peerway::Reconnect::default()
            .first_delay(std::time::Duration::from_millis(20))
            .longest_delay(std::time::Duration::from_millis(200));
        server.options().id(id).reconnect(reconnect)
    };
    let (ann, bob) = (options("ann"), options("bob"));
    let ann = within(peerway::Peer::open(ann)).await.unwrap();
    let bob = within(peerway::Peer::open(bob)).await.unwrap();
    let ours = ann.join_room("tea", RoomMode::Mesh).unwrap();
    let theirs = bob.join_room("tea", RoomMode::Mesh).unwrap();
    within(ours.joined()).await.unwrap();
    within(theirs.joined()).await.unwrap();
    server.kill();
    while ann.is_open() || bob.is_open() {
        tokio::task::yield_now().await;
    }
    let _server = Server::at(port).await;
    // What is said meanwhile waits.
    let saying = tokio::spawn({
        let theirs = theirs.clone();
        async move { theirs.send("still here").await }
    });
    within(ann.opened()).await.unwrap();
    within(bob.opened()).await.unwrap();
    // Wishes wait until we are in again; the new server's log begins with that.
    let joined = |log: &[RoomLogEntry]| {
        let joins = log.iter().filter(|it| matches!(it.action, RoomLogAction::Joined(_)));
        joins.map(|it| it.peer.clone()).collect::<std::collections::BTreeSet<_>>().len()
    };
    while joined(&within(ours.log()).await.unwrap()) < 2 {
        tokio::task::yield_now().await;
    }
    within(saying).await.unwrap().unwrap();
    within(theirs.send("again")).await.unwrap();
    loop {
        let (_, value) = wait_for(&ours, data).await;
        if value.as_str() == Some("again") {
            break;
        }
    }
}
