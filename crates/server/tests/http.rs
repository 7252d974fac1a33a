//! The pages: information, ids, lists, CORS (`docs/reference/peerjs-dialect.md` A, A6).

use crate::support::{Request, TestServer};

const INFORMATION: &str = r#"{"name":"PeerJS Server","description":"A server side element to broker connections between PeerJS clients.","website":"https://peerjs.com/"}"#;

#[tokio::test]
async fn the_information_is_that_of_peer_server() {
    let server = TestServer::start().await;
    let answer = server.get("/").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, INFORMATION));
    assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"));
    assert_eq!(Request::get("/").header("Accept", "*/*").send(&server).await.body, INFORMATION);
}

#[tokio::test]
async fn everything_but_health_and_metrics_is_below_the_path() {
    let server = TestServer::with(|config| {
        config.path = "/my/app".into();
        config.allow_discovery = true;
    })
    .await;
    for target in ["/my/app", "/my/app/"] {
        assert_eq!(server.get(target).await.body, INFORMATION, "{target}");
    }
    for target in ["/my/app/peerjs/id?ts=1", "/my/app/peerjs/peers", "/my/app/status.json"] {
        assert_eq!(server.get(target).await.status, 200, "{target}");
    }
    for target in ["/", "/peerjs/id", "/my", "/my/apps", "/status.json"] {
        assert_eq!(server.get(target).await.status, 404, "{target}");
    }
    assert_eq!(server.get("/healthz").await.body, "ok\n");
    assert_eq!(server.get("/metrics").await.status, 200);
}

#[tokio::test]
async fn a_wrong_path_is_told_with_the_right_one() {
    let server = TestServer::with(|config| config.path = "/my".into()).await;
    let body = server.get("/peerjs/id").await.body;
    let text = "no such path here: /peerjs/id. PeerJS clients need the option path: '/my/', which \
                gives the WebSocket endpoint /my/peerjs and /my/<key>/id";
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["error"]["message"], text);
}

#[tokio::test]
async fn an_id_is_a_bare_version_4_uuid() {
    let server = TestServer::start().await;
    let answer = server.get("/peerjs/id?ts=17320000000000.123&version=1.5.5").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(answer.body.len(), 36);
    for (index, c) in answer.body.chars().enumerate() {
        let right = match index {
            8 | 13 | 18 | 23 => c == '-',
            14 => c == '4',
            19 => "89ab".contains(c),
            _ => c.is_ascii_digit() || ('a'..='f').contains(&c),
        };
        assert!(right, "{}", answer.body);
    }
    assert_ne!(server.get("/peerjs/id").await.body, answer.body);
}

#[tokio::test]
async fn peers_are_listed_only_where_that_is_allowed() {
    let server = TestServer::start().await;
    let answer = server.get("/peerjs/peers?ts=1").await;
    assert_eq!((answer.status, answer.body.as_str()), (401, "Unauthorized"));

    let server = TestServer::with(|config| config.allow_discovery = true).await;
    assert_eq!(server.get("/peerjs/peers").await.body, "[]");
    let (_ben, ann) = (server.peer("ben").await, server.peer("ann").await);
    let answer = server.get("/peerjs/peers?ts=1").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, r#"["ann","ben"]"#));
    assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"));
    ann.close().await;
    assert_eq!(server.get("/peerjs/peers").await.body, r#"["ben"]"#);
}

#[tokio::test]
async fn the_callers_origin_is_reflected_on_every_answer() {
    let server = TestServer::start().await;
    for (request, status) in [
        (Request::get("/"), 200),
        (Request::get("/peerjs/id"), 200),
        (Request::get("/peerjs/peers"), 401),
        (Request::get("/other/id"), 401),
        (Request::get("/no/such/path"), 404),
        (Request::new("DELETE", "/peerjs/id"), 405),
        (Request::post("/peerjs/ann/t/offer", "{"), 400),
        (Request::post("/peerjs/ann/t/offer", r#"{"type":"LEAVE"}"#), 401),
        (Request::post("/other/ann/t/id?i=0", ""), 200),
    ] {
        let answer = request.header("Origin", "https://a.example").send(&server).await;
        assert_eq!(answer.status, status);
        let allowed = answer.header("access-control-allow-origin");
        assert_eq!(allowed, Some("https://a.example"), "{status}");
        assert_eq!(answer.header("vary"), Some("Origin"));
        assert_eq!(answer.header("access-control-allow-credentials"), None);
    }
}

#[tokio::test]
async fn without_an_origin_there_is_no_cors_header() {
    let server = TestServer::start().await;
    let answer = server.get("/peerjs/id").await;
    assert_eq!(answer.header("access-control-allow-origin"), None);
}

#[tokio::test]
async fn a_preflight_is_answered_with_all_methods_and_the_headers_asked_for() {
    let server = TestServer::start().await;
    for target in ["/peerjs/ann/t/offer", "/peerjs/id", "/no/such/path"] {
        let request = Request::new("OPTIONS", target)
            .header("Origin", "https://a.example")
            .header("Access-Control-Request-Method", "POST")
            .header("Access-Control-Request-Headers", "content-type,x-mine");
        let answer = request.send(&server).await;
        assert_eq!((answer.status, answer.body.as_str()), (204, ""));
        for (name, value) in [
            ("access-control-allow-origin", "https://a.example"),
            ("access-control-allow-methods", "GET,HEAD,PUT,PATCH,POST,DELETE"),
            ("access-control-allow-headers", "content-type,x-mine"),
            ("vary", "Origin"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{target}");
        }
    }
}

#[tokio::test]
async fn with_a_list_of_origins_only_those_are_reflected() {
    let server = TestServer::with(|config| {
        config.cors = vec!["https://a.example".into(), "https://b.example".into()];
    })
    .await;
    for (origin, allowed) in [
        ("https://b.example", Some("https://b.example")),
        ("https://c.example", None),
        ("null", None),
    ] {
        let answer = Request::get("/peerjs/id").header("Origin", origin).send(&server).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("access-control-allow-origin"), allowed, "{origin}");
    }
}
