//! A router, its members, and the network between them, with a clock turned by hand.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use peerway_media::{
    Datagram, Event as RouterEvent, LegId, LegOptions, LocalAddress, MediaRouter,
    Output as RouterOutput, RoomId, RouterOptions, Transport,
};
use peerway_protocol::{MediaStream, PeerId};
use tokio::sync::{mpsc, oneshot};

use crate::connection::{Front, LocalTrack, MediaSelection, RoomOffer, TrackCommand, TrackRequest};
use crate::engine::MediaOptions;
use crate::link::{Link, Output, Purpose};
use crate::media::{Codec, EncodedFrame, TestTone, TestVideo, TrackKind};
use crate::room::front::RoomFront;
use crate::room::publications::id;
use crate::room::{RoomError, RoomEvent, RoomTrack, Shared};
use crate::transport::LocalCandidate;

const ROOM: RoomId = RoomId(1);
const DELAY: Duration = Duration::from_millis(10);

/// One member, as its two tasks are but for their sockets.
pub(super) struct Member {
    pub(super) peer: String,
    pub(super) shared: Arc<Shared>,
    pub(super) link: Link,
    pub(super) front: RoomFront,
    /// As the room told them, last first.
    pub(super) events: Vec<RoomEvent>,
    pub(super) offers: Vec<String>,
    /// What was sent of each kind.
    pub(super) sent: Vec<EncodedFrame>,
    /// All that was asked of our tracks.
    pub(super) requests: usize,
    received: Vec<(String, TrackKind, Vec<EncodedFrame>)>,
    tracks: Vec<RoomTrack>,
    own: Vec<(LocalTrack, Source)>,
    wanted: Vec<oneshot::Receiver<Result<LocalTrack, RoomError>>>,
    address: SocketAddr,
    /// So that it lives.
    _commands: mpsc::Receiver<TrackCommand>,
    _sender: mpsc::Sender<TrackCommand>,
    timeout: Instant,
}

enum Source {
    Video(Box<TestVideo>, Instant),
    Tone(Box<TestTone>, Instant),
}

impl Source {
    fn due(&self) -> Instant {
        match self {
            Self::Video(video, start) => *start + video.due(),
            Self::Tone(tone, start) => *start + tone.due(),
        }
    }
}

impl Member {
    fn new(now: Instant, peer: &str, number: u16, codecs: &[Codec]) -> Self {
        let shared = Arc::new(Shared::new());
        let (sender, commands) = mpsc::channel(1);
        let front = RoomFront::new(Arc::clone(&shared), sender.downgrade());
        let address = SocketAddr::from(([192, 0, 2, 1], 1000 + number));
        let options =
            MediaOptions { send: MediaSelection::NONE, codecs: codecs.to_vec(), rtp: false };
        let host = [LocalCandidate::Host { addr: address }];
        Self {
            peer: peer.to_owned(),
            shared,
            link: Link::room(now, Purpose::Media(options), &host),
            front,
            events: Vec::new(),
            offers: Vec::new(),
            sent: Vec::new(),
            requests: 0,
            received: Vec::new(),
            tracks: Vec::new(),
            own: Vec::new(),
            wanted: Vec::new(),
            address,
            _commands: commands,
            _sender: sender,
            timeout: now,
        }
    }

    /// The frames of a member that came, in their order.
    pub(super) fn frames(&self, peer: &str, kind: TrackKind) -> Vec<EncodedFrame> {
        let of = self.received.iter().filter(|(from, it, _)| from == peer && *it == kind);
        of.flat_map(|(_, _, frames)| frames.clone()).collect()
    }

    /// Which tracks there are: `ann audio`.
    pub(super) fn tracks(&self) -> Vec<String> {
        let name = |peer: &str, kind: TrackKind| format!("{peer} {}", kind.name());
        let mut tracks: Vec<String> = Vec::new();
        for event in &self.events {
            match event {
                RoomEvent::Track(RoomTrack { peer, track, .. }) => {
                    let name = name(peer, track.kind());
                    assert!(!tracks.contains(&name), "{name} came twice");
                    tracks.push(name);
                }
                RoomEvent::TrackEnded { peer, kind, .. } => {
                    let name = name(peer, *kind);
                    assert!(tracks.contains(&name), "{name} ended twice");
                    tracks.retain(|known| *known != name);
                }
                _ => {}
            }
        }
        tracks.sort();
        tracks
    }

    /// Sends what is due.
    fn feed(&mut self, now: Instant) {
        for (track, source) in &mut self.own {
            let mut key = false;
            while let Some(Some(request)) = track.next_request().now_or_never() {
                self.requests += 1;
                key |= request == TrackRequest::KeyFrame;
            }
            if source.due() > now {
                if key && let Source::Video(..) = source {
                    track.inner.request(TrackRequest::KeyFrame);
                    self.requests -= 1;
                }
                continue;
            }
            let frame = match source {
                Source::Video(video, _) => video.next_frame(key),
                Source::Tone(tone, _) => tone.next_frame(),
            };
            self.sent.push(frame.clone());
            let (sent, result) = oneshot::channel();
            let command = TrackCommand::Frame { track: id(track.kind()), frame, sent };
            self.front.handle_command(now, &mut self.link, command);
            result.now_or_never().unwrap().unwrap().unwrap();
        }
    }

    /// Takes what the front tells.
    fn take(&mut self, now: Instant) {
        while let Some(Some(event)) = self.shared.events.next().now_or_never() {
            if let RoomEvent::Track(track) = &event {
                self.received.push((track.peer.clone(), track.track.kind(), Vec::new()));
                self.tracks.push(track.clone());
            }
            self.events.push(event);
        }
        for (track, (_, _, frames)) in self.tracks.iter().zip(&mut self.received) {
            while let Some(Some(frame)) = track.track.next_frame().now_or_never() {
                frames.push(frame);
            }
        }
        let mut waiting = Vec::new();
        for mut wanted in std::mem::take(&mut self.wanted) {
            match wanted.try_recv() {
                Ok(Ok(track)) => {
                    let source = match track.kind() {
                        TrackKind::Video => {
                            Source::Video(Box::new(TestVideo::new(320, 180, 30).unwrap()), now)
                        }
                        TrackKind::Audio => {
                            Source::Tone(Box::new(TestTone::new(track.codecs()[0]).unwrap()), now)
                        }
                    };
                    self.own.push((track, source));
                }
                Ok(Err(error)) => unreachable!("{error}"),
                Err(_) => waiting.push(wanted),
            }
        }
        self.wanted = waiting;
    }
}

struct Flight {
    at: Instant,
    to_router: bool,
    member: SocketAddr,
    data: Vec<u8>,
}

/// Everything there is.
pub(super) struct World {
    pub(super) now: Instant,
    pub(super) members: BTreeMap<LegId, Member>,
    /// Of 1000 datagrams, so many are lost.
    pub(super) loss: u64,
    router: MediaRouter,
    address: SocketAddr,
    flights: Vec<Flight>,
    chance: u64,
}

impl World {
    pub(super) fn new() -> Self {
        let address: SocketAddr = "198.51.100.1:5000".parse().unwrap();
        let local = LocalAddress { transport: Transport::Udp, address };
        let options = RouterOptions { addresses: vec![local], seed: 7, ..RouterOptions::default() };
        Self {
            now: crate::clock::now(),
            members: BTreeMap::new(),
            loss: 0,
            router: MediaRouter::new(options),
            address,
            flights: Vec::new(),
            chance: 0x9e37_79b9_7f4a_7c15,
        }
    }

    pub(super) fn join(&mut self, number: u16, peer: &str, publishes: &[TrackKind]) -> LegId {
        self.join_with(number, peer, publishes, &[])
    }

    pub(super) fn join_with(
        &mut self,
        number: u16,
        peer: &str,
        publishes: &[TrackKind],
        codecs: &[Codec],
    ) -> LegId {
        let leg = LegId(number.into());
        self.members.insert(leg, Member::new(self.now, peer, number, codecs));
        self.router.handle_join(self.now, ROOM, leg, LegOptions::default());
        for kind in publishes {
            self.want(leg, *kind);
        }
        self.router.handle_offer_wanted(self.now, leg);
        leg
    }

    /// As a room's task does it.
    pub(super) fn publish(&mut self, leg: LegId, kind: TrackKind) {
        self.want(leg, kind);
        self.router.handle_offer_wanted(self.now, leg);
    }

    fn want(&mut self, leg: LegId, kind: TrackKind) {
        let member = self.members.get_mut(&leg).unwrap();
        let (reply, track) = oneshot::channel();
        assert!(member.shared.publications().want(kind, reply));
        member.wanted.push(track);
    }

    pub(super) fn unpublish(&mut self, leg: LegId, kind: TrackKind) {
        let member = self.members.get_mut(&leg).unwrap();
        assert!(member.shared.publications().end(kind, &RoomError::closed()));
        member.own.retain(|(track, _)| track.kind() != kind);
        self.router.handle_offer_wanted(self.now, leg);
    }

    pub(super) fn leave(&mut self, leg: LegId) -> Member {
        self.router.handle_leave(self.now, leg);
        self.members.remove(&leg).unwrap()
    }

    /// A member's machine gets another address, as its network tells.
    pub(super) fn move_to(&mut self, leg: LegId, address: SocketAddr) {
        let member = self.members.get_mut(&leg).unwrap();
        member.address = address;
        member.link.add_local(&LocalCandidate::Host { addr: address });
    }

    pub(super) fn reception(
        &mut self,
        leg: LegId,
        from: LegId,
        reception: peerway_media::Reception,
    ) {
        self.router.handle_reception(self.now, leg, from, reception);
    }

    /// Lets time pass.
    pub(super) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.step(end);
        }
    }

    fn step(&mut self, end: Instant) {
        self.settle();
        let next = [
            self.flights.iter().map(|flight| flight.at).min(),
            self.router.poll_timeout(),
            self.members.values().map(|member| member.timeout).min(),
            self.members.values().flat_map(|it| it.own.iter().map(|(_, it)| it.due())).min(),
        ];
        let next = next.into_iter().flatten().min().unwrap_or(end);
        // Time always goes on, whatever an engine asks for.
        self.now = next.max(self.now + Duration::from_micros(1)).min(end);
        let now = self.now;
        while let Some(index) = self.next_arrival() {
            let flight = self.flights.remove(index);
            self.land(&flight);
        }
        if self.router.poll_timeout().is_some_and(|due| due <= now) {
            self.router.handle_timeout(now);
        }
        for member in self.members.values_mut() {
            member.take(now);
            member.feed(now);
            if member.timeout <= now {
                member.link.handle_timeout(now);
            }
        }
        self.settle();
    }

    fn next_arrival(&self) -> Option<usize> {
        let due = self.flights.iter().enumerate().filter(|(_, flight)| flight.at <= self.now);
        due.min_by_key(|(_, flight)| flight.at).map(|(index, _)| index)
    }

    fn land(&mut self, flight: &Flight) {
        if flight.to_router {
            self.router.handle_datagram(
                self.now,
                Datagram {
                    transport: Transport::Udp,
                    source: flight.member,
                    destination: self.address,
                    data: &flight.data,
                },
            );
        } else if let Some(member) =
            self.members.values_mut().find(|member| member.address == flight.member)
        {
            member.link.handle_datagram(self.now, self.address, flight.member, &flight.data);
        }
        self.settle();
    }

    /// Drains everybody. Descriptions travel at once.
    fn settle(&mut self) {
        while let Some(output) = self.router.next_output() {
            match output {
                RouterOutput::Transmit(transmit) => {
                    self.launch(false, transmit.destination, transmit.data);
                }
                RouterOutput::Event(RouterEvent::Offer { leg, sdp, streams }) => {
                    self.offer(leg, &sdp, &streams);
                }
                RouterOutput::Event(RouterEvent::Closed { leg, reason }) => {
                    unreachable!("{leg:?}: {reason}")
                }
                RouterOutput::Event(_) => {}
            }
        }
        let mut sent = Vec::new();
        for member in self.members.values_mut() {
            loop {
                match member.link.poll(self.now) {
                    Output::Transmit { source, data, .. } => {
                        // There is no way from an address that it had before.
                        if source == member.address {
                            sent.push((source, data));
                        }
                    }
                    Output::Event(event) => member.front.handle_event(&mut member.link, event),
                    Output::Timeout(at) => {
                        member.timeout = at;
                        break;
                    }
                }
            }
        }
        for (source, data) in sent {
            self.launch(true, source, data);
        }
    }

    fn offer(&mut self, leg: LegId, sdp: &str, streams: &[(String, LegId)]) {
        let peers: BTreeMap<LegId, String> =
            self.members.iter().map(|(leg, member)| (*leg, member.peer.clone())).collect();
        let named = |(stream, of): &(String, LegId)| {
            let peer = PeerId::new(peers.get(of)?).unwrap();
            Some(MediaStream { id: Arc::from(stream.as_str()), peer, name: None })
        };
        let streams = streams.iter().filter_map(named).collect();
        let Some(member) = self.members.get_mut(&leg) else { return };
        member.offers.push(sdp.to_owned());
        let offer = RoomOffer { sdp: sdp.into(), streams };
        let answer = member.front.handle_offer(self.now, &mut member.link, &offer).unwrap();
        self.router.handle_answer(self.now, leg, &answer);
    }

    fn launch(&mut self, to_router: bool, member: SocketAddr, data: Vec<u8>) {
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        if self.chance % 1000 >= self.loss {
            self.flights.push(Flight { at: self.now + DELAY, to_router, member, data });
        }
    }
}
