//! What decoders make of it. Needs Debian's ffmpeg.

use std::io::{ErrorKind, Write};
use std::process::{Command, Stdio};

use super::*;
use crate::media::Codec;

#[test]
fn decoders_show_exactly_what_was_drawn() {
    for (width, height, count) in
        [(128, 112, 40), (160, 120, 40), (640, 360, 10), (642, 361, 10), (1920, 1080, 3)]
    {
        let mut video = TestVideo::new(width, height, 30).unwrap();
        let frames: Vec<_> = (0..count).map(|n| video.next_frame(n == count / 2).data).collect();
        for decoder in ["vp8", "libvpx"] {
            let pixels = decode_video(decoder, width, height, &frames);
            let (width, height) = (usize::from(width), usize::from(height));
            let chroma = width.div_ceil(2) * height.div_ceil(2);
            let pictures: Vec<_> = pixels.chunks(width * height + 2 * chroma).collect();
            assert_eq!(pictures.len(), count, "{decoder} {width}x{height}");
            for (number, decoded) in (0..).zip(pictures) {
                assert_eq!(frame_number(decoded, width), Some(number), "{decoder}");
                let drawn = planes(width, height, number);
                assert!(drawn == decoded, "{decoder} {width}x{height} {number}");
            }
        }
    }
}

#[test]
fn frames_are_small() {
    let mut video = TestVideo::new(640, 360, 30).unwrap();
    let key = video.next_frame(true).data.len();
    let largest = (0..300).map(|_| video.next_frame(false).data.len()).max().unwrap();
    assert!(key < 1_500, "{key}");
    assert!(largest < 600, "{largest}");
}

#[test]
fn a_frame_may_be_left_out() {
    let mut video = TestVideo::new(160, 120, 10).unwrap();
    let mut frames = vec![video.next_frame(false).data];
    video.skip_frame();
    video.skip_frame();
    let late = video.next_frame(false);
    assert_eq!((late.timestamp.ticks, late.keyframe), (27_000, false));
    frames.push(late.data);
    let pixels = decode_video("vp8", 160, 120, &frames);
    assert_eq!(frame_number(&pixels[160 * 120 * 3 / 2..], 160), Some(3));
}

#[test]
fn a_video_has_limits() {
    let error = TestVideo::new(64, 64, 30).unwrap_err();
    assert!(error.to_string().ends_with("not 64x64 and 30"));
    assert!(TestVideo::new(640, 360, 0).is_err());
    assert!(TestVideo::new(4096, 4096, 240).is_ok());
}

#[test]
fn frames_are_due_by_their_number() {
    let mut video = TestVideo::new(640, 360, 30).unwrap();
    let due: Vec<_> = (0..4)
        .map(|_| {
            let due = video.due().as_millis();
            video.skip_frame();
            due
        })
        .collect();
    assert_eq!(due, [0, 33, 66, 100]);
}

#[test]
fn the_tone_is_440_hz_at_minus_20_db() {
    for codec in [Codec::Opus, Codec::Pcmu, Codec::Pcma] {
        let mut tone = TestTone::new(codec).unwrap();
        let frames: Vec<_> = (0..200).map(|_| tone.next_frame().data).collect();
        let samples = decode_audio(codec, &frames);
        assert!((188_000..=192_000).contains(&samples.len()), "{codec}: {}", samples.len());
        // The first second is left to the decoder.
        let samples = &samples[48_000..180_000];
        let crossings = samples.windows(2).filter(|pair| pair[0] < 0 && pair[1] >= 0).count();
        assert!((1_209..=1_211).contains(&crossings), "{codec}: {crossings} waves in 2.75 s");
        let power: f64 = samples.iter().map(|sample| f64::from(*sample).powi(2)).sum();
        let mean = (power / 132_000.0).sqrt() / 32_768.0 * std::f64::consts::SQRT_2;
        let level = 20.0 * mean.log10();
        assert!((-20.5..-19.5).contains(&level), "{codec}: {level} dB");
        let peak = samples.iter().map(|sample| sample.unsigned_abs()).max().unwrap();
        assert!(peak < 3_700, "{codec}: a click of {peak} where the clip begins again");
    }
}

#[test]
fn there_is_no_tone_for_pictures() {
    assert!(TestTone::new(Codec::Vp8).is_none());
}

#[test]
fn g711_is_what_others_make_of_it() {
    let samples: Vec<_> = (i16::MIN..=i16::MAX).step_by(7).collect();
    let bytes: Vec<_> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    for (format, law) in [("mulaw", g711::mu_law as fn(i16) -> u8), ("alaw", g711::a_law)] {
        let encoded = ffmpeg(&["-f", "s16le", "-ar", "8000", "-i", "-", "-f", format, "-"], &bytes);
        let ours: Vec<_> = samples.iter().copied().map(law).collect();
        // Encoders differ in whether they round or cut: by one step at most.
        let steps = |a: u8, b: u8| (a ^ 0x55).abs_diff(b ^ 0x55).min(a.abs_diff(b));
        let worst = ours.iter().zip(&encoded).map(|(a, b)| steps(*a, *b)).max();
        assert!(worst <= Some(1), "{format}: {worst:?}");
    }
}

/// All planes of a picture, drawn without an encoder.
fn planes(width: usize, height: usize, number: u32) -> Vec<u8> {
    let small = |size: usize| u16::try_from(size).unwrap();
    let picture = picture::Picture::draw(small(width), small(height), number);
    let color = |x: usize, y: usize| picture.squares[y / 16 * picture.columns + x / 16];
    let mut planes = Vec::new();
    for y in 0..height {
        planes.extend((0..width).map(|x| color(x, y).y));
    }
    let (half_width, half_height) = (width.div_ceil(2), height.div_ceil(2));
    for y in 0..half_height {
        planes.extend((0..half_width).map(|x| color(2 * x, 2 * y).u));
    }
    for y in 0..half_height {
        planes.extend((0..half_width).map(|x| color(2 * x, 2 * y).v));
    }
    planes
}

fn decode_video(decoder: &str, width: u16, height: u16, frames: &[Vec<u8>]) -> Vec<u8> {
    let mut writer = peerway_record::ivf::Writer::new();
    let mut file = Vec::new();
    for (index, data) in (0..).zip(frames) {
        let timestamp = std::time::Duration::from_millis(index * 40);
        let frame =
            peerway_record::Frame { codec: Codec::Vp8, data, timestamp, keyframe: index == 0 };
        writer.write(&frame).unwrap().apply(&mut file);
    }
    assert_eq!(peerway_record::size(Codec::Vp8, &frames[0]), Some((width.into(), height.into())));
    let raw = ["-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "yuv420p", "-"];
    ffmpeg(&[&["-c:v", decoder, "-f", "ivf", "-i", "-"], &raw[..]].concat(), &file)
}

/// 48000 samples a second, one channel.
fn decode_audio(codec: Codec, frames: &[Vec<u8>]) -> Vec<i16> {
    let mut file = Vec::new();
    let mut input = vec!["-f", "ogg"];
    if codec == Codec::Opus {
        let mut writer = peerway_record::ogg::Writer::new();
        for (index, data) in (0..).zip(frames) {
            let timestamp = std::time::Duration::from_millis(index * 20);
            let frame = peerway_record::Frame { codec, data, timestamp, keyframe: true };
            writer.write(&frame).unwrap().apply(&mut file);
        }
        writer.finish().apply(&mut file);
    } else {
        let format = if codec == Codec::Pcmu { "mulaw" } else { "alaw" };
        input = vec!["-f", format, "-ar", "8000", "-ac", "1"];
        file = frames.concat();
    }
    let output = ["-i", "-", "-ac", "1", "-ar", "48000", "-f", "s16le", "-"];
    let bytes = ffmpeg(&[&input, &output[..]].concat(), &file);
    bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
}

fn ffmpeg(arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "warning", "-guess_layout_max", "0"]).args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            panic!("there is no ffmpeg: install the Debian package ffmpeg")
        }
        Err(error) => panic!("ffmpeg: {error}"),
    };
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    output.stdout
}
