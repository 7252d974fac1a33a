//! The `WebSocket` to the server.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::{Sink, Stream};
use hyper::header::{LOCATION, ORIGIN};
use rustls::ClientConfig;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};

use super::dial::{self, BoxIo};
use super::failure::Problem;
use super::http::PATIENCE;
use super::{Endpoint, Failure};

/// Longest frame that is taken from the server. `PeerServer` relays up to 100 MiB, which no
/// signal has.
const LONGEST_FRAME: usize = 16 * 1024 * 1024;
/// Bytes read at once; a signal has one to ten kilobytes.
const READ_BUFFER: usize = 16 * 1024;
/// More messages than this shall not be given to [`Socket::send`] at a time.
const QUEUE: usize = 64;
/// How long a farewell may take.
const FAREWELL: Duration = Duration::from_secs(1);

/// What came from the server.
#[derive(Debug)]
pub(crate) enum Received {
    Text(Utf8Bytes),
    /// A pong, a ping that is answered, anything else.
    SignOfLife,
    /// It is over, for this reason.
    Closed(String),
}

/// A socket and what waits to be sent.
pub(crate) struct Socket {
    stream: WebSocketStream<BoxIo>,
    queue: VecDeque<Message>,
    /// Something was written that has not been flushed.
    dirty: bool,
}

impl Socket {
    /// Opens the socket of a peer.
    pub(crate) async fn open(
        endpoint: &Endpoint,
        tls: &Arc<ClientConfig>,
        id: &str,
        token: &str,
    ) -> Result<Self, Failure> {
        let opened = tokio::time::timeout(PATIENCE, upgrade(endpoint, tls, id, token)).await;
        let stream = opened.unwrap_or_else(|_| Err(Failure::NoAnswer { at: endpoint.url() }))?;
        Ok(Self { stream, queue: VecDeque::new(), dirty: false })
    }

    /// Whether there is room for more.
    pub(crate) fn has_room(&self) -> bool {
        self.queue.len() < QUEUE
    }

    /// Queues a text; [`next`](Self::next) sends it.
    pub(crate) fn send(&mut self, text: String) {
        self.queue.push_back(Message::text(text));
    }

    /// Queues a ping.
    pub(crate) fn ping(&mut self) {
        self.queue.push_back(Message::Ping(Vec::new().into()));
    }

    /// Sends what is queued and, if `reading`, gives what came. Cancel-safe.
    pub(crate) async fn next(&mut self, reading: bool) -> Received {
        poll_fn(|cx| self.poll_next(cx, reading)).await
    }

    /// Says goodbye, as far as that is possible within a second.
    pub(crate) async fn close(mut self) {
        self.queue.push_back(Message::Close(None));
        let farewell = poll_fn(|cx| self.poll_send(cx));
        // The other side notices the end of the connection in any case.
        let _ = tokio::time::timeout(FAREWELL, farewell).await;
    }

    fn poll_next(&mut self, cx: &mut Context<'_>, reading: bool) -> Poll<Received> {
        if let Poll::Ready(Err(error)) = self.poll_send(cx) {
            if !reading {
                return Poll::Ready(Received::Closed(cause(&error)));
            }
            // What the server said before it closed, perhaps the reason, can still be read.
            self.queue.clear();
            self.dirty = false;
        }
        if !reading {
            return Poll::Pending;
        }
        let received = match ready!(Pin::new(&mut self.stream).poll_next(cx)) {
            Some(Ok(Message::Text(text))) => Received::Text(text),
            Some(Ok(Message::Close(frame))) => {
                let reason = frame.map(|frame| frame.reason.to_string()).unwrap_or_default();
                Received::Closed(if reason.is_empty() { CLOSED.into() } else { reason })
            }
            // PeerServer relays text only; a binary frame is nothing that it says.
            Some(Ok(_)) => Received::SignOfLife,
            Some(Err(error)) => Received::Closed(cause(&error)),
            None => Received::Closed(CLOSED.into()),
        };
        Poll::Ready(received)
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let mut stream = Pin::new(&mut self.stream);
        while !self.queue.is_empty() {
            ready!(stream.as_mut().poll_ready(cx))?;
            if let Some(message) = self.queue.pop_front() {
                stream.as_mut().start_send(message)?;
                self.dirty = true;
            }
        }
        if self.dirty {
            ready!(stream.poll_flush(cx))?;
            self.dirty = false;
        }
        Poll::Ready(Ok(()))
    }
}

const CLOSED: &str = "it was closed by the other side";

fn cause(error: &Error) -> String {
    match error {
        Error::ConnectionClosed | Error::AlreadyClosed => CLOSED.into(),
        // Without its prefix.
        Error::Io(error) => error.to_string(),
        other => other.to_string(),
    }
}

async fn upgrade(
    endpoint: &Endpoint,
    tls: &Arc<ClientConfig>,
    id: &str,
    token: &str,
) -> Result<WebSocketStream<BoxIo>, Failure> {
    let no_socket =
        |cause: String| Failure::NotHttp { at: endpoint.url(), cause, secure: endpoint.secure };
    let mut request = endpoint
        .socket_url(id, token)
        .into_client_request()
        .map_err(|error| no_socket(error.to_string()))?;
    if let Some(origin) = &endpoint.origin {
        request.headers_mut().insert(ORIGIN, origin.clone());
    }
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .max_message_size(Some(LONGEST_FRAME))
        .max_frame_size(Some(LONGEST_FRAME));
    let io = dial::connect(endpoint, tls).await?;
    match tokio_tungstenite::client_async_with_config(request, io, Some(config)).await {
        Ok((stream, _)) => Ok(stream),
        Err(Error::Http(answer)) => {
            let location = answer.headers().get(LOCATION).and_then(|text| text.to_str().ok());
            Err(Failure::Status {
                at: endpoint.url(),
                status: answer.status().as_u16(),
                problem: answer.body().as_deref().and_then(Problem::in_body),
                location: location.map(str::to_owned),
            })
        }
        Err(error) => Err(no_socket(cause(&error))),
    }
}
