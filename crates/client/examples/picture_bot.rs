//! Answers every call with pictures it draws and a tone it makes, and says what it sees.
//!
//! ```text
//! cargo run -p peerway --example picture_bot --all-features -- --port 9000
//! ```
//!
//! A page then calls `bot`: `peer.call('bot', stream)`.

#![allow(clippy::cast_possible_truncation, reason = "drawn so that it fits")]

use std::time::Duration;

use peerway::codec::{AudioSettings, I420, VideoSettings};
use peerway::codec::{audio_encoder, video_decoder, video_encoder};
use peerway::media::{Codec, TrackKind};
use peerway::{CallOptions, LocalTrack, MediaConnection, MediaEvent, RemoteTrack};
use peerway::{Peer, PeerEvent, PeerOptions, TrackRequest};
use tokio::task::block_in_place;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

const WIDTH: u32 = 640;
const HEIGHT: u32 = 360;
const FPS: u32 = 30;

#[tokio::main]
async fn main() -> Result<()> {
    let port = std::env::args().skip_while(|argument| argument != "--port").nth(1);
    let port = port.map_or(Ok(9000), |port| port.parse())?;
    let peer = Peer::open(PeerOptions::new().host("127.0.0.1").port(port).id("bot")).await?;
    println!("call me: bot");
    while let Some(event) = peer.next_event().await {
        if let PeerEvent::Call(call) = event {
            tokio::spawn(take(call));
        }
    }
    Ok(())
}

async fn take(call: MediaConnection) {
    // What this program can encode and decode, the preferred first.
    let codecs = [Codec::Vp8, Codec::H264, Codec::Vp9, Codec::Opus];
    call.answer(CallOptions::new().codecs(codecs));
    while let Some(event) = call.next_event().await {
        match event {
            MediaEvent::LocalTrack(track) => drop(tokio::spawn(send(track))),
            MediaEvent::RemoteTrack(track) => drop(tokio::spawn(watch(track))),
            _ => {}
        }
    }
}

async fn send(track: LocalTrack) {
    let result = match track.kind() {
        TrackKind::Video => send_pictures(&track).await,
        TrackKind::Audio => send_tone(&track).await,
    };
    if let Err(error) = result {
        println!("{}: {error}", track.kind().name());
    }
}

async fn send_pictures(track: &LocalTrack) -> Result<()> {
    let codec = *track.codecs().first().ok_or("no codec for pictures in common")?;
    let mut encoder = video_encoder(codec, VideoSettings { bitrate: 800_000, fps: FPS })?;
    let mut pace = tokio::time::interval(Duration::from_secs(1) / FPS);
    for number in 0.. {
        loop {
            tokio::select! {
                _ = pace.tick() => break,
                request = track.next_request() => match request {
                    Some(TrackRequest::KeyFrame) => encoder.request_key_frame(),
                    // Sound takes its part.
                    Some(TrackRequest::Bitrate(bits)) => {
                        let bits = u32::try_from(bits).unwrap_or(u32::MAX);
                        encoder.set_bitrate(bits.saturating_sub(40_000).min(2_000_000));
                    }
                    Some(_) => {}
                    None => return Ok(()),
                },
            }
        }
        let captured = Duration::from_secs(1) * number / FPS;
        let frame = block_in_place(|| encoder.encode(&draw(number)?, captured))?;
        if let Some(frame) = frame {
            track.send_frame(frame).await?;
        }
    }
    Ok(())
}

/// Colours that move.
fn draw(number: u32) -> std::result::Result<I420, peerway::codec::CodecError> {
    let byte = |value: u32| (value & 255) as u8;
    let places = (0..HEIGHT).flat_map(|y| (0..WIDTH).map(move |x| (x, y)));
    let pixels = places.flat_map(|(x, y)| [byte(x / 3), byte(y / 2 + number), byte(number * 2)]);
    I420::from_rgb(WIDTH, HEIGHT, &pixels.collect::<Vec<u8>>())
}

async fn send_tone(track: &LocalTrack) -> Result<()> {
    let codec = *track.codecs().first().ok_or("no codec for sound in common")?;
    let mut encoder = audio_encoder(codec, AudioSettings::default())?;
    let mut pace = tokio::time::interval(Duration::from_millis(20));
    for number in 0.. {
        pace.tick().await;
        let phase = |at: u32| f64::from(at) / 48_000.0 * 440.0 * std::f64::consts::TAU;
        let samples: Vec<_> = (number * 960..(number + 1) * 960)
            .map(|at| (phase(at).sin() * 3_000.0) as i16)
            .collect();
        if let Some(frame) = encoder.encode(&samples, Duration::from_millis(20) * number)? {
            track.send_frame(frame).await?;
        }
    }
    Ok(())
}

async fn watch(track: RemoteTrack) {
    let mut decoder = None;
    let mut count = 0_u32;
    while let Some(frame) = track.next_frame().await {
        if track.kind() == TrackKind::Audio {
            continue;
        }
        if decoder.is_none() {
            decoder = video_decoder(frame.codec).ok();
        }
        let Some(decoder) = &mut decoder else { continue };
        match block_in_place(|| decoder.decode(&frame)) {
            Ok(Some(picture)) => {
                count += 1;
                if count % 100 == 1 {
                    println!("{picture:?} in {}", frame.codec);
                }
            }
            Ok(None) => {}
            Err(_) => track.request_key_frame(),
        }
    }
}
