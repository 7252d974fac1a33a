//! The test vectors of RFC 5769, through the codec that we use and through the server.

use std::net::SocketAddr;

use peerway_turn::{Credentials, Refusal};
use stun_types::attribute::{Nonce, Realm, Software, Username, XorMappedAddress};
use stun_types::message::{
    BINDING, LongTermKeyCredentials, Message, MessageIntegrityCredentials, ShortTermCredentials,
};

use crate::draft::Login;
use crate::stage::{Done, Said, Stage, alice, at, failure, success};

/// Section 2.1.
#[rustfmt::skip]
const REQUEST: [u8; 108] = [
    0x00, 0x01, 0x00, 0x58, 0x21, 0x12, 0xa4, 0x42,
    0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae,
    // SOFTWARE
    0x80, 0x22, 0x00, 0x10,
    0x53, 0x54, 0x55, 0x4e, 0x20, 0x74, 0x65, 0x73, 0x74, 0x20, 0x63, 0x6c, 0x69, 0x65, 0x6e, 0x74,
    // PRIORITY
    0x00, 0x24, 0x00, 0x04, 0x6e, 0x00, 0x01, 0xff,
    // ICE-CONTROLLED
    0x80, 0x29, 0x00, 0x08, 0x93, 0x2f, 0xf9, 0xb1, 0x51, 0x26, 0x3b, 0x36,
    // USERNAME, padded with blanks
    0x00, 0x06, 0x00, 0x09,
    0x65, 0x76, 0x74, 0x6a, 0x3a, 0x68, 0x36, 0x76, 0x59, 0x20, 0x20, 0x20,
    // MESSAGE-INTEGRITY
    0x00, 0x08, 0x00, 0x14,
    0x9a, 0xea, 0xa7, 0x0c, 0xbf, 0xd8, 0xcb, 0x56, 0x78, 0x1e,
    0xf2, 0xb5, 0xb2, 0xd3, 0xf2, 0x49, 0xc1, 0xb5, 0x71, 0xa2,
    // FINGERPRINT
    0x80, 0x28, 0x00, 0x04, 0xe5, 0x7a, 0x3b, 0xcf,
];

/// Section 2.2.
#[rustfmt::skip]
const IPV4_RESPONSE: [u8; 80] = [
    0x01, 0x01, 0x00, 0x3c, 0x21, 0x12, 0xa4, 0x42,
    0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae,
    // SOFTWARE
    0x80, 0x22, 0x00, 0x0b,
    0x74, 0x65, 0x73, 0x74, 0x20, 0x76, 0x65, 0x63, 0x74, 0x6f, 0x72, 0x20,
    // XOR-MAPPED-ADDRESS
    0x00, 0x20, 0x00, 0x08, 0x00, 0x01, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43,
    // MESSAGE-INTEGRITY
    0x00, 0x08, 0x00, 0x14,
    0x2b, 0x91, 0xf5, 0x99, 0xfd, 0x9e, 0x90, 0xc3, 0x8c, 0x74,
    0x89, 0xf9, 0x2a, 0xf9, 0xba, 0x53, 0xf0, 0x6b, 0xe7, 0xd7,
    // FINGERPRINT
    0x80, 0x28, 0x00, 0x04, 0xc0, 0x7d, 0x4c, 0x96,
];

/// Section 2.3.
#[rustfmt::skip]
const IPV6_RESPONSE: [u8; 92] = [
    0x01, 0x01, 0x00, 0x48, 0x21, 0x12, 0xa4, 0x42,
    0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae,
    // SOFTWARE
    0x80, 0x22, 0x00, 0x0b,
    0x74, 0x65, 0x73, 0x74, 0x20, 0x76, 0x65, 0x63, 0x74, 0x6f, 0x72, 0x20,
    // XOR-MAPPED-ADDRESS
    0x00, 0x20, 0x00, 0x14, 0x00, 0x02, 0xa1, 0x47,
    0x01, 0x13, 0xa9, 0xfa, 0xa5, 0xd3, 0xf1, 0x79, 0xbc, 0x25, 0xf4, 0xb5, 0xbe, 0xd2, 0xb9, 0xd9,
    // MESSAGE-INTEGRITY
    0x00, 0x08, 0x00, 0x14,
    0xa3, 0x82, 0x95, 0x4e, 0x4b, 0xe6, 0x7b, 0xf1, 0x17, 0x84,
    0xc9, 0x7c, 0x82, 0x92, 0xc2, 0x75, 0xbf, 0xe3, 0xed, 0x41,
    // FINGERPRINT
    0x80, 0x28, 0x00, 0x04, 0xc8, 0xfb, 0x0b, 0x4c,
];

/// Section 2.4.
#[rustfmt::skip]
const LONG_TERM_REQUEST: [u8; 116] = [
    0x00, 0x01, 0x00, 0x60, 0x21, 0x12, 0xa4, 0x42,
    0x78, 0xad, 0x34, 0x33, 0xc6, 0xad, 0x72, 0xc0, 0x29, 0xda, 0x41, 0x2e,
    // USERNAME
    0x00, 0x06, 0x00, 0x12,
    0xe3, 0x83, 0x9e, 0xe3, 0x83, 0x88, 0xe3, 0x83, 0xaa, 0xe3,
    0x83, 0x83, 0xe3, 0x82, 0xaf, 0xe3, 0x82, 0xb9, 0x00, 0x00,
    // NONCE
    0x00, 0x15, 0x00, 0x1c,
    0x66, 0x2f, 0x2f, 0x34, 0x39, 0x39, 0x6b, 0x39, 0x35, 0x34, 0x64, 0x36, 0x4f, 0x4c,
    0x33, 0x34, 0x6f, 0x4c, 0x39, 0x46, 0x53, 0x54, 0x76, 0x79, 0x36, 0x34, 0x73, 0x41,
    // REALM
    0x00, 0x14, 0x00, 0x0b,
    0x65, 0x78, 0x61, 0x6d, 0x70, 0x6c, 0x65, 0x2e, 0x6f, 0x72, 0x67, 0x00,
    // MESSAGE-INTEGRITY
    0x00, 0x08, 0x00, 0x14,
    0xf6, 0x70, 0x24, 0x65, 0x6d, 0xd6, 0x4a, 0x3e, 0x02, 0xb8,
    0xe0, 0x71, 0x2e, 0x85, 0xc9, 0xa2, 0x8c, 0xa8, 0x96, 0x66,
];

const USER: &str = "マトリックス";
const PASSWORD: &str = "TheMatrIX";
const REALM: &str = "example.org";

fn short_term() -> MessageIntegrityCredentials {
    ShortTermCredentials::new("VOkJxbRl1RmTxUk/WvJxBt".into()).into()
}

fn long_term(user: &str) -> MessageIntegrityCredentials {
    LongTermKeyCredentials::new(user.into(), PASSWORD.into(), REALM.into()).into()
}

#[test]
fn the_request_is_read_as_it_was_meant() {
    // A right FINGERPRINT, or it would not be read at all.
    let message = Message::from_bytes(&REQUEST).unwrap();
    assert!(message.has_method(BINDING));
    assert_eq!(u128::from(message.transaction_id()), 0xb7e7_a701_bc34_d686_fa87_dfae);
    assert_eq!(message.attribute::<Software>().unwrap().software(), "STUN test client");
    assert_eq!(message.attribute::<Username>().unwrap().username(), "evtj:h6vY");
    assert!(message.validate_integrity(&short_term()).is_ok());
    let wrong = ShortTermCredentials::new("wrong".into()).into();
    assert!(message.validate_integrity(&wrong).is_err());
}

#[test]
fn every_byte_of_the_request_is_under_its_fingerprint() {
    for at in 0..REQUEST.len() {
        let mut bytes = REQUEST;
        bytes[at] ^= 0x01;
        let mut stage = Stage::new();
        let done = stage.tell(alice(), &bytes);
        // What is left is no STUN at all; only the mark itself may have been hit.
        let marked = !(100..102).contains(&at);
        assert_eq!(done.is_empty(), marked, "{at}: {done:?}");
    }
}

#[test]
fn mapped_addresses_are_read_as_they_were_meant() {
    let responses: [(&[u8], &str); 2] = [
        (&IPV4_RESPONSE, "192.0.2.1:32853"),
        (&IPV6_RESPONSE, "[2001:db8:1234:5678:11:2233:4455:6677]:32853"),
    ];
    for (bytes, expected) in responses {
        let message = Message::from_bytes(bytes).unwrap();
        let mapped: XorMappedAddress = message.attribute().unwrap();
        assert_eq!(mapped.addr(message.transaction_id()), at(expected));
        assert_eq!(message.attribute::<Software>().unwrap().software(), "test vector");
        assert!(message.validate_integrity(&short_term()).is_ok());
    }
}

#[test]
fn the_server_writes_mapped_addresses_as_the_responses_have_them() {
    let responses: [(&[u8], &str); 2] = [
        (&IPV4_RESPONSE, "192.0.2.1:32853"),
        (&IPV6_RESPONSE, "[2001:db8:1234:5678:11:2233:4455:6677]:32853"),
    ];
    for (response, client) in responses {
        let client: SocketAddr = at(client);
        let from = peerway_turn::FiveTuple { client, ..alice() };
        let mut stage = Stage::new();
        // The head of the request, with the transaction that the address is masked with.
        let mut bytes = REQUEST[..20].to_vec();
        bytes[3] = 0;
        let now = stage.now();
        stage.server.handle_client(&from, &bytes, now);
        let Some(peerway_turn::Command::Reply { bytes, .. }) = stage.server.next_command() else {
            unreachable!("a binding request is answered")
        };
        let length = if client.is_ipv4() { 12 } else { 24 };
        assert_eq!(bytes[20..], response[36..36 + length]);
    }
}

#[test]
fn the_server_does_not_know_the_demands_of_ice() {
    let mut stage = Stage::new();
    let said = [Said::Error(420), Said::Unknown(vec![0x0024]), Said::Fingerprint];
    assert_eq!(stage.tell(alice(), &REQUEST), [failure(alice(), BINDING, &said)]);
}

#[test]
fn the_long_term_request_is_read_as_it_was_meant() {
    let message = Message::from_bytes(&LONG_TERM_REQUEST).unwrap();
    assert_eq!(message.attribute::<Username>().unwrap().username(), USER);
    assert_eq!(message.attribute::<Realm>().unwrap().realm(), REALM);
    let nonce: Nonce = message.attribute().unwrap();
    assert_eq!(nonce.nonce(), "f//499k954d6OL34oL9FSTvy64sA");
    assert!(message.validate_integrity(&long_term(USER)).is_ok());
    assert!(message.validate_integrity(&long_term("マトリックズ")).is_err());
}

/// A server of that realm with that user.
fn matrix() -> Stage {
    Stage::with(|settings| {
        settings.realm = REALM.into();
        let users = [(USER.to_owned(), PASSWORD.to_owned())].into();
        settings.credentials = Credentials::new(Vec::new(), users, settings.credentials.ttl());
    })
}

#[test]
fn the_long_term_request_is_a_binding_request_like_any_other() {
    let mapped = Said::Mapped(alice().client);
    assert_eq!(
        matrix().tell(alice(), &LONG_TERM_REQUEST),
        [success(alice(), BINDING, &[mapped])],
        "nothing is to be authenticated"
    );
}

#[test]
fn the_nonce_of_the_vectors_is_not_ours() {
    let mut stage = matrix();
    // The same as an Allocate request; only the nonce is looked at.
    let mut bytes = LONG_TERM_REQUEST;
    bytes[1] = 0x03;
    let done = stage.tell(alice(), &bytes);
    assert!(matches!(&done[..], [Done::Reply { said, .. }] if said[0] == Said::Error(438)));
    assert_eq!(stage.refusals(), [("other".to_owned(), Refusal::StaleNonce, 1)]);
}

#[test]
fn the_user_of_the_vectors_allocates() {
    let mut stage = matrix();
    let login = Login { name: USER.into(), password: PASSWORD.into(), realm: REALM.into() };
    stage.allocated(alice(), &login);
    assert_eq!(stage.server.len(), 1);
}
