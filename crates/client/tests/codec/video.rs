//! What encoders and decoders of pictures promise.

use peerway::codec::{CodecError, I420, VideoSettings, video_decoder, video_encoder};
use peerway::media::{Codec, EncodedFrame, frame_number};

use super::{FPS, VIDEO, at, bytes, decoder, encoder, psnr, test_pictures, waves};

#[test]
fn the_test_source_comes_out_as_it_went_in() {
    for codec in VIDEO {
        let (mut encoder, mut decoder) = (encoder(codec, 800_000), decoder(codec));
        let mut worst = f64::INFINITY;
        let mut left_out = 0;
        for (number, picture) in (0..).zip(test_pictures(320, 240, 60)) {
            let Some(frame) = encoder.encode(&picture, at(number)).unwrap() else {
                left_out += 1;
                continue;
            };
            assert_eq!((frame.codec, frame.keyframe), (codec, number == 0));
            assert_eq!(frame.timestamp.as_duration().as_millis(), at(number).as_millis());
            let decoded = decoder.decode(&frame).unwrap().unwrap();
            let luma = decoded.y();
            assert_eq!(frame_number(luma.data, luma.stride), Some(number), "{codec}");
            worst = worst.min(psnr(&picture, &decoded));
        }
        println!("{codec}: {worst:.1} dB or more, {left_out} of 60 left out");
        assert!(worst > 45.0, "{codec}: {worst} dB");
        assert!(left_out <= 6, "{codec}: {left_out}");
    }
}

#[test]
fn the_bit_rate_is_held_and_follows_a_change() {
    let pictures: Vec<_> = (0..180).map(|number| waves(320, 240, number)).collect();
    for codec in VIDEO {
        let (mut encoder, mut decoder) = (encoder(codec, 800_000), decoder(codec));
        let mut rates = Vec::new();
        let mut quality = Vec::new();
        for (index, bitrate) in (0..).zip([800_000, 250_000, 600_000]) {
            encoder.set_bitrate(bitrate);
            let (mut bits, mut worst) = (0, f64::INFINITY);
            for number in index * 60..(index + 1) * 60 {
                let picture = &pictures[number as usize];
                let Some(frame) = encoder.encode(picture, at(number)).unwrap() else { continue };
                let decoded = decoder.decode(&frame).unwrap().unwrap();
                // The second of two seconds.
                if number % 60 >= 30 {
                    bits += frame.data.len() * 8;
                    worst = worst.min(psnr(picture, &decoded));
                }
            }
            rates.push(bits as f64 / f64::from(bitrate));
            quality.push(worst);
        }
        println!("{codec}: {rates:.2?} of the bit rates wanted, {quality:.1?} dB or more");
        assert!(rates.iter().all(|rate| (0.6..1.3).contains(rate)), "{codec}: {rates:?}");
        assert!(quality.iter().all(|quality| *quality > 28.0), "{codec}: {quality:?}");
    }
}

#[test]
fn a_key_frame_that_is_asked_for_is_the_next_frame() {
    for codec in VIDEO {
        let mut encoder = encoder(codec, 2_000_000);
        let mut keyframes = Vec::new();
        let mut frames = Vec::new();
        for number in 0..12 {
            if number == 7 {
                encoder.request_key_frame();
            }
            let frame = encoder.encode(&waves(160, 128, number), at(number)).unwrap().unwrap();
            if frame.keyframe {
                keyframes.push(number);
            }
            frames.push(frame);
        }
        assert_eq!(keyframes, [0, 7], "{codec}");
        // Who comes late begins there.
        let mut decoder = decoder(codec);
        assert_eq!(decoder.decode(&frames[5]), Err(CodecError::NeedsKeyFrame));
        assert_eq!(decoder.decode(&frames[6]), Err(CodecError::NeedsKeyFrame));
        for (number, frame) in (7..).zip(&frames[7..]) {
            let decoded = decoder.decode(frame).unwrap().unwrap();
            let quality = psnr(&decoded, &waves(160, 128, number));
            assert!(quality > 25.0, "{codec}: {quality} dB");
        }
    }
}

#[test]
fn pictures_may_change_their_size() {
    for codec in VIDEO {
        let (mut encoder, mut decoder) = (encoder(codec, 2_000_000), decoder(codec));
        for (number, (width, height)) in (0..).zip([(320, 240), (320, 240), (160, 128), (160, 128)])
        {
            let picture = waves(width, height, number);
            let frame = encoder.encode(&picture, at(number)).unwrap().unwrap();
            assert_eq!(frame.keyframe, number % 2 == 0, "{codec} {number}");
            let decoded = decoder.decode(&frame).unwrap().unwrap();
            assert!(psnr(&decoded, &picture) > 25.0, "{codec} {number}");
        }
    }
}

#[test]
fn odd_sizes_work_or_are_refused_with_a_hint() {
    for codec in [Codec::Vp8, Codec::Vp9] {
        for (width, height) in [(161, 121), (16, 16), (33, 17)] {
            let (mut encoder, mut decoder) = (encoder(codec, 3_000_000), decoder(codec));
            for number in 0..3 {
                let picture = waves(width, height, number);
                let frame = encoder.encode(&picture, at(number)).unwrap().unwrap();
                let decoded = decoder.decode(&frame).unwrap().unwrap();
                let quality = psnr(&decoded, &picture);
                assert!(quality > 25.0, "{codec} {width}x{height}: {quality} dB");
            }
        }
    }
    let mut h264 = encoder(Codec::H264, 1_000_000);
    let error = h264.encode(&waves(161, 120, 0), at(0)).unwrap_err().to_string();
    assert!(error.contains("even numbers: crop or scale the picture of 161x120"), "{error}");
    for codec in VIDEO {
        let error =
            encoder(codec, 1_000_000).encode(&I420::black(8, 8).unwrap(), at(0)).unwrap_err();
        assert!(matches!(error, CodecError::Size { width: 8, .. }), "{codec}: {error}");
    }
}

#[test]
fn planes_with_strides_are_encoded_like_planes_without() {
    for codec in VIDEO {
        let packed = waves(160, 128, 3);
        let widen = |plane: peerway::codec::Plane<'_>, stride: usize| -> Vec<u8> {
            let pad = std::iter::repeat_n(99, stride - plane.stride);
            plane
                .data
                .chunks(plane.stride)
                .flat_map(|row| row.iter().copied().chain(pad.clone()))
                .collect()
        };
        let planes = [widen(packed.y(), 192), widen(packed.u(), 96), widen(packed.v(), 128)];
        let padded = I420::from_planes(160, 128, planes, [192, 96, 128]).unwrap();
        let encode =
            |picture: &I420| encoder(codec, 1_000_000).encode(picture, at(0)).unwrap().unwrap();
        assert!(encode(&padded) == encode(&packed), "{codec}");
        assert_eq!(bytes(&padded), bytes(&packed));
    }
}

#[test]
fn a_lost_frame_waits_for_a_key_frame() {
    for codec in VIDEO {
        let (mut encoder, mut decoder) = (encoder(codec, 2_000_000), decoder(codec));
        for number in 0..9 {
            if number == 7 {
                encoder.request_key_frame();
            }
            let mut frame = encoder.encode(&waves(160, 128, number), at(number)).unwrap().unwrap();
            if number == 4 {
                continue;
            }
            frame.contiguous = number != 5;
            let decoded = decoder.decode(&frame);
            assert_eq!(
                decoded == Err(CodecError::NeedsKeyFrame),
                (5..7).contains(&number),
                "{codec}"
            );
        }
    }
}

#[test]
fn damaged_frames_are_errors_and_a_key_frame_heals() {
    let mut random = 88_172_645_463_325_252_u64;
    let mut below = |limit: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        usize::try_from(random % limit as u64).unwrap()
    };
    for codec in VIDEO {
        let mut encoder = encoder(codec, 500_000);
        let pictures = (0..8).map(|number| (number, waves(128, 112, number)));
        let frames: Vec<_> = pictures
            .filter_map(|(number, picture)| encoder.encode(&picture, at(number)).unwrap())
            .collect();
        let (mut decoded, mut refused) = (0, 0);
        for _ in 0..100 {
            let mut decoder = decoder(codec);
            for frame in &frames {
                let mut frame = frame.clone();
                for _ in 0..=below(5) {
                    let limit = if below(2) == 0 { 24 } else { frame.data.len() };
                    let place = below(limit);
                    if let Some(byte) = frame.data.get_mut(place) {
                        *byte = below(256) as u8;
                    }
                }
                if below(5) == 0 {
                    let length = below(frame.data.len());
                    frame.data.truncate(length);
                }
                match decoder.decode(&frame) {
                    Ok(_) => decoded += 1,
                    Err(CodecError::Stream { reason, .. }) => {
                        assert!(!reason.contains("panicked"), "{codec}: {reason}");
                        refused += 1;
                    }
                    Err(CodecError::NeedsKeyFrame) => {}
                    Err(error) => panic!("{codec}: {error}"),
                }
            }
            assert!(decoder.decode(&frames[0]).unwrap().is_some(), "{codec}");
        }
        println!("{codec}: {decoded} damaged frames decoded, {refused} refused");
        assert!(refused > 50, "{codec}: {refused}");
    }
}

#[test]
fn what_there_is_not_is_told() {
    let settings = VideoSettings::default();
    let error = |codec| video_encoder(codec, settings).err().unwrap().to_string();
    assert!(
        error(Codec::Av1).starts_with("peerway brings no encoder or decoder for pictures in AV1")
    );
    assert!(error(Codec::Opus).contains("pictures in opus"));
    let none = VideoSettings { fps: 0, ..settings };
    assert_eq!(video_encoder(Codec::Vp8, none).err(), Some(CodecError::FrameRate(0)));
    let frame = encoder(Codec::Vp8, 100_000).encode(&waves(64, 64, 0), at(0)).unwrap().unwrap();
    let other = video_decoder(Codec::Vp9).unwrap().decode(&frame).unwrap_err();
    assert_eq!(other.to_string(), "this decoder is for VP9: the frame is VP8");
    assert_eq!(FPS, settings.fps);
    let empty = EncodedFrame { data: Vec::new(), ..frame };
    assert!(decoder(Codec::Vp8).decode(&empty).is_err());
}
