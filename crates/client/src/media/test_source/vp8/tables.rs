//! Constants of the format (RFC 6386), as far as flat pictures need them.

use super::macroblock::Block;

/// Odds of prediction modes.
#[derive(Debug)]
pub(super) struct Modes {
    pub(super) luma: [u8; 4],
    pub(super) chroma: [u8; 3],
}

/// Sections 11.2 and 11.3.
pub(super) const KEY_MODES: Modes = Modes { luma: [145, 156, 163, 128], chroma: [142, 114, 183] };
/// Section 16.1.
pub(super) const INTER_MODES: Modes = Modes { luma: [112, 86, 140, 37], chroma: [162, 101, 204] };

/// That a macroblock does not move, by the weight of neighbours that do not (section 16.3).
pub(super) const ZERO_MOTION: [u8; 6] = [7, 14, 135, 60, 159, 234];

/// Block type 1 of section 13.5: bands 0 and 1.
pub(super) const Y2: Block = Block {
    first: [
        [198, 35, 237, 223, 193, 187, 162, 160, 145, 155, 62],
        [131, 45, 198, 221, 172, 176, 220, 157, 252, 221, 1],
        [68, 47, 146, 208, 149, 167, 221, 162, 255, 223, 128],
    ],
    end: [184, 81],
};
/// Block type 2.
pub(super) const CHROMA: Block = Block {
    first: [
        [253, 9, 248, 251, 207, 208, 255, 192, 128, 128, 128],
        [175, 13, 224, 243, 193, 185, 249, 198, 255, 255, 128],
        [73, 17, 171, 221, 161, 179, 236, 167, 255, 234, 128],
    ],
    end: [239, 155],
};
/// Block type 0: that a block of luma behind Y2 has nothing, next to others that have nothing.
pub(super) const FIRST_LUMA_END: u8 = 253;

/// The ranges of large coefficients: where each begins, and odds of its further bits
/// (section 13.2).
pub(super) const CATEGORIES: [(u32, &[u8]); 6] = [
    (5, &[159]),
    (7, &[165, 145]),
    (11, &[173, 148, 140]),
    (19, &[176, 155, 140, 135]),
    (35, &[180, 157, 141, 134, 130]),
    (67, &[254, 254, 243, 230, 196, 177, 153, 140, 133, 130, 129]),
];

/// That odds of coefficients stay as they are, in the order of section 13.4: for each of 4 block
/// types, 8 bands and 3 contexts those of 11 branches. The last ones of a row are 255.
#[rustfmt::skip]
pub(super) const COEFFICIENT_UPDATES: [&[u8]; 96] = [
    // Block type 0
    &[], &[], &[],
    &[176, 246], &[223, 241, 252], &[249, 253, 253],
    &[255, 244, 252], &[234, 254, 254], &[253],
    &[255, 246, 254], &[239, 253, 254], &[254, 255, 254],
    &[255, 248, 254], &[251, 255, 254], &[],
    &[255, 253, 254], &[251, 254, 254], &[254, 255, 254],
    &[255, 254, 253, 255, 254], &[250, 255, 254, 255, 254], &[254],
    &[], &[], &[],
    // Block type 1
    &[217], &[225, 252, 241, 253, 255, 255, 254], &[234, 250, 241, 250, 253, 255, 253, 254],
    &[255, 254], &[223, 254, 254], &[238, 253, 254, 254],
    &[255, 248, 254], &[249, 254], &[],
    &[255, 253], &[247, 254], &[],
    &[255, 253, 254], &[252], &[],
    &[255, 254, 254], &[253], &[],
    &[255, 254, 253], &[250], &[254],
    &[], &[], &[],
    // Block type 2
    &[186, 251, 250], &[234, 251, 244, 254], &[251, 251, 243, 253, 254, 255, 254],
    &[255, 253, 254], &[236, 253, 254], &[251, 253, 253, 254, 254],
    &[255, 254, 254], &[254, 254, 254], &[],
    &[255, 254], &[254, 254], &[254],
    &[], &[254], &[],
    &[], &[], &[],
    &[], &[], &[],
    &[], &[], &[],
    // Block type 3
    &[248], &[250, 254, 252, 254], &[248, 254, 249, 253],
    &[255, 253, 253], &[246, 253, 253], &[252, 254, 251, 254, 254],
    &[255, 254, 252], &[248, 254, 253], &[253, 255, 254, 254],
    &[255, 251, 254], &[245, 251, 254], &[253, 253, 254],
    &[255, 251, 253], &[252, 253, 254], &[255, 254],
    &[255, 252], &[249, 255, 254], &[255, 255, 254],
    &[255, 255, 253], &[250], &[],
    &[], &[254], &[],
];

/// That odds of motion vectors stay as they are (section 17.2).
#[rustfmt::skip]
pub(super) const MOTION_UPDATES: [u8; 38] = [
    237, 246, 253, 253, 254, 254, 254, 254, 254, 254, 254, 254, 254, 254, 250, 250, 252, 254, 254,
    231, 243, 245, 253, 254, 254, 254, 254, 254, 254, 254, 254, 254, 254, 251, 251, 254, 254, 254,
];
