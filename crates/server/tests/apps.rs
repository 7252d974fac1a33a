//! Apps side by side: namespaces, origins, discovery, limits (`docs/reference/peerjs-dialect.md` B1).

use peerway_server::config::AppConfig;

use crate::support::{Request, Socket, TestServer};

const OPEN: &str = r#"{"type":"OPEN"}"#;

fn app(key: &str) -> AppConfig {
    AppConfig::named(key)
}

async fn peer_of(server: &TestServer, key: &str, id: &str) -> Socket {
    let mut socket = server.socket(&format!("/peerjs?key={key}&id={id}&token=t")).await;
    assert_eq!(socket.text().await, OPEN);
    socket
}

async fn socket_from(server: &TestServer, origin: &str) -> Socket {
    let io = Box::new(server.connect().await);
    Socket::open(io, "/peerjs?key=shop&id=ann&token=t", &[("origin", origin)]).await
}

#[tokio::test]
async fn the_same_id_may_exist_under_two_keys_and_messages_stay_inside_one() {
    let server = TestServer::with(|config| config.app = vec![app("red"), app("blue")]).await;
    let (mut red, mut blue) =
        (peer_of(&server, "red", "ann").await, peer_of(&server, "blue", "ann").await);
    let mut ben = peer_of(&server, "red", "ben").await;
    ben.offer("ann", "1").await;
    assert_eq!(red.text().await, r#"{"type":"OFFER","src":"ben","dst":"ann","payload":1}"#);
    blue.assert_heard_all("ann").await;
    // Nor does mail cross.
    let _blue_ben = peer_of(&server, "blue", "ben").await;
    blue.offer("cat", "1").await;
    blue.assert_heard_all("ann").await;
    peer_of(&server, "red", "cat").await.assert_heard_all("cat").await;
}

#[tokio::test]
async fn with_apps_listed_the_default_key_is_unknown() {
    let server = TestServer::with(|config| config.app = vec![app("shop")]).await;
    let mut socket = server.socket("/peerjs?key=peerjs&id=ann&token=t").await;
    let text = r#"{"type":"INVALID-KEY","payload":{"msg":"Invalid key provided"}}"#;
    assert_eq!(socket.text().await, text);
}

#[tokio::test]
async fn any_key_is_a_namespace_of_its_own_where_all_are_accepted() {
    let server = TestServer::with(|config| {
        config.accept_any_key = true;
        config.allow_discovery = true;
    })
    .await;
    let mut one = peer_of(&server, "lwjd5qra8257b9", "ann").await;
    let mut two = peer_of(&server, "0d9c-any", "ann").await;
    one.offer("ann", "1").await;
    assert_eq!(one.text().await, r#"{"type":"OFFER","src":"ann","dst":"ann","payload":1}"#);
    two.assert_heard_all("ann").await;
    assert_eq!(server.get("/0d9c-any/peers").await.body, r#"["ann"]"#);
    assert_eq!(server.get("/nobody-yet/peers").await.body, "[]");
    assert_eq!(server.get("/whatever/id").await.status, 200);
}

#[tokio::test]
async fn a_word_of_the_routes_is_no_key() {
    let server = TestServer::with(|config| config.accept_any_key = true).await;
    let mut socket = server.socket("/peerjs?key=active&id=ann&token=t").await;
    assert!(socket.text().await.starts_with(r#"{"type":"INVALID-KEY""#));
}

#[tokio::test]
async fn a_page_of_another_origin_is_told_why_it_may_not_come_in() {
    let server = TestServer::with(|config| {
        config.app =
            vec![AppConfig { origins: vec!["https://shop.example".into()], ..app("shop") }];
    })
    .await;
    assert_eq!(socket_from(&server, "https://shop.example").await.text().await, OPEN);
    let mut denied = socket_from(&server, "https://evil.example").await;
    let text = r#"{"type":"INVALID-KEY","payload":{"msg":"Origin https://evil.example is not allowed for this key"}}"#;
    assert_eq!(denied.text().await, text);
    assert_eq!(denied.close_code().await, None);
    let mut nameless = server.socket("/peerjs?key=shop&id=ann&token=t").await;
    let text =
        r#"{"type":"INVALID-KEY","payload":{"msg":"Origin (none) is not allowed for this key"}}"#;
    assert_eq!(nameless.text().await, text);
}

#[tokio::test]
async fn http_answers_401_to_a_wrong_key_and_403_to_a_wrong_origin_readably() {
    let server = TestServer::with(|config| {
        config.app = vec![AppConfig { origins: vec!["shop.example".into()], ..app("shop") }];
    })
    .await;
    for (target, origin, status, body) in [
        ("/shop/id", "https://shop.example", 200, None),
        (
            "/shop/id",
            "https://evil.example",
            403,
            Some(
                r#"{"error":{"message":"Origin https://evil.example is not allowed for this key","type":"origin"}}"#,
            ),
        ),
        (
            "/other/id",
            "https://shop.example",
            401,
            Some(r#"{"error":{"message":"Invalid key provided","type":"unknown_key"}}"#),
        ),
        (
            "/other/peers",
            "https://shop.example",
            401,
            Some(r#"{"error":{"message":"Invalid key provided","type":"unknown_key"}}"#),
        ),
    ] {
        let answer = Request::get(target).header("Origin", origin).send(&server).await;
        assert_eq!(answer.status, status, "{target} {origin}");
        assert_eq!(answer.header("access-control-allow-origin"), Some(origin));
        if let Some(body) = body {
            let parse = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
            assert_eq!(parse(&answer.body), parse(body));
        }
    }
}

#[tokio::test]
async fn a_same_origin_page_is_known_by_its_referer() {
    let server = TestServer::with(|config| {
        config.app = vec![AppConfig { origins: vec!["shop.example".into()], ..app("shop") }];
    })
    .await;
    let from = |referer| Request::get("/shop/id").header("Referer", referer);
    assert_eq!(from("https://shop.example/page?x").send(&server).await.status, 200);
    assert_eq!(from("https://evil.example/shop.example").send(&server).await.status, 403);
}

#[tokio::test]
async fn a_stream_and_a_post_of_another_origin_are_refused() {
    let server = TestServer::with(|config| {
        config.app = vec![AppConfig { origins: vec!["shop.example".into()], ..app("shop") }];
    })
    .await;
    let post = |target| Request::post(target, r#"{"type":"HEARTBEAT"}"#);
    let stream = post("/shop/ann/t/id?i=0").header("Origin", "https://evil.example");
    assert_eq!(stream.send(&server).await.body, r#"{"type":"HTTP-ERROR"}"#);
    let message = post("/shop/ann/t/offer").header("Origin", "https://evil.example");
    assert_eq!(message.send(&server).await.status, 403);
}

#[tokio::test]
async fn discovery_is_switched_per_app() {
    let server = TestServer::with(|config| {
        config.allow_discovery = true;
        config.app = vec![app("open"), AppConfig { allow_discovery: Some(false), ..app("closed") }];
    })
    .await;
    let _peers = [peer_of(&server, "open", "ann").await, peer_of(&server, "closed", "ben").await];
    assert_eq!(server.get("/open/peers").await.body, r#"["ann"]"#);
    let closed = server.get("/closed/peers").await;
    assert_eq!((closed.status, closed.body.as_str()), (401, "Unauthorized"));
}

#[tokio::test]
async fn concurrent_limits_count_per_app() {
    let server = TestServer::with(|config| {
        config.app = vec![AppConfig { concurrent_limit: Some(1), ..app("small") }, app("large")];
    })
    .await;
    let _ann = peer_of(&server, "small", "ann").await;
    let mut ben = server.socket("/peerjs?key=small&id=ben&token=t").await;
    let text =
        r#"{"type":"ERROR","payload":{"msg":"Server has reached its concurrent user limit"}}"#;
    assert_eq!(ben.text().await, text);
    let _ben = peer_of(&server, "large", "ben").await;
}
