//! Allocate (RFC 8656 section 7, RFC 6062 section 5.1).

use peerway_turn::{ClientId, Family, FiveTuple, OpenError, Port, Protocol, Refusal, Report};
use turn_types::AddressFamily::{IPV4, IPV6};
use turn_types::attribute::RequestedTransport;
use turn_types::message::{ALLOCATE, REFRESH};

use crate::draft::{Draft, Login, allocate, allocate_tcp, refresh};
use crate::stage::{
    Done, Said, Stage, alice, at, carol, failure, refused, relayed_v4, relayed_v6, success, udp,
};

fn joe() -> Login {
    Login::new("joe", "pw")
}

fn open(from: FiveTuple, families: &[Family], protocol: Protocol, port: Port) -> Done {
    let families = families.to_vec();
    Done::Open { client: ClientId(0), server: from.server, families, protocol, port }
}

#[test]
fn an_allocation_is_told_with_its_addresses_and_lifetime() {
    let client = udp("[2001:db8::7]:40000");
    let mut stage = Stage::new();

    assert_eq!(
        stage.ask(client, &joe(), &allocate()),
        [open(client, &[Family::V4], Protocol::Udp, Port::Any)]
    );
    assert_eq!(stage.server.len(), 1);
    assert_eq!(
        stage.opened(&[Ok(relayed_v4())], None),
        [success(
            client,
            ALLOCATE,
            &[
                Said::Relayed(relayed_v4()),
                Said::Mapped(client.client),
                Said::Lifetime(600),
                Said::Signed
            ]
        )]
    );
    assert!(matches!(&stage.relays[..], [Some(_)]));
}

#[test]
fn the_same_request_again_is_answered_the_same() {
    let (client, mut stage) = (alice(), Stage::new());
    let (joe, draft) = (joe(), allocate().lifetime(1000).fingerprinted());
    let nonce = stage.nonce(client);
    let opening = stage.ask_with(client, &joe, &draft, &nonce);
    assert!(matches!(opening[..], [Done::Open { .. }]));
    assert_eq!(stage.ask_with(client, &joe, &draft, &nonce), [], "the sockets are on their way");
    let first = stage.opened(&[Ok(relayed_v4())], None);
    assert!(matches!(&first[..], [Done::Reply { said, .. }] if said.contains(&Said::Fingerprint)));

    stage.wait_until(20.0);
    assert_eq!(stage.ask_with(client, &joe, &draft, &nonce), first);
    // With another nonce, as after a 438.
    let fresh = stage.nonce(client);
    assert_eq!(stage.ask_with(client, &joe, &draft, &fresh), first);
    assert_eq!(stage.ask(client, &joe, &allocate()), [refused(client, ALLOCATE, 437)]);
    assert_eq!(stage.server.len(), 1);
}

#[test]
fn a_second_request_while_the_sockets_are_on_their_way_is_a_mismatch() {
    let (client, mut stage) = (alice(), Stage::new());
    stage.ask(client, &joe(), &allocate());
    assert_eq!(stage.ask(client, &joe(), &allocate()), [refused(client, ALLOCATE, 437)]);
    assert_eq!(stage.ask(client, &joe(), &refresh()), [refused(client, REFRESH, 437)]);
}

#[test]
fn every_five_tuple_is_a_client_of_its_own() {
    let mut stage = Stage::new();
    let over_tcp = FiveTuple { transport: peerway_turn::Transport::Tcp, ..alice() };
    let elsewhere = FiveTuple { server: at("192.0.2.1:3479"), ..alice() };
    for client in [alice(), over_tcp, elsewhere, udp("198.51.100.7:40001")] {
        stage.allocated(client, &joe());
    }
    assert_eq!(stage.server.len(), 4);
}

#[test]
fn a_lifetime_is_between_ten_minutes_and_an_hour() {
    for (wish, expected) in [
        (None, 600),
        (Some(0), 600),
        (Some(1), 600),
        (Some(599), 600),
        (Some(601), 601),
        (Some(3600), 3600),
        (Some(3601), 3600),
        (Some(u32::MAX), 3600),
    ] {
        let mut stage = Stage::new();
        let draft = wish.map_or_else(allocate, |seconds| allocate().lifetime(seconds));
        stage.ask(alice(), &joe(), &draft);
        let done = stage.opened(&[Ok(relayed_v4())], None);
        assert!(
            matches!(&done[..], [Done::Reply { said, .. }] if said[2] == Said::Lifetime(expected)),
            "{wish:?}: {done:?}"
        );
        let seconds = f64::from(expected);
        assert_eq!(stage.wait_until(seconds - 0.5), []);
        assert_eq!(stage.wait_until(seconds + 1.0).len(), 1);
        assert!(stage.server.is_empty());
    }
}

#[test]
fn one_family_or_the_other_is_asked_for() {
    for (family, expected, relayed) in
        [(IPV4, Family::V4, relayed_v4()), (IPV6, Family::V6, relayed_v6())]
    {
        let mut stage = Stage::new();
        assert_eq!(
            stage.ask(alice(), &joe(), &allocate().family(family)),
            [open(alice(), &[expected], Protocol::Udp, Port::Any)]
        );
        let done = stage.opened(&[Ok(relayed)], None);
        assert!(
            matches!(&done[..], [Done::Reply { said, .. }] if said[0] == Said::Relayed(relayed))
        );
    }
}

#[test]
fn both_families_are_one_allocation() {
    let mut stage = Stage::new();
    let client = alice();
    assert_eq!(
        stage.ask(client, &joe(), &allocate().additional(IPV6)),
        [open(client, &[Family::V4, Family::V6], Protocol::Udp, Port::Any)]
    );
    assert_eq!(
        stage.opened(&[Ok(relayed_v4()), Ok(relayed_v6())], None),
        [success(
            client,
            ALLOCATE,
            &[
                Said::Relayed(relayed_v4()),
                Said::Relayed(relayed_v6()),
                Said::Mapped(client.client),
                Said::Lifetime(600),
                Said::Signed
            ]
        )]
    );
    assert_eq!(stage.server.len(), 1);
}

#[test]
fn of_two_families_one_is_enough() {
    let (ok_v4, ok_v6) = (Ok(relayed_v4()), Ok(relayed_v6()));
    for (opened, there, missing) in [
        ([ok_v4, Err(OpenError::Family)], relayed_v4(), Said::FamilyError(Family::V6, 440)),
        ([ok_v4, Err(OpenError::Capacity)], relayed_v4(), Said::FamilyError(Family::V6, 508)),
        ([Err(OpenError::Family), ok_v6], relayed_v6(), Said::FamilyError(Family::V4, 440)),
    ] {
        let mut stage = Stage::new();
        let client = alice();
        stage.ask(client, &joe(), &allocate().additional(IPV6));
        assert_eq!(
            stage.opened(&opened, None),
            [success(
                client,
                ALLOCATE,
                &[
                    Said::Relayed(there),
                    missing,
                    Said::Mapped(client.client),
                    Said::Lifetime(600),
                    Said::Signed
                ]
            )]
        );
        let there: Vec<_> = stage.relays.iter().map(Option::is_some).collect();
        let expected: Vec<_> = opened.iter().map(Result::is_ok).collect();
        assert_eq!(there, expected);
    }
}

#[test]
fn no_socket_is_a_refusal_that_leaves_nothing() {
    for (errors, code, refusal) in [
        (vec![Err(OpenError::Family)], 440, Refusal::AddressFamily),
        (vec![Err(OpenError::Capacity)], 508, Refusal::Capacity),
        (vec![Err(OpenError::Capacity), Err(OpenError::Family)], 440, Refusal::AddressFamily),
        (vec![Err(OpenError::Family), Err(OpenError::Capacity)], 508, Refusal::Capacity),
        (vec![], 508, Refusal::Capacity),
    ] {
        let mut stage = Stage::with(|settings| settings.limits.per_user = 1);
        let client = alice();
        let login = stage.login("shop", "x");
        stage.ask(client, &login, &allocate().additional(IPV6));
        stage.refusals();

        assert_eq!(stage.opened(&errors, None), [refused(client, ALLOCATE, code)]);
        assert!(matches!(
            &stage.reports[..],
            [Report::Refused { app: Some(app), reason, .. }]
                if **app == *"shop" && *reason == refusal
        ));
        assert_eq!(stage.refusals(), [("shop".to_owned(), refusal, 1)]);
        assert!(stage.server.is_empty());
        assert!(stage.relays.iter().all(Option::is_none));
        // Neither the quota nor the 5-tuple is taken.
        stage.allocated(client, &login);
    }
}

#[test]
fn ports_are_asked_for_in_every_way() {
    for (draft, port) in [
        (allocate(), Port::Any),
        (allocate().even(false), Port::Even { reserve: false }),
        (allocate().even(true), Port::Even { reserve: true }),
        (allocate().token(0x0102_0304_0506_0708), Port::Reserved(0x0102_0304_0506_0708)),
    ] {
        let mut stage = Stage::new();
        assert_eq!(
            stage.ask(alice(), &joe(), &draft),
            [open(alice(), &[Family::V4], Protocol::Udp, port)]
        );
    }
    let mut stage = Stage::new();
    assert_eq!(
        stage.ask(alice(), &joe(), &allocate().family(IPV6).even(true)),
        [open(alice(), &[Family::V6], Protocol::Udp, Port::Even { reserve: true })]
    );
}

#[test]
fn a_reserved_port_is_told_by_its_token_and_had_by_it() {
    let mut stage = Stage::new();
    let client = alice();
    stage.ask(client, &joe(), &allocate().even(true));
    assert_eq!(
        stage.opened(&[Ok(relayed_v4())], Some(77)),
        [success(
            client,
            ALLOCATE,
            &[
                Said::Relayed(relayed_v4()),
                Said::Mapped(client.client),
                Said::Lifetime(600),
                Said::Token(77),
                Said::Signed
            ]
        )]
    );

    let second = udp("198.51.100.7:40001");
    let done = stage.ask(second, &joe(), &allocate().token(77));
    assert!(matches!(done[..], [Done::Open { port: Port::Reserved(77), .. }]), "{done:?}");
    assert_eq!(
        stage.opened(&[Err(OpenError::Capacity)], None),
        [refused(second, ALLOCATE, 508)],
        "taken by somebody else"
    );
}

#[test]
fn a_reservation_may_be_of_either_family() {
    let mut stage = Stage::new();
    stage.ask(alice(), &joe(), &allocate().token(77));
    let done = stage.opened(&[Ok(relayed_v6())], None);
    assert!(
        matches!(&done[..], [Done::Reply { said, .. }] if said[0] == Said::Relayed(relayed_v6()))
    );
    let (joe, peer) = (joe(), crate::stage::peer_v6());
    let done = stage.ask(alice(), &joe, &crate::draft::permit(&[peer]));
    assert!(matches!(&done[..], [Done::Reply { said, .. }] if said[..] == [Said::Signed]));
}

#[test]
fn wishes_that_contradict_each_other_are_bad_requests() {
    for draft in [
        Draft::new(ALLOCATE),
        Draft::new(ALLOCATE).raw(0x0019, &[]),
        Draft::new(ALLOCATE).raw(0x0019, &[17]),
        allocate().even(true).token(7),
        allocate().even(false).token(7),
        allocate().token(7).family(IPV4),
        allocate().token(7).additional(IPV6),
        allocate().family(IPV4).additional(IPV6),
        // IPv4 is what an allocation has anyway.
        allocate().raw(0x8000, &[1, 0, 0, 0]),
        allocate().additional(IPV6).even(true),
        allocate().raw(0x0022, &[1, 2, 3]),
        allocate().raw(0x000d, &[1]),
        allocate().raw(0x0018, &[]),
    ] {
        let mut stage = Stage::new();
        assert_eq!(stage.ask(alice(), &joe(), &draft), [refused(alice(), ALLOCATE, 400)]);
        assert!(stage.server.is_empty());
    }
}

#[test]
fn only_udp_and_tcp_are_relayed() {
    for protocol in [0, 1, 16, 132, 255] {
        let mut stage = Stage::new();
        let draft = Draft::new(ALLOCATE).with(&RequestedTransport::new(protocol));
        assert_eq!(stage.ask(alice(), &joe(), &draft), [refused(alice(), ALLOCATE, 442)]);
    }
}

#[test]
fn a_family_that_does_not_exist_is_not_supported() {
    for kind in [0x0017, 0x8000] {
        for family in [0, 3, 255] {
            let mut stage = Stage::new();
            let draft = allocate().raw(kind, &[family, 0, 0, 0]);
            assert_eq!(stage.ask(alice(), &joe(), &draft), [refused(alice(), ALLOCATE, 440)]);
        }
    }
}

#[test]
fn connections_are_relayed_for_clients_on_a_connection() {
    let mut stage = Stage::new();
    assert_eq!(
        stage.ask(carol(), &joe(), &allocate_tcp()),
        [open(carol(), &[Family::V4], Protocol::Tcp, Port::Any)]
    );

    for draft in [allocate_tcp().even(false), allocate_tcp().token(1)] {
        let mut stage = Stage::new();
        assert_eq!(stage.ask(carol(), &joe(), &draft), [refused(carol(), ALLOCATE, 400)]);
    }
    assert_eq!(stage.ask(alice(), &joe(), &allocate_tcp()), [refused(alice(), ALLOCATE, 400)]);
}

#[test]
fn a_draining_server_sends_clients_elsewhere() {
    let (v4, v6) = (at("203.0.113.1:3478"), at("[2001:db8::3]:3478"));
    let mut stage = Stage::with(|settings| settings.alternates = vec![v6, v4]);
    let old = alice();
    stage.allocated(old, &joe());
    stage.shared.drain();

    for (client, alternate) in
        [(carol(), v4), (udp("[2001:db8::9]:1"), v6), (udp("198.51.100.7:9"), v4)]
    {
        assert_eq!(
            stage.ask(client, &joe(), &allocate()),
            [failure(
                client,
                ALLOCATE,
                &[Said::Error(300), Said::Alternate(alternate), Said::Signed]
            )]
        );
    }
    assert_eq!(
        stage.ask(old, &joe(), &refresh()),
        [success(old, REFRESH, &[Said::Lifetime(600), Said::Signed])],
        "those that have an allocation stay"
    );
    let refused = stage.refusals();
    assert!(refused.contains(&("other".to_owned(), Refusal::Draining, 3)), "{refused:?}");
}

#[test]
fn clients_are_spread_over_the_alternates() {
    for count in 1..=4_u16 {
        let alternates: Vec<_> =
            (1..=count).map(|number| at(&format!("203.0.113.{number}:3478"))).collect();
        let mut stage = Stage::with(|settings| settings.alternates.clone_from(&alternates));
        stage.shared.drain();
        let mut sent_to: Vec<_> = (0..count)
            .map(|_| match &stage.ask(alice(), &joe(), &allocate())[..] {
                [Done::Reply { said, .. }] => said[1].clone(),
                other => unreachable!("{other:?}"),
            })
            .collect();
        sent_to.sort_by_key(|said| format!("{said:?}"));
        let all: Vec<_> = alternates.into_iter().map(Said::Alternate).collect();
        assert_eq!(sent_to, all, "each of {count} once");
    }
}

#[test]
fn a_draining_server_without_a_fitting_alternate_has_no_room() {
    let mut stage = Stage::with(|settings| settings.alternates = vec![at("[2001:db8::3]:3478")]);
    stage.shared.drain();
    assert_eq!(stage.ask(alice(), &joe(), &allocate()), [refused(alice(), ALLOCATE, 508)]);
}
