//! Mesh rooms as SkyWay clients see them.

use serde_json::{Value, json};

use crate::support::{SkyWay, TestServer, skyway_query};

/// Comes into a room and hears of it.
async fn join(client: &mut SkyWay, room: &str) -> Value {
    client.say("ROOM_JOIN", &format!(r#"{{"roomName":{room},"roomType":"mesh"}}"#)).await;
    client.told("ROOM_USER_JOIN").await
}

async fn users(client: &mut SkyWay, room: &str) -> Value {
    client.say("ROOM_GET_USERS", &format!(r#"{{"roomName":{room},"type":"media"}}"#)).await;
    client.told("ROOM_USERS").await
}

#[tokio::test]
async fn all_hear_who_comes_and_goes() {
    let server = TestServer::start().await;
    let mut alice = SkyWay::open(&server, "alice").await;
    let mut bob = SkyWay::open(&server, "bob").await;
    let own = join(&mut alice, r#""r""#).await;
    assert_eq!(own, json!({"roomName": "r", "src": "alice", "roomMembers": ["alice"]}));
    let both = json!({"roomName": "r", "src": "bob", "roomMembers": ["alice", "bob"]});
    assert_eq!(join(&mut bob, r#""r""#).await, both);
    assert_eq!(alice.told("ROOM_USER_JOIN").await, both);
    bob.say("ROOM_LEAVE", r#"{"roomName":"r"}"#).await;
    assert_eq!(alice.told("ROOM_USER_LEAVE").await, json!({"roomName": "r", "src": "bob"}));
    bob.assert_heard_all("bob").await;
    assert_eq!(join(&mut bob, r#""r""#).await, both);
    alice.told("ROOM_USER_JOIN").await;
    bob.leave().await;
    assert_eq!(alice.told("ROOM_USER_LEAVE").await["src"], "bob");
}

#[tokio::test]
async fn of_two_who_come_together_only_the_later_one_is_told_to_call() {
    let server = TestServer::start().await;
    let mut alice = SkyWay::open(&server, "alice").await;
    let mut bob = SkyWay::open(&server, "bob").await;
    join(&mut alice, r#""r""#).await;
    join(&mut bob, r#""r""#).await;
    alice.told("ROOM_USER_JOIN").await;
    assert_eq!(users(&mut alice, r#""r""#).await["userList"], json!([]));
    assert_eq!(users(&mut bob, r#""r""#).await["userList"], json!(["alice"]));
    assert_eq!(users(&mut alice, r#""r""#).await["userList"], json!(["alice", "bob"]));
}

#[tokio::test]
async fn data_reaches_all_others_and_not_its_sender() {
    let server = TestServer::start().await;
    let mut alice = SkyWay::open(&server, "alice").await;
    let mut bob = SkyWay::open(&server, "bob").await;
    join(&mut alice, r#""r""#).await;
    join(&mut bob, r#""r""#).await;
    alice.told("ROOM_USER_JOIN").await;
    bob.say("ROOM_SEND_DATA", r#"{"roomName":"r","data":{"é":[1.0,null]}}"#).await;
    let told = r#"{"roomName":"r","src":"bob","data":{"é":[1.0,null]}}"#;
    assert_eq!(alice.told_text("ROOM_DATA").await, told);
    let payload = r#"{"roomName":"r","data":{"a":{"_placeholder":true,"num":0},"b":{"_placeholder":true,"num":1}}}"#;
    bob.say_binary("ROOM_SEND_DATA", payload, &[&[0, 255], b""]).await;
    let (told, parts) = alice.told_binary("ROOM_DATA").await;
    assert_eq!(told["src"], "bob");
    assert_eq!(told["data"]["b"], json!({"_placeholder": true, "num": 1}));
    assert_eq!(parts, [vec![0, 255], vec![]]);
    bob.assert_heard_all("bob").await;
}

#[tokio::test]
async fn a_room_may_be_named_by_a_number_and_by_its_text() {
    let server = TestServer::start().await;
    let mut alice = SkyWay::open(&server, "alice").await;
    let mut bob = SkyWay::open(&server, "bob").await;
    assert_eq!(join(&mut alice, "1700000000000").await["roomName"], 1_700_000_000_000_u64);
    assert_eq!(join(&mut bob, r#""1700000000000""#).await["roomName"], "1700000000000");
    assert_eq!(alice.told("ROOM_USER_JOIN").await["roomName"], 1_700_000_000_000_u64);
    bob.say("ROOM_SEND_DATA", r#"{"roomName":"1700000000000","data":1}"#).await;
    assert_eq!(alice.told("ROOM_DATA").await["roomName"], 1_700_000_000_000_u64);
}

#[tokio::test]
async fn the_log_tells_what_happened() {
    let server = TestServer::start().await;
    let mut alice = SkyWay::open(&server, "alice").await;
    join(&mut alice, r#""r""#).await;
    alice.say("ROOM_SEND_DATA", r#"{"roomName":"r","data":"x"}"#).await;
    alice.say("ROOM_GET_LOGS", r#"{"roomName":"r"}"#).await;
    let logs = alice.told("ROOM_LOGS").await;
    assert_eq!(logs["roomName"], "r");
    let log: Vec<Value> = logs["log"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| serde_json::from_str(entry.as_str().unwrap()).unwrap())
        .collect();
    let told: Vec<_> = log.iter().map(|entry| (&entry["messageType"], &entry["message"])).collect();
    assert_eq!(
        told,
        [
            (
                &json!("ROOM_USER_JOIN"),
                &json!({"roomName": "r", "roomType": "mesh", "src": "alice"})
            ),
            (&json!("ROOM_DATA"), &json!({"src": "alice", "data": "x"})),
        ]
    );
    assert!(log[0]["timestamp"].as_u64().is_some_and(|millis| millis > 1_700_000_000_000));
}

#[tokio::test]
async fn rooms_of_the_sfu_are_not_to_be_had() {
    let server = TestServer::start().await;
    let mut alice = SkyWay::open(&server, "alice").await;
    alice.say("ROOM_JOIN", r#"{"roomName":"r","roomType":"sfu"}"#).await;
    alice.told_error("room-error").await;
    alice.say("SFU_GET_OFFER", r#"{"roomName":"r"}"#).await;
    alice.told_error("room-error").await;
    alice.say("ROOM_GET_LOGS", r#"{"roomName":"r"}"#).await;
    alice.told_error("room-error").await;
}

#[tokio::test]
async fn who_is_lost_and_comes_back_is_still_in_the_room() {
    let server = TestServer::start().await;
    let mut alice = SkyWay::open(&server, "alice").await;
    let mut bob = SkyWay::open(&server, "bob").await;
    join(&mut alice, r#""r""#).await;
    join(&mut bob, r#""r""#).await;
    alice.told("ROOM_USER_JOIN").await;
    drop(bob);
    server.until_metric("peerway_sessions_lost_total", 1).await;
    alice.say("ROOM_SEND_DATA", r#"{"roomName":"r","data":1}"#).await;
    alice.assert_heard_all("alice").await;
    let mut bob = SkyWay::connect(&server, &skyway_query("bob", "token-of-bob")).await;
    bob.told("OPEN").await;
    assert_eq!(bob.told("ROOM_DATA").await["data"], 1);
    bob.say("ROOM_SEND_DATA", r#"{"roomName":"r","data":2}"#).await;
    assert_eq!(alice.told("ROOM_DATA").await["data"], 2);
}

#[tokio::test]
async fn who_is_replaced_after_a_loss_leaves_the_room() {
    let server = TestServer::start().await;
    let mut alice = SkyWay::open(&server, "alice").await;
    let mut bob = SkyWay::open(&server, "bob").await;
    join(&mut alice, r#""r""#).await;
    join(&mut bob, r#""r""#).await;
    alice.told("ROOM_USER_JOIN").await;
    drop(bob);
    server.until_metric("peerway_sessions_lost_total", 1).await;
    let mut reloaded = SkyWay::connect(&server, &skyway_query("bob", "new-page")).await;
    reloaded.told("OPEN").await;
    assert_eq!(alice.told("ROOM_USER_LEAVE").await["src"], "bob");
}
