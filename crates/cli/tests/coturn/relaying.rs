//! Data through the relay over UDP: all transports of the control connection, both families on
//! both sides, channels and indications.

use crate::draft;
use crate::peer::Peer;
use crate::server::Server;
use crate::uclient::{Outcome, Uclient, all};

const V4: &str = "127.0.0.1";
const V6: &str = "::1";

/// Control connection and relay.
const FAMILIES: [(&str, &str); 4] = [(V4, V4), (V4, V6), (V6, V4), (V6, V6)];

/// Without `-c` every second client is for RTCP: the first of a pair asks for an even port and the
/// reservation of the next one, the second takes what was reserved.
#[test]
fn an_echo_peer_is_reached_over_every_transport() {
    let (server, peer) = (Server::start(), Peer::start());
    let modes = ["", "-s", "-c", "-c -s", "-t", "-t -s", "-t -S", "-t -S -s"];
    let runs = FAMILIES.iter().flat_map(|(control, relay)| {
        modes.iter().map(|it| Uclient::to(&server, control, it).echo(&peer, relay))
    });
    all(runs, |it| it.delivered());
}

/// `-x` asks for a relay with IPv6, `-X` for one with IPv4, and without them a server gives IPv4.
#[test]
fn clients_reach_each_other_over_every_transport() {
    let server = Server::start();
    let modes = ["", "-s", "-c", "-t", "-t -s", "-t -S", "-t -S -s"];
    let runs = [V4, V6].into_iter().flat_map(|control| {
        ["", "-x", "-X"].into_iter().flat_map(|family| {
            modes.map(|it| Uclient::to(&server, control, &format!("-y {family} {it}")))
        })
    });
    all(runs, |it| it.delivered());
}

/// `-Z` goes with EVEN-PORT or without, and refreshes one of the two families, the other, or both,
/// as it likes.
#[test]
fn an_allocation_can_have_both_families() {
    let (server, peer) = (Server::start(), Peer::start());
    let translators = [V4, V6].map(|it| (it, draft::translator(&server, it)));
    let runs = translators.iter().flat_map(|(control, translator)| {
        let echo = [V4, V6].into_iter().flat_map(|relay| {
            let modes = ["-v", "-v -s", "-v -G"].map(|it| draft::dual(translator, control, it));
            modes.map(|it| it.echo(&peer, relay))
        });
        let modes = ["-v -y", "-v -y -x", "-v -y -s", "-v -y -s -x"];
        echo.chain(modes.map(|it| draft::dual(translator, control, it)))
    });
    all(runs, |outcome| {
        outcome.delivered()?;
        // The client reads the addresses up to the one that it wants, and the first is IPv4.
        let relays = values(&outcome, "Received relay addr: ");
        let wants_v6 = relays.clone().any(|it| it.starts_with(V6));
        let has_v4 = relays.clone().any(|it| it.starts_with(V4));
        if has_v4 || !wants_v6 { Ok(()) } else { Err(outcome.wrong("it has no IPv4 relay")) }
    });
}

#[test]
fn rtp_and_rtcp_get_an_even_port_and_the_next_one() {
    let (server, peer) = (Server::start(), Peer::start());
    let runs = FAMILIES
        .map(|(control, relay)| Uclient::to(&server, control, "-v -m 2").echo(&peer, relay));
    all(runs, |outcome| {
        outcome.delivered()?;
        // The probe asks for a pair, the first client takes what the probe has reserved, and the
        // second asks for a pair again; the token of the last one stays unused.
        let ports: Vec<u16> = values(&outcome, "Received relay addr: ")
            .map(|it| it.rsplit(':').next().unwrap().parse().unwrap())
            .collect();
        let [probe, first, second] = ports[..] else {
            return Err(outcome.wrong("it does not have three relay addresses"));
        };
        if probe % 2 != 0 || first != probe + 1 || second % 2 != 0 {
            return Err(outcome.wrong("the ports are no pairs"));
        }
        let tokens: Vec<bool> = values(&outcome, "rtv=").map(|it| it != "0").collect();
        if tokens != [true, false, true] {
            return Err(outcome.wrong("the wrong answers have a RESERVATION-TOKEN"));
        }
        Ok(())
    });
}

#[test]
fn messages_of_any_size_keep_it() {
    let (server, peer) = (Server::start(), Peer::start());
    let runs = [
        // Channel data over TCP and TLS is padded to four bytes, over UDP it need not be.
        "-l 101",
        "-l 102 -t",
        "-l 103 -t -S",
        // The padding of pjnath, over UDP.
        "-l 101 -D",
        "-l 1399 -s",
        "-l 1401 -t -s",
        "-l 1400 -t -S -s",
        // Larger than a datagram on most networks, which arrives in fragments.
        "-l 8001",
        "-l 8001 -t",
        "-l 8001 -t -S",
    ];
    all(runs.map(|it| Uclient::to(&server, V4, it).echo(&peer, V4)), |it| it.delivered());
}

#[test]
fn many_clients_do_not_disturb_each_other() {
    let server = Server::start();
    let runs = ["-m 40 -y", "-m 40 -y -t", "-m 20 -y -t -S", "-m 40 -y -s -x"];
    all(runs.map(|it| Uclient::to(&server, V4, it)), |it| it.delivered());
}

/// A client at another address (`-L`), ORIGIN (`-o`) and BANDWIDTH (`-a`), which a server may
/// ignore, OAuth with a server that does not ask for it (`-J`), channels where no permission was
/// asked for (`-I`: the channel is one), and channels and permissions for strangers of both
/// families, which it does not mind to be refused (`-G`).
#[test]
fn additional_wishes_do_no_harm() {
    let (server, peer) = (Server::start(), Peer::start());
    let wishes =
        ["-L 127.0.0.9", "-o https://shop.example", "-a 100000", "-J", "-I", "-G", "-G -s"];
    let runs = wishes.into_iter().flat_map(|wish| {
        ["", "-t"].map(|it| Uclient::to(&server, V4, &format!("{wish} {it}")).echo(&peer, V4))
    });
    all(runs, |it| it.delivered());
}

/// `-M` asks for a ticket that lets the allocation follow the client to another address. RFC 8016
/// lets a server ignore that.
#[test]
fn nobody_gets_a_ticket_to_move() {
    let (server, peer) = (Server::start(), Peer::start());
    let runs = ["-M -v", "-M -v -t"].map(|it| Uclient::to(&server, V4, it).echo(&peer, V4));
    all(runs, |outcome| {
        outcome.delivered()?;
        let ticket = values(&outcome, "smid=").next();
        if ticket.is_none() { Ok(()) } else { Err(outcome.wrong("it has a ticket")) }
    });
}

/// What the client tells with this name under `-v`. Its first line comes twice.
fn values<'a>(outcome: &'a Outcome, name: &'a str) -> impl Iterator<Item = &'a str> + Clone {
    outcome.text.lines().filter_map(move |line| line.split(name).nth(1))
}
