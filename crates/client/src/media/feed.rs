//! The test source, paced, into a track.

use std::time::{Duration, Instant};

use super::{Codec, EncodedFrame, TestTone, TestVideo, TrackKind};
use crate::clock;
use crate::connection::{
    ConnectionError, ConnectionErrorKind, LocalTrack, SendError, TrackRequest,
};

/// A frame that is so late is left out instead: the ones behind it would be late as well.
const TOO_LATE: Duration = Duration::from_millis(500);

/// Size and pace of a test picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TestVideoSize {
    /// Pixels.
    pub width: u16,
    /// Pixels.
    pub height: u16,
    /// Frames per second.
    pub fps: u32,
}

impl Default for TestVideoSize {
    /// 640 x 360 at 30 frames per second.
    fn default() -> Self {
        Self { width: 640, height: 360, fps: 30 }
    }
}

/// Sends the test source in a track, until the call is over: [`TestVideo`] in VP8 or [`TestTone`]
/// in the first codec for sound that both sides know.
///
/// # Errors
///
/// [`Serialization`](ConnectionErrorKind::Serialization): the other side knows no codec of the
/// source, or `size` is none. The end of the call is no error.
pub async fn feed_test_source(track: &LocalTrack, size: TestVideoSize) -> Result<(), SendError> {
    let result = match track.kind() {
        TrackKind::Video => feed_video(track, size).await,
        TrackKind::Audio => feed_audio(track).await,
    };
    match result {
        Err(error) if error.kind == ConnectionErrorKind::ConnectionClosed => Ok(()),
        result => result,
    }
}

async fn feed_video(track: &LocalTrack, size: TestVideoSize) -> Result<(), SendError> {
    if !track.codecs().contains(&Codec::Vp8) {
        return Err(unusable("the test source is VP8, which the other side does not take"));
    }
    let mut video = TestVideo::new(size.width, size.height, size.fps)
        .map_err(|error| unusable(&error.to_string()))?;
    let start = clock::now();
    let mut wants_key_frame = false;
    loop {
        let due = start + video.due();
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(due.into()) => break,
                request = track.next_request() => match request {
                    Some(TrackRequest::KeyFrame) => wants_key_frame = true,
                    Some(_) => {}
                    None => return Ok(()),
                },
            }
        }
        if is_too_late(due) {
            video.skip_frame();
            continue;
        }
        send(track, video.next_frame(std::mem::take(&mut wants_key_frame))).await?;
    }
}

async fn feed_audio(track: &LocalTrack) -> Result<(), SendError> {
    let tone = track.codecs().iter().find_map(|codec| TestTone::new(*codec));
    let mut tone = tone.ok_or_else(|| unusable("the other side takes no codec for sound"))?;
    let start = clock::now();
    loop {
        let due = start + tone.due();
        tokio::time::sleep_until(due.into()).await;
        if is_too_late(due) {
            tone.skip_frame();
            continue;
        }
        send(track, tone.next_frame()).await?;
    }
}

async fn send(track: &LocalTrack, frame: EncodedFrame) -> Result<(), SendError> {
    track.send_frame(frame).await
}

fn is_too_late(due: Instant) -> bool {
    clock::now().saturating_duration_since(due) > TOO_LATE
}

fn unusable(message: &str) -> ConnectionError {
    ConnectionError::new(ConnectionErrorKind::Serialization, message)
}
