//! What a room remembers: its last entries, within a weight.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use peerway_protocol::{Json, LogAction, LogEntry, RoomData};

/// Weight of all entries of a room, in bytes.
const MAX_WEIGHT: usize = 1024 * 1024;
/// The same of a room that says something when all logs together weigh [`MAX_TOTAL`].
const MAX_WEIGHT_IN_NEED: usize = 16 * 1024;
/// Weight of the logs of all rooms of a node, in bytes, from which on they are kept short.
const MAX_TOTAL: usize = 256 * 1024 * 1024;
/// Data that weighs more is kept as `null`.
const MAX_DATA: usize = 64 * 1024;

#[derive(Debug, Default)]
pub(super) struct Log {
    entries: VecDeque<LogEntry>,
    weight: usize,
}

impl Log {
    /// Remembers an entry; the oldest go if there are more than `limit` or they weigh too much.
    /// `total` is the weight of all logs.
    pub(super) fn push(&mut self, mut entry: LogEntry, limit: usize, total: &mut usize) {
        if let LogAction::Data(data) = &mut entry.action {
            *data = keepable(data);
        }
        self.weight += entry.weight();
        *total += entry.weight();
        self.entries.push_back(entry);
        let max_weight = if *total > MAX_TOTAL { MAX_WEIGHT_IN_NEED } else { MAX_WEIGHT };
        while self.entries.len() > limit || self.weight > max_weight {
            let Some(oldest) = self.entries.pop_front() else { return };
            self.weight -= oldest.weight();
            *total -= oldest.weight();
        }
    }

    pub(super) fn weight(&self) -> usize {
        self.weight
    }

    /// All entries, oldest first.
    pub(super) fn entries(&self) -> Arc<[LogEntry]> {
        self.entries.iter().cloned().collect()
    }
}

/// The data itself, unless it is too big. Binary parts are copied: they may be a small part of a
/// big buffer that they would keep alive.
fn keepable(data: &RoomData) -> RoomData {
    if data.weight() > MAX_DATA {
        return RoomData { json: Json::null(), attachments: Arc::new([]) };
    }
    let copies = data.attachments.iter().map(|part| Bytes::copy_from_slice(part));
    RoomData { json: data.json.clone(), attachments: copies.collect() }
}

#[cfg(test)]
mod tests {
    use peerway_protocol::PeerId;

    use super::*;

    fn entry(timestamp: u64, weight: usize) -> LogEntry {
        let json = Json::string(&"x".repeat(weight));
        let data = RoomData { json, attachments: Arc::new([]) };
        let peer = PeerId::new("alice").unwrap();
        LogEntry { timestamp, peer, action: LogAction::Data(data) }
    }

    fn timestamps(log: &Log) -> Vec<u64> {
        log.entries().iter().map(|entry| entry.timestamp).collect()
    }

    #[test]
    fn the_oldest_entries_go_first() {
        let (mut log, mut total) = (Log::default(), 0);
        (0..5).for_each(|number| log.push(entry(number, 1), 3, &mut total));

        assert_eq!(timestamps(&log), [2, 3, 4]);
        assert_eq!(log.weight, total);
        log.push(entry(9, 1), 0, &mut total);
        assert_eq!((timestamps(&log).len(), log.weight, total), (0, 0, 0));
    }

    #[test]
    fn big_entries_push_older_ones_out() {
        let (mut log, mut total) = (Log::default(), 0);
        (0..40).for_each(|number| log.push(entry(number, 60_000), 100, &mut total));

        assert!(log.weight <= MAX_WEIGHT, "{}", log.weight);
        assert_eq!(timestamps(&log), (23..40).collect::<Vec<u64>>());
    }

    #[test]
    fn logs_are_kept_short_when_all_together_weigh_too_much() {
        let (mut log, mut total) = (Log::default(), 0);
        (0..10).for_each(|number| log.push(entry(number, 10_000), 100, &mut total));
        let of_others = MAX_TOTAL;
        total += of_others;

        log.push(entry(10, 1000), 100, &mut total);

        assert_eq!(timestamps(&log), [9, 10]);
        assert_eq!(log.weight, total - of_others);
    }

    #[test]
    fn data_that_is_too_big_is_kept_as_null() {
        let (mut log, mut total) = (Log::default(), 0);
        log.push(entry(1, MAX_DATA), 100, &mut total);

        let LogAction::Data(data) = &log.entries()[0].action else { unreachable!() };
        assert_eq!(data.json.as_str(), "null");
    }

    #[test]
    fn a_part_of_a_big_buffer_does_not_keep_it_alive() {
        let (mut log, mut total) = (Log::default(), 0);
        let buffer = Bytes::from(vec![7; 1000]);
        let mut said = entry(1, 1);
        let LogAction::Data(data) = &mut said.action else { unreachable!() };
        data.attachments = Arc::new([buffer.slice(10..20)]);
        log.push(said, 100, &mut total);

        assert!(buffer.try_into_mut().is_ok(), "nobody else holds it");
    }
}
