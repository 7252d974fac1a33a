//! Messages between peers: relayed at once, kept in order for those who are not there yet, and
//! handed over when they come.

mod support;

use peerway_broker::HangupReason::SlowReader;
use peerway_broker::{Command, Happening, PostRefused};
use peerway_protocol::{Request, Signal, SignalKind};
use support::*;

#[test]
fn a_message_goes_to_the_backplane_with_its_true_sender() {
    let mut stage = Stage::new();
    stage.enter(1, "alice");

    assert_eq!(stage.send(1, "bob", offer(1)), [forward("alice", "bob", offer(1))]);
    assert_eq!(stage.reports, [Happening::Received(SignalKind::Offer)]);
}

#[test]
fn a_message_to_oneself_takes_the_same_way() {
    let mut stage = Stage::new();
    stage.enter(1, "alice");

    assert_eq!(stage.send(1, "alice", offer(1)), [forward("alice", "alice", offer(1))]);
}

#[test]
fn a_message_that_arrives_is_told_to_its_receiver() {
    let mut stage = Stage::new();
    stage.enter(1, "bob");

    assert_eq!(
        stage.arrive(envelope("alice", "bob", offer(1))),
        [tell(1, heard("alice", offer(1)))]
    );
    assert_eq!(stage.reports, [Happening::Delivered(SignalKind::Offer)]);
}

#[test]
fn a_message_that_arrives_too_late_is_returned() {
    let mut stage = Stage::new();
    stage.open(1, "bob", "t");
    let late = envelope("alice", "bob", offer(1));

    assert_eq!(
        stage.arrive(late.clone()),
        [Command::Return(late.into())],
        "bob is not granted yet"
    );
}

#[test]
fn an_early_offer_waits_for_its_peer() {
    let mut stage = Stage::new();
    stage.enter(1, "alice");
    stage.send(1, "bob", offer(1));

    assert_eq!(stage.undeliverable(envelope("alice", "bob", offer(1))), [watch("bob")]);
    let bytes = envelope("alice", "bob", offer(1)).weight();
    assert_eq!(stage.reports, [Happening::MailKept { bytes }]);
    assert_eq!(stage.up("bob"), [forward("alice", "bob", offer(1))]);
    assert_eq!(stage.reports, [Happening::MailGone { messages: 1, bytes }]);
    assert_eq!(stage.due(), None);
    assert_eq!(stage.up("bob"), [], "one time is enough");
}

#[test]
fn waiting_messages_are_handed_over_in_the_order_of_their_coming() {
    let mut stage = Stage::new();
    stage.enter(1, "zoe");
    stage.enter(2, "alice");
    let first = stage.undeliverable(envelope("zoe", "bob", offer(1)));
    let second = stage.undeliverable(envelope("alice", "bob", offer(2)));
    stage.undeliverable(envelope("zoe", "bob", candidate(3)));
    stage.undeliverable(envelope("alice", "bob", candidate(4)));

    assert_eq!((first, second), (vec![watch("bob")], vec![]), "one watch for all");
    assert_eq!(
        stage.up("bob"),
        [
            forward("zoe", "bob", offer(1)),
            forward("alice", "bob", offer(2)),
            forward("zoe", "bob", candidate(3)),
            forward("alice", "bob", candidate(4)),
        ]
    );
}

#[test]
fn a_later_message_queues_behind_those_of_its_pair() {
    let mut stage = Stage::new();
    stage.enter(1, "alice");
    stage.enter(2, "zoe");
    stage.undeliverable(envelope("alice", "bob", offer(1)));

    assert_eq!(stage.send(1, "bob", candidate(2)), [], "behind the offer");
    assert_eq!(
        stage.send(1, "carol", offer(3)),
        [forward("alice", "carol", offer(3))],
        "another receiver"
    );
    assert_eq!(
        stage.send(2, "bob", offer(4)),
        [forward("zoe", "bob", offer(4))],
        "another sender's mail is not in its way"
    );
    assert_eq!(
        stage.up("bob"),
        [forward("alice", "bob", offer(1)), forward("alice", "bob", candidate(2))]
    );
    assert_eq!(stage.send(1, "bob", candidate(5)), [forward("alice", "bob", candidate(5))]);
}

#[test]
fn mail_that_still_finds_nobody_waits_again() {
    let mut stage = Stage::new();
    stage.enter(1, "alice");
    stage.undeliverable(envelope("alice", "bob", offer(1)));
    stage.up("bob");

    assert_eq!(stage.undeliverable(envelope("alice", "bob", offer(1))), [watch("bob")]);
}

#[test]
fn leave_and_expire_never_wait() {
    let mut stage = Stage::new();
    stage.enter(1, "alice");
    for kind in [SignalKind::Leave, SignalKind::Expire] {
        let signal = Signal::bare(kind);

        assert_eq!(stage.undeliverable(envelope("alice", "bob", signal)), []);
        assert_eq!(stage.reports, [Happening::Dropped(kind)]);
    }
    assert_eq!(stage.due(), None);
}

#[test]
fn leave_does_not_queue_behind_waiting_messages() {
    let mut stage = Stage::new();
    stage.enter(1, "alice");
    stage.undeliverable(envelope("alice", "bob", offer(1)));

    assert_eq!(stage.send(1, "bob", leave()), [forward("alice", "bob", leave())]);
}

#[test]
fn a_request_beside_the_session_needs_the_right_token() {
    let mut stage = Stage::new();
    stage.open_stream(1, "alice", "t");
    stage.claimed(1);
    let request = || Request::Send { to: peer("bob"), signal: offer(1) };

    let unknown = stage.post("carol", "t", request());
    let wrong = stage.post("alice", "guess", request());
    let right = stage.post("alice", "t", request());

    assert_eq!(unknown, (Err(PostRefused::UnknownPeer), vec![]));
    assert_eq!(wrong, (Err(PostRefused::WrongProof), vec![]));
    assert_eq!(right, (Ok(()), vec![forward("alice", "bob", offer(1))]));
}

#[test]
fn a_request_beside_a_session_that_is_not_granted_finds_nobody() {
    let mut stage = Stage::new();
    stage.open_stream(1, "alice", "t");

    let (result, commands) = stage.post("alice", "t", Request::Depart);

    assert_eq!((result, commands), (Err(PostRefused::UnknownPeer), vec![]));
}

#[test]
fn a_receiver_that_does_not_read_is_cut_and_the_sender_told() {
    let mut stage = Stage::new();
    stage.enter(1, "bob");

    assert_eq!(
        stage.overflow(1, heard("alice", offer(1))),
        [forward("bob", "alice", leave()), release("bob"), hangup(1, SlowReader)]
    );
    assert!(stage.reports.contains(&Happening::SlowReader));
    assert!(stage.broker.is_idle());
}

#[test]
fn a_receiver_cut_by_a_message_of_the_server_blames_nobody() {
    let mut stage = Stage::new();
    stage.enter(1, "bob");

    assert_eq!(stage.overflow(1, expired("alice")), [release("bob"), hangup(1, SlowReader)]);
}
