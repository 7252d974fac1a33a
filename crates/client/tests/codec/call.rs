//! Raw pictures and sound through a call.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use peerway::codec::{AudioSettings, audio_decoder, audio_encoder};
use peerway::media::{Codec, Recorded, Recorder, TrackKind, frame_number};
use peerway::{CallOptions, LocalTrack, MediaConnection, MediaEvent, MediaSelection, RemoteTrack};
use peerway::{Peer, TrackRequest};

use super::ffmpeg::{Directory, ffprobe};
use super::opus::dominant;
use super::support::{Server, call, within};
use super::{VIDEO, decoder, encoder, test_pictures};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_side_encodes_and_the_other_sees_and_hears_it() {
    let server = Server::start().await;
    let (alice, bob) = (server.peer("alice").await, server.peer("bob").await);
    let directory = Directory::new("call");
    for codec in VIDEO {
        let (sender, receiver) = connected(&alice, &bob, codec).await;
        let over = Arc::new(AtomicBool::new(false));
        for track in sender.1 {
            assert_eq!(track.codecs().len(), 1);
            let over = over.clone();
            tokio::spawn(async move {
                match track.kind() {
                    TrackKind::Video => send_pictures(&track, &over).await,
                    TrackKind::Audio => send_tone(&track, &over).await,
                }
            });
        }
        let path = directory.path(&format!("{}.webm", codec.name()));
        let (numbers, hertz) = receive(&receiver.1, codec, &path).await;
        over.store(true, Ordering::Relaxed);
        println!("{codec}: {} pictures, {hertz} Hz", numbers.len());
        assert!(numbers.is_sorted_by(|a, b| a < b), "{codec}: {numbers:?}");
        assert!((435..=445).contains(&hertz), "{codec}: {hertz} Hz");
        let asks = "stream=codec_name,width,height,sample_rate";
        let found = ffprobe(&["-show_entries", asks, "-of", "csv=p=0", path.to_str().unwrap()]);
        let name = codec.name().to_ascii_lowercase();
        assert!(found.contains(&format!("{name},320,240")), "{codec}: {found}");
        assert!(found.contains("opus,48000"), "{codec}: {found}");
        let counted = ["-count_frames", "-select_streams", "v", "-show_entries"];
        let counted = [&counted[..], &["stream=nb_read_frames", "-of", "csv=p=0"]].concat();
        let frames = ffprobe(&[&counted, &[path.to_str().unwrap()][..]].concat());
        let frames: usize = frames.trim().trim_end_matches(',').parse().unwrap();
        assert!(frames >= 20, "{codec}: {frames}");
        sender.0.close();
    }
}

type Caller = (MediaConnection, Vec<LocalTrack>);
type Callee = (MediaConnection, Vec<RemoteTrack>);

async fn connected(alice: &Peer, bob: &Peer, codec: Codec) -> (Caller, Callee) {
    let options = CallOptions::new().codecs([codec, Codec::Opus]);
    let ours = alice.call("bob", options.clone()).unwrap();
    let theirs = call(bob).await;
    assert!(theirs.answer(options.send(MediaSelection::NONE)));
    let (mut local, mut remote) = (Vec::new(), Vec::new());
    loop {
        match within(ours.next_event()).await.expect("the call is over") {
            MediaEvent::LocalTrack(track) => local.push(track),
            MediaEvent::Open => break,
            _ => {}
        }
    }
    loop {
        match within(theirs.next_event()).await.expect("the call is over") {
            MediaEvent::RemoteTrack(track) => remote.push(track),
            MediaEvent::Open => break,
            _ => {}
        }
    }
    ((ours, local), (theirs, remote))
}

async fn send_pictures(track: &LocalTrack, over: &AtomicBool) {
    let mut encoder = encoder(track.codecs()[0], 500_000);
    let pictures = test_pictures(320, 240, 150);
    let mut pace = tokio::time::interval(Duration::from_secs(1) / 30);
    for (number, picture) in (0..).zip(pictures) {
        loop {
            tokio::select! {
                _ = pace.tick() => break,
                request = track.next_request() => match request {
                    Some(TrackRequest::KeyFrame) => encoder.request_key_frame(),
                    Some(TrackRequest::Bitrate(available)) => {
                        let available = u32::try_from(available).unwrap_or(u32::MAX);
                        encoder.set_bitrate(available.saturating_sub(40_000).clamp(200_000, 800_000));
                    }
                    Some(_) => {}
                    None => return,
                },
            }
        }
        let encoded = tokio::task::block_in_place(|| encoder.encode(&picture, super::at(number)));
        let Some(frame) = encoded.unwrap() else { continue };
        if over.load(Ordering::Relaxed) || track.send_frame(frame).await.is_err() {
            return;
        }
    }
}

async fn send_tone(track: &LocalTrack, over: &AtomicBool) {
    let settings = AudioSettings { channels: 2, bitrate: 64_000, ..AudioSettings::default() };
    let mut encoder = audio_encoder(Codec::Opus, settings).unwrap();
    let mut pace = tokio::time::interval(Duration::from_millis(20));
    for number in 0..u32::MAX {
        pace.tick().await;
        let sample = |at: u32| {
            ((f64::from(at) / 48_000.0 * 440.0 * std::f64::consts::TAU).sin() * 8_192.0) as i16
        };
        let samples: Vec<_> =
            (number * 960..(number + 1) * 960).flat_map(|at| [sample(at); 2]).collect();
        let frame = encoder.encode(&samples, Duration::from_millis(20) * number).unwrap();
        let Some(frame) = frame else { continue };
        if over.load(Ordering::Relaxed) || track.send_frame(frame).await.is_err() {
            return;
        }
    }
}

/// Numbers of the pictures that arrived and the tone that was heard; all is recorded.
async fn receive(tracks: &[RemoteTrack], codec: Codec, path: &std::path::Path) -> (Vec<u32>, u32) {
    let of = |kind| tracks.iter().find(|track: &&RemoteTrack| track.kind() == kind).unwrap();
    let (video, audio) = (of(TrackKind::Video), of(TrackKind::Audio));
    let (mut sees, mut hears) = (decoder(codec), audio_decoder(Codec::Opus, 1).unwrap());
    let mut recorder = Recorder::replace(path).unwrap();
    let (mut numbers, mut sound) = (Vec::new(), Vec::new());
    while numbers.len() < 30 || sound.len() < 48_000 {
        let (index, frame) = tokio::select! {
            frame = within(video.next_frame()) => (0, frame.unwrap()),
            frame = within(audio.next_frame()) => (1, frame.unwrap()),
        };
        if recorder.write(index, &frame).unwrap() == Recorded::NeedsKeyFrame {
            video.request_key_frame();
        }
        if index == 1 {
            sound.extend(hears.decode(&frame).unwrap());
            continue;
        }
        match sees.decode(&frame) {
            Ok(Some(picture)) => {
                let luma = picture.y();
                numbers.push(frame_number(luma.data, luma.stride).expect("it can be read"));
            }
            Ok(None) => {}
            Err(_) => video.request_key_frame(),
        }
    }
    recorder.finish().unwrap();
    (numbers, dominant(&sound[sound.len() - 9_600..]))
}
