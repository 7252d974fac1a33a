//! Behind a reverse proxy the client's address is what the proxy says.

use crate::support::{Socket, TestServer};

const OPEN: &str = r#"{"type":"OPEN"}"#;

async fn socket(server: &TestServer, id: &str, forwarded_for: &str) -> Socket {
    let io = Box::new(server.connect().await);
    let target = format!("/peerjs?key=peerjs&id={id}&token=t");
    Socket::open(io, &target, &[("x-forwarded-for", forwarded_for)]).await
}

fn full(address: &str) -> String {
    format!(
        r#"{{"type":"ERROR","payload":{{"msg":"{address} has reached its concurrent user limit"}}}}"#
    )
}

#[tokio::test]
async fn each_forwarded_address_has_its_own_limit() {
    let server = TestServer::with(|config| {
        config.proxied = true;
        config.limits.sessions_per_address = 1;
    })
    .await;
    let mut ann = socket(&server, "ann", "192.0.2.1").await;
    let mut ben = socket(&server, "ben", "2001:db8::1").await;
    assert_eq!((ann.text().await, ben.text().await), (OPEN.into(), OPEN.into()));
    // What the client itself wrote before the proxy's entry does not count.
    let mut cat = socket(&server, "cat", "198.51.100.7, 192.0.2.1").await;
    assert_eq!(cat.text().await, full("192.0.2.1"));
}

#[tokio::test]
async fn further_proxies_are_counted_from_the_end() {
    let server = TestServer::with(|config| {
        config.proxied = true;
        config.proxy_hops = 2;
        config.limits.sessions_per_address = 1;
    })
    .await;
    let mut ann = socket(&server, "ann", "203.0.113.9, 192.0.2.1, 10.0.0.1").await;
    assert_eq!(ann.text().await, OPEN);
    let mut ben = socket(&server, "ben", "192.0.2.1, 10.0.0.2").await;
    assert_eq!(ben.text().await, full("192.0.2.1"));
}

#[tokio::test]
async fn without_a_proxy_the_header_means_nothing() {
    let server = TestServer::with(|config| config.limits.sessions_per_address = 1).await;
    let mut ann = socket(&server, "ann", "192.0.2.1").await;
    assert_eq!(ann.text().await, OPEN);
    let mut ben = socket(&server, "ben", "192.0.2.2").await;
    assert_eq!(ben.text().await, full("127.0.0.1"));
}

#[tokio::test]
async fn a_header_that_is_no_address_counts_as_none() {
    let server = TestServer::with(|config| {
        config.proxied = true;
        config.limits.sessions_per_address = 1;
    })
    .await;
    let mut ann = socket(&server, "ann", "unknown").await;
    assert_eq!(ann.text().await, OPEN);
    let mut ben = socket(&server, "ben", "_hidden").await;
    assert_eq!(ben.text().await, full("127.0.0.1"));
}
