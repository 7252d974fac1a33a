//! How clients go: by themselves, with their connection, with the server.

use peerway_turn::{ClientId, CloseReason, Command, OpenError, Opened, RelayId, Report};
use turn_types::AddressFamily::IPV6;

use crate::draft::{Login, allocate, binding, release, send};
use crate::stage::{Done, Stage, alice, carol, peer_v4, relayed_v4, relayed_v6, tcp, udp};

fn joe() -> Login {
    Login::new("joe", "pw")
}

fn reasons(stage: &Stage) -> Vec<CloseReason> {
    let reason = |report: &Report| match report {
        Report::Closed { reason, .. } => Some(*reason),
        _ => None,
    };
    stage.reports.iter().filter_map(reason).collect()
}

#[test]
fn the_end_of_a_stream_is_the_end_of_its_client() {
    let mut stage = Stage::new();
    let relays = [relayed_v4(), relayed_v6()];
    let relays = stage.allocated_as(carol(), &joe(), &allocate().additional(IPV6), &relays);
    let closed: Vec<_> = relays.into_iter().map(Done::Close).collect();
    assert_eq!(stage.disconnect(carol()), closed);
    assert_eq!(reasons(&stage), [CloseReason::Disconnected]);
    assert_eq!(stage.disconnect(carol()), [], "once");
    assert_eq!(stage.disconnect(alice()), [], "never was one");
    assert!(stage.server.is_empty());
    stage.allocated(carol(), &joe());
}

#[test]
fn the_server_ends_all_clients_when_it_stops() {
    let mut stage = Stage::new();
    for client in [alice(), carol(), udp("198.51.100.7:2")] {
        stage.allocated(client, &joe());
    }
    stage.ask(tcp("198.51.100.7:3"), &joe(), &allocate());
    let mut done = stage.stop();
    done.sort_by_key(|done| format!("{done:?}"));
    assert_eq!(done, [0, 1, 2].map(|relay| Done::Close(RelayId(relay))));
    assert_eq!(reasons(&stage), [CloseReason::Stopped; 3]);
    assert!(stage.server.is_empty());
    assert_eq!(stage.stop(), []);
    assert_eq!(stage.wait_until(10.0), []);
    assert_eq!(stage.server.poll_timeout(), None);
}

#[test]
fn a_client_that_leaves_before_its_sockets_come_has_none() {
    let mut stage = Stage::new();
    stage.ask(carol(), &joe(), &allocate());
    assert_eq!(stage.disconnect(carol()), []);
    assert!(stage.reports.is_empty(), "it never had an allocation");
    assert_eq!(stage.opened(&[Ok(relayed_v4())], None), []);
    assert_eq!(stage.relays, [None], "the driver closes what it opened");
    assert!(stage.server.is_empty());
}

#[test]
fn sockets_are_given_once() {
    let mut stage = Stage::new();
    stage.allocated(alice(), &joe());
    let again = Opened { relays: vec![Ok(relayed_v4()), Err(OpenError::Family)], token: None };
    let now = stage.now();
    assert_eq!(stage.server.handle_opened(ClientId(0), again, now), [None, None]);
    assert_eq!(stage.drain(), []);
    assert_eq!(stage.server.len(), 1);
}

#[test]
fn sockets_that_are_opened_and_closed_in_one_batch_are_not_mixed_up() {
    let mut stage = Stage::new();
    let old = stage.allocated(alice(), &joe());
    let newcomer = udp("198.51.100.8:1");
    let (hers, theirs) = (stage.nonce(alice()), stage.nonce(newcomer));
    // The driver reads many datagrams before it asks what is to be done.
    let now = stage.now();
    stage.server.handle_client(&newcomer, &allocate().signed(&joe(), &theirs), now);
    stage.server.handle_client(&alice(), &release().signed(&joe(), &hers), now);

    let (mut opened, mut closed) = (Vec::new(), Vec::new());
    while let Some(command) = stage.server.next_command() {
        match command {
            Command::Open { client, .. } => {
                let sockets = Opened { relays: vec![Ok(relayed_v4())], token: None };
                opened.extend(stage.server.handle_opened(client, sockets, now));
            }
            Command::Close(relay) => closed.push(relay),
            _ => {}
        }
    }
    assert_eq!(closed, [old]);
    assert!(matches!(opened[..], [Some(relay)] if relay != old), "its socket would be closed");
}

#[test]
fn the_id_of_a_socket_that_is_closed_is_given_again() {
    let mut stage = Stage::new();
    let first = stage.allocated(alice(), &joe());
    stage.ask(alice(), &joe(), &release());
    assert_eq!(stage.allocated(alice(), &joe()), first);
}

#[test]
fn closed_relays_relay_nothing() {
    let mut stage = Stage::new();
    let relay = stage.permitted(alice(), &joe(), peer_v4());
    stage.ask(alice(), &joe(), &release());
    assert_eq!(stage.receive(relay, peer_v4(), b"x"), None);
    assert_eq!(stage.send(alice(), &send(peer_v4(), b"x")), None);
}

#[test]
fn a_client_that_only_asked_for_its_address_is_not_remembered() {
    let mut stage = Stage::new();
    stage.try_ask(carol(), &binding());
    stage.try_ask(carol(), &allocate());
    assert!(stage.server.is_empty());
    assert_eq!(stage.disconnect(carol()), []);
    assert_eq!(stage.server.poll_timeout(), None);
}
