//! Offers that the receiver's client would not understand are answered instead of delivered.

mod support;

use peerway_broker::{Channel, Command, Happening, Open, Parcel, SessionId};
use peerway_protocol::{Dialect, Envelope, Json, Refusal, Signal, SignalKind, interop};
use support::*;

/// The first of our serializations that a client of SkyWay cannot read.
fn incompatible() -> Signal {
    let frame = r#"{"type":"OFFER","dst":"bob","payload":{"type":"data","connectionId":"dc_1",
        "label":"dc_1","reliable":true,"serialization":"binary",
        "sdp":{"type":"offer","sdp":"v=0\r\n"}}}"#;
    signal_of(frame)
}

fn open(stage: &mut Stage, dialect: Dialect) {
    let (session, channel) = (SessionId(1), Channel::Socket);
    let open = Open { session, address: address("bob"), proof: proof("t"), channel, dialect };
    stage.open_with(open);
    stage.claimed(1);
}

#[test]
fn an_offer_that_cannot_be_understood_is_answered_and_not_delivered() {
    let mut stage = Stage::new();
    open(&mut stage, Dialect::SkyWay);
    let reason = interop::check(&incompatible(), Dialect::SkyWay).unwrap_err();

    let commands = stage.arrive(envelope("alice", "bob", incompatible()));

    let payload = Some(Json::string(&reason));
    let signal = Signal { kind: SignalKind::Reject, payload, dialect: Dialect::PeerJs };
    let answer = Envelope { app: app(), from: peer("bob"), to: peer("alice"), signal };
    assert_eq!(commands, [Command::Forward(Parcel::Signal(answer.clone()))]);
    let refused = Refusal::Incompatible(reason);
    assert_eq!(stage.reports, [Happening::Refused(refused)]);
    assert_eq!(stage.undeliverable(answer), [], "it does not wait for one who has gone");
}

#[test]
fn an_offer_of_the_own_dialect_is_not_looked_at() {
    let mut stage = Stage::new();
    open(&mut stage, Dialect::PeerJs);

    let commands = stage.arrive(envelope("alice", "bob", incompatible()));

    assert_eq!(commands, [tell(1, heard("alice", incompatible()))]);
}

#[test]
fn other_signals_than_offers_pass() {
    let mut stage = Stage::new();
    open(&mut stage, Dialect::SkyWay);
    let answer = Signal { kind: SignalKind::Answer, ..incompatible() };

    let commands = stage.arrive(envelope("alice", "bob", answer.clone()));

    assert_eq!(commands, [tell(1, heard("alice", answer))]);
}
