//! The option `leave_after`: peers are told that somebody they talked to has left.

use crate::support::{TestServer, millis};

async fn server_that_tells(after: u64) -> TestServer {
    TestServer::with(|config| config.leave_after = Some(millis(after))).await
}

#[tokio::test]
async fn those_a_peer_talked_to_are_told_that_it_left() {
    let server = server_that_tells(100).await;
    let (mut ann, mut ben) = (server.peer("ann").await, server.peer("ben").await);
    let mut cat = server.peer("cat").await;
    ann.offer("ben", "1").await;
    ben.text().await;
    ann.close().await;
    assert_eq!(ben.text().await, r#"{"type":"LEAVE","src":"ann","dst":"ben"}"#);
    cat.assert_heard_all("cat").await;
}

#[tokio::test]
async fn it_does_not_matter_who_spoke_first() {
    let server = server_that_tells(100).await;
    let (mut ann, ben) = (server.peer("ann").await, server.peer("ben").await);
    ann.offer("ben", "1").await;
    ann.assert_heard_all("ann").await;
    drop(ben);
    assert_eq!(ann.text().await, r#"{"type":"LEAVE","src":"ben","dst":"ann"}"#);
}

#[tokio::test]
async fn a_peer_that_comes_back_in_time_has_not_left() {
    let server = server_that_tells(60_000).await;
    let (mut ann, mut ben) = (server.peer("ann").await, server.peer("ben").await);
    ann.offer("ben", "1").await;
    ben.text().await;
    ann.close().await;
    let _ann = server.peer("ann").await;
    ben.assert_heard_all("ben").await;
}

#[tokio::test]
async fn somebody_else_with_the_same_id_means_that_the_first_one_left() {
    let server = server_that_tells(60_000).await;
    let (mut ann, mut ben) = (server.peer("ann").await, server.peer("ben").await);
    ann.offer("ben", "1").await;
    ben.text().await;
    ann.close().await;
    let mut other = server.socket("/peerjs?key=peerjs&id=ann&token=other").await;
    assert_eq!(other.text().await, r#"{"type":"OPEN"}"#);
    assert_eq!(ben.text().await, r#"{"type":"LEAVE","src":"ann","dst":"ben"}"#);
}
