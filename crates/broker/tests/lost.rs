//! Sessions whose transport broke: what waits for their client, and for how long.

mod support;

use peerway_broker::HangupReason::{Dead, Departed, SlowReader, Superseded};
use peerway_broker::{Happening, Settings};
use peerway_protocol::Event::Opened;
use peerway_protocol::{Refusal, RoomRequest};
use std::time::Duration;
use support::hall::{Hall, data, joined, left, said};
use support::*;

#[test]
fn a_lost_session_still_is_told_what_is_said_to_its_peer() {
    let mut stage = Stage::new();
    stage.enter(1, "alice");

    assert_eq!(stage.lose(1), []);
    assert_eq!(stage.reports, [Happening::SessionLost(app())]);
    assert_eq!(stage.arrive(envelope("bob", "alice", offer(1))), [tell(1, heard("bob", offer(1)))]);
    assert_eq!(stage.due(), Some(30_000));
}

#[test]
fn who_comes_back_with_the_same_token_opens_again_and_gets_what_waited() {
    let mut stage = Stage::new();
    stage.enter(1, "alice");
    stage.lose(1);
    stage.set_clock(29_000);

    let commands = stage.open(2, "alice", "alice");

    assert_eq!(commands, [tell(2, Opened), handover(1, 2), hangup(1, Superseded)]);
    assert_eq!(stage.reports, [Happening::PeerResumed(app())]);
    assert_eq!(stage.due(), None, "nothing of the loss is left");
    assert_eq!(stage.wait_until(60_000), []);
    assert_eq!(stage.close(2), [release("alice")]);
    assert!(stage.broker.is_idle());
}

#[test]
fn who_does_not_come_back_departs_when_the_grace_is_over() {
    let mut stage = Stage::new();
    stage.enter(1, "alice");
    stage.lose(1);

    assert_eq!(stage.wait_until(29_999), []);
    assert_eq!(stage.wait_until(30_000), [release("alice"), hangup(1, Dead)]);
    assert!(stage.broker.is_idle());
}

#[test]
fn another_token_gets_the_id_of_a_lost_session_at_once() {
    // Probing is on, and not done: nobody is there to answer.
    let mut stage = Stage::with(Settings { probe_timeout: Duration::from_secs(2), ..settings() });
    stage.enter(1, "alice");
    stage.lose(1);

    let commands = stage.open(2, "alice", "other");

    assert_eq!(commands, [release("alice"), hangup(1, Dead), claim(2, "alice", "other")]);
    assert_eq!(stage.claimed(2), [tell(2, Opened)]);
    assert_eq!(stage.close(2), [release("alice")]);
    assert!(stage.broker.is_idle());
}

#[test]
fn a_newcomer_that_waits_for_a_probe_is_let_in_when_the_holder_is_lost() {
    let mut stage = Stage::with(Settings { probe_timeout: Duration::from_secs(2), ..settings() });
    stage.enter(1, "alice");
    stage.open(2, "alice", "other");

    assert_eq!(stage.lose(1), [release("alice"), claim(2, "alice", "other"), hangup(1, Dead)]);
    assert_eq!(stage.claimed(2), [tell(2, Opened)]);
}

#[test]
fn without_a_grace_a_loss_is_a_close() {
    let mut stage = Stage::with(Settings { session_grace: Duration::ZERO, ..settings() });
    stage.enter(1, "alice");

    assert_eq!(stage.lose(1), [release("alice"), hangup(1, Dead)]);
    assert!(stage.broker.is_idle());
}

#[test]
fn a_session_that_never_became_a_peer_is_not_waited_for() {
    let mut stage = Stage::new();
    stage.open(1, "alice", "t");

    assert_eq!(stage.lose(1), [hangup(1, Dead)]);
    assert_eq!(stage.claimed(1), [release("alice")]);
    assert!(stage.broker.is_idle());
}

#[test]
fn a_lost_socket_with_a_stream_beside_it_is_waited_for_by_nobody() {
    let mut stage = Stage::new();
    stage.enter(1, "alice");
    stage.open_stream(2, "alice", "alice");

    assert_eq!(stage.lose(1), [hangup(2, Departed), release("alice"), hangup(1, Dead)]);
    assert!(stage.broker.is_idle());
}

#[test]
fn a_lost_session_that_says_goodbye_after_all_is_closed() {
    let mut stage = Stage::new();
    stage.enter(1, "alice");
    stage.lose(1);

    assert_eq!(stage.lose(1), [], "lost twice is lost once");
    assert_eq!(stage.close(1), [release("alice")]);
    assert!(stage.broker.is_idle());
}

#[test]
fn a_full_outbox_ends_a_lost_session() {
    let mut stage = Stage::new();
    stage.enter(1, "alice");
    stage.lose(1);

    let commands = stage.overflow(1, heard("bob", offer(1)));

    assert_eq!(
        commands,
        [forward("alice", "bob", leave()), release("alice"), hangup(1, SlowReader)]
    );
    assert!(stage.broker.is_idle());
}

#[test]
fn a_lost_session_taken_over_on_another_node_is_forgotten() {
    let mut stage = Stage::new();
    stage.enter(1, "alice");
    stage.lose(1);

    assert_eq!(stage.gone("alice"), [hangup(1, Superseded)]);
    assert!(stage.broker.is_idle());
}

#[test]
fn rooms_are_kept_over_a_loss_and_nobody_hears_of_it() {
    let mut hall = Hall::of(&["alice", "bob"]);
    hall.join(1, "r");
    hall.join(2, "r");

    assert_eq!(hall.lose(1), []);
    let waits = (1, said("r", "bob", data(7)));
    assert_eq!(hall.ask(2, "r", RoomRequest::Send(data(7))), [waits]);
    assert_eq!(hall.open(3, "alice", "alice"), [(3, Opened)]);
    let hears = (3, said("r", "bob", data(8)));
    assert_eq!(hall.ask(2, "r", RoomRequest::Send(data(8))), [hears]);
    let hears = (2, said("r", "alice", data(9)));
    assert_eq!(hall.ask(3, "r", RoomRequest::Send(data(9))), [hears]);
}

#[test]
fn rooms_are_left_when_the_grace_is_over() {
    let mut hall = Hall::of(&["alice", "bob"]);
    hall.join(1, "r");
    hall.join(2, "r");
    hall.lose(1);

    assert_eq!(hall.wait_until(30_000), [(2, left("r", "alice"))]);
}

#[test]
fn who_takes_a_lost_id_over_is_in_none_of_its_rooms() {
    let mut hall = Hall::of(&["alice", "bob"]);
    hall.join(1, "r");
    hall.join(2, "r");
    hall.lose(1);

    let told = hall.open(3, "alice", "other");

    assert_eq!(told, [(3, Opened), (2, left("r", "alice"))]);
    let refused = peerway_protocol::Event::Refused(Refusal::NotInRoom(support::hall::name("r")));
    assert_eq!(hall.ask(3, "r", RoomRequest::Log), [(3, refused)]);
    let both = joined("r", "alice", &["bob", "alice"]);
    assert_eq!(hall.join(3, "r"), [(2, both.clone()), (3, both)]);
}
