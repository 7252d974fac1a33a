//! A SkyWay client as `skyway-js` is one on the wire.

use serde_json::Value;

use super::socketio::Part;
use super::{SocketIo, TestServer};

/// See the module documentation.
pub(crate) struct SkyWay {
    io: SocketIo,
}

impl SkyWay {
    /// A peer of the app `peerjs` that has heard OPEN, over a `WebSocket`.
    pub(crate) async fn open(server: &TestServer, id: &str) -> Self {
        Self::connect(server, &query(id, &format!("token-of-{id}"))).await.opened(id).await
    }

    /// The same by polling.
    pub(crate) async fn open_by_polling(server: &TestServer, id: &str) -> Self {
        let query = query(id, &format!("token-of-{id}"));
        Self::connect_by_polling(server, &query).await.opened(id).await
    }

    async fn opened(mut self, id: &str) -> Self {
        assert_eq!(self.told("OPEN").await["peerId"], id);
        self
    }

    /// A client that is connected and has heard nothing else yet.
    pub(crate) async fn connect(server: &TestServer, query: &str) -> Self {
        Self { io: SocketIo::socket(server, query).await }
    }

    /// The same by polling.
    pub(crate) async fn connect_by_polling(server: &TestServer, query: &str) -> Self {
        Self { io: SocketIo::polling(server, query).await }
    }

    /// The same over a `WebSocket` with headers.
    pub(crate) async fn connect_from(
        server: &TestServer,
        query: &str,
        headers: &[(&'static str, &str)],
    ) -> Self {
        Self { io: SocketIo::socket_with(server, query, headers).await }
    }

    /// Sends an event.
    pub(crate) async fn say(&mut self, name: &str, payload: &str) {
        self.io.emit(name, payload).await;
    }

    /// Sends an event with binary parts.
    pub(crate) async fn say_binary(&mut self, name: &str, payload: &str, parts: &[&[u8]]) {
        self.io.emit_binary(name, payload, parts).await;
    }

    /// The next event, which must have this name; its payload.
    pub(crate) async fn told(&mut self, name: &str) -> Value {
        self.io.expect(name).await
    }

    /// The same as the text that came.
    pub(crate) async fn told_text(&mut self, name: &str) -> String {
        let message = self.io.message().await;
        let Some(Part::Text(text)) = message else { panic!("wanted {name}, got {message:?}") };
        let event = text.strip_prefix(&format!(r#"2["{name}","#));
        let payload = event.and_then(|event| event.strip_suffix(']'));
        payload.unwrap_or_else(|| panic!("wanted {name}, got {text}")).to_owned()
    }

    /// The next event, which must have this name, with its binary parts.
    pub(crate) async fn told_binary(&mut self, name: &str) -> (Value, Vec<Vec<u8>>) {
        let heard = self.io.event().await;
        assert_eq!(heard.name, name);
        (heard.payload().clone(), heard.attachments)
    }

    /// Is told ERROR of this type; its message.
    pub(crate) async fn told_error(&mut self, kind: &str) -> String {
        let error = self.told("ERROR").await;
        assert_eq!(error["type"], kind, "{error}");
        error["message"].as_str().unwrap().to_owned()
    }

    /// Is disconnected by the server, which an SDK takes as final.
    pub(crate) async fn disconnected(mut self) {
        self.io.assert_disconnected().await;
    }

    /// Loses its connection without a word, which an SDK takes as a reason to come back.
    pub(crate) async fn broken(mut self) {
        assert_eq!(self.io.message().await, None);
    }

    /// Says goodbye, and waits until the server has hung up.
    pub(crate) async fn leave(mut self) {
        self.io.send("1", &[]).await;
        assert_eq!(self.io.message().await, None);
    }

    /// Whatever was sent to this peer until now has been read: a message to itself comes next.
    pub(crate) async fn assert_heard_all(&mut self, id: &str) {
        self.say("SEND_ANSWER", &format!(r#"{{"dst":"{id}","fence":1}}"#)).await;
        let fence = format!(r#"{{"dst":"{id}","fence":1,"src":"{id}"}}"#);
        assert_eq!(self.told_text("ANSWER").await, fence);
    }
}

/// The query of a client of the app `peerjs`.
pub(crate) fn query(id: &str, token: &str) -> String {
    let [id, token] = [id, token].map(|text| text.replace(' ', "%20"));
    format!("apiKey=peerjs&token={token}&platform=javascript&sdk_version=4.4.5&peerId={id}")
}
