//! WebSocket frames as a client writes and reads them; the header codec is tungstenite's.

use std::io::Cursor;

use anyhow::{Context, Result, bail};
use bytes::{Buf, Bytes, BytesMut};
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

/// Every frame uses the same mask. It is not zero, because `ws` skips the unmasking of a zero mask.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// What arrived, seen from the benchmark.
#[derive(Debug)]
pub(crate) enum Incoming {
    Text(Bytes),
    Ping(Bytes),
    /// The close code, if the server gave one.
    Close(Option<u16>),
}

/// A masked frame whose content can be overwritten in place.
#[derive(Clone)]
pub(crate) struct MaskedFrame {
    bytes: Vec<u8>,
    content_at: usize,
}

impl MaskedFrame {
    pub(crate) fn text(content: &[u8]) -> Self {
        Self::new(OpCode::Data(Data::Text), content)
    }

    pub(crate) fn pong(content: &[u8]) -> Self {
        Self::new(OpCode::Control(Control::Pong), content)
    }

    pub(crate) fn close() -> Self {
        Self::new(OpCode::Control(Control::Close), &[])
    }

    fn new(opcode: OpCode, content: &[u8]) -> Self {
        let header = FrameHeader { opcode, mask: Some(MASK), ..FrameHeader::default() };
        let mut bytes = Vec::with_capacity(content.len() + 14);
        header.format(content.len() as u64, &mut bytes).expect("a Vec takes every write");
        let content_at = bytes.len();
        bytes.resize(content_at + content.len(), 0);
        let mut frame = Self { bytes, content_at };
        frame.overwrite(0, content);
        frame
    }

    /// Replaces the content from `offset` on, without changing its length.
    pub(crate) fn overwrite(&mut self, offset: usize, content: &[u8]) {
        let masked = &mut self.bytes[self.content_at + offset..][..content.len()];
        for (index, (to, from)) in masked.iter_mut().zip(content).enumerate() {
            *to = from ^ MASK[(offset + index) % MASK.len()];
        }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Takes the next whole frame off `unread`, if there is one.
pub(crate) fn take(unread: &mut BytesMut) -> Result<Option<Incoming>> {
    let mut cursor = Cursor::new(&unread[..]);
    let Some((header, length)) = FrameHeader::parse(&mut cursor)? else { return Ok(None) };
    let content_at = usize::try_from(cursor.position())?;
    let length = usize::try_from(length).context("a frame larger than memory")?;
    if unread.len() < content_at + length {
        return Ok(None);
    }
    unread.advance(content_at);
    let mut content = unread.split_to(length).freeze();
    let incoming = match header.opcode {
        OpCode::Data(Data::Text) if header.is_final => Incoming::Text(content),
        OpCode::Control(Control::Ping) => Incoming::Ping(content),
        OpCode::Control(Control::Close) => {
            Incoming::Close((content.len() >= 2).then(|| content.get_u16()))
        }
        other => bail!("no signalling server sends this frame: {other:?}"),
    };
    Ok(Some(incoming))
}
