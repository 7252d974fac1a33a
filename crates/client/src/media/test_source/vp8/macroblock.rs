//! Macroblocks (RFC 6386, sections 11, 13, 16): how each is predicted, and what is added.

use super::super::picture::{Color, Picture};
use super::bools::BoolEncoder;
use super::header::Odds;
use super::tables::{
    CATEGORIES, CHROMA, FIRST_LUMA_END, INTER_MODES, KEY_MODES, Modes, Y2, ZERO_MOTION,
};

/// What the neighbours of the first macroblock are taken for.
const NOTHING: Color = Color { y: 128, u: 128, v: 128 };
/// A step of chroma. One of luma is 1.
const CHROMA_STEP: i32 = 4;

/// How a plane is predicted. With nothing above nor to the left, the average is 128.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Prediction {
    Average,
    Above,
    Left,
}

#[derive(Debug, Clone, Copy)]
enum Macroblock {
    /// As in the frame before.
    Unchanged,
    Intra {
        luma: Prediction,
        chroma: Prediction,
        residue: Residue,
    },
}

/// What is added to the prediction, in steps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Residue {
    y: i32,
    u: i32,
    v: i32,
}

impl Macroblock {
    fn residue(self) -> Residue {
        match self {
            Self::Unchanged => Residue::default(),
            Self::Intra { residue, .. } => residue,
        }
    }
}

/// All of a frame, row by row.
#[derive(Debug)]
pub(super) struct Macroblocks {
    columns: usize,
    blocks: Vec<Macroblock>,
    keyframe: bool,
}

impl Macroblocks {
    pub(super) fn new(picture: &Picture, last: Option<&Picture>) -> Self {
        let columns = picture.columns;
        let blocks = picture.squares.iter().enumerate().map(|(place, color)| {
            let before = last.and_then(|last| last.squares.get(place));
            if before == Some(color) {
                return Macroblock::Unchanged;
            }
            let above = place.checked_sub(columns).map(|above| picture.squares[above]);
            let left = (place % columns > 0).then(|| picture.squares[place - 1]);
            intra(*color, above, left)
        });
        Self { columns, blocks: blocks.collect(), keyframe: last.is_none() }
    }

    pub(super) fn odds(&self) -> Odds {
        let odds = |count: usize| {
            u8::try_from(count * 256 / self.blocks.len().max(1)).unwrap_or(u8::MAX).max(1)
        };
        let coded = self.blocks.iter().filter(|block| block.residue() != Residue::default());
        let intra = self.blocks.iter().filter(|block| matches!(block, Macroblock::Intra { .. }));
        Odds { coded: odds(coded.count()), intra: odds(intra.count()) }
    }

    /// Modes go to the first partition, coefficients to the second.
    pub(super) fn write(&self, first: &mut BoolEncoder, tokens: &mut BoolEncoder) {
        let odds = self.odds();
        let mut above = vec![Context::default(); self.columns];
        let mut left = Context::default();
        for (place, block) in self.blocks.iter().enumerate() {
            let column = place % self.columns;
            if column == 0 {
                left = Context::default();
            }
            let residue = block.residue();
            let coded = residue != Residue::default();
            first.put(!coded, odds.coded);
            if !self.keyframe {
                first.put(matches!(block, Macroblock::Unchanged), odds.intra);
            }
            match *block {
                Macroblock::Unchanged => {
                    first.put(false, 255); // the last frame, not golden or alternate
                    first.put(false, ZERO_MOTION[self.unmoved_neighbours(place)]);
                }
                Macroblock::Intra { luma, chroma, .. } => {
                    let modes = if self.keyframe { &KEY_MODES } else { &INTER_MODES };
                    write_luma(first, modes, luma, self.keyframe);
                    write_chroma(first, modes, chroma);
                }
            }
            if coded {
                write_residue(tokens, residue, above[column], left);
            }
            let context = Context { y2: residue.y != 0, u: residue.u != 0, v: residue.v != 0 };
            (above[column], left) = (context, context);
        }
    }

    /// The weight of the neighbours that come from the frame before without motion (section 16.3).
    fn unmoved_neighbours(&self, place: usize) -> usize {
        let first_column = place.is_multiple_of(self.columns);
        let weight = |distance: usize, beyond: bool, weight: usize| {
            let neighbour = place.checked_sub(distance).filter(|_| !beyond);
            match neighbour.map(|neighbour| self.blocks[neighbour]) {
                Some(Macroblock::Unchanged) => weight,
                _ => 0,
            }
        };
        weight(self.columns, false, 2)
            + weight(1, first_column, 2)
            + weight(self.columns + 1, first_column, 1)
    }
}

/// Which planes of a neighbour have coefficients.
#[derive(Debug, Clone, Copy, Default)]
struct Context {
    y2: bool,
    u: bool,
    v: bool,
}

/// The neighbour that is nearer in colour.
fn intra(color: Color, above: Option<Color>, left: Option<Color>) -> Macroblock {
    let candidates = [
        (Prediction::Above, above),
        (Prediction::Left, left),
        (Prediction::Average, (above.is_none() && left.is_none()).then_some(NOTHING)),
    ];
    let nearest = |distance: &dyn Fn(Color) -> u32| {
        let known = candidates.iter().filter_map(|(from, color)| Some((*from, (*color)?)));
        known.min_by_key(|(_, from)| distance(*from)).unwrap_or((Prediction::Average, NOTHING))
    };
    let apart = |a: u8, b: u8| u32::from(a.abs_diff(b));
    let (luma, from) = nearest(&|from| apart(from.y, color.y));
    let y = i32::from(color.y) - i32::from(from.y);
    let (chroma, from) = nearest(&|from| apart(from.u, color.u) + apart(from.v, color.v));
    let steps = |to: u8, from: u8| (i32::from(to) - i32::from(from)) / CHROMA_STEP;
    let residue = Residue { y, u: steps(color.u, from.u), v: steps(color.v, from.v) };
    Macroblock::Intra { luma, chroma, residue }
}

/// The trees of sections 11.2 and 16.1. Per-subblock prediction is not used.
fn write_luma(bools: &mut BoolEncoder, modes: &Modes, prediction: Prediction, keyframe: bool) {
    let [root, second, third, fourth] = modes.luma;
    if keyframe {
        bools.put(true, root); // not per subblock
        bools.put(prediction == Prediction::Left, second);
        match prediction {
            Prediction::Left => bools.put(false, fourth),
            _ => bools.put(prediction == Prediction::Above, third),
        }
    } else {
        bools.put(prediction != Prediction::Average, root);
        if prediction != Prediction::Average {
            bools.put(false, second);
            bools.put(prediction == Prediction::Left, third);
        }
    }
}

fn write_chroma(bools: &mut BoolEncoder, modes: &Modes, prediction: Prediction) {
    let [root, second, third] = modes.chroma;
    bools.put(prediction != Prediction::Average, root);
    if prediction != Prediction::Average {
        bools.put(prediction == Prediction::Left, second);
        if prediction == Prediction::Left {
            bools.put(false, third);
        }
    }
}

/// The 25 blocks of a macroblock: Y2, 16 of luma, which have nothing, 4 of each chroma.
fn write_residue(bools: &mut BoolEncoder, residue: Residue, above: Context, left: Context) {
    write_block(bools, &Y2, residue.y, usize::from(above.y2) + usize::from(left.y2));
    (0..16).for_each(|_| bools.put(false, FIRST_LUMA_END));
    for (level, above, left) in [(residue.u, above.u, left.u), (residue.v, above.v, left.v)] {
        let here = level != 0;
        for (above, left) in [(above, left), (above, here), (here, left), (here, here)] {
            write_block(bools, &CHROMA, level, usize::from(above) + usize::from(left));
        }
    }
}

/// Odds of a kind of block: those of its first coefficient, and that it is the last one.
#[derive(Debug)]
pub(super) struct Block {
    /// By how many neighbours have coefficients.
    pub(super) first: [[u8; 11]; 3],
    /// By whether the first coefficient is 1 or more.
    pub(super) end: [u8; 2],
}

/// A block of at most one coefficient (section 13.2).
fn write_block(bools: &mut BoolEncoder, block: &Block, level: i32, neighbours: usize) {
    let odds = &block.first[neighbours];
    bools.put(level != 0, odds[0]);
    if level == 0 {
        return;
    }
    bools.put(true, odds[1]); // not zero
    let magnitude = level.unsigned_abs();
    bools.put(magnitude > 1, odds[2]);
    match magnitude {
        1 => {}
        2..=4 => {
            bools.put(false, odds[3]);
            bools.put(magnitude > 2, odds[4]);
            if magnitude > 2 {
                bools.put(magnitude > 3, odds[5]);
            }
        }
        _ => {
            bools.put(true, odds[3]);
            write_category(bools, odds, magnitude);
        }
    }
    bools.put(level < 0, 128);
    bools.put(false, block.end[usize::from(magnitude > 1)]);
}

fn write_category(bools: &mut BoolEncoder, odds: &[u8; 11], magnitude: u32) {
    let after = CATEGORIES.iter().position(|(base, _)| magnitude < *base);
    let category = after.unwrap_or(CATEGORIES.len()).saturating_sub(1);
    bools.put(category >= 2, odds[6]);
    if category < 2 {
        bools.put(category == 1, odds[7]);
    } else {
        bools.put(category >= 4, odds[8]);
        bools.put(category % 2 == 1, odds[if category < 4 { 9 } else { 10 }]);
    }
    let (base, extra) = CATEGORIES[category];
    for (bit, zero) in (0..extra.len()).rev().zip(extra) {
        bools.put((magnitude - base) >> bit & 1 == 1, *zero);
    }
}
