//! TURN with the server of this project.

use std::net::SocketAddr;

use super::super::{
    IceServer, LocalCandidate, Network, NetworkEvent, NetworkOptions, RelayProtocol,
};
use super::support::{
    Gathered, TurnServer, opened, options, receive, receive_one, relay_only, send, trusting, within,
};

const PROTOCOLS: [RelayProtocol; 3] = [RelayProtocol::Udp, RelayProtocol::Tcp, RelayProtocol::Tls];

fn trusting_options(server: &TurnServer, ice: Vec<IceServer>) -> NetworkOptions {
    let tls = trusting(std::slice::from_ref(&server.certificate));
    NetworkOptions { tls, ..relay_only(ice) }
}

/// Data both ways, first in indications and then over a channel.
pub(super) async fn assert_relays(ann: &mut Network, relayed: SocketAddr) {
    let (mut ben, bens) = opened(&options(vec![])).await;
    let peer = bens.host(if relayed.is_ipv6() { "::1" } else { "127.0.0.1" });
    ann.allow(peer);
    for number in 0..5_u8 {
        let data = vec![number; 1000 + usize::from(number)];
        let exchange = async {
            send(ann, relayed, peer, &data).await;
            // The server reads the permission and the data in this order, but the first
            // allocation may still be on its way.
            let there = receive_one(&mut ben).await;
            assert_eq!((there.source, there.destination), (relayed, peer));
            assert_eq!(there.data, data);
            send(&mut ben, peer, relayed, &data).await;
            let back = receive_one(ann).await;
            assert_eq!((back.source, back.destination), (peer, relayed));
            assert_eq!(back.data, data);
        };
        within("answer through the relay", exchange).await;
    }
}

#[tokio::test]
async fn every_protocol_and_family_relays() {
    let server = TurnServer::start().await;
    for protocol in PROTOCOLS {
        for ipv6 in [false, true] {
            let ice = vec![server.ice(protocol, ipv6)];
            let (mut ann, anns) = opened(&trusting_options(&server, ice)).await;
            assert_eq!(anns.failures, [], "{protocol} {ipv6}");
            let relayed = anns.relayed();
            let relayed = relayed.iter().find(|(addr, _)| addr.is_ipv6() == ipv6);
            let (addr, told) = relayed.copied().expect("an allocation");
            assert_eq!(told, protocol);

            assert_relays(&mut ann, addr).await;
            ann.close().await;
        }
    }
}

#[tokio::test]
async fn there_are_candidates_for_each_protocol_and_family() {
    let server = TurnServer::start().await;
    let mut ice = Vec::new();
    for protocol in PROTOCOLS {
        ice.extend([server.ice(protocol, false), server.ice(protocol, true)]);
    }
    let (_ann, anns) = opened(&trusting_options(&server, ice)).await;

    let found = anns.relayed();
    let mut found: Vec<_> =
        found.iter().map(|(addr, protocol)| (*protocol, addr.is_ipv6())).collect();
    found.sort_unstable();
    // With what is reached over IPv6 alone there comes an IPv4 address, for peers without IPv6.
    let each = |protocol| [(protocol, false), (protocol, false), (protocol, true)];
    assert_eq!(found, PROTOCOLS.map(each).concat());
    assert_eq!(anns.failures, []);
}

#[tokio::test]
async fn two_relays_talk_to_each_other() {
    let server = TurnServer::start().await;
    let (mut ann, anns) = opened(&relay_only(vec![server.ice(RelayProtocol::Udp, false)])).await;
    let (mut ben, bens) = opened(&relay_only(vec![server.ice(RelayProtocol::Tcp, false)])).await;
    let (from, to) = (anns.relayed()[0].0, bens.relayed()[0].0);
    ann.allow(to);
    ben.allow(from);

    let driven = async {
        // Until both permissions are there; checks of ICE are repeated, too.
        loop {
            ann.send(from, to, b"hello");
            ann.try_flush();
            tokio::select! {
                event = ben.next() => if matches!(event, NetworkEvent::Received) { break },
                _ = ann.next() => {}
                () = tokio::time::sleep(std::time::Duration::from_millis(20)) => {}
            }
        }
    };
    within("data through both relays", driven).await;
    let came: Vec<_> = ben.batch().map(|it| (it.source, it.destination)).collect();
    assert_eq!(came[0], (from, to));
}

#[tokio::test]
async fn a_long_stream_of_data_survives_tcp_and_tls() {
    let server = TurnServer::start().await;
    for protocol in [RelayProtocol::Tcp, RelayProtocol::Tls] {
        let (mut ann, anns) =
            opened(&trusting_options(&server, vec![server.ice(protocol, false)])).await;
        let (mut ben, bens) = opened(&options(vec![])).await;
        let relayed = anns.relayed().iter().find(|(addr, _)| addr.is_ipv4()).unwrap().0;
        let peer = bens.host("127.0.0.1");
        ann.allow(peer);
        send(&mut ann, relayed, peer, b"first").await;
        receive_one(&mut ben).await;

        // Frames of odd lengths, cut anywhere by the stream.
        for round in 0..40_usize {
            for number in 0..10 {
                let length = 1 + (round * 97 + number * 131) % 1200;
                ben.send(peer, relayed, &vec![u8::try_from(number).unwrap(); length]);
            }
            ben.flush().await;
            let mut came = Vec::new();
            while came.len() < 10 {
                came.extend(receive(&mut ann).await);
            }
            for (number, came) in came.iter().enumerate() {
                let length = 1 + (round * 97 + number * 131) % 1200;
                assert_eq!(came.data, vec![u8::try_from(number).unwrap(); length]);
                // Answers make a channel of it.
                ann.send(relayed, peer, &came.data);
            }
            ann.flush().await;
            let mut echoed = 0;
            while echoed < 10 {
                tokio::select! {
                    came = receive(&mut ben) => echoed += came.len(),
                    _ = ann.next() => {}
                }
            }
        }
    }
}

#[tokio::test]
async fn close_gives_the_allocation_back() {
    let server = TurnServer::start().await;
    let mut reports = server.control.turn_reports().unwrap();
    for protocol in PROTOCOLS {
        let (ann, anns) =
            opened(&trusting_options(&server, vec![server.ice(protocol, false)])).await;
        let mut open = anns.relayed().len();
        assert_ne!(open, 0);
        ann.close().await;
        while open > 0 {
            let report = within("report", reports.recv()).await.unwrap();
            open -= usize::from(format!("{report:?}").starts_with("Closed"));
        }
    }
}

#[tokio::test]
async fn a_dropped_network_gives_its_allocation_back_too() {
    let server = TurnServer::start().await;
    let mut reports = server.control.turn_reports().unwrap();
    let (ann, _) = opened(&relay_only(vec![server.ice(RelayProtocol::Udp, false)])).await;
    drop(ann);
    let closed =
        async { while !format!("{:?}", reports.recv().await.unwrap()).starts_with("Closed") {} };
    within("end of the allocation", closed).await;
}

#[tokio::test]
async fn a_restart_keeps_the_allocation() {
    let server = TurnServer::start().await;
    let (mut ann, before) = opened(&relay_only(vec![server.ice(RelayProtocol::Udp, false)])).await;

    let options = ann.options.clone();
    ann.restart(&options).await.unwrap();
    let after = Gathered::all(&mut ann).await;

    assert_eq!(before.candidates, after.candidates);
    assert_eq!(after.failures, []);
    assert_relays(&mut ann, after.relayed()[0].0).await;
}

#[tokio::test]
async fn a_restart_replaces_an_allocation_that_the_server_has_forgotten() {
    for protocol in [RelayProtocol::Udp, RelayProtocol::Tcp] {
        let first = TurnServer::start().await;
        let (at, ice) = (first.at(protocol, false), first.ice(protocol, false));
        let (mut ann, before) = opened(&relay_only(vec![ice])).await;
        drop(first);
        let freed = async {
            while std::net::UdpSocket::bind(at).is_err() || std::net::TcpListener::bind(at).is_err()
            {
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
        };
        within("end of the first server", freed).await;
        let _second = TurnServer::with(|config| {
            let listen = if protocol == RelayProtocol::Udp {
                &mut config.turn.udp
            } else {
                &mut config.turn.tcp
            };
            *listen = vec![at.to_string().parse().unwrap()];
        })
        .await;

        let options = ann.options.clone();
        ann.restart(&options).await.unwrap();

        let another = async {
            loop {
                if let NetworkEvent::Candidate(LocalCandidate::Relayed { addr, .. }) =
                    ann.next().await
                    && before.relayed()[0].0 != addr
                {
                    return addr;
                }
            }
        };
        let relayed = within("another allocation", another).await;
        assert_relays(&mut ann, relayed).await;
    }
}

#[tokio::test]
async fn a_server_that_is_drained_sends_us_to_another_one() {
    let other = TurnServer::start().await;
    let alternate = other.at(RelayProtocol::Udp, false);
    let first = TurnServer::with(|config| config.turn.alternate_servers = vec![alternate]).await;
    assert!(first.control.drain_turn());
    let mut reports = other.control.turn_reports().unwrap();

    let (mut ann, anns) = opened(&relay_only(vec![first.ice(RelayProtocol::Udp, false)])).await;

    assert_eq!(anns.failures, []);
    assert!(matches!(anns.candidates[..], [LocalCandidate::Relayed { .. }]));
    let report = within("report", reports.recv()).await.unwrap();
    assert!(format!("{report:?}").starts_with("Opened"));
    assert_relays(&mut ann, anns.relayed()[0].0).await;
}
