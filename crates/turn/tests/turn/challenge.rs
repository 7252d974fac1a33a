//! Who asks: challenges, nonces, wrong credentials, and what is wrong with a request before it is
//! looked at (RFC 8489 section 9.2.4, RFC 8656 section 5).

use peerway_turn::Refusal;
use stun_types::attribute::{Nonce, Realm, Username};
use stun_types::message::Method;
use turn_types::message::{
    ALLOCATE, CHANNEL_BIND, CONNECT, CONNECTION_BIND, CREATE_PERMISSION, REFRESH,
};

use crate::draft::{
    Draft, Login, allocate, bind, connect, connection_bind, permit, refresh, release,
};
use crate::stage::{
    Done, Said, Stage, alice, carol, challenged, failure, peer_v4, refused, success, udp,
};

fn requests() -> [(Method, Draft); 6] {
    [
        (ALLOCATE, allocate()),
        (REFRESH, refresh()),
        (CREATE_PERMISSION, permit(&[peer_v4()])),
        (CHANNEL_BIND, bind(0x4000, peer_v4())),
        (CONNECT, connect(peer_v4())),
        (CONNECTION_BIND, connection_bind(1)),
    ]
}

#[test]
fn every_request_but_binding_needs_a_credential() {
    let mut stage = Stage::new();
    for (method, draft) in requests() {
        assert_eq!(stage.try_ask(alice(), &draft), [challenged(alice(), method, 401)]);
        assert_eq!(stage.reports.len(), 0, "how every client begins is nothing to tell");
    }
    assert_eq!(stage.refusals(), [("other".to_owned(), Refusal::Challenge, 6)]);
}

#[test]
fn a_challenge_has_a_fingerprint_when_the_request_had_one() {
    let client = alice();
    let said = [Said::Error(401), Said::Realm("peerway".into()), Said::Nonce, Said::Fingerprint];
    assert_eq!(
        Stage::new().try_ask(client, &allocate().fingerprinted()),
        [failure(client, ALLOCATE, &said)]
    );
}

#[test]
fn a_nonce_is_stale_after_an_hour_and_elsewhere() {
    let mut stage = Stage::new();
    let joe = Login::new("joe", "pw");
    let nonce = stage.nonce(alice());
    for (method, draft) in requests() {
        let elsewhere = udp("198.51.100.8:1");
        assert_eq!(
            stage.ask_with(elsewhere, &joe, &draft, &nonce),
            [challenged(elsewhere, method, 438)]
        );
        assert_eq!(
            stage.ask_with(alice(), &joe, &draft, "AAAA"),
            [challenged(alice(), method, 438)]
        );
    }
    stage.refusals();

    stage.set_clock(3599.0);
    assert_eq!(
        stage.ask_with(alice(), &joe, &refresh(), &nonce),
        [refused(alice(), REFRESH, 437)],
        "good for an hour"
    );
    stage.set_clock(3600.0);
    assert_eq!(
        stage.ask_with(alice(), &joe, &refresh(), &nonce),
        [challenged(alice(), REFRESH, 438)]
    );
    assert_eq!(
        stage.refusals(),
        [("other".to_owned(), Refusal::StaleNonce, 1), ("other".to_owned(), Refusal::Mismatch, 1)]
    );
}

#[test]
fn a_second_connection_of_a_client_may_use_its_nonce() {
    let mut stage = Stage::new();
    let nonce = stage.nonce(udp("198.51.100.7:1"));
    let done = stage.ask_with(udp("198.51.100.7:2"), &Login::new("joe", "pw"), &allocate(), &nonce);
    assert!(matches!(done[..], [Done::Open { .. }]), "{done:?}");
}

#[test]
fn wrong_credentials_are_challenged_again() {
    let mut stage = Stage::new();
    let right = stage.login("shop", "x");
    let expiry = right.name.split(':').next().unwrap().to_owned();
    for wrong in [
        Login::new("joe", "wrong"),
        Login::new("joe", ""),
        Login::new("nobody", "pw"),
        Login::new("", "pw"),
        Login { password: "Cd/49soE35ICqcJF/bCTn8Z4OyE=".into(), ..right.clone() },
        // Somebody else's password, and an expiry that was put off.
        Login { name: format!("{expiry}:shop$y"), ..right.clone() },
        Login { name: format!("9{}", right.name), ..right.clone() },
        Login { realm: "elsewhere".into(), ..right.clone() },
        Login { realm: String::new(), ..right.clone() },
    ] {
        for (method, draft) in requests() {
            assert_eq!(
                stage.ask(alice(), &wrong, &draft),
                [challenged(alice(), method, 401)],
                "{wrong:?}"
            );
        }
    }
    let counts = stage.refusals();
    assert!(counts.contains(&("other".to_owned(), Refusal::Credentials, 9 * 6)), "{counts:?}");
}

#[test]
fn a_tampered_request_proves_nothing() {
    let mut stage = Stage::new();
    let (client, joe) = (alice(), Login::new("joe", "pw"));
    stage.allocated(client, &joe);
    let nonce = stage.nonce(client);
    let draft = release();
    let mut bytes = draft.signed(&joe, &nonce);
    // The lifetime, in the first attribute.
    bytes[27] ^= 1;

    assert_eq!(stage.try_tell(client, &draft, &bytes), [challenged(client, REFRESH, 401)]);
    assert_eq!(stage.server.len(), 1);
}

#[test]
fn what_follows_the_signature_is_not_read() {
    let mut stage = Stage::new();
    let (client, joe) = (alice(), Login::new("joe", "pw"));
    stage.allocated(client, &joe);
    let nonce = stage.nonce(client);
    let draft = permit(&[]);
    let mut bytes = draft.signed(&joe, &nonce);
    bytes.extend([0x00, 0x12, 0, 8, 0, 1, 0x11, 0x11, 0x21, 0x12, 0xa4, 0x42]);
    let length = u16::try_from(bytes.len() - 20).unwrap();
    bytes[2..4].copy_from_slice(&length.to_be_bytes());

    assert_eq!(
        stage.try_tell(client, &draft, &bytes),
        [refused(client, CREATE_PERMISSION, 400)],
        "a request without a peer"
    );
}

#[test]
fn a_signature_without_name_realm_or_nonce_is_a_bad_request() {
    let mut stage = Stage::new();
    let joe = Login::new("joe", "pw");
    let (name, realm) = (Username::new("joe").unwrap(), Realm::new("peerway").unwrap());
    let nonce = stage.nonce(alice());
    let nonce = Nonce::new(&nonce).unwrap();
    for (method, draft) in requests() {
        for draft in [
            draft.clone(),
            draft.again().with(&realm).with(&nonce),
            draft.again().with(&name).with(&nonce),
            draft.again().with(&name).with(&realm),
            draft.again().raw(0x0006, b"\xff\xfe").with(&realm).with(&nonce),
            draft.again().raw(0x0006, &[b'a'; 509]).with(&realm).with(&nonce),
            draft.again().raw(0x0006, &[b'a'; 600]).with(&realm).with(&nonce),
            draft.again().with(&name).raw(0x0014, &[b'r'; 800]).with(&nonce),
            draft.again().with(&name).with(&realm).raw(0x0015, &[b'n'; 800]),
        ] {
            assert_eq!(
                stage.try_tell(alice(), &draft, &draft.integral(&joe)),
                [failure(alice(), method, &[Said::Error(400)])]
            );
        }
    }
}

#[test]
fn a_name_of_508_bytes_is_a_name() {
    let mut stage = Stage::new();
    let long = format!("{}:{}", crate::stage::UNIX + 60, "a".repeat(497));
    assert_eq!(long.len(), 508);
    assert_eq!(
        stage.ask(alice(), &Login::new(&long, "pw"), &allocate()),
        [challenged(alice(), ALLOCATE, 401)]
    );
}

#[test]
fn a_signature_of_another_kind_is_none() {
    let mut stage = Stage::new();
    // MESSAGE-INTEGRITY-SHA256 alone: it was not offered.
    let draft = allocate().raw(0x001c, &[0; 32]);
    assert_eq!(stage.try_ask(alice(), &draft), [challenged(alice(), ALLOCATE, 401)]);
    // MESSAGE-INTEGRITY of a length that SHA-1 does not have.
    let nonce = stage.nonce(alice());
    let draft = allocate()
        .with(&Username::new("joe").unwrap())
        .with(&Realm::new("peerway").unwrap())
        .with(&Nonce::new(&nonce).unwrap())
        .raw(0x0008, &[0; 16]);
    assert_eq!(stage.try_ask(alice(), &draft), [challenged(alice(), ALLOCATE, 401)]);
}

#[test]
fn demands_that_nobody_knows_are_listed_under_a_signature() {
    let mut stage = Stage::new();
    let joe = Login::new("joe", "pw");
    for (method, draft) in requests() {
        // DONT-FRAGMENT, and an optional attribute.
        let draft = draft.raw(0x001a, &[]).raw(0x8022, b"test");
        assert_eq!(
            stage.ask(alice(), &joe, &draft),
            [failure(
                alice(),
                method,
                &[Said::Error(420), Said::Unknown(vec![0x001a]), Said::Signed]
            )]
        );
    }
    // An attribute of another request is as strange.
    assert_eq!(
        stage.ask(alice(), &joe, &refresh().even(true)),
        [failure(alice(), REFRESH, &[Said::Error(420), Said::Unknown(vec![0x0018]), Said::Signed])]
    );
}

#[test]
fn a_request_that_nobody_knows_is_a_bad_one() {
    let mut stage = Stage::new();
    for number in [0x000, 0x002, 0x005, 0x00c, 0x00d, 0xfff] {
        let method = Method::new(number);
        assert_eq!(
            stage.ask(alice(), &Login::new("joe", "pw"), &Draft::new(method)),
            [refused(alice(), method, 400)]
        );
    }
}

#[test]
fn requests_about_no_allocation_are_mismatches() {
    let mut stage = Stage::new();
    for (method, draft) in requests() {
        if method != ALLOCATE && method != CONNECTION_BIND {
            assert_eq!(
                stage.ask(alice(), &Login::new("joe", "pw"), &draft),
                [refused(alice(), method, 437)]
            );
        }
    }
}

#[test]
fn an_allocation_obeys_nobody_but_its_user() {
    let mut stage = Stage::new();
    let (joe, ann) = (Login::new("joe", "pw"), Login::new("ann", "pw"));
    for client in [alice(), carol()] {
        stage.allocated(client, &joe);
        for (method, draft) in requests() {
            let expected = match method {
                ALLOCATE => 437,
                CONNECTION_BIND => 400,
                _ => 441,
            };
            assert_eq!(stage.ask(client, &ann, &draft), [refused(client, method, expected)]);
        }
        assert_eq!(
            stage.ask(client, &joe, &refresh()),
            [success(client, REFRESH, &[Said::Lifetime(600), Said::Signed])]
        );
    }
}

#[test]
fn what_is_refused_before_it_is_signed_counts_for_no_app() {
    let mut stage = Stage::new();
    let forged = Login { password: "x".into(), ..stage.login("shop", "x") };
    stage.ask(alice(), &forged, &allocate());
    let genuine = stage.login("shop", "x");
    stage.ask(alice(), &genuine, &refresh());

    assert_eq!(
        stage.refusals(),
        [
            ("shop".to_owned(), Refusal::Mismatch, 1),
            ("other".to_owned(), Refusal::Challenge, 1),
            ("other".to_owned(), Refusal::Credentials, 1),
        ]
    );
}
