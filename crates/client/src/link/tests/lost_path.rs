use std::time::Duration;

use peerway_protocol::Value;
use peerway_protocol::data::{Generation, Serialization};

use super::super::{Event, Link, Output};
use super::world::{GOOD, World, data};
use crate::connection::{ConnectionErrorKind, IceState};
use crate::transport::LocalCandidate;

fn binary() -> super::super::Purpose {
    data(Serialization::Binary, true)
}

fn has(events: &[Event], wanted: impl Fn(&Event) -> bool) -> bool {
    events.iter().any(wanted)
}

#[test]
fn three_seconds_without_a_network_are_survived() {
    let mut world = World::open(GOOD, binary());
    world.down = true;
    world.drive_for(Duration::from_secs(3));
    world.down = false;
    world.send(&Value::from("back"));
    world.drive_until(Duration::from_secs(10), |world| world.callee.values().len() == 1);
    assert!(!world.caller.is_closed());
}

#[test]
fn the_caller_asks_for_a_restart_when_the_path_is_lost() {
    let mut world = World::open(GOOD, binary());
    world.down = true;
    world.drive_until(Duration::from_secs(40), |world| {
        has(&world.caller.events, |event| matches!(event, Event::RestartWanted))
    });
    assert!(has(&world.caller.events, |event| {
        matches!(event, Event::Ice(IceState::Disconnected))
    }));
}

#[test]
fn a_restart_brings_a_lost_path_back() {
    let mut world = World::open(GOOD, binary());
    world.down = true;
    world.drive_for(Duration::from_secs(30));
    world.down = false;

    // What the tasks do when signals flow again.
    let offer = world.caller.link.restart(world.now).unwrap();
    let answer = world.callee.link.handle_restart(&offer).unwrap();
    let now = world.now;
    world.caller.link.handle_answer(now, &answer, Generation::Modern).unwrap();

    world.send(&Value::from("back"));
    world.drive_until(Duration::from_secs(20), |world| world.callee.values().len() == 1);
    assert!(!world.caller.is_closed() && !world.callee.is_closed());
}

#[test]
fn another_address_takes_over_at_once_when_the_first_is_gone() {
    let mut world = World::open(GOOD, binary());
    let other = "192.0.2.9:3000".parse().unwrap();
    world.caller.address = other;
    world.caller.link.add_local(&LocalCandidate::Host { addr: other }).unwrap();
    world.caller.link.keep_local(&[other]);
    world.send(&Value::from("moved"));
    world.drive_until(Duration::from_secs(2), |world| world.callee.values().len() == 1);
    assert!(!world.caller.is_closed());
}

#[test]
fn a_path_that_stays_lost_closes_the_connection_with_an_error() {
    let mut world = World::open(GOOD, binary());
    world.down = true;
    world.drive_until(Duration::from_secs(90), |world| {
        world.caller.is_closed() && world.callee.is_closed()
    });
    for side in [&world.caller, &world.callee] {
        let Some(Event::Closed(Some(error))) = side.events.last() else {
            panic!("no error: {:?}", side.events.last())
        };
        assert_eq!(error.kind, ConnectionErrorKind::ConnectionClosed);
    }
}

#[test]
fn an_offer_that_nobody_answers_fails() {
    let mut world = World::new(GOOD, binary());
    world.down = true;
    world.drive_until(Duration::from_secs(31), |world| world.caller.is_closed());
    let Some(Event::Closed(Some(error))) = world.caller.events.last() else {
        panic!("no error: {:?}", world.caller.events.last())
    };
    assert_eq!(error.kind, ConnectionErrorKind::NegotiationFailed, "{error}");
}

#[test]
fn candidates_before_the_answer_wait_for_it() {
    let now = crate::clock::now();
    let ours = "192.0.2.1:1000".parse().unwrap();
    let (mut caller, offer) = Link::call(now, binary(), &[LocalCandidate::Host { addr: ours }]);
    let (mut theirs, answer) =
        Link::answer(now, binary(), &offer, Generation::Modern, &[]).unwrap();
    let host = LocalCandidate::Host { addr: "192.0.2.2:2000".parse().unwrap() };
    let candidate = theirs.add_local(&host).unwrap();

    caller.handle_candidate(candidate);
    caller.handle_candidate("candidate:nonsense".to_owned());
    caller.handle_answer(now, &answer, Generation::Modern).unwrap();

    let later = now + Duration::from_millis(100);
    caller.handle_timeout(later);
    let check = loop {
        match caller.poll(later) {
            Output::Transmit { destination, .. } => break Some(destination),
            Output::Event(_) => {}
            Output::Timeout(_) => break None,
        }
    };
    assert_eq!(check, Some("192.0.2.2:2000".parse().unwrap()));
}

#[test]
fn an_offer_that_is_no_sdp_is_refused_with_words() {
    let now = crate::clock::now();
    for offer in ["", "v=0", "hello\r\n", "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"] {
        let error = Link::answer(now, binary(), offer, Generation::Modern, &[]).unwrap_err();
        assert_eq!(error.kind, ConnectionErrorKind::NegotiationFailed, "{offer:?}");
        assert!(!error.message.is_empty());
    }
}
