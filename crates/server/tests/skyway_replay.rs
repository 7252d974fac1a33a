//! What real clients said, said again: the recordings of `skyway-js` in `crates/protocol/fixtures/skyway`
//! (its README tells what is in them). Every client must be told what it was told then.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::{Heard, Part, SocketIo, TestServer, millis};

const KEY: &str = "5e1f0000-cafe-4bad-8bad-0123456789ab";

#[tokio::test]
async fn recordings_of_4_4_5_come_out_the_same() {
    for scene in ["open", "heartbeat", "data", "media", "mesh", "lost", "polling", "refused"] {
        replay(&format!("skyway-js-4.4.5-{scene}")).await;
    }
}

#[tokio::test]
async fn recordings_of_1_1_20_come_out_the_same() {
    for scene in ["open", "heartbeat", "data", "media", "mesh", "lost", "polling", "refused"] {
        replay(&format!("skyway-js-1.1.20-{scene}")).await;
    }
}

/// What happens in a recording, as Socket.IO has it.
#[derive(Debug)]
enum Step {
    /// Comes by polling.
    Open {
        query: String,
    },
    /// Goes over to a `WebSocket`.
    Upgrade,
    /// Sends an Engine.IO packet that is no message.
    Raw(String),
    Say {
        packet: String,
        attachments: Vec<Vec<u8>>,
    },
    Told(Heard),
    /// The server disconnects it.
    Disconnected,
    Cut,
    /// Asks by HTTP and hears this.
    Ask {
        target: String,
        answer: Value,
    },
}

async fn replay(name: &str) {
    let steps = read(name);
    assert!(steps.iter().any(|(_, step)| matches!(step, Step::Told(_))), "{name} is empty");
    let server = TestServer::with(|config| {
        config.key = Some(KEY.into());
        config.allow_discovery = true;
        config.expire_timeout = millis(0);
    })
    .await;
    let mut stage = Stage { name, server, actors: BTreeMap::new(), ids: Vec::new(), cuts: 0 };
    for (who, step) in steps {
        stage.play(&who, step).await;
    }
    for (who, actor) in stage.actors {
        let unheard: Vec<_> = actor.inbox.iter().filter(|it| !is_unavailable(it)).collect();
        assert!(unheard.is_empty(), "{name}: {who} was told too much: {unheard:?}");
    }
}

struct Stage<'a> {
    name: &'a str,
    server: TestServer,
    actors: BTreeMap<String, Actor>,
    /// The ids that servers chose: then and now.
    ids: Vec<(String, String)>,
    cuts: u64,
}

struct Actor {
    client: SocketIo,
    /// What came before its turn.
    inbox: Vec<Heard>,
    /// Whom it has heard to be missing. How often depends on the server.
    missing: Vec<Value>,
}

impl Stage<'_> {
    async fn play(&mut self, who: &str, step: Step) {
        match step {
            Step::Open { query } => {
                let client = SocketIo::polling(&self.server, &query).await;
                let actor = Actor { client, inbox: Vec::new(), missing: Vec::new() };
                self.actors.insert(who.to_owned(), actor);
            }
            Step::Ask { target, answer } => {
                let body = self.server.get(&target).await.body;
                let answer = sorted(self.renamed(&answer));
                assert_eq!(sorted(serde_json::from_str(&body).unwrap()), answer, "{}", self.name);
            }
            // The rest of what a client says that has been disconnected goes nowhere.
            _ if !self.actors.contains_key(who) => {}
            Step::Upgrade => {
                let Actor { client, inbox, missing } = self.actors.remove(who).unwrap();
                let client = client.upgrade(&self.server).await;
                self.actors.insert(who.to_owned(), Actor { client, inbox, missing });
            }
            Step::Cut => {
                self.actors.remove(who).unwrap().client.cut();
                self.cuts += 1;
                self.server.until_metric("peerway_sessions_lost_total", self.cuts).await;
            }
            Step::Disconnected => {
                self.actors.remove(who).unwrap().client.assert_disconnected().await;
            }
            Step::Raw(packet) => self.actor(who).client.send_raw(&packet).await,
            Step::Say { packet, attachments } => {
                let attachments: Vec<&[u8]> = attachments.iter().map(|it| &**it).collect();
                self.actor(who).client.send(&packet, &attachments).await;
            }
            Step::Told(mut wanted) => {
                wanted.arguments = vec![self.renamed(wanted.payload())];
                self.hear(who, wanted).await;
            }
        }
    }

    /// Waits until the client is told this. What others say may come before; what the same one says may
    /// not.
    async fn hear(&mut self, who: &str, wanted: Heard) {
        let name = self.name;
        let actor = self.actor(who);
        if is_unavailable(&wanted) {
            let peer = quoted(&wanted);
            if actor.missing.contains(&peer) {
                return;
            }
            actor.missing.push(peer);
        }
        loop {
            let same = |heard: &Heard| heard.payload()["src"] == wanted.payload()["src"];
            if let Some(index) = actor.inbox.iter().position(|heard| is_like(heard, &wanted)) {
                let early = actor.inbox[..index].iter().find(|it| same(it) && !is_unavailable(it));
                assert!(early.is_none(), "{name}: {who} was told {early:?} before {wanted:?}");
                let heard = actor.inbox.remove(index);
                if heard.name == "OPEN" {
                    let id = |open: &Heard| open.payload()["peerId"].as_str().unwrap().to_owned();
                    let ids = (id(&wanted), id(&heard));
                    self.ids.push(ids);
                }
                return;
            }
            let next = Box::pin(actor.client.event());
            let next = tokio::time::timeout(std::time::Duration::from_secs(5), next).await;
            let Ok(heard) = next else {
                panic!("{name}: {who} was not told {wanted:?}, but {:?}", actor.inbox);
            };
            actor.inbox.push(heard);
        }
    }

    fn actor(&mut self, who: &str) -> &mut Actor {
        self.actors.get_mut(who).unwrap()
    }

    /// With the ids that this server has chosen.
    fn renamed(&self, value: &Value) -> Value {
        let text =
            self.ids.iter().fold(value.to_string(), |text, (then, now)| text.replace(then, now));
        serde_json::from_str(&text).unwrap()
    }
}

/// Whether a client was told what it should be. Ids that the server chose, the words of errors and the
/// times in logs are each server's own.
fn is_like(heard: &Heard, wanted: &Heard) -> bool {
    let members = |heard: &Heard| -> Vec<String> {
        heard.payload().as_object().into_iter().flat_map(|it| it.keys().cloned()).collect()
    };
    let chosen = |id: &Value| id.as_str().is_some_and(|id| id.len() == 16);
    heard.name == wanted.name
        && match heard.name.as_str() {
            "OPEN" if chosen(&wanted.payload()["peerId"]) => chosen(&heard.payload()["peerId"]),
            "ERROR" => {
                members(heard) == members(wanted)
                    && heard.payload()["type"] == wanted.payload()["type"]
                    && (!is_unavailable(wanted) || quoted(heard) == quoted(wanted))
            }
            "ROOM_LOGS" => entries(heard) == entries(wanted) && members(heard) == members(wanted),
            _ => heard.payload() == wanted.payload() && heard.attachments == wanted.attachments,
        }
}

fn is_unavailable(heard: &Heard) -> bool {
    heard.name == "ERROR" && heard.payload()["type"] == "peer-unavailable"
}

/// The peer that an ERROR is about.
fn quoted(error: &Heard) -> Value {
    json!(error.payload()["message"].as_str().unwrap().split('"').nth(1))
}

/// Of the entries of a log: what happened, and who did it.
fn entries(logs: &Heard) -> Vec<(Value, Value)> {
    let log = logs.payload()["log"].as_array().unwrap();
    let entry = |text: &Value| {
        let entry: Value = serde_json::from_str(text.as_str().unwrap()).unwrap();
        assert!(entry["timestamp"].is_number(), "{entry}");
        (entry["messageType"].clone(), entry["message"]["src"].clone())
    };
    log.iter().map(entry).collect()
}

fn sorted(mut value: Value) -> Value {
    if let Some(list) = value.as_array_mut() {
        list.sort_by_key(Value::to_string);
    }
    value
}

/// What happens, and to whom.
fn read(name: &str) -> Vec<(String, Step)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../protocol/fixtures/skyway");
    let text = fs::read_to_string(folder.join(format!("{name}.jsonl"))).unwrap();
    let mut reader = Reader::default();
    for line in text.lines().skip(1) {
        reader.read(&serde_json::from_str(line).unwrap());
    }
    reader.steps
}

#[derive(Default)]
struct Reader {
    steps: Vec<(String, Step)>,
    /// What was asked by HTTP, by its exchange.
    asked: BTreeMap<u64, String>,
    /// Events whose binary parts are still to come, by client and direction.
    open: BTreeMap<(String, bool), Open>,
}

struct Open {
    packet: String,
    missing: usize,
    parts: Vec<Vec<u8>>,
}

impl Reader {
    fn read(&mut self, line: &Value) {
        let who = line["who"].as_str().unwrap();
        let text = |member: &str| line[member].as_str();
        if let Some(method) = text("ask") {
            let url = text("url").unwrap();
            let exchange = line["exchange"].as_u64().unwrap();
            self.asked.insert(exchange, url.to_owned());
            match method {
                "GET" if is_socketio(url) && !url.contains("&sid=") => {
                    self.push(who, Step::Open { query: query_of(url) });
                }
                "POST" => self.packets(who, true, line),
                _ => {}
            }
        } else if line["answer"].is_number() {
            let url = &self.asked[&line["exchange"].as_u64().unwrap()];
            if !is_socketio(url) {
                let answer = serde_json::from_str(text("text").unwrap()).unwrap();
                let target = url.clone();
                self.push(who, Step::Ask { target, answer });
            } else if text("text") != Some("ok") {
                self.packets(who, false, line);
            }
        } else if let Some(to) = text("to") {
            let part = match text("hex") {
                Some(hex) => Part::Binary(bytes_of(hex)[1..].to_vec()),
                None => Part::Text(text("text").unwrap().to_owned()),
            };
            self.packet(who, to == "server", part);
        } else if text("line") == Some("cut") {
            self.push(who, Step::Cut);
        }
    }

    /// The packets of a body.
    fn packets(&mut self, who: &str, to_server: bool, line: &Value) {
        if let Some(hex) = line["hex"].as_str() {
            let body = bytes_of(hex);
            let mut rest = &body[..];
            while let Some((form, behind)) = rest.split_first() {
                let end = behind.iter().position(|byte| *byte == 0xff).unwrap();
                let length = behind[..end].iter().fold(0, |sum, it| sum * 10 + usize::from(*it));
                let (part, behind) = behind[end + 1..].split_at(length);
                rest = behind;
                self.packet(
                    who,
                    to_server,
                    match form {
                        0 => Part::Text(String::from_utf8(part.to_vec()).unwrap()),
                        _ => Part::Binary(part[1..].to_vec()),
                    },
                );
            }
            return;
        }
        let body: Vec<u16> = line["text"].as_str().unwrap_or_default().encode_utf16().collect();
        let mut rest = &body[..];
        while let Some(colon) = rest.iter().position(|unit| *unit == u16::from(b':')) {
            let length: usize = String::from_utf16(&rest[..colon]).unwrap().parse().unwrap();
            let (packet, behind) = rest[colon + 1..].split_at(length);
            rest = behind;
            self.packet(who, to_server, Part::Text(String::from_utf16(packet).unwrap()));
        }
    }

    /// An Engine.IO packet.
    fn packet(&mut self, who: &str, to_server: bool, part: Part) {
        let direction = (who.to_owned(), to_server);
        match part {
            Part::Binary(bytes) => {
                let open = self.open.get_mut(&direction).unwrap();
                open.parts.push(bytes);
                open.missing -= 1;
            }
            Part::Text(text) => match (text.strip_prefix('4'), to_server) {
                (Some(packet), _) if packet.starts_with('5') => {
                    let (count, _) = packet[1..].split_once('-').unwrap();
                    let (packet, missing) = (packet.to_owned(), count.parse().unwrap());
                    self.open
                        .insert(direction.clone(), Open { packet, missing, parts: Vec::new() });
                }
                (Some(packet), true) => {
                    let packet = packet.to_owned();
                    self.push(who, Step::Say { packet, attachments: Vec::new() });
                }
                (Some("1"), false) => self.push(who, Step::Disconnected),
                (Some(packet), false) => {
                    if let Some(json) = packet.strip_prefix('2') {
                        self.push(who, Step::Told(heard(json, Vec::new())));
                    }
                }
                (None, true) if text == "5" => self.push(who, Step::Upgrade),
                (None, true) if text != "2probe" => self.push(who, Step::Raw(text)),
                (None, _) => {}
            },
        }
        if let Some(Open { missing: 0, .. }) = self.open.get(&direction) {
            let Open { packet, parts: attachments, .. } = self.open.remove(&direction).unwrap();
            let step = if to_server {
                Step::Say { packet, attachments }
            } else {
                Step::Told(heard(packet.split_once('-').unwrap().1, attachments))
            };
            self.push(who, step);
        }
    }

    fn push(&mut self, who: &str, step: Step) {
        self.steps.push((who.to_owned(), step));
    }
}

fn heard(json: &str, attachments: Vec<Vec<u8>>) -> Heard {
    let mut arguments: Vec<Value> = serde_json::from_str(json).unwrap();
    let name = arguments.remove(0).as_str().unwrap().to_owned();
    Heard { name, arguments, attachments }
}

fn is_socketio(url: &str) -> bool {
    url.starts_with("/socket.io/")
}

/// The application's part of the query.
fn query_of(url: &str) -> String {
    let transports = ["EIO=", "transport=", "t=", "sid=", "b64="];
    let query = url.split_once('?').unwrap().1;
    let own = query.split('&').filter(|it| !transports.iter().any(|name| it.starts_with(name)));
    own.collect::<Vec<_>>().join("&")
}

fn bytes_of(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}
