//! Connections that are slow, half-open or talk nonsense.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;

use crate::support::{Request, TestServer, millis, within};

/// What comes until the server closes; a reset counts as an end.
async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let _ = within("the end of the connection", stream.read_to_end(&mut bytes)).await;
    String::from_utf8_lossy(&bytes).into_owned()
}

#[tokio::test]
async fn a_connection_that_asks_nothing_is_closed_in_time() {
    let server = TestServer::with(|it| it.limits.handshake_timeout = millis(100)).await;
    let mut idle = server.connect().await;
    read_to_end(&mut idle).await;
    server.assert_well().await;
}

#[tokio::test]
async fn a_request_that_comes_drop_by_drop_is_cut_in_time() {
    let server = TestServer::with(|it| it.limits.handshake_timeout = millis(200)).await;
    let (mut reader, mut writer) = server.connect().await.into_split();
    let dripping = async {
        writer.write_all(b"GET / HTTP/1.1\r\n").await?;
        // Ends with an error when the server has closed.
        loop {
            writer.write_all(b"X-Drop: y\r\n").await?;
            tokio::task::yield_now().await;
        }
    };
    let closing = async { reader.read_to_end(&mut Vec::new()).await.map(drop) };
    let end = async {
        tokio::select! {
            result = dripping => { let result: std::io::Result<()> = result; drop(result) }
            result = closing => drop(result),
        }
    };
    within("the slow request to be cut", end).await;
    server.assert_well().await;
}

#[tokio::test]
async fn a_body_that_never_comes_is_not_waited_for() {
    let server = TestServer::with(|it| it.limits.handshake_timeout = millis(100)).await;
    let mut stream = server.connect().await;
    let head = "POST /peerjs/ann/t/offer HTTP/1.1\r\nHost: x\r\nOrigin: https://a.example\r\n\
                Content-Length: 100\r\n\r\n{";
    stream.write_all(head.as_bytes()).await.unwrap();
    let answer = read_to_end(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("access-control-allow-origin: https://a.example\r\n"), "{answer}");
    server.assert_well().await;
}

#[tokio::test]
async fn half_open_connections_are_counted_and_others_get_in_when_they_time_out() {
    let server = TestServer::with(|config| {
        config.limits.pending_handshakes_per_address = 2;
        config.limits.handshake_timeout = millis(1500);
    })
    .await;
    let (mut one, mut two) = (server.connect().await, server.connect().await);
    let turned_away = read_to_end(&mut server.connect().await).await;
    let (head, body) = turned_away.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{head}");
    let length = format!("content-length: {}", body.len());
    assert!(head.lines().any(|line| line == length), "{head} is not {length}");
    assert_eq!(
        body,
        r#"{"error":{"type":"handshakes","message":"too many connections are being opened"}}"#
    );
    read_to_end(&mut one).await;
    read_to_end(&mut two).await;
    server.assert_well().await;
}

#[tokio::test]
async fn half_open_connections_are_counted_over_all_addresses_too() {
    let server = TestServer::with(|config| {
        config.limits.pending_handshakes = 1;
        config.limits.handshake_timeout = millis(1500);
    })
    .await;
    let mut one = server.connect().await;
    assert!(read_to_end(&mut server.connect().await).await.starts_with("HTTP/1.1 503 "));
    // The first complete request makes room.
    one.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut first_byte = [0];
    within("an answer", one.read_exact(&mut first_byte)).await.unwrap();
    server.assert_well().await;
}

#[tokio::test]
async fn sessions_do_not_count_as_handshakes() {
    let server = TestServer::with(|it| it.limits.pending_handshakes_per_address = 1).await;
    let mut ann = server.peer("ann").await;
    let mut ben = server.peer("ben").await;
    ann.assert_heard_all("ann").await;
    ben.assert_heard_all("ben").await;
}

#[tokio::test]
async fn a_frame_that_is_not_utf8_is_told_and_closes_with_1007() {
    let server = TestServer::start().await;
    for opcode in [0x81, 0x82] {
        let mut ann = server.peer("ann").await;
        ann.send_raw(&[opcode, 0x82, 0, 0, 0, 0, 0xff, 0xfe]).await;
        let text = r#"{"type":"ERROR","payload":{"msg":"Invalid message: not UTF-8 text"}}"#;
        assert_eq!(ann.text().await, text);
        assert_eq!(ann.close_code().await, Some(1007));
    }
    server.assert_well().await;
}

#[tokio::test]
async fn bytes_that_break_the_framing_close_with_1002() {
    let server = TestServer::start().await;
    for (bytes, what) in [
        (&[0x81, 0x02, b'h', b'i'][..], "a frame without a mask"),
        (&[0xf1, 0x80, 0, 0, 0, 0], "reserved bits"),
        (&[0x83, 0x80, 0, 0, 0, 0], "a reserved opcode"),
        (&[0x09, 0x80, 0, 0, 0, 0], "a ping in pieces"),
        (&[0x80, 0x80, 0, 0, 0, 0], "a continuation of nothing"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "another request"),
        (&[0xff; 64], "garbage"),
    ] {
        let mut ann = server.peer("ann").await;
        ann.send_raw(bytes).await;
        assert_eq!(ann.close_code().await, Some(1002), "{what}");
    }
    server.assert_well().await;
}

#[tokio::test]
async fn a_frame_in_the_same_packet_as_the_handshake_is_not_lost() {
    let server = TestServer::start().await;
    let mut stream = server.connect().await;
    let message = br#"{"type":"OFFER","dst":"ann"}"#;
    let mut bytes = b"GET /peerjs?key=peerjs&id=ann&token=t HTTP/1.1\r\nHost: x\r\n\
        Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        .to_vec();
    let length = u8::try_from(message.len()).unwrap();
    bytes.extend([0x81, 0x80 | length, 0, 0, 0, 0]);
    bytes.extend(message);
    stream.write_all(&bytes).await.unwrap();
    let mut answer = String::new();
    while !answer.contains(r#"{"type":"OFFER","src":"ann","dst":"ann"}"#) {
        let mut piece = [0; 1024];
        let read = within("the message", stream.read(&mut piece)).await.unwrap();
        assert!(read > 0, "the message did not come: {answer}");
        answer.push_str(&String::from_utf8_lossy(&piece[..read]));
    }
    assert!(answer.contains("sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"), "{answer}");
    assert!(answer.contains(r#"{"type":"OPEN"}"#), "{answer}");
}

#[tokio::test]
async fn a_message_may_come_in_pieces_with_a_ping_between() {
    let server = TestServer::start().await;
    let mut ann = server.peer("ann").await;
    let (start, end) = (br#"{"type":"OFFER","#, br#""dst":"ann"}"#);
    let frame = |first: u8, payload: &[u8]| {
        let length = u8::try_from(payload.len()).unwrap();
        [&[first, 0x80 | length, 0, 0, 0, 0], payload].concat()
    };
    let frames = [frame(0x01, start), frame(0x89, b"?"), frame(0x80, end)].concat();
    // Byte by byte, as a slow network might bring them.
    for byte in frames {
        ann.send_raw(&[byte]).await;
    }
    assert_eq!(ann.message().await, Some(Message::Pong("?".into())));
    assert_eq!(ann.text().await, r#"{"type":"OFFER","src":"ann","dst":"ann"}"#);
}

#[tokio::test]
async fn a_connection_serves_several_requests() {
    let server = TestServer::start().await;
    let mut stream = server.connect().await;
    let request = "GET /peerjs/id HTTP/1.1\r\nHost: x\r\n\r\n";
    let last = "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    stream.write_all(format!("{request}{request}{last}").as_bytes()).await.unwrap();
    let answers = read_to_end(&mut stream).await;
    assert_eq!(answers.matches("HTTP/1.1 200 OK\r\n").count(), 3, "{answers}");
    assert!(answers.ends_with("ok\n"));
}

#[tokio::test]
async fn a_socket_that_dies_without_a_word_frees_its_id() {
    let server = TestServer::start().await;
    drop(server.peer("ann").await);
    server.until_metric("peerway_peers", 0).await;
    server.peer("ann").await.assert_heard_all("ann").await;
}

#[tokio::test]
async fn a_request_head_that_is_too_large_is_refused() {
    let server = TestServer::start().await;
    let mut stream = server.connect().await;
    let head = format!("GET / HTTP/1.1\r\nHost: x\r\nX-Large: {}\r\n\r\n", "x".repeat(40_000));
    // The server may hang up before it has all of it.
    let _ = stream.write_all(head.as_bytes()).await;
    let answer = read_to_end(&mut stream).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431 "), "{answer}");
    server.assert_well().await;
}

#[tokio::test]
async fn nonsense_on_the_port_is_answered_with_an_error_or_the_end() {
    let server = TestServer::start().await;
    for nonsense in [
        "\r\n\r\n\r\n",
        "hello\r\n\r\n",
        "GET\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET http:// HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET * HTTP/1.1\r\nHost: x\r\n\r\n",
        "CONNECT peer:1 HTTP/1.1\r\nHost: x\r\n\r\n",
        "POST /peerjs/a/t/offer HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        "POST /peerjs/a/t/offer HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
        "POST /peerjs/a/t/offer HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "POST /peerjs/a/t/offer HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        "POST /peerjs/a/t/offer HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
        "GET /peerjs/%ff%fe/%00/id HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /%/id HTTP/1.1\r\nHost: x\r\n\r\n",
        "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}\u{1}",
    ] {
        let mut stream = server.connect().await;
        stream.write_all(nonsense.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let answer = read_to_end(&mut stream).await;
        let refused = answer.is_empty() || answer.starts_with("HTTP/1.1 4");
        assert!(refused, "{nonsense:?} was answered with {answer:?}");
    }
    server.assert_well().await;
}

#[tokio::test]
async fn a_broken_upgrade_is_told_what_is_missing() {
    let server = TestServer::start().await;
    let upgrade = |version, key| {
        let request = Request::get("/peerjs?key=peerjs&id=ann&token=t");
        let request = request.header("Upgrade", "websocket").header("Connection", "Upgrade");
        request.header("Sec-WebSocket-Version", version).header(key, "dGhlIHNhbXBsZSBub25jZQ==")
    };
    let old = upgrade("8", "Sec-WebSocket-Key").send(&server).await;
    assert_eq!(old.status, 400);
    assert!(old.body.contains("Sec-WebSocket-Version must be 13"), "{}", old.body);
    let keyless = upgrade("13", "X-Other").send(&server).await;
    assert_eq!(keyless.status, 400);
    assert!(keyless.body.contains("Sec-WebSocket-Key is missing"), "{}", keyless.body);
    let plain = server.get("/peerjs?key=peerjs&id=ann&token=t").await;
    assert_eq!(plain.status, 426);
}
