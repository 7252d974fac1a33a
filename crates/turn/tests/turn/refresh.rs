//! Refresh (RFC 8656 section 8), and allocations that nobody refreshes.

use peerway_turn::{CloseReason, Report};
use turn_types::AddressFamily::{IPV4, IPV6};
use turn_types::message::REFRESH;

use crate::draft::{Login, allocate, permit, refresh, release, send};
use crate::stage::{
    Done, Said, Stage, alice, peer_v4, peer_v6, refused, relayed_v4, relayed_v6, success,
};

fn joe() -> Login {
    Login::new("joe", "pw")
}

fn granted(lifetime: u32) -> Done {
    success(alice(), REFRESH, &[Said::Lifetime(lifetime), Said::Signed])
}

fn reason(stage: &Stage) -> Option<CloseReason> {
    match &stage.reports[..] {
        [Report::Closed { reason, .. }] => Some(*reason),
        [] => None,
        other => unreachable!("{other:?}"),
    }
}

#[test]
fn a_refresh_begins_the_lifetime_again() {
    let mut stage = Stage::new();
    stage.allocated(alice(), &joe());
    for (wish, expected) in [
        (refresh(), 600),
        (refresh().lifetime(1), 600),
        (refresh().lifetime(777), 777),
        (refresh().lifetime(u32::MAX), 3600),
    ] {
        assert_eq!(stage.ask(alice(), &joe(), &wish), [granted(expected)]);
    }
    assert_eq!(stage.wait_until(3599.0), []);
    assert_eq!(stage.ask(alice(), &joe(), &refresh()), [granted(600)]);
    assert_eq!(stage.wait_until(4198.0), []);
    assert_eq!(stage.wait_until(4200.0).len(), 1);
    assert_eq!(reason(&stage), Some(CloseReason::Expired));
}

#[test]
fn a_lifetime_of_zero_releases() {
    let mut stage = Stage::new();
    let relay = stage.allocated(alice(), &joe());

    assert_eq!(stage.ask(alice(), &joe(), &release()), [granted(0), Done::Close(relay)]);
    assert_eq!(reason(&stage), Some(CloseReason::Released));
    assert!(stage.server.is_empty());
    assert_eq!(stage.ask(alice(), &joe(), &release()), [refused(alice(), REFRESH, 437)]);
    stage.allocated(alice(), &joe());
}

#[test]
fn both_families_are_released_at_once() {
    let mut stage = Stage::new();
    let draft = allocate().additional(IPV6);
    let relays = stage.allocated_as(alice(), &joe(), &draft, &[relayed_v4(), relayed_v6()]);
    assert_eq!(
        stage.ask(alice(), &joe(), &release()),
        [granted(0), Done::Close(relays[0]), Done::Close(relays[1])]
    );
    assert_eq!(reason(&stage), Some(CloseReason::Released));
}

#[test]
fn each_family_has_a_lifetime_of_its_own() {
    let mut stage = Stage::new();
    let draft = allocate().additional(IPV6);
    let relays = stage.allocated_as(alice(), &joe(), &draft, &[relayed_v4(), relayed_v6()]);
    let (v4, v6) = (peer_v4(), peer_v6());

    assert_eq!(stage.ask(alice(), &joe(), &refresh().lifetime(1000).family(IPV6)), [granted(1000)]);
    assert_eq!(stage.wait_until(601.0), [Done::Close(relays[0])]);
    assert_eq!(reason(&stage), None, "half of it is left");
    assert_eq!(
        stage.ask(alice(), &joe(), &permit(&[v4])),
        [refused(alice(), turn_types::message::CREATE_PERMISSION, 443)]
    );
    let done = stage.ask(alice(), &joe(), &permit(&[v6]));
    assert!(matches!(&done[..], [Done::Reply { said, .. }] if said[..] == [Said::Signed]));
    let datagram = send(v6, b"x");
    assert_eq!(stage.send(alice(), &datagram).map(|sent| sent.relay), Some(relays[1]));
    assert_eq!(
        stage.ask(alice(), &joe(), &refresh().family(IPV4)),
        [refused(alice(), REFRESH, 443)]
    );
    assert_eq!(
        stage.ask(alice(), &joe(), &release().family(IPV6)),
        [granted(0), Done::Close(relays[1])]
    );
    assert_eq!(reason(&stage), Some(CloseReason::Released));
    assert!(stage.server.is_empty());
}

#[test]
fn one_family_is_released_and_the_other_stays() {
    let mut stage = Stage::new();
    let draft = allocate().additional(IPV6);
    let relays = stage.allocated_as(alice(), &joe(), &draft, &[relayed_v4(), relayed_v6()]);
    assert_eq!(
        stage.ask(alice(), &joe(), &release().family(IPV4)),
        [granted(0), Done::Close(relays[0])]
    );
    assert_eq!(stage.server.len(), 1);
    assert_eq!(stage.ask(alice(), &joe(), &refresh()), [granted(600)]);
}

#[test]
fn a_family_that_the_allocation_has_not_is_a_mismatch() {
    let mut stage = Stage::new();
    stage.allocated(alice(), &joe());
    for draft in [refresh().family(IPV6), release().family(IPV6)] {
        assert_eq!(stage.ask(alice(), &joe(), &draft), [refused(alice(), REFRESH, 443)]);
    }
    assert_eq!(
        stage.ask(alice(), &joe(), &refresh().raw(0x0017, &[9, 0, 0, 0])),
        [refused(alice(), REFRESH, 440)]
    );
    assert_eq!(
        stage.ask(alice(), &joe(), &refresh().raw(0x000d, &[0, 0])),
        [refused(alice(), REFRESH, 400)]
    );
    assert_eq!(stage.server.len(), 1);
}

#[test]
fn an_allocation_that_is_over_cannot_be_refreshed() {
    let mut stage = Stage::new();
    let relay = stage.allocated(alice(), &joe());
    // The timer is late; the lifetime is over all the same.
    stage.set_clock(600.0);
    assert_eq!(
        stage.ask(alice(), &joe(), &refresh()),
        [Done::Close(relay), refused(alice(), REFRESH, 437)]
    );
    assert_eq!(stage.wait_until(601.0), []);
}

#[test]
fn an_allocation_that_is_over_makes_way_for_a_new_one() {
    let mut stage = Stage::new();
    let relay = stage.allocated(alice(), &joe());
    stage.set_clock(600.0);
    let done = stage.ask(alice(), &joe(), &allocate());
    assert!(matches!(done[..], [Done::Close(closed), Done::Open { .. }] if closed == relay));
    assert_eq!(reason(&stage), Some(CloseReason::Expired));
}

#[test]
fn the_timer_is_wanted_as_long_as_somebody_is_there() {
    let mut stage = Stage::new();
    assert_eq!(stage.server.poll_timeout(), None);
    stage.allocated(alice(), &joe());
    let due = stage.server.poll_timeout().unwrap();
    assert!(due > stage.now().instant);
    stage.wait_until(601.0);
    assert_eq!(stage.server.poll_timeout(), None);
    stage.allocated(alice(), &joe());
    assert!(stage.server.poll_timeout().is_some());
}
