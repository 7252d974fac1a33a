//! Mail that nobody came for: one EXPIRE per pair, a fixed time after its first message.

mod support;

use std::time::Duration;

use peerway_broker::{Happening, Settings};
use peerway_protocol::{Signal, SignalKind};
use support::*;

#[test]
fn an_offer_expires_once_with_all_that_followed_it() {
    let mut stage = Stage::new();
    stage.enter(1, "alice");
    stage.undeliverable(envelope("alice", "bob", offer(1)));
    stage.set_clock(4000);
    stage.send(1, "bob", candidate(2));

    assert_eq!(stage.due(), Some(5000), "the first message sets the deadline");
    assert_eq!(stage.wait_until(4999), []);
    assert_eq!(stage.wait_until(5000), [unwatch("bob"), tell(1, expired("bob"))]);
    let bytes = envelope("alice", "bob", offer(1)).weight() * 2;
    assert_eq!(stage.reports, [Happening::MailGone { messages: 2, bytes }, Happening::Expired]);
    assert_eq!(stage.due(), None);
    assert_eq!(stage.wait_until(60_000), []);
}

#[test]
fn a_message_after_the_expiry_begins_a_new_period() {
    let mut stage = Stage::new();
    stage.enter(1, "alice");
    stage.undeliverable(envelope("alice", "bob", offer(1)));
    stage.wait_until(5000);

    assert_eq!(stage.send(1, "bob", candidate(2)), [forward("alice", "bob", candidate(2))]);
    assert_eq!(stage.undeliverable(envelope("alice", "bob", candidate(2))), [watch("bob")]);
    assert_eq!(stage.wait_until(10_000), [unwatch("bob"), tell(1, expired("bob"))]);
}

#[test]
fn each_pair_expires_for_itself_and_the_last_ends_the_watch() {
    let mut stage = Stage::new();
    stage.enter(1, "alice");
    stage.enter(2, "zoe");
    stage.undeliverable(envelope("alice", "bob", offer(1)));
    stage.set_clock(1000);
    stage.undeliverable(envelope("zoe", "bob", offer(2)));
    stage.undeliverable(envelope("alice", "carol", offer(3)));

    assert_eq!(stage.wait_until(5000), [tell(1, expired("bob"))], "zoe's offer still waits");
    assert_eq!(
        stage.wait_until(6000),
        [unwatch("bob"), tell(2, expired("bob")), unwatch("carol"), tell(1, expired("carol")),]
    );
}

#[test]
fn a_pair_that_expired_leaves_the_others_waiting() {
    let mut stage = Stage::new();
    stage.enter(1, "alice");
    stage.enter(2, "zoe");
    stage.undeliverable(envelope("alice", "bob", offer(1)));
    stage.set_clock(1000);
    stage.undeliverable(envelope("zoe", "bob", offer(2)));
    stage.wait_until(5000);

    assert_eq!(stage.up("bob"), [forward("zoe", "bob", offer(2))]);
}

#[test]
fn a_peer_that_comes_after_the_expiry_hears_nothing_of_it() {
    let mut stage = Stage::new();
    stage.enter(1, "alice");
    stage.undeliverable(envelope("alice", "bob", offer(1)));
    stage.wait_until(5000);

    assert_eq!(stage.up("bob"), []);
}

#[test]
fn expiry_is_told_to_the_session_that_the_sender_has_now() {
    let mut stage = Stage::new();
    stage.enter(1, "alice");
    stage.undeliverable(envelope("alice", "bob", offer(1)));
    stage.open(2, "alice", "alice");

    assert_eq!(stage.wait_until(5000), [unwatch("bob"), tell(2, expired("bob"))]);
}

#[test]
fn mail_of_a_sender_that_left_is_still_delivered_or_expires_in_silence() {
    let mut stage = Stage::new();
    stage.enter(1, "alice");
    stage.undeliverable(envelope("alice", "bob", offer(1)));
    stage.undeliverable(envelope("alice", "carol", offer(2)));
    stage.close(1);

    assert_eq!(stage.up("bob"), [forward("alice", "bob", offer(1))]);
    assert_eq!(stage.wait_until(5000), [unwatch("carol")]);
    assert!(stage.broker.is_idle());
}

#[test]
fn mail_of_a_sender_taken_over_elsewhere_expires_in_silence() {
    let mut stage = Stage::new();
    stage.enter(1, "alice");
    stage.undeliverable(envelope("alice", "bob", offer(1)));
    stage.gone("alice");

    assert_eq!(stage.wait_until(5000), [unwatch("bob")]);
    assert!(stage.broker.is_idle());
}

#[test]
fn without_a_time_to_wait_an_offer_expires_at_once() {
    let mut stage = Stage::with(Settings { expire_after: Duration::ZERO, ..settings() });
    stage.enter(1, "alice");

    assert_eq!(stage.undeliverable(envelope("alice", "bob", offer(1))), [tell(1, expired("bob"))]);
    assert_eq!(stage.undeliverable(envelope("alice", "bob", candidate(2))), [], "said already");
    let answer = Signal::bare(SignalKind::Answer);
    assert_eq!(stage.undeliverable(envelope("alice", "bob", answer)), [tell(1, expired("bob"))]);
    assert_eq!(stage.due(), None);
}

#[test]
fn a_clock_that_goes_back_only_makes_mail_wait_longer() {
    let mut stage = Stage::new();
    stage.enter(1, "alice");
    stage.undeliverable(envelope("alice", "bob", offer(1)));
    stage.set_clock(-1000);
    stage.send(1, "bob", candidate(2));
    stage.undeliverable(envelope("alice", "carol", offer(3)));

    assert_eq!(stage.wait_until(4000), [unwatch("carol"), tell(1, expired("carol"))]);
    assert_eq!(stage.wait_until(5000), [unwatch("bob"), tell(1, expired("bob"))]);
}
