//! One WebRTC connection with a UDP socket of its own, as a browser has it.

use std::collections::BTreeMap;
use std::io::{ErrorKind, IoSliceMut};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt, sockopt,
};
use nix::sys::time::TimeSpec;
use str0m::change::{SdpAnswer, SdpOffer, SdpPendingOffer};
use str0m::media::{Direction, MediaKind, Mid};
use str0m::net::{Protocol, Receive};
use str0m::rtp::{ExtensionValues, RtpWrite};
use str0m::{Candidate, Event, Input, Output, Rtc, RtcConfig};

use super::media::{self, Camera, Microphone, Packet, Sends};
use super::track::{Rtp, Track};
use crate::clock;
use crate::latency::Latencies;

/// What a peer does with the media that it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ear {
    /// RTP is counted by its header and dropped.
    Light,
    /// RTP goes through the engine too, which then reports on it.
    Full,
    /// And the kernel tells when it came.
    Stamped,
}

pub(super) struct Peer {
    rtc: Rtc,
    socket: UdpSocket,
    address: SocketAddr,
    pub(super) sends: Sends,
    ear: Ear,
    /// When the engine wants to be called.
    timeout: Instant,
    camera: Option<Camera>,
    microphone: Option<Microphone>,
    /// Lines that it sends on: sound and pictures.
    lines: [Option<Mid>; 2],
    pending: Option<SdpPendingOffer>,
    pub(super) connected: bool,
    /// Packets of its own that left.
    pub(super) sent: u64,
    /// By synchronization source.
    pub(super) tracks: BTreeMap<u32, Track>,
    pub(super) first_packet: Option<Instant>,
    /// Payload types of retransmissions, which also carry probes for bandwidth (RFC 4588).
    repeats: Vec<u8>,
    /// Packets of those types.
    pub(super) repeated: u64,
}

impl Peer {
    pub(super) fn new(address: IpAddr, sends: Sends, ear: Ear) -> Result<Self> {
        let now = clock::now();
        let socket = UdpSocket::bind((address, 0))?;
        socket.set_nonblocking(true)?;
        // While the generator is busy with others, nothing is lost here.
        setsockopt(&socket, sockopt::RcvBuf, &(1 << 20))?;
        if ear == Ear::Stamped {
            setsockopt(&socket, sockopt::ReceiveTimestampns, &true)?;
        }
        let address = socket.local_addr()?;
        let mut rtc = RtcConfig::new()
            .set_crypto_provider(peerway_dtls::crypto())
            .set_rtp_mode(true)
            .clear_codecs()
            .enable_opus(true, false)
            .enable_vp8(true)
            .build(now);
        rtc.add_local_candidate(Candidate::host(address, Protocol::Udp)?);
        Ok(Self {
            rtc,
            socket,
            address,
            sends,
            ear,
            timeout: now,
            camera: None,
            microphone: None,
            lines: [None, None],
            pending: None,
            connected: false,
            sent: 0,
            tracks: BTreeMap::new(),
            first_packet: None,
            repeats: Vec::new(),
            repeated: 0,
        })
    }

    /// Offers what it sends.
    pub(super) fn offer(&mut self) -> Result<String> {
        let mut changes = self.rtc.sdp_api();
        let mut line = |kind| Some(changes.add_media(kind, Direction::SendOnly, None, None, None));
        let audio = if self.sends.audio { line(MediaKind::Audio) } else { None };
        let video = if self.sends.video.is_some() { line(MediaKind::Video) } else { None };
        let (offer, pending) = changes.apply().context("nothing to offer")?;
        (self.lines, self.pending) = ([audio, video], Some(pending));
        Ok(offer.to_sdp_string())
    }

    pub(super) fn accept(&mut self, answer: &str) -> Result<()> {
        let pending = self.pending.take().context("an answer without an offer")?;
        let answer = SdpAnswer::from_sdp_string(answer)?;
        Ok(self.rtc.sdp_api().accept_answer(pending, answer)?)
    }

    /// Answers an offer, and takes the lines that the server receives on, where it has media for them.
    pub(super) fn answer(&mut self, offer: &str) -> Result<String> {
        let wanted = [self.sends.audio, self.sends.video.is_some()];
        let mut silent = Vec::new();
        for section in offer.split("\r\nm=").skip(1) {
            let index = usize::from(!section.starts_with("audio"));
            let receives = section.contains("\na=recvonly");
            silent.push(receives && !wanted[index]);
            if receives && wanted[index] {
                let mid = section.lines().find_map(|line| line.strip_prefix("a=mid:"));
                self.lines[index] = Some(Mid::from(mid.context("a line without a name")?));
            }
        }
        self.repeats = offer.lines().filter_map(retransmission).collect();
        // str0m 0.25.0 understands one line of bandwidth in a section.
        let lines = offer.split_inclusive('\n').filter(|line| !line.starts_with("b=TIAS"));
        let offer = SdpOffer::from_sdp_string(&lines.collect::<String>())?;
        let answer = self.rtc.sdp_api().accept_offer(offer)?.to_sdp_string();
        // The engine mirrors the offer: it would send on every line that the server receives on.
        let mut edited = String::new();
        let mut line_number = 0;
        for line in answer.split_inclusive('\n') {
            line_number += usize::from(line.starts_with("m="));
            let is_silent = line_number > 0 && silent.get(line_number - 1) == Some(&true);
            let is_sending = line.trim_end() == "a=sendonly";
            edited.push_str(if is_silent && is_sending { "a=inactive\r\n" } else { line });
        }
        Ok(edited)
    }

    /// Media are due from now on.
    pub(super) fn start_media(&mut self, now: Instant) {
        self.camera = self.sends.video.map(|rhythm| Camera::new(rhythm, now));
        self.microphone = self.sends.audio.then(|| Microphone::new(now));
    }

    pub(super) fn stop_media(&mut self) {
        (self.camera, self.microphone) = (None, None);
    }

    /// When [`Peer::handle_timeout`] wants to be called.
    pub(super) fn due(&self) -> Instant {
        let camera = self.camera.as_ref().map(|camera| camera.due);
        let microphone = self.microphone.as_ref().map(|microphone| microphone.due);
        [camera, microphone].into_iter().flatten().fold(self.timeout, Instant::min)
    }

    /// The engine has something to say: it is called as soon as can be.
    pub(super) fn wake(&mut self, now: Instant) {
        self.timeout = now;
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) -> Result<()> {
        if let Some(microphone) = &mut self.microphone
            && microphone.due <= now
        {
            let packet = microphone.packet();
            self.send(0, packet)?;
        }
        if let Some(camera) = &mut self.camera
            && camera.due <= now
        {
            let parts = camera.begin_picture();
            for part in 0..parts {
                let Some(camera) = &mut self.camera else { break };
                let packet = camera.packet(part, parts);
                self.send(1, packet)?;
            }
        }
        if self.timeout <= now {
            self.rtc.handle_input(Input::Timeout(now))?;
            self.drain(None)?;
        }
        Ok(())
    }

    fn send(&mut self, line: usize, packet: Packet) -> Result<()> {
        let now = clock::now();
        let mid = self.lines[line].context("no line to send on")?;
        let media = self.rtc.media(mid).context("the line is not agreed on")?;
        let payload_type = *media.remote_pts().first().context("no codec is agreed on")?;
        let mut api = self.rtc.direct_api();
        let stream = api.stream_tx_by_mid(mid, None).context("no stream to send on")?;
        let Packet { sequence, timestamp, marker, payload } = packet;
        let mut write = RtpWrite::new(payload_type, sequence.into(), timestamp, now, payload)
            .marker(marker)
            .nackable(line == 1);
        if line == 0 {
            let audio_level = Some(-20);
            let voice_activity = Some(true);
            write = write.ext_vals(ExtensionValues {
                audio_level,
                voice_activity,
                ..ExtensionValues::default()
            });
        }
        stream.write_rtp(write);
        self.sent += 1;
        self.rtc.handle_input(Input::Timeout(now))?;
        self.drain(None)
    }

    /// Reads what has arrived. `heard` takes how long stamped packets were on their way.
    pub(super) fn handle_readable(&mut self, heard: &mut Latencies) -> Result<()> {
        let mut buffer = [0; 2048];
        loop {
            let (length, source, came) = match self.receive(&mut buffer) {
                Ok(received) => received,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                // The server's socket is gone; that shows in what does not arrive.
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => continue,
                Err(error) => return Err(error).context("receiving"),
            };
            let data = &buffer[..length];
            let now = clock::now();
            if let Some(rtp) = Rtp::parse(data) {
                if self.repeats.contains(&rtp.payload_type) {
                    self.repeated += 1;
                } else {
                    self.first_packet.get_or_insert(now);
                    self.tracks.entry(rtp.source).or_insert_with(|| Track::new(&rtp)).count(&rtp);
                }
                if self.ear == Ear::Light {
                    continue;
                }
            }
            let Ok(contents) = data.try_into() else { continue };
            let destination = self.address;
            let receive = Receive { proto: Protocol::Udp, source, destination, contents };
            self.rtc.handle_input(Input::Receive(now, receive))?;
            self.drain(came.map(|came| (came, &mut *heard)))?;
        }
    }

    /// One datagram, and when it came, in nanoseconds since 1970.
    fn receive(&self, buffer: &mut [u8]) -> std::io::Result<(usize, SocketAddr, Option<u64>)> {
        if self.ear != Ear::Stamped {
            return self.socket.recv_from(buffer).map(|(length, source)| (length, source, None));
        }
        let mut control = nix::cmsg_space!(TimeSpec);
        let mut parts = [IoSliceMut::new(buffer)];
        let flags = MsgFlags::MSG_DONTWAIT;
        let descriptor = self.socket.as_raw_fd();
        let message =
            recvmsg::<SockaddrStorage>(descriptor, &mut parts, Some(&mut control), flags)?;
        let stamp = message.cmsgs()?.find_map(|control| match control {
            ControlMessageOwned::ScmTimestampns(at) => {
                u64::try_from(Duration::from(at).as_nanos()).ok()
            }
            _ => None,
        });
        let source = message.address.and_then(socket_address).ok_or(Errno::EAFNOSUPPORT)?;
        Ok((message.bytes, source, stamp))
    }

    /// Empties the engine.
    pub(super) fn drain(&mut self, mut came: Option<(u64, &mut Latencies)>) -> Result<()> {
        loop {
            match self.rtc.poll_output()? {
                Output::Timeout(at) => {
                    self.timeout = at;
                    return Ok(());
                }
                Output::Transmit(transmit) => {
                    // A socket that is full loses what it is given, as on any network.
                    let _ = self.socket.send_to(&transmit.contents, transmit.destination);
                }
                Output::Event(Event::Connected) => self.connected = true,
                Output::Event(Event::KeyframeRequest(_)) => {
                    if let Some(camera) = &mut self.camera {
                        camera.want_key();
                    }
                }
                Output::Event(Event::RtpPacket(packet)) => {
                    if let Some((came, heard)) = &mut came
                        && let Some(sent) = media::stamped(&packet.payload)
                    {
                        heard.record(Duration::from_nanos(came.saturating_sub(sent)));
                    }
                }
                Output::Event(_) => {}
            }
        }
    }
}

/// `a=rtpmap:97 rtx/90000`
fn retransmission(line: &str) -> Option<u8> {
    let (payload_type, encoding) = line.strip_prefix("a=rtpmap:")?.split_once(' ')?;
    encoding.starts_with("rtx/").then(|| payload_type.parse().ok()).flatten()
}

fn socket_address(address: SockaddrStorage) -> Option<SocketAddr> {
    let v4 = address.as_sockaddr_in().map(|it| SocketAddr::V4((*it).into()));
    v4.or_else(|| address.as_sockaddr_in6().map(|it| SocketAddr::V6((*it).into())))
}

impl AsFd for Peer {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
