//! Binding requests: what anybody may ask (RFC 8489 section 6).

use peerway_turn::Refusal;
use stun_types::message::{BINDING, MessageClass};

use crate::draft::{Login, binding};
use crate::stage::{Said, Stage, alice, at, carol, failure, success, udp};

#[test]
fn a_client_learns_its_address() {
    let mut stage = Stage::new();
    for client in [alice(), carol(), udp("[2001:db8::7]:40000")] {
        assert_eq!(
            stage.try_ask(client, &binding()),
            [success(client, BINDING, &[Said::Mapped(client.client)])]
        );
    }
    assert_eq!(stage.refusals(), []);
}

#[test]
fn a_fingerprint_is_answered_with_a_fingerprint() {
    let client = alice();
    assert_eq!(
        Stage::new().try_ask(client, &binding().fingerprinted()),
        [success(client, BINDING, &[Said::Mapped(client.client), Said::Fingerprint])]
    );
}

#[test]
fn a_wrong_fingerprint_is_not_stun() {
    let mut stage = Stage::new();
    let mut bytes = binding().fingerprinted().plain();
    *bytes.last_mut().unwrap() ^= 1;

    assert_eq!(stage.tell(alice(), &bytes), []);
    assert_eq!(stage.refusals(), [("other".to_owned(), Refusal::Noise, 1)]);
}

#[test]
fn attributes_that_must_be_known_and_are_not_are_listed() {
    let client = alice();
    // CHANGE-REQUEST (RFC 5780), an optional one, and one nobody knows.
    let draft = binding().raw(0x0003, &[0; 4]).raw(0x8029, &[0; 8]).raw(0x7fff, b"x");
    let mut stage = Stage::new();

    assert_eq!(
        stage.try_ask(client, &draft),
        [failure(client, BINDING, &[Said::Error(420), Said::Unknown(vec![0x0003, 0x7fff])])]
    );
    assert_eq!(stage.refusals(), [("other".to_owned(), Refusal::UnknownAttribute, 1)]);
}

#[test]
fn a_credential_is_not_asked_for_and_does_no_harm() {
    let client = alice();
    let login = Login::new("nobody", "knows");
    assert_eq!(
        Stage::new().ask_with(client, &login, &binding(), "made up"),
        [success(client, BINDING, &[Said::Mapped(client.client)])]
    );
}

#[test]
fn a_source_gets_no_more_answers_than_its_rate() {
    let mut stage = Stage::with(|settings| settings.answers_per_source = 2);
    let asked = |stage: &mut Stage, client, times| {
        (0..times).filter(|_| !stage.try_ask(client, &binding()).is_empty()).count()
    };

    assert_eq!(asked(&mut stage, alice(), 20), 10, "five seconds' worth at once");
    assert_eq!(asked(&mut stage, udp("198.51.100.7:9"), 5), 0, "another port is no other source");
    assert_eq!(asked(&mut stage, udp("198.51.100.8:9"), 5), 5);
    stage.set_clock(1.0);
    assert_eq!(asked(&mut stage, alice(), 5), 2);
    assert_eq!(stage.refusals(), [("other".to_owned(), Refusal::AnswerRate, 10 + 5 + 3)]);
}

#[test]
fn what_is_no_request_is_not_answered() {
    let mut stage = Stage::new();
    for class in [MessageClass::Indication, MessageClass::Success, MessageClass::Error] {
        assert_eq!(stage.try_ask(alice(), &binding().of_class(class)), []);
    }
    for noise in [&b""[..], b"\x00", b"GET / HTTP/1.1\r\n\r\n", &[0x80; 40], &[0xff; 3]] {
        assert_eq!(stage.tell(alice(), noise), []);
    }
    assert_eq!(stage.refusals(), [("other".to_owned(), Refusal::Noise, 8)]);
}

#[test]
fn what_follows_the_message_in_a_datagram_makes_it_noise() {
    let mut stage = Stage::new();
    let mut bytes = binding().plain();
    // USERNAME "x", behind what the header says is the end.
    bytes.extend([0, 6, 0, 1, b'x', 0, 0, 0]);
    assert_eq!(stage.tell(alice(), &bytes), []);

    let mut bytes = binding().fingerprinted().plain();
    bytes.extend([0; 4]);
    assert_eq!(stage.tell(alice(), &bytes), []);
}

#[test]
fn the_answer_is_for_where_the_request_came_from() {
    let client = udp("[2001:db8:aa::1]:1");
    let other = at("203.0.113.9:9");
    // MAPPED-ADDRESS and XOR-MAPPED-ADDRESS in a request say nothing; the first must be known.
    let draft = binding().raw(0x8020, &other.port().to_be_bytes());
    assert_eq!(
        Stage::new().try_ask(client, &draft),
        [success(client, BINDING, &[Said::Mapped(client.client)])]
    );
}
