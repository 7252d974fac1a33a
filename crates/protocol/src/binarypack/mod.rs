//! `BinaryPack`, the default serialization of `PeerJS`: one packed value per message.
//!
//! Two dialects are on the wire. Up to 1.4.7 (and in 2.0 beta) the code of an emoji is broken: a
//! sender declares two bytes too many for each character beyond U+FFFF in texts of up to 600 UTF-16
//! units, and a receiver knows no sequences of four bytes, but puts two of three bytes together, one
//! for each surrogate. So for these we write the latter (CESU-8, Unicode Technical Report 26), and what they write
//! we read with the length that they meant. Neither changes a text without such characters.

pub(crate) mod layout;
mod pack;
mod text;
mod unpack;

pub use pack::{PackError, pack};
pub(crate) use text::decode as decode_text;
pub(crate) use unpack::unpack_from;
pub use unpack::{UnpackError, unpack};

/// How many arrays and objects may stand inside each other, when packing and unpacking: what
/// `serde_json` reads.
pub const MAX_DEPTH: usize = 127;

/// How texts are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// By 1.5.0 and later, and by ourselves: UTF-8 and its length in bytes.
    Modern,
    /// By 0.3.7 to 1.4.7 and 2.0 beta: see the [module](self).
    Legacy,
    /// By `binary` before 0.3.7, which declared the length in UTF-16 units. It is read alone; what is
    /// packed for it is as for [`Legacy`](Self::Legacy).
    Oldest,
}
