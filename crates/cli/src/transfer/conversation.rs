//! Tests of sender and receiver together, over a channel that may mix, hold and lose, with files
//! in memory.

use std::collections::{BTreeMap, VecDeque};

use peerway_protocol::value::Bytes;

use super::hash::{Hasher, Sha256};
use super::message::{Entry, Index, Message, Offer};
use super::reason::{Reason, Refusal};
use super::receiver::{self, Planned, Receiver};
use super::sender::{self, Opened, Read, Sender};

const CHUNK: usize = 10;
const WINDOW: u64 = 160;

#[test]
fn files_arrive_one_after_the_other() {
    let mut world = World::new(&[("a", 95), ("empty", 0), ("b/c", 1000)]);
    world.run();
    world.assert_all_arrived();
    assert_eq!(world.receiver.progress().moved, 1095);
    assert_eq!(world.sender.progress().moved, 1095);
}

#[test]
fn no_more_than_the_window_is_ever_on_the_way() {
    let mut world = World::new(&[("a", 10_000), ("b", 10_000)]);
    world.run();
    world.assert_all_arrived();
    assert!(world.most_on_the_way <= WINDOW, "{}", world.most_on_the_way);
}

#[test]
fn an_unordered_channel_is_put_in_order() {
    for seed in 1..200 {
        let mut world = World::new(&[("a", 300), ("b", 0), ("c", 301), ("d", 9)]);
        world.disorder = Some(Chance(seed));
        world.run();
        world.assert_all_arrived();
    }
}

#[test]
fn a_transfer_goes_on_where_the_connection_broke() {
    for steps in 1..400 {
        let mut world = World::new(&[("a", 500), ("b", 0), ("c", 500)]);
        world.steps(steps);
        world.break_connection();
        world.run();
        world.assert_all_arrived();
        let moved = world.receiver.progress().moved;
        assert_eq!(moved, 1000, "nothing that was written came twice");
    }
}

#[test]
fn a_killed_receiver_goes_on_with_what_it_wrote() {
    let mut world = World::new(&[("a", 500), ("b", 300)]);
    world.steps(60);
    world.receiver = Receiver::new(WINDOW);
    world.break_connection();
    let there = world.disk.part("a").len();
    assert!(there > 0 && there < 500, "{there}");
    world.run();
    world.assert_all_arrived();
    assert_eq!(world.receiver.progress().moved, 800 - there as u64);
}

#[test]
fn a_killed_sender_goes_on_with_what_was_written() {
    let mut world = World::new(&[("a", 500), ("b", 300)]);
    world.steps(60);
    let there = world.disk.part("a").len() as u64;
    let mut offer = world.sender.offer().clone();
    offer.transfer = "another".to_owned();
    world.sender = Sender::new(offer);
    world.receiver = Receiver::new(WINDOW);
    world.break_connection();
    world.run();
    world.assert_all_arrived();
    assert_eq!(world.sender.progress().moved, 800 - there);
}

#[test]
fn a_part_of_another_file_is_not_continued() {
    let mut world = World::new(&[("a", 100)]);
    world.disk.parts.insert("a".to_owned(), vec![0xee; 50]);
    world.run();
    world.assert_all_arrived();
    assert_eq!(world.receiver.progress().moved, 100);
}

#[test]
fn a_sender_that_cannot_resume_is_asked_from_the_beginning() {
    let mut world = World::new(&[("a", 100)]);
    let mut offer = world.sender.offer().clone();
    offer.resume = false;
    world.sender = Sender::new(offer);
    world.disk.parts.insert("a".to_owned(), world.files[0].1[..50].to_vec());
    world.run();
    world.assert_all_arrived();
    assert_eq!(world.receiver.progress().moved, 100);
}

#[test]
fn the_same_file_is_not_sent_again() {
    let mut world = World::new(&[("a", 100), ("empty", 0), ("b", 100)]);
    world.disk.whole.insert("a".to_owned(), world.files[0].1.clone());
    world.disk.whole.insert("empty".to_owned(), Vec::new());
    world.run();
    world.assert_all_arrived();
    assert_eq!(world.receiver.progress().moved, 100);
    let kept = |it: Option<&receiver::Settled>| {
        matches!(it, Some(receiver::Settled::Done { kept: true, verified: true, .. }))
    };
    assert_eq!(world.receiver.outcomes().map(kept).collect::<Vec<_>>(), [true, true, false]);
    let kept =
        |it: Option<&sender::Settled>| matches!(it, Some(sender::Settled::Done { kept: true, .. }));
    assert_eq!(world.sender.outcomes().map(kept).collect::<Vec<_>>(), [true, true, false]);
}

#[test]
fn another_file_with_the_same_name_is_left_alone() {
    for resume in [true, false] {
        let mut world = World::new(&[("a", 100), ("b", 100)]);
        let mut offer = world.sender.offer().clone();
        offer.resume = resume;
        world.sender = Sender::new(offer);
        world.disk.whole.insert("a".to_owned(), vec![1; 100]);
        world.run();
        assert_eq!(world.disk.whole["a"], vec![1; 100]);
        assert_eq!(world.disk.whole["b"], world.files[1].1);
        let reason = world.sender.outcomes().next().flatten().map(|settled| match settled {
            sender::Settled::Refused(refusal) | sender::Settled::Skipped(refusal) => refusal.reason,
            sender::Settled::Done { .. } => panic!("it is not done"),
        });
        assert_eq!(reason, Some(Reason::Exists));
        assert_eq!(world.ended(), (Some(complete_out()), Some(complete_in())));
    }
}

#[test]
fn a_file_is_replaced_if_the_user_says_so() {
    let mut world = World::new(&[("a", 100)]);
    world.disk.overwrite = true;
    world.disk.whole.insert("a".to_owned(), vec![1; 100]);
    world.run();
    world.assert_all_arrived();
}

#[test]
fn a_file_that_cannot_be_read_does_not_stop_the_others() {
    let mut world = World::new(&[("a", 100), ("b", 100)]);
    world.unreadable_from = Some((0, 50));
    world.run();
    let refusal = Refusal::new(Reason::Io, "bad block");
    let skipped = receiver::Settled::Skipped(refusal);
    assert_eq!(world.receiver.outcomes().next().flatten(), Some(&skipped));
    assert_eq!(world.disk.whole["b"], world.files[1].1);
    assert_eq!(world.ended(), (Some(complete_out()), Some(complete_in())));
}

#[test]
fn a_full_disk_ends_the_transfer_for_both() {
    let mut world = World::new(&[("a", 500), ("b", 500)]);
    world.disk.room = Some(700);
    world.run();
    let refusal = Refusal::new(Reason::DiskFull, "the disk is full");
    let ended =
        (Some(sender::Ending::Theirs(refusal.clone())), Some(receiver::Ending::Ours(refusal)));
    assert_eq!(world.ended(), ended);
    assert_eq!(world.disk.whole["a"], world.files[0].1);
    assert_eq!(world.disk.part("b").len(), 200, "it is kept for another time");
}

#[test]
fn a_file_that_cannot_be_opened_does_not_stop_the_others() {
    let mut receiver = wanting(&[100, 100]);
    let chunk = Message::Chunk { index: 0, offset: 0, data: Bytes::from(vec![0; 50]) };
    receiver.handle_message(chunk.clone());
    receiver.handle_failed(0, Refusal::new(Reason::Permission, "forbidden"));
    // The write that was ordered before that was known, and what was on its way.
    receiver.handle_failed(0, Refusal::new(Reason::Io, "the file is not open"));
    receiver.handle_message(chunk);
    receiver.handle_message(Message::End { index: 0, size: None, sha256: None });
    assert!(!receiver.is_over());
    assert_eq!(receiver.outcomes().flatten().count(), 1);
}

#[test]
fn what_arrives_damaged_is_refused() {
    let mut world = World::new(&[("a", 100)]);
    world.damage = true;
    world.run();
    let settled = world.sender.outcomes().next().flatten();
    let corrupt =
        matches!(settled, Some(sender::Settled::Refused(it)) if it.reason == Reason::Corrupt);
    assert!(corrupt, "{settled:?}");
    assert!(world.disk.whole.is_empty());
}

#[test]
fn ctrl_c_is_told_to_the_other_side() {
    let stop = || Refusal::new(Reason::Interrupted, "stopped");
    let mut world = World::new(&[("a", 500)]);
    world.steps(30);
    world.sender.cancel(stop());
    world.run();
    let theirs = (Some(sender::Ending::Ours(stop())), Some(receiver::Ending::Theirs(stop())));
    assert_eq!(world.ended(), theirs);

    let mut world = World::new(&[("a", 500)]);
    world.steps(30);
    world.receiver.cancel(stop());
    world.run();
    let theirs = (Some(sender::Ending::Theirs(stop())), Some(receiver::Ending::Ours(stop())));
    assert_eq!(world.ended(), theirs);
}

#[test]
fn who_declines_receives_nothing() {
    let mut world = World::new(&[("a", 500)]);
    world.answer = Err(Refusal::new(Reason::Declined, "no, thank you"));
    world.run();
    let declined = Refusal::new(Reason::Declined, "no, thank you");
    assert_eq!(world.sender_end, Some(sender::Ending::Theirs(declined)));
    assert!(world.disk.parts.is_empty() && world.disk.whole.is_empty());
}

#[test]
fn a_name_that_leads_out_is_refused_and_the_others_arrive() {
    let mut world = World::new(&[("../a", 10), ("b", 10)]);
    world.run();
    let settled = world.receiver.outcomes().next().flatten();
    assert!(
        matches!(settled, Some(receiver::Settled::Refused(it)) if it.reason == Reason::Name),
        "{settled:?}"
    );
    assert_eq!(world.disk.whole["b"], world.files[1].1);
}

#[test]
fn a_thousand_small_files_do_not_wait_for_each_other() {
    let names: Vec<String> = (0..1000).map(|number| format!("folder/{number}")).collect();
    let files: Vec<(&str, usize)> = names.iter().map(|name| (name.as_str(), 15)).collect();
    let mut world = World::new(&files);
    let mut trips = 0;
    while world.sender_end.is_none() && trips < 3000 {
        world.round_trip();
        trips += 1;
    }
    world.run();
    world.assert_all_arrived();
    assert!(trips < 150, "{trips}");
}

#[test]
fn a_stream_tells_its_size_at_the_end() {
    let mut world = World::new(&[("stdin", 333)]);
    let mut offer = world.sender.offer().clone();
    offer.entries[0].size = None;
    world.sender = Sender::new(offer);
    world.steps(40);
    world.break_connection();
    world.run();
    world.assert_all_arrived();
}

#[test]
fn nonsense_of_a_sender_ends_the_transfer() {
    let chunk = |index, offset, length: usize| Message::Chunk {
        index,
        offset,
        data: Bytes::from(vec![0; length]),
    };
    for nonsense in [
        chunk(0, 0, 101),
        chunk(7, 0, 1),
        Message::End { index: 0, size: Some(99), sha256: None },
        Message::End { index: 9, size: None, sha256: None },
        Message::Begin { index: 0, offset: 5 },
        Message::Skip { index: 9, refusal: Refusal::new(Reason::Io, "") },
        Message::Accept { window: None },
        Message::Offer(World::new(&[("b", 1)]).sender.offer().clone()),
    ] {
        let mut receiver = wanting(&[100]);
        receiver.handle_message(nonsense.clone());
        let ending = std::iter::from_fn(|| receiver.next_command()).last();
        let protocol = |it: &Refusal| it.reason == Reason::Protocol;
        assert!(
            matches!(&ending, Some(receiver::Command::Finish(receiver::Ending::Ours(it))) if protocol(it)),
            "{nonsense:?}: {ending:?}"
        );
    }
}

#[test]
fn what_a_sender_holds_back_is_bounded() {
    let mut receiver = wanting(&[u64::MAX / 2]);
    let mut count = 0;
    while !receiver.is_over() && count < 1000 {
        let data = Bytes::from(vec![0; 1 << 20]);
        receiver.handle_message(Message::Chunk { index: 0, offset: 7 + (count << 20), data });
        count += 1;
    }
    assert!(count < 70, "{count}");
}

#[test]
fn nonsense_of_a_receiver_ends_the_transfer() {
    for nonsense in [
        Message::Done { index: 3, sha256: None },
        Message::Refuse { index: 3, refusal: Refusal::new(Reason::Io, "") },
        Message::End { index: 0, size: None, sha256: None },
    ] {
        let mut world = World::new(&[("a", 10)]);
        world.sender.handle_connected();
        world.sender.handle_message(nonsense);
        assert!(world.sender.is_over());
    }
}

/// A receiver that was offered files of these sizes and wants them all.
fn wanting(sizes: &[u64]) -> Receiver {
    let entry = |(number, size): (usize, &u64)| Entry {
        name: number.to_string(),
        size: Some(*size),
        modified: None,
        folder: false,
    };
    let entries: Vec<_> = sizes.iter().enumerate().map(entry).collect();
    let mut receiver = Receiver::new(WINDOW);
    receiver.handle_message(Message::Offer(Offer {
        transfer: "t".to_owned(),
        resume: true,
        entries,
    }));
    receiver.handle_decision(Ok(()));
    for index in 0..sizes.len() {
        receiver.handle_planned(Index::try_from(index).unwrap(), Planned::Fresh);
    }
    receiver
}

fn complete_out() -> sender::Ending {
    sender::Ending::Complete
}

fn complete_in() -> receiver::Ending {
    receiver::Ending::Complete
}

/// Both sides and what is between them.
struct World {
    files: Vec<(String, Vec<u8>)>,
    sender: Sender,
    receiver: Receiver,
    disk: Disk,
    names: BTreeMap<Index, String>,
    to_receiver: VecDeque<Message>,
    to_sender: VecDeque<Message>,
    /// What the sender's IO will answer.
    open: Option<(Index, usize)>,
    answer: Result<(), Refusal>,
    connected: bool,
    disorder: Option<Chance>,
    damage: bool,
    unreadable_from: Option<(Index, usize)>,
    most_on_the_way: u64,
    sender_end: Option<sender::Ending>,
    receiver_end: Option<receiver::Ending>,
}

/// Files by name.
#[derive(Default)]
struct Disk {
    parts: BTreeMap<String, Vec<u8>>,
    whole: BTreeMap<String, Vec<u8>>,
    overwrite: bool,
    room: Option<usize>,
}

impl Disk {
    fn part(&self, name: &str) -> &[u8] {
        self.parts.get(name).map_or(&[], Vec::as_slice)
    }
}

/// A xorshift generator.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % end as u64).unwrap()
    }
}

fn digest(data: &[u8]) -> Sha256 {
    let mut hasher = Hasher::new();
    hasher.update(data);
    hasher.digest()
}

impl World {
    fn new(files: &[(&str, usize)]) -> Self {
        let content = |(seed, (name, size)): (usize, &(&str, usize))| {
            let byte = |place: usize| u8::try_from((place * 7 + seed * 31) % 251).unwrap();
            ((*name).to_owned(), (0..*size).map(byte).collect::<Vec<u8>>())
        };
        let files: Vec<_> = files.iter().enumerate().map(content).collect();
        let entry = |(name, content): &(String, Vec<u8>)| Entry {
            name: name.clone(),
            size: Some(content.len() as u64),
            modified: None,
            folder: false,
        };
        let entries = files.iter().map(entry).collect();
        let offer = Offer { transfer: "t".to_owned(), resume: true, entries };
        Self {
            files,
            sender: Sender::new(offer),
            receiver: Receiver::new(WINDOW),
            disk: Disk::default(),
            names: BTreeMap::new(),
            to_receiver: VecDeque::new(),
            to_sender: VecDeque::new(),
            open: None,
            answer: Ok(()),
            connected: false,
            disorder: None,
            damage: false,
            unreadable_from: None,
            most_on_the_way: 0,
            sender_end: None,
            receiver_end: None,
        }
    }

    fn run(&mut self) {
        let mut steps = 0;
        while self.step() {
            steps += 1;
            assert!(steps < 1_000_000, "it goes on for ever");
        }
    }

    fn steps(&mut self, count: usize) {
        for _step in 0..count {
            self.step();
        }
    }

    /// One thing happens; false if nothing is left to happen.
    fn step(&mut self) -> bool {
        if !self.connected {
            self.connected = true;
            self.sender.handle_connected();
            return true;
        }
        if let Some(command) = self.sender.next_command() {
            self.do_for_sender(command);
            return true;
        }
        if let Some(command) = self.receiver.next_command() {
            self.do_for_receiver(command);
            return true;
        }
        if let Some(message) = self.to_sender.pop_front() {
            self.sender.handle_message(message);
            return true;
        }
        let place = match &mut self.disorder {
            Some(chance) if !self.to_receiver.is_empty() => chance.below(self.to_receiver.len()),
            _ => 0,
        };
        if let Some(message) = self.to_receiver.remove(place) {
            self.receiver.handle_message(message);
            return true;
        }
        false
    }

    /// Everything that is on its way arrives, and what it causes is put on its way.
    fn round_trip(&mut self) {
        if !self.connected {
            self.connected = true;
            self.sender.handle_connected();
        }
        for message in std::mem::take(&mut self.to_sender) {
            self.sender.handle_message(message);
        }
        while let Some(command) = self.sender.next_command() {
            self.do_for_sender(command);
        }
        for message in std::mem::take(&mut self.to_receiver) {
            self.receiver.handle_message(message);
        }
        while let Some(command) = self.receiver.next_command() {
            self.do_for_receiver(command);
        }
    }

    fn break_connection(&mut self) {
        self.to_receiver.clear();
        self.to_sender.clear();
        self.sender.handle_lost();
        self.receiver.handle_lost();
        self.connected = false;
    }

    fn do_for_sender(&mut self, command: sender::Command) {
        match command {
            sender::Command::Tell(mut message) => {
                if let Message::Chunk { data, .. } = &mut message
                    && self.damage
                {
                    *data = Bytes::from(vec![0; data.len()]);
                }
                self.to_receiver.push_back(message);
                let length = |it: &Message| match it {
                    Message::Chunk { data, .. } => data.len() as u64,
                    _ => 0,
                };
                let on_the_way = self.to_receiver.iter().map(length).sum();
                self.most_on_the_way = self.most_on_the_way.max(on_the_way);
            }
            sender::Command::Open { turn, index, offset, sha256 } => {
                let content = &self.files[index as usize].1;
                let length = usize::try_from(offset).unwrap();
                let same = length == 0
                    || content.get(..length).is_some_and(|it| Some(digest(it)) == sha256);
                self.open = Some((index, if same { length } else { 0 }));
                let opened = if same { Opened::There } else { Opened::Different };
                self.sender.handle_opened(turn, opened);
            }
            sender::Command::Read { turn } => {
                let Some((index, at)) = &mut self.open else { panic!("nothing is open") };
                let content = &self.files[*index as usize].1;
                let read = if self.unreadable_from == Some((*index, *at)) {
                    Read::Failed(Refusal::new(Reason::Io, "bad block"))
                } else if *at == content.len() {
                    Read::End { size: *at as u64, sha256: digest(content) }
                } else {
                    let end = content.len().min(*at + CHUNK);
                    let data = Bytes::copy_from_slice(&content[*at..end]);
                    *at = end;
                    Read::Data(data)
                };
                self.sender.handle_read(turn, read);
            }
            sender::Command::Accepted | sender::Command::Report { .. } => {}
            sender::Command::Finish(ending) => self.sender_end = Some(ending),
        }
    }

    fn do_for_receiver(&mut self, command: receiver::Command) {
        match command {
            receiver::Command::Tell(message) => self.to_sender.push_back(message),
            receiver::Command::Ask => self.receiver.handle_decision(self.answer.clone()),
            receiver::Command::Plan { index, name, entry } => {
                let name = name.to_string();
                let planned = match (self.disk.whole.get(&name), self.disk.parts.get(&name)) {
                    (Some(whole), _) if Some(whole.len() as u64) == entry.size => Planned::Whole {
                        length: whole.len() as u64,
                        sha256: digest(whole),
                        overwrite: self.disk.overwrite,
                    },
                    (_, Some(part)) => {
                        Planned::Partial { length: part.len() as u64, sha256: digest(part) }
                    }
                    _ => Planned::Fresh,
                };
                self.names.insert(index, name);
                self.receiver.handle_planned(index, planned);
            }
            receiver::Command::Open { index, offset } => {
                let part = self.disk.parts.entry(self.names[&index].clone()).or_default();
                part.truncate(usize::try_from(offset).unwrap());
                assert_eq!(part.len() as u64, offset);
            }
            receiver::Command::Write { index, data } => {
                if let Some(room) = &mut self.disk.room {
                    if *room < data.len() {
                        let full = Refusal::new(Reason::DiskFull, "the disk is full");
                        return self.receiver.handle_failed(index, full);
                    }
                    *room -= data.len();
                }
                let part = self.disk.parts.get_mut(&self.names[&index]).unwrap();
                part.extend_from_slice(&data);
                let length = part.len() as u64;
                self.receiver.handle_written(index, length);
            }
            receiver::Command::Commit { index, sha256 } => {
                let part = self.disk.parts.remove(&self.names[&index]).unwrap();
                let ours = digest(&part);
                let result = if sha256.is_none_or(|theirs| theirs == ours) {
                    self.disk.whole.insert(self.names[&index].clone(), part);
                    Ok(ours)
                } else {
                    Err(Refusal::new(Reason::Corrupt, "damaged"))
                };
                self.receiver.handle_committed(index, result);
            }
            receiver::Command::Suspend { .. } | receiver::Command::Report { .. } => {}
            receiver::Command::Finish(ending) => self.receiver_end = Some(ending),
        }
    }

    fn ended(&self) -> (Option<sender::Ending>, Option<receiver::Ending>) {
        (self.sender_end.clone(), self.receiver_end.clone())
    }

    fn assert_all_arrived(&self) {
        assert_eq!(self.ended(), (Some(complete_out()), Some(complete_in())));
        let files: BTreeMap<_, _> = self.files.iter().cloned().collect();
        assert!(self.disk.whole == files, "the files are not the same");
        for progress in [self.sender.progress(), self.receiver.progress()] {
            assert_eq!(progress.settled, self.files.len());
            let size: usize = self.files.iter().map(|(_, content)| content.len()).sum();
            assert_eq!(progress.bytes, size as u64, "{progress:?}");
        }
    }
}
