//! Raw pictures.

use super::CodecError;

const MAX_SIDE: u32 = 16_384;

/// A picture as codecs have it: brightness (Y) for each pixel, colour (U and V) for each square of 2 x 2
/// pixels, a byte each. To and from RGB it is BT.601 in its limited range (16 to 235), which is what
/// browsers take a call's video for.
#[derive(Clone, PartialEq, Eq)]
pub struct I420 {
    width: u32,
    height: u32,
    planes: [Vec<u8>; 3],
    strides: [usize; 3],
}

/// One plane of a picture.
#[derive(Debug, Clone, Copy)]
pub struct Plane<'a> {
    /// Row by row, at least `stride` times the rows.
    pub data: &'a [u8],
    /// Bytes from one row to the next, at least as many as a row has.
    pub stride: usize,
}

impl Plane<'_> {
    fn at(self, x: usize, y: usize) -> i32 {
        i32::from(self.data[y * self.stride + x])
    }
}

impl I420 {
    /// A black picture.
    ///
    /// # Errors
    ///
    /// [`CodecError::NoPicture`] for sides of 0 or over 16384 pixels.
    pub fn black(width: u32, height: u32) -> Result<Self, CodecError> {
        let [luma, chroma, _] = sides(width, height)?;
        let plane = |(width, height), value| vec![value; width * height];
        Ok(Self {
            width,
            height,
            planes: [plane(luma, 16), plane(chroma, 128), plane(chroma, 128)],
            strides: [luma.0, chroma.0, chroma.0],
        })
    }

    /// A picture of planes Y, U and V as a camera or a decoder has them. Sides of U and V are half of
    /// the picture's, rounded up.
    ///
    /// # Errors
    ///
    /// [`CodecError::NoPicture`], and [`CodecError::Plane`] for a plane that is too short.
    pub fn from_planes(
        width: u32,
        height: u32,
        planes: [Vec<u8>; 3],
        strides: [usize; 3],
    ) -> Result<Self, CodecError> {
        let sides = sides(width, height)?;
        for (index, name) in ["Y", "U", "V"].into_iter().enumerate() {
            check(name, sides[index], strides[index], planes[index].len())?;
        }
        Ok(Self { width, height, planes, strides })
    }

    /// A picture of 3 bytes for each pixel, without gaps.
    ///
    /// # Errors
    ///
    /// As [`from_planes`](Self::from_planes).
    pub fn from_rgb(width: u32, height: u32, rgb: &[u8]) -> Result<Self, CodecError> {
        Self::from_pixels::<3>("RGB", width, height, rgb)
    }

    /// A picture of 4 bytes for each pixel, without gaps. The fourth is not looked at.
    ///
    /// # Errors
    ///
    /// As [`from_planes`](Self::from_planes).
    pub fn from_rgba(width: u32, height: u32, rgba: &[u8]) -> Result<Self, CodecError> {
        Self::from_pixels::<4>("RGBA", width, height, rgba)
    }

    fn from_pixels<const BYTES: usize>(
        name: &'static str,
        width: u32,
        height: u32,
        pixels: &[u8],
    ) -> Result<Self, CodecError> {
        let mut picture = Self::black(width, height)?;
        let [(columns, rows), (half_columns, half_rows), _] = sides(width, height)?;
        check(name, (columns * BYTES, rows), columns * BYTES, pixels.len())?;
        let rgb = |x: usize, y: usize| {
            let start = (y.min(rows - 1) * columns + x.min(columns - 1)) * BYTES;
            [0, 1, 2].map(|index| i32::from(pixels[start + index]))
        };
        for y in 0..rows {
            for x in 0..columns {
                let [r, g, b] = rgb(x, y);
                picture.planes[0][y * columns + x] =
                    byte(((66 * r + 129 * g + 25 * b + 128) >> 8) + 16);
            }
        }
        for y in 0..half_rows {
            for x in 0..half_columns {
                let (x2, y2) = (2 * x, 2 * y);
                let square = [rgb(x2, y2), rgb(x2 + 1, y2), rgb(x2, y2 + 1), rgb(x2 + 1, y2 + 1)];
                let [r, g, b] = [0, 1, 2]
                    .map(|index| (square.iter().map(|pixel| pixel[index]).sum::<i32>() + 2) / 4);
                let place = y * half_columns + x;
                picture.planes[1][place] = byte(((-38 * r - 74 * g + 112 * b + 128) >> 8) + 128);
                picture.planes[2][place] = byte(((112 * r - 94 * g - 18 * b + 128) >> 8) + 128);
            }
        }
        Ok(picture)
    }

    /// Pixels.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Pixels.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// Brightness.
    pub fn y(&self) -> Plane<'_> {
        self.plane(0)
    }

    /// Blue less brightness; half the width and height, rounded up.
    pub fn u(&self) -> Plane<'_> {
        self.plane(1)
    }

    /// Red less brightness; half the width and height, rounded up.
    pub fn v(&self) -> Plane<'_> {
        self.plane(2)
    }

    fn plane(&self, index: usize) -> Plane<'_> {
        Plane { data: &self.planes[index], stride: self.strides[index] }
    }

    /// The planes Y, U and V to draw in. Their strides stay.
    pub fn planes_mut(&mut self) -> [&mut [u8]; 3] {
        self.planes.each_mut().map(Vec::as_mut_slice)
    }

    /// 3 bytes for each pixel, without gaps.
    pub fn to_rgb(&self) -> Vec<u8> {
        self.to_pixels(|rgb| rgb)
    }

    /// 4 bytes for each pixel, without gaps, the fourth being 255.
    pub fn to_rgba(&self) -> Vec<u8> {
        self.to_pixels(|[r, g, b]| [r, g, b, u8::MAX])
    }

    fn to_pixels<const BYTES: usize>(&self, pixel: impl Fn([u8; 3]) -> [u8; BYTES]) -> Vec<u8> {
        let (columns, rows) = (index(self.width), index(self.height));
        let mut pixels = Vec::with_capacity(columns * rows * BYTES);
        for y in 0..rows {
            for x in 0..columns {
                let luma = 298 * (self.y().at(x, y) - 16) + 128;
                let blue = self.u().at(x / 2, y / 2) - 128;
                let red = self.v().at(x / 2, y / 2) - 128;
                pixels.extend(pixel([
                    byte((luma + 409 * red) >> 8),
                    byte((luma - 100 * blue - 208 * red) >> 8),
                    byte((luma + 516 * blue) >> 8),
                ]));
            }
        }
        pixels
    }
}

impl std::fmt::Debug for I420 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("I420")
            .field("width", &self.width)
            .field("height", &self.height)
            .finish_non_exhaustive()
    }
}

/// Width and height of each plane.
fn sides(width: u32, height: u32) -> Result<[(usize, usize); 3], CodecError> {
    let valid = 1..=MAX_SIDE;
    if !valid.contains(&width) || !valid.contains(&height) {
        return Err(CodecError::NoPicture { width, height });
    }
    let chroma = (index(width.div_ceil(2)), index(height.div_ceil(2)));
    Ok([(index(width), index(height)), chroma, chroma])
}

fn check(
    plane: &'static str,
    (width, height): (usize, usize),
    stride: usize,
    bytes: usize,
) -> Result<(), CodecError> {
    if stride >= width && stride.checked_mul(height).is_some_and(|needed| bytes >= needed) {
        Ok(())
    } else {
        Err(CodecError::Plane { plane, width, height, stride, bytes })
    }
}

fn index(side: u32) -> usize {
    usize::try_from(side).expect("at most 16384")
}

fn byte(value: i32) -> u8 {
    u8::try_from(value.clamp(0, 255)).expect("clamped")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_survive_within_rounding() {
        for color in
            [[0, 0, 0], [255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255], [90, 140, 30]]
        {
            let picture = I420::from_rgb(5, 3, &color.repeat(15)).unwrap();
            for pixel in picture.to_rgb().chunks(3) {
                for (a, b) in pixel.iter().zip(color) {
                    assert!(a.abs_diff(b) <= 3, "{color:?} became {pixel:?}");
                }
            }
        }
    }

    #[test]
    fn odd_sides_have_chroma_at_their_edges() {
        let picture = I420::from_rgba(3, 3, &[[9, 8, 7, 0]; 9].concat()).unwrap();
        assert_eq!((picture.u().data.len(), picture.u().stride), (4, 2));
        assert_eq!(picture.to_rgba().len(), 36);
        assert_eq!(picture.to_rgba()[35], 255);
    }

    #[test]
    fn known_values_of_bt_601() {
        let red = I420::from_rgb(2, 2, &[255, 0, 0].repeat(4)).unwrap();
        assert_eq!((red.y().data[0], red.u().data[0], red.v().data[0]), (82, 90, 240));
        let white = I420::from_rgb(2, 2, &[255; 12]).unwrap();
        assert_eq!((white.y().data[0], white.u().data[0], white.v().data[0]), (235, 128, 128));
    }

    #[test]
    fn short_planes_are_told_by_name() {
        let planes = |y, u, v| [vec![0; y], vec![0; u], vec![0; v]];
        assert!(I420::from_planes(4, 4, planes(16, 4, 4), [4, 2, 2]).is_ok());
        assert!(I420::from_planes(4, 4, planes(32, 8, 8), [8, 4, 4]).is_ok());
        let error = I420::from_planes(4, 4, planes(16, 3, 4), [4, 2, 2]).unwrap_err();
        assert!(error.to_string().starts_with("plane U needs"), "{error}");
        let error = I420::from_planes(4, 4, planes(16, 4, 4), [3, 2, 2]).unwrap_err();
        assert!(error.to_string().starts_with("plane Y needs"), "{error}");
        assert!(I420::from_planes(4, 4, planes(16, 4, 4), [usize::MAX, 2, 2]).is_err());
        assert!(I420::black(0, 4).is_err());
        assert!(I420::from_rgb(2, 2, &[0; 11]).is_err());
    }
}
