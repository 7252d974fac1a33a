//! Frames of real clients, as they were seen on the wire: what each means, and what its receiver
//! is told. A fixture says which client it stands for and where it comes from.

#![expect(clippy::panic, reason = "a helper that finds nothing fails its test")]

use std::fs;
use std::path::{Path, PathBuf};

use peerway_protocol::peerjs::{ClientFrame, Handshake, decode, encode};
use peerway_protocol::{Event, InvalidId, PeerId, Refusal, Request, Signal, SignalKind};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// What the server says; every other file is a client.
const SERVER: &str = "server.json";

#[derive(Deserialize)]
struct Client {
    #[serde(rename = "client")]
    name: String,
    handshake: Option<Query>,
    frames: Vec<Frame>,
}

#[derive(Deserialize)]
struct Query {
    #[serde(rename = "query")]
    text: String,
    key: String,
    id: String,
    token: String,
    version: Option<String>,
}

#[derive(Deserialize)]
struct Frame {
    what: String,
    #[serde(rename = "frame")]
    text: String,
    /// A kind of signal, or what else a frame can be.
    decoded: String,
    error: Option<String>,
    /// Of signals: who said it to whom, and what the receiver is told.
    from: Option<String>,
    to: Option<String>,
    told: Option<String>,
}

#[derive(Deserialize)]
struct Server {
    me: String,
    events: Vec<Told>,
}

#[derive(Deserialize)]
struct Told {
    event: String,
    #[serde(rename = "told")]
    text: String,
}

#[test]
fn every_captured_frame_means_what_its_fixture_says() {
    for Client { name, frames, .. } in clients() {
        for frame in frames {
            let what = format!("{name}: {}", frame.what);

            let decoded = decode(&frame.text);

            match frame.decoded.as_str() {
                "heartbeat" => assert_eq!(decoded, Ok(ClientFrame::Heartbeat), "{what}"),
                "pong" => assert_eq!(decoded, Ok(ClientFrame::Pong), "{what}"),
                "ignored" => assert_eq!(decoded, Ok(ClientFrame::Ignored), "{what}"),
                "depart" => {
                    assert_eq!(decoded, Ok(ClientFrame::Request(Request::Depart)), "{what}");
                }
                "error" => {
                    let error = decoded.expect_err(&what).to_string();
                    if let Some(expected) = frame.error {
                        assert_eq!(error, expected, "{what}");
                    }
                }
                kind => {
                    let (to, signal) = sent(decoded.expect(&what));
                    assert_eq!(signal.kind.name(), kind, "{what}");
                    assert_eq!(Some(to.as_str()), frame.to.as_deref(), "{what}");
                }
            }
        }
    }
}

#[test]
fn every_captured_signal_is_told_to_its_receiver_byte_for_byte() {
    let mut told = 0;
    for Client { name, frames, .. } in clients() {
        for frame in frames {
            let (Some(from), Some(expected)) = (&frame.from, &frame.told) else { continue };
            let what = format!("{name}: {}", frame.what);
            let (to, signal) = sent(decode(&frame.text).expect(&what));
            let event = Event::Signal { from: PeerId::new(from).expect(&what), signal };

            assert_eq!(&encoded(&event, &to), expected, "{what}");
            told += 1;
        }
    }
    assert!(told > 30, "only {told} signals in all fixtures");
}

#[test]
fn every_captured_handshake_is_understood() {
    for Client { name, handshake, .. } in clients() {
        let Some(Query { text, key, id, token, version }) = handshake else { continue };

        let read = Handshake::from_query(&text);

        assert!(read.is_complete(), "{name}");
        assert_eq!(read, Handshake { key, id, token, version, ..Handshake::default() }, "{name}");
    }
}

#[test]
fn the_server_says_what_clients_know_from_peerserver() {
    let server: Server = read(&folder().join(SERVER));
    let me = PeerId::new(&server.me).unwrap();
    let mut told: Vec<&str> = Vec::new();
    for Told { event, text: expected } in &server.events {
        assert_eq!(&encoded(&named(event), &me), expected, "{event}");
        told.push(event);
    }

    for refusal in refusals() {
        assert!(told.contains(&refusal.name()), "{} has no fixture", refusal.name());
    }
}

fn named(name: &str) -> Event {
    match name {
        "opened" => Event::Opened,
        "resumed" => Event::Resumed,
        "expired" => Event::Expired { peer: nobody() },
        _ => refusals()
            .into_iter()
            .find(|refusal| refusal.name() == name)
            .map_or_else(|| panic!("{name} is no event"), Event::Refused),
    }
}

/// One of each.
fn refusals() -> Vec<Refusal> {
    vec![
        Refusal::Incomplete,
        Refusal::UnknownKey,
        Refusal::IdTaken,
        Refusal::AppFull,
        Refusal::AddressFull("198.51.100.7".into()),
        Refusal::OriginNotAllowed("https://a.example".into()),
        Refusal::TokenRefused("it has \"expired\"".into()),
        Refusal::InvalidId(InvalidId::Empty),
        Refusal::Malformed("expected value\nat line 1".into()),
        Refusal::FrameTooBig(4096),
        Refusal::TooManyMessages(50),
        Refusal::SenderMailFull(nobody()),
        Refusal::AppMailFull(nobody()),
    ]
}

fn nobody() -> PeerId {
    PeerId::new("nobody \"x\"").expect("an id may hold quotes")
}

fn sent(frame: ClientFrame) -> (PeerId, Signal) {
    let ClientFrame::Request(Request::Send { to, signal }) = frame else {
        panic!("{frame:?} is not for another peer");
    };
    assert!(SignalKind::ALL.contains(&signal.kind));
    (to, signal)
}

fn encoded(event: &Event, me: &PeerId) -> String {
    let mut text = String::new();
    encode(event, me, &mut text);
    text
}

fn clients() -> Vec<Client> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder())
        .expect("the fixtures are beside the tests")
        .map(|entry| entry.expect("a folder can be listed").path())
        .filter(|path| !path.ends_with(SERVER))
        .collect();
    files.sort();
    assert!(files.len() >= 8, "fixtures are missing: {files:?}");
    files.iter().map(|path| read(path)).collect()
}

fn read<T: DeserializeOwned>(path: &Path) -> T {
    let text = fs::read_to_string(path).expect("a fixture can be read");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/peerjs")
}
