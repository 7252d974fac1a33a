//! What must hold for every input whatsoever: one function per fuzz target. The tests of the
//! protocol crate include this file to replay the corpora, so it uses what they may use.

use peerway_protocol::peerjs::{ClientFrame, Handshake, decode, encode, wanted_id};
use peerway_protocol::{AppKey, Event, PeerId, Request, SignalKind};
use serde::de::IgnoredAny;

/// A sender whose id needs escaping.
const SENDER: &str = "a \"b\" \\ 日本";

/// A client's frame is read without a panic, and what it says to another peer is told in the
/// form of `PeerServer`: with the broker's sender, and with the very payload that came.
pub fn peerjs_frame(data: &[u8]) {
    let Ok(frame) = std::str::from_utf8(data) else { return };
    let Ok(ClientFrame::Request(Request::Send { to, signal })) = decode(frame) else { return };
    let payload = signal.payload.clone();
    if let Some(payload) = &payload {
        assert!(frame.contains(payload.as_str()), "the payload is not the sender's");
    }

    let mut told = String::new();
    let kind = wire_type(signal.kind);
    let from = PeerId::new(SENDER).expect("the sender's id is valid");
    encode(&Event::Signal { from, signal }, &to, &mut told);

    let payload = payload.map(|json| format!(",\"payload\":{}", json.as_str())).unwrap_or_default();
    let (src, dst) = (json_string(SENDER), json_string(to.as_str()));
    assert_eq!(told, format!("{{\"type\":\"{kind}\",\"src\":{src},\"dst\":{dst}{payload}}}"));
    serde_json::from_str::<IgnoredAny>(&told).expect("what is told is JSON");
}

/// A handshake's query is read without a panic, and of repeated members the last one counts.
pub fn peerjs_handshake(data: &[u8]) {
    let Ok(query) = std::str::from_utf8(data) else { return };
    let first = Handshake::from_query(query);
    // Whatever the query holds, these are names or a reason why not.
    let _ = (AppKey::new(&first.key), PeerId::new(&first.id));

    let again = format!("{query}&id=a+b&token=%C3%A9&key=k");
    let last = Handshake::from_query(&again);

    assert!(last.is_complete());
    assert_eq!(
        last,
        Handshake { key: "k".into(), id: "a b".into(), token: "é".into(), ..first.clone() }
    );
    assert_eq!(wanted_id(&again).as_deref(), Some("a b"));
    assert_eq!(wanted_id(query).unwrap_or_default(), first.id);
}

fn wire_type(kind: SignalKind) -> String {
    kind.name().to_uppercase()
}

fn json_string(text: &str) -> String {
    serde_json::to_string(text).expect("a string is always valid JSON")
}
