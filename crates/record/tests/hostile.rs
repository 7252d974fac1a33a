//! Frames come from strangers: whatever they are, a writer says so or writes them.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use peerway_record::{Codec, Frame, ivf, ogg, size, webm};
use proptest::prelude::*;

const CODECS: [Codec; 7] =
    [Codec::Vp8, Codec::Vp9, Codec::H264, Codec::Av1, Codec::Opus, Codec::Pcmu, Codec::Pcma];

/// Beginnings of key frames, so that chance comes far.
const BEGINNINGS: [&[u8]; 5] = [
    b"",
    b"\x10\0\0\x9D\x01\x2A",
    b"\x82\x49\x83\x42",
    b"\0\0\0\x01\x67\x64\0\x0D\xAC",
    b"\x0A\x0B\0\0\0",
];

fn data() -> impl Strategy<Value = Vec<u8>> {
    let ends = prop::collection::vec(any::<u8>(), 0..80);
    (prop::sample::select(&BEGINNINGS[..]), ends).prop_map(|(start, end)| [start, &end].concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn no_frame_makes_a_writer_fail(
        frames in prop::collection::vec(
            (prop::sample::select(&CODECS[..]), data(), any::<u64>(), any::<bool>(), 0..20_u32),
            1..40,
        )
    ) {
        let mut files = [const { Vec::new() }; 3];
        let [webm_file, ivf_file, ogg_file] = &mut files;
        let (mut webm, mut ivf, mut ogg) =
            (webm::Writer::new(), ivf::Writer::new(), ogg::Writer::new());
        for (codec, data, nanos, keyframe, track) in &frames {
            let timestamp = Duration::from_nanos(*nanos >> (nanos % 64));
            let frame = Frame { codec: *codec, data, timestamp, keyframe: *keyframe };
            size(*codec, data);
            if let Ok(output) = webm.write(*track, &frame) {
                output.apply(webm_file);
            }
            if let Ok(output) = ivf.write(&frame) {
                output.apply(ivf_file);
            }
            if let Ok(output) = ogg.write(&Frame { timestamp: timestamp / 1_000_000, ..frame }) {
                output.apply(ogg_file);
            }
        }
        webm.finish().apply(webm_file);
        ivf.finish().apply(ivf_file);
        ogg.finish().apply(ogg_file);
        prop_assert!(webm_file.is_empty() || webm_file.len() > 4096);
    }
}
