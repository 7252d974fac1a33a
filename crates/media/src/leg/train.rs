//! Packets without content, to find out what a path carries: for a moment more is sent than usual, and behind it a
//! report whose answer tells how long it waited. They go as repetitions do, on numbers of their own, so that nobody
//! misses one that is lost (as Chromium's own do).
//!
//! ```text
//!   pictures   |##      |##      |##      |##
//!   train      |  ++++++|  ++++++|  ++++++|
//!   report                                r
//! ```

use std::time::{Duration, Instant};

use super::Leg;
use super::sending::{Path, Sending, buffer};
use super::wire::Header;
use crate::Kind;

/// The last byte of a padded packet tells how much there is, itself included (RFC 3550, section 5.1).
const PADDING: usize = 255;
const HAS_PADDING: u8 = 0x20;
/// Of IP and UDP.
const OVERHEAD: u64 = 28;
/// What it is ahead of its time: it begins with as much as goes out until there is a next time to send.
const AHEAD: Duration = Duration::from_millis(20);
/// Behind the last packet, before the report: what a path of that width carries in it has arrived then.
const REST: Duration = Duration::from_millis(15);

/// Until the report has arrived for certain, and until nobody answers it any more.
const LATE: Duration = Duration::from_millis(700);
const PATIENCE: Duration = Duration::from_secs(2);

/// One that is under way.
#[derive(Debug)]
pub(super) struct Train {
    /// In bits per second, with what is sent anyway.
    rate: u64,
    /// Bytes of padding that may still be sent.
    left: u64,
    began: Option<Instant>,
    /// All that went out since, in bytes.
    sent: u64,
    last: Option<Instant>,
}

/// One whose report went out: how much it was, in bytes, and how long it took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Arrived {
    pub(crate) bytes: u64,
    pub(crate) lasted: Duration,
}

impl Leg {
    /// Sends at a rate for a moment, with no more padding than that. `false`: there is no line for it.
    pub(crate) fn probe(&mut self, rate: u64, most: u64) -> bool {
        if self.train_line().is_none() {
            return false;
        }
        self.sending.train = Some(Train { rate, left: most, began: None, sent: 0, last: None });
        true
    }

    /// Whether a train is under way.
    pub(crate) fn is_probing(&self) -> bool {
        self.sending.train.is_some()
    }

    fn train_line(&mut self) -> Option<(super::SlotId, u8)> {
        let formats = &self.formats;
        self.slots.all().find_map(|(id, slot)| {
            let line = slot.line.as_ref().filter(|_| slot.kind == Kind::Video && slot.is_live())?;
            line.repairs.filter(|_| line.packets > 0)?;
            Some((id, *formats.repair_of(slot.accepted)?))
        })
    }

    /// Whether its report is to be answered. Only the last one is, so there is no other until then.
    pub(super) fn awaits_train(&self, now: Instant) -> bool {
        self.sending.train.is_some()
            || self.sending.arrived.is_some_and(|(at, _)| now < at + PATIENCE)
    }

    /// A report of that time was answered. What that says of a train.
    pub(super) fn answers_train(&mut self, now: Instant, began: Instant) -> Option<Arrived> {
        let (at, arrived) = self.sending.arrived?;
        if at == began {
            self.sending.arrived = None;
            return Some(arrived);
        }
        if began < at && now > at + LATE {
            self.sending.arrived = None;
            self.sending.telling.lost_train();
        }
        None
    }

    /// Whether the report is due that a train ends with.
    pub(super) fn ends_train(&mut self, now: Instant) -> bool {
        let Some(train) = &self.sending.train else { return false };
        let (Some(began), Some(last)) = (train.began, train.last) else { return false };
        if train.left > 0 || now < last + REST {
            return false;
        }
        let lasted = now.saturating_duration_since(began);
        self.sending.arrived = Some((now, Arrived { bytes: train.sent, lasted }));
        self.sending.train = None;
        for (_, slot) in self.slots.all_mut() {
            if let Some(line) = &mut slot.line {
                line.owes_report |= line.packets > 0;
            }
        }
        self.sending.owes = true;
        true
    }

    /// Sends what is due of a train, behind so many bytes in so many packets.
    pub(super) fn move_train(
        &mut self,
        now: Instant,
        path: Path,
        (bytes, packets): (u64, u64),
        spare: &mut Vec<Vec<u8>>,
        send: &mut impl FnMut(Path, Vec<u8>),
    ) {
        let Some(train) = &mut self.sending.train else { return };
        let began = *train.began.get_or_insert(now);
        train.sent += bytes + packets * OVERHEAD;
        if train.left == 0 {
            return;
        }
        let passed = now.saturating_duration_since(began) + AHEAD;
        let passed = u64::try_from(passed.as_micros()).unwrap_or(u64::MAX);
        let due = (train.rate / 8).saturating_mul(passed) / 1_000_000;
        let mut owed = due.saturating_sub(train.sent).min(train.left);
        let Some((slot, payload_type)) = self.train_line() else {
            self.sending.train = None;
            return;
        };
        while owed > 0 {
            let Some(size) = self.pad(slot, payload_type, path, spare, send) else { return };
            owed = owed.saturating_sub(size);
            if let Some(train) = &mut self.sending.train {
                train.sent += size;
                train.left = train.left.saturating_sub(size);
                train.last = Some(now);
            }
        }
    }

    /// One packet without content; its size.
    fn pad(
        &mut self,
        slot: super::SlotId,
        payload_type: u8,
        path: Path,
        spare: &mut Vec<Vec<u8>>,
        send: &mut impl FnMut(Path, Vec<u8>),
    ) -> Option<u64> {
        let Sending { srtp: Some(srtp), .. } = &mut self.sending else { return None };
        let slot = self.slots.get_mut(slot)?;
        let line = slot.line.as_mut()?;
        let sequence = line.next_repair;
        line.next_repair += 1;
        let header = Header {
            payload_type,
            marker: false,
            sequence,
            timestamp: line.newest_timestamp()?,
            source: line.repairs?,
            mid: line.extensions.mid.zip(slot.mid.as_ref().map(|mid| mid.as_bytes())),
            audio_level: None,
            orientation: None,
        };
        let mut packet = buffer(spare);
        header.write(&mut packet);
        packet[0] |= HAS_PADDING;
        let head = packet.len();
        packet.resize(head + PADDING - 1, 0);
        packet.push(u8::try_from(PADDING).unwrap_or(u8::MAX));
        if !srtp.seal_packet(head, sequence, &mut packet) {
            return None;
        }
        let size = packet.len() as u64 + OVERHEAD;
        send(path, packet);
        Some(size)
    }
}
