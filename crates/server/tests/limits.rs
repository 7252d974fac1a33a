//! What one client may cost the others: sizes, rates, mail, slow readers, sessions.

use tokio_tungstenite::tungstenite::Message;

use crate::support::{Request, TestServer, millis, stream_of};

/// A frame of a client before its payload, masked with zeros: FIN and text, a 64-bit length.
fn frame_head(length: u64) -> Vec<u8> {
    let mut head = vec![0x81, 0xff];
    head.extend(length.to_be_bytes());
    head.extend([0; 4]);
    head
}

#[tokio::test]
async fn a_frame_over_the_limit_is_told_readably_even_while_it_is_still_being_sent() {
    let server = TestServer::start().await;
    let mut ann = server.peer("ann").await;
    let mut frame = frame_head(10 * 1024 * 1024);
    frame.resize(frame.len() + 10 * 1024 * 1024, b'x');
    ann.send_raw(&frame).await;
    let text = r#"{"type":"ERROR","payload":{"msg":"Message too big: the limit is 262144 bytes"}}"#;
    assert_eq!(ann.text().await, text);
    assert_eq!(ann.close_code().await, Some(1009));
    server.assert_well().await;
}

#[tokio::test]
async fn a_message_in_many_pieces_is_limited_as_a_whole() {
    let server = TestServer::with(|config| config.limits.frame_size.0 = 4096).await;
    let mut ann = server.peer("ann").await;
    // A text that begins, and a continuation, never final.
    let piece = |opcode: u8| [[opcode, 0xfe, 0x04, 0x00, 0, 0, 0, 0].to_vec(), vec![b'x'; 1024]];
    ann.send_raw(&piece(0x01).concat()).await;
    for _ in 0..8 {
        ann.send_raw(&piece(0x00).concat()).await;
    }
    let text = r#"{"type":"ERROR","payload":{"msg":"Message too big: the limit is 4096 bytes"}}"#;
    assert_eq!(ann.text().await, text);
    assert_eq!(ann.close_code().await, Some(1009));
}

#[tokio::test]
async fn a_message_just_within_the_limit_is_delivered() {
    let server = TestServer::with(|config| config.limits.frame_size.0 = 4096).await;
    let mut ann = server.peer("ann").await;
    let frame = |size: usize| {
        let empty = r#"{"type":"OFFER","dst":"ann","payload":""}"#;
        let filling = "x".repeat(size - empty.len());
        format!(r#"{{"type":"OFFER","dst":"ann","payload":"{filling}"}}"#)
    };
    ann.send(&frame(4096)).await;
    assert!(ann.text().await.starts_with(r#"{"type":"OFFER","src":"ann""#));
    ann.send(&frame(4097)).await;
    assert!(ann.text().await.contains("Message too big"));
}

#[tokio::test]
async fn too_many_messages_are_told_and_end_the_session() {
    let server = TestServer::with(|config| {
        config.limits.messages_per_second = 1;
        config.limits.message_burst = 5;
    })
    .await;
    for frame in [
        r#"{"type":"ANSWER","dst":"nobody"}"#,
        r#"{"type":"HEARTBEAT"}"#,
        r#"{"type":"UNKNOWN"}"#,
        "not json",
    ] {
        let mut ann = server.peer("ann").await;
        for _ in 0..50 {
            ann.send_message(Message::text(frame)).await;
        }
        let text =
            r#"{"type":"ERROR","payload":{"msg":"Too many messages: the limit is 1 per second"}}"#;
        while ann.text().await != text {}
        assert_eq!(ann.close_code().await, Some(1008), "{frame}");
    }
}

#[tokio::test]
async fn a_flood_of_pings_ends_the_session() {
    let server = TestServer::with(|config| config.limits.message_burst = 100).await;
    let mut ann = server.peer("ann").await;
    // Empty masked pings.
    ann.send_raw(&[0x89, 0x80, 0, 0, 0, 0].repeat(20_000)).await;
    assert!(ann.text().await.contains("Too many messages"));
    assert_eq!(ann.close_code().await, Some(1008));
    server.assert_well().await;
}

#[tokio::test]
async fn offers_to_nobody_are_refused_when_too_many_wait_and_disturb_no_other_pair() {
    let server = TestServer::with(|config| {
        config.limits.mail_per_sender = 10;
        config.limits.messages_per_second = 100_000;
        config.limits.message_burst = 100_000;
    })
    .await;
    let (mut ann, mut ben) = (server.peer("ann").await, server.peer("ben").await);
    let mut eve = server.peer("eve").await;
    for number in 0..1000 {
        eve.offer(&format!("nobody-{number}"), "1").await;
        if number % 100 == 0 {
            ann.offer("ben", "1").await;
            let text = r#"{"type":"OFFER","src":"ann","dst":"ben","payload":1}"#;
            assert_eq!(ben.text().await, text);
        }
    }
    let told = eve.text().await;
    let text = r#"{"type":"ERROR","payload":{"msg":"Too many messages wait for peers that are not connected; last refused: nobody-10"}}"#;
    assert_eq!(told, text);
    // What is not kept is refused, not the session.
    eve.offer("ben", "2").await;
    let text = r#"{"type":"OFFER","src":"eve","dst":"ben","payload":2}"#;
    assert_eq!(ben.text().await, text);
    assert_eq!(server.metric("peerway_mail").await, 10);
    // Others still have their own mail.
    ann.offer("nobody", "1").await;
    ann.assert_heard_all("ann").await;
    assert_eq!(server.metric("peerway_mail").await, 11);
}

#[tokio::test]
async fn mail_is_limited_in_bytes_and_for_the_whole_app_too() {
    let server = TestServer::with(|config| {
        config.limits.mail_bytes_per_sender.0 = 10_000;
        config.limits.mail_per_app = 3;
    })
    .await;
    let (mut ann, mut ben) = (server.peer("ann").await, server.peer("ben").await);
    ann.offer("x", &format!(r#""{}""#, "y".repeat(9000))).await;
    ann.offer("x", &format!(r#""{}""#, "y".repeat(9000))).await;
    assert!(ann.text().await.contains("Too many messages wait"));
    for _ in 0..3 {
        ben.offer("x", "1").await;
    }
    let text = r#"{"type":"ERROR","payload":{"msg":"The server keeps no more messages for peers that are not connected; last refused: x"}}"#;
    assert_eq!(ben.text().await, text);
    assert_eq!(server.metric("peerway_mail").await, 3);
}

#[tokio::test]
async fn a_slow_reader_is_cut_and_its_sender_hears_leave() {
    let server = TestServer::with(|config| config.limits.outbox_size.0 = 300_000).await;
    let mut ann = server.peer("ann").await;
    // Never reads again.
    let _slow = server.peer("slow").await;
    let large = format!(r#""{}""#, "x".repeat(100_000));
    for _ in 0..200 {
        ann.offer("slow", &large).await;
    }
    assert_eq!(ann.text().await, r#"{"type":"LEAVE","src":"slow","dst":"ann"}"#);
    server.until_metric("peerway_slow_readers_total", 1).await;
    server.until_metric("peerway_peers", 1).await;
    server.assert_well().await;
}

#[tokio::test]
async fn a_client_that_reads_nothing_for_long_is_cut_however_little_waits() {
    let server = TestServer::with(|config| {
        config.limits.outbox_size.0 = 1024 * 1024 * 1024;
        config.limits.write_timeout = millis(200);
    })
    .await;
    let mut ann = server.peer("ann").await;
    let _stuck = server.peer("stuck").await;
    // More than the buffers of a loopback connection hold.
    let large = format!(r#""{}""#, "x".repeat(200_000));
    for _ in 0..100 {
        ann.offer("stuck", &large).await;
    }
    server.until_metric("peerway_peers", 1).await;
    server.assert_well().await;
}

#[tokio::test]
async fn a_stream_that_nobody_reads_is_cut_too() {
    let server = TestServer::with(|config| {
        config.limits.outbox_size.0 = 1024 * 1024 * 1024;
        config.limits.write_timeout = millis(200);
    })
    .await;
    let mut ann = server.peer("ann").await;
    let _stuck = stream_of(&server, "stuck", "t", 0).await;
    let large = format!(r#""{}""#, "x".repeat(250_000));
    for _ in 0..60 {
        ann.offer("stuck", &large).await;
    }
    server.until_metric("peerway_peers", 1).await;
    server.until_metric(r#"peerway_sessions{transport="xhr"}"#, 0).await;
    server.assert_well().await;
}

#[tokio::test]
async fn many_slow_readers_are_cut_before_they_fill_the_memory_and_others_go_on() {
    let server = TestServer::with(|config| {
        config.limits.outbox_size.0 = 1024 * 1024 * 1024;
        config.limits.outbox_total.0 = 1024 * 1024;
    })
    .await;
    let (mut ann, mut ben) = (server.peer("ann").await, server.peer("ben").await);
    let _slow = [server.peer("slow-0").await, server.peer("slow-1").await];
    // More than the buffers of a loopback connection hold.
    let large = format!(r#""{}""#, "x".repeat(200_000));
    for number in 0..100 {
        ann.offer("slow-0", &large).await;
        ann.offer("slow-1", &large).await;
        ben.offer("ben", &number.to_string()).await;
        let text = format!(r#"{{"type":"OFFER","src":"ben","dst":"ben","payload":{number}}}"#);
        assert_eq!(ben.text().await, text);
    }
    server.until_metric("peerway_peers", 2).await;
    server.assert_well().await;
}

#[tokio::test]
async fn sessions_are_limited_per_address() {
    let server = TestServer::with(|config| config.limits.sessions_per_address = 2).await;
    let ann = server.peer("ann").await;
    let _ben = server.peer("ben").await;
    let mut cat = server.socket("/peerjs?key=peerjs&id=cat&token=t").await;
    let text =
        r#"{"type":"ERROR","payload":{"msg":"127.0.0.1 has reached its concurrent user limit"}}"#;
    assert_eq!(cat.text().await, text);
    assert_eq!(cat.close_code().await, None);
    let stream = Request::post("/peerjs/cat/t/id?i=0", "").send(&server).await;
    assert_eq!(stream.body, r#"{"type":"HTTP-ERROR"}"#);
    drop(cat);
    ann.close().await;
    server.until_metric(r#"peerway_sessions{transport="websocket"}"#, 1).await;
    server.peer("cat").await.assert_heard_all("cat").await;
}

#[tokio::test]
async fn a_post_over_the_limit_is_too_large() {
    let server = TestServer::with(|config| config.limits.frame_size.0 = 4096).await;
    let body = "x".repeat(5000);
    let post = Request::post("/peerjs/ann/t/offer", &body).header("Origin", "https://a.example");
    let answer = post.send(&server).await;
    assert_eq!(answer.status, 413);
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://a.example"));
    server.assert_well().await;
}
