//! STUN with servers that say what a test wants.

use std::net::SocketAddr;

use stun_types::attribute::XorMappedAddress;
use stun_types::message::{Message, MessageWriteVec};
use stun_types::prelude::*;
use tokio::net::UdpSocket;

use super::super::RelayProtocol;
use super::super::{IceServer, LocalCandidate, Network, NetworkEvent};
use super::support::{
    Gathered, TurnServer, opened, options, receive_one, relay_only, send, within,
};

/// A STUN server in front of which there is a NAT.
async fn behind_nat(mapped: &str) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let (at, mapped) = (socket.local_addr().unwrap(), mapped.parse().unwrap());
    tokio::spawn(async move {
        let mut buffer = [0; 1500];
        loop {
            let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
            let request = Message::from_bytes(&buffer[..length]).unwrap();
            let mut answer = Message::builder_success(&request, MessageWriteVec::new());
            let mapped = XorMappedAddress::new(mapped, request.transaction_id());
            answer.add_attribute(&mapped).unwrap();
            socket.send_to(&answer.finish(), from).await.unwrap();
        }
    });
    at
}

fn reflexive(gathered: &Gathered) -> Vec<(SocketAddr, SocketAddr)> {
    let reflexive = |candidate: &LocalCandidate| match *candidate {
        LocalCandidate::ServerReflexive { addr, base } => Some((addr, base)),
        _ => None,
    };
    gathered.candidates.iter().filter_map(reflexive).collect()
}

#[tokio::test]
async fn the_address_in_front_of_a_nat_is_a_candidate() {
    let server = behind_nat("203.0.113.5:999").await;
    let (_ann, anns) = opened(&options(vec![IceServer::new(format!("stun:{server}"))])).await;

    let mapped = "203.0.113.5:999".parse().unwrap();
    assert!(reflexive(&anns).contains(&(mapped, anns.host("127.0.0.1"))), "{anns:?}");
    assert_eq!(anns.failures, []);
}

#[tokio::test]
async fn without_a_nat_the_host_candidate_is_enough() {
    let server = TurnServer::start().await;
    let at = server.at(RelayProtocol::Udp, false);
    let (_ann, anns) =
        opened(&options(vec![IceServer::new(format!("stun:localhost:{}", at.port()))])).await;

    assert_eq!(reflexive(&anns), []);
    assert_eq!(anns.failures, []);
}

#[tokio::test]
async fn a_dead_server_does_not_delay_the_others() {
    let dead = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let server = behind_nat("203.0.113.5:999").await;
    let urls = [dead.local_addr().unwrap(), server].map(|at| IceServer::new(format!("stun:{at}")));
    let mut ann = Network::open(&options(urls.into())).await.unwrap();

    let begin = super::start();
    let found = async {
        while !matches!(
            ann.next().await,
            NetworkEvent::Candidate(LocalCandidate::ServerReflexive { .. })
        ) {}
    };
    within("candidate", found).await;
    assert!((super::start() - begin).as_millis() < 2000);
}

#[tokio::test]
async fn answers_of_servers_do_not_reach_the_peers_side() {
    let server = behind_nat("203.0.113.5:999").await;
    let (mut ann, anns) = opened(&options(vec![IceServer::new(format!("stun:{server}"))])).await;
    let (mut ben, bens) = opened(&options(vec![])).await;
    let (to, from) = (anns.host("127.0.0.1"), bens.host("127.0.0.1"));

    // The first byte is that of a STUN answer.
    send(&mut ben, from, to, b"\x01\x01 from a peer").await;
    assert_eq!(receive_one(&mut ann).await.source, from);

    ann.settled();
    let now = super::start();
    assert!(ann.hosts.iter().all(|host| host.bindings.deadline(now).is_none()));
}

#[tokio::test]
async fn with_the_relay_policy_no_stun_server_is_asked() {
    let server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let url = format!("stun:{}", server.local_addr().unwrap());
    let (_ann, anns) = opened(&relay_only(vec![IceServer::new(url)])).await;
    assert_eq!(anns.candidates, []);
    assert!(server.try_recv(&mut [0; 100]).is_err());
}
