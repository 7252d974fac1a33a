//! Clients that mean it badly. Whatever becomes of them, the server goes on serving others.

use std::time::Duration;

use crate::peer::Peer;
use crate::server::Server;
use crate::uclient::{Uclient, all};

const V4: &str = "127.0.0.1";

/// `-O`: clients by the hundred that leave in the middle of anything, without a word. What they
/// themselves see of it is a matter of chance.
#[test]
fn clients_that_come_and_go_in_masses_do_not_hurt() {
    let (server, peer) = (Server::with(|it| it.relay_ports = 2000), Peer::start());
    let modes = ["", "-t", "-t -S", "-y -c", "-y -c -t", "-y -c -t -S"];
    let runs = modes.into_iter().flat_map(|mode| {
        [1, 2].map(|_round| Uclient::to(&server, V4, &format!("-O -m 100 {mode}")).echo(&peer, V4))
    });
    all(runs, |it| if it.has_ended() { Ok(()) } else { Err(it.wrong("it hangs")) });
    assert_well(&server, &peer);
}

/// `-R`: one in ten of the client's messages has up to nine wrong bytes. It waits in vain for most
/// of the answers, so it is ended when it has nothing more to tell.
#[test]
fn requests_with_wrong_bytes_do_not_hurt() {
    let (server, peer) = (Server::start(), Peer::start());
    let modes = ["", "-s", "-Z", "-t", "-t -s", "-t -S", "-T", "-P"];
    std::thread::scope(|scope| {
        for mode in modes {
            let client = Uclient::to(&server, V4, &format!("-R -m 4 {mode}")).echo(&peer, V4);
            scope.spawn(move || client.run_until_silent_for(Duration::from_secs(2)));
        }
    });
    assert_well(&server, &peer);
}

/// `-B`: sockets are closed while data flows.
#[test]
fn nothing_stays_of_connections_that_break() {
    let (server, peer) = (Server::start(), Peer::start());
    let runs = ["-B -t", "-B -t -S", "-B -t -s"];
    let options = "-m 4 -z 1 -n 100";
    let runs = runs.map(|it| Uclient::to(&server, V4, &format!("{it} {options}")).echo(&peer, V4));
    all(runs, |it| if it.has_ended() { Ok(()) } else { Err(it.wrong("it hangs")) });
    server.until_no_allocations();
}

/// Over TCP and TLS an allocation ends with its connection, whatever the client has said.
#[test]
fn nothing_stays_of_clients_that_leave() {
    let (server, peer) = (Server::start(), Peer::start());
    let runs = ["-t", "-t -S", "-t -s", "-T"];
    all(runs.map(|it| Uclient::to(&server, V4, it).echo(&peer, V4)), |it| it.delivered());
    server.until_no_allocations();
}

fn assert_well(server: &Server, peer: &Peer) {
    let runs = ["", "-t", "-t -S"].map(|it| Uclient::to(server, V4, it).echo(peer, V4));
    all(runs.into_iter().chain([Uclient::to(server, V4, "-T")]), |it| it.delivered());
}
