//! `WebM` and Matroska (RFC 9559).
//!
//! ```text
//!   header, 4096 bytes: EBML  Segment  SeekHead  Info  Tracks  Void   (written again, see there)
//!   Cluster, 1 to 5 s   Timestamp  SimpleBlock  SimpleBlock ..
//!   Cluster ..
//!   Cues                at the end, by finish
//! ```
//!
//! A cluster has no length until it is full, so a file is complete after each block.

mod ebml;
mod header;
mod interleave;

use std::collections::BTreeMap;

use crate::{Codec, Frame, Output, Patch, WriteError, video};
use ebml::{Ebml, UNKNOWN};
use header::{Header, Track};
use interleave::{Block, Interleave};

const CLUSTER: u32 = 0x1F43_B675;
const CLUSTER_LENGTH_AT: u64 = 4;
const CLUSTER_HEAD: u64 = 12;
/// Milliseconds. Timestamps in a cluster end at 32767.
const MAX_CLUSTER: u64 = 5_000;
/// A key frame begins a cluster, and has an entry in the index, if the last one is so old.
const MIN_CLUSTER: u64 = 1_000;

/// Writes any number of tracks, each of which may begin at any time.
///
/// Timestamps of all tracks count from the same instant; in a track they grow (else they are moved
/// by a millisecond). Frames wait up to 300 ms for those of other tracks.
#[derive(Debug, Default)]
pub struct Writer {
    header: Header,
    /// By the caller's number and codec: one that changes goes on as another track of the file.
    places: BTreeMap<(u32, Codec), usize>,
    /// Of each track's last frame.
    last: Vec<u64>,
    waiting: Interleave,
    cluster: Option<Cluster>,
    cues: Vec<Cue>,
    /// Bytes appended.
    length: u64,
}

#[derive(Debug)]
struct Cluster {
    offset: u64,
    time: u64,
}

#[derive(Debug)]
struct Cue {
    time: u64,
    track: u64,
    cluster: u64,
}

impl Writer {
    /// Nothing is written before the first frame of a track that can start.
    pub fn new() -> Self {
        Self::default()
    }

    /// The next frame of a track. Which number means which track is the caller's choice.
    pub fn write(&mut self, track: u32, frame: &Frame<'_>) -> Result<Output, WriteError> {
        let mut output = Output::default();
        let place = match self.places.get(&(track, frame.codec)) {
            Some(place) => *place,
            None => self.begin(track, frame, &mut output)?,
        };
        let time = u64::try_from(frame.timestamp.as_millis()).unwrap_or(u64::MAX);
        let time = self.last[place].max(time);
        self.last[place] = time.saturating_add(1);
        self.waiting.push(Block {
            track: place,
            time,
            keyframe: frame.starts(),
            data: video::matroska(frame.codec, frame.data).into_owned(),
        });
        while let Some(block) = self.waiting.next() {
            self.append(&block, &mut output);
        }
        Ok(output)
    }

    /// The end: what waits, the index, and a header that knows them.
    pub fn finish(mut self) -> Output {
        let mut output = Output::default();
        if self.length == 0 {
            return output;
        }
        while let Some(block) = self.waiting.next_of_rest() {
            self.append(&block, &mut output);
        }
        self.end_cluster(&mut output);
        if !self.cues.is_empty() {
            self.header.cues = Some(self.length - header::SEGMENT_DATA);
            let cues = encode_cues(&self.cues);
            self.length += cues.len() as u64;
            output.append.extend(cues);
        }
        self.header.segment_length = Some(self.length - header::SEGMENT_DATA);
        self.patch_header(&mut output);
        output
    }

    /// Adds a track to the header.
    fn begin(
        &mut self,
        track: u32,
        frame: &Frame<'_>,
        output: &mut Output,
    ) -> Result<usize, WriteError> {
        if !frame.starts() {
            return Err(WriteError::NotAKeyFrame);
        }
        let format = video::format(frame.codec, frame.data);
        if format.is_none() && !frame.codec.is_audio() {
            return Err(WriteError::Malformed(frame.codec));
        }
        let place = self.header.tracks.len();
        self.header.tracks.push(Track { codec: frame.codec, format });
        if place >= header::MAX_TRACKS || !self.header.fits() {
            self.header.tracks.pop();
            return Err(WriteError::TooManyTracks);
        }
        let header = self.header.encode();
        if self.length == 0 {
            self.length = header.len() as u64;
            output.append = header;
        } else {
            output.patches.push(Patch { offset: 0, bytes: header });
        }
        self.places.insert((track, frame.codec), place);
        self.last.push(0);
        Ok(place)
    }

    fn append(&mut self, block: &Block, output: &mut Output) {
        let is_video = !self.header.tracks[block.track].codec.is_audio();
        let has_video = self.header.tracks.iter().any(|track| !track.codec.is_audio());
        let entry = block.keyframe && is_video == has_video;
        let age = self.cluster.as_ref().map(|cluster| block.time.saturating_sub(cluster.time));
        let full = match age {
            Some(age) => age >= MAX_CLUSTER || (entry && is_video && age >= MIN_CLUSTER),
            None => true,
        };
        if full {
            self.end_cluster(output);
            self.begin_cluster(block.time, output);
        }
        let Some(cluster) = &self.cluster else { return };
        let recent = |cue: &Cue| block.time < cue.time.saturating_add(MIN_CLUSTER);
        if entry && !self.cues.last().is_some_and(recent) {
            self.cues.push(Cue {
                time: block.time.max(cluster.time),
                track: block.track as u64 + 1,
                cluster: cluster.offset - header::SEGMENT_DATA,
            });
        }
        let start = output.append.len();
        encode_block(block, cluster.time, &mut output.append);
        self.length += (output.append.len() - start) as u64;
        let end = block.time.max(cluster.time).saturating_add(1);
        self.header.duration = self.header.duration.max(Some(end));
    }

    fn begin_cluster(&mut self, time: u64, output: &mut Output) {
        self.cluster = Some(Cluster { offset: self.length, time });
        let start = output.append.len();
        output.append.id(CLUSTER);
        output.append.wide_length(UNKNOWN);
        output.append.number(0xE7, time); // Timestamp
        self.length += (output.append.len() - start) as u64;
    }

    /// Tells its length, and in the header how long the file is so far.
    fn end_cluster(&mut self, output: &mut Output) {
        let Some(cluster) = self.cluster.take() else { return };
        let mut bytes = Vec::new();
        bytes.wide_length(self.length - cluster.offset - CLUSTER_HEAD);
        output.patches.push(Patch { offset: cluster.offset + CLUSTER_LENGTH_AT, bytes });
        self.patch_header(output);
    }

    fn patch_header(&self, output: &mut Output) {
        output.patches.push(Patch { offset: 0, bytes: self.header.encode() });
    }
}

fn encode_block(block: &Block, cluster_time: u64, file: &mut Vec<u8>) {
    // A straggler is moved to the start of the cluster.
    let relative = block.time.saturating_sub(cluster_time);
    let relative = i16::try_from(relative).unwrap_or(i16::MAX);
    file.id(0xA3); // SimpleBlock
    file.length(block.data.len() as u64 + 4);
    file.length(block.track as u64 + 1);
    file.extend_from_slice(&relative.to_be_bytes());
    file.push(if block.keyframe { 0x80 } else { 0 });
    file.extend_from_slice(&block.data);
}

fn encode_cues(cues: &[Cue]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.master(0x1C53_BB6B, |bytes| {
        for cue in cues {
            bytes.master(0xBB, |bytes| {
                bytes.number(0xB3, cue.time);
                bytes.master(0xB7, |bytes| {
                    bytes.number(0xF7, cue.track);
                    bytes.number(0xF1, cue.cluster);
                });
            });
        }
    });
    bytes
}

#[cfg(test)]
mod tests;
