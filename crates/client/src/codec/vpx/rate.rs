//! Which quantizer makes a stream of a given bit rate.

/// How much of the range of quantizers halves the bits of a frame, about.
const HALVES: f64 = 0.14;
/// How much of what it is off, in halvings, each frame corrects.
const GAIN: f64 = 0.2;
/// Debts are paid within that many seconds.
const PAY_WITHIN: f64 = 0.5;
/// With more debt than that many seconds, frames are left out.
const MAX_DEBT: f64 = 0.5;

/// A leaky bucket and an integrating controller, in floating point: nothing here has to be exact.
#[derive(Debug)]
pub(super) struct RateControl {
    /// Bits per second.
    bitrate: f64,
    fps: f64,
    finest: f64,
    coarsest: f64,
    quantizer: Option<f64>,
    /// Bits sent beyond the bit rate.
    debt: f64,
}

impl RateControl {
    /// Quantizers are what the codec has between `finest` and `coarsest`.
    pub(super) fn new(bitrate: u32, fps: u32, finest: u8, coarsest: u8) -> Self {
        Self {
            bitrate: f64::from(bitrate),
            fps: f64::from(fps),
            finest: f64::from(finest),
            coarsest: f64::from(coarsest),
            quantizer: None,
            debt: 0.0,
        }
    }

    pub(super) fn set_bitrate(&mut self, bitrate: u32) {
        let bitrate = f64::from(bitrate);
        let halvings = (self.bitrate / bitrate).log2();
        self.debt *= bitrate / self.bitrate;
        self.bitrate = bitrate;
        self.coarsen(halvings);
    }

    /// Whether the next frame is left out, which pays for the ones before.
    pub(super) fn skips(&mut self) -> bool {
        let skips = self.debt > MAX_DEBT * self.bitrate;
        if skips {
            self.debt -= self.bitrate / self.fps;
        }
        skips
    }

    /// The quantizer of the next frame.
    pub(super) fn quantizer(&mut self, pixels: u32) -> u8 {
        let first = || {
            let bits_per_pixel = self.bitrate / (self.fps * f64::from(pixels));
            let range = self.coarsest - self.finest;
            self.finest + range * (0.3 - HALVES * (bits_per_pixel / 0.1).log2()).clamp(0.1, 0.9)
        };
        let quantizer = self.quantizer.unwrap_or_else(first);
        self.quantizer = Some(quantizer);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between two u8"
        )]
        let rounded = quantizer.round() as u8;
        rounded
    }

    /// What became of it.
    pub(super) fn spent(&mut self, bytes: usize, keyframe: bool) {
        let bits = f64::from(u32::try_from(bytes).unwrap_or(u32::MAX)) * 8.0;
        let share = self.bitrate / self.fps;
        let allowed = (share - self.debt / (PAY_WITHIN * self.fps)).max(share / 4.0);
        self.debt = (self.debt + bits - share).clamp(-0.25 * self.bitrate, 3.0 * self.bitrate);
        // A key frame is larger than its share and says little about the frames behind it.
        if !keyframe {
            let halvings = (bits.max(1.0) / allowed).log2().clamp(-2.0, 2.0);
            self.coarsen(GAIN * halvings);
        }
    }

    fn coarsen(&mut self, halvings: f64) {
        let step = HALVES * halvings * (self.coarsest - self.finest);
        let (finest, coarsest) = (self.finest, self.coarsest);
        self.quantizer = self.quantizer.map(|now| (now + step).clamp(finest, coarsest));
    }
}

#[cfg(test)]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "small numbers"
)]
mod tests {
    use super::*;

    /// Bits of a frame as codecs have it, for a picture that needs so many at the finest.
    fn bytes(most: f64, quantizer: u8) -> usize {
        (most * 2f64.powf(-f64::from(quantizer) / 127.0 / 0.17)).max(10.0) as usize
    }

    fn bits_per_second(rate: &mut RateControl, seconds: u32, most: f64) -> f64 {
        let mut bits = 0;
        for _ in 0..seconds * 30 {
            if rate.skips() {
                continue;
            }
            let size = bytes(most, rate.quantizer(640 * 360));
            rate.spent(size, false);
            bits += size * 8;
        }
        bits as f64 / f64::from(seconds)
    }

    #[test]
    fn the_bit_rate_is_met_and_followed() {
        let mut rate = RateControl::new(1_000_000, 30, 4, 127);
        for (wanted, most) in [(1_000_000, 40_000.0), (250_000, 40_000.0), (800_000, 9_000.0)] {
            rate.set_bitrate(wanted);
            bits_per_second(&mut rate, 1, most);
            let actual = bits_per_second(&mut rate, 4, most);
            assert!((actual / f64::from(wanted) - 1.0).abs() < 0.1, "{actual} for {wanted}");
        }
    }

    #[test]
    fn what_cannot_be_coarser_is_left_out() {
        let mut rate = RateControl::new(30_000, 30, 4, 127);
        bits_per_second(&mut rate, 2, 400_000.0);
        let actual = bits_per_second(&mut rate, 10, 400_000.0);
        assert!((25_000.0..35_000.0).contains(&actual), "{actual}");
    }

    #[test]
    fn a_key_frame_is_paid_for() {
        let mut rate = RateControl::new(500_000, 30, 4, 127);
        bits_per_second(&mut rate, 3, 40_000.0);
        rate.spent(30_000, true);
        let actual = bits_per_second(&mut rate, 2, 40_000.0);
        assert!((340_000.0..420_000.0).contains(&actual), "{actual}");
    }
}
