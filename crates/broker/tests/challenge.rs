//! Somebody wants an id that is open under another token.

mod support;

use std::time::Duration;

use peerway_broker::HangupReason::{Dead, Superseded};
use peerway_protocol::Event::{Opened, Probe, Resumed};
use peerway_protocol::Refusal;
use support::{Stage, claim, handover, hangup, release, settings, tell, turned_away};

fn stage() -> Stage {
    let mut stage = Stage::with(peerway_broker::Settings {
        probe_timeout: Duration::from_secs(2),
        ..settings()
    });
    stage.enter(1, "alice");
    stage
}

#[test]
fn the_holder_is_asked_before_a_newcomer_is_refused() {
    let mut stage = stage();

    assert_eq!(stage.open(2, "alice", "guess"), [tell(1, Probe)]);
    assert_eq!(stage.due(), Some(2000));
    assert_eq!(stage.alive(1), turned_away(2, Refusal::IdTaken));
    assert_eq!(stage.due(), None);
}

#[test]
fn a_holder_that_is_silent_makes_way() {
    let mut stage = stage();
    stage.open(2, "alice", "guess");

    assert_eq!(stage.wait_until(1999), []);
    assert_eq!(
        stage.wait_until(2000),
        [release("alice"), claim(2, "alice", "guess"), hangup(1, Dead)]
    );
    assert_eq!(stage.claimed(2), [tell(2, Opened)]);
}

#[test]
fn a_holder_that_leaves_meanwhile_makes_way_at_once() {
    let mut stage = stage();
    stage.open(2, "alice", "guess");

    assert_eq!(stage.close(1), [release("alice"), claim(2, "alice", "guess")]);
    assert_eq!(stage.due(), None);
}

#[test]
fn a_holder_that_comes_back_on_another_socket_is_alive() {
    let mut stage = stage();
    stage.open(2, "alice", "guess");

    let mut expected = turned_away(2, Refusal::IdTaken);
    expected.extend([tell(3, Opened), handover(1, 3), hangup(1, Superseded)]);
    assert_eq!(stage.open(3, "alice", "alice"), expected);
}

#[test]
fn a_newcomer_that_gives_up_is_forgotten() {
    let mut stage = stage();
    stage.open(2, "alice", "guess");

    assert_eq!(stage.close(2), []);
    assert_eq!(stage.due(), None);
    assert_eq!(stage.alive(1), []);
    stage.close(1);
    assert!(stage.broker.is_idle());
}

#[test]
fn one_newcomer_waits_and_others_are_refused() {
    let mut stage = stage();
    stage.open(2, "alice", "guess");

    assert_eq!(stage.open(3, "alice", "other"), turned_away(3, Refusal::IdTaken));
}

#[test]
fn the_stream_and_the_socket_of_one_newcomer_wait_together() {
    let mut stage = stage();
    stage.open_stream(2, "alice", "guess");
    assert_eq!(stage.open(3, "alice", "guess"), []);

    assert_eq!(
        stage.close(1),
        [release("alice"), claim(2, "alice", "guess"), claim(3, "alice", "guess")]
    );
    assert_eq!(stage.claimed(2), [tell(2, Opened)]);
    assert_eq!(stage.claimed(3), [tell(3, Resumed), handover(2, 3), hangup(2, Superseded)]);
}

#[test]
fn both_sessions_of_a_newcomer_are_refused_when_the_holder_answers() {
    let mut stage = stage();
    stage.open_stream(2, "alice", "guess");
    stage.open(3, "alice", "guess");

    let mut expected = turned_away(2, Refusal::IdTaken);
    expected.extend(turned_away(3, Refusal::IdTaken));
    assert_eq!(stage.alive(1), expected);
    stage.close(1);
    assert!(stage.broker.is_idle());
}

#[test]
fn a_stream_beside_the_silent_socket_keeps_the_id() {
    let mut stage = stage();
    assert_eq!(stage.open_stream(3, "alice", "alice"), [tell(3, Resumed)]);
    stage.open(2, "alice", "guess");

    let mut expected = vec![handover(1, 3), hangup(1, Dead)];
    expected.extend(turned_away(2, Refusal::IdTaken));
    assert_eq!(stage.wait_until(2000), expected);
}

#[test]
fn a_stream_cannot_be_asked_so_its_newcomer_is_refused() {
    let mut stage = stage();
    stage.open_stream(4, "bob", "bob");
    stage.claimed(4);

    assert_eq!(stage.open(5, "bob", "guess"), turned_away(5, Refusal::IdTaken));
}

#[test]
fn a_newcomer_is_refused_when_the_id_moves_to_another_node() {
    let mut stage = stage();
    stage.open(2, "alice", "guess");

    let mut expected = vec![hangup(1, Superseded)];
    expected.extend(turned_away(2, Refusal::IdTaken));
    assert_eq!(stage.gone("alice"), expected);
}
