//! SkyWay and PeerJS clients under one key.

use serde_json::{Value, json};

use crate::support::{SkyWay, Socket, TestServer};

const CHANNEL: &str = r#""type":"data","connectionId":"dc_1","sdp":{"type":"offer","sdp":"v=0"}"#;

async fn both(server: &TestServer) -> (Socket, SkyWay) {
    (server.peer("pj").await, SkyWay::open(server, "sky").await)
}

async fn frame(socket: &mut Socket) -> Value {
    serde_json::from_str(&socket.text().await).unwrap()
}

#[tokio::test]
async fn a_call_from_peerjs_is_answered_by_skyway() {
    let server = TestServer::start().await;
    let (mut pj, mut sky) = both(&server).await;
    pj.offer(
        "sky",
        r#"{"sdp":{"type":"offer","sdp":"v=0"},"type":"media","connectionId":"mc_1","metadata":{"a":1}}"#,
    )
    .await;
    assert_eq!(
        sky.told("OFFER").await,
        json!({
            "offer": {"type": "offer", "sdp": "v=0"}, "connectionId": "mc_1",
            "connectionType": "media", "metadata": {"a": 1}, "src": "pj"
        })
    );
    sky.say(
        "SEND_ANSWER",
        r#"{"answer":{"type":"answer","sdp":"v=1"},"dst":"pj","connectionId":"mc_1","connectionType":"media"}"#,
    )
    .await;
    let answer = frame(&mut pj).await;
    assert_eq!(answer["type"], "ANSWER");
    assert_eq!(answer["src"], "sky");
    assert_eq!(answer["payload"]["sdp"], json!({"type": "answer", "sdp": "v=1"}));
    assert_eq!(answer["payload"]["type"], "media");
}

#[tokio::test]
async fn a_connection_from_skyway_reaches_peerjs() {
    let server = TestServer::start().await;
    let (mut pj, mut sky) = both(&server).await;
    sky.say(
        "SEND_OFFER",
        r#"{"offer":{"type":"offer","sdp":"v"},"dst":"pj","connectionId":"dc_1","connectionType":"data","label":"l","serialization":"none"}"#,
    )
    .await;
    let offer = frame(&mut pj).await;
    assert_eq!((&offer["type"], &offer["src"]), (&json!("OFFER"), &json!("sky")));
    assert_eq!(offer["payload"]["serialization"], "raw");
    pj.send(r#"{"type":"CANDIDATE","dst":"sky","payload":{"candidate":{"candidate":"c","sdpMid":"0","sdpMLineIndex":0},"type":"data","connectionId":"dc_1"}}"#)
        .await;
    let candidate = sky.told("CANDIDATE").await;
    assert_eq!(candidate["candidate"]["candidate"], "c");
    assert_eq!(candidate["connectionType"], "data");
}

#[tokio::test]
async fn a_binary_connection_from_peerjs_is_refused_with_advice() {
    let server = TestServer::start().await;
    let (mut pj, mut sky) = both(&server).await;
    pj.offer("sky", &format!(r#"{{{CHANNEL},"serialization":"binary"}}"#)).await;
    let expired = frame(&mut pj).await;
    assert_eq!(expired["type"], "EXPIRE");
    let words = expired["src"].as_str().unwrap();
    assert!(words.starts_with("sky: it is a SkyWay client") && words.contains("'raw'"), "{words}");
    assert_eq!(expired["payload"]["peer"], "sky");
    pj.offer("sky", &format!(r#"{{{CHANNEL},"serialization":"raw"}}"#)).await;
    assert_eq!(sky.told("OFFER").await["serialization"], "none");
}

#[tokio::test]
async fn a_binary_connection_from_skyway_is_refused_with_advice() {
    let server = TestServer::start().await;
    let (mut pj, mut sky) = both(&server).await;
    sky.say(
        "SEND_OFFER",
        r#"{"offer":{"sdp":"v"},"dst":"pj","connectionId":"dc_1","connectionType":"data","serialization":"binary"}"#,
    )
    .await;
    let message = sky.told_error("peer-unavailable").await;
    assert!(message.contains(r#""pj""#) && message.contains("'none' or 'json'"), "{message}");
    pj.assert_heard_all("pj").await;
}

#[tokio::test]
async fn a_refusal_does_not_wait_until_the_other_is_there() {
    let server = TestServer::start().await;
    let mut pj = server.peer("pj").await;
    pj.offer("sky", &format!(r#"{{{CHANNEL},"serialization":"binary"}}"#)).await;
    let _sky = SkyWay::open(&server, "sky").await;
    assert!(frame(&mut pj).await["src"].as_str().unwrap().contains("binary format"));
}
