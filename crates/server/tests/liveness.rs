//! Who counts as alive (`docs/reference/peerjs-dialect.md` B4).

use tokio_tungstenite::tungstenite::Message;

use crate::support::{Socket, TestServer, millis};

const PING: &str = r#"{"type":"PING"}"#;

/// A server that notices a dead client soon, but not so soon that a busy machine looks dead.
async fn impatient_server() -> TestServer {
    TestServer::with(|config| {
        config.alive_timeout = millis(1500);
        config.ping_interval = Some(millis(200));
    })
    .await
}

/// Reads, and so answers pings, until that many frames satisfy the condition.
async fn read_until(socket: &mut Socket, count: usize, wanted: impl Fn(&Message) -> bool) {
    let mut seen = 0;
    while seen < count {
        let message = socket.message().await.expect("the session goes on");
        assert!(!message.is_close(), "{message:?}");
        seen += usize::from(wanted(&message));
    }
}

#[tokio::test]
async fn an_idle_old_client_hears_json_pings_and_stays() {
    let server = impatient_server().await;
    let mut ann = server.peer("ann").await;
    // Longer than `alive_timeout`.
    read_until(&mut ann, 10, |it| it.to_text().is_ok_and(|text| text == PING)).await;
    assert_eq!(server.metric("peerway_peers").await, 1);
}

#[tokio::test]
async fn a_client_that_only_answers_pings_is_kept() {
    let server = impatient_server().await;
    let mut ann = server.socket("/peerjs?key=peerjs&id=ann&token=t&version=1.5.5").await;
    ann.text().await;
    read_until(&mut ann, 10, Message::is_ping).await;
    ann.assert_heard_all("ann").await;
}

#[tokio::test]
async fn a_socket_without_a_sign_of_life_ends_and_frees_its_id() {
    let server = impatient_server().await;
    // Open, but nobody reads it and so nobody answers.
    let _dead = server.peer("ann").await;
    server.until_metric("peerway_peers", 0).await;
    server.until_metric(r#"peerway_closes_total{reason="dead"}"#, 1).await;
    let mut other = server.socket("/peerjs?key=peerjs&id=ann&token=other").await;
    assert_eq!(other.text().await, r#"{"type":"OPEN"}"#);
}

#[tokio::test]
async fn a_dead_socket_makes_way_when_its_user_comes_back_with_a_fresh_page() {
    let server = TestServer::with(|config| config.probe_timeout = millis(300)).await;
    // Open, but nobody reads it and so nobody answers the probe.
    let _dead = server.peer("ann").await;
    let mut fresh = server.socket("/peerjs?key=peerjs&id=ann&token=other").await;
    assert_eq!(fresh.text().await, r#"{"type":"OPEN"}"#);
    fresh.assert_heard_all("ann").await;
    server.until_metric(r#"peerway_closes_total{reason="dead"}"#, 1).await;
}

#[tokio::test]
async fn a_live_socket_keeps_its_id_by_answering_the_probe() {
    let server = TestServer::with(|config| config.probe_timeout = millis(60_000)).await;
    let mut ann = server.peer("ann").await;
    let mut thief = server.socket("/peerjs?key=peerjs&id=ann&token=other").await;
    read_until(&mut ann, 1, Message::is_ping).await;
    // The answer goes out with the next frame.
    ann.assert_heard_all("ann").await;
    assert_eq!(thief.text().await, r#"{"type":"ID-TAKEN","payload":{"msg":"ID is taken"}}"#);
    ann.assert_heard_all("ann").await;
}

#[tokio::test]
async fn a_client_that_sent_heartbeat_hears_no_json_ping() {
    let server = TestServer::with(|config| config.ping_interval = Some(millis(50))).await;
    let mut ann = server.peer("ann").await;
    ann.send(r#"{"type":"HEARTBEAT"}"#).await;
    read_until(&mut ann, 5, Message::is_ping).await;
    // A PING may have been sent before the HEARTBEAT came, none after it.
    read_no_text(&mut ann, 5).await;
}

#[tokio::test]
async fn a_client_that_names_its_version_hears_no_json_ping() {
    let server = TestServer::with(|config| config.ping_interval = Some(millis(50))).await;
    let mut ann = server.socket("/peerjs?key=peerjs&id=ann&token=t&version=1.4.0").await;
    ann.text().await;
    read_no_text(&mut ann, 5).await;
}

#[tokio::test]
async fn a_busy_client_is_not_asked_whether_it_lives() {
    let server = TestServer::with(|config| {
        config.ping_interval = Some(millis(1000));
        config.limits.message_burst = 1_000_000;
    })
    .await;
    let mut ann = server.peer("ann").await;
    // Traffic all the time, until the interval has passed.
    loop {
        ann.offer("ann", "1").await;
        match ann.message().await {
            Some(Message::Text(text)) if text == PING => return,
            Some(Message::Text(_)) => {}
            other => panic!("{other:?}"),
        }
    }
}

/// Reads that many `WebSocket` pings and no text among them.
async fn read_no_text(socket: &mut Socket, pings: usize) {
    read_until(socket, pings, |message| {
        assert!(!message.is_text(), "{message:?}");
        message.is_ping()
    })
    .await;
}
