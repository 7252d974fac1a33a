//! One client as the server sees it: a WebSocket that reached OPEN.

use anyhow::{Context, Result, anyhow, bail, ensure};
use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use crate::dialect::Opening;
use crate::frame::{self, Incoming, MaskedFrame};
use crate::identity;
use crate::target::Target;

/// Room for several offers at once, so that reading them costs the generator little.
const READ_SIZE: usize = 16 * 1024;

pub(crate) struct Client {
    pub(crate) id: String,
    pub(crate) reader: Reader,
    pub(crate) writer: OwnedWriteHalf,
}

pub(crate) struct Reader {
    stream: OwnedReadHalf,
    unread: BytesMut,
}

impl Client {
    /// Connects under a fresh id and waits for OPEN.
    pub(crate) async fn open(target: &Target) -> Result<Self> {
        let id = identity::peer_id();
        let stream = TcpStream::connect(target.address()).await.context("cannot connect")?;
        stream.set_nodelay(true)?;
        let (stream, mut writer) = stream.into_split();
        writer.write_all(target.upgrade_request(&id, &identity::token()).as_bytes()).await?;
        let mut reader = Reader { stream, unread: BytesMut::new() };
        reader.expect_upgrade().await?;
        let mut client = Self { id, reader, writer };
        loop {
            let Incoming::Text(text) = client.receive().await? else {
                bail!("closed before OPEN");
            };
            match target.dialect.opening(&text) {
                Opening::Open => return Ok(client),
                Opening::Underway => {}
                Opening::Refused => bail!("no OPEN but {}", String::from_utf8_lossy(&text)),
            }
        }
    }

    /// The next text or close frame; pings are answered on the way.
    pub(crate) async fn receive(&mut self) -> Result<Incoming> {
        loop {
            if let Some(incoming) = self.receive_buffered().await? {
                return Ok(incoming);
            }
            self.reader.fill().await?;
        }
    }

    /// The same, of what has been read already.
    pub(crate) async fn receive_buffered(&mut self) -> Result<Option<Incoming>> {
        while let Some(incoming) = frame::take(&mut self.reader.unread)? {
            match incoming {
                Incoming::Ping(content) => self.send(&MaskedFrame::pong(&content)).await?,
                incoming => return Ok(Some(incoming)),
            }
        }
        Ok(None)
    }

    pub(crate) async fn send(&mut self, frame: &MaskedFrame) -> Result<()> {
        Ok(self.writer.write_all(frame.as_bytes()).await?)
    }

    /// Closes as a browser does: a close frame, then the server ends the connection.
    pub(crate) async fn close(mut self) -> Result<()> {
        self.send(&MaskedFrame::close()).await?;
        while !matches!(self.receive().await?, Incoming::Close(_)) {}
        Ok(())
    }
}

impl Reader {
    /// The next frame; pings are not answered.
    pub(crate) async fn receive(&mut self) -> Result<Incoming> {
        loop {
            if let Some(incoming) = frame::take(&mut self.unread)? {
                return Ok(incoming);
            }
            self.fill().await?;
        }
    }

    /// Waits until the server ends the connection and tells what it said last.
    pub(crate) async fn ended(&mut self) -> anyhow::Error {
        let mut last_words = "nothing".to_owned();
        loop {
            match self.receive().await {
                Ok(Incoming::Text(text)) => {
                    last_words = String::from_utf8_lossy(&text).into_owned();
                }
                Ok(Incoming::Ping(_)) => {}
                Ok(Incoming::Close(_)) | Err(_) => {
                    return anyhow!("the server cut off a sender and said {last_words}");
                }
            }
        }
    }

    async fn fill(&mut self) -> Result<()> {
        self.unread.reserve(READ_SIZE);
        ensure!(self.stream.read_buf(&mut self.unread).await? > 0, "the server hung up");
        Ok(())
    }

    async fn expect_upgrade(&mut self) -> Result<()> {
        const END: &[u8] = b"\r\n\r\n";
        loop {
            let end = self.unread.windows(END.len()).position(|window| window == END);
            if let Some(end) = end {
                let head = String::from_utf8_lossy(&self.unread[..end]).into_owned();
                ensure!(head.starts_with("HTTP/1.1 101 "), "no upgrade but {head}");
                self.unread.advance(end + END.len());
                return Ok(());
            }
            self.fill().await?;
        }
    }
}
