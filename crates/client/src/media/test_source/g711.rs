//! G.711: a sample in eight bits, on a scale that is finer where it is quiet.
//!
//! ```text
//!   sign  segment, 3 bits: place of the highest bit  step, 4 bits: the next lower ones
//! ```

/// µ-law: 13 bits and sign, on a scale that is moved by 33; all bits inverted on the wire.
pub(super) fn mu_law(sample: i16) -> u8 {
    const BIAS: u16 = 33;
    const MOST: u16 = 8_158;
    let magnitude = (sample.unsigned_abs() >> 2).min(MOST) + BIAS;
    // The highest bit is one of 5 to 12.
    let segment = 10 - magnitude.leading_zeros();
    !pack(sample < 0, segment, magnitude >> (segment + 1))
}

/// A-law: 12 bits and sign, which is set for positive ones; every second bit inverted.
pub(super) fn a_law(sample: i16) -> u8 {
    let magnitude = if sample < 0 { !sample } else { sample }.unsigned_abs() >> 3;
    // The highest bit is one of 5 to 11; below, the scale is even.
    let segment = 11 - magnitude.leading_zeros().min(11);
    pack(sample >= 0, segment, magnitude >> segment.max(1)) ^ 0x55
}

fn pack(sign: bool, segment: u32, step: u16) -> u8 {
    let [step, ..] = step.to_le_bytes();
    let [segment, ..] = segment.to_le_bytes();
    u8::from(sign) << 7 | segment << 4 | step & 0x0F
}
