//! The streaming XHR sessions of PeerJS 0.3 (`docs/reference/peerjs-dialect.md` A5).

use std::time::Duration;

use peerway_server::clock;

use crate::support::{Request, TestServer, millis, stream_of, until_message};

const OPEN: &str = r#"{"type":"OPEN"}"#;
const PING: &str = "{\"type\":\"PING\"}\n";
const HTTP_ERROR: &str = r#"{"type":"HTTP-ERROR"}"#;

fn padding() -> String {
    format!("{}\n", "0".repeat(2048))
}

fn offer(payload: impl std::fmt::Display) -> String {
    format!(r#"{{"type":"OFFER","src":"ann","dst":"ben","payload":{payload}}}"#)
}

#[tokio::test]
async fn a_stream_begins_with_padding_and_open_in_2065_bytes() {
    let server = TestServer::start().await;
    let mut stream = stream_of(&server, "ben", "t", 0).await;
    assert_eq!(stream.head.status, 200);
    assert_eq!(stream.head.header("content-type"), Some("application/octet-stream"));
    assert_eq!(stream.head.header("transfer-encoding"), Some("chunked"));
    let first = stream.chunk().await.unwrap();
    assert_eq!(first, format!("{}{OPEN}\n", padding()));
    assert_eq!(first.len(), 2065);
}

#[tokio::test]
async fn lines_come_one_by_one_and_apart_and_as_many_pings_push_them_out() {
    let server = TestServer::start().await;
    let mut ann = server.peer("ann").await;
    let mut stream = stream_of(&server, "ben", "t", 0).await;
    stream.chunk().await.unwrap();
    let began = clock::now();
    for number in 0..10 {
        ann.offer("ben", &number.to_string()).await;
    }
    for number in 0..10 {
        assert_eq!(until_message(&mut stream).await.unwrap(), offer(number));
    }
    assert!(clock::now() - began >= Duration::from_millis(9 * 30));
    for _ in 0..10 {
        assert_eq!(stream.chunk().await.unwrap(), PING);
    }
}

#[tokio::test]
async fn an_idle_stream_is_pinged_in_the_interval() {
    let server = TestServer::with(|config| config.ping_interval = Some(millis(100))).await;
    let mut stream = stream_of(&server, "ben", "t", 0).await;
    stream.chunk().await.unwrap();
    let began = clock::now();
    for _ in 0..6 {
        assert_eq!(stream.chunk().await.unwrap(), PING);
    }
    // One pushes OPEN out, the others come of themselves.
    assert!(clock::now() - began >= Duration::from_millis(5 * 100));
}

#[tokio::test]
async fn mail_comes_as_lines_after_open() {
    let server = TestServer::start().await;
    let mut ann = server.peer("ann").await;
    ann.offer("ben", "1").await;
    ann.offer("ben", "2").await;
    ann.assert_heard_all("ann").await;
    let mut stream = stream_of(&server, "ben", "t", 0).await;
    assert!(stream.chunk().await.unwrap().ends_with("{\"type\":\"OPEN\"}\n"));
    assert_eq!(until_message(&mut stream).await.unwrap(), offer(1));
    assert_eq!(until_message(&mut stream).await.unwrap(), offer(2));
}

#[tokio::test]
async fn a_payload_over_several_lines_becomes_one_line() {
    let server = TestServer::start().await;
    let mut ann = server.peer("ann").await;
    let mut stream = stream_of(&server, "ben", "t", 0).await;
    stream.chunk().await.unwrap();
    ann.offer("ben", "{\n\n  \"sdp\":\r\n  \"v=0\\r\\n\"\n}").await;
    let line = until_message(&mut stream).await.unwrap();
    assert_eq!(line, offer(r#"{    "sdp":    "v=0\r\n" }"#));
}

#[tokio::test]
async fn a_socket_beside_a_stream_attaches_silently_and_ends_it() {
    let server = TestServer::start().await;
    let mut ann = server.peer("ann").await;
    let mut stream = stream_of(&server, "ben", "t", 0).await;
    assert!(stream.chunk().await.unwrap().ends_with("{\"type\":\"OPEN\"}\n"));
    let mut socket = server.socket("/peerjs?key=peerjs&id=ben&token=t").await;
    // No OPEN comes before this.
    socket.assert_heard_all("ben").await;
    assert_eq!(until_message(&mut stream).await, None);
    ann.offer("ben", "1").await;
    assert_eq!(socket.text().await, offer(1));
}

#[tokio::test]
async fn what_the_stream_had_not_written_goes_to_the_socket() {
    let server = TestServer::start().await;
    let mut ann = server.peer("ann").await;
    let mut stream = stream_of(&server, "ben", "t", 0).await;
    stream.chunk().await.unwrap();
    for number in 0..50 {
        ann.offer("ben", &number.to_string()).await;
    }
    ann.assert_heard_all("ann").await;
    let mut heard = vec![until_message(&mut stream).await.unwrap()];
    let mut socket = server.socket("/peerjs?key=peerjs&id=ben&token=t").await;
    while let Some(line) = until_message(&mut stream).await {
        heard.push(line);
    }
    let from_stream = heard.len();
    while heard.len() < 50 {
        heard.push(socket.text().await);
    }
    assert!(from_stream < 50, "nothing was left for the socket");
    assert_eq!(heard, (0..50).map(offer).collect::<Vec<_>>());
    socket.assert_heard_all("ben").await;
}

#[tokio::test]
async fn a_stream_beside_a_socket_has_no_open() {
    let server = TestServer::start().await;
    let mut ben = server.peer("ben").await;
    let mut stream = stream_of(&server, "ben", "token-of-ben", 0).await;
    assert_eq!(stream.chunk().await.unwrap(), padding());
    assert_eq!(stream.chunk().await.unwrap(), PING);
    ben.assert_heard_all("ben").await;
    // The client aborts the stream a few seconds after its socket opened.
    drop(stream);
    server.until_metric(r#"peerway_sessions{transport="xhr"}"#, 0).await;
    ben.assert_heard_all("ben").await;
}

#[tokio::test]
async fn who_leaves_before_its_stream_has_ended_hears_open_when_it_is_back() {
    let server = TestServer::start().await;
    let ben = server.peer("ben").await;
    let mut stream = stream_of(&server, "ben", "token-of-ben", 0).await;
    assert_eq!(stream.chunk().await.unwrap(), padding());
    ben.close().await;
    assert_eq!(until_message(&mut stream).await, None);
    // Waits for OPEN.
    server.peer("ben").await;
}

#[tokio::test]
async fn the_next_stream_takes_over_without_open() {
    let server = TestServer::start().await;
    let mut ann = server.peer("ann").await;
    let mut old = stream_of(&server, "ben", "t", 0).await;
    assert!(old.chunk().await.unwrap().ends_with("{\"type\":\"OPEN\"}\n"));
    let mut new = stream_of(&server, "ben", "t", 1).await;
    assert_eq!(new.chunk().await.unwrap(), padding());
    assert_eq!(until_message(&mut old).await, None);
    drop(old);
    server.until_metric(r#"peerway_sessions{transport="xhr"}"#, 1).await;
    ann.offer("ben", "1").await;
    assert_eq!(until_message(&mut new).await.unwrap(), offer(1));
}

#[tokio::test]
async fn a_stream_that_closes_without_a_socket_frees_the_id() {
    let server = TestServer::start().await;
    let stream = stream_of(&server, "ben", "t", 0).await;
    drop(stream);
    server.until_metric("peerway_peers", 0).await;
    server.peer("ben").await.assert_heard_all("ben").await;
}

#[tokio::test]
async fn a_wrong_token_gets_padding_and_an_error() {
    let server = TestServer::start().await;
    let mut ben = server.peer("ben").await;
    let answer = Request::post("/peerjs/ben/wrong/id?i=0", "").send(&server).await;
    assert_eq!((answer.status, answer.body), (200, format!("{}{HTTP_ERROR}", padding())));
    ben.assert_heard_all("ben").await;
}

#[tokio::test]
async fn a_wrong_key_or_a_full_server_gets_an_error_without_padding() {
    let server = TestServer::with(|config| config.concurrent_limit = 1).await;
    let answer = Request::post("/other/ben/t/id?i=0", "").send(&server).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, HTTP_ERROR));
    let _ann = server.peer("ann").await;
    let answer = Request::post("/peerjs/ben/t/id?i=0", "").send(&server).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, HTTP_ERROR));
}
