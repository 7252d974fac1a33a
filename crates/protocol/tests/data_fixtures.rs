//! What published `PeerJS` builds put on a data channel, and what they read of ours: see
//! `fixtures/data/capture.mjs`.

#![expect(clippy::panic, reason = "a helper that finds nothing fails its test")]

use std::fs;
use std::path::{Path, PathBuf};

use peerway_protocol::data::{
    DataCodec, EncodeError, Generation, Incoming, Limits, Message, Serialization,
};
use peerway_protocol::{Date, Value};
use serde::Deserialize;

#[derive(Deserialize)]
struct Capture {
    client: String,
    serialization: String,
    generation: String,
    sent: Vec<Sent>,
    read: Vec<Read>,
    close: Option<Vec<Described>>,
}

/// What the client sent.
#[derive(Deserialize)]
struct Sent {
    what: String,
    /// What it was, with `$` before what JSON has no form for. Not there if the client could not send it.
    value: Option<Value>,
    refused: Option<String>,
    #[serde(default)]
    messages: Vec<Described>,
}

/// What the client made of messages of ours.
#[derive(Deserialize)]
struct Read {
    what: String,
    messages: Vec<String>,
    value: Value,
}

/// A message; long ones by length and hash.
#[derive(Deserialize)]
#[serde(untagged)]
enum Described {
    Text { text: String },
    Hex { hex: String },
    Long { binary: bool, length: usize, hash: String, head: String },
}

#[test]
fn what_every_client_sends_is_read() {
    for capture in captures() {
        let mut codec = capture.codec();
        let mut rebuilt = capture.codec();
        if capture.serialization == "binary" {
            // Texts that are not short are the same from all clients.
            rebuilt.set_remote(Generation::Modern);
        }
        for sent in &capture.sent {
            let what = format!("{} {}: {}", capture.client, capture.serialization, sent.what);
            let Some(expected) = &sent.value else { continue };
            let mut incoming = Vec::new();

            for message in sent.messages(&mut rebuilt, &what) {
                let read = codec.decode(message.binary, message.data);
                incoming.extend(read.unwrap_or_else(|error| panic!("{what}: {error}")));
            }

            let [Incoming::Value(value)] = &incoming[..] else { panic!("{what}: {incoming:?}") };
            assert!(same(value, &untagged(expected)), "{what}: {value:?} for {expected:?}");
        }
    }
}

#[test]
fn what_we_send_is_what_every_client_sends() {
    for capture in captures() {
        let mut codec = capture.codec();
        for sent in &capture.sent {
            let what = format!("{} {}: {}", capture.client, capture.serialization, sent.what);
            let Some(value) = sent.value.as_ref().map(untagged) else { continue };
            let messages: Vec<Message> = codec.encode(&value).expect(&what).collect();

            // What old clients make of emoji they cannot read themselves. In JSON a cut emoji is written
            // in letters. 2^53 is a double to one of the packers, and below -2^31 the others write
            // what they themselves misread.
            let broken = capture.generation == "legacy" && capture.serialization == "binary";
            let astral = format!("{value:?}").chars().any(|char| char > '\u{ffff}');
            let cut = sent.what == "a cut emoji" && capture.serialization == "json";
            let double = sent.what == "integers at their edges";
            if broken && astral || cut || double {
                continue;
            }
            assert_eq!(messages.len(), sent.messages.len(), "{what}");
            for (message, described) in messages.iter().zip(&sent.messages) {
                assert!(described.is(message), "{what}: {:02x?}", message.data);
            }
        }
    }
}

#[test]
fn every_client_reads_what_we_send() {
    let mut read = 0;
    for capture in captures() {
        let mut codec = capture.codec();
        for Read { what, messages, value } in &capture.read {
            let what = format!("{} {}: {what}", capture.client, capture.serialization);
            let mut expected: Value = untagged(value);
            if what.ends_with("a date") {
                // Text there, a date here.
                expected = Value::Date(expected.as_date().expect(&what));
            }

            let ours = codec.encode(&expected).expect(&what);

            let ours: Vec<u8> = ours.flat_map(|message| message.data).collect();
            let theirs: Vec<u8> = messages.iter().flat_map(|message| bytes(message)).collect();
            assert_eq!(ours, theirs, "{what}");
            read += 1;
        }
    }
    assert!(read > 10, "only {read} in all fixtures");
}

#[test]
fn the_close_of_a_client_is_understood_and_said() {
    let mut closed = 0;
    for capture in captures() {
        let Some([described]) = capture.close.as_deref() else { continue };
        let mut codec = capture.codec();
        let ours = codec.close_message();
        let Described::Hex { hex } = described else {
            // 1.5 closes a raw connection with the words [object Object], which is no use.
            assert_eq!((capture.serialization.as_str(), ours), ("raw", None));
            continue;
        };

        assert_eq!(ours, Some(Message { binary: true, data: bytes(hex) }));
        assert_eq!(codec.decode(true, bytes(hex)), Ok(vec![Incoming::Close]));
        closed += 1;
    }
    assert_eq!(closed, 3);
}

#[test]
fn long_json_is_refused_where_the_client_refuses_it() {
    for capture in captures() {
        for sent in capture.sent.iter().filter(|sent| sent.refused.is_some()) {
            assert_eq!(sent.refused.as_deref(), Some("message-too-big"));
            let mut codec = capture.codec();

            let refused = codec.encode(&Value::Array(vec![7.into(); 70_000]));

            assert!(matches!(refused, Err(EncodeError::MessageTooBig { limit: 16_299, .. })));
        }
    }
}

impl Capture {
    fn codec(&self) -> DataCodec {
        let generation = match self.generation.as_str() {
            "legacy" => Generation::Legacy,
            "modern" => Generation::Modern,
            other => panic!("{other} is no generation"),
        };
        let serialization: Serialization = self.serialization.parse().expect("it is known");
        DataCodec::new(serialization, generation, Limits::default())
    }
}

impl Sent {
    /// The messages as they were; long ones are made anew and must have the hash.
    fn messages(&self, codec: &mut DataCodec, what: &str) -> Vec<Message> {
        let value = self.value.as_ref().map(untagged).expect(what);
        let mut ours = codec.encode(&value).expect(what);
        let message = |described: &Described| match described {
            Described::Text { text } => Message { binary: false, data: text.clone().into_bytes() },
            Described::Hex { hex } => Message { binary: true, data: bytes(hex) },
            Described::Long { binary, .. } => {
                let message = ours.next().expect(what);
                assert_eq!(message.binary, *binary, "{what}");
                assert!(described.is(&message), "{what}: this is another message");
                message
            }
        };
        self.messages.iter().map(message).collect()
    }
}

impl Described {
    fn is(&self, message: &Message) -> bool {
        match self {
            Self::Text { text } => !message.binary && message.data == text.as_bytes(),
            Self::Hex { hex } => message.binary && message.data == bytes(hex),
            Self::Long { binary, length, hash, head } => {
                message.binary == *binary
                    && message.data.len() == *length
                    && message.data.starts_with(&bytes(head))
                    && format!("{:x}", fnv(&message.data)) == *hash
            }
        }
    }
}

/// FNV-1a, 64 bits.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

fn bytes(hex: &str) -> Vec<u8> {
    if let Some(text) = hex.strip_prefix("text:") {
        return text.as_bytes().to_vec();
    }
    let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("it is hexadecimal");
    (0..hex.len()).step_by(2).map(byte).collect()
}

fn untagged(tagged: &Value) -> Value {
    let members = match tagged {
        Value::Array(elements) => return elements.iter().map(untagged).collect(),
        Value::Map(members) => members,
        other => return other.clone(),
    };
    let number = |value: &Value| usize::try_from(integer(value)).expect("it is a length");
    match members.first().map(|(name, value)| (name.as_str(), value)) {
        Some(("$bytes", value)) => bytes(text(value)).into(),
        Some(("$ramp", value)) => (0..number(value)).map(ramp).collect::<Vec<u8>>().into(),
        Some(("$sevens", value)) => Value::Array(vec![7.into(); number(value)]),
        Some(("$repeat", value)) => {
            let Some([part, times]) = value.as_array() else { panic!("{value:?} is no pair") };
            text(part).repeat(number(times)).into()
        }
        Some(("$date", value)) => Date::from_millis(integer(value)).into(),
        Some(("$float", _)) => f64::NAN.into(),
        _ => Value::map(members.iter().map(|(name, value)| (name.clone(), untagged(value)))),
    }
}

fn integer(value: &Value) -> i64 {
    value.as_i64().expect("it is an integer")
}

fn text(value: &Value) -> &str {
    value.as_str().expect("it is a text")
}

fn ramp(index: usize) -> u8 {
    u8::try_from(index * 7 % 256).expect("it is a byte")
}

/// Whether JavaScript would call both the same, members in any order.
fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len()
                && left.iter().zip(right).all(|(left, right)| same(left, right))
        }
        (Value::Map(left), Value::Map(other)) => {
            left.len() == other.len()
                && left
                    .iter()
                    .all(|(name, value)| right.get(name).is_some_and(|other| same(value, other)))
        }
        (Value::Float(left), Value::Float(right)) if left.is_nan() => right.is_nan(),
        _ => left == right || left.as_f64().is_some_and(|left| right.as_f64() == Some(left)),
    }
}

fn captures() -> Vec<Capture> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/data");
    let mut files: Vec<_> = fs::read_dir(folder)
        .expect("the fixtures are beside the tests")
        .map(|entry| entry.expect("a folder can be listed").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    files.sort();
    assert_eq!(files.len(), 13, "fixtures are missing: {files:?}");
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).expect("a fixture can be read");
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    files.into_iter().map(read).collect()
}
