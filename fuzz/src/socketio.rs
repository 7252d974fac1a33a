//! What must hold for every body and every message of a Socket.IO client whatsoever. The tests of the
//! protocol crate include this file to replay the corpora.

use peerway_protocol::engineio::{
    Body, Charset, Packet, decode_body_bytes, decode_body_text, encode_body,
};
use peerway_protocol::socketio::{Assembler, Event, Incoming, Limits, Outgoing, to_ascii};

const LIMITS: Limits = Limits { attachments: 4, bytes: 4096 };

/// The body of a request is read without a panic, and what was read can be written in either form
/// and is read as the same. The first byte chooses between text and bytes.
pub fn engineio_payload(data: &[u8]) {
    let Some((form, body)) = data.split_first() else { return };
    let packets = if form % 2 == 0 {
        decode_body_bytes(body.to_vec().into()).ok()
    } else {
        let text = str::from_utf8(body).ok();
        text.and_then(|text| decode_body_text(text, &mut Charset::default()).ok())
    };
    let Some(packets) = packets else { return };
    for takes_binary in [false, true] {
        match encode_body(&packets, takes_binary) {
            Body::Text(text) => assert_same(&packets, &read_text(&text)),
            Body::Bytes(bytes) => {
                let again = decode_body_bytes(bytes.into()).expect("what was written is a body");
                assert_same(&packets, &again);
            }
        }
    }
}

fn read_text(text: &str) -> Vec<Packet<'_>> {
    decode_body_text(text, &mut Charset::Utf8).expect("what was written is a body")
}

fn assert_same(packets: &[Packet<'_>], again: &[Packet<'_>]) {
    assert_eq!(packets, again, "a body is read as it was written");
}

/// A client's messages are put together without a panic and within the limits, and an event can be
/// told to others, who read the same. The first message is text, and zeros stand between it and the
/// binary parts; a part that begins with a `t` is text again.
pub fn socketio_packet(data: &[u8]) {
    let mut assembler = Assembler::new(LIMITS);
    for (index, part) in data.split(|byte| *byte == 0).enumerate() {
        let incoming = match part {
            [b't', text @ ..] if index > 0 => str::from_utf8(text).map(|it| assembler.text(it)),
            text if index == 0 => str::from_utf8(text).map(|it| assembler.text(it)),
            bytes => Ok(assembler.binary(bytes.to_vec().into())),
        };
        let Ok(Ok(incoming)) = incoming else { return };
        assert!(assembler.waiting_bytes() <= LIMITS.bytes, "more waits than may");
        if let Incoming::Event(event) = incoming {
            assert_told(&event);
        }
    }
}

fn assert_told(event: &Event) {
    assert!(event.attachments.len() <= LIMITS.attachments, "too many parts");
    let arguments: Vec<&str> = event.arguments.iter().map(|it| it.get()).collect();
    let outgoing = Outgoing::event(&event.name, &arguments, event.attachments.clone());
    let again = read_event(&outgoing.text, &outgoing);
    let texts: Vec<&str> = again.arguments.iter().map(|it| it.get()).collect();
    assert_eq!((&again.name, texts), (&event.name, arguments), "arguments stay as they are");
    assert_eq!(again.attachments, event.attachments);

    let ascii = to_ascii(&outgoing.text);
    assert!(ascii.is_ascii());
    let again = read_event(&ascii, &outgoing);
    assert_eq!(again.name, event.name);
    for (ascii, original) in again.arguments.iter().zip(&event.arguments) {
        let value = |it: &str| serde_json::from_str::<serde_json::Value>(it).ok();
        assert_eq!(value(ascii.get()), value(original.get()), "escaping changes no value");
    }
}

fn read_event(text: &str, outgoing: &Outgoing) -> Event {
    let mut assembler = Assembler::new(Limits { bytes: 100 * LIMITS.bytes, ..LIMITS });
    let mut incoming = assembler.text(text).expect("what is told is a packet");
    for part in &outgoing.attachments {
        incoming = assembler.binary(part.clone()).expect("the parts belong to it");
    }
    match incoming {
        Incoming::Event(event) => event,
        other => unreachable!("{text} is an event, not {other:?}"),
    }
}
