//! Rooms over room frames (`docs/reference/room-frames.md`), on real sockets.

use peerway_server::config::AppConfig;

use crate::support::{Socket, TestServer};

fn joined(src: &str, members: &str) -> String {
    format!(
        r#"{{"type":"ROOM-JOINED","room":"r","src":"{src}","payload":{{"members":{members}}}}}"#
    )
}

fn came(src: &str) -> String {
    format!(r#"{{"type":"ROOM-JOINED","room":"r","src":"{src}"}}"#)
}

fn error(kind: &str, message: &str) -> String {
    format!(r#"{{"type":"ROOM-ERROR","room":"r","payload":{{"type":"{kind}","msg":"{message}"}}}}"#)
}

async fn ask(socket: &mut Socket, kind: &str) {
    socket.send(&format!(r#"{{"type":"{kind}","room":"r"}}"#)).await;
}

/// Ann and Ben, who are in the room.
async fn two(server: &TestServer) -> (Socket, Socket) {
    let (mut ann, mut ben) = (server.peer("ann").await, server.peer("ben").await);
    ask(&mut ann, "ROOM-JOIN").await;
    assert_eq!(ann.text().await, joined("ann", r#"["ann"]"#));
    ask(&mut ben, "ROOM-JOIN").await;
    assert_eq!(ben.text().await, joined("ben", r#"["ann","ben"]"#));
    assert_eq!(ann.text().await, came("ben"));
    (ann, ben)
}

#[tokio::test]
async fn members_hear_of_each_other_and_what_they_say() {
    let server = TestServer::start().await;
    let (mut ann, mut ben) = two(&server).await;

    let said = r#""payload":{"a":[1.50,{"_placeholder":true,"num":0}]},"attachments":["AAEC/w=="]"#;
    ben.send(&format!(r#"{{"type":"ROOM-DATA","room":"r",{said}}}"#)).await;
    let heard = format!(r#"{{"type":"ROOM-DATA","room":"r","src":"ben",{said}}}"#);
    assert_eq!(ann.text().await, heard);
    ask(&mut ben, "ROOM-MEMBERS").await;
    let members = r#"{"type":"ROOM-MEMBERS","room":"r","payload":{"members":["ann","ben"]}}"#;
    assert_eq!(ben.text().await, members, "and nothing of its own came back");
    ask(&mut ben, "ROOM-LEAVE").await;
    assert_eq!(ann.text().await, r#"{"type":"ROOM-LEFT","room":"r","src":"ben"}"#);
    ask(&mut ben, "ROOM-MEMBERS").await;
    assert_eq!(ben.text().await, error("not_in_room", "Not in the room r: join it first"));
    ben.assert_heard_all("ben").await;
}

#[tokio::test]
async fn the_log_has_the_time_of_day() {
    let server = TestServer::start().await;
    let mut ann = server.peer("ann").await;
    ask(&mut ann, "ROOM-JOIN").await;
    ask(&mut ann, "ROOM-LOG").await;
    assert_eq!(ann.text().await, joined("ann", r#"["ann"]"#));

    let log: serde_json::Value = serde_json::from_str(&ann.text().await).unwrap();

    let entry = &log["payload"][0];
    assert_eq!((&entry["src"], &entry["action"]), (&"ann".into(), &"joined".into()));
    // Between 2020 and 2100.
    let timestamp = entry["timestamp"].as_u64().unwrap();
    assert!((1_577_836_800_000..4_102_444_800_000).contains(&timestamp), "{timestamp}");
}

#[tokio::test]
async fn who_is_gone_is_out_and_the_room_with_the_last() {
    let server = TestServer::start().await;
    let (mut ann, ben) = two(&server).await;
    assert_eq!(server.metric("peerway_rooms").await, 1);
    assert_eq!(server.metric("peerway_room_members").await, 2);

    ben.close().await;
    assert_eq!(ann.text().await, r#"{"type":"ROOM-LEFT","room":"r","src":"ben"}"#);
    ann.close().await;

    server.until_metric("peerway_rooms", 0).await;
    server.until_metric("peerway_room_members", 0).await;
    assert_eq!(server.metric("peerway_rooms_opened_total").await, 1);
}

#[tokio::test]
async fn another_socket_of_a_member_goes_on_in_the_room() {
    let server = TestServer::start().await;
    let (mut ann, ben) = two(&server).await;
    let mut again = server.peer("ben").await;

    ann.send(r#"{"type":"ROOM-DATA","room":"r","payload":1}"#).await;

    let heard = r#"{"type":"ROOM-DATA","room":"r","src":"ann","payload":1}"#;
    assert_eq!(again.text().await, heard);
    drop(ben);
}

#[tokio::test]
async fn limits_and_mistakes_are_told_and_end_nothing() {
    let server = TestServer::with(|config| {
        config.limits.rooms_per_peer = 1;
        config.limits.members_per_room = 9;
        let mut app = AppConfig::named("peerjs");
        app.members_per_room = Some(1);
        config.app.push(app);
        config.limits.room_data_size = peerway_server::config::Bytes(8);
    })
    .await;
    let (mut ann, mut ben) = (server.peer("ann").await, server.peer("ben").await);
    ask(&mut ann, "ROOM-JOIN").await;
    assert_eq!(ann.text().await, joined("ann", r#"["ann"]"#));

    ask(&mut ben, "ROOM-JOIN").await;
    assert_eq!(ben.text().await, error("room_full", "The room r is full: the limit is 1 members"));
    ann.send(r#"{"type":"ROOM-JOIN","room":"s"}"#).await;
    assert!(ann.text().await.contains(r#""room":"s","payload":{"type":"too_many_rooms""#));
    ann.send(r#"{"type":"ROOM-DATA","room":"r","payload":"1234567"}"#).await;
    let too_big = error("room_data", "Message too big for the room r: the limit is 8 bytes");
    assert_eq!(ann.text().await, too_big);
    ben.send(r#"{"type":"ROOM-JOIN","room":"t","payload":{"mode":"sfu"}}"#).await;
    assert!(ben.text().await.contains(r#""room":"t","payload":{"type":"no_sfu""#));
    ben.send(r#"{"type":"ROOM-JOIN","room":""}"#).await;
    assert!(
        ben.text().await.starts_with(r#"{"type":"ROOM-ERROR","payload":{"type":"invalid_room""#)
    );
    ann.assert_heard_all("ann").await;
    ben.assert_heard_all("ben").await;
    server.assert_well().await;
}

#[tokio::test]
async fn a_message_bigger_than_an_outbox_gets_through() {
    let server = TestServer::with(|config| {
        config.limits.outbox_size = peerway_server::config::Bytes(16 * 1024);
        config.limits.frame_size = peerway_server::config::Bytes(1024 * 1024);
    })
    .await;
    let (mut ann, mut ben) = two(&server).await;
    let payload = "x".repeat(500_000);

    ann.send(&format!(r#"{{"type":"ROOM-DATA","room":"r","payload":"{payload}"}}"#)).await;

    assert!(ben.text().await.ends_with(&format!(r#""payload":"{payload}"}}"#)));
    ann.assert_heard_all("ann").await;
}
