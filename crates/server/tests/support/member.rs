//! A member of a room of type sfu: room frames over a `WebSocket`, and the WebRTC client of
//! `peerway-media`'s tests over real sockets.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use peerway_media::LegId;
use peerway_server::clock;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::{Notify, mpsc};

use super::{Socket, TestServer, within};
use crate::media_clients::client::{Client, Sends};

/// See the module documentation. Runs by itself until dropped.
pub(crate) struct Member {
    shared: Arc<Shared>,
    frames: mpsc::UnboundedSender<String>,
    task: tokio::task::JoinHandle<()>,
}

struct Shared {
    client: Mutex<Client>,
    /// Frames that are no offers.
    heard: Mutex<Vec<Value>>,
    changed: Notify,
}

/// How datagrams travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Path {
    Udp,
    /// Over IPv6 alone.
    Udp6,
    Tcp,
}

/// The same with sockets.
enum Link {
    Udp(UdpSocket),
    /// To the address in the offer, which is not known before. What was read is kept.
    Tcp(Option<TcpStream>, Vec<u8>),
}

impl Member {
    /// Joins, and asks for an offer.
    pub(crate) async fn join(
        server: &TestServer,
        name: &str,
        room: &str,
        sends: Sends,
        path: Path,
    ) -> Self {
        let mut socket = server.peer(name).await;
        for frame in [
            json!({"type": "ROOM-JOIN", "room": room, "payload": {"mode": "sfu"}}),
            json!({"type": "ROOM-GET-OFFER", "room": room}),
        ] {
            socket.send(&frame.to_string()).await;
        }
        // On TCP it is only a name that the engine wants.
        let own = if path == Path::Udp6 { "[::1]:0" } else { "127.0.0.1:0" };
        let bound = UdpSocket::bind(own).await.unwrap();
        let address = bound.local_addr().unwrap();
        let link = match path {
            Path::Udp | Path::Udp6 => Link::Udp(bound),
            Path::Tcp => Link::Tcp(None, Vec::new()),
        };
        let shared = Arc::new(Shared {
            client: Mutex::new(Client::new(clock::now(), LegId(0), address, sends)),
            heard: Mutex::default(),
            changed: Notify::new(),
        });
        let (frames, to_send) = mpsc::unbounded_channel();
        let running =
            Running { shared: shared.clone(), socket, link, to_send, room: room.to_owned() };
        Self { shared, frames, task: tokio::spawn(running.run()) }
    }

    pub(crate) fn client(&self) -> MutexGuard<'_, Client> {
        self.shared.client.lock().unwrap()
    }

    /// Sends a frame.
    pub(crate) fn say(&self, frame: &Value) {
        self.frames.send(frame.to_string()).unwrap();
    }

    /// Waits until something is so.
    pub(crate) async fn until(&self, what: &str, mut is_so: impl FnMut(&Client) -> bool) {
        let wait = async {
            while !is_so(&self.client()) {
                self.shared.changed.notified().await;
            }
        };
        within(what, wait).await;
    }

    /// Waits for a frame of a type.
    pub(crate) async fn until_heard(&self, kind: &str) -> Value {
        let wait = async {
            loop {
                let heard = self.shared.heard.lock().unwrap().clone();
                if let Some(frame) = heard.into_iter().find(|frame| frame["type"] == kind) {
                    return frame;
                }
                self.shared.changed.notified().await;
            }
        };
        within(kind, wait).await
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Running {
    shared: Arc<Shared>,
    socket: Socket,
    link: Link,
    to_send: mpsc::UnboundedReceiver<String>,
    room: String,
}

impl Running {
    async fn run(mut self) {
        let mut buffer = vec![0; 2000];
        let mut listens = true;
        loop {
            self.send().await;
            self.shared.changed.notify_one();
            let due = self.shared.client.lock().unwrap().poll_timeout();
            tokio::select! {
                text = self.socket.text_whenever(), if listens => match text {
                    Some(text) => self.hear(&serde_json::from_str(&text).unwrap()).await,
                    // The media may live on for a moment.
                    None => listens = false,
                },
                Some(frame) = self.to_send.recv() => self.socket.send(&frame).await,
                received = self.link.receive(&mut buffer) => if let Ok((from, length)) = received {
                    let mut client = self.shared.client.lock().unwrap();
                    client.handle_datagram(clock::now(), from, &buffer[..length]);
                },
                () = tokio::time::sleep_until(due.into()) => {
                    self.shared.client.lock().unwrap().handle_timeout(clock::now());
                }
            }
        }
    }

    async fn hear(&mut self, frame: &Value) {
        if frame["type"] != "ROOM-OFFER" {
            self.shared.heard.lock().unwrap().push(frame.clone());
            return;
        }
        let mut sdp = frame["payload"]["sdp"].as_str().unwrap().to_owned();
        if let Link::Tcp(stream, _) = &mut self.link {
            sdp = as_if_udp(&sdp);
            if stream.is_none() {
                *stream = Some(TcpStream::connect(first_candidate(&sdp)).await.unwrap());
            }
        }
        let streams = frame["payload"]["streams"].as_object().unwrap().keys();
        // They are named after the leg that they come from.
        let number = |name: &str| name.strip_prefix("stream-").unwrap().parse().unwrap();
        let streams = streams.map(|name| (name.clone(), LegId(number(name)))).collect();
        let answer = {
            let mut client = self.shared.client.lock().unwrap();
            let answer = client.answer(&sdp, streams);
            client.handle_timeout(clock::now());
            answer
        };
        if let Some(sdp) = answer {
            let frame = json!({"type": "ROOM-ANSWER", "room": self.room, "payload": {"sdp": sdp}});
            self.socket.send(&frame.to_string()).await;
        }
    }

    async fn send(&mut self) {
        let out = self.shared.client.lock().unwrap().drain(clock::now());
        for (to, data) in out {
            match &mut self.link {
                // The server may be gone.
                Link::Udp(socket) => drop(socket.send_to(&data, to).await),
                Link::Tcp(Some(stream), _) => {
                    let length = u16::try_from(data.len()).unwrap();
                    let frame = [&length.to_be_bytes()[..], &data].concat();
                    drop(stream.write_all(&frame).await);
                }
                Link::Tcp(None, _) => {}
            }
        }
    }
}

impl Link {
    async fn receive(&mut self, buffer: &mut [u8]) -> io::Result<(SocketAddr, usize)> {
        let (stream, input) = match self {
            Self::Udp(socket) => {
                let (length, from) = socket.recv_from(buffer).await?;
                return Ok((from, length));
            }
            Self::Tcp(Some(stream), input) => (stream, input),
            Self::Tcp(None, _) => return std::future::pending().await,
        };
        loop {
            if let Some((length, rest)) = input.split_first_chunk::<2>() {
                let length = usize::from(u16::from_be_bytes(*length));
                if let Some(data) = rest.get(..length) {
                    buffer[..length].copy_from_slice(data);
                    input.drain(..2 + length);
                    return Ok((stream.peer_addr()?, length));
                }
            }
            if stream.read_buf(input).await? == 0 {
                // Its end is for the engine to find out.
                return std::future::pending().await;
            }
        }
    }
}

/// The engine of the tests knows no TCP, and need not: the candidates on TCP as if they were UDP,
/// without the others.
fn as_if_udp(sdp: &str) -> String {
    let line = |line: &str| {
        if !line.starts_with("a=candidate:") {
            return Some(format!("{line}\r\n"));
        }
        let mut words: Vec<&str> = line.trim_end().split(' ').collect();
        let is_tcp = words[2].eq_ignore_ascii_case("tcp");
        assert!(!is_tcp || line.contains("tcptype passive"), "{line}");
        words[2] = "udp";
        words.truncate(8);
        is_tcp.then(|| format!("{}\r\n", words.join(" ")))
    };
    sdp.lines().filter_map(line).collect()
}

fn first_candidate(sdp: &str) -> SocketAddr {
    let line = sdp.lines().find(|line| line.starts_with("a=candidate:")).unwrap();
    let words: Vec<&str> = line.split(' ').collect();
    SocketAddr::new(words[4].parse().unwrap(), words[5].parse().unwrap())
}
