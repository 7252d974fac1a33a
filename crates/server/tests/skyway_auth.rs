//! Who may use a key as a SkyWay client: keys, origins, credentials, quotas, TURN.

use std::fmt::Write as _;

use peerway_protocol::PeerId;
use peerway_server::auth::sign_credential;
use peerway_server::clock;
use peerway_server::config::{AppConfig, Config, QuotaConfig};

use crate::support::{
    Login, Request, SkyWay, Socket, TestServer, TurnServer, peer_target, skyway_query,
};

const SECRET: &str = "correct horse battery staple";

fn app(edit: impl FnOnce(&mut AppConfig)) -> impl FnOnce(&mut Config) {
    let mut app =
        AppConfig { secret: Some(SECRET.to_owned().into()), ..AppConfig::named("peerjs") };
    edit(&mut app);
    |config| config.app = vec![app]
}

/// A server whose peers need credentials.
async fn strict() -> TestServer {
    TestServer::with(app(|app| app.require_signed_id = true)).await
}

/// A credential that was made so many seconds ago and is good for 600.
fn credential(id: &str, age: i64) -> String {
    let timestamp = clock::unix_now().saturating_add_signed(-age);
    let made = sign_credential(SECRET, &PeerId::new(id).unwrap(), timestamp, 600);
    format!(r#"{{"timestamp":{timestamp},"ttl":600,"authToken":"{}"}}"#, made.auth_token)
}

fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        write!(out, "%{byte:02X}").unwrap();
    }
    out
}

fn with_credential(id: &str, token: &str, credential: &str) -> String {
    format!("{}&credential={}", skyway_query(id, token), encoded(credential))
}

async fn assert_refused(server: &TestServer, query: &str, kind: &str, part: &str) {
    let mut client = SkyWay::connect(server, query).await;
    let message = client.told_error(kind).await;
    assert!(message.contains(part), "{message}");
    client.disconnected().await;
}

#[tokio::test]
async fn an_unknown_key_is_refused() {
    let server = TestServer::start().await;
    assert_refused(&server, "apiKey=unknown&token=t", "invalid-key", "key").await;
    assert_refused(&server, "token=t", "invalid-key", "key").await;
}

#[tokio::test]
async fn an_id_that_cannot_be_one_is_refused() {
    let server = TestServer::start().await;
    let long = "x".repeat(300);
    assert_refused(&server, &skyway_query(&long, "t"), "invalid-id", "256").await;
}

#[tokio::test]
async fn the_origin_must_be_registered() {
    let server = TestServer::with(app(|app| app.origins = vec!["good.example".into()])).await;
    let open = async |origin: &[(&'static str, &str)]| {
        SkyWay::connect_from(&server, &skyway_query("alice", "t"), origin).await
    };
    let mut bad = open(&[("origin", "https://evil.example")]).await;
    assert!(bad.told_error("invalid-domain").await.contains("https://evil.example"));
    bad.disconnected().await;
    let mut good = open(&[("origin", "https://good.example")]).await;
    good.told("OPEN").await;
    good.leave().await;
    // Without an origin it is the server's own; these tests ask for localhost.
    let mut own = open(&[]).await;
    own.told_error("invalid-domain").await;
    let server = TestServer::with(app(|app| app.origins = vec!["localhost".into()])).await;
    let mut own = SkyWay::connect(&server, &skyway_query("alice", "t")).await;
    own.told("OPEN").await;
}

#[tokio::test]
async fn a_credential_opens_its_id() {
    let server = strict().await;
    let mut client =
        SkyWay::connect(&server, &with_credential("alice", "t", &credential("alice", 0))).await;
    assert_eq!(client.told("OPEN").await["peerId"], "alice");
}

#[tokio::test]
async fn each_fault_of_a_credential_has_its_own_words() {
    let server = strict().await;
    let shown = |credential: &str| with_credential("alice", "t", credential);
    let now = clock::unix_now();
    for (query, part) in [
        (skyway_query("alice", "t"), "wants a credential"),
        ("apiKey=peerjs&token=t".to_owned(), "give the id"),
        (shown("{}"), "must have"),
        (shown(&credential("bob", 0)), "not that of this peer id"),
        (shown(&credential("alice", -60)), "in the future"),
        (shown(&credential("alice", 700)), "expired"),
        (shown(&format!(r#"{{"timestamp":{now},"ttl":599,"authToken":""}}"#)), "600"),
        (shown(&format!(r#"{{"timestamp":{now},"ttl":90001,"authToken":""}}"#)), "90000"),
    ] {
        assert_refused(&server, &query, "authentication", part).await;
    }
}

#[tokio::test]
async fn a_credential_that_was_encoded_twice_is_read() {
    let server = strict().await;
    let twice = encoded(&encoded(&credential("alice", 0)));
    let query = format!("{}&credential={twice}", skyway_query("alice", "t"));
    SkyWay::connect(&server, &query).await.told("OPEN").await;
}

#[tokio::test]
async fn a_credential_in_use_is_good_for_the_same_token_only() {
    let server = strict().await;
    let credential = credential("alice", 0);
    let mut first = SkyWay::connect(&server, &with_credential("alice", "t1", &credential)).await;
    first.told("OPEN").await;
    let second = with_credential("alice", "t2", &credential);
    assert_refused(&server, &second, "unavailable-id", "").await;
    let mut back = SkyWay::connect(&server, &with_credential("alice", "t1", &credential)).await;
    back.told("OPEN").await;
}

#[tokio::test]
async fn a_client_is_warned_and_then_cut_when_its_credential_ends() {
    let server = strict().await;
    for (age, left) in [(299, 300), (539, 60)] {
        let shown = with_credential("alice", "t", &credential("alice", age));
        let mut client = SkyWay::connect(&server, &shown).await;
        client.told("OPEN").await;
        assert_eq!(client.told("AUTH_EXPIRES_IN").await, left);
        client.leave().await;
    }
    let shown = with_credential("alice", "t", &credential("alice", 599));
    let mut client = SkyWay::connect(&server, &shown).await;
    client.told("OPEN").await;
    assert!(client.told_error("authentication").await.contains("expired"));
    client.disconnected().await;
}

#[tokio::test]
async fn a_new_credential_is_silent_and_a_bad_one_changes_nothing() {
    let server = strict().await;
    let shown = with_credential("alice", "t", &credential("alice", 598));
    let mut client = SkyWay::connect(&server, &shown).await;
    client.told("OPEN").await;
    client.say("UPDATE_CREDENTIAL", &credential("bob", 0)).await;
    assert!(client.told_error("authentication").await.contains("not that"));
    // Success is silent; the new one warns when the old one would have ended.
    client.say("UPDATE_CREDENTIAL", &credential("alice", 297)).await;
    assert_eq!(client.told("AUTH_EXPIRES_IN").await, 300);
    client.assert_heard_all("alice").await;
}

#[tokio::test]
async fn where_no_credential_is_wanted_a_new_one_is_ignored() {
    let server = TestServer::start().await;
    let mut client = SkyWay::open(&server, "alice").await;
    client.say("UPDATE_CREDENTIAL", "{}").await;
    client.assert_heard_all("alice").await;
}

#[tokio::test]
async fn sessions_beyond_the_quota_are_refused() {
    let quota = QuotaConfig { sessions_per_month: Some(2), ..QuotaConfig::default() };
    let server = TestServer::with(app(|app| app.quota = quota)).await;
    let _first = SkyWay::open(&server, "first").await;
    let _second = server.peer("second").await;
    assert_refused(&server, &skyway_query("third", "t"), "signaling-limited", "2").await;
    let mut socket: Socket = server.socket(&peer_target("fourth", "t")).await;
    assert!(socket.text().await.contains("used up"));
}

#[tokio::test]
async fn turn_is_told_only_where_the_vendors_names_are_ours() {
    let server = TurnServer::start().await;
    let mut client = SkyWay::connect(&server, &skyway_query("alice", "t")).await;
    assert_eq!(client.told("OPEN").await.get("turnCredential"), None);

    let server = TurnServer::with(|config| config.skyway.vendor_hosts = true).await;
    let mut client = SkyWay::connect(&server, &skyway_query("alice", "t")).await;
    let open = client.told("OPEN").await;
    let of = |name: &str| open["turnCredential"][name].as_str().unwrap().to_owned();
    let login = Login { username: of("username"), password: of("credential") };
    let mut turn = server.client(peerway_turn::Transport::Udp, login).await;
    turn.allocate().await;
}

#[tokio::test]
async fn turn_ends_with_the_credential() {
    let server = TurnServer::with(|config| {
        config.skyway.vendor_hosts = true;
        app(|app| app.require_signed_id = true)(config);
    })
    .await;
    let shown = with_credential("alice", "t", &credential("alice", 100));
    let open = SkyWay::connect(&server, &shown).await.told("OPEN").await;
    let username = open["turnCredential"]["username"].as_str().unwrap();
    let expiry: u64 = username.split(':').next().unwrap().parse().unwrap();
    let left = expiry - clock::unix_now();
    assert!((490..=500).contains(&left), "{left}");
}

#[tokio::test]
async fn turn_needs_a_permission_and_a_quota() {
    let server = TurnServer::with(|config| {
        config.skyway.vendor_hosts = true;
        app(|app| app.turn = false)(config);
    })
    .await;
    let mut client = SkyWay::connect(&server, &skyway_query("alice", "t")).await;
    assert_eq!(client.told("OPEN").await.get("turnCredential"), None);
    client.assert_heard_all("alice").await;
    let answer = Request::get("/v1/ice?key=peerjs").send(&server).await;
    assert_eq!(answer.status, 403, "{}", answer.body);
    assert!(answer.body.contains("turn_permission"));

    let server = TurnServer::with(|config| {
        config.skyway.vendor_hosts = true;
        let quota = QuotaConfig { turn_bytes_per_month: Some(0), ..QuotaConfig::default() };
        app(|app| app.quota = quota)(config);
    })
    .await;
    let mut client = SkyWay::connect(&server, &skyway_query("alice", "t")).await;
    assert_eq!(client.told("OPEN").await.get("turnCredential"), None);
    client.told_error("turn-limited").await;
}
