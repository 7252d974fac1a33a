//! How many allocations there may be (RFC 8656 section 5).

use peerway_turn::{FiveTuple, Limits, Refusal, Server, Settings};
use turn_types::message::ALLOCATE;

use crate::draft::{Login, allocate, release};
use crate::stage::{Done, Stage, refused, relayed_v4, tcp, udp};

const NONE: Limits = Limits { per_user: 0, per_app: 0, per_source: 0, total: 0 };

fn limits(limits: Limits) -> impl FnOnce(&mut Settings) {
    move |settings| settings.limits = limits
}

/// Whether a client gets in; if not, because of what.
fn enter(stage: &mut Stage, from: FiveTuple, login: &Login) -> Result<(), Refusal> {
    stage.nonce(from);
    stage.refusals();
    let done = stage.ask(from, login, &allocate());
    if matches!(done[..], [Done::Open { .. }]) {
        stage.opened(&[Ok(relayed_v4())], None);
        return Ok(());
    }
    assert_eq!(done, [refused(from, ALLOCATE, 486)]);
    match stage.refusals()[..] {
        [(_, refusal, 1)] => Err(refusal),
        ref other => unreachable!("{other:?}"),
    }
}

#[test]
fn a_user_may_have_some_allocations() {
    let mut stage = Stage::with(limits(Limits { per_user: 2, ..NONE }));
    let (one, other) = (stage.login("shop", "x"), stage.login("shop", "y"));
    assert_eq!(enter(&mut stage, udp("198.51.100.1:1"), &one), Ok(()));
    assert_eq!(enter(&mut stage, tcp("198.51.100.2:1"), &one), Ok(()));
    assert_eq!(enter(&mut stage, udp("198.51.100.3:1"), &one), Err(Refusal::QuotaUser));
    assert_eq!(enter(&mut stage, udp("198.51.100.3:1"), &other), Ok(()));
}

#[test]
fn an_app_may_have_some_allocations() {
    let mut stage = Stage::with(limits(Limits { per_app: 2, ..NONE }));
    let logins = ["a", "b", "c"].map(|tag| stage.login("shop", tag));
    assert_eq!(enter(&mut stage, udp("198.51.100.1:1"), &logins[0]), Ok(()));
    assert_eq!(enter(&mut stage, udp("198.51.100.2:1"), &logins[1]), Ok(()));
    assert_eq!(enter(&mut stage, udp("198.51.100.3:1"), &logins[2]), Err(Refusal::QuotaApp));
    let chat = stage.login("chat", "a");
    assert_eq!(enter(&mut stage, udp("198.51.100.3:1"), &chat), Ok(()));
}

#[test]
fn a_source_may_have_some_allocations() {
    let mut stage = Stage::with(limits(Limits { per_source: 2, ..NONE }));
    let joe = Login::new("joe", "pw");
    assert_eq!(enter(&mut stage, udp("198.51.100.1:1"), &joe), Ok(()));
    assert_eq!(enter(&mut stage, tcp("198.51.100.1:2"), &joe), Ok(()));
    assert_eq!(enter(&mut stage, udp("198.51.100.1:3"), &joe), Err(Refusal::QuotaSource));
    assert_eq!(enter(&mut stage, udp("198.51.100.2:3"), &joe), Ok(()));
    // Of IPv6 a customer has at least a /64.
    assert_eq!(enter(&mut stage, udp("[2001:db8:1:1::1]:1"), &joe), Ok(()));
    assert_eq!(enter(&mut stage, udp("[2001:db8:1:1::2]:1"), &joe), Ok(()));
    let third = udp("[2001:db8:1:1:ffff::3]:1");
    assert_eq!(enter(&mut stage, third, &joe), Err(Refusal::QuotaSource));
    assert_eq!(enter(&mut stage, udp("[2001:db8:1:2::1]:1"), &joe), Ok(()));
}

#[test]
fn there_may_be_some_allocations_in_all() {
    let mut stage = Stage::with(limits(Limits { total: 1, ..NONE }));
    let (joe, ann) = (Login::new("joe", "pw"), Login::new("ann", "pw"));
    assert_eq!(enter(&mut stage, udp("198.51.100.1:1"), &joe), Ok(()));
    assert_eq!(enter(&mut stage, udp("198.51.100.2:1"), &ann), Err(Refusal::QuotaTotal));
}

#[test]
fn the_servers_of_a_program_share_their_limits() {
    let mut stage = Stage::with(limits(Limits { per_user: 1, ..NONE }));
    let joe = Login::new("joe", "pw");
    assert_eq!(enter(&mut stage, udp("198.51.100.1:1"), &joe), Ok(()));
    let other = Server::new(stage.shared.clone());
    let first = std::mem::replace(&mut stage.server, other);
    assert_eq!(enter(&mut stage, udp("198.51.100.2:1"), &joe), Err(Refusal::QuotaUser));
    drop(first);
    assert_eq!(enter(&mut stage, udp("198.51.100.2:1"), &joe), Ok(()));
}

#[test]
fn whoever_leaves_makes_room() {
    let mut stage =
        Stage::with(limits(Limits { per_user: 1, per_app: 1, per_source: 1, total: 1 }));
    let joe = Login::new("joe", "pw");
    let (first, second) = (tcp("198.51.100.1:1"), tcp("198.51.100.1:2"));
    let leave: [fn(&mut Stage, FiveTuple, &Login); 4] = [
        |stage, client, login| {
            stage.ask(client, login, &release());
        },
        |stage, client, _| {
            stage.disconnect(client);
        },
        |stage, _, _| {
            stage.wait_until(601.0);
        },
        |stage, _, _| {
            stage.stop();
        },
    ];
    for leave in leave {
        stage.set_clock(0.0);
        assert_eq!(enter(&mut stage, first, &joe), Ok(()));
        assert_eq!(enter(&mut stage, second, &joe), Err(Refusal::QuotaUser));
        leave(&mut stage, first, &joe);
        assert_eq!(enter(&mut stage, second, &joe), Ok(()));
        stage.disconnect(second);
    }
}

#[test]
fn a_client_that_leaves_before_its_sockets_come_makes_room() {
    let mut stage = Stage::with(limits(Limits { total: 1, ..NONE }));
    let joe = Login::new("joe", "pw");
    let (first, second) = (tcp("198.51.100.1:1"), tcp("198.51.100.1:2"));
    stage.ask(first, &joe, &allocate());
    stage.disconnect(first);
    assert_eq!(enter(&mut stage, second, &joe), Ok(()));
}
