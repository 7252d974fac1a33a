//! Clients of different dialects talk to each other: what is translated, and what is refused because
//! nothing that then flows between the two could be read.
//!
//! | | PeerJS up to 1.4.7 | PeerJS 1.5, ours | skyway-js |
//! |---|---|---|---|
//! | `binary`, `binary-utf8` | BinaryPack, chunks by `__peerData` | the same | BinaryPack, always in an envelope: **not the same** |
//! | `json` | text | **binary** messages of UTF-8 | text |
//! | `raw`, `none` | as it is | as it is | as it is |
//!
//! Media needs nothing of this. Facts: `docs/reference/skyway-dialect.md`, section 6, and
//! `docs/reference/peerjs-dialect.md`, C.

mod translate;

use serde_json::Value;

use crate::data::{Generation, Serialization};
use crate::peerjs::payload::{self as peerjs, Kind};
use crate::{Dialect, Signal, SignalKind, skyway};

pub use translate::{to_peerjs, to_skyway};

/// What a caller hears about `json` when the other side turns out to be `PeerJS` 1.5 or later.
pub(crate) const JSON_OF_1_5: &str = "it is a PeerJS client of version 1.5 or later, whose json is \
     not that of SkyWay; connect with serialization: 'none'";

const BINARY_TO_PEERJS: &str = "it is a PeerJS client, whose binary format is not that of SkyWay; \
     connect with serialization: 'none' or 'json'";

const BINARY_TO_SKYWAY: &str = "it is a SkyWay client, whose binary format is not that of PeerJS; \
     connect with serialization: 'raw' ('none' or 'json' before PeerJS 1.5)";

const JSON_TO_SKYWAY: &str = "it is a SkyWay client, whose json is not that of PeerJS 1.5; connect \
     with serialization: 'raw'";

const UNKNOWN_TO_SKYWAY: &str = "it is a SkyWay client, which does not know this serialization; \
     connect with serialization: 'raw' ('none' or 'json' before PeerJS 1.5)";

/// Whether a client of the dialect `receiver` would understand what an offered connection carries;
/// if not, words for the caller that say what to do instead. Everything but offers passes.
pub fn check(signal: &Signal, receiver: Dialect) -> Result<(), String> {
    if signal.kind != SignalKind::Offer || signal.dialect == receiver {
        return Ok(());
    }
    let Some(payload) = parse(signal) else { return Ok(()) };
    let refused = match receiver {
        Dialect::SkyWay => peerjs::Offer::from_json(payload).ok().and_then(|it| to_skyway_why(&it)),
        Dialect::PeerJs => skyway::payload::Offer::from_json(payload).ok().and_then(|it| {
            // JSON depends on the version, which only the answer tells.
            let carries = Serialization::announced(it.serialization.as_deref());
            let readable = matches!(carries, Ok(Serialization::Raw | Serialization::Json));
            (it.kind == Kind::Data && !readable).then_some(BINARY_TO_PEERJS)
        }),
    };
    refused.map_or(Ok(()), |why| Err(why.to_owned()))
}

fn to_skyway_why(offer: &peerjs::Offer) -> Option<&'static str> {
    if offer.kind == Kind::Media {
        return None;
    }
    match Serialization::announced(offer.serialization.as_deref()) {
        Ok(Serialization::Raw) => None,
        // Ours reads both forms, and writes what the other side reads.
        Ok(Serialization::Json) if offer.peerway || offer.generation() == Generation::Legacy => {
            None
        }
        Ok(Serialization::Json) => Some(JSON_TO_SKYWAY),
        Ok(Serialization::Binary | Serialization::BinaryUtf8) => Some(BINARY_TO_SKYWAY),
        Ok(Serialization::MsgPack) | Err(_) => Some(UNKNOWN_TO_SKYWAY),
    }
}

/// The connection of an answer by a client that cannot read JSON as text: `PeerJS` from 1.5 on, but
/// not ours. (2.0 beta looks the same and could; it was never more than a beta.)
pub(crate) fn answer_that_reads_no_text(signal: &Signal) -> Option<String> {
    if signal.kind != SignalKind::Answer || signal.dialect != Dialect::PeerJs {
        return None;
    }
    let answer = peerjs::Answer::from_json(parse(signal)?).ok()?;
    let stock = !answer.peerway && answer.generation() == Generation::Modern;
    (stock && answer.kind == Kind::Data).then_some(answer.connection_id)
}

fn parse(signal: &Signal) -> Option<Value> {
    serde_json::from_str(signal.payload.as_ref()?.as_str()).ok()
}
