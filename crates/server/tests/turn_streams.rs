//! Clients on TCP and TLS that behave badly, or read slowly.

use std::net::SocketAddr;

use peerway_turn::{CloseReason, Transport};
use stun_types::message::{BINDING, Message, MessageWriteVec};
use stun_types::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream, UdpSocket};

use crate::support::{
    BoxIo, Login, Relayed, TurnClient, TurnServer, Wire, connector, local_name, millis, within,
};

/// Reads until the server hangs up.
async fn assert_ends(mut stream: TcpStream) {
    let mut rest = Vec::new();
    // A reset is an end, too.
    let _ = within("the end", stream.read_to_end(&mut rest)).await;
}

fn binding() -> Vec<u8> {
    Message::builder_request(BINDING, MessageWriteVec::new()).finish()
}

#[tokio::test]
async fn frames_may_come_in_any_pieces() {
    let server = TurnServer::start().await;
    for transport in [Transport::Tcp, Transport::Tls] {
        let mut client = server.client(transport, Login::joe()).await;
        client.wire.send(&[binding(), binding(), binding()].concat()).await;
        for byte in binding() {
            client.wire.send(&[byte]).await;
        }
        for _ in 0..4 {
            let answer = within("an answer", client.wire.receive()).await.unwrap();
            assert!(Message::from_bytes(&answer).unwrap().is_response());
        }
    }
}

#[tokio::test]
async fn what_is_not_turn_ends_the_connection() {
    let server = TurnServer::start().await;
    let hello = b"\x16\x03\x01\x00\x10\x01\x00\x00\x0c";
    let text = [&b"GET / HTTP/1.1\r\n"[..], &vec![b'x'; 32 * 1024]].concat();
    for garbage in [&[0xff; 20][..], &[0x80], b"\x00\x01\x00\x03", hello, &text] {
        let mut stream = TcpStream::connect(server.at(Transport::Tcp)).await.unwrap();
        stream.write_all(garbage).await.unwrap();
        assert_ends(stream).await;
    }
}

#[tokio::test]
async fn a_connection_that_says_nothing_whole_is_closed() {
    let server = TurnServer::with(|config| config.limits.handshake_timeout = millis(50)).await;
    for beginning in [&b""[..], b"\x00", &binding()[..19], b"GET / HTTP/1.1\r\n\r\n"] {
        let mut stream = TcpStream::connect(server.at(Transport::Tcp)).await.unwrap();
        stream.write_all(beginning).await.unwrap();
        assert_ends(stream).await;
    }
}

#[tokio::test]
async fn what_is_not_turn_ends_the_allocation() {
    let server = TurnServer::start().await;
    let mut reports = server.reports();
    for transport in [Transport::Tcp, Transport::Tls] {
        let mut client = server.client(transport, Login::joe()).await;
        client.allocate().await;
        client.wire.send(&[0xff; 20]).await;
        let (_, reason, _) = reports.closed().await;
        assert_eq!(reason, CloseReason::Disconnected);
        assert_eq!(within("the end", client.wire.receive()).await, None);
    }
}

#[tokio::test]
async fn a_tls_handshake_that_does_not_come_or_is_none_ends_the_connection() {
    let server = TurnServer::with(|config| config.limits.handshake_timeout = millis(200)).await;
    let refused = |reason| format!("peerway_turn_connections_refused_total{{reason=\"{reason}\"}}");
    let at = server.at(Transport::Tls);
    let silent = TcpStream::connect(at).await.unwrap();
    let mut halfway = TcpStream::connect(at).await.unwrap();
    halfway.write_all(b"\x16\x03\x01\x02\x00\x01").await.unwrap();
    let mut plain = TcpStream::connect(at).await.unwrap();
    plain.write_all(&binding()).await.unwrap();
    for stream in [silent, halfway, plain] {
        assert_ends(stream).await;
    }
    assert_eq!(server.metric(&refused("handshake_timeout")).await, 2);
    assert_eq!(server.metric(&refused("tls")).await, 1);
    server.client(Transport::Tls, Login::joe()).await.allocate().await;
}

#[tokio::test]
async fn a_renewed_certificate_is_for_new_connections() {
    let server = TurnServer::start().await;
    let mut old = server.client(Transport::Tls, Login::joe()).await;
    old.allocate().await;
    let renewed = server.files.renew();
    server.control.reload_certificates().unwrap();
    let open = || Wire::open(Transport::Tls, server.at(Transport::Tls), &renewed);
    TurnClient::over(open().await, Login::joe()).allocate().await;
    old.refresh(600).await.unwrap();
    std::fs::write(&server.files.config.cert, "nothing").unwrap();
    assert!(server.control.reload_certificates().is_err());
    TurnClient::over(open().await, Login::joe()).allocate().await;
}

const DATAGRAM: usize = 32_000;

/// A client that holds little of what it does not read.
async fn slow_client(server: &TurnServer, transport: Transport) -> TurnClient {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(16 * 1024).unwrap();
    let stream = socket.connect(server.at(transport)).await.unwrap();
    let local = stream.local_addr().unwrap();
    let io: BoxIo = if transport == Transport::Tls {
        let handshake = connector(&server.certificate).connect(local_name(), stream);
        Box::new(within("the TLS handshake", handshake).await.unwrap())
    } else {
        Box::new(stream)
    };
    TurnClient::over(Wire::stream(io, local), Login::joe())
}

async fn echoed(client: &mut TurnClient, peer: SocketAddr) {
    client.send(peer, b"still there?").await;
    let expected = Relayed::Data { peer, payload: b"still there?".to_vec() };
    assert_eq!(client.receive().await, expected);
}

/// All that the server and the kernel held for a client that did not read is what it gets later.
#[tokio::test]
async fn a_slow_client_costs_little_memory_and_nobody_else_anything() {
    const ALL: usize = 100_000_000;
    let server = TurnServer::open().await;
    let mut reports = server.reports();
    let echo = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let echo_at = echo.local_addr().unwrap();
    tokio::spawn(async move {
        let mut datagram = [0; 100];
        while let Ok((length, from)) = echo.recv_from(&mut datagram).await {
            echo.send_to(&datagram[..length], from).await.unwrap();
        }
    });
    let mut others = Vec::new();
    for transport in Transport::ALL {
        let mut other = server.client(transport, Login::sue()).await;
        other.allocate().await;
        other.permit(echo_at.ip()).await.unwrap();
        others.push(other);
    }

    let peer = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let datagram = vec![7; DATAGRAM];
    for transport in [Transport::Tcp, Transport::Tls] {
        let mut slow = slow_client(&server, transport).await;
        let relayed = slow.allocate().await;
        slow.permit(relayed.ip()).await.unwrap();
        for sent in 0..ALL / DATAGRAM {
            peer.send_to(&datagram, relayed).await.unwrap();
            if sent % 50 == 0 {
                for other in &mut others {
                    echoed(other, echo_at).await;
                }
            }
        }
        slow.refresh(0).await.unwrap();
        let received = slow.take_relayed();
        assert!(received.iter().all(|it| it.payload() == datagram));
        let bytes = received.len() * DATAGRAM;
        assert!((DATAGRAM..20_000_000).contains(&bytes), "{bytes} of {ALL}");
        let (_, _, traffic) = reports.closed().await;
        assert_eq!(traffic.to_client.packets, received.len() as u64, "what is counted arrives");
    }
}

#[tokio::test]
async fn a_client_that_reads_nothing_for_too_long_is_hung_up() {
    let server = TurnServer::open_with(|config| config.limits.write_timeout = millis(300)).await;
    let mut reports = server.reports();
    let mut slow = slow_client(&server, Transport::Tcp).await;
    let relayed = slow.allocate().await;
    slow.permit(relayed.ip()).await.unwrap();
    let peer = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let datagram = vec![7; DATAGRAM];
    let sending = async {
        loop {
            // Once the relay is closed, the kernel says so.
            let _ = peer.send_to(&datagram, relayed).await;
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        () = sending => {}
        (_, reason, _) = reports.closed() => assert_eq!(reason, CloseReason::Disconnected),
    }
}
