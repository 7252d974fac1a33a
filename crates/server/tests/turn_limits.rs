//! How much one client, one app, one address can have.

use std::net::SocketAddr;

use peerway_server::clock;
use peerway_server::config::{Bytes, Config};
use peerway_turn::Transport::{self, Tcp, Udp};
use stun_types::message::{BINDING, Message, MessageWriteVec, Method};
use stun_types::prelude::*;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpStream, UdpSocket};
use turn_types::message::{ALLOCATE, REFRESH};

use crate::support::{Login, Refused, TurnClient, TurnServer, Wish, within};

const CHANNEL: u16 = 0x4000;

async fn try_allocate(server: &TurnServer, login: Login) -> Result<TurnClient, Refused> {
    let mut client = server.client(Udp, login).await;
    client.try_allocate(Wish::default()).await.map(|_| client)
}

#[tokio::test]
async fn each_quota_is_refused_with_486_and_told_by_its_name() {
    type Edit = fn(&mut Config);
    let quotas: [(Edit, &str); 4] = [
        (|config| config.turn.allocations_per_user = 2, "quota_user"),
        (|config| config.turn.allocations_per_app = 2, "quota_app"),
        (|config| config.turn.allocations_per_source = 2, "quota_source"),
        (|config| config.turn.allocations = 2, "quota_total"),
    ];
    for (edit, reason) in quotas {
        let server = TurnServer::with(edit).await;
        let mut reports = server.reports();
        let _one = try_allocate(&server, Login::joe()).await.unwrap();
        let mut other = try_allocate(&server, Login::joe()).await.unwrap();
        let third = try_allocate(&server, Login::joe()).await;
        assert_eq!(third.err(), Some(Refused::with(486)), "{reason}");
        loop {
            if let peerway_turn::Report::Refused { reason: told, app, .. } = reports.next().await {
                assert_eq!((told.name(), app.as_deref()), (reason, Some("other")));
                break;
            }
        }
        other.refresh(0).await.unwrap();
        try_allocate(&server, Login::joe()).await.unwrap();
    }
}

#[tokio::test]
async fn a_full_quota_of_one_user_leaves_room_for_others() {
    let server = TurnServer::with(|config| config.turn.allocations_per_user = 1).await;
    let _joe = try_allocate(&server, Login::joe()).await.unwrap();
    assert!(try_allocate(&server, Login::joe()).await.is_err());
    let _sue = try_allocate(&server, Login::sue()).await.unwrap();
}

/// The end of a connection is the end of its allocation.
#[tokio::test]
async fn a_client_that_hangs_up_gives_its_place_back() {
    let server = TurnServer::with(|config| config.turn.allocations = 1).await;
    let mut reports = server.reports();
    for transport in [Tcp, Transport::Tls] {
        let mut client = server.client(transport, Login::joe()).await;
        client.allocate().await;
        assert!(try_allocate(&server, Login::sue()).await.is_err());
        drop(client);
        let (_, reason, _) = reports.closed().await;
        assert_eq!(reason, peerway_turn::CloseReason::Disconnected);
    }
    try_allocate(&server, Login::sue()).await.unwrap();
}

fn narrow(config: &mut Config) {
    config.turn.bandwidth_per_allocation = Some(Bytes(20_000));
}

/// What may pass of 1000-byte datagrams since then: a second's worth at once, then by the clock.
fn admitted(since: std::time::Instant) -> std::ops::RangeInclusive<u64> {
    let elapsed = clock::now().duration_since(since).as_millis();
    20..=u64::try_from(21 + elapsed / 50).unwrap()
}

#[tokio::test]
async fn what_a_client_sends_beyond_its_bandwidth_is_lost() {
    for transport in Transport::ALL {
        let server = TurnServer::open_with(narrow).await;
        let mut reports = server.reports();
        let outside = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let mut client = server.client(transport, Login::joe()).await;
        client.allocate().await;
        client.bind_channel(CHANNEL, outside.local_addr().unwrap()).await.unwrap();
        let begin = clock::now();
        for _ in 0..100 {
            client.send_on(CHANNEL, &[0; 1000]).await;
        }
        client.refresh(0).await.unwrap();
        let (_, _, traffic) = reports.closed().await;
        let range = admitted(begin);
        assert!(range.contains(&traffic.to_peer.packets), "{traffic:?} of {range:?}");
        assert_eq!(traffic.to_peer.bytes, traffic.to_peer.packets * 1000);
        let arrived = std::iter::from_fn(|| outside.try_recv(&mut [0; 2000]).ok()).count() as u64;
        assert_eq!(arrived, traffic.to_peer.packets);
    }
}

#[tokio::test]
async fn what_peers_send_beyond_the_bandwidth_is_lost() {
    for transport in [Udp, Tcp] {
        let server = TurnServer::open_with(narrow).await;
        let mut reports = server.reports();
        let outside = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let mut client = server.client(transport, Login::joe()).await;
        let relayed = client.allocate().await;
        client.permit(relayed.ip()).await.unwrap();
        let begin = clock::now();
        for _ in 0..100 {
            outside.send_to(&[0; 1000], relayed).await.unwrap();
        }
        let counted = async {
            let passed = "peerway_turn_packets_total{app=\"other\",direction=\"to_client\"}";
            let lost = "peerway_turn_refusals_total{app=\"other\",reason=\"bandwidth\"}";
            while server.metric(passed).await + server.metric(lost).await != 100 {}
        };
        within("all hundred to be counted", counted).await;
        let range = admitted(begin);
        client.refresh(0).await.unwrap();
        let (_, _, traffic) = reports.closed().await;
        assert!(range.contains(&traffic.to_client.packets), "{traffic:?} of {range:?}");
        assert_eq!(client.take_relayed().len() as u64, traffic.to_client.packets);
    }
}

/// Bytes that may come back for one byte, in tenths: the worst is a 401 for an empty request
/// (`crates/turn/tests/turn/amplification.rs`).
const FACTOR: usize = 36;
const ANSWERS_PER_SECOND: u32 = 20;
/// Of a source that was silent, in seconds.
const BURST: f64 = 5.0;

#[tokio::test]
async fn a_flood_of_empty_requests_gets_little_back() {
    for method in [BINDING, ALLOCATE, REFRESH] {
        for workers in [1, 4] {
            let server = TurnServer::with(|config| {
                config.turn.answers_per_source = ANSWERS_PER_SECOND;
                config.turn.workers = Some(workers);
            })
            .await;
            flood(&server, method).await;
        }
    }
}

async fn flood(server: &TurnServer, method: Method) {
    let begin = clock::now();
    let at = server.at(Udp);
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.connect(at).await.unwrap();
    // From the same address, but known: shows that all before has been looked at.
    let mut known = server.client_at(Udp, at, Login::joe()).await;
    known.allocate().await;
    let (mut bytes_in, mut bytes_out, mut answers) = (0, 0, 0_u32);
    let mut answer = [0; 2000];
    for _ in 0..20 {
        for _ in 0..100 {
            let request = Message::builder_request(method, MessageWriteVec::new()).finish();
            assert_eq!(request.len(), 20);
            bytes_in += socket.send(&request).await.unwrap();
        }
        known.refresh(600).await.expect("whoever has shown a credential is served");
        while let Ok(length) = socket.try_recv(&mut answer) {
            bytes_out += length;
            answers += 1;
        }
    }
    let elapsed = clock::now().duration_since(begin).as_secs_f64();
    let most = f64::from(ANSWERS_PER_SECOND) * (BURST + elapsed);
    assert!(f64::from(answers) <= most, "{method}: {answers} answers in {elapsed} s");
    assert!(answers > 0, "{method}");
    assert!(bytes_out * 10 <= bytes_in * FACTOR);
    assert!(bytes_out * 2 < bytes_in, "{method}: {bytes_out} for {bytes_in}");
}

#[tokio::test]
async fn other_sources_are_answered_during_a_flood() {
    let server = TurnServer::with(|config| config.turn.answers_per_source = 1).await;
    let ask = async |from: &str, at: SocketAddr| {
        let socket = UdpSocket::bind(from).await.unwrap();
        socket.connect(at).await.unwrap();
        let request = Message::builder_request(BINDING, MessageWriteVec::new()).finish();
        for _ in 0..100 {
            socket.send(&request).await.unwrap();
        }
        socket
    };
    let flood = ask("127.0.0.1:0", server.at(Udp)).await;
    let mut bytes = [0; 99];
    within("an answer", flood.recv(&mut bytes)).await.unwrap();
    let other = ask("127.0.0.2:0", server.at(Udp)).await;
    within("an answer", other.recv(&mut bytes)).await.unwrap();
}

#[tokio::test]
async fn connections_beyond_those_of_one_source_are_closed_at_once() {
    let server = TurnServer::with(|config| config.turn.connections_per_source = 2).await;
    let refused = "peerway_turn_connections_refused_total{reason=\"connections_per_source\"}";
    let connect = async || {
        let mut client = server.client(Tcp, Login::joe()).await;
        client.allocate().await;
        client
    };
    let (one, _other) = (connect().await, connect().await);
    for transport in [Tcp, Transport::Tls] {
        let mut third = TcpStream::connect(server.at(transport)).await.unwrap();
        let end = within("the end", third.read(&mut [0; 9])).await;
        assert!(matches!(end, Ok(0) | Err(_)));
    }
    assert_eq!(server.metric(refused).await, 2);
    let mut reports = server.reports();
    drop(one);
    reports.closed().await;
    // The place is free a moment after the allocation has ended.
    let free = async {
        loop {
            let stream = TcpStream::connect(server.at(Tcp)).await.unwrap();
            let local = stream.local_addr().unwrap();
            let wire = crate::support::Wire::stream(Box::new(stream), local);
            let mut client = TurnClient::over(wire, Login::joe());
            let request = Message::builder_request(BINDING, MessageWriteVec::new());
            client.wire.send(&request.finish()).await;
            if client.wire.receive().await.is_some() {
                return;
            }
        }
    };
    within("a place", free).await;
}
