//! What sender and receiver say to each other (docs/reference/file-transfer.md): maps with a member `type`, sent
//! with the serialization `binary`. Pages speak it too, so reading is liberal: members that have a
//! sensible default may be missing, unknown ones are ignored.

use peerway_protocol::Value;
use peerway_protocol::value::Bytes;
use thiserror::Error;

use super::hash::Sha256;
use super::members::Members;
use super::name::LONGEST_NAME;
use super::reason::Refusal;

/// The version in the offer.
const VERSION: i64 = 1;
/// Files and folders of one transfer.
pub(crate) const MOST_ENTRIES: usize = 100_000;
/// Of the id of a transfer, in bytes.
const LONGEST_ID: usize = 64;

/// Where a file stands in the offer.
pub(crate) type Index = u32;

/// One message.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Message {
    /// Sender: what there is.
    Offer(Offer),
    /// Receiver: yes; wants follow, and nobody need wait at a prompt any more.
    Accept {
        /// Bytes of chunks that may be on the way before the receiver confirms some with `Ack`. None: it
        /// does not confirm.
        window: Option<u64>,
    },
    /// Receiver: send this file.
    Want(Want),
    /// Sender: the chunks that follow begin at `offset`. Only after a `Want` with an offset.
    Begin { index: Index, offset: u64 },
    /// Sender: bytes of the file.
    Chunk { index: Index, offset: u64, data: Bytes },
    /// Sender: that was the file.
    End { index: Index, size: Option<u64>, sha256: Option<Sha256> },
    /// Receiver: everything before `offset` is written.
    Ack { index: Index, offset: u64 },
    /// Receiver: the file is complete, has this digest and its name.
    Done { index: Index, sha256: Option<Sha256> },
    /// Receiver: not this file.
    Refuse { index: Index, refusal: Refusal },
    /// Sender: not this file.
    Skip { index: Index, refusal: Refusal },
    /// Either: the transfer is over.
    Cancel(Refusal),
}

/// What the sender has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Offer {
    /// Names the transfer, so that it can go on over another connection; empty: it cannot.
    pub(crate) transfer: String,
    /// The sender can begin in the middle, and answers a `Want` with an offset by `Begin`.
    pub(crate) resume: bool,
    pub(crate) entries: Vec<Entry>,
}

/// One file or folder of an offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Relative, with `/` between folders; from the other side it is not to be trusted.
    pub(crate) name: String,
    /// In bytes; none when only its end will tell.
    pub(crate) size: Option<u64>,
    /// Milliseconds since 1970.
    pub(crate) modified: Option<i64>,
    /// An empty folder.
    pub(crate) folder: bool,
}

/// How the receiver asks for a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Want {
    pub(crate) index: Index,
    /// So many bytes are there already ..
    pub(crate) offset: u64,
    /// .. and this is their digest. If the sender's differ, it begins at 0 ..
    pub(crate) sha256: Option<Sha256>,
    /// .. or, without this, says `Skip` with the reason `exists`.
    pub(crate) restart: bool,
}

/// A message that cannot be read; the text goes back to who sent it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum InvalidMessage {
    #[error("a message of a file transfer is a map with a member 'type'")]
    NoType,
    #[error("the member '{0}' is missing or is not what it should be")]
    Member(&'static str),
    #[error("more than {MOST_ENTRIES} files")]
    TooMany,
    #[error("version {0} of the transfer protocol is not known here")]
    Version(i64),
}

impl Message {
    pub(crate) fn into_value(self) -> Value {
        let kind = self.kind();
        match self {
            Self::Offer(offer) => map(
                kind,
                [
                    ("version", Value::Int(VERSION)),
                    ("transfer", Value::Text(offer.transfer)),
                    ("resume", Value::Bool(offer.resume)),
                    ("files", Value::Array(offer.entries.into_iter().map(entry_value).collect())),
                ],
            ),
            Self::Accept { window } => map(kind, optional("window", window.map(integer))),
            Self::Want(want) => {
                let mut members =
                    vec![("index", want.index.into()), ("offset", integer(want.offset))];
                members.extend(optional("sha256", want.sha256.map(digest)));
                if !want.restart {
                    members.push(("restart", Value::Bool(false)));
                }
                map(kind, members)
            }
            Self::Begin { index, offset } | Self::Ack { index, offset } => {
                map(kind, [("index", index.into()), ("offset", integer(offset))])
            }
            Self::Chunk { index, offset, data } => map(
                kind,
                [("index", index.into()), ("offset", integer(offset)), ("data", data.into())],
            ),
            Self::End { index, size, sha256 } => {
                let mut members = vec![("index", index.into())];
                members.extend(optional("size", size.map(integer)));
                members.extend(optional("sha256", sha256.map(digest)));
                map(kind, members)
            }
            Self::Done { index, sha256 } => {
                let mut members = vec![("index", index.into())];
                members.extend(optional("sha256", sha256.map(digest)));
                map(kind, members)
            }
            Self::Refuse { index, refusal } | Self::Skip { index, refusal } => {
                let index = [("index", index.into())];
                map(kind, index.into_iter().chain(refusal_members(refusal)))
            }
            Self::Cancel(refusal) => map(kind, refusal_members(refusal)),
        }
    }

    /// The member `type`.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Offer(_) => "offer",
            Self::Accept { .. } => "accept",
            Self::Want(_) => "want",
            Self::Begin { .. } => "begin",
            Self::Chunk { .. } => "chunk",
            Self::End { .. } => "end",
            Self::Ack { .. } => "ack",
            Self::Done { .. } => "done",
            Self::Refuse { .. } => "refuse",
            Self::Skip { .. } => "skip",
            Self::Cancel(_) => "cancel",
        }
    }

    /// `None` for a type that a later version may have brought.
    pub(crate) fn from_value(value: Value) -> Result<Option<Self>, InvalidMessage> {
        let mut members = Members::new(value).ok_or(InvalidMessage::NoType)?;
        let Some(Value::Text(kind)) = members.take("type") else {
            return Err(InvalidMessage::NoType);
        };
        Ok(Some(match kind.as_str() {
            "offer" => Self::Offer(Offer::from_members(members)?),
            "accept" => Self::Accept { window: members.optional_number("window")? },
            "want" => Self::Want(Want {
                index: members.index()?,
                offset: members.optional_number("offset")?.unwrap_or(0),
                sha256: members.digest()?,
                restart: members.flag("restart")?.unwrap_or(true),
            }),
            "begin" => Self::Begin { index: members.index()?, offset: members.number("offset")? },
            "chunk" => Self::Chunk {
                index: members.index()?,
                offset: members.number("offset")?,
                data: members.bytes("data")?,
            },
            "end" => Self::End {
                index: members.index()?,
                size: members.optional_number("size")?,
                sha256: members.digest()?,
            },
            "ack" => Self::Ack { index: members.index()?, offset: members.number("offset")? },
            "done" => Self::Done { index: members.index()?, sha256: members.digest()? },
            "refuse" => Self::Refuse { index: members.index()?, refusal: members.refusal() },
            "skip" => Self::Skip { index: members.index()?, refusal: members.refusal() },
            "cancel" => Self::Cancel(members.refusal()),
            _ => return Ok(None),
        }))
    }
}

impl Offer {
    fn from_members(mut members: Members) -> Result<Self, InvalidMessage> {
        match members.optional_number("version")? {
            None | Some(1) => {}
            Some(version) => {
                return Err(InvalidMessage::Version(i64::try_from(version).unwrap_or(i64::MAX)));
            }
        }
        let transfer = members.text("transfer")?.unwrap_or_default();
        if transfer.len() > LONGEST_ID {
            return Err(InvalidMessage::Member("transfer"));
        }
        let resume = members.flag("resume")?.unwrap_or(false);
        let Some(Value::Array(files)) = members.take("files") else {
            return Err(InvalidMessage::Member("files"));
        };
        if files.is_empty() {
            return Err(InvalidMessage::Member("files"));
        }
        if files.len() > MOST_ENTRIES {
            return Err(InvalidMessage::TooMany);
        }
        let entries = files.into_iter().map(Entry::from_value).collect::<Result<_, _>>()?;
        Ok(Self { transfer, resume, entries })
    }

    /// Bytes of all files; none if some are not known before their end.
    pub(crate) fn size(&self) -> Option<u64> {
        self.entries.iter().try_fold(0_u64, |sum, entry| sum.checked_add(entry.size?))
    }
}

impl Entry {
    fn from_value(value: Value) -> Result<Self, InvalidMessage> {
        let mut members = Members::new(value).ok_or(InvalidMessage::Member("files"))?;
        let name = members.text("name")?.ok_or(InvalidMessage::Member("name"))?;
        if name.len() > LONGEST_NAME {
            return Err(InvalidMessage::Member("name"));
        }
        let folder = members.flag("folder")?.unwrap_or(false);
        Ok(Self {
            name,
            size: if folder { Some(0) } else { members.optional_number("size")? },
            // A page gives `file.lastModified`; what is no time is none.
            modified: members
                .optional_number("modified")
                .ok()
                .flatten()
                .and_then(|it| it.try_into().ok()),
            folder,
        })
    }
}

fn map(kind: &str, members: impl IntoIterator<Item = (&'static str, Value)>) -> Value {
    let kind = [("type".to_owned(), Value::Text(kind.to_owned()))];
    let members = members.into_iter().map(|(name, value)| (name.to_owned(), value));
    Value::Map(kind.into_iter().chain(members).collect())
}

fn entry_value(entry: Entry) -> Value {
    let mut members = vec![("name".to_owned(), Value::Text(entry.name))];
    if entry.folder {
        members.push(("folder".to_owned(), Value::Bool(true)));
    } else {
        members.push(("size".to_owned(), entry.size.map_or(Value::Null, integer)));
    }
    if let Some(modified) = entry.modified {
        members.push(("modified".to_owned(), Value::Int(modified)));
    }
    Value::Map(members)
}

fn refusal_members(refusal: Refusal) -> [(&'static str, Value); 2] {
    [
        ("reason", Value::Text(refusal.reason.as_str().to_owned())),
        ("message", Value::Text(refusal.message)),
    ]
}

fn optional(name: &'static str, value: Option<Value>) -> Option<(&'static str, Value)> {
    value.map(|value| (name, value))
}

fn digest(sha256: Sha256) -> Value {
    Value::Text(sha256.to_string())
}

/// Sizes stay below 2^63, which no file system exceeds.
fn integer(number: u64) -> Value {
    Value::Int(i64::try_from(number).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transfer::hash::Hasher;
    use crate::transfer::reason::Reason;

    fn page(members: &[(&str, Value)]) -> Result<Option<Message>, InvalidMessage> {
        let members = members.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
        Message::from_value(Value::Map(members.collect()))
    }

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    #[test]
    fn every_message_is_read_as_it_is_written() {
        let sha256 = Some(Hasher::new().digest());
        let refusal = Refusal::new(Reason::DiskFull, "no room");
        let entry = Entry {
            name: "a/b".to_owned(),
            size: Some(1 << 40),
            modified: Some(1_700_000_000_123),
            folder: false,
        };
        let folder = Entry { size: Some(0), modified: None, folder: true, ..entry.clone() };
        let stream = Entry { size: None, modified: None, ..entry.clone() };
        let entries = vec![entry, folder, stream];
        for message in [
            Message::Offer(Offer { transfer: "t".to_owned(), resume: true, entries }),
            Message::Accept { window: None },
            Message::Accept { window: Some(16) },
            Message::Want(Want { index: 0, offset: 0, sha256: None, restart: true }),
            Message::Want(Want { index: 7, offset: 9, sha256, restart: false }),
            Message::Begin { index: 1, offset: 2 },
            Message::Chunk { index: 1, offset: 2, data: Bytes::from_static(b"abc") },
            Message::End { index: 1, size: Some(5), sha256 },
            Message::End { index: 1, size: None, sha256: None },
            Message::Ack { index: 1, offset: 2 },
            Message::Done { index: 1, sha256 },
            Message::Refuse { index: 1, refusal: refusal.clone() },
            Message::Skip { index: 1, refusal: refusal.clone() },
            Message::Cancel(refusal),
        ] {
            assert_eq!(Message::from_value(message.clone().into_value()), Ok(Some(message)));
        }
    }

    #[test]
    fn a_page_may_leave_out_what_is_clear() {
        let want = Want { index: 0, offset: 0, sha256: None, restart: true };
        assert_eq!(page(&[("type", text("want"))]), Ok(Some(Message::Want(want))));
        let file = Value::Map(vec![
            ("name".to_owned(), text("a")),
            ("size".to_owned(), Value::Float(5_000_000_000.0)),
        ]);
        let offer = page(&[("type", text("offer")), ("files", Value::Array(vec![file]))]);
        let Ok(Some(Message::Offer(offer))) = offer else { panic!("{offer:?}") };
        assert_eq!((offer.transfer.as_str(), offer.resume), ("", false));
        assert_eq!(offer.size(), Some(5_000_000_000));
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        let member = |name| Err(InvalidMessage::Member(name));
        assert_eq!(Message::from_value(text("hi")), Err(InvalidMessage::NoType));
        assert_eq!(page(&[]), Err(InvalidMessage::NoType));
        assert_eq!(page(&[("type", Value::Int(1))]), Err(InvalidMessage::NoType));
        assert_eq!(page(&[("type", text("offer"))]), member("files"));
        let none = Value::Array(vec![]);
        assert_eq!(page(&[("type", text("offer")), ("files", none)]), member("files"));
        let many = Value::Array(vec![Value::Null; MOST_ENTRIES + 1]);
        assert_eq!(page(&[("type", text("offer")), ("files", many)]), Err(InvalidMessage::TooMany));
        let version = ("version", Value::Int(2));
        assert_eq!(page(&[("type", text("offer")), version]), Err(InvalidMessage::Version(2)));
        assert_eq!(page(&[("type", text("chunk")), ("offset", Value::Int(-1))]), member("offset"));
        let nan = ("offset", Value::Float(f64::NAN));
        assert_eq!(page(&[("type", text("ack")), nan]), member("offset"));
        assert_eq!(page(&[("type", text("end")), ("sha256", text("abc"))]), member("sha256"));
    }

    #[test]
    fn a_word_of_a_later_version_is_ignored() {
        assert_eq!(page(&[("type", text("dance"))]), Ok(None));
    }

    #[test]
    fn a_text_for_people_is_made_safe_and_short() {
        let long = format!("\u{1b}[2J{}", "x".repeat(10_000));
        let cancel = page(&[("type", text("cancel")), ("message", text(&long))]);
        let Ok(Some(Message::Cancel(refusal))) = cancel else { panic!("{cancel:?}") };
        assert_eq!(refusal.reason, Reason::Other);
        assert!(refusal.message.starts_with("\u{fffd}[2J") && refusal.message.len() < 600);
    }
}
