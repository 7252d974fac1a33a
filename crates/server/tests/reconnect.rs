//! A client that comes back (`docs/reference/peerjs-dialect.md` B1).

use crate::support::{Socket, TestServer};

const OPEN: &str = r#"{"type":"OPEN"}"#;

fn offer(payload: usize) -> String {
    format!(r#"{{"type":"OFFER","src":"ann","dst":"ben","payload":{payload}}}"#)
}

#[tokio::test]
async fn the_same_token_opens_anew_and_the_old_socket_is_closed() {
    let server = TestServer::start().await;
    let (mut ann, mut old) = (server.peer("ann").await, server.peer("ben").await);
    // `peer` waits for OPEN.
    let mut new = server.peer("ben").await;
    assert_eq!(old.close_code().await, Some(1000));
    ann.offer("ben", "1").await;
    assert_eq!(new.text().await, offer(1));
    assert_eq!(server.metric("peerway_peers").await, 2);
}

#[tokio::test]
async fn the_end_of_the_old_socket_does_not_concern_the_new_one() {
    let server = TestServer::start().await;
    let old = server.peer("ben").await;
    let mut new = server.peer("ben").await;
    old.close().await;
    server.until_metric(r#"peerway_sessions{transport="websocket"}"#, 1).await;
    new.assert_heard_all("ben").await;
}

#[tokio::test]
async fn a_superseded_socket_can_say_nothing_any_more() {
    let server = TestServer::start().await;
    let (mut ann, mut old) = (server.peer("ann").await, server.peer("ben").await);
    let _new = server.peer("ben").await;
    old.send_raw(&[0x81, 0x80, 0, 0, 0, 0]).await;
    assert_eq!(old.close_code().await, Some(1000));
    ann.assert_heard_all("ann").await;
}

#[tokio::test]
async fn a_wrong_token_changes_nothing() {
    let server = TestServer::start().await;
    let (mut ann, mut ben) = (server.peer("ann").await, server.peer("ben").await);
    let mut thief = server.socket("/peerjs?key=peerjs&id=ben&token=guess").await;
    assert_eq!(thief.text().await, r#"{"type":"ID-TAKEN","payload":{"msg":"ID is taken"}}"#);
    ann.offer("ben", "1").await;
    assert_eq!(ben.text().await, offer(1));
}

#[tokio::test]
async fn mail_that_came_meanwhile_is_there_after_a_reconnect() {
    let server = TestServer::start().await;
    let mut ann = server.peer("ann").await;
    server.peer("ben").await.close().await;
    for number in 0..20 {
        ann.offer("ben", &number.to_string()).await;
    }
    ann.assert_heard_all("ann").await;
    let mut ben = server.peer("ben").await;
    for number in 0..20 {
        assert_eq!(ben.text().await, offer(number));
    }
    ben.assert_heard_all("ben").await;
}

#[tokio::test]
async fn what_the_old_socket_did_not_take_goes_to_the_new_one() {
    let server = TestServer::with(|config| {
        config.limits.outbox_size.0 = 64 * 1024 * 1024;
    })
    .await;
    let (mut ann, mut old) = (server.peer("ann").await, server.peer("ben").await);
    // More than the buffers of a loopback connection hold, with nobody reading.
    let large = format!(r#""{}""#, "x".repeat(200_000));
    for _ in 0..100 {
        ann.offer("ben", &large).await;
    }
    ann.offer("ben", "1").await;
    ann.assert_heard_all("ann").await;
    let mut new = server.peer("ben").await;
    let mut heard = 0;
    while new.text().await != offer(1) {
        heard += 1;
    }
    assert!((1..=100).contains(&heard), "{heard} messages came over the new socket");
    let mut before = 0;
    while old.text_or_close().await.is_some() {
        before += 1;
    }
    assert_eq!(before + heard, 100, "{before} over the old socket, {heard} over the new one");
}

#[tokio::test]
async fn of_many_at_once_with_the_same_token_one_stays() {
    let server = TestServer::start().await;
    let mut sockets: Vec<Socket> = Vec::new();
    for _ in 0..20 {
        sockets.push(server.socket("/peerjs?key=peerjs&id=ben&token=t").await);
    }
    let mut last = sockets.pop().unwrap();
    assert_eq!(last.text().await, OPEN);
    last.assert_heard_all("ben").await;
    for mut socket in sockets {
        assert_eq!(socket.text().await, OPEN);
        assert_eq!(socket.close_code().await, Some(1000));
    }
    server.until_metric(r#"peerway_sessions{transport="websocket"}"#, 1).await;
}
