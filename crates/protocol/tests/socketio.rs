//! Engine.IO 3 and Socket.IO 4: bodies and packets as clients write them, and what holds for all.

#![allow(clippy::panic, reason = "tests panic")]

#[path = "../../../fuzz/src/socketio.rs"]
mod targets;

use bytes::Bytes;
use peerway_protocol::engineio::{
    self, Body, Charset, Kind, Malformed, Packet, decode_body_bytes, decode_body_text, encode_body,
};
use peerway_protocol::socketio::{
    self, Assembler, Event, Incoming, Limits, Malformed as BadPacket, Outgoing, to_ascii,
};
use proptest::collection::vec;
use proptest::prelude::*;

const LIMITS: Limits = Limits { attachments: 2, bytes: 100 };

fn message(text: &str) -> Packet<'_> {
    Packet::text(Kind::Message, text)
}

fn bytes(bytes: &'static [u8]) -> Packet<'static> {
    Packet::binary(Bytes::from_static(bytes))
}

fn text_body(body: &str) -> Result<Vec<Packet<'_>>, Malformed> {
    decode_body_text(body, &mut Charset::default())
}

#[test]
fn lengths_count_the_units_of_javascript() {
    let expected = vec![message("é😀"), Packet::text(Kind::Ping, "")];
    assert_eq!(text_body("4:4é😀1:2"), Ok(expected));
}

/// As captured: socket.io-client 2.5.0 and 2.0.3, then 1.7.4 and 1.4.8.
#[test]
fn a_text_is_understood_however_often_it_was_encoded() {
    let expected = vec![message("2[\"m\",\"é €😀\",{\"a\":\"x\"}]")];
    let mut charset = Charset::default();
    let body = "25:42[\"m\",\"é €😀\",{\"a\":\"x\"}]";
    assert_eq!(decode_body_text(body, &mut charset).as_ref(), Ok(&expected));
    assert_eq!(charset, Charset::Utf8);

    let mut charset = Charset::default();
    let twice: String = body[3..].bytes().map(char::from).collect();
    let body = format!("30:{twice}");
    assert_eq!(decode_body_text(&body, &mut charset).as_ref(), Ok(&expected));
    assert_eq!(charset, Charset::Twice);
}

#[test]
fn what_a_session_has_shown_once_decides_for_all_its_texts() {
    let mut charset = Charset::default();
    decode_body_text("2:4x", &mut charset).unwrap();
    assert_eq!(charset, Charset::Unknown);
    decode_body_text("2:4é", &mut charset).unwrap();
    assert_eq!(charset, Charset::Utf8);
    // Would be é if it were encoded twice.
    let packets = decode_body_text("3:4Ã©", &mut charset);
    assert_eq!(packets, Ok(vec![message("Ã©")]));
}

#[test]
fn bodies_of_bytes_hold_text_and_binary() {
    let body = b"\x00\x06\xff4hello\x01\x03\xff\x04\x01\x02\x00\x01\x00\xff4123456789";
    let expected = vec![message("hello"), bytes(&[1, 2]), message("123456789")];
    assert_eq!(decode_body_bytes(Bytes::from_static(body)), Ok(expected));
}

#[test]
fn a_body_is_bytes_only_if_it_has_to_be() {
    let packets = [message("x"), bytes(&[1, 2])];
    assert_eq!(encode_body(&packets[..1], true), Body::Text("2:4x".into()));
    assert_eq!(encode_body(&packets, false), Body::Text("2:4x6:b4AQI=".into()));
    let written = b"\x00\x02\xff4x\x01\x03\xff\x04\x01\x02".to_vec();
    assert_eq!(encode_body(&packets, true), Body::Bytes(written));
    assert_eq!(encode_body(&[], true), Body::Text(String::new()));
    // socket.io-client 1.4.8 in a browser cannot read a long text.
    let long = vec![message("x"); 20_000];
    assert!(matches!(encode_body(&long, true), Body::Bytes(_)));
    assert!(matches!(encode_body(&long, false), Body::Text(_)));
}

#[test]
fn bodies_that_are_none_are_refused() {
    for (body, error) in [
        ("x", Malformed::Length),
        (":", Malformed::Length),
        ("1:", Malformed::Length),
        ("2:4", Malformed::Length),
        ("2:4x3", Malformed::Length),
        // Half a surrogate pair.
        ("2:4😀", Malformed::Length),
        ("0:", Malformed::Empty),
        ("-1:4", Malformed::Length),
        ("99999999999:4", Malformed::Length),
    ] {
        assert_eq!(text_body(body), Err(error), "{body}");
    }
    assert_eq!(text_body(&"1:2".repeat(5000)), Err(Malformed::TooMany));
    for (body, error) in [
        (&b"\x00"[..], Malformed::Length),
        (b"\x00\xff", Malformed::Length),
        (b"\x00\x0a\xff4", Malformed::Length),
        (b"\x00\x02\xff4", Malformed::Length),
        (b"\x00\x00\xff", Malformed::Empty),
        (b"\x02\x01\xff4", Malformed::Type),
    ] {
        assert_eq!(decode_body_bytes(Bytes::from_static(body)), Err(error), "{body:?}");
    }
}

#[test]
fn packets_are_read() {
    let plain = socketio::Packet {
        kind: socketio::Kind::Event,
        attachments: 0,
        namespace: "/",
        id: None,
        data: "",
    };
    for (text, expected) in [
        ("0", socketio::Packet { kind: socketio::Kind::Connect, ..plain.clone() }),
        ("2[\"m\"]", socketio::Packet { data: "[\"m\"]", ..plain.clone() }),
        ("2/,5[]", socketio::Packet { id: Some(5), data: "[]", ..plain.clone() }),
        ("212[]", socketio::Packet { id: Some(12), data: "[]", ..plain.clone() }),
        (
            "0/chat?token=a,",
            socketio::Packet { kind: socketio::Kind::Connect, namespace: "/chat", ..plain.clone() },
        ),
        (
            "1/chat",
            socketio::Packet {
                kind: socketio::Kind::Disconnect,
                namespace: "/chat",
                ..plain.clone()
            },
        ),
        (
            "52-/a,7[\"m\"]",
            socketio::Packet {
                kind: socketio::Kind::BinaryEvent,
                attachments: 2,
                namespace: "/a",
                id: Some(7),
                data: "[\"m\"]",
            },
        ),
    ] {
        assert_eq!(socketio::Packet::decode(text), Ok(expected), "{text}");
    }
    for (text, error) in [
        ("", BadPacket::Type),
        ("7", BadPacket::Type),
        ("é", BadPacket::Type),
        ("5[]", BadPacket::Number),
        ("51[]", BadPacket::Number),
        ("21234567890123456[]", BadPacket::Number),
    ] {
        assert_eq!(socketio::Packet::decode(text), Err(error), "{text}");
    }
    let long = format!("0/{}", "x".repeat(1000));
    assert_eq!(socketio::Packet::decode(&long), Err(BadPacket::Namespace));
}

#[test]
fn outgoing_packets_are_written() {
    let parts = || vec![Bytes::from_static(b"x")];
    for (outgoing, text) in [
        (Outgoing::connect(), "0"),
        (Outgoing::disconnect(), "1"),
        (Outgoing::event("m", &[], Vec::new()), r#"2["m"]"#),
        (Outgoing::event("a\"b", &["1", "null"], Vec::new()), r#"2["a\"b",1,null]"#),
        (Outgoing::event("m", &["{}"], parts()), r#"51-["m",{}]"#),
        (Outgoing::ack(7, &["1", "2"], Vec::new()), "37[1,2]"),
        (Outgoing::ack(7, &[], parts()), "61-7[]"),
        (Outgoing::error("/chat", "no"), r#"4/chat,"no""#),
        (Outgoing::error("/", "no"), r#"4"no""#),
    ] {
        assert_eq!(outgoing.text, text);
    }
}

fn event(incoming: Incoming) -> Event {
    let Incoming::Event(event) = incoming else { panic!("{incoming:?}") };
    event
}

#[test]
fn an_event_is_whole_with_its_last_part() {
    let mut assembler = Assembler::new(LIMITS);
    let text = r#"52-9["m",{"_placeholder":true,"num":1}]"#;
    assert!(matches!(assembler.text(text), Ok(Incoming::Nothing)));
    assert!(matches!(assembler.binary(Bytes::from_static(b"a")), Ok(Incoming::Nothing)));
    let event = event(assembler.binary(Bytes::from_static(b"b")).unwrap());
    assert_eq!((&*event.name, event.id), ("m", Some(9)));
    assert_eq!(event.arguments[0].get(), r#"{"_placeholder":true,"num":1}"#);
    assert_eq!(event.attachments, ["a", "b"]);
    assert_eq!(assembler.waiting_bytes(), 0);
}

#[test]
fn parts_and_texts_come_in_order() {
    let waiting = || {
        let mut assembler = Assembler::new(LIMITS);
        assembler.text(r#"52-["m"]"#).unwrap();
        assembler
    };
    assert_eq!(waiting().text("2[\"m\"]").unwrap_err(), BadPacket::Order);
    let nothing = Assembler::new(LIMITS).binary(Bytes::new());
    assert_eq!(nothing.unwrap_err(), BadPacket::Order);
    let big = waiting().binary(vec![0; 100].into());
    assert_eq!(big.unwrap_err(), BadPacket::TooBig);
    let many = Assembler::new(LIMITS).text(r#"53-["m"]"#);
    assert_eq!(many.unwrap_err(), BadPacket::TooManyAttachments);
    let long = Assembler::new(LIMITS).text(&format!("2[\"{}\"]", "x".repeat(100)));
    assert_eq!(long.unwrap_err(), BadPacket::TooBig);
}

#[test]
fn each_placeholder_needs_its_part() {
    for (json, fine) in [
        (r#"{"_placeholder":true,"num":0}"#, true),
        (r#"[[{"a":{"num":1,"_placeholder":true}}]]"#, true),
        (r#"{"_placeholder":false,"num":9}"#, true),
        (r#"{"_placeholder":1,"num":9}"#, true),
        (r#"{"_placeholder":true,"num":2}"#, false),
        (r#"{"_placeholder":true,"num":-1}"#, false),
        (r#"{"_placeholder":true,"num":0.5}"#, false),
        (r#"{"_placeholder":true,"num":"0"}"#, false),
        (r#"{"_placeholder":true}"#, false),
        (r#"{"_placeholder":true,"num":0,"num":5}"#, false),
        (r#"{"_\u0070laceholder":true,"num":5}"#, false),
    ] {
        let read = Assembler::new(LIMITS).text(&format!("52-[\"m\",{json}]"));
        assert_eq!(read.is_ok(), fine, "{json}");
    }
    // Without parts nobody looks for placeholders, and no client does.
    let plain = Assembler::new(LIMITS).text(r#"2["m",{"_placeholder":true,"num":5}]"#);
    assert!(matches!(plain, Ok(Incoming::Event(_))));
}

#[test]
fn what_is_escaped_is_the_same_json() {
    assert_eq!(to_ascii("2[\"m\",\"é €😀\"]"), r#"2["m","\u00e9 \u20ac\ud83d\ude00"]"#);
}

proptest! {
    #[test]
    fn any_body_is_read_without_a_panic(data in vec(any::<u8>(), 0..300)) {
        targets::engineio_payload(&data);
        targets::socketio_packet(&data);
    }

    #[test]
    fn packets_survive_every_form_of_body(
        packets in vec((any::<bool>(), "\\PC{0,9}"), 0..6), takes_binary in any::<bool>()
    ) {
        let packets: Vec<Packet<'_>> = packets
            .iter()
            .map(|(binary, text)| match binary {
                true => Packet::binary(text.clone().into()),
                false => message(text),
            })
            .collect();
        let again = match encode_body(&packets, takes_binary) {
            Body::Text(text) => {
                let again = decode_body_text(&text, &mut Charset::Utf8).unwrap();
                prop_assert_eq!(&again, &packets);
                return Ok(());
            }
            Body::Bytes(bytes) => decode_body_bytes(bytes.into()).unwrap(),
        };
        prop_assert_eq!(again, packets);
    }

    #[test]
    fn a_text_encoded_twice_is_read_as_once(text in "[\\PC&&[^\\x00-\\x7f]]{1,9}") {
        let twice: String = text.bytes().map(char::from).collect();
        let body = format!("{}:4{twice}", twice.chars().count() + 1);
        prop_assert_eq!(engineio::decode_body_text(&body, &mut Charset::default()), Ok(vec![message(&text)]));
    }

    #[test]
    fn an_event_survives_the_way(name in "\\PC{0,9}", value in "\\PC{0,9}", part in vec(any::<u8>(), 0..9)) {
        let json = serde_json::to_string(&value).unwrap();
        let outgoing = Outgoing::event(&name, &[&json, r#"{"_placeholder":true,"num":0}"#], vec![part.into()]);
        let mut data = outgoing.text.clone().into_bytes();
        targets::socketio_packet(&data);
        data.push(0);
        data.extend_from_slice(&outgoing.attachments[0]);
        targets::socketio_packet(&data);
    }
}
