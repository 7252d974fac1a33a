//! What is relayed arrives: at sockets outside, and at other relayed addresses of the server.

use std::net::SocketAddr;

use peerway_turn::Transport::{self, Tcp, Tls, Udp};
use tokio::net::UdpSocket;
use turn_types::AddressFamily;

use crate::support::{Login, Relayed, TurnClient, TurnServer, Wish, within};

const CHANNEL: u16 = 0x4001;

/// A socket outside that sends everything back.
async fn echo(address: &str) -> SocketAddr {
    let socket = UdpSocket::bind(address).await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut datagram = vec![0; 65_536];
        while let Ok((length, from)) = socket.recv_from(&mut datagram).await {
            socket.send_to(&datagram[..length], from).await.unwrap();
        }
    });
    address
}

fn data(peer: SocketAddr, payload: &[u8]) -> Relayed {
    Relayed::Data { peer, payload: payload.to_vec() }
}

fn channel(payload: &[u8]) -> Relayed {
    Relayed::Channel { number: CHANNEL, payload: payload.to_vec() }
}

/// A client with its relayed address.
async fn allocated(server: &TurnServer, transport: Transport) -> (TurnClient, SocketAddr) {
    let mut client = server.client(transport, Login::joe()).await;
    let relayed = client.allocate().await;
    (client, relayed)
}

#[tokio::test]
async fn the_server_tells_where_a_client_is() {
    let server = TurnServer::start().await;
    for transport in Transport::ALL {
        for at in [server.at(transport), server.at_v6(transport)] {
            let mut client = server.client_at(transport, at, Login::joe()).await;
            assert_eq!(client.binding().await, client.wire.local(), "{transport}");
        }
    }
}

#[tokio::test]
async fn send_and_data_reach_a_socket_outside_and_come_back() {
    let server = TurnServer::open().await;
    let peer = echo("127.0.0.1:0").await;
    for transport in Transport::ALL {
        let (mut client, _) = allocated(&server, transport).await;
        client.permit(peer.ip()).await.unwrap();
        for payload in [&b"hello"[..], b"", &[7; 8000]] {
            client.send(peer, payload).await;
            assert_eq!(client.receive().await, data(peer, payload), "{transport}");
        }
    }
}

#[tokio::test]
async fn channel_data_reaches_a_socket_outside_and_comes_back() {
    let server = TurnServer::open().await;
    let peer = echo("127.0.0.1:0").await;
    for transport in Transport::ALL {
        let (mut client, _) = allocated(&server, transport).await;
        client.bind_channel(CHANNEL, peer).await.unwrap();
        for payload in [&b"hello"[..], b"", &[7; 8000]] {
            client.send_on(CHANNEL, payload).await;
            assert_eq!(client.receive().await, channel(payload), "{transport}");
        }
        // The peer has a channel now, whatever the client sends by.
        client.send(peer, b"sent").await;
        assert_eq!(client.receive().await, channel(b"sent"));
    }
}

#[tokio::test]
async fn the_peer_sees_the_relayed_address() {
    let server = TurnServer::open().await;
    let peer = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    for transport in Transport::ALL {
        let (mut client, relayed) = allocated(&server, transport).await;
        let at = peer.local_addr().unwrap();
        client.permit(at.ip()).await.unwrap();
        client.send(at, b"hello").await;
        let mut bytes = [0; 9];
        let (length, from) = within("a datagram", peer.recv_from(&mut bytes)).await.unwrap();
        assert_eq!((&bytes[..length], from), (&b"hello"[..], relayed));
    }
}

#[tokio::test]
async fn one_allocation_may_have_both_families() {
    let server = TurnServer::open().await;
    let peers = [echo("127.0.0.1:0").await, echo("[::1]:0").await];
    for transport in Transport::ALL {
        for at in [server.at(transport), server.at_v6(transport)] {
            let mut client = server.client_at(transport, at, Login::joe()).await;
            let wish = Wish { both_families: true, ..Wish::default() };
            let relayed = client.try_allocate(wish).await.unwrap().relayed;
            assert!(matches!(relayed[..], [SocketAddr::V4(_), SocketAddr::V6(_)]), "{relayed:?}");
            for peer in peers {
                client.permit(peer.ip()).await.unwrap();
                client.send(peer, b"hello").await;
                assert_eq!(client.receive().await, data(peer, b"hello"));
            }
        }
    }
}

#[tokio::test]
async fn a_client_on_ipv6_gets_the_family_it_asks_for() {
    let server = TurnServer::start().await;
    for (family, is_v6) in
        [(None, false), (Some(AddressFamily::IPV4), false), (Some(AddressFamily::IPV6), true)]
    {
        let mut client = server.client_at(Udp, server.at_v6(Udp), Login::joe()).await;
        let wish = Wish { family, ..Wish::default() };
        let relayed = client.try_allocate(wish).await.unwrap().relayed;
        assert_eq!((relayed.len(), relayed[0].is_ipv6()), (1, is_v6));
    }
}

#[tokio::test]
async fn the_port_after_an_even_one_is_kept_for_whoever_shows_the_token() {
    let server = TurnServer::start().await;
    for (first, second) in [(Udp, Tcp), (Tcp, Udp)] {
        let mut first_client = server.client(first, Login::joe()).await;
        let wish = Wish { even: Some(true), ..Wish::default() };
        let allocated = first_client.try_allocate(wish).await.unwrap();
        assert_eq!(allocated.relayed[0].port() % 2, 0);
        let mut second_client = server.client(second, Login::joe()).await;
        let wish = Wish { reserved: allocated.token, ..Wish::default() };
        let kept = second_client.try_allocate(wish).await.unwrap().relayed[0];
        assert_eq!(kept.port(), allocated.relayed[0].port() + 1);
        let mut late = server.client(second, Login::joe()).await;
        assert_eq!(late.try_allocate(wish).await.unwrap_err().code, 508, "it is taken");
    }
}

/// Two clients that let each other's relayed address through.
async fn pair(
    server: &TurnServer,
    transports: (Transport, Transport),
) -> [(TurnClient, SocketAddr); 2] {
    let mut ann = allocated(server, transports.0).await;
    let mut ben = allocated(server, transports.1).await;
    ann.0.permit(ben.1.ip()).await.unwrap();
    ben.0.permit(ann.1.ip()).await.unwrap();
    [ann, ben]
}

const PAIRS: [(Transport, Transport); 6] =
    [(Udp, Udp), (Udp, Tcp), (Tcp, Udp), (Tcp, Tcp), (Tls, Udp), (Tls, Tls)];

/// With the default policy: loopback is forbidden but for relays of clients on the machine.
#[tokio::test]
async fn relays_of_the_server_reach_each_other() {
    let server = TurnServer::start().await;
    for transports in PAIRS {
        let [(mut ann, ann_at), (mut ben, ben_at)] = pair(&server, transports).await;
        ann.send(ben_at, b"hello").await;
        assert_eq!(ben.receive().await, data(ann_at, b"hello"), "{transports:?}");
        ben.send(ann_at, b"hello back").await;
        assert_eq!(ann.receive().await, data(ben_at, b"hello back"), "{transports:?}");
        ben.bind_channel(CHANNEL, ann_at).await.unwrap();
        ben.send_on(CHANNEL, b"by channel").await;
        assert_eq!(ann.receive().await, data(ben_at, b"by channel"), "{transports:?}");
        ann.send(ben_at, b"to a channel").await;
        assert_eq!(ben.receive().await, channel(b"to a channel"), "{transports:?}");
    }
}

#[tokio::test]
async fn relays_on_ipv6_reach_each_other() {
    let server = TurnServer::start().await;
    let wish = Wish { family: Some(AddressFamily::IPV6), ..Wish::default() };
    for (one, other) in PAIRS {
        let mut ann = server.client_at(one, server.at_v6(one), Login::joe()).await;
        // By its other address, as a client of the other family would.
        let mut ben = server.client_at(other, server.at(other), Login::joe()).await;
        let ann_at = ann.try_allocate(wish).await.unwrap().relayed[0];
        let ben_at = ben.try_allocate(wish).await.unwrap().relayed[0];
        ann.permit(ben_at.ip()).await.unwrap();
        ben.bind_channel(CHANNEL, ann_at).await.unwrap();
        ann.send(ben_at, b"hello").await;
        assert_eq!(ben.receive().await, channel(b"hello"));
        ben.send_on(CHANNEL, b"hello back").await;
        assert_eq!(ann.receive().await, data(ben_at, b"hello back"));
    }
}

#[tokio::test]
async fn relays_of_different_threads_reach_each_other() {
    let server = TurnServer::with(|config| config.turn.workers = Some(4)).await;
    // The kernel deals clients out to threads by a hash of their address: some pairs are with the
    // same thread, all eight never.
    for _ in 0..8 {
        let [(mut ann, ann_at), (mut ben, ben_at)] = pair(&server, (Udp, Udp)).await;
        ann.send(ben_at, b"hello").await;
        assert_eq!(ben.receive().await, data(ann_at, b"hello"));
        assert_burst(&mut ben, (&mut ann, ben_at), ann_at).await;
    }
}

#[tokio::test]
async fn bursts_between_relays_arrive_whole_and_in_order() {
    let server = TurnServer::start().await;
    for transports in PAIRS {
        let [(mut ann, ann_at), (mut ben, ben_at)] = pair(&server, transports).await;
        assert_burst(&mut ann, (&mut ben, ann_at), ben_at).await;
        assert_burst(&mut ben, (&mut ann, ben_at), ann_at).await;
    }
}

/// A hundred datagrams of many sizes, sent as fast as can be.
async fn assert_burst(
    from: &mut TurnClient,
    (to, from_at): (&mut TurnClient, SocketAddr),
    to_at: SocketAddr,
) {
    const SIZES: [usize; 10] = [1200, 1200, 1200, 700, 0, 8000, 1, 1399, 0, 1200];
    from.bind_channel(CHANNEL, to_at).await.unwrap();
    let payloads: Vec<Vec<u8>> =
        (0..100_u8).map(|index| vec![index; SIZES[usize::from(index) % SIZES.len()]]).collect();
    let sending = async {
        for payload in &payloads {
            from.send_on(CHANNEL, payload).await;
        }
    };
    let receiving = async {
        for expected in &payloads {
            let payload = match to.receive().await {
                Relayed::Data { peer, payload } => {
                    assert_eq!(peer, from_at);
                    payload
                }
                Relayed::Channel { payload, .. } => payload,
            };
            let kind = |bytes: &[u8]| (bytes.len(), bytes.first().copied());
            assert_eq!(kind(&payload), kind(expected));
            assert!(payload == *expected);
        }
    };
    tokio::join!(sending, receiving);
}

#[tokio::test]
async fn what_has_no_permission_does_not_arrive() {
    let server = TurnServer::open().await;
    let outside = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let outside_at = outside.local_addr().unwrap();
    let mut clients = Vec::new();
    for transport in Transport::ALL {
        let (mut client, client_at) = allocated(&server, transport).await;
        let (mut other, _) = allocated(&server, transport).await;
        outside.send_to(b"in", client_at).await.unwrap();
        client.send(outside_at, b"out").await;
        client.send_on(CHANNEL, b"by a channel that is none").await;
        other.permit(client_at.ip()).await.unwrap();
        other.send(client_at, b"from a relay").await;
        clients.extend([client, other]);
    }
    let dropped = "peerway_turn_refusals_total{app=\"other\",reason=\"no_permission\"}";
    server.until_metric(dropped, 12).await;
    for client in &mut clients {
        client.assert_nothing_came().await;
    }
    assert!(outside.try_recv(&mut [0; 9]).is_err());
}
