//! Payloads: Send and Data indications (RFC 8656 section 11), bandwidth, and what is dropped.

use std::net::SocketAddr;

use peerway_turn::{FiveTuple, Flow, Refusal, ToPeer, Traffic, Transport, frame_length};
use stun_types::message::{Message, MessageClass};
use turn_types::AddressFamily::IPV6;
use turn_types::attribute::Data;
use turn_types::message::SEND;

use crate::draft::{Draft, Login, allocate, allocate_tcp, bind, channel_data, permit, send};
use crate::stage::{
    Stage, alice, at, carol, data_indication, peer_v4, peer_v6, relayed_v4, relayed_v6,
};

fn joe() -> Login {
    Login::new("joe", "pw")
}

#[test]
fn indications_carry_payloads_both_ways_in_both_families() {
    let mut stage = Stage::new();
    let both = [relayed_v4(), relayed_v6()];
    let relays = stage.allocated_as(alice(), &joe(), &allocate().additional(IPV6), &both);
    let peers = [peer_v4(), peer_v6()];
    stage.ask(alice(), &joe(), &permit(&peers));
    for (relay, peer) in relays.into_iter().zip(peers) {
        let datagram = send(peer, b"hello");
        assert_eq!(stage.send(alice(), &datagram), Some(ToPeer { relay, peer, payload: b"hello" }));
        let (to, packet) = stage.receive(relay, peer, b"world").unwrap();
        assert_eq!((to, data_indication(&packet)), (alice(), (peer, b"world".to_vec())));
    }
}

#[test]
fn the_payload_is_a_part_of_what_came() {
    let mut stage = Stage::new();
    stage.permitted(alice(), &joe(), peer_v4());
    stage.ask(alice(), &joe(), &bind(0x4000, peer_v4()));
    for bytes in [send(peer_v4(), b"hello"), channel_data(0x4000, b"hello")] {
        let payload = stage.send(alice(), &bytes).unwrap().payload;
        assert!(bytes.as_ptr_range().contains(&payload.as_ptr()), "nothing is copied");
    }
}

#[test]
fn empty_and_large_payloads_are_payloads() {
    let mut stage = Stage::new();
    let relay = stage.permitted(alice(), &joe(), peer_v4());
    for size in [0, 1, 2, 3, 4, 1200, 65_499, 65_500] {
        let payload = vec![7; size];
        let datagram = send(peer_v4(), &payload);
        assert_eq!(stage.send(alice(), &datagram).unwrap().payload, payload);
        let (_, packet) = stage.receive(relay, peer_v4(), &payload).unwrap();
        assert_eq!(data_indication(&packet), (peer_v4(), payload));
    }
    for size in [65_501, 70_000] {
        assert_eq!(stage.receive(relay, peer_v4(), &vec![0; size]), None);
    }
}

#[test]
fn every_data_indication_has_another_transaction() {
    let mut stage = Stage::new();
    let relay = stage.permitted(alice(), &joe(), peer_v4());
    let mut transaction = || {
        let (_, packet) = stage.receive(relay, peer_v4(), b"x").unwrap();
        Message::from_bytes(&packet).unwrap().transaction_id()
    };
    assert_ne!(transaction(), transaction());
}

#[test]
fn a_peer_in_ipv4_mapped_form_is_told_to_the_driver_as_ipv4() {
    let mut stage = Stage::new();
    stage.permitted(alice(), &joe(), peer_v4());
    let datagram = send(at("[::ffff:5.6.7.8]:4000"), b"x");
    assert_eq!(stage.send(alice(), &datagram).unwrap().peer, peer_v4());
}

#[test]
fn indications_that_are_not_whole_are_dropped() {
    let mut stage = Stage::new();
    stage.permitted(alice(), &joe(), peer_v4());
    let indication = || Draft::new(SEND).of_class(MessageClass::Indication);
    let data = Data::new(b"x");
    for draft in [
        indication(),
        indication().peer(peer_v4()),
        indication().with(&data),
        indication().raw(0x0012, &[0, 1, 0, 0]).with(&data),
        // DONT-FRAGMENT, and something that must be understood.
        indication().peer(peer_v4()).raw(0x001a, &[]).with(&data),
        indication().peer(peer_v4()).raw(0x7abc, &[]).with(&data),
        // A request named Send.
        indication().peer(peer_v4()).with(&data).of_class(MessageClass::Success),
    ] {
        assert_eq!(stage.send(alice(), &draft.plain()), None);
    }
    let mut lying = send(peer_v4(), b"hello");
    lying[3] += 4;
    assert_eq!(stage.send(alice(), &lying), None);
}

#[test]
fn the_first_of_repeated_attributes_counts() {
    let mut stage = Stage::new();
    stage.permitted(alice(), &joe(), peer_v4());
    let draft = Draft::new(SEND).of_class(MessageClass::Indication);
    let bytes = draft
        .peer(peer_v4())
        .peer(at("127.0.0.1:1"))
        .with(&Data::new(b"first"))
        .with(&Data::new(b"second"))
        .plain();
    let sent = stage.send(alice(), &bytes).unwrap();
    assert_eq!((sent.peer, sent.payload), (peer_v4(), &b"first"[..]));
}

#[test]
fn strangers_get_nothing_through_in_either_direction() {
    let mut stage = Stage::new();
    let relay = stage.permitted(alice(), &joe(), peer_v4());
    stage.refusals();
    let stranger = at("5.6.7.9:4000");
    assert_eq!(stage.send(alice(), &send(stranger, b"x")), None);
    assert_eq!(stage.receive(relay, stranger, b"x"), None);
    assert_eq!(stage.send(alice(), &send(peer_v6(), b"x")), None);
    assert_eq!(stage.receive(peerway_turn::RelayId(99), peer_v4(), b"x"), None);
    let other_transport = FiveTuple { transport: Transport::Tcp, ..alice() };
    for nobody in [carol(), other_transport] {
        assert_eq!(stage.send(nobody, &send(peer_v4(), b"x")), None);
    }
    assert_eq!(
        stage.refusals(),
        [("other".to_owned(), Refusal::NoPermission, 3), ("other".to_owned(), Refusal::Noise, 2)]
    );
}

#[test]
fn an_allocation_that_is_over_relays_nothing_though_the_timer_is_late() {
    let mut stage = Stage::new();
    let relay = stage.permitted(alice(), &joe(), peer_v4());
    stage.set_clock(300.0);
    stage.ask(alice(), &joe(), &bind(0x4000, peer_v4()));
    stage.set_clock(599.0);
    stage.ask(alice(), &joe(), &permit(&[peer_v4()]));
    let datagrams = [send(peer_v4(), b"x"), channel_data(0x4000, b"x")];
    assert!(datagrams.iter().all(|datagram| stage.send(alice(), datagram).is_some()));
    stage.set_clock(600.0);
    assert!(datagrams.iter().all(|datagram| stage.send(alice(), datagram).is_none()));
    assert_eq!(stage.receive(relay, peer_v4(), b"x"), None);
}

#[test]
fn an_allocation_for_connections_relays_no_datagrams() {
    let mut stage = Stage::new();
    stage.allocated_as(carol(), &joe(), &allocate_tcp(), &[relayed_v4()]);
    stage.ask(carol(), &joe(), &permit(&[peer_v4()]));
    assert_eq!(stage.send(carol(), &send(peer_v4(), b"x")), None);
}

#[test]
fn bandwidth_is_bounded_in_each_direction_by_itself() {
    let mut stage = Stage::with(|settings| settings.bandwidth = Some(1000));
    let relay = stage.permitted(alice(), &joe(), peer_v4());
    let others = stage.permitted(carol(), &joe(), peer_v4());
    stage.refusals();
    let datagram = send(peer_v4(), &[7; 100]);
    let up = |stage: &mut Stage, client, times: usize| {
        (0..times).filter(|_| stage.send(client, &datagram).is_some()).count()
    };
    let down = |stage: &mut Stage, relay, times: usize| {
        (0..times).filter(|_| stage.receive(relay, peer_v4(), &[7; 100]).is_some()).count()
    };

    assert_eq!(up(&mut stage, alice(), 50), 10, "a second's worth at once");
    assert_eq!(down(&mut stage, relay, 50), 10);
    assert_eq!((up(&mut stage, carol(), 5), down(&mut stage, others, 5)), (5, 5));
    stage.set_clock(0.35);
    assert_eq!((up(&mut stage, alice(), 50), down(&mut stage, relay, 50)), (3, 3));
    assert_eq!(stage.refusals(), [("other".to_owned(), Refusal::Bandwidth, 40 + 40 + 47 + 47)]);
}

#[test]
fn what_is_relayed_is_counted_for_its_app_once() {
    let mut stage = Stage::new();
    let login = stage.login("shop", "x");
    let relay = stage.permitted(alice(), &login, peer_v4());
    stage.server.take_counts();
    for size in [0, 10, 100] {
        stage.send(alice(), &send(peer_v4(), &vec![0; size])).unwrap();
    }
    stage.receive(relay, peer_v4(), &[0; 7]).unwrap();
    stage.send(alice(), &send(at("5.6.7.9:1"), b"dropped"));

    let counts = stage.server.take_counts();
    assert_eq!(counts.len(), 1);
    assert_eq!(&*counts[0].app, "shop");
    assert_eq!(
        counts[0].traffic,
        Traffic {
            to_peer: Flow { packets: 3, bytes: 110 },
            to_client: Flow { packets: 1, bytes: 7 }
        }
    );
    assert_eq!(stage.server.take_counts(), []);
}

#[test]
fn a_stream_is_cut_into_what_was_sent() {
    let frames = [
        crate::draft::binding().plain(),
        send(peer_v4(), b"hello"),
        channel_data(0x4000, b"four"),
        [&channel_data(0x4001, b"a")[..], &[0; 3]].concat(),
        channel_data(0x7ffe, b""),
    ];
    let mut rest = &frames.concat()[..];
    let mut cut = Vec::new();
    while let Some(length) = frame_length(rest).unwrap() {
        let (frame, after) = rest.split_at(length);
        cut.push(frame);
        rest = after;
    }
    assert_eq!(cut, frames);
}

#[test]
fn a_peer_may_be_another_client_of_the_server() {
    let mut stage = Stage::with(|settings| {
        settings.policy.own = vec![relayed_v4().ip()];
        settings.policy.relays = vec![relayed_v4().ip()];
    });
    let other = SocketAddr::new(relayed_v4().ip(), 50002);
    let alices = stage.permitted(alice(), &joe(), other);
    let carols = stage.allocated_as(carol(), &joe(), &allocate(), &[other])[0];
    stage.ask(carol(), &joe(), &permit(&[relayed_v4()]));
    let datagram = send(other, b"x");
    assert_eq!(stage.send(alice(), &datagram).unwrap().relay, alices);
    let (to, packet) = stage.receive(carols, relayed_v4(), b"x").unwrap();
    assert_eq!((to, data_indication(&packet).0), (carol(), relayed_v4()));
}
