//! How a socket is let in or turned away (`docs/reference/peerjs-dialect.md` B, B1).

use tokio_tungstenite::tungstenite::{Error, Message};

use crate::support::{Socket, TestServer, within};

const OPEN: &str = r#"{"type":"OPEN"}"#;

/// The server says `text` and closes without a code.
async fn assert_turned_away(mut socket: Socket, text: &str) {
    assert_eq!(socket.text().await, text);
    assert_eq!(socket.close_code().await, None);
}

#[tokio::test]
async fn a_complete_handshake_is_answered_with_open() {
    let server = TestServer::start().await;
    let mut socket = server.socket("/peerjs?key=peerjs&id=ann&token=t").await;
    assert_eq!(socket.text().await, OPEN);
    socket.assert_heard_all("ann").await;
}

#[tokio::test]
async fn a_missing_or_empty_member_is_told_and_the_socket_closed_without_a_code() {
    let server = TestServer::start().await;
    for query in [
        "?key=peerjs&token=t",
        "?key=peerjs&id=ann",
        "?id=ann&token=t",
        "?key=peerjs&id=&token=t",
        "?key=peerjs&id=ann&token=",
        "?key=&id=ann&token=t",
        "",
    ] {
        let socket = server.socket(&format!("/peerjs{query}")).await;
        let text = r#"{"type":"ERROR","payload":{"msg":"No id, token, or key supplied to websocket server"}}"#;
        assert_turned_away(socket, text).await;
    }
}

#[tokio::test]
async fn an_unknown_key_is_told_as_invalid_key() {
    let server = TestServer::start().await;
    let socket = server.socket("/peerjs?key=other&id=ann&token=t").await;
    let text = r#"{"type":"INVALID-KEY","payload":{"msg":"Invalid key provided"}}"#;
    assert_turned_away(socket, text).await;
}

#[tokio::test]
async fn an_id_with_another_token_is_taken() {
    let server = TestServer::start().await;
    let mut ann = server.peer("ann").await;
    let thief = server.socket("/peerjs?key=peerjs&id=ann&token=other").await;
    assert_turned_away(thief, r#"{"type":"ID-TAKEN","payload":{"msg":"ID is taken"}}"#).await;
    ann.assert_heard_all("ann").await;
}

#[tokio::test]
async fn of_many_who_want_an_id_at_once_one_gets_it() {
    let server = TestServer::start().await;
    let mut sockets = Vec::new();
    for token in 0..20 {
        let target = format!("/peerjs?key=peerjs&id=ann&token=t{token}");
        sockets.push(server.socket(&target).await);
    }
    let mut opened = 0;
    for mut socket in sockets {
        match socket.text().await.as_str() {
            OPEN => opened += 1,
            text => assert!(text.starts_with(r#"{"type":"ID-TAKEN""#), "{text}"),
        }
    }
    assert_eq!(opened, 1);
}

#[tokio::test]
async fn a_full_server_says_so_but_lets_a_known_peer_in() {
    let server = TestServer::with(|config| config.concurrent_limit = 1).await;
    let _ann = server.peer("ann").await;
    let text =
        r#"{"type":"ERROR","payload":{"msg":"Server has reached its concurrent user limit"}}"#;
    assert_turned_away(server.socket("/peerjs?key=peerjs&id=ben&token=t").await, text).await;
    let _ann_again = server.peer("ann").await;
}

#[tokio::test]
async fn a_place_is_free_again_when_a_peer_has_left() {
    let server = TestServer::with(|config| config.concurrent_limit = 1).await;
    server.peer("ann").await.close().await;
    let _ben = server.peer("ben").await;
}

#[tokio::test]
async fn the_key_is_that_of_the_configuration() {
    let server = TestServer::with(|config| config.key = Some("secret-lab".into())).await;
    let mut socket = server.socket("/peerjs?key=secret-lab&id=ann&token=t").await;
    assert_eq!(socket.text().await, OPEN);
    let default = server.socket("/peerjs?key=peerjs&id=ann&token=t").await;
    let text = r#"{"type":"INVALID-KEY","payload":{"msg":"Invalid key provided"}}"#;
    assert_turned_away(default, text).await;
}

#[tokio::test]
async fn the_path_without_peerjs_is_an_endpoint_too() {
    for (path, target) in [
        ("/", "/?key=peerjs&id=ann&token=t"),
        ("/my/app", "/my/app?key=peerjs&id=ann&token=t"),
        ("/my/app", "/my/app/?key=peerjs&id=ann&token=t"),
        ("my/app/", "/my/app/peerjs?key=peerjs&id=ann&token=t"),
    ] {
        let server = TestServer::with(|config| config.path = path.into()).await;
        assert_eq!(server.socket(target).await.text().await, OPEN, "{path} {target}");
    }
}

#[tokio::test]
async fn a_wrong_path_is_refused_with_a_hint() {
    let server = TestServer::with(|config| config.path = "/my".into()).await;
    for target in ["/peerjs", "/other/peerjs", "/my/peerjs/"] {
        let target = format!("{target}?key=peerjs&id=ann&token=t");
        let io = Box::new(server.connect().await);
        let error = Socket::try_open(io, &target, &[]).await.err().expect("no WebSocket there");
        let Error::Http(answer) = error else { panic!("{target}: {error}") };
        assert_eq!(answer.status(), 404, "{target}");
        let body = String::from_utf8(answer.body().clone().unwrap_or_default()).unwrap();
        assert!(body.contains("path: '/my/'"), "{target}: {body}");
    }
}

#[tokio::test]
async fn of_repeated_query_members_the_last_one_counts() {
    let server = TestServer::start().await;
    let target = "/peerjs?key=peerjs&id=old&token=t1&id=ann&token=t2";
    let mut socket = server.socket(target).await;
    assert_eq!(socket.text().await, OPEN);
    socket.assert_heard_all("ann").await;
    // The token was the last one as well: it takes the id over.
    let mut again = server.socket("/peerjs?key=peerjs&id=ann&token=t2").await;
    assert_eq!(again.text().await, OPEN);
}

#[tokio::test]
async fn unknown_query_members_and_the_version_are_let_through() {
    let server = TestServer::start().await;
    let target = "/peerjs?key=peerjs&id=ann&token=t&version=1.5.5&flavour=mint";
    let mut socket = server.socket(target).await;
    assert_eq!(socket.text().await, OPEN);
    socket.assert_heard_all("ann").await;
}

#[tokio::test]
async fn an_id_with_a_space_or_any_script_is_an_id() {
    let server = TestServer::start().await;
    let mut socket = server.socket("/peerjs?key=peerjs&id=my%20id&token=t").await;
    assert_eq!(socket.text().await, OPEN);
    socket.assert_heard_all("my id").await;
    let mut socket = server.socket("/peerjs?key=peerjs&id=%E6%97%A5%22q&token=t").await;
    assert_eq!(socket.text().await, OPEN);
    socket.offer(r#"日\"q"#, "1").await;
    let text = r#"{"type":"OFFER","src":"日\"q","dst":"日\"q","payload":1}"#;
    assert_eq!(socket.text().await, text);
}

#[tokio::test]
async fn json_in_a_binary_frame_is_json() {
    let server = TestServer::start().await;
    let mut ann = server.peer("ann").await;
    let frame = r#"{"type":"OFFER","payload":{"x":1},"dst":"ann"}"#;
    ann.send_message(Message::binary(frame.as_bytes().to_vec())).await;
    let text = r#"{"type":"OFFER","src":"ann","dst":"ann","payload":{"x":1}}"#;
    assert_eq!(ann.text().await, text);
}

#[tokio::test]
async fn a_client_that_closes_gives_its_id_back_at_once() {
    let server = TestServer::start().await;
    server.peer("ann").await.close().await;
    let mut other = server.socket("/peerjs?key=peerjs&id=ann&token=somebody-else").await;
    assert_eq!(other.text().await, OPEN);
}

#[tokio::test]
async fn clients_that_close_are_not_kept_waiting() {
    let server = TestServer::start().await;
    let closing = async {
        // Each lasted three seconds when the server waited for them in turn.
        for _ in 0..10 {
            server.peer("ann").await.close().await;
        }
    };
    within("ten clients to close", closing).await;
}

#[tokio::test]
async fn an_id_that_would_harm_others_is_refused() {
    let server = TestServer::start().await;
    let socket = server.socket("/peerjs?key=peerjs&id=a%0Ab&token=t").await;
    let text = r#"{"type":"ERROR","payload":{"msg":"Invalid id: it must not contain control characters"}}"#;
    assert_turned_away(socket, text).await;
}
