//! What a PeerJS 0.3 client without a socket says by POST (`docs/reference/peerjs-dialect.md` A5).

use std::time::Duration;

use peerway_server::clock;

use crate::support::{Answer, Request, TestServer, stream_of, until_message};

async fn post(server: &TestServer, from: &str, kind: &str, body: &str) -> Answer {
    let target = format!("/peerjs/{from}/t/{kind}");
    Request::post(&target, body).header("Content-Type", "application/json").send(server).await
}

#[tokio::test]
async fn a_post_is_answered_ok_and_relayed_with_the_source_of_the_url() {
    let server = TestServer::start().await;
    let mut ben = server.peer("ben").await;
    let _stream = stream_of(&server, "ann", "t", 0).await;
    let body = r#"{"type":"OFFER","payload":{"x":[1]},"dst":"ben","src":"eve"}"#;
    let answer = post(&server, "ann", "offer", body).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "OK"));
    let text = r#"{"type":"OFFER","src":"ann","dst":"ben","payload":{"x":[1]}}"#;
    assert_eq!(ben.text().await, text);
}

#[tokio::test]
async fn a_candidate_that_overtakes_its_offer_on_the_way_here_is_relayed_behind_it() {
    let server = TestServer::start().await;
    let mut ben = server.peer("ben").await;
    let _stream = stream_of(&server, "ann", "t", 0).await;
    let candidate = r#"{"type":"CANDIDATE","payload":1,"dst":"ben"}"#;
    let offer = r#"{"type":"OFFER","payload":2,"dst":"ben"}"#;
    assert_eq!(post(&server, "ann", "candidate", candidate).await.body, "OK");
    assert_eq!(post(&server, "ann", "offer", offer).await.body, "OK");
    assert_eq!(ben.text().await, r#"{"type":"OFFER","src":"ann","dst":"ben","payload":2}"#);
    assert_eq!(ben.text().await, r#"{"type":"CANDIDATE","src":"ann","dst":"ben","payload":1}"#);
}

#[tokio::test]
async fn an_unknown_client_is_looked_for_twice_and_then_denied() {
    let server = TestServer::start().await;
    let began = clock::now();
    let answer = post(&server, "ann", "offer", r#"{"type":"OFFER","dst":"ben"}"#).await;
    assert_eq!(answer.status, 401);
    assert!(clock::now() - began >= Duration::from_millis(25));
}

#[tokio::test]
async fn a_wrong_token_is_denied() {
    let server = TestServer::start().await;
    let _stream = stream_of(&server, "ann", "right", 0).await;
    let answer = post(&server, "ann", "offer", r#"{"type":"OFFER","dst":"ann"}"#).await;
    assert_eq!(answer.status, 401);
    assert_eq!(server.metric("peerway_mail").await, 0);
}

#[tokio::test]
async fn a_wrong_key_is_denied() {
    let server = TestServer::start().await;
    let answer = Request::post("/other/ann/t/offer", r#"{"type":"OFFER","dst":"ben"}"#);
    assert_eq!(answer.send(&server).await.status, 401);
}

#[tokio::test]
async fn a_post_that_is_no_message_is_told() {
    let server = TestServer::start().await;
    let _stream = stream_of(&server, "ann", "t", 0).await;
    let answer = post(&server, "ann", "offer", "{").await;
    assert_eq!(answer.status, 400);
    assert!(answer.body.contains("Invalid message"), "{}", answer.body);
}

#[tokio::test]
async fn types_that_need_no_relay_are_answered_ok() {
    let server = TestServer::start().await;
    let _stream = stream_of(&server, "ann", "t", 0).await;
    for kind in ["HEARTBEAT", "PONG", "NEWS"] {
        let answer = post(&server, "ann", "x", &format!(r#"{{"type":"{kind}"}}"#)).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, "OK"), "{kind}");
    }
}

#[tokio::test]
async fn a_client_with_a_socket_may_post_as_well() {
    let server = TestServer::start().await;
    let mut ben = server.peer("ben").await;
    let target = "/peerjs/ben/token-of-ben/answer";
    let answer = Request::post(target, r#"{"type":"ANSWER","dst":"ben","payload":1}"#);
    assert_eq!(answer.send(&server).await.status, 200);
    assert_eq!(ben.text().await, r#"{"type":"ANSWER","src":"ben","dst":"ben","payload":1}"#);
}

#[tokio::test]
async fn leave_by_post_ends_the_stream_and_frees_the_id() {
    let server = TestServer::start().await;
    let mut stream = stream_of(&server, "ann", "t", 0).await;
    stream.chunk().await.unwrap();
    assert_eq!(post(&server, "ann", "leave", r#"{"type":"LEAVE"}"#).await.status, 200);
    assert_eq!(until_message(&mut stream).await, None);
    server.peer("ann").await.assert_heard_all("ann").await;
}

#[tokio::test]
async fn an_expired_pair_is_told_on_the_stream() {
    let server =
        TestServer::with(|config| config.expire_timeout = crate::support::millis(100)).await;
    let mut stream = stream_of(&server, "ann", "t", 0).await;
    stream.chunk().await.unwrap();
    post(&server, "ann", "offer", r#"{"type":"OFFER","dst":"ben"}"#).await;
    let expire = r#"{"type":"EXPIRE","src":"ben","dst":"ann"}"#;
    assert_eq!(until_message(&mut stream).await.unwrap(), expire);
}

#[tokio::test]
async fn a_whole_call_goes_over_streams_and_posts_alone() {
    let server = TestServer::start().await;
    let mut ann = stream_of(&server, "ann", "t", 0).await;
    let mut ben = stream_of(&server, "ben", "t", 0).await;
    ann.chunk().await.unwrap();
    ben.chunk().await.unwrap();
    for (from, to, kind) in [
        ("ann", "ben", "OFFER"),
        ("ann", "ben", "CANDIDATE"),
        ("ben", "ann", "ANSWER"),
        ("ben", "ann", "CANDIDATE"),
        ("ann", "ben", "CANDIDATE"),
        ("ben", "ann", "LEAVE"),
    ] {
        let body =
            format!(r#"{{"type":"{kind}","payload":{{"connectionId":"dc_1"}},"dst":"{to}"}}"#);
        let answer = post(&server, from, &kind.to_lowercase(), &body).await;
        assert_eq!(answer.status, 200, "{kind}");
        let receiver = if to == "ann" { &mut ann } else { &mut ben };
        let line = format!(
            r#"{{"type":"{kind}","src":"{from}","dst":"{to}","payload":{{"connectionId":"dc_1"}}}}"#
        );
        assert_eq!(until_message(receiver).await.unwrap(), line);
    }
}
