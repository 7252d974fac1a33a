//! Debian's ffmpeg and ffprobe: encoders for what goes in, decoders for what comes out.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use peerway_record::{Codec, Frame};

/// A file of this test run.
pub(crate) fn scratch(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// Three seconds, encoded.
pub(crate) struct Clip {
    codec: Codec,
    interval: Duration,
    pub(crate) frames: Vec<Vec<u8>>,
    /// As ffmpeg itself wrote it.
    pub(crate) path: PathBuf,
}

impl Clip {
    /// 25 pictures a second, the first a key frame.
    pub(crate) fn video(codec: Codec, width: u32, height: u32) -> Self {
        let encoder = match codec {
            Codec::Vp8 => "-c:v libvpx -deadline realtime -cpu-used 8 -f ivf",
            Codec::Vp9 => "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -f ivf",
            Codec::Av1 => "-c:v libaom-av1 -usage realtime -cpu-used 8 -f ivf",
            _ => "-c:v libx264 -preset ultrafast -bf 0 -pix_fmt yuv420p -aud 1 -f h264",
        };
        let path = own(&format!("{codec}-{width}"));
        let source = format!("-f lavfi -i testsrc=size={width}x{height}:rate=25 -t 3");
        run("ffmpeg", &format!("-y -v error {source} {encoder}"), &path, "");
        let bytes = std::fs::read(&path).unwrap();
        let frames = if codec == Codec::H264 { access_units(&bytes) } else { ivf_frames(&bytes) };
        assert_eq!(frames.len(), 75, "{codec}");
        Self { codec, interval: Duration::from_millis(40), frames, path }
    }

    /// Packets of 20 ms.
    pub(crate) fn audio(codec: Codec) -> Self {
        let (encoder, length) = match codec {
            Codec::Opus => ("-map 0:a -c:a libopus -vbr off -b:a 32k -f data", 80),
            Codec::Pcmu => ("-c:a pcm_mulaw -f mulaw", 160),
            _ => ("-c:a pcm_alaw -f alaw", 160),
        };
        let path = own(codec.name());
        let source = format!("-f lavfi -i sine=440:r={} -t 3", codec.clock_rate());
        run("ffmpeg", &format!("-y -v error {source} {encoder}"), &path, "");
        let bytes = std::fs::read(&path).unwrap();
        let frames = bytes.chunks(length).take(150).map(<[u8]>::to_vec).collect();
        Self { codec, interval: Duration::from_millis(20), frames, path }
    }

    pub(crate) fn frames(&self) -> Vec<Frame<'_>> {
        let frame = |(index, data)| Frame {
            codec: self.codec,
            data,
            timestamp: self.interval * index,
            keyframe: index == 0,
        };
        (0..).zip(self.frames.iter().map(Vec::as_slice)).map(frame).collect()
    }
}

/// A digest of each picture in a file, and what ffmpeg had to complain of.
pub(crate) fn pictures(path: &Path) -> (Vec<String>, String) {
    let (output, complaints) =
        run("ffmpeg", "-v warning -i", path, "-map 0:v -fps_mode passthrough -f framemd5 -");
    let output = String::from_utf8(output).unwrap();
    let digests = output.lines().filter(|line| !line.starts_with('#'));
    let digests = digests.map(|line| line.rsplit(',').next().unwrap().trim().to_owned());
    (digests.collect(), complaints)
}

/// The samples of a file, 16 bits each, and what ffmpeg had to complain of.
pub(crate) fn samples(path: &Path, input: &str) -> (Vec<u8>, String) {
    // Else it says that it guesses how one channel is to be heard.
    let input = format!("-v warning -guess_layout_max 0 {input} -i");
    run("ffmpeg", &input, path, "-map 0:a -f s16le -")
}

/// What ffprobe says of streams or format, a line for each.
pub(crate) fn probe(path: &Path, entries: &str) -> Vec<String> {
    let options = format!("-v error -show_entries {entries} -of csv=p=0");
    let (output, _) = run("ffprobe", &options, path, "");
    String::from_utf8(output).unwrap().lines().map(str::to_owned).collect()
}

/// A file name that no test running at the same time uses.
fn own(name: &str) -> PathBuf {
    scratch(&format!("clip-{name}-{:?}", std::thread::current().id()))
}

fn run(program: &str, before: &str, path: &Path, after: &str) -> (Vec<u8>, String) {
    let mut command = Command::new(program);
    command.args(before.split_whitespace()).arg(path).args(after.split_whitespace());
    match command.output() {
        Ok(output) => (output.stdout, String::from_utf8_lossy(&output.stderr).into_owned()),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            panic!("there is no {program}: install the Debian package ffmpeg")
        }
        Err(error) => panic!("{program}: {error}"),
    }
}

fn ivf_frames(file: &[u8]) -> Vec<Vec<u8>> {
    let mut rest = &file[32..];
    let mut frames = Vec::new();
    while let Some((length, more)) = rest.split_first_chunk() {
        let (frame, more) = more[8..].split_at(u32::from_le_bytes(*length) as usize);
        frames.push(frame.to_vec());
        rest = more;
    }
    frames
}

/// Cut at the delimiters.
fn access_units(stream: &[u8]) -> Vec<Vec<u8>> {
    let delimiter = |at: &usize| stream[*at..].starts_with(&[0, 0, 0, 1, 9]);
    let starts: Vec<_> = (0..stream.len()).filter(delimiter).collect();
    let ends = starts.iter().copied().skip(1).chain([stream.len()]);
    starts.iter().zip(ends).map(|(start, end)| stream[*start..end].to_vec()).collect()
}
