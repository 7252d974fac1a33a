//! A member's side: a peer connection as a browser has it, with hand-made pictures.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use peerway_media::{Codec, Kind, LegId, Transport};
use str0m::bwe::BweKind;
use str0m::change::SdpOffer;
use str0m::channel::{ChannelConfig, ChannelId};
use str0m::ice::StunMessage;
use str0m::media::{MediaKind, Mid};
use str0m::net::{Protocol, Receive, TcpType};
use str0m::rtp::{RtpWrite, Ssrc};
use str0m::{Candidate, Event, Input, Output, Rtc, RtcConfig};

use super::picture::{self, Picture};

/// What a client sends.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sends {
    pub audio: bool,
    pub video: bool,
}

pub const BOTH: Sends = Sends { audio: true, video: true };
pub const VIDEO: Sends = Sends { audio: false, video: true };
pub const NOTHING: Sends = Sends { audio: false, video: false };

/// A packet that came, and when.
#[derive(Debug, Clone)]
pub struct Received {
    pub at: Instant,
    pub sequence: u64,
    pub timestamp: u64,
    pub marker: bool,
    pub payload: Vec<u8>,
    pub audio_level: Option<i8>,
    /// When it was captured, as its sender told, since the beginning of time.
    pub captured: Option<Duration>,
}

/// All that came on one line, in the order of arrival.
#[derive(Debug, Default)]
pub struct Track {
    pub stream: String,
    pub packets: Vec<Received>,
}

/// Whether, and how, pictures go out.
#[derive(Debug)]
struct Camera {
    sequence: u64,
    next: Instant,
    frame: u16,
    key: bool,
    /// Key frames that were asked for.
    asked: usize,
    interval: Duration,
    packets: usize,
    even: bool,
    time: u32,
    encoding: Duration,
    temporal: bool,
    codec: Codec,
    base_layer: u8,
    sent: usize,
}

pub struct Client {
    pub leg: LegId,
    pub address: SocketAddr,
    pub transport: Transport,
    pub rtc: Rtc,
    pub sends: Sends,
    pub timeout: Instant,
    pub connected_at: Option<Instant>,
    pub closed: bool,
    /// By publisher, as the last offer named them.
    pub streams: Vec<(String, LegId)>,
    /// By stream and kind.
    pub tracks: BTreeMap<(String, Kind), Track>,
    pub offers: Vec<String>,
    /// Offers are not answered.
    pub mute: bool,
    /// Nothing is sent any more.
    pub stalled: bool,
    /// It begins DTLS, as browsers do where they may; else it waits for the router to.
    pub begins: bool,
    /// It sends no more video than it was asked for.
    pub heeds: bool,
    /// What it was asked to send at most, each time, in bits per second.
    pub limits: Vec<(Instant, u64)>,
    /// Its answers do not tell its sources.
    pub undeclared: bool,
    /// What others send comes on its own two lines.
    pub two_lines: bool,
    /// What came on data channels, with their labels.
    pub messages: Vec<(String, Vec<u8>)>,
    channels: BTreeMap<String, ChannelId>,
    lines: BTreeMap<Mid, (String, Kind)>,
    sources: BTreeMap<u32, Mid>,
    mids: [Option<Mid>; 2],
    microphone: (u64, Instant),
    camera: Camera,
    /// Three sizes, where the offer has them.
    pub simulcast: Option<Simulcast>,
}

/// The sequence numbers of the sizes, and which of them owe a key frame.
#[derive(Debug, Default)]
pub struct Simulcast {
    sequences: [u64; 3],
    keys: [bool; 3],
}

const RIDS: [&str; 3] = ["q", "h", "f"];

impl Client {
    pub fn new(now: Instant, leg: LegId, address: SocketAddr, sends: Sends) -> Self {
        Self::with(now, leg, address, sends, RtcConfig::new())
    }

    pub fn with(
        now: Instant,
        leg: LegId,
        address: SocketAddr,
        sends: Sends,
        config: RtcConfig,
    ) -> Self {
        let config = config.set_crypto_provider(peerway_dtls::crypto()).set_rtp_mode(true);
        let mut rtc = config.build(now);
        rtc.add_local_candidate(Candidate::host(address, Protocol::Udp).unwrap());
        Self {
            leg,
            address,
            transport: Transport::Udp,
            rtc,
            sends,
            timeout: now,
            connected_at: None,
            closed: false,
            streams: Vec::new(),
            tracks: BTreeMap::new(),
            offers: Vec::new(),
            mute: false,
            stalled: false,
            begins: false,
            heeds: false,
            limits: Vec::new(),
            undeclared: false,
            two_lines: false,
            messages: Vec::new(),
            channels: BTreeMap::new(),
            lines: BTreeMap::new(),
            sources: BTreeMap::new(),
            mids: [None, None],
            microphone: (1, now),
            camera: Camera {
                sequence: 1,
                next: now,
                frame: 7,
                key: true,
                asked: 0,
                interval: Duration::from_micros(33_333),
                packets: 4,
                even: false,
                time: 0,
                encoding: Duration::ZERO,
                temporal: false,
                codec: Codec::Vp8,
                base_layer: 0,
                sent: 0,
            },
            simulcast: None,
        }
    }

    /// Its pictures come from another source, whose numbers are those that were sent lately.
    pub fn change_source(&mut self, source: u32) {
        let mid = self.mids[1].unwrap();
        let mut api = self.rtc.direct_api();
        let old = api.stream_tx_by_mid(mid, None).unwrap().ssrc();
        api.remove_stream_tx(old);
        api.declare_stream_tx(source.into(), None, mid, None);
        self.camera.sequence -= 100;
        self.camera.key = true;
    }

    /// Goes on from another address; the first is gone.
    pub fn move_to(&mut self, transport: Transport, address: SocketAddr) {
        self.rtc.add_local_candidate(host(transport, address));
        let gone = host(self.transport, self.address);
        self.rtc.direct_api().invalidate_candidate(&gone);
        (self.transport, self.address) = (transport, address);
    }

    /// An ICE check of it, without what nominates its path.
    pub fn without_nomination(&self, check: &[u8]) -> Option<Vec<u8>> {
        let check = StunMessage::parse(check).ok().filter(StunMessage::is_binding_request)?;
        let (name, id) = (check.username()?, check.trans_id());
        let (chance, priority) = (check.ice_controlling()?, check.prio()?);
        let check = StunMessage::binding_request(name, id, true, chance, priority, false);
        let password = self.offers.last()?.split("a=ice-pwd:").nth(1)?.lines().next()?;
        let hmac = peerway_dtls::crypto().sha1_hmac_provider;
        let hmac = |key: &[u8], payloads: &[&[u8]]| hmac.sha1_hmac(key, payloads);
        let mut bytes = vec![0; 640];
        let length = check.to_bytes(Some(password.as_bytes()), &mut bytes, hmac).unwrap();
        bytes.truncate(length);
        Some(bytes)
    }

    /// Key frames that were asked for.
    pub fn key_frames_asked(&self) -> usize {
        self.camera.asked
    }

    /// How many packets a picture has, all of one size.
    pub fn set_picture(&mut self, packets: usize) {
        (self.camera.packets, self.camera.even) = (packets, true);
    }

    /// Pictures leave so much later than they were captured.
    pub fn set_encoding_time(&mut self, time: Duration) {
        self.camera.encoding = time;
    }

    /// Pictures come in three temporal layers.
    pub fn set_temporal(&mut self) {
        self.camera.temporal = true;
    }

    /// Pictures come in another format.
    pub fn set_codec(&mut self, codec: Codec) {
        self.camera.codec = codec;
    }

    /// The time between two pictures.
    pub fn set_interval(&mut self, interval: Duration) {
        self.camera.interval = interval;
    }

    /// Packets of video that were sent.
    pub fn video_sent(&self) -> usize {
        self.camera.sent
    }

    /// Opens a data channel.
    pub fn open_channel(&mut self, config: ChannelConfig) {
        self.rtc.direct_api().create_data_channel(config);
    }

    /// Closes one.
    pub fn close_channel(&mut self, label: &str) {
        self.rtc.direct_api().close_data_channel(self.channels[label]);
    }

    /// Whether a channel is open.
    pub fn has_channel(&self, label: &str) -> bool {
        self.channels.contains_key(label)
    }

    /// How a channel was opened.
    pub fn channel(&mut self, label: &str) -> Option<ChannelConfig> {
        let id = *self.channels.get(label)?;
        self.rtc.channel(id)?.config().cloned()
    }

    /// Sends on a channel. `false`: it is full.
    pub fn say(&mut self, label: &str, message: &[u8]) -> bool {
        self.rtc.channel(self.channels[label]).unwrap().write(true, message).unwrap()
    }

    /// Answers an offer. `None`: it does not.
    pub fn answer(&mut self, sdp: &str, streams: Vec<(String, LegId)>) -> Option<String> {
        self.offers.push(sdp.to_owned());
        self.streams = streams;
        if self.mute {
            return None;
        }
        self.read(sdp);
        let role = if self.begins { "a=setup:passive" } else { "a=setup:actpass" };
        let offer = sdp.replace("a=setup:actpass", role);
        let offer = SdpOffer::from_sdp_string(&offer).unwrap();
        let answer = self.rtc.sdp_api().accept_offer(offer).unwrap().to_sdp_string();
        let answer = self.restrict(&answer);
        Some(answer)
    }

    /// Which line is for what.
    fn read(&mut self, sdp: &str) {
        self.lines.clear();
        for (index, section) in sdp.split("\r\nm=").skip(1).enumerate() {
            let kind = if section.starts_with("audio") { Kind::Audio } else { Kind::Video };
            let find = |name: &str| section.lines().find_map(|line| line.strip_prefix(name));
            let mid = Mid::from(find("a=mid:").unwrap());
            if let Some(slot) = self.mids.get_mut(index) {
                *slot = Some(mid);
            }
            let is_own = index < 2 && !self.two_lines;
            if is_own {
                let rests = section.contains("a=inactive");
                assert!(rests || section.contains("a=recvonly"), "{section}");
                assert!(!section.contains("a=msid"), "{section}");
            } else if let Some(msid) = find("a=msid:") {
                let stream = msid.split(' ').next().unwrap().to_owned();
                assert!(self.streams.iter().any(|(name, _)| *name == stream), "{stream}");
                self.lines.insert(mid, (stream, kind));
            }
        }
    }

    /// The engine mirrors the offer: it would send on both lines.
    fn restrict(&self, answer: &str) -> String {
        let mut restricted = String::new();
        let mut line_number = 0;
        for line in answer.split_inclusive('\n') {
            line_number += usize::from(line.starts_with("m="));
            let silent = match line_number {
                1 => !self.sends.audio,
                2 => !self.sends.video,
                _ => false,
            };
            if self.undeclared && line.starts_with("a=ssrc") {
                continue;
            }
            restricted.push_str(match line.trim_end() {
                "a=sendonly" if silent => "a=inactive\r\n",
                "a=sendrecv" if silent => "a=recvonly\r\n",
                _ => line,
            });
        }
        restricted
    }

    pub fn handle_datagram(&mut self, now: Instant, source: SocketAddr, data: &[u8]) {
        let Ok(contents) = data.try_into() else { return };
        let (proto, destination) = (protocol(self.transport), self.address);
        let receive = Receive { proto, source, destination, contents };
        self.rtc.handle_input(Input::Receive(now, receive)).unwrap();
    }

    /// Time went on: pictures and sound are due.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.send_media(now);
        self.rtc.handle_input(Input::Timeout(now)).unwrap();
    }

    /// When it wants to be called.
    pub fn poll_timeout(&self) -> Instant {
        let mut due = self.timeout;
        if self.connected_at.is_some() && !self.stalled && self.rtc.is_alive() {
            if self.sends.audio {
                due = due.min(self.microphone.1);
            }
            if self.sends.video {
                due = due.min(self.camera.next);
            }
        }
        due
    }

    fn send_media(&mut self, now: Instant) {
        if self.connected_at.is_none() || self.stalled || !self.rtc.is_alive() {
            return;
        }
        if let (true, Some(mid)) = (self.sends.audio, self.mids[0])
            && now >= self.microphone.1
        {
            let (sequence, due) = &mut self.microphone;
            let due_now = *due;
            (*sequence, *due) = (*sequence + 1, due_now.max(now) + Duration::from_millis(20));
            let time = u32::try_from(*sequence * 960).unwrap();
            let payload = sequence.to_be_bytes().to_vec();
            let level = str0m::rtp::ExtensionValues {
                audio_level: Some(-20),
                voice_activity: Some(true),
                ..Default::default()
            };
            let sequence = *sequence;
            let payload_type = self.payload_type(mid, MediaKind::Audio);
            if let (Some(pt), Some(stream)) =
                (payload_type, self.rtc.direct_api().stream_tx_by_mid(mid, None))
            {
                stream.write_rtp(
                    RtpWrite::new(pt, sequence.into(), time, now, payload).ext_vals(level),
                );
            }
        }
        if let (true, Some(mid)) = (self.sends.video, self.mids[1])
            && now >= self.camera.next
        {
            let pt = self.payload_type(mid, MediaKind::Video);
            let camera = &mut self.camera;
            camera.next = camera.next.max(now) + camera.interval;
            camera.frame = (camera.frame + 1) & 0x7fff;
            let Some(pt) = pt else { return };
            if let Some(simulcast) = &mut self.simulcast {
                for (layer, rid) in RIDS.into_iter().enumerate() {
                    let mut api = self.rtc.direct_api();
                    let Some(stream) = api.stream_tx_by_mid(mid, Some(rid.into())) else {
                        continue;
                    };
                    let key = std::mem::take(&mut simulcast.keys[layer]) || camera.sent == 0;
                    let parts = 1 << layer;
                    for part in 0..parts {
                        let last = part + 1 == parts;
                        let mut payload = picture::packet(camera.frame, key, part, false);
                        payload[11] = layer as u8;
                        let time = u32::from(camera.frame) * 3000 + 1_000_000 * layer as u32;
                        let sequence = &mut simulcast.sequences[layer];
                        *sequence += 1;
                        let write = RtpWrite::new(pt, (*sequence).into(), time, now, payload);
                        stream.write_rtp(write.marker(last).nackable(true));
                    }
                }
                camera.sent += 7;
                return;
            }
            let key = std::mem::take(&mut camera.key);
            camera.time += u32::try_from((camera.interval.as_micros() * 9 + 50) / 100).unwrap();
            // With headers, and what sound takes.
            let limit = self.limits.last().filter(|_| self.heeds).map(|(_, limit)| limit - 60_000);
            let most = limit.map_or(usize::MAX, |limit| {
                (u128::from(limit) * camera.interval.as_micros() / 8_000_000) as usize
            });
            let packets = camera.packets.min(most.div_ceil(1150));
            for part in 0..packets {
                let last = part + 1 == packets;
                let mut payload = picture::packet(camera.frame, key, part, last && !camera.even);
                payload.truncate((most / packets).saturating_sub(50).max(20));
                if camera.codec != Codec::Vp8 {
                    payload = picture::packet_in(camera.codec, camera.frame, key, part, last);
                }
                if camera.temporal {
                    // 0 2 1 2, and those of 1 and 2 need only what is below them.
                    let layer = if key { 0 } else { [0, 2, 1, 2][usize::from(camera.frame & 3)] };
                    camera.base_layer += u8::from(layer == 0 && part == 0);
                    (payload[4], payload[5]) = (camera.base_layer, layer << 6 | 0x20);
                }
                let time = camera.time;
                let mut api = self.rtc.direct_api();
                let Some(stream) = api.stream_tx_by_mid(mid, None) else { return };
                let captured = now.checked_sub(camera.encoding).unwrap();
                let write = RtpWrite::new(pt, camera.sequence.into(), time, captured, payload);
                stream.write_rtp(write.marker(last).nackable(true));
                camera.sequence += 1;
                camera.sent += 1;
            }
        }
    }

    fn payload_type(&self, mid: Mid, kind: MediaKind) -> Option<str0m::media::Pt> {
        let media = self.rtc.media(mid)?;
        if !media.direction().is_sending() || media.kind() != kind {
            return None;
        }
        media.remote_pts().first().copied()
    }

    /// Drains the engine; what goes out, and where.
    pub fn drain(&mut self, now: Instant) -> Vec<(SocketAddr, Vec<u8>)> {
        let mut out = Vec::new();
        loop {
            match self.rtc.poll_output().unwrap() {
                Output::Timeout(at) => {
                    self.timeout = at;
                    break;
                }
                // From an address that it has left nothing goes out.
                Output::Transmit(transmit) => {
                    let from = (transmit.proto, transmit.source);
                    if from == (protocol(self.transport), self.address) {
                        out.push((transmit.destination, transmit.contents.to_vec()));
                    }
                }
                Output::Event(Event::Connected) => {
                    self.connected_at = Some(now);
                    self.microphone.1 = now;
                    self.camera.next = now;
                }
                Output::Event(Event::KeyframeRequest(request)) => {
                    let layer = RIDS.iter().position(|rid| request.rid == Some((*rid).into()));
                    if let (Some(layer), Some(simulcast)) = (layer, &mut self.simulcast) {
                        simulcast.keys[layer] = true;
                    }
                    self.camera.asked += 1;
                    self.camera.key = true;
                }
                Output::Event(Event::Closed) => self.closed = true,
                Output::Event(Event::EgressBitrateEstimate(BweKind::Remb { estimate, .. })) => {
                    self.limits.push((now, estimate.as_u64()));
                }
                Output::Event(Event::ChannelOpen(id, label)) => {
                    self.channels.insert(label, id);
                }
                Output::Event(Event::ChannelClose(id)) => {
                    self.channels.retain(|_, known| *known != id);
                }
                Output::Event(Event::ChannelData(data)) => {
                    let found = self.channels.iter().find(|(_, id)| **id == data.id).unwrap();
                    self.messages.push((found.0.clone(), data.data));
                }
                Output::Event(Event::RtpPacket(packet)) => {
                    let mid = self.mid(packet.header.ssrc);
                    let line = mid.and_then(|mid| self.lines.get(&mid)).cloned();
                    let Some((stream, kind)) = line else { continue };
                    let track = self.tracks.entry((stream.clone(), kind)).or_default();
                    track.stream = stream;
                    track.packets.push(Received {
                        at: now,
                        sequence: *packet.seq_no,
                        timestamp: packet.time.numer(),
                        marker: packet.header.marker,
                        payload: packet.payload.to_vec(),
                        audio_level: packet.header.ext_vals.audio_level,
                        captured: captured(&packet, kind),
                    });
                }
                Output::Event(_) => {}
            }
        }
        out
    }

    fn mid(&mut self, ssrc: Ssrc) -> Option<Mid> {
        if let Some(mid) = self.sources.get(&*ssrc) {
            return Some(*mid);
        }
        let mid = self.rtc.direct_api().stream_rx(&ssrc)?.mid();
        self.sources.insert(*ssrc, mid);
        Some(mid)
    }

    /// Asks for a key frame of a publisher's video.
    pub fn ask_for_key_frame(&mut self, publisher: LegId) {
        self.ask_for_key_frame_of(publisher, Kind::Video);
    }

    /// The same of either kind, sensible or not.
    pub fn ask_for_key_frame_of(&mut self, publisher: LegId, kind: Kind) {
        let stream = self.stream_of(publisher);
        let line = self.lines.iter().find(|(_, line)| **line == (stream.clone(), kind));
        let Some(mid) = line.map(|(mid, _)| *mid) else { return };
        if let Some(stream) = self.rtc.direct_api().stream_rx_by_mid(mid, None) {
            stream.request_keyframe(str0m::media::KeyframeRequestKind::Pli);
        }
    }

    pub fn stream_of(&self, publisher: LegId) -> String {
        let found = self.streams.iter().find(|(_, leg)| *leg == publisher);
        found.map(|(stream, _)| stream.clone()).unwrap_or_default()
    }

    pub fn track(&self, publisher: LegId, kind: Kind) -> Option<&Track> {
        self.tracks.get(&(self.stream_of(publisher), kind))
    }

    /// The pictures of a publisher that a decoder can show, in the order of their completion.
    pub fn pictures(&self, publisher: LegId) -> Vec<Picture> {
        self.track(publisher, Kind::Video).map_or_else(Vec::new, picture::decode)
    }
}

fn protocol(transport: Transport) -> Protocol {
    match transport {
        Transport::Udp => Protocol::Udp,
        Transport::Tcp => Protocol::Tcp,
    }
}

fn host(transport: Transport, address: SocketAddr) -> Candidate {
    match transport {
        Transport::Udp => Candidate::builder().udp().host(address).build(),
        Transport::Tcp => Candidate::builder().tcp().tcptype(TcpType::Active).host(address).build(),
    }
    .unwrap()
}

fn captured(packet: &str0m::rtp::RtpPacket, kind: Kind) -> Option<Duration> {
    let told = packet.last_sender_info?;
    let clock = if kind == Kind::Audio { 48_000.0 } else { 90_000.0 };
    let ticks = packet.header.timestamp.wrapping_sub(told.rtp_time.numer() as u32).cast_signed();
    let then = told.ntp_time.duration_since(std::time::SystemTime::UNIX_EPOCH).unwrap();
    Some(Duration::from_secs_f64(then.as_secs_f64() + f64::from(ticks) / clock))
}
