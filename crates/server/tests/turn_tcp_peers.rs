//! TCP connections to peers (RFC 6062), over TCP and TLS.

use std::net::SocketAddr;

use peerway_turn::Transport::{self, Tcp, Tls, Udp};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{BoxIo, Login, Refused, TurnClient, TurnServer, Wish, within};

const STREAMS: [Transport; 2] = [Tcp, Tls];
const LENGTH: usize = 1_000_000;

/// A client with a relayed address for TCP.
async fn allocated(server: &TurnServer, transport: Transport) -> (TurnClient, SocketAddr) {
    let mut client = server.client(transport, Login::joe()).await;
    let wish = Wish { tcp: true, ..Wish::default() };
    let relayed = client.try_allocate(wish).await.unwrap().relayed[0];
    (client, relayed)
}

/// A peer outside that listens.
async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    (listener, at)
}

async fn accepted(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    within("a connection from the relay", listener.accept()).await.unwrap()
}

/// A connection of a client that carries a peer's bytes, and those that came already.
async fn bound(server: &TurnServer, transport: Transport, connection: u32) -> (BoxIo, Vec<u8>) {
    let mut data = server.client(transport, Login::joe()).await;
    data.bind(connection).await.unwrap();
    data.into_io()
}

/// A client's connection to a peer outside, both ends, with the client's own.
async fn joined(server: &TurnServer, transport: Transport) -> (TurnClient, BoxIo, TcpStream) {
    let (mut client, _) = allocated(server, transport).await;
    let (listener, at) = listener().await;
    let connection = client.connect(at).await.unwrap();
    let (peer, _) = accepted(&listener).await;
    let (data, _) = bound(server, transport, connection).await;
    (client, data, peer)
}

fn text(seed: usize) -> Vec<u8> {
    (0..LENGTH).map(|index| u8::try_from((index * 7 + index / 251 + seed) % 251).unwrap()).collect()
}

/// Both ways at once, to the end of each.
async fn assert_carries(client: BoxIo, early: Vec<u8>, peer: TcpStream) {
    let (mut from_client, mut to_client) = tokio::io::split(client);
    let (mut from_peer, mut to_peer) = peer.into_split();
    let (up, down) = (text(1), text(2));
    let sending = async {
        to_client.write_all(&up).await.unwrap();
        to_client.shutdown().await.unwrap();
    };
    let answering = async {
        to_peer.write_all(&down).await.unwrap();
        to_peer.shutdown().await.unwrap();
    };
    let (mut at_peer, mut at_client) = (Vec::new(), early);
    let receiving = async {
        from_peer.read_to_end(&mut at_peer).await.unwrap();
    };
    let hearing = async {
        from_client.read_to_end(&mut at_client).await.unwrap();
    };
    let both = async { tokio::join!(sending, answering, receiving, hearing) };
    within("a megabyte both ways", both).await;
    assert!(at_peer == up, "{} bytes at the peer", at_peer.len());
    assert!(at_client == down, "{} bytes at the client", at_client.len());
}

#[tokio::test]
async fn a_connection_to_a_peer_carries_a_megabyte_both_ways() {
    let server = TurnServer::open().await;
    for transport in STREAMS {
        for data_over in STREAMS {
            let (mut client, relayed) = allocated(&server, transport).await;
            let (listener, at) = listener().await;
            let connection = client.connect(at).await.unwrap();
            let (peer, from) = accepted(&listener).await;
            assert_eq!(from, relayed);
            let (data, early) = bound(&server, data_over, connection).await;
            assert_carries(data, early, peer).await;
        }
    }
    for direction in ["to_peer", "to_client"] {
        let labels = format!("{{app=\"other\",direction=\"{direction}\"}}");
        let carried = format!("peerway_turn_payload_bytes_total{labels}");
        server.until_metric(&carried, 4 * LENGTH as u64).await;
    }
}

#[tokio::test]
async fn a_peer_that_connects_is_told_and_carried() {
    let server = TurnServer::open().await;
    for transport in STREAMS {
        let (mut client, relayed) = allocated(&server, transport).await;
        client.permit(relayed.ip()).await.unwrap();
        let peer = TcpStream::connect(relayed).await.unwrap();
        let (connection, told) = client.connection_attempt().await;
        assert_eq!(told, peer.local_addr().unwrap());
        let (data, early) = bound(&server, transport, connection).await;
        assert_carries(data, early, peer).await;
    }
}

#[tokio::test]
async fn a_peer_without_permission_is_hung_up() {
    let server = TurnServer::open().await;
    let (mut client, relayed) = allocated(&server, Tcp).await;
    let mut peer = TcpStream::connect(relayed).await.unwrap();
    let end = within("the end", peer.read(&mut [0; 9])).await;
    assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
    // The client hears of the next one only.
    client.permit(relayed.ip()).await.unwrap();
    let peer = TcpStream::connect(relayed).await.unwrap();
    assert_eq!(client.connection_attempt().await.1, peer.local_addr().unwrap());
}

#[tokio::test]
async fn what_a_peer_says_first_waits_for_the_client() {
    let server = TurnServer::open().await;
    let (mut client, _) = allocated(&server, Tcp).await;
    let (listener, at) = listener().await;
    let connection = client.connect(at).await.unwrap();
    let (mut peer, _) = accepted(&listener).await;
    peer.write_all(b"220 welcome").await.unwrap();
    drop(peer);
    let (mut data, mut bytes) = bound(&server, Tcp, connection).await;
    within("the end", data.read_to_end(&mut bytes)).await.unwrap();
    assert_eq!(bytes, b"220 welcome");
}

#[tokio::test]
async fn what_a_client_says_right_after_its_bind_request_is_for_the_peer() {
    let server = TurnServer::open().await;
    for transport in STREAMS {
        let (mut client, _) = allocated(&server, transport).await;
        let (listener, at) = listener().await;
        let connection = client.connect(at).await.unwrap();
        let (mut peer, _) = accepted(&listener).await;
        let mut data = server.client(transport, Login::joe()).await;
        data.challenge().await;
        let mut bytes = data.bind_request(connection);
        bytes.extend(b"no time to lose");
        data.wire.send(&bytes).await;
        let mut said = [0; 15];
        within("the client's bytes", peer.read_exact(&mut said)).await.unwrap();
        assert_eq!(&said, b"no time to lose");
    }
}

#[tokio::test]
async fn a_connection_is_for_the_user_who_asked_and_only_once() {
    let server = TurnServer::open().await;
    let (mut client, _) = allocated(&server, Tcp).await;
    let (listener, at) = listener().await;
    let connection = client.connect(at).await.unwrap();
    let (peer, _) = accepted(&listener).await;
    let bad_request = Err(Refused::with(400));
    let mut sue = server.client(Tcp, Login::sue()).await;
    assert_eq!(sue.bind(connection).await, bad_request);
    assert_eq!(client.bind(connection).await, bad_request, "not on the client's own connection");
    let mut data = server.client(Tcp, Login::joe()).await;
    assert_eq!(data.bind(connection ^ 1).await, bad_request);
    // A second try on the same connection is as good.
    data.bind(connection).await.unwrap();
    let mut late = server.client(Tcp, Login::joe()).await;
    assert_eq!(late.bind(connection).await, bad_request);
    let (data, early) = data.into_io();
    assert_carries(data, early, peer).await;
}

#[tokio::test]
async fn the_end_of_the_allocation_is_the_end_of_its_connections() {
    let server = TurnServer::open().await;
    for transport in STREAMS {
        for hangs_up in [false, true] {
            let (mut client, mut data, mut peer) = joined(&server, transport).await;
            let (listener, at) = listener().await;
            let waiting = client.connect(at).await.unwrap();
            let (mut waiting_peer, _) = accepted(&listener).await;
            if hangs_up {
                drop(client);
            } else {
                client.refresh(0).await.unwrap();
            }
            for end in [&mut peer, &mut waiting_peer] {
                let end = within("the end", end.read(&mut [0; 9])).await;
                assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
            }
            let end = within("the end", data.read(&mut [0; 9])).await;
            assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
            let mut late = server.client(transport, Login::joe()).await;
            assert_eq!(late.bind(waiting).await, Err(Refused::with(400)));
        }
    }
}

#[tokio::test]
async fn a_peer_can_be_connected_again_when_the_connection_has_ended() {
    let server = TurnServer::open().await;
    let (mut client, _) = allocated(&server, Tcp).await;
    let (listener, at) = listener().await;
    let connection = client.connect(at).await.unwrap();
    let (peer, _) = accepted(&listener).await;
    assert_eq!(client.connect(at).await, Err(Refused::with(446)), "there is one already");
    let (data, _) = bound(&server, Tcp, connection).await;
    drop((data, peer));
    let again = async { while client.connect(at).await == Err(Refused::with(446)) {} };
    within("a second connection", again).await;
    accepted(&listener).await;
}

#[tokio::test]
async fn a_peer_that_does_not_listen_is_told() {
    let server = TurnServer::open().await;
    let (mut client, _) = allocated(&server, Tcp).await;
    let (listener, at) = listener().await;
    drop(listener);
    assert_eq!(client.connect(at).await, Err(Refused::with(447)));
}

#[tokio::test]
async fn datagrams_and_connections_do_not_go_together() {
    let server = TurnServer::open().await;
    let bad_request = Refused::with(400);
    let mut on_udp = server.client(Udp, Login::joe()).await;
    let wish = Wish { tcp: true, ..Wish::default() };
    assert_eq!(on_udp.try_allocate(wish).await, Err(bad_request));
    let (_listener, at) = listener().await;
    let mut for_udp = server.client(Tcp, Login::joe()).await;
    for_udp.allocate().await;
    assert_eq!(for_udp.connect(at).await, Err(bad_request));
}

#[tokio::test]
async fn two_allocations_never_share_an_address() {
    let server = TurnServer::open_with(|config| {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        config.turn.relay_ports = format!("{port}-{port}").parse().unwrap();
    })
    .await;
    let (_first, _) = allocated(&server, Tcp).await;
    let mut second = server.client(Tcp, Login::joe()).await;
    let wish = Wish { tcp: true, ..Wish::default() };
    assert_eq!(second.try_allocate(wish).await, Err(Refused::with(508)));
}
