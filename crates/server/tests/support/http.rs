//! An HTTP/1.1 client that shows chunks as they come.

use std::io::Read;

use flate2::read::GzDecoder;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};

use super::{BoxIo, TestServer, within};

/// A request, complete but for `Content-Length`.
pub(crate) struct Request {
    method: &'static str,
    target: String,
    host: String,
    headers: String,
    body: String,
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

/// An answer whose body is still coming.
pub(crate) struct Streaming {
    io: BufReader<BoxIo>,
    pub(crate) head: Answer,
}

impl Request {
    pub(crate) fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    pub(crate) fn post(target: &str, body: &str) -> Self {
        Self { body: body.to_owned(), ..Self::new("POST", target) }
    }

    pub(crate) fn new(method: &'static str, target: &str) -> Self {
        let (headers, body) = (String::new(), String::new());
        Self { method, target: target.to_owned(), host: "localhost".into(), headers, body }
    }

    pub(crate) fn host(self, host: &str) -> Self {
        Self { host: host.to_owned(), ..self }
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.extend([name, ": ", value, "\r\n"]);
        self
    }

    /// Sends it and reads the whole answer.
    pub(crate) async fn send(self, server: &TestServer) -> Answer {
        let mut streaming = self.open(server).await;
        streaming.read_to_end().await;
        streaming.head
    }

    /// Sends it and reads the head of the answer.
    pub(crate) async fn open(self, server: &TestServer) -> Streaming {
        self.open_over(Box::new(server.connect().await)).await
    }

    /// The same over a connection of the caller's.
    pub(crate) async fn open_over(self, mut io: BoxIo) -> Streaming {
        let Self { method, target, host, headers, body } = self;
        let head = format!(
            "{method} {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\
             Content-Length: {}\r\n{headers}\r\n",
            body.len()
        );
        within("the request to be sent", io.write_all(head.as_bytes())).await.unwrap();
        // A server may refuse a body without reading all of it.
        let _ = within("the body to be sent", io.write_all(body.as_bytes())).await;
        Streaming::read_head(io).await
    }
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(own, _)| own.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

impl Streaming {
    async fn read_head(io: BoxIo) -> Self {
        let head = Answer { status: 0, headers: Vec::new(), body: String::new() };
        let mut streaming = Self { io: BufReader::new(io), head };
        let status = streaming.line().await;
        let code = status.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3));
        let code = code.unwrap_or_else(|| panic!("not an HTTP answer: {status:?}"));
        streaming.head.status = code.parse().unwrap();
        loop {
            let line = streaming.line().await;
            let Some((name, value)) = line.split_once(':') else { return streaming };
            streaming.head.headers.push((name.to_owned(), value.trim().to_owned()));
        }
    }

    /// The next chunk: what the server wrote at once. `None` at the end.
    pub(crate) async fn chunk(&mut self) -> Option<String> {
        let size = usize::from_str_radix(&self.line().await, 16).expect("a chunk begins");
        let mut chunk = vec![0; size + 2];
        within("a chunk", self.io.read_exact(&mut chunk)).await.unwrap();
        chunk.truncate(size);
        (size > 0).then(|| String::from_utf8(chunk).unwrap())
    }

    async fn read_to_end(&mut self) {
        if self.head.header("transfer-encoding") == Some("chunked") {
            while let Some(chunk) = self.chunk().await {
                self.head.body.push_str(&chunk);
            }
            return;
        }
        let size = self.head.header("content-length").map_or(0, |size| size.parse().unwrap());
        let mut body = vec![0; size];
        within("the body", self.io.read_exact(&mut body)).await.unwrap();
        if self.head.header("content-encoding") == Some("gzip") {
            GzDecoder::new(body.as_slice()).read_to_string(&mut self.head.body).unwrap();
            return;
        }
        self.head.body = String::from_utf8(body).unwrap();
    }

    async fn line(&mut self) -> String {
        let mut line = String::new();
        within("a line", self.io.read_line(&mut line)).await.unwrap();
        line.trim_end().to_owned()
    }
}
