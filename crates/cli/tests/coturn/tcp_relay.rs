//! RFC 6062: a relay for TCP, with connections that the server opens (`-T`) and accepts (`-P`).

use std::time::Duration;

use crate::server::Server;
use crate::uclient::{Uclient, all};

#[test]
fn clients_connect_to_each_other() {
    let server = Server::start();
    let runs = [
        ("127.0.0.1", "-T"),
        ("::1", "-T"),
        ("127.0.0.1", "-T -x"),
        ("::1", "-T -x"),
        ("127.0.0.1", "-T -S"),
        ("::1", "-T -S -x"),
        ("127.0.0.1", "-T -l 1400"),
        // Each connects to all that came after it.
        ("127.0.0.1", "-T -m 6"),
        ("127.0.0.1", "-T -S -m 6"),
    ];
    all(runs.map(|(address, options)| Uclient::to(&server, address, options)), |it| it.delivered());
}

/// What a client says under `-v` when it takes a connection that the server has told it of.
const TAKEN: &str = "connection bind sent";

/// Half of the clients are bare sockets that connect to the relay addresses of the other half.
/// They send and are sent to, but do not count what they receive, because it is no TURN message.
#[test]
fn peers_connect_to_clients() {
    let server = Server::start();
    let runs = [
        ("127.0.0.1", "-P -v"),
        ("127.0.0.1", "-P -v -m 4"),
        ("::1", "-P -v -x"),
        ("::1", "-P -v -x -m 4"),
    ];
    all(runs.map(|(address, options)| Uclient::to(&server, address, options)), |outcome| {
        outcome.half()?;
        if outcome.text.contains(TAKEN) { Ok(()) } else { Err(outcome.wrong("no connection")) }
    });
}

/// `-I`: peers connect to relay addresses that have no permission for them. The client would wait
/// half a minute for connections that it is not told of.
#[test]
fn a_peer_without_permission_is_not_let_in() {
    let server = Server::start();
    let outcome =
        Uclient::to(&server, "127.0.0.1", "-P -I -v").run_until_silent_for(Duration::from_secs(2));
    assert!(outcome.text.contains("Total connect time"), "{}", outcome.wrong("no connection"));
    assert!(!outcome.text.contains(TAKEN), "{}", outcome.wrong("somebody got in"));
}

/// `-N`: the client answers an attempt with a number that it has made up, and would then wait for
/// data without end.
#[test]
fn a_connection_that_nobody_attempted_is_not_given_away() {
    let server = Server::start();
    let outcome = Uclient::to(&server, "127.0.0.1", "-T -N")
        .run_until(|line| line.contains("connection bind error 400 ("));
    assert!(!outcome.has_ended(), "{}", outcome.wrong("no 400"));
}

/// The probe and the first client have the only two ports.
#[test]
fn no_two_allocations_listen_on_the_same_port() {
    let server = Server::with(|it| it.relay_ports = 2);
    Uclient::to(&server, "127.0.0.1", "-T").run().refused(508).unwrap();
}

/// Which the client is told, but does not tell.
#[test]
fn relays_do_not_connect_to_each_other_unless_allowed() {
    let server = Server::with(|it| it.allow_peers = vec![]);
    let outcome =
        Uclient::to(&server, "127.0.0.1", "-T -v").run_until_silent_for(Duration::from_secs(2));
    assert!(outcome.text.contains("tcp connect sent"), "{}", outcome.wrong("no Connect"));
    assert!(!outcome.text.contains(TAKEN), "{}", outcome.wrong("a connection"));
}
