//! Sessions of SkyWay clients: opening, what is said between them, coming back.

use serde_json::json;

use crate::support::{Request, SkyWay, TestServer, millis, skyway_query};

#[tokio::test]
async fn a_client_opens_with_its_id() {
    let server = TestServer::start().await;
    let mut client = SkyWay::connect(&server, &skyway_query("alice", "t")).await;
    assert_eq!(client.told_text("OPEN").await, r#"{"peerId":"alice"}"#);
}

#[tokio::test]
async fn a_client_without_an_id_is_given_one_of_16_letters_and_digits() {
    let server = TestServer::start().await;
    let mut client = SkyWay::connect(&server, "apiKey=peerjs&token=t").await;
    let open = client.told("OPEN").await;
    let id = open["peerId"].as_str().unwrap();
    assert_eq!(id.len(), 16);
    assert!(id.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{id}");
}

#[tokio::test]
async fn an_id_in_use_is_refused_with_a_word_before_the_disconnect() {
    let server = TestServer::start().await;
    let mut first = SkyWay::open(&server, "alice").await;
    let mut second = SkyWay::connect(&server, &skyway_query("alice", "other")).await;
    second.told_error("unavailable-id").await;
    second.disconnected().await;
    first.assert_heard_all("alice").await;
}

#[tokio::test]
async fn signals_pass_untouched_with_their_sender() {
    let server = TestServer::start().await;
    let mut alice = SkyWay::open(&server, "alice").await;
    let mut bob = SkyWay::open(&server, "b ob").await;
    for (said, told) in [
        ("SEND_OFFER", "OFFER"),
        ("SEND_ANSWER", "ANSWER"),
        ("SEND_CANDIDATE", "CANDIDATE"),
        ("SEND_FORCE_CLOSE", "FORCE_CLOSE"),
    ] {
        alice.say(said, r#"{"dst":"b ob","connectionId":"c","new":[1.0],"src":"eve"}"#).await;
        let expected = r#"{"dst":"b ob","connectionId":"c","new":[1.0],"src":"alice"}"#;
        assert_eq!(bob.told_text(told).await, expected);
    }
    alice.say("SEND_LEAVE", r#"{"dst":"b ob"}"#).await;
    assert_eq!(bob.told_text("LEAVE").await, r#""alice""#);
}

#[tokio::test]
async fn an_absent_peer_is_told_with_its_id_in_quotes() {
    let server = TestServer::with(|config| config.expire_timeout = millis(0)).await;
    let mut alice = SkyWay::open(&server, "alice").await;
    alice.say("SEND_OFFER", r#"{"dst":"nobody","connectionId":"c"}"#).await;
    let message = alice.told_error("peer-unavailable").await;
    assert_eq!(message.split('"').nth(1), Some("nobody"), "{message}");
    assert_eq!(message.matches('"').count(), 2, "{message}");
}

#[tokio::test]
async fn bad_events_are_answered_and_cost_nothing_else() {
    let server = TestServer::start().await;
    let mut alice = SkyWay::open(&server, "alice").await;
    alice.say("SEND_OFFER", "null").await;
    alice.told_error("server-error").await;
    alice.say("SEND_OFFER", r#"{"dst":""}"#).await;
    alice.told_error("peer-unavailable").await;
    alice.say("ROOM_JOIN", r#"{"roomType":"mesh"}"#).await;
    alice.told_error("room-error").await;
    alice.say("PING", "null").await;
    alice.say("SOMETHING_NEW", r#"{"a":1}"#).await;
    alice.assert_heard_all("alice").await;
}

#[tokio::test]
async fn a_signal_over_the_limit_is_refused() {
    let server = TestServer::with(|config| config.limits.frame_size.0 = 1024).await;
    let mut alice = SkyWay::open(&server, "alice").await;
    let payload = format!(r#"{{"dst":"alice","metadata":"{}"}}"#, "x".repeat(1024));
    alice.say("SEND_OFFER", &payload).await;
    let message = alice.told_error("server-error").await;
    assert!(message.contains("1024"), "{message}");
    alice.assert_heard_all("alice").await;
}

#[tokio::test]
async fn a_goodbye_frees_the_id_at_once() {
    let server = TestServer::start().await;
    SkyWay::open(&server, "alice").await.leave().await;
    let mut again = SkyWay::connect(&server, &skyway_query("alice", "other")).await;
    again.told("OPEN").await;
}

#[tokio::test]
async fn who_comes_back_with_the_same_token_hears_what_was_said_meanwhile() {
    let server = TestServer::start().await;
    let mut bob = SkyWay::open(&server, "bob").await;
    drop(SkyWay::open(&server, "alice").await);
    server.until_metric("peerway_sessions_lost_total", 1).await;
    bob.say("SEND_OFFER", r#"{"dst":"alice","connectionId":"c1"}"#).await;
    bob.say("SEND_CANDIDATE", r#"{"dst":"alice","connectionId":"c1"}"#).await;
    bob.assert_heard_all("bob").await;
    let mut alice = SkyWay::connect(&server, &skyway_query("alice", "token-of-alice")).await;
    assert_eq!(alice.told("OPEN").await["peerId"], "alice");
    assert_eq!(alice.told("OFFER").await["connectionId"], "c1");
    assert_eq!(alice.told("CANDIDATE").await["src"], "bob");
}

#[tokio::test]
async fn requests_may_come_before_open() {
    let server = TestServer::start().await;
    let mut bob = SkyWay::open(&server, "bob").await;
    let mut alice = SkyWay::connect(&server, &skyway_query("alice", "t")).await;
    for number in 0..20 {
        alice.say("SEND_CANDIDATE", &format!(r#"{{"dst":"bob","number":{number}}}"#)).await;
    }
    for number in 0..20 {
        assert_eq!(bob.told("CANDIDATE").await["number"], number);
    }
    alice.told("OPEN").await;
}

#[tokio::test]
async fn a_lost_client_is_replaced_at_once_by_another_token() {
    let server = TestServer::start().await;
    drop(SkyWay::open(&server, "alice").await);
    server.until_metric("peerway_sessions_lost_total", 1).await;
    let mut reloaded = SkyWay::connect(&server, &skyway_query("alice", "new-page")).await;
    reloaded.told("OPEN").await;
}

#[tokio::test]
async fn a_client_that_comes_back_before_the_loss_is_noticed_takes_over() {
    let server = TestServer::start().await;
    let old = SkyWay::open(&server, "alice").await;
    let mut new = SkyWay::connect(&server, &skyway_query("alice", "token-of-alice")).await;
    new.told("OPEN").await;
    old.disconnected().await;
    new.assert_heard_all("alice").await;
}

#[tokio::test]
async fn a_server_that_stops_breaks_the_connection_so_that_clients_come_back() {
    let server = TestServer::start().await;
    let alice = SkyWay::open(&server, "alice").await;
    server.control.stop();
    alice.broken().await;
}

#[tokio::test]
async fn the_dispatcher_answers_with_each_name_in_turn() {
    let server = TestServer::with(|config| {
        config.skyway.domains = vec!["a.example".into(), "b.example".into()];
    })
    .await;
    for name in ["a.example", "b.example", "a.example"] {
        let answer = server.get("/signaling").await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.body, json!({ "domain": name }).to_string());
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    }
}

#[tokio::test]
async fn the_dispatcher_knows_the_host_that_was_asked() {
    let server = TestServer::with(|config| config.path = "/below".into()).await;
    let answer = Request::get("/signaling").host("dispatcher.example:443").send(&server).await;
    assert_eq!(answer.body, r#"{"domain":"dispatcher.example"}"#);
    let asked = Request::get("/signaling").header("Origin", "https://page.example");
    let answer = asked.send(&server).await;
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://page.example"));
}

#[tokio::test]
async fn all_peers_are_listed_where_that_is_permitted() {
    let server = TestServer::with(|config| config.allow_discovery = true).await;
    let _alice = SkyWay::open(&server, "alice").await;
    let _bob = server.peer("bob").await;
    let answer = server.get("/api/apikeys/peerjs/clients/").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, r#"["alice","bob"]"#));

    let server = TestServer::start().await;
    let asked = Request::get("/api/apikeys/peerjs/clients/").header("Origin", "https://a.example");
    let answer = asked.send(&server).await;
    assert_eq!(answer.status, 401);
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://a.example"));
    assert_eq!(server.get("/api/apikeys/unknown/clients/").await.status, 401);
}

#[tokio::test]
async fn whether_a_peer_exists_may_be_asked_without_permission() {
    let server = TestServer::start().await;
    let _peer = SkyWay::open(&server, "a b").await;
    for (id, body) in [("a%20b", r#"{"exists":true}"#), ("nobody", r#"{"exists":false}"#)] {
        let answer = server.get(&format!("/api/apikeys/peerjs/peers/{id}/exists")).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, body));
    }
}

#[tokio::test]
async fn one_address_cannot_fill_the_server_with_lost_sessions() {
    let server = TestServer::with(|config| config.limits.sessions_per_address = 1).await;
    drop(SkyWay::open(&server, "alice").await);
    server.until_metric("peerway_sessions_lost_total", 1).await;
    drop(SkyWay::open(&server, "bob").await);
    server.until_metric("peerway_peers", 1).await;

    // Alice's place among the lost is free again when she is back.
    drop(SkyWay::open(&server, "alice").await);
    server.until_metric("peerway_sessions_lost_total", 2).await;
    server.until_metric("peerway_peers", 1).await;
}
