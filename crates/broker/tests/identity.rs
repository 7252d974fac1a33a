//! Who is who: what a session hears when it opens, takes over, stands by, closes and comes back.

mod support;

use peerway_broker::HangupReason::{Departed, Superseded};
use peerway_broker::Happening;
use peerway_protocol::Event::{Opened, Resumed};
use peerway_protocol::{Event, Refusal, Request};
use support::*;

#[test]
fn a_free_id_is_claimed_and_opened_once_granted() {
    let mut stage = Stage::new();

    assert_eq!(stage.open(1, "alice", "t"), [claim(1, "alice", "t")]);
    assert_eq!(stage.claimed(1), [tell(1, Opened)]);
    assert_eq!(stage.reports, [Happening::PeerOpened(app())]);
}

#[test]
fn an_id_held_on_another_node_is_refused() {
    let mut stage = Stage::new();
    stage.open(1, "alice", "t");

    assert_eq!(stage.refused(1), turned_away(1, Refusal::IdTaken));
    assert!(stage.broker.is_idle());
}

#[test]
fn an_id_held_here_is_refused_to_another_token_without_a_claim() {
    let mut stage = Stage::new();
    stage.enter(1, "alice");

    assert_eq!(stage.open(2, "alice", "guess"), turned_away(2, Refusal::IdTaken));
    assert_eq!(stage.arrive(envelope("bob", "alice", leave())), [tell(1, heard("bob", leave()))]);
}

#[test]
fn the_same_id_in_another_app_is_another_peer() {
    let mut stage = Stage::new();
    stage.enter(1, "alice");
    let mut elsewhere = address("alice");
    elsewhere.app = peerway_protocol::AppKey::new("other").unwrap();

    stage.open_as(peerway_broker::Channel::Socket, 2, elsewhere, "t");

    assert_eq!(stage.claimed(2), [tell(2, Opened)]);
}

#[test]
fn a_socket_after_a_socket_opens_again_and_ends_the_old_one() {
    let mut stage = Stage::new();
    stage.enter(1, "alice");

    let commands = stage.open(2, "alice", "alice");

    assert_eq!(commands, [tell(2, Opened), handover(1, 2), hangup(1, Superseded)]);
    assert_eq!(stage.reports, [Happening::SessionReplaced(app())]);
    assert_eq!(stage.close(1), [], "the old one has nothing to say any more");
    assert_eq!(stage.arrive(envelope("bob", "alice", leave())), [tell(2, heard("bob", leave()))]);
}

#[test]
fn a_socket_after_a_stream_attaches_silently() {
    let mut stage = Stage::new();
    stage.open_stream(1, "alice", "t");
    stage.claimed(1);

    let commands = stage.open(2, "alice", "t");

    assert_eq!(commands, [tell(2, Resumed), handover(1, 2), hangup(1, Superseded)]);
}

#[test]
fn a_stream_after_a_stream_goes_on_silently() {
    let mut stage = Stage::new();
    stage.open_stream(1, "alice", "t");
    stage.claimed(1);

    let commands = stage.open_stream(2, "alice", "t");

    assert_eq!(commands, [tell(2, Resumed), handover(1, 2), hangup(1, Superseded)]);
}

#[test]
fn a_stream_after_a_socket_stands_by() {
    let mut stage = Stage::new();
    stage.enter(1, "alice");

    assert_eq!(stage.open_stream(2, "alice", "alice"), [tell(2, Resumed)]);
    assert_eq!(stage.arrive(envelope("bob", "alice", leave())), [tell(1, heard("bob", leave()))]);
    assert_eq!(
        stage.open_stream(3, "alice", "alice"),
        [tell(3, Resumed), hangup(2, Superseded)],
        "one stands by, the newest"
    );
    assert_eq!(stage.close(3), [], "nothing hangs on the one that stands by");
    assert_eq!(stage.close(1), [release("alice")]);
}

#[test]
fn a_stream_that_stands_by_takes_over_when_the_socket_dies() {
    let mut stage = Stage::new();
    stage.enter(1, "alice");
    stage.open_stream(2, "alice", "alice");

    assert_eq!(stage.close_resumable(1), [handover(1, 2)]);
    assert_eq!(stage.reports, [Happening::SessionReplaced(app())]);
    assert_eq!(stage.arrive(envelope("bob", "alice", leave())), [tell(2, heard("bob", leave()))]);
    assert_eq!(stage.close(2), [release("alice")]);
    assert!(stage.broker.is_idle());
}

#[test]
fn who_leaves_on_its_socket_is_gone_and_is_told_open_when_it_comes_back() {
    let mut stage = Stage::new();
    stage.enter(1, "alice");
    stage.open_stream(2, "alice", "alice");

    // PeerJS 0.3 aborts its stream five seconds after its socket has opened, whatever happens meanwhile.
    assert_eq!(stage.close(1), [hangup(2, Departed), release("alice")]);
    assert_eq!(stage.reports, [Happening::PeerClosed(app())]);
    assert!(stage.broker.is_idle());
    stage.open_stream(3, "alice", "alice");
    assert_eq!(stage.claimed(3), [tell(3, Opened)]);
    assert_eq!(stage.open(4, "alice", "alice")[0], tell(4, Resumed));
}

#[test]
fn a_socket_beside_a_stream_that_stands_by_replaces_the_socket_only() {
    let mut stage = Stage::new();
    stage.enter(1, "alice");
    stage.open_stream(2, "alice", "alice");

    let commands = stage.open(3, "alice", "alice");

    assert_eq!(commands, [tell(3, Opened), handover(1, 3), hangup(1, Superseded)]);
    assert_eq!(stage.close_resumable(3), [handover(3, 2)]);
}

#[test]
fn a_closed_peer_frees_its_id_at_once() {
    let mut stage = Stage::new();
    stage.enter(1, "alice");

    assert_eq!(stage.close(1), [release("alice")]);
    assert_eq!(stage.reports, [Happening::PeerClosed(app())]);
    assert!(stage.broker.is_idle());
    assert_eq!(stage.open(2, "alice", "other"), [claim(2, "alice", "other")]);
}

#[test]
fn a_leave_to_nobody_ends_every_session_of_its_peer() {
    let mut stage = Stage::new();
    stage.enter(1, "alice");
    stage.open_stream(2, "alice", "alice");

    let commands = stage.request(1, Request::Depart);

    assert_eq!(commands, [hangup(2, Departed), release("alice"), hangup(1, Departed)]);
    assert!(stage.broker.is_idle());
}

#[test]
fn a_leave_to_nobody_ends_the_peer_whichever_of_its_sessions_says_it() {
    let mut stage = Stage::new();
    stage.enter(1, "alice");
    stage.open_stream(2, "alice", "alice");

    let commands = stage.request(2, Request::Depart);

    assert_eq!(commands, [hangup(2, Departed), release("alice"), hangup(1, Departed)]);
}

#[test]
fn a_peer_taken_over_on_another_node_is_hung_up_without_a_release() {
    let mut stage = Stage::new();
    stage.enter(1, "alice");
    stage.open_stream(2, "alice", "alice");

    assert_eq!(stage.gone("alice"), [hangup(1, Superseded), hangup(2, Superseded)]);
    assert_eq!(stage.reports, [Happening::PeerClosed(app())]);
    assert!(stage.broker.is_idle());
    assert_eq!(stage.gone("alice"), []);
    assert_eq!(stage.close(1), []);
}

#[test]
fn a_peer_taken_over_on_another_node_may_come_back() {
    let mut stage = Stage::new();
    stage.enter(1, "alice");
    stage.gone("alice");

    assert_eq!(stage.open(2, "alice", "alice"), [claim(2, "alice", "alice")]);
    assert_eq!(stage.claimed(2), [tell(2, Opened)]);
}

#[test]
fn a_fall_back_within_the_grace_resumes_without_an_open() {
    struct Case {
        resumable: bool,
        back_at: i64,
        socket: bool,
        token: &'static str,
        hears: Event,
    }
    let case = |resumable, back_at, socket, token, hears| Case {
        resumable,
        back_at,
        socket,
        token,
        hears,
    };
    let cases = [
        case(true, 2999, false, "t", Resumed),
        case(true, 3000, false, "t", Resumed),
        case(true, 3001, false, "t", Opened),
        case(true, 1, true, "t", Opened),
        case(true, 1, false, "other", Opened),
        case(false, 1, false, "t", Opened),
    ];
    for Case { resumable, back_at, socket, token, hears } in cases {
        let mut stage = Stage::new();
        stage.open(1, "alice", "t");
        stage.claimed(1);
        let freed = if resumable { stage.close_resumable(1) } else { stage.close(1) };
        assert_eq!(freed, [release("alice")], "the id is free meanwhile");
        stage.set_clock(back_at);

        if socket {
            stage.open(2, "alice", token);
        } else {
            stage.open_stream(2, "alice", token);
        }

        assert_eq!(stage.claimed(2), [tell(2, hears)], "at {back_at} with {token}");
    }
}

#[test]
fn a_departed_peer_is_forgotten_after_its_grace() {
    let mut stage = Stage::new();
    stage.enter(1, "alice");
    stage.close_resumable(1);

    assert_eq!(stage.due(), Some(3000));
    assert_eq!(stage.wait_until(2999), []);
    assert!(!stage.broker.is_idle());
    assert_eq!(stage.wait_until(3000), []);
    assert!(stage.broker.is_idle());
}

#[test]
fn what_is_said_about_unknown_sessions_is_ignored() {
    let mut stage = Stage::new();

    assert_eq!(stage.claimed(9), []);
    assert_eq!(stage.refused(9), []);
    assert_eq!(stage.close(9), []);
    assert_eq!(stage.overflow(9, Opened), []);
    assert_eq!(stage.send(9, "bob", offer(1)), []);
    assert!(stage.broker.is_idle());
}
