//! What the operator sees: health, metrics, the status page.

use crate::support::{Answer, Request, TestServer, millis, stream_of};

#[tokio::test]
async fn health_is_ok_while_the_node_answers() {
    let server = TestServer::start().await;
    let answer = server.get("/healthz").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "ok\n"));
}

#[tokio::test]
async fn metrics_tell_what_happened() {
    let server = TestServer::start().await;
    let (mut ann, mut ben) = (server.peer("ann").await, server.peer("ben").await);
    ann.offer("ben", "1").await;
    ben.text().await;
    ann.offer("nobody", "1").await;
    ann.assert_heard_all("ann").await;
    let _refused = server.socket("/peerjs?key=wrong&id=x&token=t").await.text().await;
    for (name, value) in [
        ("peerway_peers", 2),
        ("peerway_mail", 1),
        (r#"peerway_sessions{transport="xhr"}"#, 0),
        (r#"peerway_messages_total{type="offer",outcome="received"}"#, 2),
        (r#"peerway_messages_total{type="offer",outcome="delivered"}"#, 1),
        (r#"peerway_refusals_total{reason="unknown_key"}"#, 1),
    ] {
        assert_eq!(server.metric(name).await, value, "{name}");
    }
    let page = server.get("/metrics").await;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!(page.header("content-type"), Some(kind));
    assert!(page.body.ends_with("# EOF\n"));
}

#[tokio::test]
async fn when_everybody_has_gone_every_gauge_is_zero() {
    let server = TestServer::with(|config| config.expire_timeout = millis(100)).await;
    let (mut ann, ben) = (server.peer("ann").await, server.peer("ben").await);
    let _taken = server.socket("/peerjs?key=peerjs&id=ann&token=x").await.text().await;
    let stream = stream_of(&server, "cat", "t", 0).await;
    let second = stream_of(&server, "cat", "t", 1).await;
    let beside = server.socket("/peerjs?key=peerjs&id=cat&token=t").await;
    let replaced = server.peer("dan").await;
    let dan = server.peer("dan").await;
    ann.offer("nobody", "1").await;
    ann.assert_heard_all("ann").await;
    drop((stream, second, beside, replaced, dan));
    ann.close().await;
    ben.close().await;
    for name in [
        "peerway_peers",
        "peerway_mail",
        "peerway_mail_bytes",
        r#"peerway_sessions{transport="websocket"}"#,
        r#"peerway_sessions{transport="xhr"}"#,
    ] {
        server.until_metric(name, 0).await;
    }
}

#[tokio::test]
async fn metrics_can_ask_for_a_token_or_be_off() {
    let server = TestServer::with(|config| {
        config.metrics.token = Some("a-token-of-mine".to_owned().into());
    })
    .await;
    assert_eq!(server.get("/metrics").await.status, 401);
    for (shown, status) in
        [("Bearer a-token-of-mine", 200), ("Bearer another", 401), ("a-token-of-mine", 401)]
    {
        let request = Request::get("/metrics").header("Authorization", shown);
        assert_eq!(request.send(&server).await.status, status, "{shown}");
    }
    let server = TestServer::with(|config| config.metrics.enabled = false).await;
    assert_eq!(server.get("/metrics").await.status, 404);
}

#[tokio::test]
async fn browsers_get_the_status_page_unless_it_is_off() {
    const ACCEPT: &str = "text/html,application/xhtml+xml,*/*;q=0.8";
    let server = TestServer::start().await;
    let page = Request::get("/").header("Accept", ACCEPT).send(&server).await;
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(page.header("content-security-policy").is_some_and(|it| it.contains("'none'")));
    assert!(page.body.contains("<html"));
    // An answer depends on Accept, so caches must know.
    assert!(page.header("vary").is_some());

    let server = TestServer::with(|config| config.status_page = false).await;
    let page = Request::get("/").header("Accept", ACCEPT).send(&server).await;
    assert!(page.body.starts_with(r#"{"name":"PeerJS Server""#));
    assert_eq!(server.get("/status.json").await.status, 404);
    assert_eq!(server.get("/page.js").await.status, 404);
    assert_eq!(server.get("/peerway.js").await.status, 200);
}

#[tokio::test]
async fn the_page_lets_nothing_run_but_its_own_files() {
    let server = TestServer::start().await;
    let page = Request::get("/").header("Accept", "text/html").send(&server).await;
    let policy = page.header("content-security-policy").unwrap();
    assert!(!policy.contains("unsafe"), "{policy}");
    for name in ["page.js", "page.css", "icon.svg", "peerway.mjs", "peerway-files.mjs"] {
        assert_eq!(server.get(&format!("/{name}")).await.status, 200, "{name}");
    }
    assert!(!page.body.contains("<style") && !page.body.contains("style="), "no styles inside");
}

#[tokio::test]
async fn a_path_without_its_last_slash_leads_to_the_page() {
    let server = TestServer::with(|config| config.path = "/a/my".into()).await;
    let answer = Request::get("/a/my").header("Accept", "text/html").send(&server).await;
    assert_eq!((answer.status, answer.header("location")), (307, Some("my/")));
    assert!(server.get("/a/my").await.body.starts_with(r#"{"name":"#));
}

#[tokio::test]
async fn the_sdk_is_at_the_root_and_under_the_path() {
    let server = TestServer::with(|config| config.path = "/my".into()).await;
    let script = server.get("/peerway.js").await;
    assert_eq!(script.header("content-type"), Some("text/javascript; charset=utf-8"));
    assert_eq!(script.header("cache-control"), Some("no-cache"));
    assert_eq!(script.header("access-control-allow-origin"), Some("*"));
    for path in ["/dist/peer.min.js", "/my/peerway.js", "/my/dist/peer.min.js"] {
        assert_eq!(server.get(path).await.body, script.body, "{path}");
    }
    let module = server.get("/peerway.mjs").await;
    assert_eq!(module.body, server.get("/my/peerway.mjs").await.body);
    // An app whose key is the name of the folder is served as before.
    assert_eq!(server.get("/my/dist/id").await.status, 401);
}

#[tokio::test]
async fn who_has_the_sdk_already_is_told_so() {
    let server = TestServer::start().await;
    let script = server.get("/peerway.js").await;
    let tag = script.header("etag").unwrap();
    let asked = |known: String| Request::get("/peerway.js").header("If-None-Match", &known);
    for known in [tag.to_owned(), format!("W/{tag}"), format!(r#""x", {tag}"#)] {
        let answer = asked(known.clone()).send(&server).await;
        assert_eq!((answer.status, answer.body.as_str()), (304, ""), "{known}");
        assert_eq!(answer.header("etag"), Some(tag));
    }
    assert_eq!(asked(r#""x""#.to_owned()).send(&server).await.status, 200);
}

#[tokio::test]
async fn who_reads_gzip_gets_the_sdk_in_it() {
    let server = TestServer::start().await;
    let plain = server.get("/peerway.js").await;
    assert_eq!(plain.header("content-encoding"), None);
    assert_eq!(plain.header("vary"), Some("Accept-Encoding"));
    let size = |answer: &Answer| answer.header("content-length").unwrap().parse::<usize>().unwrap();
    let asked = |codings: &str| Request::get("/peerway.js").header("Accept-Encoding", codings);
    for codings in ["gzip", "deflate, GZIP;q=0.5, br"] {
        let packed = asked(codings).send(&server).await;
        assert_eq!(packed.header("content-encoding"), Some("gzip"), "{codings}");
        assert_eq!(packed.header("content-type"), plain.header("content-type"));
        assert_eq!(packed.body, plain.body);
        assert!(size(&packed) < 27_000 && size(&plain) > 50_000, "{}", size(&packed));
        let tag = packed.header("etag").unwrap();
        assert_ne!(Some(tag), plain.header("etag"));
        assert_eq!(asked(codings).header("If-None-Match", tag).send(&server).await.status, 304);
    }
    for codings in ["br", "gzip;q=0", "gzip;q=no"] {
        let answer = asked(codings).send(&server).await;
        assert_eq!(answer.header("content-encoding"), None, "{codings}");
        assert_eq!(answer.body, plain.body);
    }
}

#[tokio::test]
async fn the_status_counts_peers_sessions_and_messages() {
    let server = TestServer::with(|config| config.path = "/my".into()).await;
    let mut ann = server.socket("/my/peerjs?key=peerjs&id=ann&token=t").await;
    ann.text().await;
    ann.assert_heard_all("ann").await;
    let status = server.get("/my/status.json").await.body;
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!((&status["peers"], &status["sessions"]), (&1.into(), &1.into()));
    assert_eq!((&status["messages"], &status["mail"]), (&1.into(), &0.into()));
    assert_eq!((&status["path"], &status["key"]), (&"/my/".into(), &"peerjs".into()));
    assert!(status["uptime_seconds"].is_u64());
}

#[tokio::test]
async fn only_the_machines_own_user_is_told_its_addresses() {
    let told = async |server: &TestServer, host: &str| {
        let body = Request::get("/status.json").host(host).send(server).await.body;
        let status: serde_json::Value = serde_json::from_str(&body).unwrap();
        status["addresses"].as_array().unwrap().clone()
    };
    let on_all = TestServer::with(|config| config.host = "::".into()).await;
    for address in told(&on_all, "localhost").await {
        let address: std::net::Ipv4Addr = address.as_str().unwrap().parse().unwrap();
        assert!(!address.is_loopback());
    }
    // As through a proxy on the same machine.
    assert!(told(&on_all, "peers.example").await.is_empty());
    let on_one = TestServer::with(|config| config.host = "127.0.0.1".into()).await;
    assert!(told(&on_one, "localhost").await.is_empty());
}
