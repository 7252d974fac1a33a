//! `MessagePack` as `PeerJS` 1.5 streams it: values one behind the other in one stream of bytes, in the forms
//! that the npm package `@msgpack/msgpack` writes. Written here because no crate reads a stream piece by
//! piece with bounded memory and shares buffers; the format shares its integers, arrays and maps with
//! [`crate::binarypack`].

mod pack;
mod stream;
mod unpack;

pub use pack::pack;
pub use stream::{Stream, StreamError};

/// The type of the extension that is a timestamp.
const TIMESTAMP: i8 = -1;
