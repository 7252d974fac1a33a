//! What a leg sends without its engine: others' packets, their repetitions, and reports about them. The engine
//! would copy each packet several times, keep 400 bytes of header of it for every member, and have a turn of its
//! state machine for it.
//!
//! It still finds the path and agrees on keys: the keys are taken on their way (`peerway_dtls::keys_from`), and
//! the path is where it sends itself.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use peerway_dtls::keys_from;
use str0m::net::Protocol;

use super::feedback::{self, Feedback};
use super::history::Sent;
use super::packet::Packet;
use super::slot::{Slot, SlotId};
use super::told::Telling;
use super::train::{Arrived, Train};
use super::wire::Header;
use super::{Failure, Leg, Output, header, reports};
use crate::Kind;
use crate::rewrite::Incoming;
use crate::router::Transport;
use crate::srtp::Srtp;

/// The source of a report that only shows where the engine sends, and is never sent.
const PATH_FINDER: u32 = 1;
/// What a packet takes, mostly.
const DATAGRAM: usize = 1500;
/// Between reports to a member that is watched.
const OFTEN: Duration = Duration::from_millis(330);

/// Where datagrams go, and from which candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Path {
    pub(crate) transport: Transport,
    pub(crate) source: SocketAddr,
    pub(crate) destination: SocketAddr,
}

/// See the module documentation.
#[derive(Debug, Default)]
pub(super) struct Sending {
    pub(super) srtp: Option<Srtp>,
    path: Option<Path>,
    queue: Vec<Queued>,
    /// Some line owes a report.
    pub(super) owes: bool,
    /// When reports went out, and whether they are to go out often.
    reported: Option<Instant>,
    pub(super) watched: bool,
    pub(super) telling: Telling,
    /// Packets that went into histories.
    pub(super) repeatable: u64,
    pub(super) train: Option<Train>,
    /// The last train, when its report went out, and while that is to be answered.
    pub(super) arrived: Option<(Instant, Arrived)>,
    /// Whose decoders are lost; each is in it once.
    lost: Vec<SlotId>,
}

#[derive(Debug)]
struct Queued {
    slot: SlotId,
    sent: Sent,
    /// The member asked for it.
    again: bool,
}

impl Leg {
    /// Puts a packet on a slot's line, with the numbers that go on there. `false`: its receiver
    /// cannot decode it, or it is too late.
    pub(crate) fn send(&mut self, id: SlotId, packet: &Arc<Packet>, incoming: &Incoming) -> bool {
        let Some(slot) = self.slots.get_mut(id) else { return false };
        if self.sending.srtp.is_none() || slot.line.is_none() || !slot.takes(packet.format) {
            return false;
        }
        let Some(numbers) = slot.rewriter.forward(incoming) else { return false };
        let sent = Sent { packet: packet.clone(), numbers };
        self.sending.queue.push(Queued { slot: id, sent, again: false });
        true
    }

    /// A packet does not go out on a slot's line, on purpose.
    pub(crate) fn omit(&mut self, slot: SlotId, incoming: &Incoming) {
        if let Some(slot) = self.slots.get_mut(slot) {
            slot.rewriter.omit(incoming);
        }
    }

    /// Time on a slot's line goes on with a packet as the wall's does, not as its sender's did.
    pub(crate) fn restart_clock(&mut self, slot: SlotId, incoming: &Incoming) {
        if let Some(slot) = self.slots.get_mut(slot) {
            slot.rewriter.restart_clock(incoming);
        }
    }

    /// Nothing goes out on a slot's line for a while.
    pub(crate) fn pause(&mut self, slot: SlotId) {
        if let Some(slot) = self.slots.get_mut(slot) {
            slot.pause();
        }
    }

    /// Whether [`Leg::flush`] has something to do.
    pub(crate) fn has_to_send(&self) -> bool {
        self.sending.owes || !self.sending.queue.is_empty() || self.sending.train.is_some()
    }

    /// Gives out what is to be sent, each datagram in a buffer of those that are spare.
    pub(crate) fn flush(
        &mut self,
        now: Instant,
        spare: &mut Vec<Vec<u8>>,
        mut send: impl FnMut(Path, Vec<u8>),
    ) {
        let mut queue = std::mem::take(&mut self.sending.queue);
        let Some(path) = self.sending.path else { return };
        if self.ends_train(now) {
            self.report(now, path, spare, &mut send);
        }
        let (mut bytes, mut packets) = (0, 0);
        let Sending { srtp: Some(srtp), owes, repeatable, .. } = &mut self.sending else {
            return;
        };
        for Queued { slot, sent, again } in queue.drain(..) {
            let Some(slot) = self.slots.get_mut(slot) else { continue };
            let payload_type = if again {
                self.formats.repair(sent.packet.format)
            } else {
                Some(self.formats.payload_type(sent.packet.format))
            };
            let Some(payload_type) = payload_type else { continue };
            let mut packet = buffer(spare);
            let written = write(slot, &sent, *payload_type, again, &mut packet);
            let sealed =
                written.is_some_and(|(head, index)| srtp.seal_packet(head, index, &mut packet));
            if !sealed {
                spare.push(packet);
                continue;
            }
            (bytes, packets) = (bytes + packet.len() as u64, packets + 1);
            send(path, packet);
            let (kind, Some(line)) = (slot.kind, &mut slot.line) else { continue };
            if again {
                continue;
            }
            #[expect(clippy::cast_possible_truncation, reason = "RTP timestamps wrap")]
            let timestamp = sent.numbers.timestamp as u32;
            line.count(sent.numbers.sequence, timestamp, sent.packet.wallclock, sent.packet.len());
            *owes |= line.owes_report;
            // Sound that comes late is of no use.
            if kind == Kind::Video && line.repairs.is_some() {
                line.history.push(sent);
                *repeatable += 1;
            }
        }
        // Its room is for the next ones.
        self.sending.queue = queue;
        self.move_train(now, path, (bytes, packets), spare, &mut send);
        self.owe_often(now);
        if self.sending.owes {
            self.report(now, path, spare, &mut send);
        }
    }

    fn report(
        &mut self,
        now: Instant,
        path: Path,
        spare: &mut Vec<Vec<u8>>,
        send: &mut impl FnMut(Path, Vec<u8>),
    ) {
        let Sending { srtp: Some(srtp), owes, reported, .. } = &mut self.sending else { return };
        *owes = false;
        *reported = Some(now);
        let wall = &self.wall;
        let mut lines = self.slots.all_mut().filter_map(|(_, slot)| {
            let clock = slot.clock();
            slot.line.as_mut().filter(|line| line.owes_report).map(|line| (line, clock))
        });
        loop {
            let mut report = buffer(spare);
            for (line, clock) in lines.by_ref().take(reports::MOST_LINES) {
                reports::write(&mut report, now, wall, line, clock);
            }
            if report.is_empty() || !srtp.seal_report(&mut report) {
                spare.push(report);
                return;
            }
            send(path, report);
        }
    }

    /// Reports that are answered tell how long packets wait: the member is told often, if somebody asks.
    pub(crate) fn watch(&mut self) {
        self.sending.watched = true;
    }

    fn owe_often(&mut self, now: Instant) {
        let is_time = self.sending.reported.is_none_or(|at| now >= at + OFTEN);
        let is_time = is_time && !self.awaits_train(now);
        if !self.sending.watched || !is_time {
            return;
        }
        for (_, slot) in self.slots.all_mut() {
            if let (Kind::Video, Some(line)) = (slot.kind, &mut slot.line) {
                line.owes_report |= line.has_news();
                self.sending.owes |= line.owes_report && line.packets > 0;
            }
        }
    }

    /// A second is over.
    pub(super) fn tick(&mut self, now: Instant) {
        self.note_outgoing(now);
        let mut is_used = false;
        let may_report = !self.awaits_train(now);
        for (_, slot) in self.slots.all_mut() {
            if let Some(line) = &mut slot.line {
                line.owes_report |= may_report && line.has_news();
                self.sending.owes |= line.owes_report && line.packets > 0;
                is_used |= line.packets > 0;
            }
        }
        // What is paused gets no reports, and would never be tried again.
        if is_used {
            self.sending.telling.second();
        }
    }

    /// What a datagram says about what was sent. The engine gets it too, for what else is in it: `false` if it has
    /// had it before.
    pub(super) fn heed(&mut self, now: Instant, datagram: &[u8]) -> bool {
        if !header::is_report(datagram) {
            return true;
        }
        let Some(srtp) = &mut self.sending.srtp else { return true };
        if srtp.is_replay(datagram) {
            return false;
        }
        let mut report = Vec::new();
        if srtp.open_report(datagram, &mut report) {
            feedback::read(&report, |feedback| self.heed_feedback(now, feedback));
        }
        true
    }

    fn heed_feedback(&mut self, now: Instant, feedback: Feedback) {
        let source = match feedback {
            Feedback::Bitrate { most } => return self.sending.telling.wants_at_most(most),
            Feedback::Reception(feedback::Reception { source, .. })
            | Feedback::Missing { source, .. }
            | Feedback::KeyFrame { source } => source,
        };
        if let Feedback::Reception(reception) = feedback {
            self.heed_reception(now, reception);
        }
        let Some((id, slot)) = self.slots.by_source(source) else { return };
        let Some(line) = &mut slot.line else { return };
        match feedback {
            Feedback::Reception(reception) => self.sending.telling.lost(line.heard(reception)),
            Feedback::Bitrate { .. } => {}
            Feedback::Missing { first, more, .. } => {
                line.nacks += 1;
                let others = (0..16).filter(|bit| more & 1 << bit != 0);
                let others = others.map(|bit| first.wrapping_add(bit + 1));
                for sequence in std::iter::once(first).chain(others) {
                    self.sending.telling.missed(line.misses(sequence).into());
                    if let Some(sent) = line.history.repeat(now, sequence) {
                        self.sending.queue.push(Queued { slot: id, sent, again: true });
                    }
                }
            }
            Feedback::KeyFrame { .. } => {
                if !self.sending.lost.contains(&id) {
                    self.sending.lost.push(id);
                }
            }
        }
    }

    /// A report that answers one of ours.
    fn heed_reception(&mut self, now: Instant, reception: feedback::Reception) {
        let source = reception.source;
        let line = match self.slots.by_source(source) {
            Some((_, slot)) => slot.line.as_mut(),
            None => self.slots.by_repairs(source),
        };
        let Some((took, began)) = line.and_then(|line| line.round_trip(now, reception)) else {
            return;
        };
        self.note_round_trip(took);
        let train = self.answers_train(now, began);
        self.sending.telling.came_back(took, began, train);
    }

    /// What the member said, beside what is answered at once.
    pub(super) fn next_feedback(&mut self) -> Option<Output> {
        if self.sending.telling.take_due() {
            return Some(Output::Reported);
        }
        self.sending.lost.pop().map(Output::KeyFrameWanted)
    }

    /// The engine's next output, and the keys, once there are some.
    pub(super) fn poll_engine(&mut self) -> Result<str0m::Output, Failure> {
        if self.sending.srtp.is_some() {
            return Ok(self.rtc.poll_output()?);
        }
        let (output, keys) = keys_from(|| self.rtc.poll_output());
        if let Some(keys) = keys {
            self.sending.srtp = Srtp::new(&peerway_dtls::crypto(), &keys);
        }
        Ok(output?)
    }

    /// The member checked a path, and the engine may have chosen another one: it shows where it sends.
    pub(super) fn look_for_path(&mut self) {
        if self.sending.srtp.is_some() {
            let (sender, nobody) = (PATH_FINDER.into(), 0.into());
            self.rtc.direct_api().send_app_specific_feedback(sender, nobody, Vec::new());
        }
    }

    /// The engine sends something. `true`: it was only to see where.
    pub(super) fn learn_path(&mut self, transmit: &str0m::net::Transmit) -> bool {
        let Some(first) = transmit.contents.first() else { return false };
        // RFC 7983, section 7. Answers to checks go where those came from.
        if *first < 20 {
            return false;
        }
        self.sending.path = Some(Path {
            transport: match transmit.proto {
                Protocol::Udp => Transport::Udp,
                _ => Transport::Tcp,
            },
            source: transmit.source,
            destination: transmit.destination,
        });
        header::is_report(&transmit.contents)
            && transmit.contents.get(4..8) == Some(&PATH_FINDER.to_be_bytes())
    }
}

/// A buffer to write into.
pub(super) fn buffer(spare: &mut Vec<Vec<u8>>) -> Vec<u8> {
    let mut buffer = spare.pop().unwrap_or_else(|| Vec::with_capacity(DATAGRAM));
    buffer.clear();
    buffer
}

/// Writes a packet as it is before encryption: how long its header is, and its number.
fn write(
    slot: &mut Slot,
    sent: &Sent,
    payload_type: u8,
    again: bool,
    packet: &mut Vec<u8>,
) -> Option<(usize, u64)> {
    let Slot { mid, line, .. } = slot;
    let line = line.as_mut()?;
    let Sent { packet: of, numbers } = sent;
    let (source, sequence) = if again {
        let sequence = line.next_repair;
        line.next_repair += 1;
        (line.repairs?, sequence)
    } else {
        (line.source, numbers.sequence)
    };
    let extensions = line.extensions;
    let header = Header {
        payload_type,
        marker: of.marker,
        sequence,
        #[expect(clippy::cast_possible_truncation, reason = "RTP timestamps wrap")]
        timestamp: numbers.timestamp as u32,
        source,
        // On every packet: a line gets another track, and its receiver may just have begun.
        mid: extensions.mid.zip(mid.as_ref().map(|mid| mid.as_bytes())),
        audio_level: extensions.audio_level.zip(of.level),
        orientation: extensions.orientation.zip(of.orientation),
    };
    header.write(packet);
    let head = packet.len();
    if again {
        // RFC 4588, section 4: the number that it had.
        #[expect(clippy::cast_possible_truncation, reason = "it wraps")]
        packet.extend_from_slice(&(numbers.sequence as u16).to_be_bytes());
    }
    of.write(numbers.picture, packet);
    Some((head, sequence))
}
