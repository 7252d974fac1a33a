//! What the server tells about itself.

use std::time::Duration;

use peerway_turn::{CloseReason, Flow, Refusal, Report, Traffic};
use turn_types::AddressFamily::IPV6;

use crate::draft::{Login, allocate, permit, refresh, release, send};
use crate::stage::{Stage, alice, peer_v4, relayed_v4, relayed_v6};

#[test]
fn an_allocation_is_reported_from_its_beginning_to_its_end() {
    let mut stage = Stage::new();
    let login = stage.login("shop", "x");
    stage.set_clock(5.0);
    stage.ask(alice(), &login, &allocate().additional(IPV6));
    assert!(stage.reports.is_empty(), "nothing is there yet");
    stage.opened(&[Ok(relayed_v4()), Ok(relayed_v6())], None);
    let [Report::Opened { owner, relayed }] = &stage.reports[..] else {
        unreachable!("{:?}", stage.reports)
    };
    assert_eq!((&*owner.app, &*owner.user, owner.client), ("shop", &*login.name, alice()));
    assert_eq!(relayed[..], [relayed_v4(), relayed_v6()]);

    stage.ask(alice(), &login, &permit(&[peer_v4()]));
    assert!(stage.reports.is_empty());
    stage.send(alice(), &send(peer_v4(), b"hello")).unwrap();
    let relay = stage.relays[0].unwrap();
    stage.receive(relay, peer_v4(), b"hi").unwrap();
    stage.receive(relay, peer_v4(), b"").unwrap();
    stage.set_clock(47.5);
    stage.ask(alice(), &login, &release());
    let [Report::Closed { owner, reason, traffic, age }] = &stage.reports[..] else {
        unreachable!("{:?}", stage.reports)
    };
    assert_eq!((&*owner.app, &*owner.user, owner.client), ("shop", &*login.name, alice()));
    assert_eq!((*reason, *age), (CloseReason::Released, Duration::from_millis(42_500)));
    assert_eq!(
        *traffic,
        Traffic {
            to_peer: Flow { packets: 1, bytes: 5 },
            to_client: Flow { packets: 2, bytes: 2 }
        }
    );
}

#[test]
fn refusals_are_reported_with_the_app_of_whoever_proved_to_be_of_it() {
    let mut stage = Stage::new();
    let login = stage.login("shop", "x");
    let forged = Login { password: "x".into(), ..login.clone() };
    for (login, draft, app, reason) in [
        (&login, refresh(), Some("shop"), Refusal::Mismatch),
        (&Login::new("joe", "pw"), refresh(), Some("other"), Refusal::Mismatch),
        (&forged, refresh(), None, Refusal::Credentials),
    ] {
        stage.nonce(alice());
        stage.ask(alice(), login, &draft);
        let [Report::Refused { app: told, client, reason: why }] = &stage.reports[..] else {
            unreachable!("{:?}", stage.reports)
        };
        assert_eq!((told.as_deref(), *client, *why), (app, alice(), reason));
    }
}

#[test]
fn counts_are_of_what_happened_since_the_last_time() {
    let mut stage = Stage::new();
    assert!(stage.server.take_counts().is_empty());
    stage.try_ask(alice(), &allocate());
    let counts = stage.server.take_counts();
    assert!(matches!(&counts[..], [counts] if &*counts.app == "other" && !counts.is_empty()));
    assert!(stage.server.take_counts().is_empty());
}

#[test]
fn the_apps_that_reports_name_are_those_of_the_settings() {
    let mut stage = Stage::new();
    for app in ["shop", "chat", "invented", "SHOP", "shop\n"] {
        let login = stage.login(app, "x");
        stage.ask(alice(), &login, &refresh());
    }
    let mut apps: Vec<_> = stage.refusals().into_iter().map(|(app, _, _)| app).collect();
    apps.dedup();
    assert_eq!(apps, ["shop", "chat", "other"]);
}

#[test]
fn every_refusal_has_a_name_of_its_own() {
    let mut names: Vec<_> = Refusal::ALL.iter().map(|refusal| refusal.name()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), Refusal::ALL.len());
}
