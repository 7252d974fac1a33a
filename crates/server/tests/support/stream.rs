//! The stream of a PeerJS 0.3 client.

use super::http::Streaming;
use super::{Request, TestServer};

/// Opens the stream of a peer of the app `peerjs`.
pub(crate) async fn stream_of(
    server: &TestServer,
    id: &str,
    token: &str,
    attempt: u32,
) -> Streaming {
    Request::post(&format!("/peerjs/{id}/{token}/id?i={attempt}"), "").open(server).await
}

/// The next line that is not PING, `None` at the end. Every chunk must be one line: the client
/// handles one line per chunk, and an empty line stops it.
pub(crate) async fn until_message(stream: &mut Streaming) -> Option<String> {
    loop {
        let chunk = stream.chunk().await?;
        let line = chunk.strip_suffix('\n').expect("a chunk ends with a line break");
        assert!(!line.is_empty() && !line.contains('\n'), "not one line: {chunk:?}");
        if line != r#"{"type":"PING"}"# {
            return Some(line.to_owned());
        }
    }
}
