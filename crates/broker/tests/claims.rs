//! What happens while the backplane has not answered yet: clients leave, others come, and the
//! address must end up with whoever is here, or free.

mod support;

use peerway_broker::HangupReason::Superseded;
use peerway_protocol::Event::{Opened, Resumed};
use peerway_protocol::{Refusal, Request};
use support::*;

#[test]
fn a_client_that_leaves_before_its_claim_is_granted_gives_the_address_back() {
    let mut stage = Stage::new();
    stage.open(1, "alice", "t");

    assert_eq!(stage.close(1), []);
    assert_eq!(stage.claimed(1), [release("alice")]);
    assert!(stage.broker.is_idle());
}

#[test]
fn a_client_that_leaves_before_its_claim_is_refused_hears_nothing() {
    let mut stage = Stage::new();
    stage.open(1, "alice", "t");
    stage.close(1);

    assert_eq!(stage.refused(1), []);
    assert!(stage.broker.is_idle());
}

#[test]
fn a_session_speaks_for_nobody_before_its_claim_is_granted() {
    let mut stage = Stage::new();
    stage.open(1, "alice", "guess");

    assert_eq!(stage.send(1, "bob", offer(1)), []);
    assert_eq!(stage.request(1, Request::Depart), []);
    assert_eq!(stage.refused(1), turned_away(1, Refusal::IdTaken));
    assert!(stage.broker.is_idle());
}

#[test]
fn a_flood_before_the_claim_is_granted_loses_nothing_of_the_claim() {
    let mut stage = Stage::new();
    stage.open(1, "alice", "t");
    for number in 0..1000 {
        stage.send(1, "bob", offer(number));
    }

    assert_eq!(stage.claimed(1), [tell(1, Opened)]);
    stage.close(1);
    assert!(stage.broker.is_idle());
}

#[test]
fn of_two_claims_with_one_token_the_later_session_goes_on() {
    let mut stage = Stage::new();
    stage.open(1, "alice", "t");
    stage.open(2, "alice", "t");

    assert_eq!(stage.claimed(1), [tell(1, Opened)]);
    assert_eq!(stage.claimed(2), [tell(2, Opened), handover(1, 2), hangup(1, Superseded)]);
    assert_eq!(stage.close(2), [release("alice")]);
    assert!(stage.broker.is_idle());
}

#[test]
fn a_stream_and_a_socket_claimed_together_open_once() {
    let mut stage = Stage::new();
    stage.open_stream(1, "alice", "t");
    stage.open(2, "alice", "t");
    assert_eq!(stage.claimed(1), [tell(1, Opened)]);
    assert_eq!(stage.claimed(2), [tell(2, Resumed), handover(1, 2), hangup(1, Superseded)]);

    let mut stage = Stage::new();
    stage.open(1, "alice", "t");
    stage.open_stream(2, "alice", "t");
    assert_eq!(stage.claimed(1), [tell(1, Opened)]);
    assert_eq!(stage.claimed(2), [tell(2, Resumed)]);
}

#[test]
fn of_two_tokens_that_claim_one_id_the_backplane_chooses() {
    let mut stage = Stage::new();
    stage.open(1, "alice", "t");
    stage.open(2, "alice", "u");

    assert_eq!(stage.refused(1), turned_away(1, Refusal::IdTaken));
    assert_eq!(stage.claimed(2), [tell(2, Opened)]);
}

#[test]
fn an_abandoned_claim_does_not_take_the_address_from_the_other() {
    let mut stage = Stage::new();
    stage.open(1, "alice", "t");
    stage.open(2, "alice", "t");
    stage.close(1);

    assert_eq!(stage.claimed(1), [], "the second claim has been granted the address too");
    assert_eq!(stage.claimed(2), [tell(2, Opened)]);
}

#[test]
fn two_abandoned_claims_give_the_address_back_once() {
    let mut stage = Stage::new();
    stage.open(1, "alice", "t");
    stage.open(2, "alice", "t");
    stage.close(1);
    stage.close(2);

    assert_eq!(stage.claimed(1), []);
    assert_eq!(stage.claimed(2), [release("alice")]);
    assert!(stage.broker.is_idle());
}

#[test]
fn a_peer_that_leaves_keeps_the_address_for_the_claim_under_way() {
    let mut stage = Stage::new();
    stage.open(1, "alice", "t");
    stage.open(2, "alice", "t");
    stage.claimed(1);

    assert_eq!(stage.close(1), [], "a release would undo what the second is granted");
    assert_eq!(stage.claimed(2), [tell(2, Opened)]);
    assert_eq!(stage.close(2), [release("alice")]);
    assert!(stage.broker.is_idle());
}

#[test]
fn a_peer_that_leaves_gives_the_address_back_when_the_claim_under_way_fails() {
    let mut stage = Stage::new();
    stage.open(1, "alice", "t");
    stage.open(2, "alice", "u");
    stage.claimed(1);
    stage.close(1);

    let mut expected = turned_away(2, Refusal::IdTaken);
    expected.push(release("alice"));
    assert_eq!(stage.refused(2), expected);
    assert!(stage.broker.is_idle());
}

#[test]
fn a_peer_taken_over_elsewhere_leaves_the_claim_under_way_alone() {
    let mut stage = Stage::new();
    stage.open(1, "alice", "t");
    stage.open(2, "alice", "t");
    stage.claimed(1);

    assert_eq!(stage.gone("alice"), [hangup(1, Superseded)]);
    assert_eq!(stage.claimed(2), [tell(2, Opened)], "taken back from there");
    assert_eq!(stage.close(2), [release("alice")]);
    assert!(stage.broker.is_idle());
}
