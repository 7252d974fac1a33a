//! Where in a payload the numbers of its picture are, so that others can be written there.

use crate::PictureNumbers;

/// So far into a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place(u8);

/// Those of one packet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Places {
    /// Two bytes, of which the first bit says that they are two.
    pub(super) picture_id: Option<Place>,
    pub(super) tl0_pic_idx: Option<Place>,
}

impl Place {
    pub(super) fn at(at: usize) -> Option<Self> {
        u8::try_from(at).ok().map(Self)
    }

    /// The number of a picture and where it is, if it has 15 bits. `None` outside: it is cut off.
    #[expect(clippy::option_option, reason = "cut off, or short")]
    pub(super) fn of_long_id(payload: &[u8], at: usize) -> Option<Option<(u16, Self)>> {
        let first = *payload.get(at)?;
        if first & 0x80 == 0 {
            return Some(None);
        }
        let id = u16::from_be_bytes([first & 0x7f, *payload.get(at + 1)?]);
        Some(Some((id, Self::at(at)?)))
    }
}

impl Places {
    /// Puts other numbers into a payload.
    pub(super) fn write(self, numbers: PictureNumbers, payload: &mut [u8]) {
        if let (Some(Place(at)), Some(id)) = (self.picture_id, numbers.picture_id)
            && let Some(place) = payload.get_mut(usize::from(at)..usize::from(at) + 2)
        {
            place.copy_from_slice(&(id | 0x8000).to_be_bytes());
        }
        if let (Some(Place(at)), Some(index)) = (self.tl0_pic_idx, numbers.tl0_pic_idx)
            && let Some(place) = payload.get_mut(usize::from(at))
        {
            *place = index;
        }
    }
}
