//! Sound.

use std::time::Duration;

use peerway::codec::{
    AudioDecoder, AudioEncoder, AudioSettings, CodecError, OpusDecoder, OpusEncoder,
};
use peerway::codec::{audio_decoder, audio_encoder};
use peerway::media::{Codec, EncodedFrame, Recorder, TestTone};

use super::ffmpeg::{Directory, ffmpeg};

const RATE: f64 = 48_000.0;

fn settings() -> AudioSettings {
    AudioSettings::default()
}

fn at(number: u32) -> Duration {
    Duration::from_millis(20) * number
}

/// A frame of 20 ms, for each channel a tone of its own, at -12 dB.
fn tones(tones: &[f64], number: u32) -> Vec<i16> {
    let sample = |at: u32, hertz: f64| {
        ((f64::from(at) / RATE * hertz * std::f64::consts::TAU).sin() * 8_192.0) as i16
    };
    (number * 960..(number + 1) * 960)
        .flat_map(|at| tones.iter().map(move |hertz| sample(at, *hertz)))
        .collect()
}

/// Hertz of the strongest tone, in steps of 5.
pub fn dominant(samples: &[i16]) -> u32 {
    let power = |hertz: u32| {
        let step = f64::from(hertz) / RATE * std::f64::consts::TAU;
        let (mut sine, mut cosine, mut phase) = (0.0, 0.0, 0.0_f64);
        for sample in samples {
            sine += phase.sin() * f64::from(*sample);
            cosine += phase.cos() * f64::from(*sample);
            phase += step;
        }
        sine * sine + cosine * cosine
    };
    let tones = (50..4_000).step_by(5);
    tones.max_by(|a, b| power(*a).total_cmp(&power(*b))).unwrap()
}

fn level(samples: &[i16]) -> f64 {
    let power: f64 = samples.iter().map(|sample| f64::from(*sample).powi(2)).sum();
    (power / samples.len().max(1) as f64).sqrt()
}

fn encode(encoder: &mut OpusEncoder, hertz: &[f64], count: u32) -> Vec<EncodedFrame> {
    (0..count)
        .filter_map(|number| encoder.encode(&tones(hertz, number), at(number)).unwrap())
        .collect()
}

#[test]
fn a_tone_stays_that_tone_in_each_channel() {
    for (hertz, music) in [(&[440.0][..], false), (&[440.0, 1_000.0], true)] {
        let channels = u8::try_from(hertz.len()).unwrap();
        let settings = AudioSettings { channels, music, bitrate: 64_000, ..settings() };
        let mut encoder = OpusEncoder::new(settings).unwrap();
        assert_eq!(encoder.frame_samples(), 960 * hertz.len());
        let mut decoder = OpusDecoder::new(channels).unwrap();
        let frames = encode(&mut encoder, hertz, 50);
        let sound: Vec<i16> =
            frames.iter().flat_map(|frame| decoder.decode(frame).unwrap()).collect();
        assert_eq!(sound.len(), 48_000 * hertz.len());
        assert_eq!(frames[49].timestamp.ticks, 49 * 960);
        for (channel, hertz) in hertz.iter().enumerate() {
            let samples: Vec<_> =
                sound.iter().skip(channel).step_by(usize::from(channels)).copied().collect();
            let samples = &samples[24_000..28_800];
            assert!((f64::from(dominant(samples)) - hertz).abs() <= 5.0);
            let level = level(samples);
            assert!((5_000.0..6_600.0).contains(&level), "{level}, not 5793");
        }
    }
}

#[test]
fn floats_are_the_same_sound() {
    let mut encoder = OpusEncoder::new(settings()).unwrap();
    let mut decoder = OpusDecoder::new(1).unwrap();
    let mut sound = Vec::new();
    for number in 0..20 {
        let samples: Vec<_> = tones(&[440.0], number)
            .into_iter()
            .map(|sample| f32::from(sample) / 32_768.0)
            .collect();
        let frame = encoder.encode_f32(&samples, at(number)).unwrap().unwrap();
        sound.extend(decoder.decode_f32(&frame).unwrap());
    }
    let peak = sound[9_600..].iter().fold(0.0_f32, |peak, sample| peak.max(sample.abs()));
    assert!((0.2..0.35).contains(&peak), "{peak}, not 0.25");
}

#[test]
fn a_lost_packet_is_concealed_at_the_level_of_its_neighbours() {
    for (lost, expected_loss) in [(20..21, 0), (20..23, 0), (20..21, 20)] {
        let mut encoder = OpusEncoder::new(AudioSettings { expected_loss, ..settings() }).unwrap();
        let mut decoder = OpusDecoder::new(1).unwrap();
        let mut sound = Vec::new();
        for (number, frame) in (0..).zip(encode(&mut encoder, &[440.0], 40)) {
            if lost.contains(&number) {
                continue;
            }
            let frame = EncodedFrame { contiguous: number != lost.end, ..frame };
            let samples = decoder.decode(&frame).unwrap();
            let frames = if frame.contiguous { 1 } else { 1 + lost.len() };
            assert_eq!(samples.len(), 960 * frames);
            sound.extend(samples);
        }
        assert_eq!(sound.len(), 40 * 960, "nothing is missing");
        let first = &sound[20 * 960..21 * 960];
        assert!(level(first) > 2_000.0, "{}", level(first));
        assert!((f64::from(dominant(first)) - 440.0).abs() <= 30.0, "{}", dominant(first));
    }
}

#[test]
fn what_is_concealed_by_hand_is_not_concealed_again() {
    let frames = encode(&mut OpusEncoder::new(settings()).unwrap(), &[440.0], 12);
    let mut decoder = OpusDecoder::new(1).unwrap();
    for frame in &frames[..10] {
        decoder.decode(frame).unwrap();
    }
    assert_eq!(decoder.conceal().len(), 960);
    let frame = EncodedFrame { contiguous: false, ..frames[11].clone() };
    assert_eq!(decoder.decode(&frame).unwrap().len(), 960);
    // An outage is not filled with seconds of sound.
    let mut late = EncodedFrame { contiguous: false, ..frames[0].clone() };
    late.timestamp.ticks = 48_000 * 3_600;
    assert_eq!(decoder.decode(&late).unwrap().len(), 7 * 960);
}

#[test]
fn the_bit_rate_changes_while_it_runs() {
    let mut encoder = OpusEncoder::new(AudioSettings { music: true, ..settings() }).unwrap();
    let rate = |encoder: &mut OpusEncoder| {
        let frames = encode(encoder, &[440.0], 50);
        frames.iter().map(|frame| frame.data.len() * 8).sum::<usize>()
    };
    encoder.set_bitrate(96_000);
    let high = rate(&mut encoder);
    encoder.set_bitrate(16_000);
    let low = rate(&mut encoder);
    println!("{high} bit/s for 96000, {low} for 16000");
    assert!(high > 2 * low, "{high} and {low}");
    assert!((10_000..24_000).contains(&low), "{low}");
}

#[test]
fn silence_is_not_sent_if_so_wished() {
    for (dtx, most) in [(false, 100), (true, 40)] {
        let mut encoder = OpusEncoder::new(AudioSettings { dtx, ..settings() }).unwrap();
        let frames = (0..100).filter_map(|number| encoder.encode(&[0; 960], at(number)).unwrap());
        let count = frames.count();
        assert!(count <= most && (dtx || count == 100), "{count} of 100 frames, DTX {dtx}");
    }
}

#[test]
fn what_does_not_fit_is_told_with_what_to_do() {
    let error = |settings| OpusEncoder::new(settings).unwrap_err().to_string();
    let rate = error(AudioSettings { sample_rate: 44_100, ..settings() });
    assert!(rate.ends_with("resample from 44100"), "{rate}");
    let channels = error(AudioSettings { channels: 6, ..settings() });
    assert!(channels.ends_with("mix down from 6"), "{channels}");
    let frame = error(AudioSettings { frame: Duration::from_millis(21), ..settings() });
    assert!(frame.ends_with("not 21ms"), "{frame}");
    let mut encoder = OpusEncoder::new(settings()).unwrap();
    let samples = encoder.encode(&[0; 441], at(0)).unwrap_err();
    assert_eq!(samples, CodecError::Samples { expected: 960, actual: 441 });
    let g711 = audio_encoder(Codec::Pcmu, settings()).err().unwrap().to_string();
    assert!(g711.contains("sound in PCMU"), "{g711}");
    assert!(audio_decoder(Codec::Vp8, 1).is_err());
    for (sample_rate, micros) in
        [(8_000, 20_000), (16_000, 60_000), (24_000, 2_500), (12_000, 10_000)]
    {
        let frame = Duration::from_micros(micros);
        let mut encoder =
            OpusEncoder::new(AudioSettings { sample_rate, frame, ..settings() }).unwrap();
        let samples = vec![100; encoder.frame_samples()];
        let frame = encoder.encode(&samples, at(0)).unwrap().unwrap();
        let decoded = OpusDecoder::new(2).unwrap().decode(&frame).unwrap();
        assert_eq!(decoded.len() as u64, micros * 48 / 1_000 * 2);
    }
}

#[test]
fn damaged_packets_are_no_more_than_errors() {
    let mut random = 4_101_842_887_655_102_017_u64;
    let mut below = |limit: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        usize::try_from(random % limit as u64).unwrap()
    };
    let frames = encode(&mut OpusEncoder::new(settings()).unwrap(), &[700.0], 20);
    for _ in 0..200 {
        let mut decoder = OpusDecoder::new(1).unwrap();
        for frame in &frames {
            let mut frame = EncodedFrame { contiguous: below(4) > 0, ..frame.clone() };
            for _ in 0..below(6) {
                let place = below(frame.data.len());
                frame.data[place] = below(256) as u8;
            }
            let length = below(frame.data.len() + 60);
            frame.data.truncate(length);
            match decoder.decode(&frame) {
                Ok(samples) => assert!(samples.len() <= 2 * 5_760),
                Err(CodecError::Stream { reason, .. }) => {
                    assert!(!reason.contains("panicked"), "{reason}");
                }
                Err(error) => panic!("{error}"),
            }
        }
    }
}

#[test]
fn libopus_and_we_understand_each_other() {
    // The test source's Opus comes from libopus.
    let mut tone = TestTone::new(Codec::Opus).unwrap();
    let mut decoder = OpusDecoder::new(1).unwrap();
    let sound: Vec<i16> =
        (0..50).flat_map(|_| decoder.decode(&tone.next_frame()).unwrap()).collect();
    assert_eq!(dominant(&sound[24_000..28_800]), 440);
    let loud = level(&sound[24_000..28_800]);
    assert!((2_100.0..2_550.0).contains(&loud), "{loud}, not 2317 (-20 dBFS)");

    // ffmpeg decodes ours with libopus; the recording is Ogg.
    let directory = Directory::new("opus");
    let path = directory.path("ours.ogg");
    let mut recorder = Recorder::replace(&path).unwrap();
    let mut decoder = OpusDecoder::new(1).unwrap();
    let mut ours = Vec::new();
    let bitrate = 64_000;
    let mut encoder =
        OpusEncoder::new(AudioSettings { music: true, bitrate, ..settings() }).unwrap();
    for frame in encode(&mut encoder, &[440.0], 100) {
        ours.extend(decoder.decode(&frame).unwrap());
        recorder.write(0, &frame).unwrap();
    }
    recorder.finish().unwrap();
    let file = path.to_str().unwrap();
    let theirs = ffmpeg(&["-c:a", "libopus", "-i", file, "-ac", "1", "-f", "s16le", "-"]);
    let theirs: Vec<_> =
        theirs.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
    assert_eq!(dominant(&theirs[24_000..28_800]), 440);
    // libopus leaves out what the file says is the encoder's delay.
    let best = (0..2_000).map(|delay| {
        let pairs = || ours[delay + 9_600..].iter().zip(&theirs[9_600..57_600]);
        let error: f64 = pairs().map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum();
        error
    });
    let best = best.min_by(f64::total_cmp).unwrap();
    let signal: f64 = theirs[9_600..57_600].iter().map(|sample| f64::from(*sample).powi(2)).sum();
    let ratio = 10.0 * (signal / best.max(1.0)).log10();
    println!("libopus and we differ by {ratio:.1} dB");
    assert!(ratio > 50.0, "{ratio} dB");
}
