//! What somebody does, and what must come of it.

use std::net::SocketAddr;

use peerway_turn::{Family, FiveTuple, Form, Protocol, Transport};
use turn_types::AddressFamily::IPV6;
use turn_types::message::CREATE_PERMISSION;

use super::person::Person;
use super::world::{HOUR, MINUTE, Millis, Node, World};
use crate::draft::{
    Draft, Login, allocate, allocate_tcp, bind, binding, channel_data, connect, connection_bind,
    permit, refresh, release, send,
};
use crate::stage::{at, tcp, udp};

const PEERS: [&str; 6] = [
    "5.6.7.8:4000",
    "5.6.7.8:4001",
    "8.8.4.4:9",
    "1.1.1.1:53",
    "[2606:4700::7]:4000",
    "[2606:4700::8]:4000",
];

impl World {
    /// Somebody comes, or somebody does something.
    pub fn act(&mut self) {
        let now = self.elapsed;
        self.people.retain(|person| {
            !person.vanished || person.is_client(now) || person.waits_for_sockets()
        });
        let active: Vec<_> =
            (0..self.people.len()).filter(|index| !self.people[*index].vanished).collect();
        if self.random.percent(5) || active.is_empty() {
            self.arrive();
        } else {
            let person = self.random.pick(&active);
            self.do_something(person);
        }
        for index in 0..self.nodes.len() {
            assert_eq!(self.nodes[index].server.next_command().map(|_| ()), None);
        }
    }

    fn arrive(&mut self) {
        let node = self.random.index(self.nodes.len());
        let from = self.somewhere(node);
        let login = self.somebody();
        let over_stream = from.transport != Transport::Udp;
        let mut protocol = Protocol::Udp;
        let draft = match self.random.below(12) {
            0 | 1 => allocate().additional(IPV6),
            2 => allocate().family(IPV6),
            3 => allocate().even(true),
            4 => allocate().token(self.random.below(200)),
            5 | 6 if over_stream => {
                protocol = Protocol::Tcp;
                allocate_tcp()
            }
            _ => allocate(),
        };
        let draft = if self.random.percent(50) {
            draft.lifetime(u32::try_from(self.random.below(4000)).expect("it is small"))
        } else {
            draft
        };
        let stays = if self.random.percent(3) { 4 * HOUR } else { 40 * MINUTE };
        let leaves = self.elapsed + self.random.below(stays);
        let mut person = Person::new(from, node, login, protocol, draft.clone(), leaves);

        self.arrived += 1;
        let heard = self.say(node, from, &binding().plain());
        assert_eq!(heard.and_then(|heard| heard.code), None, "everybody learns its address");
        let challenge = self.say(node, from, &draft.plain()).expect("everybody is challenged");
        person.nonce = challenge.nonce.expect("with a nonce");
        self.people.push(person);
        self.allocate(self.people.len() - 1);
    }

    fn allocate(&mut self, index: usize) {
        let Person { node, from, login, nonce, allocation, .. } = &self.people[index];
        let (node, from) = (*node, *from);
        let bytes = allocation.signed(login, nonce);
        let now = self.now();
        assert_eq!(self.nodes[node].server.handle_client(&from, &bytes, now), None);
        let heard = self.drain(node, Some(index));
        if let Some(heard) = heard {
            assert!(matches!(heard.code, Some(400 | 486)), "{:?}", heard.code);
            self.people.swap_remove(index);
            return;
        }
        let Some(opening) = self.nodes[node].driver.opening.last() else {
            unreachable!("who is not refused gets sockets")
        };
        self.people[index].client = Some(opening.client);
        // Streams may end meanwhile; datagrams may come again.
        if from.transport != Transport::Udp {
            let hasty = self.random.percent(3);
            if hasty {
                self.disconnect(index);
            }
            let opening = self.nodes[node].driver.next_opening(Millis::MAX);
            let opening = opening.expect("it was the last one");
            self.give_sockets(node, &opening);
        } else if self.random.percent(30) {
            let bytes = {
                let Person { login, nonce, allocation, .. } = &self.people[index];
                allocation.signed(login, nonce)
            };
            assert!(self.say(node, from, &bytes).is_none(), "the answer is on its way");
        }
    }

    fn do_something(&mut self, index: usize) {
        let now = self.elapsed;
        let person = &self.people[index];
        if person.waits_for_sockets() {
            return;
        }
        if !person.is_client(now) {
            // Nobody refreshed it, and the client finds out.
            let heard = self.ask(index, &refresh());
            // Passwords of the SkyWay fork lapse; only their allocations remember them.
            let lapses = self.people[index].login.name.starts_with(char::is_alphabetic);
            assert!(heard.code == Some(437) || lapses && heard.code == Some(401));
            self.people[index].vanished = true;
            return;
        }
        if now >= person.leaves {
            return self.leave(index);
        }
        match self.random.below(20) {
            0..4 => self.refresh(index),
            4..7 => self.permit(index),
            7..10 => self.bind(index),
            10..16 => self.talk(index),
            16 => self.repeat(index),
            17 => self.ask_for_too_much(index),
            _ => self.use_streams(index),
        }
    }

    fn leave(&mut self, index: usize) {
        match self.random.below(3) {
            0 => {
                self.people[index].ends = true;
                let heard = self.ask(index, &release());
                assert_eq!((heard.code, heard.lifetime), (None, Some(0)));
                self.people.swap_remove(index);
            }
            1 if self.people[index].from.transport != Transport::Udp => {
                self.disconnect(index);
                self.people.swap_remove(index);
            }
            _ => self.people[index].vanished = true,
        }
    }

    fn disconnect(&mut self, index: usize) {
        self.people[index].ends = true;
        let (node, from, now) = (self.people[index].node, self.people[index].from, self.now());
        self.nodes[node].server.handle_disconnected(&from, now);
        self.drain(node, None);
        self.people[index].client = None;
        self.people[index].relays.clear();
        self.people[index].vanished = true;
    }

    fn refresh(&mut self, index: usize) {
        let seconds = u32::try_from(self.random.below(4000) + 1).expect("it is small");
        let heard = self.ask(index, &refresh().lifetime(seconds));
        let Some(granted) = heard.lifetime else {
            // Its session is over.
            assert_eq!(heard.code, Some(401));
            self.people[index].vanished = true;
            return;
        };
        assert!(granted <= 3600);
        self.people[index].refreshed(granted, self.elapsed);
    }

    fn permit(&mut self, index: usize) {
        let peers: Vec<_> = (0..=self.random.below(3)).map(|_| self.peer()).collect();
        let heard = self.ask(index, &permit(&peers));
        let person = &mut self.people[index];
        let reachable =
            peers.iter().all(|peer| person.relay(Family::of(peer.ip()), self.elapsed).is_some());
        assert_eq!(heard.code, (!reachable).then_some(443));
        if reachable {
            for peer in peers {
                person.permit(peer.ip(), self.elapsed);
            }
        }
    }

    fn bind(&mut self, index: usize) {
        let peer = self.peer();
        let number = 0x4000 + u16::try_from(self.random.below(4)).expect("it is small");
        let heard = self.ask(index, &bind(number, peer));
        let now = self.elapsed;
        let person = &mut self.people[index];
        if person.relay(Family::of(peer.ip()), now).is_none() {
            assert_eq!(heard.code, Some(443));
        } else if person.may_bind(number, peer, now) {
            assert_eq!(heard.code, None);
            person.bind(number, peer, now);
        } else {
            assert_eq!(heard.code, Some(400));
        }
    }

    /// Payloads pass if and only if the model says so.
    fn talk(&mut self, index: usize) {
        let (peer, now, instant) = (self.peer(), self.elapsed, self.now());
        let number = 0x4000 + u16::try_from(self.random.below(4)).expect("it is small");
        let payload = vec![7; self.random.index(1300)];
        let person = &self.people[index];
        let from = person.from;
        let datagrams = person.protocol == Protocol::Udp;
        let server = &mut self.nodes[person.node].server;

        let bytes = send(peer, &payload);
        let sent = server.handle_client(&from, &bytes, instant);
        let expected = datagrams && person.may_talk_to(peer, now);
        assert_eq!(sent.map(|sent| sent.peer), expected.then_some(peer));
        let bytes = channel_data(number, &payload);
        let on_channel = server.handle_client(&from, &bytes, instant).map(|sent| sent.peer);
        assert_eq!(on_channel, person.peer_of(number, now).filter(|_| datagrams));
        for _ in 0..usize::from(expected) + usize::from(on_channel.is_some()) {
            self.traffic.to_peer.packets += 1;
            self.traffic.to_peer.bytes += payload.len() as u64;
        }

        let Some(relay) = person.relay(Family::of(peer.ip()), now) else { return };
        let told = server.handle_peer(relay, peer, payload.len(), instant);
        assert_eq!(told.is_some(), person.may_talk_to(peer, now));
        if let Some(told) = told {
            assert_eq!(told.to, from);
            let on_channel = told.envelope.header().len() == 4;
            assert_eq!(on_channel, person.channel_to(peer, now));
            self.traffic.to_client.packets += 1;
            self.traffic.to_client.bytes += payload.len() as u64;
        }
    }

    /// A datagram that comes twice, a minute or an hour later.
    fn repeat(&mut self, index: usize) {
        let draft = self.people[index].allocation.clone();
        let heard = self.ask(index, &draft);
        let over = heard.code == Some(401) && self.people[index].login.password != "pw";
        assert!(heard.code.is_none() || over, "the same answer while the credential is good");
        if over {
            return;
        }
        let heard = self.ask(index, &draft.again());
        assert_eq!(heard.code, Some(437));
    }

    fn ask_for_too_much(&mut self, index: usize) {
        let private = permit(&[at("10.0.0.1:80")]);
        let heard = self.ask(index, &private);
        assert!(matches!(heard.code, Some(403 | 443)));
        let heard = self.ask(index, &Draft::new(CREATE_PERMISSION));
        assert_eq!(heard.code, Some(400));
    }

    /// RFC 6062, for those who came for it.
    fn use_streams(&mut self, index: usize) {
        let (peer, instant, now) = (self.peer(), self.now(), self.elapsed);
        let (node, from) = (self.people[index].node, self.people[index].from);
        if self.people[index].protocol != Protocol::Tcp {
            let heard = self.ask(index, &connect(peer));
            assert_eq!(heard.code, Some(400));
            return;
        }
        let bytes = connect(peer).signed(&self.people[index].login, &self.people[index].nonce);
        assert_eq!(self.nodes[node].server.handle_client(&from, &bytes, instant), None);
        self.drain(node, None);
        let permitted = self.people[index].may_talk_to(peer, now);
        if let Some(relay) = self.people[index].relay(Family::of(peer.ip()), now) {
            // Another port of the peer than those that are connected to.
            let port = 10_000 + u16::try_from(self.random.below(50_000)).expect("a port");
            let incoming = SocketAddr::new(peer.ip(), port);
            let Node { server, driver } = &mut self.nodes[node];
            let connection = server.handle_incoming(relay, incoming, instant);
            assert!(permitted || connection.is_none());
            if let (Some((connection, _)), Some(client)) = (connection, self.people[index].client) {
                assert_eq!(driver.connections.insert(connection, client), None);
            }
            self.drain(node, None);
        }
        // Connections are bound, and end.
        let known: Vec<_> = self.nodes[node].driver.connections.keys().copied().collect();
        if known.is_empty() {
            return;
        }
        let connection = self.random.pick(&known);
        let second = FiveTuple { client: SocketAddr::new(from.client.ip(), 1), ..from };
        let draft = connection_bind(connection.0);
        let bytes = draft.signed(&self.people[index].login, &self.people[index].nonce);
        let _ = self.say(node, second, &bytes);
        if self.random.percent(50) {
            let Node { server, driver } = &mut self.nodes[node];
            let client = driver.connections.remove(&connection).expect("it is known");
            server.handle_disconnected_peer(client, connection);
        }
    }

    /// A client's address; ports are never used again by somebody else.
    fn somewhere(&mut self, node: usize) -> FiveTuple {
        self.next_person += 1;
        let port = 1024 + self.next_person % 60_000;
        let host = self.random.below(40) + 1;
        let text = if self.random.percent(20) {
            format!("[2001:db8:0:{host}::{}]:{port}", self.next_person % 7 + 1)
        } else {
            format!("198.51.100.{host}:{port}")
        };
        let from = match self.random.below(3) {
            0 => tcp(&text),
            1 => FiveTuple { transport: Transport::Tls, ..tcp(&text) },
            _ => udp(&text),
        };
        let listener = 3478 + u16::try_from(node).expect("there are two");
        FiveTuple { server: SocketAddr::new(from.server.ip(), listener), ..from }
    }

    fn somebody(&mut self) -> Login {
        let tag = format!("user{}", self.random.below(60));
        let app = self.random.pick(&["shop", "shop", "chat", "nobody's"]);
        let unix = self.now().unix;
        let credential = match self.random.below(4) {
            0 => return Login::new(self.random.pick(&["joe", "ann"]), "pw"),
            1 => self.credentials().issue_for_peer(app, &tag, unix),
            2 => self.credentials().issue(Form::Colon, app, &tag, unix),
            _ => self.credentials().issue(Form::Dot, app, &tag, unix),
        };
        let credential = credential.expect("there is a secret");
        Login::new(&credential.username, &credential.password)
    }

    fn peer(&mut self) -> SocketAddr {
        at(self.random.pick(&PEERS))
    }
}
