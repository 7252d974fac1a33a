//! Encoders and decoders: against each other, against ffmpeg, in a call. Needs all features and Debian's
//! ffmpeg.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::similar_names, reason = "a decoder gives what is decoded")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "small numbers"
)]

mod call;
mod ffmpeg;
mod opus;
mod video;

#[path = "../support/mod.rs"]
mod support;

use std::time::Duration;

use peerway::codec::{
    I420, VideoDecoder, VideoEncoder, VideoSettings, video_decoder, video_encoder,
};
use peerway::media::{Codec, TestVideo};

const VIDEO: [Codec; 3] = [Codec::Vp8, Codec::Vp9, Codec::H264];
const FPS: u32 = 30;

fn encoder(codec: Codec, bitrate: u32) -> Box<dyn VideoEncoder> {
    video_encoder(codec, VideoSettings { bitrate, fps: FPS }).unwrap()
}

fn decoder(codec: Codec) -> Box<dyn VideoDecoder> {
    video_decoder(codec).unwrap()
}

fn at(number: u32) -> Duration {
    Duration::from_secs(1) * number / FPS
}

/// The pictures of the test source.
fn test_pictures(width: u16, height: u16, count: u32) -> Vec<I420> {
    let mut video = TestVideo::new(width, height, FPS).unwrap();
    let mut decoder = decoder(Codec::Vp8);
    (0..count).map(|_| decoder.decode(&video.next_frame(false)).unwrap().unwrap()).collect()
}

/// Waves that move, and grain that does not: neither flat nor easy.
fn waves(width: u32, height: u32, number: u32) -> I420 {
    let mut noise = 7_u32;
    let mut pixel = |x: u32, y: u32| {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let wave = |at: u32, length: f64| (f64::from(at) / length).sin();
        let light = 110.0 + 60.0 * wave(x + 3 * number, 19.0) + 40.0 * wave(y + number, 31.0);
        let byte = |value: f64| value.clamp(0.0, 255.0) as u8;
        [byte(light + f64::from(noise >> 28)), byte(light), byte(220.0 - light)]
    };
    let pixels = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
    let rgb: Vec<u8> = pixels.flat_map(|(x, y)| pixel(x, y)).collect();
    I420::from_rgb(width, height, &rgb).unwrap()
}

/// All planes without gaps.
fn bytes(picture: &I420) -> Vec<u8> {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let (half_width, half_height) = (width.div_ceil(2), height.div_ceil(2));
    let sides = [(width, height), (half_width, half_height), (half_width, half_height)];
    let planes = [picture.y(), picture.u(), picture.v()];
    let rows = planes.into_iter().zip(sides).flat_map(|(plane, (width, height))| {
        plane.data.chunks(plane.stride).take(height).map(move |row| &row[..width])
    });
    rows.flatten().copied().collect()
}

/// Decibels, of all planes together.
fn psnr(a: &I420, b: &I420) -> f64 {
    assert_eq!((a.width(), a.height()), (b.width(), b.height()));
    let (a, b) = (bytes(a), bytes(b));
    let error: f64 = a.iter().zip(&b).map(|(a, b)| f64::from(a.abs_diff(*b)).powi(2)).sum();
    10.0 * (255.0 * 255.0 * a.len() as f64 / error.max(1e-9)).log10()
}
