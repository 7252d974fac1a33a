//! What ffmpeg makes of our files: every picture of every codec, without a word of complaint.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod ffmpeg;

use std::time::Duration;

use ffmpeg::{Clip, pictures, probe, samples, scratch};
use peerway_record::{Codec, Frame, Output, WriteError, ivf, ogg, size, webm};

const VIDEO: [Codec; 4] = [Codec::Vp8, Codec::Vp9, Codec::H264, Codec::Av1];

#[test]
fn every_picture_comes_out_of_webm_as_it_went_in() {
    for codec in VIDEO {
        let clip = Clip::video(codec, 320, 180);
        assert_eq!(size(codec, &clip.frames[0]), Some((320, 180)), "{codec}");
        let path = scratch(&format!("{codec}.webm"));
        let mut file = Vec::new();
        let mut writer = webm::Writer::new();
        for frame in clip.frames() {
            writer.write(0, &frame).unwrap().apply(&mut file);
        }
        writer.finish().apply(&mut file);
        std::fs::write(&path, file).unwrap();

        assert_eq!(pictures(&path), pictures(&clip.path), "{codec}");
        assert_eq!(probe(&path, "stream=width,height"), ["320,180"], "{codec}");
    }
}

#[test]
fn every_picture_comes_out_of_ivf_as_it_went_in() {
    // ffmpeg reads no H.264 in IVF.
    for codec in [Codec::Vp8, Codec::Vp9, Codec::Av1] {
        let clip = Clip::video(codec, 322, 182);
        let path = scratch(&format!("{codec}.ivf"));
        let mut file = Vec::new();
        let mut writer = ivf::Writer::new();
        for frame in clip.frames() {
            writer.write(&frame).unwrap().apply(&mut file);
        }
        writer.finish().apply(&mut file);
        std::fs::write(&path, file).unwrap();

        assert_eq!(pictures(&path), pictures(&clip.path), "{codec}");
    }
}

#[test]
fn sound_comes_out_as_it_went_in() {
    let mulaw = "-f mulaw -ar 8000 -ac 1";
    let alaw = "-f alaw -ar 8000 -ac 1";
    for (codec, raw) in [(Codec::Opus, None), (Codec::Pcmu, Some(mulaw)), (Codec::Pcma, Some(alaw))]
    {
        let clip = Clip::audio(codec);
        let path = scratch(&format!("{codec}.mkv"));
        let mut file = Vec::new();
        let mut writer = webm::Writer::new();
        for frame in clip.frames() {
            writer.write(0, &frame).unwrap().apply(&mut file);
        }
        writer.finish().apply(&mut file);
        std::fs::write(&path, file).unwrap();

        let (samples, complaints) = samples(&path, "");
        assert_eq!(complaints, "", "{codec}");
        let channels = if codec == Codec::Opus { 2 } else { 1 };
        let second = codec.clock_rate() as usize * 2 * channels;
        assert_eq!(samples.len(), second * 3, "{codec}");
        if let Some(input) = raw {
            assert_eq!(samples, ffmpeg::samples(&clip.path, input).0, "{codec}");
        }
    }
}

#[test]
fn ogg_lasts_as_long_as_the_call() {
    let clip = Clip::audio(Codec::Opus);
    let path = scratch("gap.ogg");
    let mut file = Vec::new();
    let mut writer = ogg::Writer::new();
    // Two seconds are missing in the middle.
    let frames = clip.frames();
    for frame in frames[..20].iter().chain(&frames[120..]) {
        writer.write(frame).unwrap().apply(&mut file);
    }
    writer.finish().apply(&mut file);
    std::fs::write(&path, file).unwrap();

    let (samples, complaints) = samples(&path, "");
    assert_eq!(complaints, "");
    assert_eq!(samples.len(), 3 * 48_000 * 2 * 2);
    assert_eq!(probe(&path, "format=duration"), ["3.000000"]);
}

#[test]
fn a_call_plays_wherever_the_file_is_cut() {
    let (file, _) = call();
    let all = pictures(&written("whole.webm", &file)).0.len();
    let mut before = all + 1;
    for percent in [100, 90, 70, 50, 30] {
        let path = written(&format!("cut{percent}.webm"), &file[..file.len() * percent / 100]);
        let seen = pictures(&path).0.len();
        let heard = samples(&path, "").0.len();
        assert!(seen > 0 && seen < before, "{seen} of {all} at {percent}%");
        assert!(heard > 0);
        before = seen;
    }
}

#[test]
fn a_call_plays_when_the_program_dies() {
    let (_, unfinished) = call();
    let path = written("died.webm", &unfinished);
    let (pictures, complaints) = pictures(&path);
    assert_eq!(complaints, "");
    // What waits for the other track is lost, at most 300 ms.
    assert!((67..=75).contains(&pictures.len()), "{}", pictures.len());
    assert_eq!(probe(&path, "stream=codec_name"), ["opus", "vp8"]);
}

#[test]
fn a_call_plays_from_a_pipe_to_which_nothing_was_patched() {
    let mut file = Vec::new();
    let mut writer = webm::Writer::new();
    let mut append = |output: Output| file.extend(output.append);
    let clip = Clip::video(Codec::Vp8, 320, 180);
    for frame in clip.frames() {
        append(writer.write(0, &frame).unwrap());
    }
    append(writer.finish());
    let (pictures, complaints) = pictures(&written("pipe.webm", &file));
    assert_eq!(complaints, "");
    assert_eq!(pictures.len(), 75);
}

#[test]
fn timestamps_are_those_of_the_frames() {
    let (file, _) = call();
    let path = written("times.webm", &file);
    let times = probe(&path, "packet=pts_time -select_streams v");
    assert_eq!(times[..3], ["0.500000", "0.540000", "0.580000"]);
    assert_eq!(times.last().unwrap(), "3.460000");
    assert_eq!(probe(&path, "format=duration"), ["3.461000"]);
}

#[test]
fn a_picture_may_change_its_size() {
    let path = scratch("sizes.webm");
    let mut file = Vec::new();
    let mut writer = webm::Writer::new();
    let clips = [Clip::video(Codec::Vp8, 320, 180), Clip::video(Codec::Vp8, 160, 90)];
    for (index, clip) in (0..).zip(&clips) {
        for frame in clip.frames() {
            let timestamp = frame.timestamp + Duration::from_secs(index * 3);
            writer.write(0, &Frame { timestamp, ..frame }).unwrap().apply(&mut file);
        }
    }
    writer.finish().apply(&mut file);
    std::fs::write(&path, file).unwrap();

    let (pictures, complaints) = pictures(&path);
    assert_eq!(complaints, "");
    assert_eq!(pictures.len(), 150);
}

#[test]
fn h264_without_parameters_waits_for_them() {
    let frame = Frame {
        codec: Codec::H264,
        data: &[0, 0, 0, 1, 0x65, 0x88, 0x84],
        timestamp: Duration::ZERO,
        keyframe: true,
    };
    let error = webm::Writer::new().write(0, &frame).unwrap_err();
    assert_eq!(error, WriteError::Malformed(Codec::H264));
}

/// Three seconds of sound, and pictures that begin half a second later: finished, and not.
fn call() -> (Vec<u8>, Vec<u8>) {
    let (video, audio) = (Clip::video(Codec::Vp8, 320, 180), Clip::audio(Codec::Opus));
    let mut frames: Vec<_> = audio.frames();
    frames.extend(video.frames().iter().map(|frame| {
        let timestamp = frame.timestamp + Duration::from_millis(500);
        Frame { timestamp, ..*frame }
    }));
    frames.sort_by_key(|frame| frame.timestamp);
    let mut file = Vec::new();
    let mut writer = webm::Writer::new();
    for frame in frames {
        let track = u32::from(frame.codec.is_audio());
        writer.write(track, &frame).unwrap().apply(&mut file);
    }
    let mut finished = file.clone();
    writer.finish().apply(&mut finished);
    (finished, file)
}

fn written(name: &str, file: &[u8]) -> std::path::PathBuf {
    let path = scratch(name);
    std::fs::write(&path, file).unwrap();
    path
}
