//! What a test picture shows, in squares of 16 x 16 pixels.

/// A square: luma, and both chroma. Chroma differs from grey by a multiple of 4, which is what the
/// encoder can say exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Color {
    pub(super) y: u8,
    pub(super) u: u8,
    pub(super) v: u8,
}

impl Color {
    const fn new(y: u8, u: u8, v: u8) -> Self {
        Self { y, u, v }
    }
}

const WHITE: Color = Color::new(235, 128, 128);
const BLACK: Color = Color::new(16, 128, 128);
/// The bars of a television test card, from light to dark.
const BARS: [Color; 8] = [
    Color::new(180, 128, 128),
    Color::new(162, 44, 140),
    Color::new(131, 156, 44),
    Color::new(112, 72, 56),
    Color::new(84, 184, 200),
    Color::new(65, 100, 212),
    Color::new(35, 212, 116),
    BLACK,
];

/// Edge of a square in pixels: a macroblock of VP8.
pub(super) const SQUARE: usize = 16;
const CODE_COLUMNS: usize = 8;
const CODE_ROWS: usize = 6;
const MARK: u8 = 0b1010_0101;
const SALT: u8 = 0b0101_1010;

/// The smallest picture: the bar code, and one row for the moving bar.
pub(super) const MIN_WIDTH: u16 = 128;
pub(super) const MIN_HEIGHT: u16 = 112;

/// A picture: its squares, row by row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Picture {
    pub(super) columns: usize,
    pub(super) squares: Vec<Color>,
}

impl Picture {
    /// The picture of a frame. Squares may reach over the edge.
    pub(super) fn draw(width: u16, height: u16, number: u32) -> Self {
        let columns = usize::from(width).div_ceil(SQUARE);
        let rows = usize::from(height).div_ceil(SQUARE);
        let moving = number as usize % columns;
        let code = rows_of(number);
        let square = |column: usize, row: usize| {
            if column < CODE_COLUMNS && row < CODE_ROWS {
                return if code[row] >> (7 - column) & 1 == 1 { WHITE } else { BLACK };
            }
            if column == moving && row >= CODE_ROWS {
                return WHITE;
            }
            BARS[column * BARS.len() / columns]
        };
        let all = (0..rows).flat_map(|row| (0..columns).map(move |column| (column, row)));
        Self { columns, squares: all.map(|(column, row)| square(column, row)).collect() }
    }
}

fn rows_of(number: u32) -> [u8; CODE_ROWS] {
    let [a, b, c, d] = number.to_be_bytes();
    [MARK, a, b, c, d, a ^ b ^ c ^ d ^ SALT]
}

/// The number in the bar code of a decoded picture, from its luma plane: `stride` bytes for each
/// row of pixels, at least 128 x 96. `None`: there is no bar code, or it is damaged.
pub fn frame_number(luma: &[u8], stride: usize) -> Option<u32> {
    let row = |row: usize| {
        (0..CODE_COLUMNS).try_fold(0, |byte: u8, column| {
            let (x, y) = (column * SQUARE + SQUARE / 2, row * SQUARE + SQUARE / 2);
            let pixel = *luma.get(y.checked_mul(stride)?.checked_add(x)?)?;
            Some(byte << 1 | u8::from(pixel > 127))
        })
    };
    let number = u32::from_be_bytes([row(1)?, row(2)?, row(3)?, row(4)?]);
    (rows_of(number) == [row(0)?, row(1)?, row(2)?, row(3)?, row(4)?, row(5)?]).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn luma(picture: &Picture) -> Vec<u8> {
        let rows = picture.squares.chunks(picture.columns);
        rows.flat_map(|row| {
            let line: Vec<_> = row.iter().flat_map(|color| [color.y; SQUARE]).collect();
            line.repeat(SQUARE)
        })
        .collect()
    }

    #[test]
    fn the_number_can_be_read() {
        for number in [0, 1, 255, 256, 0x1234_5678, u32::MAX] {
            let picture = Picture::draw(160, 120, number);
            assert_eq!(frame_number(&luma(&picture), 160), Some(number));
        }
    }

    #[test]
    fn a_damaged_number_is_none() {
        let mut luma = luma(&Picture::draw(128, 112, 7));
        let center = (4 * SQUARE + 8) * 128 + 8;
        luma[center] ^= 0xFF;
        assert_eq!(frame_number(&luma, 128), None);
        assert_eq!(frame_number(&[0; 128 * 96], 128), None);
        assert_eq!(frame_number(&[], 128), None);
    }

    #[test]
    fn one_column_moves() {
        let changed = |number| {
            let (a, b) = (Picture::draw(640, 360, number), Picture::draw(640, 360, number + 1));
            a.squares.iter().zip(&b.squares).filter(|(a, b)| a != b).count()
        };
        let below_code = 23 - CODE_ROWS;
        // Two columns, one bit of the number, the same one of the sum.
        assert_eq!(changed(0), 2 * below_code + 2);
    }

    #[test]
    fn chroma_can_be_said_exactly() {
        assert!(BARS.iter().all(|color| color.u % 4 == 0 && color.v % 4 == 0));
    }
}
