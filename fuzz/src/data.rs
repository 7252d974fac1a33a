//! What must hold for a data channel, whatever the other end sends. The tests of the protocol crate
//! include this file to replay the corpus, so it uses what they may use.

use peerway_protocol::Value;
use peerway_protocol::data::{DataCodec, Generation, Incoming, Limits, Message, Serialization};

/// The first byte says what the channel speaks; then come messages, each behind its length: below 255,
/// or 255 for all that is left.
///
/// Each is read without a panic, and what was read is such that we can send it: the other end of another
/// channel reads of it what a third one reads of that.
pub fn data_channel(input: &[u8]) {
    let Some((&form, mut rest)) = input.split_first() else { return };
    let serialization = Serialization::ALL[usize::from(form) % Serialization::ALL.len()];
    let remote = if form & 0x80 == 0 { Generation::Modern } else { Generation::Legacy };
    let limits = Limits {
        max_message: 65_536,
        max_partial: 131_072,
        max_values: 10_000,
        lossy: form & 0x40 != 0,
    };
    let mut codec = DataCodec::new(serialization, remote, limits.clone());
    while let Some((&length, more)) = rest.split_first() {
        let length = if length == 255 { more.len() } else { usize::from(length).min(more.len()) };
        let (message, more) = more.split_at(length);
        rest = more;
        let binary = form & 0x20 == 0 || serialization == Serialization::MsgPack;
        let Ok(read) = codec.decode(binary, message.to_vec()) else { continue };
        for incoming in read {
            let Incoming::Value(value) = incoming else { continue };
            let fresh = DataCodec::new(serialization, codec.remote(), limits.clone());
            let Some((sent, arrived)) = pass_on(&fresh, &value) else { continue };
            let again =
                pass_on(&fresh, &arrived).expect("what came through once comes through again");
            assert_eq!(sent, again.0, "{arrived:?} is written in another way than {value:?}");
        }
    }
}

/// Sends a value, unless it cannot be sent: what arrives, with the messages that brought it.
fn pass_on(codec: &DataCodec, value: &Value) -> Option<(Vec<Message>, Value)> {
    let (mut sender, mut receiver) = (codec.clone(), codec.clone());
    let outgoing = sender.encode(value).ok()?;
    let count = outgoing.len();
    let messages: Vec<Message> = outgoing.collect();
    assert_eq!(messages.len(), count);
    let mut arrived = Vec::new();
    for message in &messages {
        let read = receiver.decode(message.binary, message.data.clone());
        arrived.extend(read.expect("what we send can be read"));
    }
    let [Incoming::Value(arrived)] = &arrived[..] else {
        unreachable!("{value:?} arrives as {arrived:?}");
    };
    Some((messages, arrived.clone()))
}
