//! What nobody may do too often or too much, and that nothing charged is forgotten.

mod support;

use std::time::Duration;

use peerway_broker::HangupReason::TooManyMessages;
use peerway_broker::{AppPolicy, Happening, MailLimit, PostRefused, RateLimit, Settings};
use peerway_protocol::{AppKey, Event, PeerAddress, Refusal, Request};
use support::*;

#[test]
fn an_app_has_as_many_peers_as_it_may_have() {
    let mut stage = Stage::with(concurrent(2));
    stage.enter(1, "alice");
    stage.enter(2, "bob");

    assert_eq!(stage.open(3, "carol", "t"), turned_away(3, Refusal::AppFull));
    stage.close(1);
    assert_eq!(stage.open(4, "carol", "t"), [claim(4, "carol", "t")]);
}

#[test]
fn a_known_id_is_not_counted_again() {
    let mut stage = Stage::with(concurrent(1));
    stage.enter(1, "alice");

    assert_eq!(stage.open(2, "alice", "alice").first(), Some(&tell(2, Event::Opened)));
    assert_eq!(stage.open(3, "alice", "guess"), turned_away(3, Refusal::IdTaken));
}

#[test]
fn claims_under_way_are_counted() {
    let mut stage = Stage::with(concurrent(1));
    stage.open(1, "alice", "t");

    assert_eq!(stage.open(2, "bob", "t"), turned_away(2, Refusal::AppFull));
    stage.refused(1);
    assert_eq!(stage.open(3, "bob", "t"), [claim(3, "bob", "t")]);
}

#[test]
fn a_stream_and_a_socket_claimed_together_are_one_peer() {
    let mut stage = Stage::with(concurrent(1));
    stage.open_stream(1, "alice", "t");

    assert_eq!(stage.open(2, "alice", "t"), [claim(2, "alice", "t")]);
    stage.claimed(1);
    stage.claimed(2);
    assert_eq!(stage.open(3, "bob", "t"), turned_away(3, Refusal::AppFull));
    stage.close(2);
    assert!(stage.broker.is_idle());
}

#[test]
fn a_peer_taken_over_elsewhere_makes_room() {
    let mut stage = Stage::with(concurrent(1));
    stage.enter(1, "alice");
    stage.gone("alice");

    assert_eq!(stage.open(2, "bob", "t"), [claim(2, "bob", "t")]);
}

#[test]
fn each_app_has_its_own_count() {
    let other = AppKey::new("other").unwrap();
    let mut own = concurrent(1);
    own.apps.insert(other.clone(), AppPolicy { concurrent_limit: 0, ..settings().other_apps });
    let mut stage = Stage::with(own);
    let bob = PeerAddress { app: other, peer: peer("bob") };

    let closed = stage.open_as(peerway_broker::Channel::Socket, 1, bob, "t");

    assert_eq!(closed, turned_away(1, Refusal::AppFull));
    assert!(stage.broker.is_idle(), "a refusal leaves no trace");
    assert_eq!(stage.open(2, "alice", "t"), [claim(2, "alice", "t")]);
}

#[test]
fn a_session_that_says_too_much_hears_why_and_is_cut() {
    let mut stage = Stage::with(rate(10, 3));
    stage.enter(1, "alice");
    for number in 0..3 {
        assert_eq!(stage.send(1, "bob", offer(number)).len(), 1);
    }

    assert_eq!(
        stage.send(1, "bob", offer(3)),
        [
            tell(1, Event::Refused(Refusal::TooManyMessages(10))),
            release("alice"),
            hangup(1, TooManyMessages),
        ]
    );
    assert_eq!(stage.send(1, "bob", offer(4)), []);
    assert!(stage.broker.is_idle());
}

#[test]
fn a_stream_that_stands_by_does_not_outlive_the_cut() {
    let mut stage = Stage::with(rate(10, 1));
    stage.enter(1, "alice");
    stage.open_stream(2, "alice", "alice");
    stage.send(1, "bob", offer(1));

    assert_eq!(
        stage.send(1, "bob", offer(2)),
        [
            tell(1, Event::Refused(Refusal::TooManyMessages(10))),
            hangup(2, TooManyMessages),
            release("alice"),
            hangup(1, TooManyMessages),
        ]
    );
}

#[test]
fn what_is_said_beside_a_session_counts_as_its_own() {
    let mut stage = Stage::with(rate(10, 1));
    stage.open_stream(1, "alice", "t");
    stage.claimed(1);
    let request = || Request::Send { to: peer("bob"), signal: offer(1) };
    stage.post("alice", "t", request()).0.unwrap();

    let (taken, commands) = stage.post("alice", "t", request());

    assert_eq!(taken, Ok(()));
    assert_eq!(commands.last(), Some(&hangup(1, TooManyMessages)));
    assert_eq!(stage.post("alice", "t", request()).0, Err(PostRefused::UnknownPeer));
}

#[test]
fn a_rate_is_a_burst_and_then_one_at_a_time() {
    let start = any_instant();
    let at = |millis| start + Duration::from_millis(millis);
    let mut limit = RateLimit::new(at(0));
    let table = [
        (0, true),
        (0, true),
        (0, true),
        (0, false),
        (99, false),
        (100, true),
        (100, false),
        (300, true),
        (300, true),
        (300, false),
        (9000, true),
        (9000, true),
        (9000, true),
        (9000, false),
        // A clock that goes back is no reason to panic, nor to forget.
        (8000, false),
        (9100, true),
    ];
    for (row, (millis, allowed)) in table.into_iter().enumerate() {
        assert_eq!(limit.take(at(millis), 10, 3), allowed, "row {row}");
    }
}

#[test]
fn a_rate_of_nothing_is_one_per_second() {
    let start = any_instant();
    let mut limit = RateLimit::new(start);

    assert!(limit.take(start, 0, 0));
    assert!(!limit.take(start, 0, 0));
    assert!(limit.take(start + Duration::from_secs(1), 0, 0));
}

#[test]
fn one_sender_does_not_fill_the_mail_of_all() {
    let mut stage = Stage::with(mail(2, 100));
    stage.enter(1, "alice");
    stage.enter(2, "zoe");
    stage.undeliverable(envelope("alice", "bob", offer(1)));
    stage.undeliverable(envelope("alice", "carol", offer(2)));

    let full = Refusal::SenderMailFull(peer("dave"));
    assert_eq!(
        stage.undeliverable(envelope("alice", "dave", offer(3))),
        [tell(1, Event::Refused(full.clone()))]
    );
    assert_eq!(stage.reports, [Happening::Refused(full)]);
    assert_eq!(stage.undeliverable(envelope("zoe", "dave", offer(4))), [watch("dave")]);
}

#[test]
fn an_app_has_as_much_mail_as_it_may_have() {
    let mut stage = Stage::with(mail(100, 2));
    stage.enter(1, "alice");
    stage.enter(2, "zoe");
    stage.undeliverable(envelope("alice", "bob", offer(1)));
    stage.undeliverable(envelope("alice", "bob", offer(2)));

    assert_eq!(
        stage.undeliverable(envelope("zoe", "bob", offer(3))),
        [tell(2, Event::Refused(Refusal::AppMailFull(peer("bob"))))]
    );
}

#[test]
fn mail_is_limited_by_weight_too() {
    let weight = envelope("alice", "bob", offer(1)).weight();
    let limit = MailLimit { messages: 100, bytes: weight * 2 };
    let mut stage = Stage::with(Settings { mail_per_sender: limit, ..settings() });
    stage.enter(1, "alice");
    stage.undeliverable(envelope("alice", "bob", offer(1)));
    stage.send(1, "bob", offer(2));

    assert_eq!(
        stage.send(1, "bob", candidate(3)),
        [tell(1, Event::Refused(Refusal::SenderMailFull(peer("bob"))))],
        "also behind what waits"
    );
}

#[test]
fn a_flood_of_mail_is_refused_aloud_once_per_second() {
    let mut stage = Stage::with(mail(0, 100));
    stage.enter(1, "alice");
    let table = [(0, true), (0, false), (999, false), (1000, true), (1999, false), (500, false)];
    for (row, (millis, aloud)) in table.into_iter().enumerate() {
        stage.set_clock(millis);

        let told = stage.undeliverable(envelope("alice", "bob", offer(1)));

        assert_eq!(!told.is_empty(), aloud, "row {row}");
        assert_eq!(stage.reports.len(), 1, "all are counted");
    }
    assert_eq!(stage.due(), None, "nothing of it waits");
}

#[test]
fn mail_gone_makes_room_again() {
    let mut stage = Stage::with(mail(1, 1));
    stage.enter(1, "alice");
    for round in 0..100 {
        let now = i64::from(round) * 5000;
        stage.set_clock(now);
        assert_eq!(stage.undeliverable(envelope("alice", "bob", offer(round))), [watch("bob")]);
        if round % 2 == 0 {
            assert_eq!(stage.up("bob").len(), 1);
        } else {
            assert_eq!(stage.wait_until(now + 5000).len(), 2);
        }
    }
    stage.close(1);
    assert!(stage.broker.is_idle());
}

fn concurrent(concurrent_limit: usize) -> Settings {
    Settings { other_apps: AppPolicy { concurrent_limit, ..settings().other_apps }, ..settings() }
}

fn rate(messages_per_second: u32, message_burst: u32) -> Settings {
    Settings { messages_per_second, message_burst, ..settings() }
}

fn mail(per_sender: usize, per_app: usize) -> Settings {
    let limit = |messages| MailLimit { messages, bytes: 1_000_000 };
    Settings { mail_per_sender: limit(per_sender), mail_per_app: limit(per_app), ..settings() }
}
