//! Whom clients cannot reach through the relay.

use std::net::{IpAddr, SocketAddr};

use peerway_server::config::Config;
use peerway_turn::Transport::{self, Tcp, Tls, Udp};
use tokio::net::{TcpListener, UdpSocket};

use crate::support::{Login, Refused, TurnClient, TurnServer, Wish, loopback};

const FORBIDDEN: Result<(), Refused> = Err(Refused { code: 403, alternate: None });
const CHANNEL: u16 = 0x4000;

/// Relays away from the ports that sockets get from the kernel: those of the server's own range
/// may be relays, and are reachable.
fn away(config: &mut Config) {
    config.turn.relay_ports = "61000-65535".parse().unwrap();
}

/// A client with relayed addresses of both families.
async fn allocated(server: &TurnServer, transport: Transport) -> TurnClient {
    let mut client = server.client(transport, Login::joe()).await;
    client.try_allocate(Wish { both_families: true, ..Wish::default() }).await.unwrap();
    client
}

#[tokio::test]
async fn what_is_not_public_is_forbidden() {
    let server = TurnServer::start().await;
    for transport in Transport::ALL {
        let mut client = allocated(&server, transport).await;
        for peer in [
            "127.0.0.2",
            "0.0.0.0",
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "224.0.0.1",
            "255.255.255.255",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "::",
            "fe80::1",
            "fd00::1",
            "ff02::1",
            "64:ff9b::7f00:1",
        ] {
            let peer: IpAddr = peer.parse().unwrap();
            assert_eq!(client.permit(peer).await, FORBIDDEN, "{peer}");
            let at = SocketAddr::new(peer, 80);
            assert_eq!(client.bind_channel(CHANNEL, at).await, FORBIDDEN, "{peer}");
        }
        assert_eq!(client.permit("1.1.1.1".parse().unwrap()).await, Ok(()));
    }
}

#[tokio::test]
async fn sockets_on_loopback_are_out_of_reach() {
    let server = TurnServer::with(away).await;
    let dropped = "peerway_turn_refusals_total{app=\"other\",reason=\"forbidden_peer\"}";
    let outside = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let peer = outside.local_addr().unwrap();
    for transport in Transport::ALL {
        let mut client = allocated(&server, transport).await;
        assert_eq!(client.bind_channel(CHANNEL, peer).await, FORBIDDEN);
        // A permission has no port. It is for relays of the server, for a client on its machine.
        client.permit(peer.ip()).await.unwrap();
        client.send(peer, b"hello").await;
    }
    server.until_metric(dropped, 6).await;
    assert!(outside.try_recv(&mut [0; 9]).is_err());
}

#[tokio::test]
async fn the_servers_own_listeners_are_out_of_reach_whatever_is_allowed() {
    let server = TurnServer::with(|config| {
        away(config);
        config.turn.allow_peers = loopback();
    })
    .await;
    let listeners = server.turn.iter().map(|(_, at)| *at).chain([server.address]);
    let listeners: Vec<_> = listeners.collect();
    assert_eq!(listeners.len(), 7);
    let dropped = "peerway_turn_refusals_total{app=\"other\",reason=\"forbidden_peer\"}";
    let mut client = allocated(&server, Udp).await;
    for listener in &listeners {
        assert_eq!(client.bind_channel(CHANNEL, *listener).await, FORBIDDEN, "{listener}");
        client.permit(listener.ip()).await.unwrap();
        client.send(*listener, b"hello").await;
    }
    server.until_metric(dropped, 14).await;
    for transport in [Tcp, Tls] {
        let mut client = server.client(transport, Login::joe()).await;
        client.try_allocate(Wish { tcp: true, ..Wish::default() }).await.unwrap();
        for listener in listeners.iter().filter(|it| it.is_ipv4()) {
            assert_eq!(client.connect(*listener).await.map(drop), FORBIDDEN, "{listener}");
        }
    }
}

#[tokio::test]
async fn connections_to_loopback_are_forbidden_whatever_their_port() {
    let server = TurnServer::start().await;
    let mut client = server.client(Tcp, Login::joe()).await;
    client.try_allocate(Wish { tcp: true, ..Wish::default() }).await.unwrap();
    for _ in 0..10 {
        let outside = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer = outside.local_addr().unwrap();
        assert_eq!(client.connect(peer).await.map(drop), FORBIDDEN, "{peer}");
    }
}

#[tokio::test]
async fn denying_wins_over_allowing() {
    let server = TurnServer::with(|config| {
        config.turn.allow_peers = loopback();
        config.turn.deny_peers = vec!["127.0.0.3".parse().unwrap(), "1.1.1.0/24".parse().unwrap()];
    })
    .await;
    let mut client = allocated(&server, Udp).await;
    for (peer, expected) in
        [("127.0.0.2", Ok(())), ("127.0.0.3", FORBIDDEN), ("1.1.1.1", FORBIDDEN)]
    {
        assert_eq!(client.permit(peer.parse().unwrap()).await, expected, "{peer}");
    }
}
