//! How TURN is drained and how it ends.

use std::time::Duration;

use peerway_turn::{CloseReason, Transport};
use tokio::net::{TcpListener, UdpSocket};

use crate::support::{Login, Refused, TurnServer, Wish, within};

#[tokio::test]
async fn a_drained_server_sends_new_clients_elsewhere_and_keeps_the_old_ones() {
    let alternate = "192.0.2.7:3478".parse().unwrap();
    let server = TurnServer::with(|config| config.turn.alternate_servers = vec![alternate]).await;
    let mut reports = server.reports();
    let mut old = Vec::new();
    for transport in Transport::ALL {
        let mut client = server.client(transport, Login::joe()).await;
        client.allocate().await;
        old.push(client);
    }
    assert!(server.control.drain_turn());
    let elsewhere = Refused { code: 300, alternate: Some(alternate) };
    for transport in Transport::ALL {
        let mut new = server.client(transport, Login::joe()).await;
        assert_eq!(new.try_allocate(Wish::default()).await, Err(elsewhere));
        new.binding().await;
        // No server to send it to that it could reach.
        let mut on_v6 = server.client_at(transport, server.at_v6(transport), Login::joe()).await;
        assert_eq!(on_v6.try_allocate(Wish::default()).await, Err(Refused::with(508)));
    }
    for mut client in old {
        assert_eq!(client.refresh(600).await, Ok(600));
        client.permit("1.1.1.1".parse().unwrap()).await.unwrap();
        client.refresh(0).await.unwrap();
        assert_eq!(client.try_allocate(Wish::default()).await, Err(elsewhere));
        let (_, reason, _) = reports.closed().await;
        assert_eq!(reason, CloseReason::Released);
    }
    let draining = "peerway_turn_refusals_total{app=\"other\",reason=\"draining\"}";
    server.until_metric(draining, 9).await;
}

#[tokio::test]
async fn open_allocations_do_not_delay_the_end_and_are_told() {
    let server = TurnServer::with(|config| config.turn.workers = Some(4)).await;
    let mut reports = server.reports();
    let mut clients = Vec::new();
    for transport in Transport::ALL {
        for _ in 0..3 {
            let mut client = server.client(transport, Login::joe()).await;
            client.allocate().await;
            clients.push(client);
        }
    }
    let at = server.at(Transport::Udp);
    server.control.stop();
    let ended = tokio::time::timeout(Duration::from_secs(2), server.ended());
    ended.await.expect("nobody is waited for");
    for _ in &clients {
        let (_, reason, _) = reports.closed().await;
        assert_eq!(reason, CloseReason::Stopped);
    }
    UdpSocket::bind(at).await.expect("the port is free");
    for mut client in clients {
        if client.wire.is_stream() {
            assert_eq!(within("the end", client.wire.receive()).await, None);
        }
    }
}

#[tokio::test]
async fn connections_of_every_kind_do_not_delay_the_end() {
    let server = TurnServer::open().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut client = server.client(Transport::Tcp, Login::joe()).await;
    client.try_allocate(Wish { tcp: true, ..Wish::default() }).await.unwrap();
    let connection = client.connect(listener.local_addr().unwrap()).await.unwrap();
    let mut data = server.client(Transport::Tls, Login::joe()).await;
    data.bind(connection).await.unwrap();
    let silent = tokio::net::TcpStream::connect(server.at(Transport::Tcp)).await.unwrap();
    let shaking = tokio::net::TcpStream::connect(server.at(Transport::Tls)).await.unwrap();
    let idle = server.client(Transport::Tls, Login::joe()).await;
    server.control.stop();
    let ended = tokio::time::timeout(Duration::from_secs(2), server.ended());
    ended.await.expect("nobody is waited for");
    drop((silent, shaking, idle, client));
    assert_eq!(within("the end", data.wire.receive()).await, None);
}

/// An embedder may drop the server instead of stopping it. Its threads once went on for ever.
#[test]
fn a_server_that_is_dropped_leaves_no_threads_behind() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let first = runtime();
    let at = first.block_on(async {
        let server = TurnServer::start().await;
        server.client(Transport::Udp, Login::joe()).await.allocate().await;
        server.at(Transport::Udp)
    });
    drop(first);
    runtime().block_on(async {
        let free = async {
            while UdpSocket::bind(at).await.is_err() {
                tokio::task::yield_now().await;
            }
        };
        within("the port to be free", free).await;
    });
}
