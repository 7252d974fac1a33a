//! Ogg with one Opus track (RFC 3533, RFC 7845).
//!
//! Packets are collected to pages of half a second: that much is lost when the program dies.

use std::time::Duration;

use crate::{Codec, Frame, Output, WriteError, opus};

/// Samples of a page. Every page costs 27 bytes and more.
const PAGE_SAMPLES: u64 = 24_000;
/// Pieces of 255 bytes in a page, the last one shorter.
const MAX_PIECES: usize = 255;
/// Opus needs 7.6 KB for the longest packet.
const MAX_PACKET: usize = 16_384;
/// Longer gaps become shorter: a timestamp must not fill a disk. A day takes 2 MB.
const MAX_GAP: u64 = 86_400 * 48_000;
/// There is one stream in the file, so its number says nothing.
const SERIAL: u32 = 1;

const FIRST: u8 = 2;
const LAST: u8 = 4;

/// Writes one track of Opus. A gap between timestamps is filled with lost packets, so the file
/// plays as long as the call was.
#[derive(Debug, Default)]
pub struct Writer {
    start: Option<Duration>,
    /// What the packets so far last, in samples at 48 kHz.
    samples: u64,
    paged: u64,
    pages: u32,
    pieces: Vec<u8>,
    body: Vec<u8>,
    toc: u8,
}

impl Writer {
    /// Nothing is written before the first packet, which is the start of the file.
    pub fn new() -> Self {
        Self::default()
    }

    /// The next packet.
    pub fn write(&mut self, frame: &Frame<'_>) -> Result<Output, WriteError> {
        let mut output = Output::default();
        let file = &mut output.append;
        if frame.codec != Codec::Opus {
            return Err(WriteError::Unsupported { container: "Ogg", codec: frame.codec });
        }
        let samples = opus::samples(frame.data).filter(|_| frame.data.len() <= MAX_PACKET);
        let samples = samples.ok_or(WriteError::Malformed(Codec::Opus))?;
        let start = *self.start.get_or_insert(frame.timestamp);
        if self.pages == 0 {
            self.packet(&opus::head(), 0, file);
            self.page(FIRST, file);
            self.packet(b"OpusTags\x07\0\0\0peerway\0\0\0\0", 0, file);
            self.page(0, file);
            self.toc = frame.data[0];
        }
        let elapsed = frame.timestamp.saturating_sub(start).as_nanos() * 48_000 / 1_000_000_000;
        let gap =
            u64::try_from(elapsed).unwrap_or(u64::MAX).saturating_sub(self.samples).min(MAX_GAP);
        for (filler, samples) in opus::fillers(self.toc, gap) {
            self.packet(&filler, samples, file);
        }
        self.toc = frame.data[0];
        self.packet(frame.data, samples, file);
        Ok(output)
    }

    /// The end: the last page, marked as such.
    pub fn finish(mut self) -> Output {
        let mut output = Output::default();
        if self.pages > 0 {
            self.page(LAST, &mut output.append);
        }
        output
    }

    fn packet(&mut self, packet: &[u8], samples: u32, file: &mut Vec<u8>) {
        // A length that is a multiple of 255 ends with an empty piece.
        let pieces = packet.len() / 255 + 1;
        let full = self.samples - self.paged >= PAGE_SAMPLES;
        if full || self.pieces.len() + pieces > MAX_PIECES {
            self.page(0, file);
        }
        self.pieces.extend(std::iter::repeat_n(255, pieces - 1));
        self.pieces.extend(u8::try_from(packet.len() % 255));
        self.body.extend_from_slice(packet);
        self.samples += u64::from(samples);
    }

    fn page(&mut self, flags: u8, file: &mut Vec<u8>) {
        let start = file.len();
        file.extend_from_slice(b"OggS\0");
        file.push(flags);
        file.extend_from_slice(&self.samples.to_le_bytes());
        file.extend_from_slice(&SERIAL.to_le_bytes());
        file.extend_from_slice(&self.pages.to_le_bytes());
        file.extend_from_slice(&[0; 4]);
        file.extend(u8::try_from(self.pieces.len()));
        file.append(&mut self.pieces);
        file.append(&mut self.body);
        let checksum = checksum(&file[start..]);
        file[start + 22..start + 26].copy_from_slice(&checksum.to_le_bytes());
        self.pages = self.pages.wrapping_add(1);
        self.paged = self.samples;
    }
}

/// CRC-32 with the polynomial 0x04C11DB7, nothing reversed or inverted.
fn checksum(page: &[u8]) -> u32 {
    page.iter().fold(0, |crc, byte| crc << 8 ^ TABLE[usize::from((crc >> 24) as u8 ^ byte)])
}

const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut index = 0_u8;
    loop {
        let mut crc = u32::from_be_bytes([index, 0, 0, 0]);
        let mut bit = 0;
        while bit < 8 {
            let carry = crc >> 31 == 1;
            crc <<= 1;
            if carry {
                crc ^= 0x04C1_1DB7;
            }
            bit += 1;
        }
        table[index as usize] = crc;
        if index == u8::MAX {
            break;
        }
        index += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(milliseconds: u64, data: &[u8]) -> Frame<'_> {
        let timestamp = Duration::from_millis(milliseconds);
        Frame { codec: Codec::Opus, data, timestamp, keyframe: true }
    }

    fn write(packets: &[(u64, &[u8])]) -> Vec<u8> {
        let mut writer = Writer::new();
        let mut file = Vec::new();
        for (milliseconds, data) in packets {
            writer.write(&frame(*milliseconds, data)).unwrap().apply(&mut file);
        }
        writer.finish().apply(&mut file);
        file
    }

    /// Flags, granule position and lacing of each page; checks the checksums.
    fn pages(mut file: &[u8]) -> Vec<(u8, u64, Vec<u8>)> {
        let mut pages = Vec::new();
        while !file.is_empty() {
            assert_eq!(&file[..4], b"OggS");
            let pieces = file[27..27 + usize::from(file[26])].to_vec();
            let body: usize = pieces.iter().map(|piece| usize::from(*piece)).sum();
            let mut page = file[..27 + pieces.len() + body].to_vec();
            let told = u32::from_le_bytes(page[22..26].try_into().unwrap());
            page[22..26].fill(0);
            assert_eq!(told, checksum(&page));
            pages.push((page[5], u64::from_le_bytes(page[6..14].try_into().unwrap()), pieces));
            file = &file[page.len()..];
        }
        pages
    }

    #[test]
    fn headers_have_pages_of_their_own() {
        let file = write(&[(100, &[0xFC, 1]), (120, &[0xFC, 2])]);
        let pages = pages(&file);
        assert_eq!(pages[0], (FIRST, 0, vec![19]));
        assert_eq!(pages[1], (0, 0, vec![23]));
        assert_eq!(pages[2], (LAST, 1_920, vec![2, 2]));
    }

    #[test]
    fn a_long_packet_is_laced() {
        let packet = [0xFC; 510];
        let pages = pages(&write(&[(0, &packet)]));
        assert_eq!(pages[2].2, [255, 255, 0]);
    }

    #[test]
    fn a_page_is_half_a_second() {
        let packets: Vec<_> = (0..60).map(|n| (n * 20, &[0xFC, 1][..])).collect();
        let pages = pages(&write(&packets));
        let ends: Vec<_> = pages.iter().map(|page| page.1).collect();
        assert_eq!(ends, [0, 0, 24_000, 48_000, 57_600]);
    }

    #[test]
    fn a_gap_is_filled_with_lost_packets() {
        let file = write(&[(0, &[0xFC, 1]), (100, &[0xFC, 2]), (125, &[0xFC, 3])]);
        let pages = pages(&file);
        assert_eq!(pages[2], (LAST, 7 * 960, vec![2, 2, 2, 2]));
        assert_eq!(file[file.len() - 8..], [0xFC, 1, 0xFF, 4, 0xFC, 2, 0xFC, 3]);
    }

    #[test]
    fn what_is_not_opus_is_refused() {
        let mut writer = Writer::new();
        assert_eq!(writer.write(&frame(0, &[])), Err(WriteError::Malformed(Codec::Opus)));
        let other = Frame { codec: Codec::Pcmu, ..frame(0, &[1]) };
        let refused = WriteError::Unsupported { container: "Ogg", codec: Codec::Pcmu };
        assert_eq!(writer.write(&other), Err(refused));
        assert!(writer.finish().is_empty());
    }
}
