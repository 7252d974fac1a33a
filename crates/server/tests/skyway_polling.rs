//! SkyWay clients that poll for ever, as `skyway-js` 4.4.2 and later does in Safari 15 and later.

use crate::support::{SkyWay, TestServer, millis, skyway_query};

#[tokio::test]
async fn signals_and_rooms_work_by_polling_alone() {
    let server = TestServer::start().await;
    let mut alice = SkyWay::open_by_polling(&server, "alice").await;
    let mut bob = SkyWay::open(&server, "bob").await;
    alice.say("SEND_OFFER", r#"{"dst":"bob","connectionId":"c","metadata":"é😀"}"#).await;
    assert_eq!(bob.told("OFFER").await["metadata"], "é😀");
    bob.say("SEND_ANSWER", r#"{"dst":"alice","connectionId":"c","metadata":"é😀"}"#).await;
    assert_eq!(alice.told("ANSWER").await["metadata"], "é😀");

    alice.say("ROOM_JOIN", r#"{"roomName":"r","roomType":"mesh"}"#).await;
    alice.told("ROOM_USER_JOIN").await;
    bob.say("ROOM_JOIN", r#"{"roomName":"r","roomType":"mesh"}"#).await;
    bob.told("ROOM_USER_JOIN").await;
    alice.told("ROOM_USER_JOIN").await;
    let payload = r#"{"roomName":"r","data":{"_placeholder":true,"num":0}}"#;
    alice.say_binary("ROOM_SEND_DATA", payload, &[&[0, 128, 255]]).await;
    let (_, parts) = bob.told_binary("ROOM_DATA").await;
    assert_eq!(parts, [[0, 128, 255]]);
    bob.say_binary("ROOM_SEND_DATA", payload, &[&[1, 2]]).await;
    let (_, parts) = alice.told_binary("ROOM_DATA").await;
    assert_eq!(parts, [[1, 2]]);
}

#[tokio::test]
async fn a_refused_client_that_polls_hears_why() {
    let server = TestServer::start().await;
    let mut client = SkyWay::connect_by_polling(&server, "apiKey=unknown&token=t").await;
    client.told_error("invalid-key").await;
    client.disconnected().await;
}

/// Whether an answer has arrived shows only when the client polls again.
#[tokio::test]
async fn what_a_client_was_answered_before_it_fell_silent_is_told_again() {
    let server = TestServer::with(|config| {
        config.engineio.ping_interval = millis(200);
        config.engineio.ping_timeout = millis(200);
    })
    .await;
    let mut bob = server.peer("bob").await;
    let mut alice = SkyWay::open_by_polling(&server, "alice").await;
    bob.send(
        r#"{"type":"ANSWER","dst":"alice","payload":{"sdp":{"sdp":"v"},"type":"media","connectionId":"mc_1"}}"#,
    )
    .await;
    assert_eq!(alice.told("ANSWER").await["connectionId"], "mc_1");
    server.until_metric("peerway_sessions_lost_total", 1).await;
    let mut back =
        SkyWay::connect_by_polling(&server, &skyway_query("alice", "token-of-alice")).await;
    back.told("OPEN").await;
    assert_eq!(back.told("ANSWER").await["connectionId"], "mc_1");
}
