//! What a client with good credentials may not do all the same.

use crate::draft;
use crate::peer::Peer;
use crate::server::Server;
use crate::uclient::{Uclient, all};

const V4: &str = "127.0.0.1";
const V6: &str = "::1";

#[test]
fn peers_that_are_not_on_the_internet_get_403() {
    let (server, peer) = (Server::with(|it| it.allow_peers = vec![]), Peer::start());
    let peers = [
        "0.0.0.1",
        "10.0.0.1",
        "100.64.0.1",
        "127.8.9.10",
        "169.254.169.254",
        "172.16.0.1",
        "192.168.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "64:ff9b::10.0.0.1",
        "2002:a00:1::1",
        "fc00::1",
        "fe80::1",
        "ff02::1",
    ];
    let of_one_family = peers
        .into_iter()
        .flat_map(|it| ["", "-t -s"].map(|mode| Uclient::to(&server, V4, mode).echo(&peer, it)));
    // An allocation for IPv6 alone has no way to a peer with IPv4, however it is written.
    let translator = draft::translator(&server, V4);
    let mapped =
        ["", "-s"].map(|it| draft::dual(&translator, V4, it).echo(&peer, "::ffff:10.0.0.1"));
    // Relays may reach each other, and here they are on loopback: the permission is given, for
    // their ports, but not the channel for another one.
    let loopback = [V4, V6].map(|it| Uclient::to(&server, V4, "").echo(&peer, it));
    let mapped_loopback = draft::dual(&translator, V4, "").echo(&peer, "::ffff:127.0.0.1");
    let of_both = mapped.into_iter().chain(loopback).chain([mapped_loopback]);
    all(of_one_family.chain(of_both), |it| it.refused(403));
}

#[test]
fn a_permission_for_relays_does_not_reach_other_ports() {
    let (server, peer) = (Server::with(|it| it.allow_peers = vec![]), Peer::start());
    let echo = [V4, V6].map(|it| Uclient::to(&server, V4, "-s").echo(&peer, it));
    all(echo, |it| it.arrived(0));
    let relays = ["-y -s", "-y"].map(|it| Uclient::to(&server, V4, it));
    all(relays, |it| it.delivered());
}

#[test]
fn peers_that_are_denied_get_403_although_they_are_allowed() {
    let (server, peer) = (Server::with(|it| it.deny_peers = vec!["127.0.0.0/8"]), Peer::start());
    let runs = ["", "-s", "-t", "-t -S", "-y", "-T", "-P"];
    all(runs.map(|it| Uclient::to(&server, V4, it).echo(&peer, V4)), |it| it.refused(403));
    Uclient::to(&server, V4, "").echo(&peer, V6).run().delivered().unwrap();
}

#[test]
fn a_listener_of_the_server_is_no_peer() {
    let server = Server::start();
    let options = format!("-e {V4} -r {}", server.port);
    Uclient::to(&server, V4, &options).run().refused(403).unwrap();
}

#[test]
fn a_family_that_is_not_there_gets_440() {
    let (server, peer) = (Server::with(|it| it.relay_addresses = vec![V4]), Peer::start());
    let runs = ["", "-t", "-t -S"].map(|it| Uclient::to(&server, V4, it).echo(&peer, V6));
    all(runs, |it| it.refused(440));
    let other = Uclient::to(&server, V4, "").echo(&peer, V4);
    other.run().delivered().unwrap();
}

#[test]
fn a_user_with_too_many_allocations_gets_486() {
    let (server, peer) = (Server::with(|it| it.allocations_per_user = 2), Peer::start());
    // A probe, then a pair of clients.
    Uclient::to(&server, V4, "").echo(&peer, V4).run().refused(486).unwrap();
}

#[test]
fn relay_ports_that_are_all_taken_give_508() {
    let (server, peer) = (Server::with(|it| it.relay_ports = 2), Peer::start());
    // The probe and the first client use up the only pair.
    Uclient::to(&server, V4, "").echo(&peer, V4).run().refused(508).unwrap();
}

/// `-N` binds a channel of any number twice, the second time with another number.
#[test]
fn a_peer_with_two_channels_gives_400() {
    let (server, peer) = (Server::start(), Peer::start());
    let runs = ["-N", "-N -t", "-N -t -S"].map(|it| Uclient::to(&server, V4, it).echo(&peer, V4));
    all(runs, |it| it.refused(400));
}

/// `-g` wants datagrams that are not fragmented, which a server must refuse if it cannot see to
/// that.
#[test]
fn dont_fragment_gives_420() {
    let (server, peer) = (Server::start(), Peer::start());
    let runs = ["-g", "-g -s", "-g -t"].map(|it| Uclient::to(&server, V4, it).echo(&peer, V4));
    all(runs, |it| it.refused(420));
}

/// `-I` leaves permissions out, and an indication does not make any.
#[test]
fn no_data_passes_without_a_permission() {
    let (server, peer) = (Server::start(), Peer::start());
    let runs = ["-I -s", "-I -s -t", "-I -s -t -S"];
    let echo = runs.map(|it| Uclient::to(&server, V4, it).echo(&peer, V4));
    let each_other = Uclient::to(&server, V4, "-I -s -y");
    all(echo.into_iter().chain([each_other]), |it| it.arrived(0));
}

/// `-U` wants a cipher that does not encrypt, and cannot want that of TLS 1.3.
#[test]
fn nothing_is_sent_in_the_clear_over_tls() {
    let (server, peer) = (Server::start(), Peer::start());
    let outcome = Uclient::to(&server, V4, "-t -U").echo(&peer, V4).run();
    let ciphers = || outcome.text.lines().filter_map(|it| it.split("connected with ").nth(1));
    let is_encrypted = ciphers().all(|it| it.starts_with("cipher TLS_AES_"));
    assert!(is_encrypted, "{}", outcome.wrong("it does not encrypt"));
    // By chance it may have tried TLS 1.2 only.
    if ciphers().next().is_none() {
        outcome.gave_up().unwrap();
    }
}

/// `-E` makes the client check the certificate, if it has one of its own.
#[test]
fn the_certificate_is_the_one_of_the_settings() {
    let (server, other, peer) = (Server::start(), Server::start(), Peer::start());
    let with = |trusted: &Server| {
        let (own, trusted) = (server.folder.display(), trusted.folder.display());
        let options = format!("-t -S -i {own}/cert.pem -k {own}/key.pem -E {trusted}/cert.pem");
        Uclient::to(&server, V4, &options).echo(&peer, V4).run()
    };
    with(&server).delivered().unwrap();
    with(&other).gave_up().unwrap();
}

/// The client goes where ALTERNATE-SERVER says, if the answer is signed.
#[test]
fn a_draining_server_sends_clients_to_another_one() {
    let (other, peer) = (Server::start(), Peer::start());
    let server = Server::with(|it| it.alternate_servers = vec![format!("{V4}:{}", other.port)]);
    let before = Uclient::to(&server, V4, "").echo(&peer, V4).run();
    before.delivered().unwrap();
    assert!(!before.text.contains("error 300"), "{}", before.wrong("it drains already"));
    server.drain();
    let runs = ["", "-t"].map(|it| Uclient::to(&server, V4, it).echo(&peer, V4));
    all(runs, |outcome| {
        outcome.delivered()?;
        if outcome.text.contains("error 300 (") { Ok(()) } else { Err(outcome.wrong("no 300")) }
    });
}
