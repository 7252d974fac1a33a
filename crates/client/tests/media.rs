//! Calls between two Rust peers, over real sockets.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::time::Duration;

use peerway::media::{Codec, Recorded, Recorder, RtpPacket, TestVideoSize, TrackKind};
use peerway::media::{TestVideo, feed_test_source};
use peerway::{CallOptions, ConnectionErrorKind, LocalTrack, MediaConnection, MediaEvent};
use peerway::{MediaSelection, RemoteTrack, TrackRequest};
use support::{Server, call, within};

/// What a call brings until it is open.
struct Opened {
    local: Vec<LocalTrack>,
    remote: Vec<RemoteTrack>,
}

async fn opened(call: &MediaConnection) -> Opened {
    let mut opened = Opened { local: Vec::new(), remote: Vec::new() };
    loop {
        let event = within(call.next_event()).await.expect("the call is over");
        match event {
            MediaEvent::LocalTrack(track) => opened.local.push(track),
            MediaEvent::RemoteTrack(track) => opened.remote.push(track),
            MediaEvent::Error(error) => panic!("{error}"),
            MediaEvent::Open => return opened,
            _ => {}
        }
    }
}

fn track_of<T>(tracks: &[T], kind: TrackKind, of: impl Fn(&T) -> TrackKind) -> &T {
    tracks.iter().find(|track| of(track) == kind).expect("there is no such track")
}

fn feed(tracks: &[LocalTrack]) {
    for track in tracks {
        let track = track.clone();
        tokio::spawn(async move { feed_test_source(&track, TestVideoSize::default()).await });
    }
}

#[tokio::test]
async fn sound_and_pictures_of_the_test_source_arrive_and_can_be_recorded() {
    let server = Server::start().await;
    let (alice, bob) = (server.peer("alice").await, server.peer("bob").await);
    let ours = alice.call("bob", CallOptions::new()).unwrap();
    let theirs = call(&bob).await;
    assert!(theirs.answer(CallOptions::new().send(MediaSelection::NONE)));
    let sender = opened(&ours).await;
    let receiver = opened(&theirs).await;
    assert!(receiver.local.is_empty());
    assert!(sender.remote.is_empty(), "who sends nothing has no tracks");
    feed(&sender.local);

    let directory = std::env::temp_dir().join(format!("peerway-media-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let path = directory.join("call.webm");
    let mut recorder = Recorder::replace(&path).unwrap();
    let video = track_of(&receiver.remote, TrackKind::Video, RemoteTrack::kind);
    let audio = track_of(&receiver.remote, TrackKind::Audio, RemoteTrack::kind);
    let (mut pictures, mut sounds) = (0, 0);
    while pictures < 45 || sounds < 60 {
        let (number, frame) = tokio::select! {
            frame = within(video.next_frame()) => (0, frame.unwrap()),
            frame = within(audio.next_frame()) => (1, frame.unwrap()),
        };
        match frame.codec {
            Codec::Vp8 => pictures += 1,
            Codec::Opus => sounds += 1,
            other => panic!("{other:?} was not sent"),
        }
        if recorder.write(number, &frame).unwrap() == Recorded::NeedsKeyFrame {
            video.request_key_frame();
        }
    }
    let recording = recorder.finish().unwrap();
    assert!(recording.duration > Duration::from_secs(1), "{recording:?}");
    assert!(std::fs::metadata(&path).unwrap().len() > 10_000);
    std::fs::remove_dir_all(directory).unwrap();
}

#[tokio::test]
async fn a_key_frame_that_is_asked_for_comes() {
    let server = Server::start().await;
    let (alice, bob) = (server.peer("alice").await, server.peer("bob").await);
    let ours = alice.call("bob", CallOptions::new().send(MediaSelection::VIDEO)).unwrap();
    let theirs = call(&bob).await;
    theirs.answer(CallOptions::new().send(MediaSelection::NONE));
    let sender = opened(&ours).await;
    let receiver = opened(&theirs).await;
    let track = track_of(&sender.local, TrackKind::Video, LocalTrack::kind).clone();
    let remote = track_of(&receiver.remote, TrackKind::Video, RemoteTrack::kind);

    let mut video = TestVideo::new(320, 240, 30).unwrap();
    track.send_frame(video.next_frame(true)).await.unwrap();
    assert!(within(remote.next_frame()).await.unwrap().keyframe);
    // Whatever the opening asked for is answered now; a new request must come through.
    while let Ok(Some(_)) =
        tokio::time::timeout(Duration::from_millis(300), track.next_request()).await
    {}
    remote.request_key_frame();
    loop {
        if within(track.next_request()).await.unwrap() == TrackRequest::KeyFrame {
            break;
        }
    }
}

#[tokio::test]
async fn rtp_packets_go_through_unchanged() {
    let server = Server::start().await;
    let (alice, bob) = (server.peer("alice").await, server.peer("bob").await);
    let options = CallOptions::new().rtp(true).codecs([Codec::Pcmu]);
    let ours = alice.call("bob", options.clone()).unwrap();
    let theirs = call(&bob).await;
    theirs.answer(options);
    let sender = opened(&ours).await;
    let receiver = opened(&theirs).await;
    let track = track_of(&sender.local, TrackKind::Audio, LocalTrack::kind);
    let remote = track_of(&receiver.remote, TrackKind::Audio, RemoteTrack::kind);

    for n in 0..20_u8 {
        let packet = RtpPacket {
            payload_type: 0,
            sequence_number: 1000 + u64::from(n),
            timestamp: 160 * u32::from(n),
            marker: n == 0,
            payload: vec![n; 160].into(),
        };
        track.send_rtp(packet.clone()).await.unwrap();
        let arrived = within(remote.next_rtp()).await.unwrap();
        assert_eq!(arrived, packet);
    }
}

#[tokio::test]
async fn a_codec_that_was_not_agreed_on_is_refused_with_its_name() {
    let server = Server::start().await;
    let (alice, bob) = (server.peer("alice").await, server.peer("bob").await);
    let ours = alice.call("bob", CallOptions::new().codecs([Codec::Vp9, Codec::Opus])).unwrap();
    let theirs = call(&bob).await;
    theirs.answer(CallOptions::new());
    let sender = opened(&ours).await;
    let track = track_of(&sender.local, TrackKind::Video, LocalTrack::kind);
    assert_eq!(track.codecs(), [Codec::Vp9]);
    let frame = TestVideo::new(320, 240, 30).unwrap().next_frame(true);
    let error = track.send_frame(frame).await.unwrap_err();
    assert_eq!(error.kind, ConnectionErrorKind::Serialization);
    assert!(error.message.contains("VP8"), "{error}");
}

#[tokio::test]
async fn hanging_up_is_noticed_at_once_on_either_side() {
    let server = Server::start().await;
    let (alice, bob) = (server.peer("alice").await, server.peer("bob").await);
    for caller_hangs_up in [true, false] {
        let ours = alice.call("bob", CallOptions::new()).unwrap();
        let theirs = call(&bob).await;
        theirs.answer(CallOptions::new());
        opened(&ours).await;
        opened(&theirs).await;
        let (ends, notices) = if caller_hangs_up { (ours, theirs) } else { (theirs, ours) };
        ends.close();
        let end = async {
            loop {
                match notices.next_event().await {
                    Some(MediaEvent::Close) | None => break,
                    Some(_) => {}
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(1), end).await.expect("within a second");
    }
}

#[tokio::test]
async fn a_refused_call_answers_nothing_and_ends_for_its_callee() {
    let server = Server::start().await;
    let (alice, bob) = (server.peer("alice").await, server.peer("bob").await);
    let _ours = alice.call("bob", CallOptions::new()).unwrap();
    let theirs = call(&bob).await;
    assert!(theirs.is_ringing());
    theirs.close();
    assert!(matches!(within(theirs.next_event()).await, Some(MediaEvent::Close)));
    assert!(within(theirs.next_event()).await.is_none());
    assert!(!theirs.answer(CallOptions::new()));
}
