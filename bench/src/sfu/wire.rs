//! A WebSocket for signalling that never blocks the thread which also sends and receives media.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};

use anyhow::{Context, Result, bail, ensure};
use tungstenite::protocol::Role;
use tungstenite::{Error, Message, Utf8Bytes, WebSocket};

pub(super) struct Wire(WebSocket<TcpStream>);

impl Wire {
    /// Connects and upgrades; this part waits for the server.
    pub(super) fn open(address: SocketAddr, upgrade: &str) -> Result<Self> {
        const END: &[u8] = b"\r\n\r\n";
        let mut stream = TcpStream::connect(address).context("cannot connect")?;
        stream.set_nodelay(true)?;
        stream.write_all(upgrade.as_bytes())?;
        let mut head = Vec::new();
        let end = loop {
            if let Some(at) = head.windows(END.len()).position(|window| window == END) {
                break at + END.len();
            }
            let mut part = [0; 4096];
            let length = stream.read(&mut part)?;
            ensure!(length > 0, "the server hung up");
            head.extend_from_slice(&part[..length]);
        };
        let frames = head.split_off(end);
        ensure!(head.starts_with(b"HTTP/1.1 101 "), "no upgrade but {}", head.escape_ascii());
        stream.set_nonblocking(true)?;
        Ok(Self(WebSocket::from_partially_read(stream, frames, Role::Client, None)))
    }

    pub(super) fn send(&mut self, text: String) -> Result<()> {
        later(self.0.send(Message::text(text)))?;
        Ok(())
    }

    /// What was left of what was sent.
    pub(super) fn flush(&mut self) -> Result<()> {
        later(self.0.flush())?;
        Ok(())
    }

    /// The next text, if one has arrived whole.
    pub(super) fn receive(&mut self) -> Result<Option<Utf8Bytes>> {
        loop {
            match later(self.0.read())? {
                None => return Ok(None),
                Some(Message::Text(text)) => return Ok(Some(text)),
                Some(Message::Close(frame)) => bail!("the server closed: {frame:?}"),
                Some(_) => {}
            }
        }
    }
}

/// `None`: the socket has to be ready first.
fn later<T>(result: Result<T, Error>) -> Result<Option<T>> {
    match result {
        Ok(done) => Ok(Some(done)),
        Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error).context("signalling"),
    }
}

impl AsFd for Wire {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.get_ref().as_fd()
    }
}
