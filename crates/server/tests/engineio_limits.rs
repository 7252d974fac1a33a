//! What Engine.IO clients may not do, and what it costs them.

use peerway_server::config::Bytes;

use crate::support::{Part, PollAnswer, Polling, Request, SocketIo, TestServer, millis, within};

const QUERY: &str = "a=b";

fn text(text: &str) -> Part {
    Part::Text(text.into())
}

/// A server that takes 100 kB at once.
async fn small_server() -> TestServer {
    TestServer::echo(|config| config.limits.payload_size = Bytes(100_000)).await
}

/// What a poller that is refused hears last.
async fn last_words(polling: &Polling) -> Vec<Part> {
    let words = polling.get().await.parts();
    assert_eq!(polling.get().await.status, 400);
    words
}

fn refused(reason: &str) -> Vec<Part> {
    let event = serde_json::json!(["refused", reason]).to_string();
    vec![text(&format!("42{event}")), text("41"), text("1")]
}

#[tokio::test]
async fn a_body_that_is_too_big_is_refused_before_it_is_read() {
    let server = small_server().await;
    let (polling, _) = Polling::open(&server, QUERY).await;
    let mut io = polling.begin("POST", "application/octet-stream", 100_001).await;
    let answer = PollAnswer::read(&mut io).await;
    assert_eq!(answer.status, 413);
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://page.example"));
    let expected = refused("Message too big: the limit is 100000 bytes");
    assert_eq!(last_words(&polling).await, expected);
    server.assert_well().await;
}

#[tokio::test]
async fn base64_may_be_longer_than_what_it_stands_for() {
    let server = small_server().await;
    let (polling, _) = Polling::open(&server, "b64=1").await;
    let event = "39:451-[\"m\",{\"_placeholder\":true,\"num\":0}]";
    let body = format!("{event}{}:b4{}", 120_002, "A".repeat(120_000));
    assert_eq!(polling.request("POST", "text/plain", body.as_bytes()).await.status, 200);
    assert_eq!(polling.get().await.text(), body);
    let mut io = polling.begin("POST", "text/plain", 140_000).await;
    assert_eq!(PollAnswer::read(&mut io).await.status, 413);
}

#[tokio::test]
async fn a_frame_that_is_too_big_is_refused() {
    let server = small_server().await;
    let mut client = SocketIo::socket(&server, QUERY).await;
    client.send_raw(&"4".repeat(100_001)).await;
    let told = client.expect("refused").await;
    assert_eq!(told, "Message too big: the limit is 100000 bytes");
    client.assert_disconnected().await;
    server.assert_well().await;
}

#[tokio::test]
async fn an_event_that_is_too_big_with_its_parts_is_refused() {
    let server = small_server().await;
    let json = r#"[{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#;
    let mut client = SocketIo::socket(&server, QUERY).await;
    let part = vec![0; 60_000];
    client.emit_binary("m", json, &[&part, &part]).await;
    assert_eq!(client.expect("refused").await, "Message too big: the limit is 100000 bytes");
    client.assert_disconnected().await;
}

#[tokio::test]
async fn bodies_that_make_no_sense_end_the_session_with_a_reason() {
    let server = small_server().await;
    let parts = format!("4:{}", "4521");
    for (kind, body, reason) in [
        ("text/plain", "x".as_bytes(), "a wrong packet length"),
        ("text/plain", b"9:4", "a wrong packet length"),
        ("text/plain", b"1:x", "an unknown packet type"),
        ("text/plain", b"99999999999:4", "a wrong packet length"),
        ("text/plain", b"2:4\xff", "a body that is not UTF-8"),
        ("text/plain", b"2:49", "an unknown Socket.IO packet type"),
        ("text/plain", b"4:42[]", "an event that is not a JSON array with a name"),
        ("text/plain", b"5:42[1]", "an event that is not a JSON array with a name"),
        ("text/plain", b"3:b4!", "a packet that is not Base64"),
        ("text/plain", b"6:b4AAAA", "a binary part that does not belong to an event"),
        ("text/plain", parts.as_bytes(), "a wrong number in a Socket.IO packet"),
        ("application/octet-stream", b"\x00\x09\xff4", "a wrong packet length"),
        ("application/octet-stream", b"\x02\x01\xff4", "an unknown packet type"),
        ("application/octet-stream", b"\x00\x01", "a wrong packet length"),
    ] {
        let (polling, _) = Polling::open(&server, QUERY).await;
        let answer = polling.request("POST", kind, body).await;
        let told = (answer.status, answer.text().contains(reason));
        assert_eq!(told, (400, true), "{body:?}: {}", answer.text());
        let words = last_words(&polling).await;
        assert!(format!("{words:?}").contains(reason), "{words:?}");
    }
    server.assert_well().await;
}

#[tokio::test]
async fn frames_that_make_no_sense_end_the_session_with_a_reason() {
    let server = small_server().await;
    for (packet, reason) in [
        ("", "an empty packet"),
        ("x", "an unknown packet type"),
        ("47", "an unknown Socket.IO packet type"),
        ("42{}", "an event that is not a JSON array with a name"),
        ("42[\"m\"", "an event that is not a JSON array with a name"),
        ("451[\"m\"]", "a wrong number in a Socket.IO packet"),
        ("451-[\"m\",{\"_placeholder\":true,\"num\":1}]", "a placeholder without its binary part"),
        ("4512345-[\"m\"]", "too many binary parts"),
    ] {
        let mut client = SocketIo::socket(&server, QUERY).await;
        client.send_raw(packet).await;
        let told = client.expect("refused").await;
        assert!(told.as_str().unwrap().contains(reason), "{packet}: {told}");
        client.assert_disconnected().await;
    }
    server.assert_well().await;
}

#[tokio::test]
async fn text_between_an_event_and_its_parts_is_refused() {
    let server = small_server().await;
    let mut client = SocketIo::socket(&server, QUERY).await;
    client.send_raw("451-[\"m\",{\"_placeholder\":true,\"num\":0}]").await;
    client.send_raw("42[\"m\"]").await;
    let told = client.expect("refused").await;
    assert!(told.as_str().unwrap().contains("or a missing one"), "{told}");
    client.assert_disconnected().await;
}

#[tokio::test]
async fn a_flood_is_refused_by_every_transport() {
    let server = TestServer::echo(|config| {
        config.limits.messages_per_second = 1;
        config.limits.message_burst = 5;
    })
    .await;
    let mut client = SocketIo::socket(&server, QUERY).await;
    for _ in 0..20 {
        client.send_raw("2").await;
    }
    assert_eq!(client.expect("refused").await, "Too many messages: the limit is 1 per second");
    client.assert_disconnected().await;

    let (polling, _) = Polling::open(&server, QUERY).await;
    let answer = polling.post(&vec![text("6"); 20]).await;
    assert_eq!(answer.status, 429);
    assert_eq!(last_words(&polling).await, refused("Too many messages: the limit is 1 per second"));
}

#[tokio::test]
async fn too_many_packets_in_one_body_are_refused() {
    let server = small_server().await;
    let (polling, _) = Polling::open(&server, QUERY).await;
    let answer = polling.post(&vec![text("6"); 5000]).await;
    assert_eq!((answer.status, answer.text().contains("too many packets at once")), (400, true));
}

#[tokio::test]
async fn a_client_that_never_polls_fills_no_memory() {
    let server = small_server().await;
    let (polling, _) = Polling::open(&server, QUERY).await;
    let ended = async { while polling.post(&vec![text("2"); 50]).await.status == 200 {} };
    within("the session to end", ended).await;
    assert_eq!(polling.get().await.parts().last(), Some(&text("1")));
}

#[tokio::test]
async fn an_address_has_only_so_many_sessions() {
    let server = TestServer::echo(|config| config.limits.sessions_per_address = 1).await;
    let client = SocketIo::polling(&server, QUERY).await;
    for transport in ["polling", "websocket"] {
        let target = format!("/socket.io/?EIO=3&transport={transport}");
        let answer = Request::get(&target).send(&server).await;
        assert_eq!(answer.status, 503, "{transport}");
        assert!(answer.body.contains("concurrent user limit"), "{}", answer.body);
    }
    // It keeps its place when it changes to a socket, and gives it back when it ends.
    let upgraded = client.upgrade(&server).await;
    upgraded.disconnect().await;
    let target = "/socket.io/?EIO=3&transport=polling";
    let free = async { while Request::get(target).send(&server).await.status != 200 {} };
    within("a free place", free).await;
}

#[tokio::test]
async fn a_body_that_does_not_come_is_given_up_and_the_session_goes_on() {
    let server = TestServer::echo(|config| config.limits.handshake_timeout = millis(300)).await;
    let (polling, _) = Polling::open(&server, QUERY).await;
    let mut io = polling.begin("POST", "text/plain", 10).await;
    assert_eq!(PollAnswer::read(&mut io).await.status, 408);
    polling.post(&[text(r#"42["m",1]"#)]).await;
    assert_eq!(polling.get().await.parts(), [text(r#"42["m",1]"#)]);
}

#[tokio::test]
async fn a_poll_waits_longer_than_other_requests_may_take() {
    let server = TestServer::echo(|config| config.limits.handshake_timeout = millis(100)).await;
    let (polling, _) = Polling::open(&server, QUERY).await;
    let mut io = polling.begin("GET", "", 0).await;
    let (other, _) = Polling::open(&server, QUERY).await;
    let mut unfinished = other.begin("POST", "text/plain", 10).await;
    assert_eq!(PollAnswer::read(&mut unfinished).await.status, 408);
    polling.post(&[text(r#"42["m",1]"#)]).await;
    assert_eq!(PollAnswer::read(&mut io).await.parts(), [text(r#"42["m",1]"#)]);
}

#[tokio::test]
async fn sessions_are_counted_by_their_transport() {
    let server = small_server().await;
    let client = SocketIo::polling(&server, QUERY).await;
    server.until_metric(r#"peerway_sessions{transport="polling"}"#, 1).await;
    let client = client.upgrade(&server).await;
    server.until_metric(r#"peerway_sessions{transport="socketio"}"#, 1).await;
    server.until_metric(r#"peerway_sessions{transport="polling"}"#, 0).await;
    client.disconnect().await;
    server.until_metric(r#"peerway_sessions{transport="socketio"}"#, 0).await;
}
