//! Which numbers of reports have come, so that none is heeded twice (RFC 3711, section 3.3.2). Each source counts its
//! own reports.

/// Numbers behind the newest that may still come.
const WINDOW: u32 = 64;
/// A member reports as a few sources; the one that was silent for longest makes room.
const SOURCES: usize = 32;

/// See the module documentation.
#[derive(Debug, Default)]
pub(super) struct Replays(Vec<Window>);

#[derive(Debug)]
struct Window {
    source: u32,
    newest: u32,
    /// A bit for each that came, the lowest for the newest.
    seen: u64,
}

impl Replays {
    /// Whether it has come before, or is so old that nobody knows.
    pub(super) fn has(&self, source: u32, index: u32) -> bool {
        let window = self.0.iter().find(|window| window.source == source);
        window
            .and_then(|window| window.newest.checked_sub(index).map(|ago| (window, ago)))
            .is_some_and(|(window, ago)| ago >= WINDOW || window.seen >> ago & 1 != 0)
    }

    /// It came, and is genuine.
    pub(super) fn note(&mut self, source: u32, index: u32) {
        let known = self.0.iter().position(|window| window.source == source);
        let mut window = match known {
            Some(place) => self.0.remove(place),
            None => Window { source, newest: index, seen: 0 },
        };
        if let Some(ahead) = index.checked_sub(window.newest) {
            window.seen = window.seen.checked_shl(ahead).unwrap_or(0) | 1;
            window.newest = index;
        } else {
            window.seen |= 1_u64.checked_shl(window.newest - index).unwrap_or(0);
        }
        if self.0.len() == SOURCES {
            self.0.remove(0);
        }
        self.0.push(window);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_without_end_take_no_more_room() {
        let mut replays = Replays::default();
        for source in 0..1000 {
            replays.note(source, 7);
            replays.note(0, source);
        }
        assert_eq!(replays.0.len(), SOURCES);
        assert!(replays.has(0, 999) && replays.has(0, 1) && replays.has(999, 7));
        assert!(!replays.has(999, 6) && !replays.has(0, 1000));
    }
}
