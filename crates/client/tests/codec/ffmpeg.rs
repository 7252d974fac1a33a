//! Against the libraries that everybody has, by way of Debian's ffmpeg: libvpx, x264, libopus and
//! ffmpeg's own decoders.

use std::path::PathBuf;
use std::process::Command;

use peerway::media::{Codec, EncodedFrame, MediaTimestamp, Recorder};

use super::{VIDEO, at, bytes, decoder, encoder, waves};

const WIDTH: u32 = 320;
const HEIGHT: u32 = 240;
const PICTURES: u32 = 30;

#[test]
fn ffmpeg_decodes_what_our_encoders_write_as_we_do() {
    let directory = Directory::new("ours");
    for codec in VIDEO {
        let (mut encoder, mut decoder) = (encoder(codec, 700_000), decoder(codec));
        let path = directory.path(&format!("{}.webm", codec.name()));
        let mut recorder = Recorder::replace(&path).unwrap();
        let mut ours = Vec::new();
        for number in 0..PICTURES {
            if number == 20 {
                encoder.request_key_frame();
            }
            let picture = waves(WIDTH, HEIGHT, number);
            let Some(frame) = encoder.encode(&picture, at(number)).unwrap() else { continue };
            ours.extend(bytes(&decoder.decode(&frame).unwrap().unwrap()));
            recorder.write(0, &frame).unwrap();
        }
        recorder.finish().unwrap();
        let path = path.to_str().unwrap();
        let raw = ["-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "yuv420p", "-"];
        let theirs = ffmpeg(&[&["-i", path], &raw[..]].concat());
        assert_eq!(theirs.len(), ours.len(), "{codec}");
        assert!(theirs == ours, "{codec}: other pixels");
    }
}

#[test]
fn our_decoders_make_the_same_of_other_encoders_streams_as_ffmpeg() {
    let directory = Directory::new("theirs");
    let raw = directory.path("raw.yuv");
    let pictures = (0..PICTURES).flat_map(|number| bytes(&waves(WIDTH, HEIGHT, number)));
    std::fs::write(&raw, pictures.collect::<Vec<u8>>()).unwrap();
    let input = ["-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", "320x240", "-r", "30", "-i"];
    let input = [&input[..], &[raw.to_str().unwrap()]].concat();
    let options: [(Codec, &str, &[&str]); 3] = [
        (Codec::Vp8, "ivf", &["-c:v", "libvpx", "-deadline", "realtime", "-auto-alt-ref", "0"]),
        (Codec::Vp9, "ivf", &["-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "6"]),
        (
            Codec::H264,
            "h264",
            &["-c:v", "libx264", "-profile:v", "baseline", "-x264-params", "aud=1"],
        ),
    ];
    for (codec, format, options) in options {
        let path = directory.path(format);
        let file = path.to_str().unwrap();
        ffmpeg(
            &[&input, options, &["-b:v", "600k", "-g", "15", "-f", format, "-y", file]].concat(),
        );
        let stream = std::fs::read(&path).unwrap();
        let frames = if codec == Codec::H264 { access_units(&stream) } else { ivf_frames(&stream) };
        assert_eq!(frames.len(), PICTURES as usize, "{codec}");
        let mut decoder = decoder(codec);
        let mut ours = Vec::new();
        for (number, data) in (0..).zip(frames) {
            let timestamp = MediaTimestamp { ticks: number * 3_000, clock_rate: 90_000 };
            let frame = EncodedFrame::new(codec, data.to_vec(), timestamp, number == 0);
            ours.extend(decoder.decode(&frame).unwrap().iter().flat_map(bytes));
        }
        let theirs = ffmpeg(&["-i", file, "-f", "rawvideo", "-pix_fmt", "yuv420p", "-"]);
        assert_eq!(theirs.len(), ours.len(), "{codec}");
        assert!(theirs == ours, "{codec}: other pixels");
    }
}

/// What is behind each header of a frame.
fn ivf_frames(file: &[u8]) -> Vec<&[u8]> {
    let mut frames = Vec::new();
    let mut rest = &file[32..];
    while let Some((header, behind)) = rest.split_at_checked(12) {
        let size = u32::from_le_bytes([header[0], header[1], header[2], header[3]]);
        let (frame, behind) = behind.split_at(size as usize);
        frames.push(frame);
        rest = behind;
    }
    frames
}

/// Cut before each access unit delimiter.
fn access_units(stream: &[u8]) -> Vec<&[u8]> {
    let delimiter = [0, 0, 0, 1, 9];
    let starts = stream.windows(5).enumerate().filter(|(_, window)| *window == delimiter);
    let mut starts: Vec<_> = starts.map(|(place, _)| place).collect();
    starts.push(stream.len());
    starts.windows(2).map(|pair| &stream[pair[0]..pair[1]]).collect()
}

/// What ffmpeg writes to its standard output.
pub fn ffmpeg(arguments: &[&str]) -> Vec<u8> {
    run("ffmpeg", &[&["-nostdin", "-v", "error"], arguments].concat())
}

/// What ffprobe says.
pub fn ffprobe(arguments: &[&str]) -> String {
    String::from_utf8(run("ffprobe", &[&["-v", "error"], arguments].concat())).unwrap()
}

fn run(program: &str, arguments: &[&str]) -> Vec<u8> {
    let output = Command::new(program).args(arguments).output();
    let output = output
        .unwrap_or_else(|error| panic!("{program}: {error}: install the Debian package ffmpeg"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {errors}");
    output.stdout
}

/// A directory that goes with its test.
pub struct Directory(PathBuf);

impl Directory {
    pub fn new(name: &str) -> Self {
        let name = format!("peerway-codec-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn path(&self, file: &str) -> PathBuf {
        self.0.join(file)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
