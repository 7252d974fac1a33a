//! A headless client of Engine.IO 3 and Socket.IO 4, which says exactly what it is told to say: by
//! polling, by `WebSocket`, or first the one and then the other. Its codec is its own.

use std::collections::VecDeque;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_tungstenite::tungstenite::Message;

use super::{Socket, TestServer, within};

/// Both at once: what a dialect needs. The transport is one of the two.
pub(crate) struct SocketIo {
    transport: Transport,
    /// Messages (Engine.IO packets of type 4) that are not handled yet.
    inbox: VecDeque<Part>,
}

enum Transport {
    Socket(Box<Socket>),
    Polling(Polling),
}

/// One Engine.IO packet: its text with the type, or bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    Text(String),
    Binary(Vec<u8>),
}

/// An event.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Heard {
    pub(crate) name: String,
    /// What follows the name; placeholders stand for attachments.
    pub(crate) arguments: Vec<serde_json::Value>,
    pub(crate) attachments: Vec<Vec<u8>>,
}

impl Heard {
    /// The first argument.
    pub(crate) fn payload(&self) -> &serde_json::Value {
        self.arguments.first().unwrap_or(&serde_json::Value::Null)
    }
}

impl SocketIo {
    /// Comes by `WebSocket`, with a query of the application's, and is connected.
    pub(crate) async fn socket(server: &TestServer, query: &str) -> Self {
        Self::socket_with(server, query, &[]).await
    }

    /// The same with headers.
    pub(crate) async fn socket_with(
        server: &TestServer,
        query: &str,
        headers: &[(&'static str, &str)],
    ) -> Self {
        let target = format!("/socket.io/?{query}&EIO=3&transport=websocket");
        let mut socket = Socket::open(Box::new(server.connect().await), &target, headers).await;
        let open = socket.text().await;
        assert!(open.starts_with("0{\"sid\":"), "{open}");
        let mut client =
            Self { transport: Transport::Socket(Box::new(socket)), inbox: VecDeque::new() };
        assert_eq!(client.message().await, Some(Part::Text("0".into())));
        client
    }

    /// Comes by polling, with a query of the application's, and is connected.
    pub(crate) async fn polling(server: &TestServer, query: &str) -> Self {
        let (polling, inbox) = Polling::open(server, query).await;
        let mut client = Self { transport: Transport::Polling(polling), inbox: inbox.into() };
        assert_eq!(client.message().await, Some(Part::Text("0".into())));
        client
    }

    /// Goes over from polling to a `WebSocket` as engine.io-client does.
    pub(crate) async fn upgrade(self, server: &TestServer) -> Self {
        let Transport::Polling(polling) = self.transport else { panic!("it does not poll") };
        let mut inbox = self.inbox;
        let mut socket = server.socket(&polling.target("websocket")).await;
        socket.send("2probe").await;
        assert_eq!(socket.text().await, "3probe");
        // The client polls once more before it has read that.
        for part in polling.get().await.parts() {
            if part != Part::Text("6".into()) {
                inbox.push_back(message_of(part));
            }
        }
        socket.send("5").await;
        Self { transport: Transport::Socket(Box::new(socket)), inbox }
    }

    /// Sends an event with one argument of JSON text.
    pub(crate) async fn emit(&mut self, name: &str, json: &str) {
        self.emit_binary(name, json, &[]).await;
    }

    /// The same with attachments, for which placeholders stand in the JSON.
    pub(crate) async fn emit_binary(&mut self, name: &str, json: &str, attachments: &[&[u8]]) {
        let kind = match attachments.len() {
            0 => "2".to_owned(),
            count => format!("5{count}-"),
        };
        self.send(&format!("{kind}[\"{name}\",{json}]"), attachments).await;
    }

    /// Sends a Socket.IO packet and what is attached to it.
    pub(crate) async fn send(&mut self, packet: &str, attachments: &[&[u8]]) {
        let mut parts = vec![Part::Text(format!("4{packet}"))];
        parts.extend(attachments.iter().map(|bytes| Part::Binary(bytes.to_vec())));
        match &mut self.transport {
            Transport::Socket(socket) => {
                for part in parts {
                    socket.send_message(frame_of(part)).await;
                }
            }
            Transport::Polling(polling) => {
                let answer = polling.post(&parts).await;
                assert_eq!((answer.status, answer.text()), (200, "ok".into()));
            }
        }
    }

    /// Sends an Engine.IO packet as it is.
    pub(crate) async fn send_raw(&mut self, packet: &str) {
        match &mut self.transport {
            Transport::Socket(socket) => socket.send(packet).await,
            Transport::Polling(polling) => {
                polling.post(&[Part::Text(packet.into())]).await;
            }
        }
    }

    /// The next event; nothing else may come before.
    pub(crate) async fn event(&mut self) -> Heard {
        let message = self.message().await;
        let Some(Part::Text(text)) = message else { panic!("wanted an event, got {message:?}") };
        let (count, json) = match text.split_at(1) {
            ("2", json) => (0, json),
            ("5", rest) => {
                let (count, json) = rest.split_once('-').unwrap();
                (count.parse().unwrap(), json)
            }
            _ => panic!("wanted an event, got {text}"),
        };
        let mut attachments = Vec::new();
        for _ in 0..count {
            let part = self.message().await;
            let Some(Part::Binary(bytes)) = part else { panic!("wanted bytes, got {part:?}") };
            attachments.push(bytes);
        }
        let mut values: Vec<serde_json::Value> = serde_json::from_str(json).unwrap();
        let name = values.remove(0).as_str().unwrap().to_owned();
        Heard { name, arguments: values, attachments }
    }

    /// The next event, which must have this name; its first argument.
    pub(crate) async fn expect(&mut self, name: &str) -> serde_json::Value {
        let event = self.event().await;
        assert_eq!(event.name, name, "{event:?}");
        event.payload().clone()
    }

    /// The next Socket.IO packet or attachment, without the type of its Engine.IO packet; `None` when
    /// the server closes.
    pub(crate) async fn message(&mut self) -> Option<Part> {
        loop {
            if let Some(part) = self.inbox.pop_front() {
                return Some(part);
            }
            match &mut self.transport {
                Transport::Socket(socket) => match socket.message().await? {
                    Message::Text(text) if text.starts_with('4') => {
                        return Some(Part::Text(text[1..].into()));
                    }
                    Message::Text(text) if text.starts_with('b') => panic!("base64: {text}"),
                    Message::Text(_) | Message::Ping(_) | Message::Pong(_) => {}
                    Message::Binary(bytes) => {
                        assert_eq!(bytes[0], 4, "a binary message");
                        return Some(Part::Binary(bytes[1..].to_vec()));
                    }
                    Message::Close(_) => return None,
                    other @ Message::Frame(_) => panic!("{other:?}"),
                },
                Transport::Polling(polling) => {
                    let answer = polling.get().await;
                    if answer.status != 200 {
                        return None;
                    }
                    for part in answer.parts() {
                        match &part {
                            Part::Text(text) if !text.starts_with('4') => {}
                            _ => self.inbox.push_back(message_of(part)),
                        }
                    }
                }
            }
        }
    }

    /// The server disconnects the client (`41`) and then ends the connection.
    pub(crate) async fn assert_disconnected(&mut self) {
        assert_eq!(self.message().await, Some(Part::Text("1".into())));
        assert_eq!(self.message().await, None);
    }

    /// Says good bye, as a client's `disconnect()`.
    pub(crate) async fn disconnect(mut self) {
        self.send("1", &[]).await;
    }

    /// The connection ends without a word.
    pub(crate) fn cut(self) {
        drop(self);
    }
}

fn message_of(part: Part) -> Part {
    match part {
        Part::Text(text) => Part::Text(text.strip_prefix('4').expect("a message").to_owned()),
        binary @ Part::Binary(_) => binary,
    }
}

fn frame_of(part: Part) -> Message {
    match part {
        Part::Text(text) => Message::text(text),
        Part::Binary(bytes) => Message::binary([&[4], &bytes[..]].concat()),
    }
}

/// A session by polling.
#[derive(Clone)]
pub(crate) struct Polling {
    address: std::net::SocketAddr,
    query: String,
    pub(crate) sid: String,
}

impl Polling {
    /// Shakes hands; what came with the answer behind the first packet.
    pub(crate) async fn open(server: &TestServer, query: &str) -> (Self, Vec<Part>) {
        let mut polling = Self { address: server.address, query: query.into(), sid: String::new() };
        let answer = polling.get().await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let mut parts = answer.parts();
        let Part::Text(open) = parts.remove(0) else { panic!("the first packet is text") };
        let open: serde_json::Value =
            serde_json::from_str(open.strip_prefix('0').unwrap()).unwrap();
        open["sid"].as_str().unwrap().clone_into(&mut polling.sid);
        (polling, parts.into_iter().map(message_of).collect())
    }

    /// The URL of the session by a transport.
    pub(crate) fn target(&self, transport: &str) -> String {
        let sid = if self.sid.is_empty() { String::new() } else { format!("&sid={}", self.sid) };
        format!("/socket.io/?{}&EIO=3&transport={transport}&t=x{sid}", self.query)
    }

    /// Polls.
    pub(crate) async fn get(&self) -> PollAnswer {
        self.request("GET", "", &[]).await
    }

    /// Sends packets in one body: as bytes if one of them is binary.
    pub(crate) async fn post(&self, parts: &[Part]) -> PollAnswer {
        let binary = parts.iter().any(|part| matches!(part, Part::Binary(_)));
        let mut body = Vec::new();
        for part in parts {
            match part {
                Part::Text(text) if !binary => {
                    let units = text.encode_utf16().count();
                    body.extend_from_slice(format!("{units}:{text}").as_bytes());
                }
                Part::Text(text) => push_binary_part(&mut body, 0, text.as_bytes()),
                Part::Binary(bytes) => push_binary_part(&mut body, 1, &[&[4], &bytes[..]].concat()),
            }
        }
        let kind = if binary { "application/octet-stream" } else { "text/plain;charset=UTF-8" };
        self.request("POST", kind, &body).await
    }

    /// Sends any body.
    pub(crate) async fn request(&self, method: &str, kind: &str, body: &[u8]) -> PollAnswer {
        let mut io = self.begin(method, kind, body.len()).await;
        // A server may refuse a body without reading all of it.
        let _ = within("the body to be sent", io.write_all(body)).await;
        PollAnswer::read(&mut io).await
    }

    /// Sends the head of a request.
    pub(crate) async fn begin(
        &self,
        method: &str,
        kind: &str,
        length: usize,
    ) -> tokio::net::TcpStream {
        let stream = tokio::net::TcpStream::connect(self.address);
        let mut io = within("a TCP connection", stream).await.unwrap();
        let target = self.target("polling");
        let head = format!(
            "{method} {target} HTTP/1.1\r\nHost: localhost\r\nOrigin: https://page.example\r\n\
             Content-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n",
        );
        within("the request to be sent", io.write_all(head.as_bytes())).await.unwrap();
        io
    }
}

fn push_binary_part(body: &mut Vec<u8>, form: u8, bytes: &[u8]) {
    body.push(form);
    body.extend(bytes.len().to_string().bytes().map(|digit| digit - b'0'));
    body.push(0xff);
    body.extend_from_slice(bytes);
}

/// An answer to a poll.
#[derive(Debug)]
pub(crate) struct PollAnswer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: Vec<u8>,
}

impl PollAnswer {
    pub(crate) async fn read(io: &mut tokio::net::TcpStream) -> Self {
        let mut whole = Vec::new();
        // A connection that is reset behind its answer has answered.
        let _ = within("the answer", io.read_to_end(&mut whole)).await;
        let end = whole.windows(4).position(|it| it == b"\r\n\r\n").expect("an answer") + 4;
        let body = whole.split_off(end);
        let head = String::from_utf8(whole).unwrap().to_lowercase();
        let status = head[9..12].parse().unwrap();
        Self { status, head, body }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    /// The packets in it, by the form that its content type tells.
    pub(crate) fn parts(&self) -> Vec<Part> {
        let mut parts = Vec::new();
        if self.header("content-type") == Some("application/octet-stream") {
            let mut rest = &self.body[..];
            while let Some((form, behind)) = rest.split_first() {
                let end = behind.iter().position(|byte| *byte == 0xff).unwrap();
                let length =
                    behind[..end].iter().fold(0, |sum, digit| sum * 10 + usize::from(*digit));
                let (part, behind) = behind[end + 1..].split_at(length);
                rest = behind;
                parts.push(match form {
                    0 => Part::Text(String::from_utf8(part.to_vec()).unwrap()),
                    _ => Part::Binary(part[1..].to_vec()),
                });
            }
            return parts;
        }
        let body = self.text();
        assert!(body.is_ascii(), "clients that decode once or twice must read it alike: {body}");
        let mut rest = &body[..];
        while let Some((length, behind)) = rest.split_once(':') {
            let (part, behind) = behind.split_at(length.parse().unwrap());
            rest = behind;
            parts.push(Part::Text(part.to_owned()));
        }
        assert_eq!(rest, "");
        parts
    }
}
