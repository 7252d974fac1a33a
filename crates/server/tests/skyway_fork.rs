//! The SkyWay fork of PeerJS 0.3 (`docs/reference/peerjs-dialect.md` A, A5 and B2).

use tokio_tungstenite::tungstenite::Message;

use crate::support::{Request, TestServer, millis, stream_of, until_message};

const PING: &str = r#"{"type":"PING"}"#;
const PONG: &str = r#"{"type":"PONG"}"#;

#[tokio::test]
async fn the_wanted_id_comes_back_as_json() {
    let server = TestServer::start().await;
    let answer = server.get("/peerjs/id?ts=1732&id=my_own-id").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, r#"{"id":"my_own-id"}"#));
    assert!(answer.header("content-type").is_some_and(|it| it.starts_with("application/json")));
}

#[tokio::test]
async fn an_empty_wish_gets_a_fresh_id_as_json() {
    let server = TestServer::start().await;
    let answer = server.get("/peerjs/id?ts=1732&id=").await;
    let answer: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(answer["id"].as_str().unwrap().len(), 36);
}

#[tokio::test]
async fn an_impossible_wish_is_refused() {
    let server = TestServer::start().await;
    let answer = server.get("/peerjs/id?id=a%00b").await;
    assert_eq!(answer.status, 400);
    assert!(answer.body.contains("Invalid id"), "{}", answer.body);
}

#[tokio::test]
async fn a_client_that_never_sent_heartbeat_is_sent_ping_again_and_again() {
    let server = TestServer::with(|config| config.ping_interval = Some(millis(50))).await;
    let mut ann = server.peer("ann").await;
    for _ in 0..5 {
        assert_eq!(ann.text().await, PING);
        ann.send(PONG).await;
    }
}

#[tokio::test]
async fn when_its_socket_dies_a_stream_goes_on_without_open() {
    let server = TestServer::start().await;
    let mut ben = server.peer("ben").await;
    let mut ann = server.peer("ann").await;
    ann.send(PONG).await;
    ann.assert_heard_all("ann").await;
    drop(ann);
    server.until_metric("peerway_peers", 1).await;
    // What comes meanwhile waits.
    ben.offer("ann", "1").await;
    ben.assert_heard_all("ben").await;
    let mut stream = stream_of(&server, "ann", "token-of-ann", 0).await;
    assert_eq!(stream.chunk().await.unwrap().len(), 2049);
    let text = r#"{"type":"OFFER","src":"ben","dst":"ann","payload":1}"#;
    assert_eq!(until_message(&mut stream).await.unwrap(), text);
    let post = r#"{"type":"ANSWER","dst":"ben","payload":2}"#;
    let answer = Request::post("/peerjs/ann/token-of-ann/answer", post).send(&server).await;
    assert_eq!(answer.status, 200);
    let text = r#"{"type":"ANSWER","src":"ann","dst":"ben","payload":2}"#;
    assert_eq!(ben.text().await, text);
}

#[tokio::test]
async fn a_closed_socket_is_resumed_as_well() {
    let server = TestServer::start().await;
    let mut ann = server.peer("ann").await;
    ann.send(PONG).await;
    ann.close().await;
    let mut stream = stream_of(&server, "ann", "token-of-ann", 0).await;
    assert_eq!(stream.chunk().await.unwrap().len(), 2049);
}

#[tokio::test]
async fn the_id_is_not_reserved_for_the_one_who_may_resume() {
    let server = TestServer::start().await;
    let mut ann = server.peer("ann").await;
    ann.send(PONG).await;
    ann.close().await;
    let mut other = server.socket("/peerjs?key=peerjs&id=ann&token=other").await;
    assert_eq!(other.text().await, r#"{"type":"OPEN"}"#);
    let late = Request::post("/peerjs/ann/token-of-ann/id?i=0", "").send(&server).await;
    assert!(late.body.ends_with(r#"{"type":"HTTP-ERROR"}"#));
}

#[tokio::test]
async fn after_the_grace_a_stream_opens_anew() {
    let server = TestServer::with(|config| config.resume_grace = millis(0)).await;
    let mut ann = server.peer("ann").await;
    ann.send(PONG).await;
    ann.close().await;
    let mut stream = stream_of(&server, "ann", "token-of-ann", 0).await;
    assert_eq!(stream.chunk().await.unwrap().len(), 2065);
}

#[tokio::test]
async fn a_client_of_another_kind_starts_anew_with_open() {
    let server = TestServer::start().await;
    server.peer("ann").await.close().await;
    let mut stream = stream_of(&server, "ann", "token-of-ann", 0).await;
    assert_eq!(stream.chunk().await.unwrap().len(), 2065);
}

#[tokio::test]
async fn active_list_and_count_have_their_exact_form() {
    let server = TestServer::with(|config| config.allow_discovery = true).await;
    let count = server.get("/active/count/peerjs").await;
    let none = r#"{"name":"active_session","count":0,"api_key":"peerjs"}"#;
    assert_eq!((count.status, count.body.as_str()), (200, none));
    assert_eq!(server.get("/active/list/peerjs").await.body, "[]");
    let _peers = [server.peer("id2").await, server.peer("id1").await];
    assert_eq!(server.get("/active/list/peerjs").await.body, r#"["id1","id2"]"#);
    let two = r#"{"name":"active_session","count":2,"api_key":"peerjs"}"#;
    assert_eq!(server.get("/active/count/peerjs").await.body, two);
}

#[tokio::test]
async fn active_needs_discovery_and_a_known_key() {
    let server = TestServer::start().await;
    for target in ["/active/list/peerjs", "/active/count/peerjs"] {
        let answer = server.get(target).await;
        assert_eq!((answer.status, answer.body.as_str()), (401, "Unauthorized"), "{target}");
    }
    let server = TestServer::with(|config| config.allow_discovery = true).await;
    for target in ["/active/list/other", "/active/count/other"] {
        assert_eq!(server.get(target).await.status, 401, "{target}");
    }
}

#[tokio::test]
async fn pings_do_not_disturb_a_client_that_answers_none() {
    let server = TestServer::with(|config| config.ping_interval = Some(millis(50))).await;
    let mut ann = server.peer("ann").await;
    let mut web_socket_pings = 0;
    while web_socket_pings < 3 {
        match ann.message().await {
            Some(Message::Text(text)) => assert_eq!(text, PING),
            Some(Message::Ping(_)) => web_socket_pings += 1,
            other => panic!("{other:?}"),
        }
    }
}
