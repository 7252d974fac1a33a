//! `WebSocket` framing (RFC 6455) as a codec without a socket: tungstenite works on buffers that
//! the session fills and empties, so that an idle connection holds next to no memory.

use std::io::{self, Read, Write};

use tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tungstenite::{Error, Message, WebSocket};

/// What tungstenite allocates per connection for reading. Frames pass through it in pieces of
/// this size, from a buffer that all sessions of a thread share.
const READ_PIECE: usize = 256;

/// See the module documentation.
#[derive(Debug)]
pub(crate) struct Codec {
    inner: WebSocket<Buffers>,
    /// A frame could not be read, so nothing behind it can be either.
    broken: bool,
    /// Both sides have said that they close.
    closed: bool,
}

#[derive(Debug, Default)]
struct Buffers {
    /// Lent during `feed`, empty otherwise.
    input: Vec<u8>,
    filled: usize,
    consumed: usize,
    output: Vec<u8>,
}

impl Codec {
    /// A server's codec for messages up to a size in bytes.
    pub(crate) fn new(frame_size: usize) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_PIECE)
            .write_buffer_size(0)
            .max_message_size(Some(frame_size))
            .max_frame_size(Some(frame_size));
        let buffers = Buffers::default();
        let inner = WebSocket::from_raw_socket(buffers, Role::Server, Some(config));
        Self { inner, broken: false, closed: false }
    }

    /// Lends the first `filled` bytes of a buffer to the codec and hands each message to `take`,
    /// until there is no complete one left. The buffer itself comes back. After an error the rest
    /// of the connection is noise and is ignored.
    pub(crate) fn feed(
        &mut self,
        buffer: &mut Vec<u8>,
        filled: usize,
        mut take: impl FnMut(Message),
    ) -> Result<(), Error> {
        if self.broken {
            return Ok(());
        }
        let buffers = self.inner.get_mut();
        std::mem::swap(&mut buffers.input, buffer);
        buffers.filled = filled;
        buffers.consumed = 0;
        let result = loop {
            match self.inner.read() {
                Ok(message) => take(message),
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        std::mem::swap(&mut self.inner.get_mut().input, buffer);
        self.broken = result.is_err();
        self.closed = matches!(result, Err(Error::ConnectionClosed));
        result
    }

    /// Whether both sides have said that they close.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Appends a message to the output.
    pub(crate) fn send(&mut self, message: Message) {
        // The output is memory, which takes everything; after a close nothing more may be sent
        // and nobody would read it.
        let _ = self.inner.write(message);
        let _ = self.inner.flush();
    }

    /// Appends a close frame to the output.
    pub(crate) fn close(&mut self, frame: Option<CloseFrame>) {
        let _ = self.inner.close(frame);
        let _ = self.inner.flush();
    }

    /// Bytes for the network. Whoever has written some of them removes them.
    pub(crate) fn output(&mut self) -> &mut Vec<u8> {
        &mut self.inner.get_mut().output
    }
}

impl Read for Buffers {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let rest = &self.input[self.consumed..self.filled];
        if rest.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let count = rest.len().min(into.len());
        into[..count].copy_from_slice(&rest[..count]);
        self.consumed += count;
        Ok(count)
    }
}

impl Write for Buffers {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.output.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
