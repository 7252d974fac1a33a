//! `CreatePermission` (RFC 8656 section 10), and whom the policy protects.

use std::net::SocketAddr;

use peerway_turn::{PeerPolicy, Refusal};
use turn_types::AddressFamily::IPV6;
use turn_types::message::{CHANNEL_BIND, CONNECT, CREATE_PERMISSION};

use crate::draft::{
    Draft, Login, allocate, allocate_tcp, bind, channel_data, connect, permit, release, send,
};
use crate::stage::{
    Done, Said, Stage, alice, at, carol, peer_v4, peer_v6, refused, relayed_v4, relayed_v6,
    settings, success,
};

fn joe() -> Login {
    Login::new("joe", "pw")
}

fn permitted() -> Done {
    success(alice(), CREATE_PERMISSION, &[Said::Signed])
}

fn refused_with(code: u16) -> Done {
    refused(alice(), CREATE_PERMISSION, code)
}

/// Addresses that no client may reach unless the operator says so, one of each class.
const PROTECTED: [&str; 33] = [
    "127.0.0.1:80",
    "127.8.9.10:80",
    "0.0.0.0:80",
    "0.1.2.3:80",
    "10.0.0.1:80",
    "100.64.0.1:80",
    "169.254.169.254:80",
    "172.16.0.1:80",
    "192.0.0.1:80",
    "192.0.2.1:80",
    "192.168.0.1:80",
    "198.18.0.1:80",
    "198.51.100.1:80",
    "203.0.113.1:80",
    "224.0.0.1:80",
    "239.255.255.250:1900",
    "240.0.0.1:80",
    "255.255.255.255:80",
    "[::]:80",
    "[::1]:80",
    "[fe80::1]:80",
    "[fec0::1]:80",
    "[fc00::1]:80",
    "[fd00::1]:80",
    "[ff02::1]:80",
    "[2001:db8::1]:80",
    "[2001:0:1::1]:80",
    "[::ffff:127.0.0.1]:80",
    "[::ffff:192.168.0.1]:80",
    "[::127.0.0.1]:80",
    "[64:ff9b::127.0.0.1]:80",
    "[64:ff9b:1::1]:80",
    "[2002:7f00:1::]:80",
];

#[test]
fn protected_peers_are_refused_in_every_request_and_dropped_in_datagrams() {
    let mut stage = Stage::new();
    let both = [relayed_v4(), relayed_v6()];
    stage.allocated_as(alice(), &joe(), &allocate().additional(IPV6), &both);
    stage.allocated_as(carol(), &joe(), &allocate_tcp().additional(IPV6), &both);
    stage.refusals();
    for peer in PROTECTED.map(at) {
        assert_eq!(stage.ask(alice(), &joe(), &permit(&[peer])), [refused_with(403)], "{peer}");
        assert_eq!(
            stage.ask(alice(), &joe(), &bind(0x4000, peer)),
            [refused(alice(), CHANNEL_BIND, 403)],
            "{peer}"
        );
        assert_eq!(
            stage.ask(carol(), &joe(), &connect(peer)),
            [refused(carol(), CONNECT, 403)],
            "{peer}"
        );
        assert_eq!(stage.send(alice(), &send(peer, b"GET /")), None, "{peer}");
    }
    let each = PROTECTED.len() as u64;
    assert_eq!(
        stage.refusals(),
        [
            ("other".to_owned(), Refusal::ForbiddenPeer, each * 3),
            ("other".to_owned(), Refusal::NoPermission, each)
        ]
    );
}

#[test]
fn one_protected_peer_spoils_the_whole_request() {
    let mut stage = Stage::new();
    stage.allocated(alice(), &joe());
    assert_eq!(
        stage.ask(alice(), &joe(), &permit(&[peer_v4(), at("127.0.0.1:1")])),
        [refused_with(403)]
    );
    assert_eq!(stage.send(alice(), &send(peer_v4(), b"x")), None);
}

#[test]
fn an_operator_can_open_and_close_networks() {
    let mut stage = Stage::with(|settings| {
        settings.policy.allow = vec!["127.0.0.0/8".parse().unwrap()];
        settings.policy.deny = vec!["5.6.0.0/16".parse().unwrap()];
    });
    stage.allocated(alice(), &joe());
    assert_eq!(stage.ask(alice(), &joe(), &permit(&[at("127.0.0.1:1")])), [permitted()]);
    let datagram = send(at("127.0.0.1:9"), b"x");
    assert_eq!(stage.send(alice(), &datagram).unwrap().peer, at("127.0.0.1:9"));
    assert_eq!(stage.ask(alice(), &joe(), &permit(&[peer_v4()])), [refused_with(403)]);
}

/// A server whose own address is that of its relays, with a service beside it.
fn server_on_its_relay_address() -> Stage {
    Stage::with(|settings| {
        let own = relayed_v4().ip();
        settings.policy = PeerPolicy {
            own: vec![own],
            relays: vec![own],
            listeners: vec![SocketAddr::new(own, 50001)],
            ..settings.policy.clone()
        };
    })
}

#[test]
fn of_the_server_itself_clients_reach_relayed_addresses_only() {
    let mut stage = server_on_its_relay_address();
    stage.allocated(alice(), &joe());
    let own = |port| SocketAddr::new(relayed_v4().ip(), port);
    // A permission is for an address, so it is the datagram that is judged.
    assert_eq!(stage.ask(alice(), &joe(), &permit(&[own(22)])), [permitted()]);
    let open = relayed_v4().port();
    for (port, reached) in
        [(open, true), (open + 1, false), (22, false), (50001, false), (0, false)]
    {
        let peer = own(port);
        let datagram = send(peer, b"x");
        assert_eq!(stage.send(alice(), &datagram).is_some(), reached, "{peer}");
        let bound = stage.ask(alice(), &joe(), &bind(0x4000, peer));
        let refused = bound == [refused(alice(), CHANNEL_BIND, 403)];
        assert_eq!(refused, !reached, "{peer}: {bound:?}");
    }
    stage.allocated_as(carol(), &joe(), &allocate_tcp(), &[relayed_v4()]);
    for port in [49152, 22, 3478] {
        assert_eq!(
            stage.ask(carol(), &joe(), &connect(own(port))),
            [refused(carol(), CONNECT, 403)]
        );
    }
}

#[test]
fn a_relay_that_is_gone_is_reached_no_more_by_those_who_were_permitted() {
    let mut stage = server_on_its_relay_address();
    let other = SocketAddr::new(relayed_v4().ip(), relayed_v4().port() + 2);
    stage.allocated(alice(), &joe());
    stage.allocated_as(carol(), &joe(), &allocate(), &[other]);
    stage.ask(carol(), &joe(), &bind(0x4000, relayed_v4()));
    let datagrams = [channel_data(0x4000, b"x"), send(relayed_v4(), b"x")];
    for datagram in &datagrams {
        assert_eq!(stage.send(carol(), datagram).unwrap().peer, relayed_v4());
    }
    // Its port may be anybody's now.
    stage.ask(alice(), &joe(), &release());
    for datagram in &datagrams {
        assert_eq!(stage.send(carol(), datagram), None);
    }
}

#[test]
fn no_peer_is_at_port_zero() {
    let mut stage = Stage::new();
    let nowhere = SocketAddr::new(peer_v4().ip(), 0);
    stage.permitted(alice(), &joe(), nowhere);
    assert_eq!(stage.send(alice(), &send(nowhere, b"x")), None);
    assert_eq!(
        stage.ask(alice(), &joe(), &bind(0x4000, nowhere)),
        [refused(alice(), CHANNEL_BIND, 403)]
    );
    stage.allocated_as(carol(), &joe(), &allocate_tcp(), &[relayed_v4()]);
    assert_eq!(stage.ask(carol(), &joe(), &connect(nowhere)), [refused(carol(), CONNECT, 403)]);
}

#[test]
fn a_permission_is_for_an_address_whatever_the_port() {
    let mut stage = Stage::new();
    let relay = stage.permitted(alice(), &joe(), peer_v4());
    for port in [1, 4000, 65535] {
        let peer = SocketAddr::new(peer_v4().ip(), port);
        let datagram = send(peer, b"x");
        assert!(stage.send(alice(), &datagram).is_some());
        assert!(stage.receive(relay, peer, b"x").is_some());
    }
    assert!(stage.receive(relay, at("5.6.7.9:4000"), b"x").is_none());
}

#[test]
fn a_permission_lasts_for_five_minutes() {
    let mut stage = Stage::new();
    let joe = joe();
    let relay = stage.permitted(alice(), &joe, peer_v4());
    let datagram = send(peer_v4(), b"x");
    let open = |stage: &mut Stage| {
        let up = stage.send(alice(), &datagram).is_some();
        assert_eq!(up, stage.receive(relay, peer_v4(), b"x").is_some());
        up
    };

    stage.wait_until(299.0);
    assert!(open(&mut stage));
    stage.set_clock(300.0);
    assert!(!open(&mut stage), "whether the timer came or not");
    stage.wait_until(300.0);
    assert!(!open(&mut stage));

    assert_eq!(stage.ask(alice(), &joe, &permit(&[peer_v4()])), [permitted()]);
    stage.wait_until(500.0);
    assert_eq!(stage.ask(alice(), &joe, &permit(&[peer_v4()])), [permitted()]);
    stage.ask(alice(), &joe, &crate::draft::refresh());
    stage.wait_until(799.0);
    assert!(open(&mut stage), "refreshed");
    stage.wait_until(800.0);
    assert!(!open(&mut stage));
}

#[test]
fn a_refreshed_allocation_does_not_refresh_permissions() {
    let mut stage = Stage::new();
    let joe = joe();
    stage.permitted(alice(), &joe, peer_v4());
    stage.wait_until(299.0);
    stage.ask(alice(), &joe, &crate::draft::refresh());
    stage.wait_until(301.0);
    assert_eq!(stage.send(alice(), &send(peer_v4(), b"x")), None);
}

#[test]
fn many_peers_are_permitted_by_one_request() {
    let mut stage = Stage::new();
    let both = [relayed_v4(), relayed_v6()];
    stage.allocated_as(alice(), &joe(), &allocate().additional(IPV6), &both);
    let peers = [peer_v4(), peer_v6(), at("1.1.1.1:1"), at("[::ffff:8.8.8.8]:1")];
    assert_eq!(stage.ask(alice(), &joe(), &permit(&peers)), [permitted()]);
    for peer in peers {
        let datagram = send(peer, b"x");
        let sent = stage.send(alice(), &datagram).unwrap();
        assert_eq!(sent.peer, SocketAddr::new(peer.ip().to_canonical(), peer.port()));
    }
}

#[test]
fn a_request_without_a_readable_peer_is_a_bad_one() {
    let mut stage = Stage::new();
    stage.allocated(alice(), &joe());
    let empty = Draft::new(CREATE_PERMISSION);
    for draft in [
        empty.clone(),
        empty.again().raw(0x0012, &[]),
        empty.again().raw(0x0012, &[0, 1, 0, 0]),
        empty.again().raw(0x0012, &[0, 9, 0, 0, 1, 2, 3, 4]),
        empty.again().raw(0x0012, &[0, 1, 0, 0, 1, 2, 3, 4, 5]),
        permit(&[peer_v4()]).raw(0x0012, &[0, 2, 0, 0, 1, 2, 3, 4]),
    ] {
        assert_eq!(stage.ask(alice(), &joe(), &draft), [refused_with(400)]);
    }
    assert_eq!(stage.send(alice(), &send(peer_v4(), b"x")), None);
}

#[test]
fn a_peer_of_a_family_that_is_not_relayed_is_a_mismatch() {
    let mut stage = Stage::new();
    stage.allocated(alice(), &joe());
    assert_eq!(stage.ask(alice(), &joe(), &permit(&[peer_v6()])), [refused_with(443)]);
    assert_eq!(
        stage.ask(alice(), &joe(), &bind(0x4000, peer_v6())),
        [refused(alice(), CHANNEL_BIND, 443)]
    );
    stage.allocated_as(carol(), &joe(), &allocate_tcp(), &[relayed_v4()]);
    assert_eq!(stage.ask(carol(), &joe(), &connect(peer_v6())), [refused(carol(), CONNECT, 443)]);
}

#[test]
fn permissions_are_bounded_and_those_that_are_over_make_room() {
    let mut stage = Stage::new();
    let joe = joe();
    stage.allocated(alice(), &joe);
    let peers = |third: u8, count: u16| -> Vec<_> {
        (0..count).map(|number| at(&format!("5.6.{third}.{number}:1"))).collect()
    };
    assert_eq!(stage.ask(alice(), &joe, &permit(&peers(1, 256))), [permitted()]);
    assert_eq!(stage.ask(alice(), &joe, &permit(&peers(1, 256))), [permitted()], "the same again");
    assert_eq!(stage.ask(alice(), &joe, &permit(&peers(2, 1))), [refused_with(508)]);
    stage.set_clock(301.0);
    assert_eq!(stage.ask(alice(), &joe, &permit(&peers(2, 256))), [permitted()]);
}

#[test]
fn the_list_of_the_policy_is_what_the_tests_believe() {
    assert!(settings().policy.allow.is_empty());
    for peer in PROTECTED.map(at) {
        assert!(settings().policy.judge(peer, |_| false).is_err(), "{peer}");
    }
}
