//! A server that does what its test says, connection by connection.

use std::future::Future;

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

/// Answers every connection; the closure gets the number of the connection, from 0.
pub async fn serve<F, A>(answer: F) -> u16
where
    F: Fn(usize, TcpStream) -> A + Send + 'static,
    A: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        for number in 0.. {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(answer(number, stream));
        }
    });
    port
}

/// Answers every request with this text.
pub async fn http(answer: &'static str) -> u16 {
    serve(move |_, mut stream| async move {
        let mut request = [0; 4096];
        let _ = stream.read(&mut request).await;
        let _ = stream.write_all(answer.as_bytes()).await;
        let _ = stream.shutdown().await;
    })
    .await
}

/// A session as the server sees it.
pub struct Session(WebSocketStream<TcpStream>);

impl Session {
    pub async fn accept(stream: TcpStream) -> Self {
        Self(tokio_tungstenite::accept_async(stream).await.unwrap())
    }

    pub async fn say(&mut self, text: &str) {
        self.0.send(Message::text(text)).await.unwrap();
    }

    /// The next text; pings are answered meanwhile.
    pub async fn hear(&mut self) -> Option<String> {
        loop {
            match self.0.next().await {
                Some(Ok(Message::Text(text))) => return Some(text.to_string()),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                Some(Ok(_)) => {}
            }
        }
    }
}
