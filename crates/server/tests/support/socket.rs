//! A `WebSocket` client that says exactly what it is told to say.

use futures_util::{SinkExt, StreamExt};
use tokio::io::AsyncWriteExt;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::{BoxIo, within};

/// See the module documentation.
pub(crate) struct Socket {
    stream: WebSocketStream<BoxIo>,
}

impl Socket {
    /// Shakes hands; the server must accept.
    pub(crate) async fn open(io: BoxIo, target: &str, headers: &[(&'static str, &str)]) -> Self {
        Self::try_open(io, target, headers).await.expect("the handshake succeeds")
    }

    /// Shakes hands.
    pub(crate) async fn try_open(
        io: BoxIo,
        target: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, Error> {
        let mut request = format!("ws://localhost{target}").into_client_request()?;
        for (name, value) in headers {
            request.headers_mut().insert(*name, HeaderValue::from_str(value).unwrap());
        }
        let handshake = tokio_tungstenite::client_async(request, io);
        let (stream, _) = within("the WebSocket handshake", handshake).await?;
        Ok(Self { stream })
    }

    /// Sends a text frame.
    pub(crate) async fn send(&mut self, text: &str) {
        self.send_message(Message::text(text)).await;
    }

    /// Sends an OFFER with a payload of JSON text.
    pub(crate) async fn offer(&mut self, to: &str, payload: &str) {
        self.send(&format!(r#"{{"type":"OFFER","payload":{payload},"dst":"{to}"}}"#)).await;
    }

    /// Sends any frame.
    pub(crate) async fn send_message(&mut self, message: Message) {
        within("a frame to be sent", self.stream.send(message)).await.unwrap();
    }

    /// Sends bytes that need not be a frame.
    pub(crate) async fn send_raw(&mut self, bytes: &[u8]) {
        let io = self.stream.get_mut();
        // The server may have hung up before all of it.
        let _ = within("bytes to be sent", io.write_all(bytes)).await;
    }

    /// The next frame of any kind; `None` when the connection ended without a close frame.
    pub(crate) async fn message(&mut self) -> Option<Message> {
        within("a frame", self.stream.next()).await?.ok()
    }

    /// The next text; control frames before it are answered and skipped.
    pub(crate) async fn text(&mut self) -> String {
        self.text_or_close().await.expect("a text frame, not the end of the connection")
    }

    /// The next text, or `None` when the server closes.
    pub(crate) async fn text_or_close(&mut self) -> Option<String> {
        loop {
            match self.message().await {
                Some(Message::Text(text)) => return Some(text.to_string()),
                Some(Message::Ping(_) | Message::Pong(_)) => {}
                Some(Message::Close(_)) | None => return None,
                other => panic!("wanted a text or close frame, got {other:?}"),
            }
        }
    }

    /// The next text, however long it takes; `None` when the connection ended.
    pub(crate) async fn text_whenever(&mut self) -> Option<String> {
        loop {
            match self.stream.next().await?.ok()? {
                Message::Text(text) => return Some(text.to_string()),
                Message::Close(_) => return None,
                _ => {}
            }
        }
    }

    /// Waits for the server's close frame and gives its code, if it has one. Texts before it are
    /// a failure.
    pub(crate) async fn close_code(&mut self) -> Option<u16> {
        loop {
            match self.message().await {
                Some(Message::Close(frame)) => return frame.map(|frame| frame.code.into()),
                Some(Message::Ping(_) | Message::Pong(_)) => {}
                other => panic!("wanted a close frame, got {other:?}"),
            }
        }
    }

    /// Whatever was sent to this peer until now has been read: a message to itself comes next.
    pub(crate) async fn assert_heard_all(&mut self, id: &str) {
        self.send(&format!(r#"{{"type":"ANSWER","payload":"fence","dst":"{id}"}}"#)).await;
        let fence = format!(r#"{{"type":"ANSWER","src":"{id}","dst":"{id}","payload":"fence"}}"#);
        assert_eq!(self.text().await, fence);
    }

    /// Closes from the client's side and waits for the end.
    pub(crate) async fn close(mut self) {
        within("the close frame to be sent", self.stream.close(None)).await.unwrap();
        let end = async { while let Some(Ok(_)) = self.stream.next().await {} };
        within("the answer to the close frame", end).await;
    }
}
