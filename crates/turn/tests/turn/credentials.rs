//! Which credentials open an allocation, and for how long (`peerway_turn::Credentials` through the
//! server).

use std::collections::BTreeMap;
use std::time::Duration;

use peerway_turn::{Credentials, Form, Refusal, Report, Settings};
use turn_types::message::{ALLOCATE, REFRESH};

use crate::draft::{Login, allocate, refresh};
use crate::stage::{
    Done, REALM, SESSION, Said, Stage, TTL, UNIX, alice, challenged, failure, relayed_v4, success,
};

/// Seconds that an allocation gets, `None` if the credential opens none.
fn granted(stage: &mut Stage, login: &Login) -> Option<u32> {
    match &stage.ask(alice(), login, &allocate().lifetime(3600))[..] {
        [Done::Open { .. }] => {}
        [Done::Reply { said, .. }] if said[0] == Said::Error(401) => return None,
        other => unreachable!("{other:?}"),
    }
    let done = stage.opened(&[Ok(relayed_v4())], None);
    let [Done::Reply { said, .. }] = &done[..] else { unreachable!("{done:?}") };
    let lifetime = said.iter().find_map(|said| match said {
        Said::Lifetime(seconds) => Some(*seconds),
        _ => None,
    });
    stage.disconnect(alice());
    lifetime
}

fn app(stage: &mut Stage, login: &Login) -> String {
    stage.ask(alice(), login, &allocate());
    stage.opened(&[Ok(relayed_v4())], None);
    let reported = match &stage.reports[..] {
        [Report::Opened { owner, .. }] => owner.app.to_string(),
        other => unreachable!("{other:?}"),
    };
    stage.disconnect(alice());
    reported
}

fn login(credential: &peerway_turn::Credential) -> Login {
    Login::new(&credential.username, &credential.password)
}

fn secrets(secrets: &'static [&'static str]) -> impl FnOnce(&mut Settings) {
    |settings| {
        let secrets = secrets.iter().map(ToString::to_string).collect();
        settings.credentials = Credentials::new(secrets, BTreeMap::new(), Duration::from_secs(TTL));
    }
}

fn issued_by(secret: &str, form: Form) -> Login {
    let credentials =
        Credentials::new(vec![secret.into()], BTreeMap::new(), Duration::from_secs(TTL));
    login(&credentials.issue(form, "shop", "x", UNIX).expect("there is a secret"))
}

#[test]
fn both_forms_and_static_users_open_allocations() {
    let mut stage = Stage::new();
    for login in [
        issued_by("north", Form::Colon),
        issued_by("north", Form::Dot),
        Login::new("joe", "pw"),
        // coturn's form without a name: `turnutils_uclient` and others make it by themselves.
        // printf %s 1900000000 | openssl dgst -sha1 -hmac north -binary | base64
        Login::new("1900000000", "Y84u/PlFlPchf5/1HmQYJrZ34c4="),
    ] {
        assert_eq!(granted(&mut stage, &login), Some(3600), "{login:?}");
    }
}

#[test]
fn the_user_name_says_the_app() {
    let mut stage = Stage::new();
    let logins = [
        (stage.login("shop", "x"), "shop"),
        (stage.login("chat", ""), "chat"),
        (stage.login("unknown", "x"), "other"),
        (stage.login("", "x"), "other"),
        (stage.login("other", "x"), "other"),
        (issued_by("north", Form::Dot), "shop"),
        (Login::new("joe", "pw"), "other"),
    ];
    for (login, expected) in logins {
        assert_eq!(app(&mut stage, &login), expected, "{login:?}");
    }
    let credentials = &stage.shared.settings().credentials;
    let of_peer = login(&credentials.issue_for_peer("chat", "alice", UNIX).unwrap());
    assert_eq!(app(&mut stage, &of_peer), "chat");
}

#[test]
fn secrets_rotate_with_an_overlap() {
    for form in [Form::Colon, Form::Dot] {
        let (old, new) = (issued_by("old", form), issued_by("new", form));
        let mut before = Stage::with(secrets(&["old"]));
        assert_eq!(granted(&mut before, &old), Some(3600));
        assert_eq!(granted(&mut before, &new), None);
        let mut overlap = Stage::with(secrets(&["new", "old"]));
        assert_eq!(granted(&mut overlap, &old), Some(3600));
        assert_eq!(granted(&mut overlap, &new), Some(3600));
        let first = overlap.login("shop", "x");
        assert_eq!(first, issued_by("new", Form::Colon), "the first one signs");
        let mut after = Stage::with(secrets(&["new"]));
        assert_eq!(granted(&mut after, &old), None);
        assert_eq!(granted(&mut after, &new), Some(3600));
    }
}

#[test]
fn without_secrets_only_static_users_come_in() {
    let mut stage = Stage::with(|settings| {
        let users = BTreeMap::from([("joe".into(), "pw".into())]);
        settings.credentials = Credentials::new(Vec::new(), users, Duration::from_secs(TTL));
    });
    assert_eq!(granted(&mut stage, &Login::new("joe", "pw")), Some(3600));
    assert_eq!(granted(&mut stage, &issued_by("", Form::Colon)), None);
}

#[test]
fn an_expired_credential_opens_nothing() {
    for login in [issued_by("north", Form::Colon), issued_by("north", Form::Dot)] {
        let mut stage = Stage::new();
        stage.set_clock(seconds(TTL) - 1.0);
        assert_eq!(granted(&mut stage, &login), Some(3600));
        stage.refusals();
        stage.set_clock(seconds(TTL));
        assert_eq!(
            stage.ask(alice(), &login, &allocate()),
            [failure(
                alice(),
                ALLOCATE,
                &[Said::Error(401), Said::Realm(REALM.into()), Said::Nonce]
            )]
        );
        let counts = stage.refusals();
        assert!(counts.contains(&("other".to_owned(), Refusal::Expired, 1)), "{counts:?}");
    }
}

#[test]
fn an_allocation_is_refreshed_until_its_session_is_over() {
    let mut stage = Stage::new();
    let login = stage.login("shop", "x");
    let client = alice();
    stage.set_clock(100.0);
    stage.allocated(client, &login);
    let answered = |lifetime| [success(client, REFRESH, &[Said::Lifetime(lifetime), Said::Signed])];

    // The session ends SESSION after the allocation began, which is after the credential's end.
    let end = 100.0 + seconds(SESSION);
    for (moment, expected) in [
        (seconds(TTL) + 1.0, 3600),
        (seconds(TTL) + 3000.0, 3600),
        (end - 5000.0, 3600),
        (end - 3600.0, 3600),
        (end - 3599.0, 3599),
        (end - 50.0, 50),
        (end - 1.0, 1),
    ] {
        stage.keep_until(moment, client, &login);
        assert_eq!(
            stage.ask(client, &login, &refresh().lifetime(3600)),
            answered(expected),
            "{moment}"
        );
    }
    // Nothing is left to refresh then, unless the clock of the wall jumps.
    stage.put_forward = 2;
    let said = [Said::Error(401), Said::Realm(REALM.into()), Said::Nonce, Said::Signed];
    assert_eq!(
        stage.ask(client, &login, &refresh().lifetime(3600)),
        [failure(client, REFRESH, &said)]
    );
    let counts = stage.refusals();
    assert!(counts.contains(&("shop".to_owned(), Refusal::Expired, 1)), "{counts:?}");
}

#[test]
fn a_credential_that_outlives_the_session_length_counts() {
    let mut stage = Stage::with(|settings| settings.session_length = Duration::ZERO);
    let login = stage.login("shop", "x");
    stage.set_clock(seconds(TTL) - 700.0);
    assert_eq!(granted(&mut stage, &login), Some(700), "no allocation outlives both");
    stage.allocated(alice(), &login);
    stage.set_clock(seconds(TTL) - 101.0);
    assert_eq!(
        stage.ask(alice(), &login, &refresh()),
        [success(alice(), REFRESH, &[Said::Lifetime(101), Said::Signed])]
    );
    stage.set_clock(seconds(TTL) - 100.0);
    assert_eq!(
        stage.ask(alice(), &login, &refresh()),
        [success(alice(), REFRESH, &[Said::Lifetime(100), Said::Signed])]
    );
}

#[test]
fn static_users_have_no_end() {
    let mut stage = Stage::new();
    let joe = Login::new("joe", "pw");
    stage.allocated(alice(), &joe);
    for turn in 0..200_u32 {
        stage.wait_until(f64::from(turn) * 3590.0 + 9.0);
        assert_eq!(
            stage.ask(alice(), &joe, &refresh().lifetime(3600)),
            [success(alice(), REFRESH, &[Said::Lifetime(3600), Said::Signed])]
        );
    }
}

#[test]
fn the_password_of_a_skyway_fork_is_good_for_this_span_and_the_next() {
    let mut stage = Stage::new();
    let credentials = stage.shared.settings().credentials.clone();
    let alices = login(&credentials.issue_for_peer("shop", "alice", UNIX).unwrap());
    assert_eq!(alices.name, "shop$alice");
    let span_ends = TTL - UNIX % TTL;

    for (moment, expected) in [
        (0, Some(3600)),
        (span_ends - 1, Some(3600)),
        (span_ends, Some(3600)),
        (span_ends + TTL - 1, Some(3600)),
        (span_ends + TTL, None),
    ] {
        stage.set_clock(seconds(moment));
        assert_eq!(granted(&mut stage, &alices), expected, "after {moment} seconds");
    }
}

#[test]
fn the_password_of_a_skyway_fork_is_one_peers() {
    let mut stage = Stage::new();
    let credentials = stage.shared.settings().credentials.clone();
    let alices = login(&credentials.issue_for_peer("shop", "alice", UNIX).unwrap());
    for name in ["shop$bob", "chat$alice", "shop$alice ", "shop", "$"] {
        let forged = Login { name: name.into(), ..alices.clone() };
        assert_eq!(granted(&mut stage, &forged), None, "{name}");
    }
}

#[test]
fn a_skyway_fork_client_keeps_its_allocation_when_its_password_runs_out() {
    let mut stage = Stage::new();
    let credentials = stage.shared.settings().credentials.clone();
    let alices = login(&credentials.issue_for_peer("shop", "alice", UNIX).unwrap());
    stage.allocated(alice(), &alices);

    stage.keep_until(seconds(TTL * 2), alice(), &alices);
    assert_eq!(
        stage.ask(alice(), &alices, &refresh()),
        [success(alice(), REFRESH, &[Said::Lifetime(600), Said::Signed])]
    );
    let elsewhere = crate::stage::udp("198.51.100.7:2");
    assert_eq!(stage.ask(elsewhere, &alices, &allocate()), [challenged(elsewhere, ALLOCATE, 401)]);
}

fn seconds(count: u64) -> f64 {
    f64::from(u32::try_from(count).expect("the tests take days, not centuries"))
}
