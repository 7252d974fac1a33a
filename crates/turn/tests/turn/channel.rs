//! `ChannelBind` and channel data (RFC 8656 section 12).

use std::net::SocketAddr;

use peerway_turn::{Refusal, RelayId, ToPeer};
use turn_types::message::CHANNEL_BIND;

use crate::draft::{Draft, Login, bind, channel_data, permit, refresh, send};
use crate::stage::{Done, Said, Stage, alice, at, carol, peer_v4, refused, success};

fn joe() -> Login {
    Login::new("joe", "pw")
}

fn bound() -> Done {
    success(alice(), CHANNEL_BIND, &[Said::Signed])
}

fn refused_with(code: u16) -> Done {
    refused(alice(), CHANNEL_BIND, code)
}

fn stage() -> (Stage, RelayId) {
    let mut stage = Stage::new();
    let relay = stage.allocated(alice(), &joe());
    (stage, relay)
}

/// The number and the payload of channel data, without padding.
fn channel(packet: &[u8]) -> (u16, &[u8]) {
    let length = usize::from(u16::from_be_bytes([packet[2], packet[3]]));
    (u16::from_be_bytes([packet[0], packet[1]]), &packet[4..4 + length])
}

#[test]
fn a_channel_carries_payloads_both_ways() {
    let (mut stage, relay) = stage();
    assert_eq!(stage.ask(alice(), &joe(), &bind(0x4000, peer_v4())), [bound()]);

    let packet = channel_data(0x4000, b"hello");
    assert_eq!(
        stage.send(alice(), &packet),
        Some(ToPeer { relay, peer: peer_v4(), payload: b"hello" })
    );
    let (to, packet) = stage.receive(relay, peer_v4(), b"world").unwrap();
    assert_eq!((to, channel(&packet)), (alice(), (0x4000, &b"world"[..])));
    assert_eq!(packet.len(), 9, "no padding in datagrams");
}

#[test]
fn channel_data_on_a_stream_is_padded() {
    let mut stage = Stage::new();
    let relay = stage.allocated(carol(), &joe());
    stage.ask(carol(), &joe(), &bind(0x4000, peer_v4()));
    for (payload, length) in [(&b""[..], 4), (b"a", 8), (b"abcd", 8), (b"abcde", 12)] {
        let (_, packet) = stage.receive(relay, peer_v4(), payload).unwrap();
        assert_eq!((channel(&packet), packet.len()), ((0x4000, payload), length));
    }
    let padded = [&channel_data(0x4000, b"abcde")[..], &[0; 3]].concat();
    assert_eq!(stage.send(carol(), &padded).unwrap().payload, b"abcde");
}

#[test]
fn numbers_outside_of_the_range_are_bad_requests() {
    let (mut stage, _) = stage();
    for number in [0, 1, 0x3fff, 0x8000, 0xffff] {
        let draft = bind(number, peer_v4());
        assert_eq!(stage.ask(alice(), &joe(), &draft), [refused_with(400)], "{number:x}");
    }
    for (number, peer) in [(0x4000, "5.6.7.1:1"), (0x4fff, "5.6.7.2:1"), (0x7fff, "5.6.7.3:1")] {
        assert_eq!(stage.ask(alice(), &joe(), &bind(number, at(peer))), [bound()]);
    }
}

#[test]
fn a_channel_needs_a_number_and_a_peer() {
    let (mut stage, _) = stage();
    let empty = Draft::new(CHANNEL_BIND);
    for draft in [
        empty.clone(),
        empty.again().peer(peer_v4()),
        empty.again().raw(0x000c, &[0x40, 0, 0, 0]),
        empty.again().raw(0x000c, &[0x40, 0]).peer(peer_v4()),
        empty.again().raw(0x000c, &[0x40, 0, 0, 0]).raw(0x0012, &[1, 2, 3]),
    ] {
        assert_eq!(stage.ask(alice(), &joe(), &draft), [refused_with(400)]);
    }
}

#[test]
fn a_number_has_one_peer_and_a_peer_has_one_number() {
    let (mut stage, relay) = stage();
    let other = at("5.6.7.8:4001");
    assert_eq!(stage.ask(alice(), &joe(), &bind(0x4000, peer_v4())), [bound()]);
    assert_eq!(stage.ask(alice(), &joe(), &bind(0x4000, other)), [refused_with(400)]);
    assert_eq!(stage.ask(alice(), &joe(), &bind(0x4001, peer_v4())), [refused_with(400)]);
    assert_eq!(stage.ask(alice(), &joe(), &bind(0x4001, other)), [bound()]);
    assert_eq!(stage.ask(alice(), &joe(), &bind(0x4000, peer_v4())), [bound()], "a refresh");

    for (number, peer) in [(0x4000, peer_v4()), (0x4001, other)] {
        let packet = channel_data(number, b"x");
        assert_eq!(stage.send(alice(), &packet).unwrap().peer, peer);
        assert_eq!(channel(&stage.receive(relay, peer, b"x").unwrap().1).0, number);
    }
}

#[test]
fn channels_of_different_clients_are_different_channels() {
    let mut stage = Stage::new();
    let others = at("5.6.7.9:1");
    for (client, peer) in [(alice(), peer_v4()), (carol(), others)] {
        stage.allocated(client, &joe());
        let done = stage.ask(client, &joe(), &bind(0x4000, peer));
        assert_eq!(done, [success(client, CHANNEL_BIND, &[Said::Signed])]);
    }
    let packet = channel_data(0x4000, b"x\0\0\0");
    assert_eq!(stage.send(alice(), &packet).unwrap().peer, peer_v4());
    assert_eq!(stage.send(carol(), &packet).unwrap().peer, others);
}

#[test]
fn a_channel_lasts_for_ten_minutes_and_its_permission_for_five() {
    let (mut stage, relay) = stage();
    let packet = channel_data(0x4000, b"x");
    stage.ask(alice(), &joe(), &bind(0x4000, peer_v4()));
    stage.ask(alice(), &joe(), &refresh().lifetime(3600));

    stage.wait_until(299.0);
    assert!(stage.receive(relay, peer_v4(), b"x").is_some());
    stage.wait_until(300.0);
    assert!(stage.receive(relay, peer_v4(), b"x").is_none(), "the permission is over");
    assert!(stage.send(alice(), &packet).is_some());
    assert_eq!(stage.ask(alice(), &joe(), &permit(&[peer_v4()])).len(), 1);
    let (_, told) = stage.receive(relay, peer_v4(), b"x").unwrap();
    assert_eq!(channel(&told).0, 0x4000, "the channel is still there");

    stage.set_clock(599.9);
    assert!(stage.send(alice(), &packet).is_some());
    let (_, told) = stage.receive(relay, peer_v4(), b"x").unwrap();
    assert_eq!(channel(&told).0, 0x4000);
    stage.ask(alice(), &joe(), &permit(&[peer_v4()]));
    stage.set_clock(600.0);
    assert_eq!(stage.send(alice(), &packet), None, "whether the timer came or not");
    let (_, told) = stage.receive(relay, peer_v4(), b"x").unwrap();
    assert_eq!(crate::stage::data_indication(&told), (peer_v4(), b"x".to_vec()));
}

#[test]
fn a_refreshed_channel_goes_on_with_its_permission() {
    let (mut stage, relay) = stage();
    stage.ask(alice(), &joe(), &refresh().lifetime(3600));
    for moment in [0.0, 290.0, 580.0, 870.0, 1160.0] {
        stage.wait_until(moment);
        assert_eq!(stage.ask(alice(), &joe(), &bind(0x4000, peer_v4())), [bound()]);
    }
    stage.wait_until(1459.0);
    assert!(stage.receive(relay, peer_v4(), b"x").is_some());
}

#[test]
fn a_channel_that_is_over_can_be_bound_anew() {
    let (mut stage, relay) = stage();
    let other = at("5.6.7.9:1");
    stage.ask(alice(), &joe(), &refresh().lifetime(3600));
    stage.ask(alice(), &joe(), &bind(0x4000, peer_v4()));
    stage.ask(alice(), &joe(), &bind(0x4001, other));
    stage.set_clock(600.0);
    // Numbers and peers change places.
    assert_eq!(stage.ask(alice(), &joe(), &bind(0x4000, other)), [bound()]);
    assert_eq!(stage.ask(alice(), &joe(), &bind(0x4001, peer_v4())), [bound()]);
    stage.wait_until(602.0);
    for (number, peer) in [(0x4000, other), (0x4001, peer_v4())] {
        let packet = channel_data(number, b"x");
        assert_eq!(stage.send(alice(), &packet).unwrap().peer, peer);
        assert_eq!(channel(&stage.receive(relay, peer, b"x").unwrap().1).0, number);
    }
}

#[test]
fn channels_are_bounded() {
    let (mut stage, _) = stage();
    let peer = |port: u16| SocketAddr::new(peer_v4().ip(), port);
    for number in 0..256 {
        let draft = bind(0x4000 + number, peer(1 + number));
        assert_eq!(stage.ask(alice(), &joe(), &draft), [bound()]);
    }
    assert_eq!(stage.ask(alice(), &joe(), &bind(0x4100, peer(999))), [refused_with(508)]);
    assert_eq!(stage.ask(alice(), &joe(), &bind(0x4000, peer(1))), [bound()]);
    stage.ask(alice(), &joe(), &refresh().lifetime(3600));
    stage.set_clock(600.0);
    assert_eq!(stage.ask(alice(), &joe(), &bind(0x4100, peer(999))), [bound()]);
}

#[test]
fn data_on_no_channel_is_dropped() {
    let (mut stage, _) = stage();
    stage.refusals();
    assert_eq!(stage.send(alice(), &channel_data(0x4000, b"x")), None);
    stage.ask(alice(), &joe(), &bind(0x4000, peer_v4()));
    assert_eq!(stage.send(alice(), &channel_data(0x4001, b"x")), None);
    assert_eq!(stage.send(carol(), &channel_data(0x4000, b"x")), None, "not a client");
    let mut short = channel_data(0x4000, b"hello");
    short.pop();
    assert_eq!(stage.send(alice(), &short), None, "shorter than it says");
    assert_eq!(
        stage.refusals(),
        [("other".to_owned(), Refusal::NoPermission, 2), ("other".to_owned(), Refusal::Noise, 2)]
    );
}

#[test]
fn a_send_indication_to_the_peer_of_a_channel_goes_too() {
    let (mut stage, relay) = stage();
    stage.ask(alice(), &joe(), &bind(0x4000, peer_v4()));
    let datagram = send(peer_v4(), b"x");
    assert_eq!(
        stage.send(alice(), &datagram),
        Some(ToPeer { relay, peer: peer_v4(), payload: b"x" })
    );
}

#[test]
fn a_peer_that_is_written_as_ipv4_mapped_has_the_same_channel() {
    let (mut stage, relay) = stage();
    assert_eq!(stage.ask(alice(), &joe(), &bind(0x4000, at("[::ffff:5.6.7.8]:4000"))), [bound()]);
    let packet = channel_data(0x4000, b"x");
    assert_eq!(stage.send(alice(), &packet).unwrap().peer, peer_v4());
    assert_eq!(channel(&stage.receive(relay, peer_v4(), b"x").unwrap().1).0, 0x4000);
}
