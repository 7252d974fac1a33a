//! What is passed from peer to peer, what waits, what expires (`docs/reference/peerjs-dialect.md` B2, B3).

use crate::support::{TestServer, millis};

#[tokio::test]
async fn a_message_arrives_with_type_src_dst_and_payload_in_this_order() {
    let server = TestServer::start().await;
    let (mut ann, mut ben) = (server.peer("ann").await, server.peer("ben").await);
    for kind in ["OFFER", "ANSWER", "CANDIDATE"] {
        let payload = r#"{"sdp": {"b":1, "a":[1.50,"\u00e9"]}}"#;
        ann.send(&format!(r#"{{"dst":"ben","payload":{payload},"type":"{kind}"}}"#)).await;
        let text = format!(r#"{{"type":"{kind}","src":"ann","dst":"ben","payload":{payload}}}"#);
        assert_eq!(ben.text().await, text);
    }
}

#[tokio::test]
async fn the_source_is_who_sent_it_whatever_the_frame_claims() {
    let server = TestServer::start().await;
    let (mut ann, mut ben) = (server.peer("ann").await, server.peer("ben").await);
    ann.send(r#"{"type":"OFFER","src":"eve","dst":"ben","payload":1,"extra":true}"#).await;
    assert_eq!(ben.text().await, r#"{"type":"OFFER","src":"ann","dst":"ben","payload":1}"#);
}

#[tokio::test]
async fn a_null_payload_stays_and_an_absent_one_stays_absent() {
    let server = TestServer::start().await;
    let (mut ann, mut ben) = (server.peer("ann").await, server.peer("ben").await);
    ann.send(r#"{"type":"OFFER","dst":"ben","payload":null}"#).await;
    ann.send(r#"{"type":"OFFER","dst":"ben"}"#).await;
    assert_eq!(ben.text().await, r#"{"type":"OFFER","src":"ann","dst":"ben","payload":null}"#);
    assert_eq!(ben.text().await, r#"{"type":"OFFER","src":"ann","dst":"ben"}"#);
}

#[tokio::test]
async fn leave_and_expire_of_clients_are_relayed() {
    let server = TestServer::start().await;
    let (mut ann, mut ben) = (server.peer("ann").await, server.peer("ben").await);
    for kind in ["LEAVE", "EXPIRE"] {
        ann.send(&format!(r#"{{"type":"{kind}","dst":"ben"}}"#)).await;
        let text = format!(r#"{{"type":"{kind}","src":"ann","dst":"ben"}}"#);
        assert_eq!(ben.text().await, text);
    }
}

#[tokio::test]
async fn leave_and_expire_never_wait_for_a_peer() {
    let server = TestServer::start().await;
    let mut ann = server.peer("ann").await;
    ann.send(r#"{"type":"LEAVE","dst":"ben"}"#).await;
    ann.send(r#"{"type":"EXPIRE","dst":"ben"}"#).await;
    ann.offer("ben", "1").await;
    ann.assert_heard_all("ann").await;
    let mut ben = server.peer("ben").await;
    assert_eq!(ben.text().await, r#"{"type":"OFFER","src":"ann","dst":"ben","payload":1}"#);
}

#[tokio::test]
async fn leave_to_nobody_frees_the_id() {
    let server = TestServer::start().await;
    let mut ann = server.peer("ann").await;
    ann.send(r#"{"type":"LEAVE"}"#).await;
    assert_eq!(ann.close_code().await, Some(1000));
    let mut other = server.socket("/peerjs?key=peerjs&id=ann&token=somebody-else").await;
    assert_eq!(other.text().await, r#"{"type":"OPEN"}"#);
}

#[tokio::test]
async fn unknown_types_are_dropped_without_a_word() {
    let server = TestServer::start().await;
    let (mut ann, mut ben) = (server.peer("ann").await, server.peer("ben").await);
    for kind in ["offer", "OPEN", "PING", "HTTP-ERROR", "X", "", "ID-TAKEN"] {
        ann.send(&format!(r#"{{"type":"{kind}","dst":"ben","payload":1}}"#)).await;
    }
    ann.assert_heard_all("ann").await;
    ben.assert_heard_all("ben").await;
}

#[tokio::test]
async fn heartbeat_and_pong_are_not_answered() {
    let server = TestServer::start().await;
    let mut ann = server.peer("ann").await;
    ann.send(r#"{"type":"HEARTBEAT"}"#).await;
    ann.send(r#"{"type":"PONG"}"#).await;
    ann.assert_heard_all("ann").await;
}

#[tokio::test]
async fn what_is_not_a_message_is_told_and_the_socket_stays_open() {
    let server = TestServer::start().await;
    let mut ann = server.peer("ann").await;
    for nonsense in [
        "",
        "{",
        "hello",
        "[]",
        "null",
        "7",
        r#""OFFER""#,
        "{}",
        r#"{"type":7}"#,
        r#"{"type":null}"#,
        r#"{"type":"OFFER","dst":["ann"]}"#,
        r#"{"type":"OFFER","dst":"ann"}}"#,
        r#"{"type":"OFFER","dst":"ann","payload":{]}"#,
        r#"{"type":"OFFER","dst":"a\nb"}"#,
    ] {
        ann.send(nonsense).await;
        let told = ann.text().await;
        let start = r#"{"type":"ERROR","payload":{"msg":"Invalid message: "#;
        assert!(told.starts_with(start), "{nonsense} was answered with {told}");
    }
    ann.assert_heard_all("ann").await;
}

/// What a page sends that calls `peer.connect(undefined)`: PeerJS 1.x gives up its whole peer when
/// it hears ERROR.
#[tokio::test]
async fn a_message_to_nobody_costs_its_sender_nothing() {
    let server = TestServer::start().await;
    let mut ann = server.peer("ann").await;
    for to_nobody in [
        r#"{"type":"OFFER"}"#,
        r#"{"type":"OFFER","dst":""}"#,
        r#"{"type":"CANDIDATE","dst":null,"payload":{}}"#,
    ] {
        ann.send(to_nobody).await;
    }
    ann.assert_heard_all("ann").await;
}

#[tokio::test]
async fn a_message_nested_too_deep_is_told_and_does_no_harm() {
    let server = TestServer::start().await;
    let mut ann = server.peer("ann").await;
    let deep = "[".repeat(100_000);
    ann.offer("ann", &deep).await;
    assert!(ann.text().await.starts_with(r#"{"type":"ERROR""#));
    ann.assert_heard_all("ann").await;
}

#[tokio::test]
async fn a_message_to_oneself_is_delivered() {
    let server = TestServer::start().await;
    let mut ann = server.peer("ann").await;
    ann.offer("ann", r#""me""#).await;
    assert_eq!(ann.text().await, r#"{"type":"OFFER","src":"ann","dst":"ann","payload":"me"}"#);
}

#[tokio::test]
async fn mail_waits_and_comes_in_order_right_after_open() {
    let server = TestServer::start().await;
    let (mut ann, mut cat) = (server.peer("ann").await, server.peer("cat").await);
    for number in 0..3 {
        ann.offer("ben", &format!("{number}")).await;
        ann.assert_heard_all("ann").await;
        cat.offer("ben", &format!("{number}")).await;
        cat.assert_heard_all("cat").await;
    }
    assert_eq!(server.metric("peerway_mail").await, 6);
    let mut ben = server.peer("ben").await;
    for number in 0..3 {
        for src in ["ann", "cat"] {
            let text =
                format!(r#"{{"type":"OFFER","src":"{src}","dst":"ben","payload":{number}}}"#);
            assert_eq!(ben.text().await, text);
        }
    }
    ben.assert_heard_all("ben").await;
    assert_eq!(server.metric("peerway_mail").await, 0);
}

#[tokio::test]
async fn messages_keep_their_order_while_the_receiver_connects() {
    let server = TestServer::start().await;
    let mut ann = server.peer("ann").await;
    let sending = async {
        for number in 0..500 {
            ann.offer("ben", &number.to_string()).await;
        }
    };
    let (mut ben, ()) = tokio::join!(server.peer("ben"), sending);
    for number in 0..500 {
        let text = format!(r#"{{"type":"OFFER","src":"ann","dst":"ben","payload":{number}}}"#);
        assert_eq!(ben.text().await, text);
    }
}

#[tokio::test]
async fn a_pair_expires_once_for_all_its_messages() {
    let server = TestServer::with(|config| config.expire_timeout = millis(500)).await;
    let mut ann = server.peer("ann").await;
    ann.offer("ben", "1").await;
    ann.send(r#"{"type":"CANDIDATE","dst":"ben","payload":2}"#).await;
    ann.offer("cat", "1").await;
    assert_eq!(ann.text().await, r#"{"type":"EXPIRE","src":"ben","dst":"ann"}"#);
    assert_eq!(ann.text().await, r#"{"type":"EXPIRE","src":"cat","dst":"ann"}"#);
    ann.assert_heard_all("ann").await;
    assert_eq!(server.metric("peerway_mail").await, 0);
    // What expired is not delivered late.
    server.peer("ben").await.assert_heard_all("ben").await;
}

#[tokio::test]
async fn each_sender_is_told_and_later_messages_expire_anew() {
    let server = TestServer::with(|config| config.expire_timeout = millis(150)).await;
    let (mut ann, mut cat) = (server.peer("ann").await, server.peer("cat").await);
    for _ in 0..2 {
        ann.offer("ben", "1").await;
        cat.offer("ben", "1").await;
        assert_eq!(ann.text().await, r#"{"type":"EXPIRE","src":"ben","dst":"ann"}"#);
        assert_eq!(cat.text().await, r#"{"type":"EXPIRE","src":"ben","dst":"cat"}"#);
    }
}

#[tokio::test]
async fn an_expire_timeout_of_zero_expires_an_offer_at_once() {
    let server = TestServer::with(|config| config.expire_timeout = millis(0)).await;
    let mut ann = server.peer("ann").await;
    ann.offer("ben", "1").await;
    ann.send(r#"{"type":"CANDIDATE","dst":"ben","payload":2}"#).await;
    assert_eq!(ann.text().await, r#"{"type":"EXPIRE","src":"ben","dst":"ann"}"#);
    ann.assert_heard_all("ann").await;
}

#[tokio::test]
async fn nobody_is_told_that_a_peer_left() {
    let server = TestServer::start().await;
    let (mut ann, mut ben) = (server.peer("ann").await, server.peer("ben").await);
    ann.offer("ben", "1").await;
    assert!(ben.text().await.starts_with(r#"{"type":"OFFER""#));
    ben.close().await;
    server.until_metric("peerway_peers", 1).await;
    ann.assert_heard_all("ann").await;
}
