//! Why a peer does not open, and what its user reads.

use std::time::Duration;

use peerway::PeerErrorKind::{
    InvalidKey, Network, ServerError, SslUnavailable, Unauthorized, UnavailableId,
};
use peerway_server::config::AppConfig;
use tokio::io::AsyncReadExt;

use crate::stub;
use crate::support::{TestServer, closed_port, local, refusal};

fn app(edit: impl FnOnce(&mut AppConfig)) -> Vec<AppConfig> {
    let mut app = AppConfig::named("peerjs");
    edit(&mut app);
    vec![app]
}

#[tokio::test]
async fn an_id_that_is_taken() {
    let server = TestServer::start().await;
    let _ann = server.peer("ann").await;
    let (kind, words) = refusal(server.options().id("ann")).await;
    assert_eq!(kind, UnavailableId);
    assert!(words.contains("use another id"), "{words}");
}

#[tokio::test]
async fn a_key_that_the_server_does_not_know() {
    let server = TestServer::start().await;
    // By a frame, and by the status of the request for an id.
    for options in [server.options().id("ann"), server.options()] {
        let (kind, words) = refusal(options.key("other")).await;
        assert_eq!(kind, InvalidKey);
        assert!(words.contains("set `key` to one of the server's app keys"), "{words}");
    }
}

#[tokio::test]
async fn an_origin_that_the_app_does_not_allow() {
    let server = TestServer::with(|config| {
        config.app = app(|app| app.origins = vec!["https://a.example".into()]);
    })
    .await;
    for options in [server.options().id("ann"), server.options()] {
        let (kind, words) = refusal(options.origin("https://b.example")).await;
        assert_eq!(kind, InvalidKey);
        assert!(words.contains("set `origin` to one that the app allows"), "{words}");
    }
    let allowed = server.options().origin("https://a.example");
    crate::support::within(peerway::Peer::open(allowed)).await.unwrap();
}

#[tokio::test]
async fn an_id_that_is_not_signed() {
    let server = TestServer::with(|config| {
        config.app = app(|app| {
            app.secret = Some("correct horse battery staple".to_owned().into());
            app.require_signed_id = true;
        });
    })
    .await;
    let (kind, words) = refusal(server.options().id("ann")).await;
    assert_eq!(kind, Unauthorized);
    assert!(words.contains("peerway token"), "{words}");
}

#[tokio::test]
async fn a_path_that_is_not_the_servers() {
    let server = TestServer::with(|config| config.path = "/my".into()).await;
    for options in [server.options().id("ann"), server.options()] {
        let (kind, words) = refusal(options).await;
        assert_eq!(kind, ServerError);
        assert!(words.contains("answers 404") && words.contains("'/my/'"), "{words}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there() {
    let port = closed_port().await;
    for options in [local(port).id("ann"), local(port)] {
        let (kind, words) = refusal(options).await;
        assert_eq!(kind, Network);
        let expected =
            format!("nothing listens at http://127.0.0.1:{port}/: is the server running");
        assert!(words.starts_with(&expected), "{words}");
    }
}

#[tokio::test]
async fn a_name_that_nobody_has() {
    let (kind, words) = refusal(local(1).host("nowhere.invalid").id("ann")).await;
    assert_eq!(kind, Network);
    assert!(words.starts_with("the name nowhere.invalid has no address"), "{words}");
}

#[tokio::test]
async fn answers_of_other_servers() {
    for (answer, kind, part) in [
        (
            "HTTP/1.1 401 Unauthorized\r\n\r\n",
            Unauthorized,
            "answers 401; it asks for a credential",
        ),
        ("HTTP/1.1 403 Forbidden\r\n\r\n", Unauthorized, "answers 403; it asks for a credential"),
        ("HTTP/1.1 404 Not Found\r\n\r\n", ServerError, "is `path` that of the server?"),
        ("HTTP/1.1 502 Bad Gateway\r\n\r\n", ServerError, "the proxy in front does not reach"),
        (
            "HTTP/1.1 301 Moved\r\nlocation: https://a.example/\r\n\r\n",
            ServerError,
            "sends everybody to https://a.example/: use that",
        ),
        ("SSH-2.0-OpenSSH_9.2\r\n", ServerError, "does not talk HTTP"),
        ("", ServerError, "does not talk HTTP"),
    ] {
        let port = stub::http(answer).await;
        for options in [local(port).id("ann"), local(port)] {
            let (told, words) = refusal(options).await;
            assert_eq!(told, kind, "{answer}: {words}");
            assert!(words.contains(part), "{answer}: {words}");
        }
    }
}

#[tokio::test]
async fn a_page_is_no_id() {
    let page = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n<html>";
    let (kind, words) = refusal(local(stub::http(page).await)).await;
    assert_eq!(kind, ServerError);
    assert!(words.contains("is no PeerJS server (it gives no id)"), "{words}");
}

#[tokio::test]
async fn a_port_without_tls() {
    let server = TestServer::start().await;
    let (kind, words) = refusal(server.options().id("ann").secure(true)).await;
    assert_eq!(kind, SslUnavailable);
    assert!(words.contains("it talks no TLS at this port: is `secure` right?"), "{words}");
}

#[tokio::test]
async fn a_server_that_closes_without_a_word() {
    let port = stub::serve(|_, mut stream| async move {
        let mut request = [0; 4096];
        let _ = stream.read(&mut request).await;
        tokio::time::sleep(Duration::from_millis(10)).await;
    })
    .await;
    let (kind, words) = refusal(local(port).id("ann")).await;
    assert_eq!(kind, ServerError);
    assert!(words.contains("if it wants TLS, set `secure`"), "{words}");
}
