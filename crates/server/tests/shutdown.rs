//! How the server says goodbye.

use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::support::{TestServer, stream_of, until_message, within};

#[tokio::test]
async fn clients_hear_1001_and_the_port_closes() {
    let server = TestServer::start().await;
    let (mut ann, mut ben) = (server.peer("ann").await, server.peer("ben").await);
    server.control.stop();
    assert_eq!(ann.close_code().await, Some(1001));
    assert_eq!(ben.close_code().await, Some(1001));
    drop((ann, ben));
    let address = server.address;
    server.ended().await;
    let connect = within("the refused connection", TcpStream::connect(address));
    assert!(connect.await.is_err());
}

#[tokio::test]
async fn streams_end_cleanly() {
    let server = TestServer::start().await;
    let mut stream = stream_of(&server, "ann", "t", 0).await;
    stream.chunk().await.unwrap();
    server.control.stop();
    assert_eq!(until_message(&mut stream).await, None);
    server.ended().await;
}

#[tokio::test]
async fn messages_already_taken_are_delivered_before_the_goodbye() {
    let server = TestServer::start().await;
    let (mut ann, mut ben) = (server.peer("ann").await, server.peer("ben").await);
    for number in 0..100 {
        ann.offer("ben", &number.to_string()).await;
    }
    ann.assert_heard_all("ann").await;
    server.control.stop();
    for number in 0..100 {
        let text = format!(r#"{{"type":"OFFER","src":"ann","dst":"ben","payload":{number}}}"#);
        assert_eq!(ben.text().await, text);
    }
    assert_eq!(ben.close_code().await, Some(1001));
}

/// Browsers open sockets on suspicion, and such a one used to delay the end by five seconds.
#[tokio::test]
async fn connections_that_have_asked_for_nothing_do_not_delay_the_end() {
    let server = TestServer::start().await;
    let silent = TcpStream::connect(server.address).await.unwrap();
    let mut halfway = TcpStream::connect(server.address).await.unwrap();
    halfway.write_all(b"GET / HTTP/1.1\r\nHos").await.unwrap();
    // Accepted after the two, answered: so they have been accepted.
    assert_eq!(server.get("/healthz").await.body, "ok\n");
    server.control.stop();
    let ended = tokio::time::timeout(Duration::from_secs(4), server.ended());
    ended.await.expect("nobody is waited for");
    drop((silent, halfway));
}
