//! Tests of sender and receiver against somebody who says anything at any time.

use peerway_protocol::value::Bytes;

use super::hash::{Hasher, Sha256};
use super::message::{Entry, Message, Offer, Want};
use super::reason::{Reason, Refusal};
use super::receiver::{self, Planned, Receiver};
use super::sender::{self, Opened, Read, Sender};

const RUNS: u64 = 3000;
const STEPS: usize = 60;

#[test]
fn a_receiver_survives_anything() {
    for seed in 1..RUNS {
        let mut chance = Chance(seed);
        let mut receiver = Receiver::new(chance.below(200));
        let mut over = false;
        for _step in 0..STEPS {
            match chance.below(20) {
                0 => receiver.handle_lost(),
                1 => receiver.handle_decision(if chance.below(4) > 0 { Ok(()) } else { Err(no()) }),
                2 => receiver.handle_message(Message::Offer(chance.offer())),
                3 if chance.below(30) == 0 => receiver.cancel(no()),
                4 => receiver.handle_written(chance.index(), chance.below(50)),
                5 => receiver.handle_planned(chance.index(), chance.planned()),
                6 => receiver.handle_committed(chance.index(), Ok(chance.digest())),
                7 => receiver.handle_committed(chance.index(), Err(no())),
                8 => receiver.handle_failed(chance.index(), no()),
                _ => receiver.handle_message(chance.message()),
            }
            while let Some(command) = receiver.next_command() {
                assert!(!over, "{seed}: {command:?} after the end");
                match command {
                    receiver::Command::Ask => receiver.handle_decision(Ok(())),
                    receiver::Command::Plan { index, .. } if chance.below(3) > 0 => {
                        let planned = chance.planned();
                        receiver.handle_planned(index, planned);
                    }
                    receiver::Command::Commit { index, .. } if chance.below(3) > 0 => {
                        receiver.handle_committed(index, Ok(chance.digest()));
                    }
                    receiver::Command::Finish(_) => over = true,
                    _ => {}
                }
            }
            let progress = receiver.progress();
            assert!(progress.settled <= progress.files, "{seed}");
            assert!(
                progress.total.is_none_or(|total| progress.bytes <= total),
                "{seed}: {progress:?}"
            );
        }
    }
}

#[test]
fn a_sender_survives_anything() {
    for seed in 1..RUNS {
        let mut chance = Chance(seed);
        let mut sender = Sender::new(chance.offer());
        let (mut over, mut turn) = (false, 0);
        for _step in 0..STEPS {
            match chance.below(20) {
                0 => sender.handle_lost(),
                1 | 2 => sender.handle_connected(),
                3 if chance.below(30) == 0 => sender.cancel(no()),
                4 => sender.handle_opened(turn, chance.opened()),
                5..9 => sender.handle_read(turn, chance.read()),
                _ => sender.handle_message(chance.message()),
            }
            while let Some(command) = sender.next_command() {
                assert!(!over, "{seed}: {command:?} after the end");
                match command {
                    sender::Command::Open { turn: now, .. } => {
                        turn = now;
                        if chance.below(4) > 0 {
                            sender.handle_opened(turn, chance.opened());
                        }
                    }
                    sender::Command::Read { turn: now } => turn = now,
                    sender::Command::Finish(_) => over = true,
                    _ => {}
                }
            }
            let progress = sender.progress();
            assert!(progress.settled <= progress.files, "{seed}");
        }
    }
}

fn no() -> Refusal {
    Refusal::new(Reason::Permission, "no")
}

/// A xorshift generator of things that may be said.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }

    fn index(&mut self) -> u32 {
        u32::try_from(self.below(5)).unwrap()
    }

    fn digest(&mut self) -> Sha256 {
        let mut hasher = Hasher::new();
        hasher.update(&[u8::try_from(self.below(2)).unwrap()]);
        hasher.digest()
    }

    fn maybe<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        (self.below(2) == 0).then(|| make(self))
    }

    fn data(&mut self) -> Bytes {
        let length = usize::try_from(self.below(12)).unwrap();
        Bytes::from(vec![0; length])
    }

    fn offer(&mut self) -> Offer {
        let resume = self.below(3) > 0;
        let transfer = if self.below(3) > 0 { "t".to_owned() } else { String::new() };
        let entries = (0..=self.below(4)).map(|number| Entry {
            name: if self.below(9) == 0 { "..".to_owned() } else { number.to_string() },
            size: self.maybe(|chance| chance.below(40)),
            modified: None,
            folder: self.below(9) == 0,
        });
        let entries = entries.collect();
        Offer { transfer, resume, entries }
    }

    fn planned(&mut self) -> Planned {
        let (length, sha256) = (self.below(40), self.digest());
        match self.below(6) {
            0 => Planned::Partial { length, sha256 },
            1 => Planned::Whole { length, sha256, overwrite: self.below(2) == 0 },
            2 => Planned::Folder,
            3 => Planned::Refused(no()),
            _ => Planned::Fresh,
        }
    }

    fn opened(&mut self) -> Opened {
        match self.below(4) {
            0 => Opened::Different,
            1 => Opened::Failed(no()),
            _ => Opened::There,
        }
    }

    fn read(&mut self) -> Read {
        match self.below(8) {
            0 => Read::Failed(no()),
            1 => Read::End { size: self.below(40), sha256: self.digest() },
            _ => Read::Data(self.data()),
        }
    }

    fn message(&mut self) -> Message {
        let (index, offset) = (self.index(), self.below(40));
        let sha256 = self.maybe(Self::digest);
        match self.below(40) {
            0 => Message::Offer(self.offer()),
            1 => Message::Cancel(no()),
            2 => Message::Skip { index, refusal: no() },
            3 => Message::Refuse { index, refusal: no() },
            4 | 5 => Message::Done { index, sha256 },
            6 | 7 => Message::Ack { index, offset },
            8..12 => Message::Begin { index, offset: if self.below(2) == 0 { 0 } else { offset } },
            12..15 => Message::Accept { window: self.maybe(|chance| chance.below(30)) },
            15..20 => {
                let restart = self.below(2) == 0;
                Message::Want(Want { index, offset, sha256, restart })
            }
            20..25 => Message::End { index, size: self.maybe(|chance| chance.below(40)), sha256 },
            _ => {
                // Near the beginning, so that some of it makes sense.
                let offset = self.below(3) * self.below(12);
                Message::Chunk { index, offset, data: self.data() }
            }
        }
    }
}
