//! LEAVE on behalf of peers that left, where an app wants it: late enough for a reload, once,
//! and never kept for anybody.

mod support;

use std::time::Duration;

use peerway_broker::HangupReason::Superseded;
use peerway_broker::{AppPolicy, Settings};
use support::*;

#[test]
fn the_peers_it_talked_to_are_told_some_time_after_it_left() {
    let mut stage = Stage::with(leaving());
    stage.enter(1, "alice");
    stage.send(1, "bob", offer(1));
    stage.send(1, "bob", candidate(2));
    stage.arrive(envelope("carol", "alice", offer(3)));
    stage.arrive(envelope("bob", "alice", offer(4)));

    assert_eq!(stage.close(1), [release("alice")]);
    assert_eq!(stage.due(), Some(2000));
    assert_eq!(stage.wait_until(1999), []);
    assert_eq!(
        stage.wait_until(2000),
        [forward("alice", "bob", leave()), forward("alice", "carol", leave())]
    );
    assert!(stage.broker.is_idle());
}

#[test]
fn without_the_option_nobody_is_told() {
    let mut stage = Stage::new();
    stage.enter(1, "alice");
    stage.send(1, "bob", offer(1));

    stage.close(1);

    assert!(stage.broker.is_idle());
}

#[test]
fn a_peer_that_talked_to_nobody_is_not_remembered() {
    let mut stage = Stage::with(leaving());
    stage.enter(1, "alice");

    stage.close(1);

    assert!(stage.broker.is_idle());
}

#[test]
fn a_leave_that_finds_nobody_is_dropped() {
    let mut stage = Stage::with(leaving());
    stage.enter(1, "alice");
    stage.send(1, "bob", offer(1));
    stage.close(1);
    stage.wait_until(2000);

    assert_eq!(stage.undeliverable(envelope("alice", "bob", leave())), []);
    assert!(stage.broker.is_idle());
}

#[test]
fn a_peer_that_comes_back_in_time_has_not_left() {
    let mut stage = Stage::with(leaving());
    stage.enter(1, "alice");
    stage.send(1, "bob", offer(1));
    stage.close(1);
    stage.set_clock(1500);

    stage.enter(2, "alice");

    assert_eq!(stage.wait_until(10_000), []);
    stage.close(2);
    assert_eq!(
        stage.wait_until(12_000),
        [forward("alice", "bob", leave())],
        "it remembers whom it talked to"
    );
}

#[test]
fn somebody_else_under_the_same_id_makes_the_leave_due_at_once() {
    let mut stage = Stage::with(leaving());
    stage.enter(1, "alice");
    stage.send(1, "bob", offer(1));
    stage.close(1);
    stage.open(2, "alice", "other");

    assert_eq!(
        stage.claimed(2),
        [forward("alice", "bob", leave()), tell(2, peerway_protocol::Event::Opened)]
    );
    stage.close(2);
    assert!(stage.broker.is_idle(), "the other one talked to nobody");
}

#[test]
fn a_peer_that_may_resume_has_not_left_before_its_grace_is_over() {
    let mut stage = Stage::with(leaving());
    stage.enter(1, "alice");
    stage.send(1, "bob", offer(1));

    stage.close_resumable(1);

    assert_eq!(stage.wait_until(2999), []);
    assert_eq!(stage.wait_until(3000), [forward("alice", "bob", leave())]);
}

#[test]
fn a_session_change_is_not_a_departure() {
    let mut stage = Stage::with(leaving());
    stage.enter(1, "alice");
    stage.send(1, "bob", offer(1));
    stage.open(2, "alice", "alice");

    stage.close(1);

    assert_eq!(stage.due(), None);
    stage.close(2);
    assert_eq!(stage.wait_until(2000), [forward("alice", "bob", leave())]);
}

#[test]
fn a_peer_taken_over_on_another_node_has_not_left() {
    let mut stage = Stage::with(leaving());
    stage.enter(1, "alice");
    stage.send(1, "bob", offer(1));

    assert_eq!(stage.gone("alice"), [hangup(1, Superseded)]);
    assert!(stage.broker.is_idle());
}

#[test]
fn a_peer_with_many_contacts_remembers_the_first_ones() {
    let mut stage = Stage::with(Settings { contacts_per_peer: 2, ..leaving() });
    stage.enter(1, "alice");
    for to in ["zoe", "bob", "carol", "zoe"] {
        stage.send(1, to, offer(1));
    }
    stage.close(1);

    assert_eq!(
        stage.wait_until(2000),
        [forward("alice", "bob", leave()), forward("alice", "zoe", leave())]
    );
}

#[test]
fn the_departure_due_first_is_told_early_when_there_is_no_room() {
    let mut stage = Stage::with(Settings { remembered_departures: 2, ..leaving() });
    for (session, id) in [(1, "alice"), (2, "bob"), (3, "carol")] {
        stage.enter(session, id);
        stage.send(session, "zoe", offer(1));
    }
    stage.close(1);
    stage.set_clock(1);
    stage.close(2);

    assert_eq!(stage.close(3), [release("carol"), forward("alice", "zoe", leave())]);
    assert_eq!(
        stage.wait_until(2001),
        [forward("bob", "zoe", leave()), forward("carol", "zoe", leave())]
    );
    assert!(stage.broker.is_idle());
}

#[test]
fn without_room_for_departures_each_is_told_at_once() {
    let mut stage = Stage::with(Settings { remembered_departures: 0, ..leaving() });
    stage.enter(1, "alice");
    stage.send(1, "bob", offer(1));

    assert_eq!(stage.close(1), [release("alice"), forward("alice", "bob", leave())]);
    assert!(stage.broker.is_idle());
}

#[test]
fn an_app_of_its_own_has_an_option_of_its_own() {
    let mut apps = std::collections::BTreeMap::new();
    apps.insert(app(), AppPolicy { leave_after: None, ..settings().other_apps });
    let mut stage = Stage::with(Settings { apps, ..leaving() });
    stage.enter(1, "alice");
    stage.send(1, "bob", offer(1));

    stage.close(1);

    assert!(stage.broker.is_idle());
}

/// LEAVE two seconds after a peer has gone.
fn leaving() -> Settings {
    let leave_after = Some(Duration::from_secs(2));
    Settings { other_apps: AppPolicy { leave_after, ..settings().other_apps }, ..settings() }
}
