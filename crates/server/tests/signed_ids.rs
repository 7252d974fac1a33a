//! Apps that hand out ids themselves: a token signs the id.

use peerway_protocol::{AppKey, PeerId};
use peerway_server::auth::{sign_credential, sign_token};
use peerway_server::clock;
use peerway_server::config::AppConfig;

use crate::support::{Request, Socket, TestServer, peer_target};

const SECRET: &str = "correct horse battery staple";
const OPEN: &str = r#"{"type":"OPEN"}"#;

async fn server() -> TestServer {
    TestServer::with(|config| {
        config.app = vec![AppConfig {
            secret: Some(SECRET.to_owned().into()),
            require_signed_id: true,
            ..AppConfig::named("peerjs")
        }];
    })
    .await
}

/// A token for an id that is valid for this many seconds from now.
fn token(id: &str, seconds: i64) -> String {
    let expiry = clock::unix_now().saturating_add_signed(seconds);
    sign_token(SECRET, &AppKey::new("peerjs").unwrap(), &PeerId::new(id).unwrap(), expiry)
}

async fn socket(server: &TestServer, id: &str, token: &str) -> Socket {
    server.socket(&peer_target(id, token)).await
}

async fn assert_refused(mut socket: Socket, why: &str) {
    let told = socket.text().await;
    let start = format!(r#"{{"type":"ERROR","payload":{{"msg":"Token refused: {why}"#);
    assert!(told.starts_with(&start), "{told}");
    assert_eq!(socket.close_code().await, None);
}

#[tokio::test]
async fn a_token_that_signs_the_id_is_accepted() {
    let server = server().await;
    assert_eq!(socket(&server, "ann", &token("ann", 60)).await.text().await, OPEN);
}

#[tokio::test]
async fn a_token_of_another_id_or_none_at_all_is_refused() {
    let server = server().await;
    let form = "the app wants a signed token of the form expiry.signature";
    assert_refused(socket(&server, "ann", "l5k2j3h4").await, form).await;
    let other = socket(&server, "ann", &token("ben", 60)).await;
    assert_refused(other, "it does not sign the id ann").await;
    let longer = token("ann", 60).replacen(|c: char| c.is_ascii_digit(), "9", 1);
    assert_refused(socket(&server, "ann", &longer).await, "it does not sign the id ann").await;
}

#[tokio::test]
async fn a_credential_of_skyway_is_as_good_as_a_signed_token() {
    let server = server().await;
    let now = clock::unix_now();
    let open = async |id: &str, token: &str, signer: &str| {
        let signed = sign_credential(SECRET, &PeerId::new(signer).unwrap(), now, 600);
        let auth = signed.auth_token.replace('+', "%2B");
        let json =
            format!("%7B%22timestamp%22:{now},%22ttl%22:600,%22authToken%22:%22{auth}%22%7D");
        server.socket(&format!("{}&credential={json}", peer_target(id, token))).await
    };
    let mut ann = open("ann", "mine", "ann").await;
    assert_eq!(ann.text().await, OPEN);
    let mut other = open("ben", "mine", "ann").await;
    let told = other.text().await;
    assert!(told.starts_with(r#"{"type":"ERROR","payload":{"msg":"Token refused: "#), "{told}");
    // Who has seen it does not take the id over.
    let mut thief = open("ann", "another", "ann").await;
    assert!(thief.text().await.contains("ID-TAKEN"));
    ann.assert_heard_all("ann").await;
}

#[tokio::test]
async fn an_expired_token_is_refused() {
    let server = server().await;
    assert_refused(socket(&server, "ann", &token("ann", -5)).await, "it expired ").await;
}

#[tokio::test]
async fn another_valid_token_of_the_same_id_takes_over() {
    let server = server().await;
    let mut first = socket(&server, "ann", &token("ann", 60)).await;
    assert_eq!(first.text().await, OPEN);
    let mut second = socket(&server, "ann", &token("ann", 120)).await;
    assert_eq!(second.text().await, OPEN);
    assert_eq!(first.close_code().await, Some(1000));
}

#[tokio::test]
async fn streams_and_posts_show_the_token_as_well() {
    let server = server().await;
    let good = token("ann", 60);
    let refused = Request::post("/peerjs/ann/guess/id?i=0", "").send(&server).await;
    assert_eq!(refused.body, r#"{"type":"HTTP-ERROR"}"#);
    let mut stream = Request::post(&format!("/peerjs/ann/{good}/id?i=0"), "").open(&server).await;
    assert!(stream.chunk().await.unwrap().ends_with("{\"type\":\"OPEN\"}\n"));
    for (token, status) in [("guess", 401), (good.as_str(), 200)] {
        let target = format!("/peerjs/ann/{token}/offer");
        let answer = Request::post(&target, r#"{"type":"HEARTBEAT"}"#).send(&server).await;
        assert_eq!(answer.status, status, "{token}");
    }
}
