//! `GET /v1/ice` and the credential of the `SkyWay` fork: who gets them, and that they are good.

use peerway_protocol::{AppKey, PeerId};
use peerway_server::auth::sign_token;
use peerway_server::clock;
use peerway_server::config::{AppConfig, Config};
use peerway_turn::Transport;
use serde_json::{Value, json};

use crate::support::{Answer, Login, Refused, Request, TestServer, TurnServer, Wish};

const SECRET: &str = "correct horse battery staple";

fn app(edit: impl FnOnce(&mut AppConfig)) -> impl FnOnce(&mut Config) {
    let mut app =
        AppConfig { secret: Some(SECRET.to_owned().into()), ..AppConfig::named("peerjs") };
    edit(&mut app);
    |config| config.app = vec![app]
}

fn token(id: &str) -> String {
    let (key, id) = (AppKey::new("peerjs").unwrap(), PeerId::new(id).unwrap());
    sign_token(SECRET, &key, &id, clock::unix_now() + 60)
}

fn parsed(answer: &Answer) -> Value {
    serde_json::from_str(&answer.body).unwrap()
}

fn assert_refused(answer: &Answer, status: u16, kind: &str) {
    assert_eq!(answer.status, status, "{}", answer.body);
    assert_eq!(parsed(answer)["error"]["type"], kind);
    assert!(parsed(answer)["error"]["message"].as_str().is_some_and(|it| !it.is_empty()));
}

/// All URLs of an answer, of all servers.
fn urls(answer: &Answer) -> Vec<String> {
    let servers = parsed(answer)["iceServers"].as_array().unwrap().clone();
    let of_one = |server: Value| server["urls"].as_array().unwrap().clone();
    servers.into_iter().flat_map(of_one).map(|url| url.as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn the_answer_is_an_rtc_configuration() {
    let server = TurnServer::start().await;
    let [udp, tcp, tls] = Transport::ALL.map(|it| server.at(it).port());
    let answer = server.get("/v1/ice?key=peerjs").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let mut body = parsed(&answer);
    let (username, credential) =
        (body["iceServers"][1]["username"].take(), body["iceServers"][1]["credential"].take());
    assert_eq!(
        body,
        json!({
            "iceServers": [
                {"urls": [format!("stun:localhost:{udp}")]},
                {
                    "urls": [
                        format!("turn:localhost:{udp}?transport=udp"),
                        format!("turn:localhost:{tcp}?transport=tcp"),
                        format!("turns:localhost:{tls}?transport=tcp"),
                    ],
                    "username": null,
                    "credential": null,
                },
            ],
            "ttl": 86400,
        })
    );
    let (expiry, name) = username.as_str().unwrap().split_once(':').unwrap();
    let left = expiry.parse::<u64>().unwrap() - clock::unix_now();
    assert!((86_390..=86_400).contains(&left), "{left}");
    assert!(name.starts_with("peerjs$"), "{name}");
    assert_eq!(credential.as_str().unwrap().len(), 28, "base64 of 20 bytes");
}

/// What a socket is told that asks for the ICE servers.
async fn opened(server: &TestServer, query: &str) -> Value {
    let text = server.socket(&format!("/peerjs?{query}")).await.text().await;
    serde_json::from_str(&text).unwrap()
}

#[tokio::test]
async fn a_socket_that_asks_is_told_the_ice_servers_with_open() {
    let server = TurnServer::start().await;
    let mut told = opened(&server, "key=peerjs&id=ann&token=t&ice=1").await;
    let mut asked = parsed(&server.get("/v1/ice?key=peerjs").await);
    for servers in [&mut told["payload"], &mut asked] {
        for name in ["username", "credential"] {
            assert!(servers["iceServers"][1][name].take().is_string());
        }
    }
    assert_eq!(told, json!({"type": "OPEN", "payload": asked}));
    for query in ["key=peerjs&id=ben&token=t", "key=peerjs&id=cat&token=t&ice=0"] {
        assert_eq!(opened(&server, query).await, json!({"type": "OPEN"}));
    }
}

#[tokio::test]
async fn open_has_no_ice_servers_where_nobody_may_relay() {
    let nothing = json!({"type": "OPEN", "payload": {"iceServers": []}});
    let off = TestServer::start().await;
    assert_eq!(opened(&off, "key=peerjs&id=ann&token=t&ice=1").await, nothing);
    let server = TurnServer::with(app(|app| app.turn = false)).await;
    assert_eq!(opened(&server, "key=peerjs&id=ann&token=t&ice=1").await, nothing);
    let refused = opened(&server, "key=other&id=ann&token=t&ice=1").await;
    assert_eq!(refused["type"], "INVALID-KEY");
}

#[tokio::test]
async fn signed_ids_are_asked_for_before_the_ice_servers_are_told() {
    let server = TurnServer::with(app(|app| app.require_signed_id = true)).await;
    let refused = opened(&server, "key=peerjs&id=ann&token=t&ice=1").await;
    assert_eq!(
        (&refused["type"], &refused["payload"]["iceServers"]),
        (&"ERROR".into(), &Value::Null)
    );
    let query = format!("key=peerjs&id=ann&token={}&ice=1", token("ann"));
    let told = opened(&server, &query).await;
    assert!(told["payload"]["iceServers"][1]["credential"].is_string(), "{told}");
}

#[tokio::test]
async fn the_credential_allocates_over_every_transport() {
    let server = TurnServer::start().await;
    for transport in Transport::ALL {
        let login = server.login("peerjs").await;
        let mut client = server.client(transport, login).await;
        let relayed = client.allocate().await;
        assert!(relayed.ip().is_loopback());
        let labels = format!("{{app=\"peerjs\",transport=\"{transport}\"}}");
        server.until_metric(&format!("peerway_turn_allocations{labels}"), 1).await;
    }
}

#[tokio::test]
async fn the_dotted_form_has_no_colon_and_is_as_good() {
    let server = TurnServer::start().await;
    let body = parsed(&server.get("/v1/ice?key=peerjs&form=dot").await);
    let text = |name: &str| body["iceServers"][1][name].as_str().unwrap().to_owned();
    let login = Login { username: text("username"), password: text("credential") };
    assert!(!login.username.contains(':'), "{}", login.username);
    server.client(Transport::Udp, login).await.allocate().await;
}

#[tokio::test]
async fn two_pages_never_share_a_user_name() {
    let server = TurnServer::start().await;
    let (one, other) = (server.login("peerjs").await, server.login("peerjs").await);
    assert_ne!(one.username, other.username);
}

#[tokio::test]
async fn a_changed_user_name_is_nobody() {
    let server = TurnServer::start().await;
    let login = server.login("peerjs").await;
    let later = login.username.replacen(|it: char| it.is_ascii_digit(), "9", 1);
    let other_app = login.username.replace("peerjs", "peerjz");
    for username in [later, other_app] {
        let login = Login { username, ..login.clone() };
        let mut client = server.client(Transport::Udp, login).await;
        assert_eq!(client.try_allocate(Wish::default()).await, Err(Refused::with(401)));
    }
}

#[tokio::test]
async fn without_a_key_of_ours_there_is_nothing() {
    let server = TurnServer::start().await;
    assert_refused(&server.get("/v1/ice").await, 400, "bad_request");
    assert_refused(&server.get("/v1/ice?key=other").await, 401, "unknown_key");
    assert_refused(&server.get("/v1/ice?key=").await, 401, "unknown_key");
    assert_eq!(Request::post("/v1/ice?key=peerjs", "").send(&server).await.status, 405);
}

#[tokio::test]
async fn pages_of_other_origins_get_none() {
    let server =
        TurnServer::with(app(|app| app.origins = vec!["https://shop.example".into()])).await;
    let ask = |origin| Request::get("/v1/ice?key=peerjs").header("Origin", origin).send(&server);
    assert_eq!(ask("https://shop.example").await.status, 200);
    assert_refused(&ask("https://evil.example").await, 403, "origin");
    assert_refused(&server.get("/v1/ice?key=peerjs").await, 403, "origin");
}

#[tokio::test]
async fn errors_too_can_be_read_by_the_page_that_asked() {
    let server = TurnServer::start().await;
    for target in ["/v1/ice?key=peerjs", "/v1/ice?key=other", "/v1/ice"] {
        let request = Request::get(target).header("Origin", "https://shop.example");
        let answer = request.send(&server).await;
        let allowed = answer.header("access-control-allow-origin");
        assert_eq!(allowed, Some("https://shop.example"), "{target}");
    }
}

#[tokio::test]
async fn where_ids_are_signed_a_token_is_needed() {
    let server = TurnServer::with(app(|app| app.require_signed_id = true)).await;
    for (query, status) in [
        (String::new(), 403),
        ("&id=ann".into(), 403),
        ("&id=ann&token=nonsense".into(), 403),
        (format!("&id=ann&token={}", token("ben")), 403),
        (format!("&token={}", token("ann")), 403),
        (format!("&id=ann&token={}", token("ann")), 200),
    ] {
        let answer = server.get(&format!("/v1/ice?key=peerjs{query}")).await;
        assert_eq!(answer.status, status, "{query}: {}", answer.body);
    }
}

#[tokio::test]
async fn without_turn_it_is_told_so() {
    let server = TestServer::start().await;
    assert_refused(&server.get("/v1/ice?key=peerjs").await, 404, "turn_off");
    assert!(!server.control.drain_turn());
    assert!(server.control.turn_reports().is_none());
}

#[tokio::test]
async fn it_is_not_below_the_path() {
    let server = TurnServer::with(|config| config.path = "/my".into()).await;
    assert_eq!(server.get("/v1/ice?key=peerjs").await.status, 200);
    assert_eq!(server.get("/my/v1/ice?key=peerjs").await.status, 404);
}

#[tokio::test]
async fn the_urls_name_the_host_that_was_asked() {
    let server = TurnServer::start().await;
    let port = server.at(Transport::Udp).port();
    for (host, expected) in [
        ("turn.example.com", "turn.example.com"),
        ("turn.example.com:9000", "turn.example.com"),
        ("192.0.2.7:9000", "192.0.2.7"),
        ("[::1]:9000", "[::1]"),
        ("[2001:db8::7]", "[2001:db8::7]"),
        ("not a host", "localhost"),
    ] {
        let answer = Request::get("/v1/ice?key=peerjs").host(host).send(&server).await;
        assert_eq!(urls(&answer)[0], format!("stun:{expected}:{port}"), "{host}");
    }
}

#[tokio::test]
async fn a_proxy_tells_the_host_that_was_asked() {
    let ask = async |server: TurnServer| {
        let request = Request::get("/v1/ice?key=peerjs").host("10.0.0.1:9000");
        let answer = request.header("X-Forwarded-Host", "turn.example.com").send(&server).await;
        urls(&answer)[0].split(':').nth(1).map(ToOwned::to_owned)
    };
    let proxied = TurnServer::with(|config| config.proxied = true).await;
    assert_eq!(ask(proxied).await.as_deref(), Some("turn.example.com"));
    let direct = TurnServer::start().await;
    assert_eq!(ask(direct).await.as_deref(), Some("10.0.0.1"), "anybody can write that header");
}

#[tokio::test]
async fn the_public_host_wins_over_the_one_that_was_asked() {
    let server = TurnServer::with(|config| {
        config.turn.public_host = Some("turn.example.com".into());
    })
    .await;
    let answer = Request::get("/v1/ice?key=peerjs").host("10.0.0.1:9000").send(&server).await;
    for url in urls(&answer) {
        assert_eq!(url.split(':').nth(1), Some("turn.example.com"), "{url}");
    }
}

#[tokio::test]
async fn the_urls_are_those_that_are_listened_on() {
    type Edit = fn(&mut Config);
    let only_udp: Edit = |config| config.turn.tcp.clear();
    let no_udp: Edit = |config| config.turn.udp.clear();
    let no_certificate: Edit = |config| (config.turn.cert, config.turn.key) = (None, None);
    let no_tls: Edit = |config| config.turn.tls.clear();
    for (edit, schemes) in [
        (only_udp, &["stun:", "turn:udp", "turns:tcp"][..]),
        (no_udp, &["turn:tcp", "turns:tcp"]),
        (no_certificate, &["stun:", "turn:udp", "turn:tcp"]),
        (no_tls, &["stun:", "turn:udp", "turn:tcp"]),
    ] {
        let server = TurnServer::with(edit).await;
        let urls = urls(&server.get("/v1/ice?key=peerjs").await);
        let scheme = |url: &String| {
            let scheme = url.split(':').next().unwrap();
            let transport = url.split_once("?transport=").map_or("", |it| it.1);
            format!("{scheme}:{transport}")
        };
        assert_eq!(urls.iter().map(scheme).collect::<Vec<_>>(), schemes);
    }
}

#[tokio::test]
async fn the_time_to_live_is_the_configured_one() {
    let server = TurnServer::with(|config| {
        config.turn.credential_ttl = crate::support::millis(90_000);
    })
    .await;
    assert_eq!(parsed(&server.get("/v1/ice?key=peerjs").await)["ttl"], 90);
}

#[tokio::test]
async fn the_skyway_fork_gets_a_credential_for_the_user_name_it_makes_itself() {
    let server = TurnServer::start().await;
    let answer = server.get("/peerjs/id?ts=1732&id=alice").await;
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let body = parsed(&answer);
    assert_eq!(body["id"], "alice");
    let password = body["credential"].as_str().unwrap().to_owned();
    for transport in Transport::ALL {
        let login = Login { username: "peerjs$alice".into(), password: password.clone() };
        server.client(transport, login).await.allocate().await;
    }
    for username in ["peerjs$bob", "alice", "other$alice"] {
        let login = Login { username: username.into(), password: password.clone() };
        let mut thief = server.client(Transport::Udp, login).await;
        assert_eq!(thief.try_allocate(Wish::default()).await, Err(Refused::with(401)));
    }
    let opened = "peerway_turn_allocations_opened_total{app=\"peerjs\"}";
    assert_eq!(server.metric(opened).await, 3);
}

#[tokio::test]
async fn a_fresh_id_comes_with_its_credential() {
    let server = TurnServer::start().await;
    let body = parsed(&server.get("/peerjs/id?ts=1732&id=").await);
    let text = |name: &str| body[name].as_str().unwrap().to_owned();
    let login = Login { username: format!("peerjs${}", text("id")), password: text("credential") };
    server.client(Transport::Udp, login).await.allocate().await;
}

#[tokio::test]
async fn without_turn_or_with_signed_ids_the_fork_gets_no_credential() {
    let off = TestServer::start().await;
    assert_eq!(off.get("/peerjs/id?id=alice").await.body, r#"{"id":"alice"}"#);
    let signed = TurnServer::with(app(|app| app.require_signed_id = true)).await;
    assert_eq!(signed.get("/peerjs/id?id=alice").await.body, r#"{"id":"alice"}"#);
}
