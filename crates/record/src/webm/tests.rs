//! Files byte by byte. What players make of them is in `tests/players.rs`.

use std::time::Duration;

use super::*;

const KEY: [u8; 10] = [0x10, 0, 0, 0x9D, 0x01, 0x2A, 0x80, 0x02, 0x68, 0x01];
const SOUND: [u8; 3] = [0xFC, 1, 2];

#[test]
fn nothing_is_written_before_a_frame_that_starts() {
    let mut writer = Writer::new();
    assert_eq!(writer.write(1, &video(0, false)), Err(WriteError::NotAKeyFrame));
    assert!(writer.finish().is_empty());
}

#[test]
fn a_block_is_in_the_file_at_once() {
    let mut file = File::new();
    file.write(1, &video(40, true));
    assert_eq!(file.bytes.len(), header::LENGTH + 12 + 3 + 16);
    let segment = segment(&file.bytes);
    assert_eq!(segment.length, None);
    assert_eq!(segment.blocks, [(1, 40, true)]);
    assert_eq!(segment.clusters, [(40, None)]);
}

#[test]
fn a_track_may_come_later() {
    let mut file = File::new();
    file.write(1, &sound(0));
    assert_eq!(segment(&file.bytes).tracks, ["A_OPUS"]);
    file.write(1, &sound(20));
    file.write(2, &video(30, true));
    file.write(1, &sound(40));
    file.finish();
    let segment = segment(&file.bytes);
    assert_eq!(segment.tracks, ["A_OPUS", "V_VP8"]);
    assert_eq!(segment.blocks, [(1, 0, true), (1, 20, true), (2, 30, true), (1, 40, true)]);
}

#[test]
fn a_finished_file_has_lengths_and_an_index() {
    let mut file = File::new();
    for n in 0..400 {
        file.write(7, &video(n * 40, n % 100 == 0));
    }
    file.finish();
    let segment = segment(&file.bytes);
    assert_eq!(segment.length, Some(file.bytes.len() as u64 - header::SEGMENT_DATA));
    assert_eq!(segment.duration, Some(15_961.0));
    // Every 4 s a key frame begins a cluster.
    let starts: Vec<_> = segment.clusters.iter().map(|(time, _)| *time).collect();
    assert_eq!(starts, [0, 4_000, 8_000, 12_000]);
    assert!(segment.clusters.iter().all(|(_, length)| length.is_some()));
    assert_eq!(segment.cues, [0, 4_000, 8_000, 12_000]);
    assert_eq!(segment.blocks.len(), 400);
}

#[test]
fn sound_alone_has_an_index_too() {
    let mut file = File::new();
    (0..600).for_each(|n| file.write(1, &sound(n * 20)));
    file.finish();
    let segment = segment(&file.bytes);
    assert_eq!(segment.clusters.len(), 3);
    assert_eq!(segment.cues.len(), 12);
}

#[test]
fn a_cut_file_knows_how_long_it_is_so_far() {
    let mut file = File::new();
    (0..300).for_each(|n| file.write(1, &sound(n * 20)));
    assert_eq!(segment(&file.bytes).duration, Some(4_981.0));
}

#[test]
fn a_day_fits() {
    const DAY: u64 = 86_400_000;
    let mut file = File::new();
    for hour in 0..25 {
        file.write(1, &sound(hour * 3_600_000));
        file.write(2, &video(hour * 3_600_000, true));
    }
    file.finish();
    let segment = segment(&file.bytes);
    assert_eq!(segment.duration, Some(86_400_001.0));
    assert_eq!(segment.blocks.last(), Some(&(2, DAY, true)));
}

#[test]
fn timestamps_of_a_track_grow() {
    let mut file = File::new();
    for time in [100, 100, 90, 200] {
        file.write(1, &sound(time));
    }
    file.finish();
    let times: Vec<_> = segment(&file.bytes).blocks.iter().map(|block| block.1).collect();
    assert_eq!(times, [100, 101, 102, 200]);
}

#[test]
fn a_straggler_is_not_before_its_cluster() {
    let mut file = File::new();
    file.write(1, &sound(0));
    file.write(2, &video(0, true));
    file.write(1, &sound(6_000));
    file.write(1, &sound(6_400));
    file.write(2, &video(1_000, false));
    file.finish();
    let blocks = segment(&file.bytes).blocks;
    assert_eq!(blocks[2..], [(1, 6_000, true), (2, 6_000, false), (1, 6_400, true)]);
}

#[test]
fn another_codec_is_another_track() {
    let mut file = File::new();
    file.write(1, &sound(0));
    file.write(1, &Frame { codec: Codec::Pcmu, ..sound(20) });
    file.finish();
    assert_eq!(segment(&file.bytes).tracks, ["A_OPUS", "A_MS/ACM"]);
}

#[test]
fn there_is_an_end_to_tracks() {
    let mut writer = Writer::new();
    for track in 0..16 {
        drop(writer.write(track, &sound(0)).unwrap());
    }
    assert_eq!(writer.write(16, &sound(0)), Err(WriteError::TooManyTracks));
    drop(writer.write(3, &sound(20)).unwrap());
}

fn video(milliseconds: u64, keyframe: bool) -> Frame<'static> {
    let data = if keyframe { &KEY[..] } else { &[1, 2, 3][..] };
    let timestamp = Duration::from_millis(milliseconds);
    Frame { codec: Codec::Vp8, data, timestamp, keyframe }
}

fn sound(milliseconds: u64) -> Frame<'static> {
    let timestamp = Duration::from_millis(milliseconds);
    Frame { codec: Codec::Opus, data: &SOUND, timestamp, keyframe: false }
}

struct File {
    writer: Writer,
    bytes: Vec<u8>,
}

impl File {
    fn new() -> Self {
        Self { writer: Writer::new(), bytes: Vec::new() }
    }

    fn write(&mut self, track: u32, frame: &Frame<'_>) {
        self.writer.write(track, frame).unwrap().apply(&mut self.bytes);
        assert_eq!(self.writer.length, self.bytes.len() as u64);
    }

    fn finish(&mut self) {
        std::mem::take(&mut self.writer).finish().apply(&mut self.bytes);
    }
}

#[derive(Debug, Default)]
struct Segment {
    length: Option<u64>,
    duration: Option<f64>,
    tracks: Vec<String>,
    clusters: Vec<(u64, Option<u64>)>,
    /// Track, time, key frame.
    blocks: Vec<(u8, u64, bool)>,
    cues: Vec<u64>,
}

/// Reads a file of ours.
fn segment(file: &[u8]) -> Segment {
    let mut segment = Segment::default();
    let (id, length, rest) = element(file);
    assert_eq!(id, 0x1A45_DFA3);
    let (id, segment_length, rest) = element(&rest[length.unwrap()..]);
    assert_eq!(id, 0x1853_8067);
    segment.length = segment_length.map(|length| length as u64);
    walk(rest, &mut segment);
    segment
}

fn walk(mut data: &[u8], segment: &mut Segment) {
    while !data.is_empty() {
        let (id, length, rest) = element(data);
        let value = &rest[..length.unwrap_or(rest.len())];
        let number = || value.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
        data = &rest[value.len()..];
        match id {
            0x1654_AE6B | 0xAE | 0x1549_A966 | 0x1C53_BB6B | 0xBB => walk(value, segment),
            CLUSTER => {
                segment.clusters.push((0, length.map(|length| length as u64)));
                walk(value, segment);
            }
            0xE7 => segment.clusters.last_mut().unwrap().0 = number(),
            0x86 => segment.tracks.push(String::from_utf8(value.to_vec()).unwrap()),
            0x4489 => segment.duration = Some(f64::from_be_bytes(value.try_into().unwrap())),
            0xB3 => segment.cues.push(number()),
            0xA3 => {
                let relative = i16::from_be_bytes([value[1], value[2]]);
                let time = segment.clusters.last().unwrap().0;
                let time = time.checked_add_signed(relative.into()).unwrap();
                segment.blocks.push((value[0] & 0x7F, time, value[3] & 0x80 != 0));
            }
            _ => {}
        }
    }
}

/// Id, length, and all that follows.
fn element(data: &[u8]) -> (u32, Option<usize>, &[u8]) {
    let (_, id, data) = vint(data);
    let (width, marked, data) = vint(data);
    let length = marked & !(1 << (7 * width));
    let known = length != (1 << (7 * width)) - 1;
    (u32::try_from(id).unwrap(), known.then(|| usize::try_from(length).unwrap()), data)
}

fn vint(data: &[u8]) -> (usize, u64, &[u8]) {
    let width = data[0].leading_zeros() as usize + 1;
    let number = data[..width].iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
    (width, number, &data[width..])
}
