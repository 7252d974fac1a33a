//! Frame headers (RFC 6386, sections 9 and 19).

use super::bools::BoolEncoder;
use super::tables::{COEFFICIENT_UPDATES, MOTION_UPDATES};

/// With this index a step of Y2 is 64, which is one in luma, and a step of chroma is 32, which is 4
/// (section 14.1).
const QUANTIZER: u32 = 35;

/// How probable the choices of this frame's macroblocks are, of 256.
#[derive(Debug, Clone, Copy)]
pub(super) struct Odds {
    /// That there are coefficients.
    pub(super) coded: u8,
    /// That the frame before is not used.
    pub(super) intra: u8,
}

/// The three bytes before everything: kind of frame, shown, length of the first partition.
pub(super) fn tag(keyframe: bool, length: usize) -> Vec<u8> {
    const SHOWN: u32 = 1 << 4;
    // A picture of the largest size takes 100 KB if no two neighbours are the same.
    let length = u32::try_from(length).unwrap_or(u32::MAX) << 5;
    (u32::from(!keyframe) | SHOWN | length).to_le_bytes()[..3].to_vec()
}

/// What key frames have besides.
pub(super) fn start(width: u16, height: u16) -> Vec<u8> {
    let ([w0, w1], [h0, h1]) = (width.to_le_bytes(), height.to_le_bytes());
    vec![0x9D, 0x01, 0x2A, w0, w1, h0, h1]
}

pub(super) fn write(bools: &mut BoolEncoder, keyframe: bool, odds: Odds) {
    if keyframe {
        bools.literal(0, 1); // color_space
        bools.literal(0, 1); // clamping_type
    }
    bools.literal(0, 1); // segmentation_enabled
    bools.literal(0, 1); // filter_type
    bools.literal(0, 6); // loop_filter_level: off
    bools.literal(0, 3); // sharpness_level
    bools.literal(0, 1); // loop_filter_adj_enable
    bools.literal(0, 2); // one partition of coefficients
    bools.literal(QUANTIZER, 7);
    bools.literal(0, 5); // no index differs
    if !keyframe {
        bools.literal(0, 2); // refresh_golden_frame, refresh_alternate_frame
        bools.literal(0, 4); // nor copy to them
        bools.literal(0, 2); // sign_bias
    }
    bools.literal(1, 1); // refresh_entropy_probs
    if !keyframe {
        bools.literal(1, 1); // refresh_last
    }
    for updates in COEFFICIENT_UPDATES {
        let certain = std::iter::repeat_n(&255, 11 - updates.len());
        for zero in updates.iter().chain(certain) {
            bools.put(false, *zero);
        }
    }
    bools.literal(1, 1); // mb_no_skip_coeff
    bools.literal(odds.coded.into(), 8);
    if !keyframe {
        bools.literal(odds.intra.into(), 8);
        bools.literal(255, 8); // prob_last
        bools.literal(128, 8); // prob_gf
        bools.literal(0, 2); // prediction modes keep their odds
        for zero in MOTION_UPDATES {
            bools.put(false, zero);
        }
    }
}
