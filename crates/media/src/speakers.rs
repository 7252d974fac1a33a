//! Who speaks: from the audio levels that senders put into their packets (RFC 6464).

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Louder than this counts as speech, in dB below full scale (RFC 6464: 0 is the loudest, 127 is silence).
const SPEECH: u8 = 35;
/// Over this time levels are looked at together.
const WINDOW: Duration = Duration::from_millis(400);
/// The part of a window's packets that must be speech, in per cent: a cough is not.
const PART: u32 = 40;
/// How much of the past goes into the loudness, in per cent.
const PAST: u32 = 60;
/// How much louder, in tenths of a dB, somebody else must be to become the dominant speaker.
const MARGIN: u32 = 30;

/// The loudness of those who speak.
#[derive(Debug)]
pub struct Speakers<K> {
    voices: BTreeMap<K, Voice>,
    window_ends: Option<Instant>,
    dominant: Option<K>,
}

#[derive(Debug, Default)]
struct Voice {
    packets: u32,
    speech: u32,
    /// Sum over the speech of the window, in dB above silence.
    loudness_sum: u32,
    /// Smoothed, in tenths of a dB above silence; 0 does not speak.
    loudness: u32,
}

impl<K> Default for Speakers<K> {
    fn default() -> Self {
        Self { voices: BTreeMap::new(), window_ends: None, dominant: None }
    }
}

impl<K: Ord + Clone> Speakers<K> {
    /// A packet came with this level, in dB below full scale.
    pub fn heard(&mut self, now: Instant, key: &K, level: u8) {
        self.window_ends.get_or_insert(now + WINDOW);
        let voice = match self.voices.get_mut(key) {
            Some(voice) => voice,
            None => self.voices.entry(key.clone()).or_default(),
        };
        voice.packets += 1;
        if level < SPEECH {
            voice.speech += 1;
            voice.loudness_sum += u32::from(127 - level);
        }
    }

    /// It will not be heard again.
    pub fn remove(&mut self, key: &K) {
        self.voices.remove(key);
        if self.dominant.as_ref() == Some(key) {
            self.dominant = None;
        }
    }

    /// When [`Speakers::handle_timeout`] wants to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.window_ends
    }

    /// Time has passed. Whether another one dominates now, or nobody does.
    pub fn handle_timeout(&mut self, now: Instant) -> bool {
        if self.window_ends.is_none_or(|end| now < end) {
            return false;
        }
        for voice in self.voices.values_mut() {
            voice.settle();
        }
        let anybody = self.voices.values().any(|voice| voice.loudness > 0 || voice.packets > 0);
        self.window_ends = anybody.then(|| now + WINDOW);
        let loudest = self.voices.iter().max_by_key(|(_, voice)| voice.loudness);
        let loudest = loudest.filter(|(_, voice)| voice.loudness > 0);
        let reigning = self.dominant.as_ref().and_then(|key| self.voices.get(key));
        let reign = reigning.map_or(0, |voice| voice.loudness);
        let next = match loudest {
            Some((key, voice)) if reign == 0 || voice.loudness > reign + MARGIN => {
                Some(key.clone())
            }
            Some(_) => return false,
            None => None,
        };
        let changed = next != self.dominant;
        self.dominant = next;
        changed
    }

    /// Who is heard most; stays until somebody is clearly louder or all are silent.
    pub fn dominant(&self) -> Option<&K> {
        self.dominant.as_ref()
    }

    /// All who speak, the loudest first.
    pub fn speaking(&self) -> Vec<&K> {
        let mut speaking: Vec<_> =
            self.voices.iter().filter(|(_, voice)| voice.loudness > 0).collect();
        speaking.sort_by_key(|(_, voice)| std::cmp::Reverse(voice.loudness));
        speaking.into_iter().map(|(key, _)| key).collect()
    }
}

impl Voice {
    fn settle(&mut self) {
        let speaks = self.packets > 0 && self.speech * 100 >= self.packets * PART;
        let now = if speaks { self.loudness_sum * 10 / self.speech } else { 0 };
        let smoothed = (self.loudness * PAST + now * (100 - PAST)) / 100;
        // Two windows of silence end a turn; until then it fades.
        self.loudness = if now == 0 && smoothed < 400 { 0 } else { smoothed };
        (self.packets, self.speech, self.loudness_sum) = (0, 0, 0);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods, reason = "any instant will do")]

    use super::*;

    /// 20 ms packets of each for some windows; the level 127 is silence.
    fn speak(
        speakers: &mut Speakers<&'static str>,
        now: &mut Instant,
        windows: u32,
        levels: &[(&'static str, u8)],
    ) {
        let end = *now + WINDOW * windows;
        while *now < end {
            for (key, level) in levels {
                speakers.heard(*now, key, *level);
            }
            *now += Duration::from_millis(20);
            speakers.handle_timeout(*now);
        }
    }

    #[test]
    fn the_loudest_dominates_and_stays_until_somebody_is_clearly_louder() {
        let (mut speakers, mut now) = (Speakers::default(), Instant::now());
        speak(&mut speakers, &mut now, 3, &[("ann", 20), ("bob", 127)]);
        assert_eq!(speakers.dominant(), Some(&"ann"));
        speak(&mut speakers, &mut now, 20, &[("ann", 20), ("bob", 19)]);
        assert_eq!(speakers.dominant(), Some(&"ann"), "1 dB is not enough");
        assert_eq!(speakers.speaking(), [&"bob", &"ann"]);
        speak(&mut speakers, &mut now, 5, &[("ann", 127), ("bob", 19)]);
        assert_eq!(speakers.dominant(), Some(&"bob"));
    }

    #[test]
    fn a_cough_is_no_speech_and_silence_ends_a_turn() {
        let (mut speakers, mut now) = (Speakers::default(), Instant::now());
        speak(&mut speakers, &mut now, 3, &[("ann", 20)]);
        speakers.heard(now, &"bob", 1);
        speak(&mut speakers, &mut now, 1, &[("ann", 20), ("bob", 127)]);
        assert_eq!(speakers.speaking(), [&"ann"]);
        speak(&mut speakers, &mut now, 5, &[("ann", 127), ("bob", 127)]);
        assert_eq!(speakers.dominant(), None);
    }

    #[test]
    fn who_is_gone_does_not_speak_and_nobody_keeps_the_clock() {
        let (mut speakers, mut now) = (Speakers::default(), Instant::now());
        speak(&mut speakers, &mut now, 3, &[("ann", 20)]);
        speakers.remove(&"ann");
        assert_eq!(speakers.dominant(), None);
        let due = speakers.poll_timeout().unwrap();
        speakers.handle_timeout(due);
        assert_eq!(speakers.poll_timeout(), None);
    }
}
