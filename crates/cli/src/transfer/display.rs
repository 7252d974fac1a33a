//! What the user sees of a transfer.

use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use super::hash::Sha256;
use super::message::{Entry, Offer};
use super::progress::{Meter, Progress, size, time};
use super::reason::Refusal;
use crate::peering::{Console, printable};

/// Longest name that is shown.
const NAME: usize = 200;
/// Names in the summary of an offer.
const NAMES: usize = 5;
/// Between two lines where there is no bar.
const LINES: Duration = Duration::from_secs(5);
const JSON_LINES: Duration = Duration::from_secs(1);
/// Files whose end is worth a line each.
const FEW: usize = 100;

/// One transfer on the screen.
pub(crate) struct Display {
    console: Console,
    meter: Meter,
    started: Instant,
    told: Option<Instant>,
}

/// What became of a file, for the user.
pub(crate) enum Outcome<'a> {
    Done {
        sha256: Option<Sha256>,
        verified: bool,
        kept: bool,
    },
    /// Ours or the other side's; the word for programs.
    Failed(&'static str, &'a Refusal),
}

impl Display {
    pub(crate) fn new(console: Console, now: Instant) -> Self {
        Self { console, meter: Meter::default(), started: now, told: None }
    }

    pub(crate) fn console(&self) -> &Console {
        &self.console
    }

    /// How far it is now.
    pub(crate) fn update(&mut self, progress: Progress, now: Instant) {
        self.meter.measure(progress.moved, now);
        if self.console.is_terminal() {
            let message = join(&progress.to_string(), &self.meter.tell(&progress));
            return self.console.draw(progress.bytes, progress.total, message);
        }
        let pause = if self.console.is_json() { JSON_LINES } else { LINES };
        let told = *self.told.get_or_insert(now);
        if now.duration_since(told) >= pause {
            self.told = Some(now);
            let Progress { files, settled, bytes, moved, total } = progress;
            let members = json!({
                "bytes": bytes, "total": total, "moved": moved, "files": files, "settled": settled,
                "rate": self.meter.rate().map(f64::round),
            });
            let line = join(&progress.to_string(), &self.meter.tell(&progress));
            self.console.tell("progress", members, line);
        }
    }

    pub(crate) fn lost(&mut self, patience: Duration, what: &str) {
        self.meter.pause();
        self.console.clear();
        let seconds = patience.as_secs();
        let line = format!("The connection was lost; {what} for up to {}.", time(seconds));
        self.console.tell("lost", json!({ "patience": seconds }), line);
    }

    /// A file is settled.
    pub(crate) fn file(&self, entry: &Entry, files: usize, outcome: &Outcome<'_>) {
        let name = printable(&entry.name, NAME);
        let mut members = json!({ "name": entry.name, "size": entry.size });
        let line = match outcome {
            Outcome::Done { sha256, verified, kept } => {
                members["result"] = if *kept { "kept" } else { "done" }.into();
                members["sha256"] = sha256.map(|it| it.to_string()).into();
                members["verified"] = (*verified).into();
                match (kept, verified) {
                    (true, _) => format!("{name}  was there already"),
                    (false, true) => name,
                    (false, false) => format!("{name}  (no SHA-256 to compare with)"),
                }
            }
            Outcome::Failed(word, refusal) => {
                members["result"] = (*word).into();
                members["reason"] = refusal.reason.as_str().into();
                members["message"] = refusal.message.as_str().into();
                format!("{name}  {word}: {refusal}")
            }
        };
        if files <= FEW || self.console.is_json() || matches!(outcome, Outcome::Failed(..)) {
            self.console.tell("file", members, line);
        }
    }

    /// The last line. `verb`: "sent" or "received"; `done`: how many files.
    pub(crate) fn end(&self, verb: &str, progress: Progress, done: usize, now: Instant) {
        self.console.clear();
        let seconds = now.duration_since(self.started).as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "for people")]
        let rate = progress.moved as f64 / seconds.max(0.001);
        let Progress { files, bytes, moved, .. } = progress;
        let members = json!({
            "files": files, "done": done, "bytes": bytes, "moved": moved, "seconds": seconds,
        });
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates")]
        let (rate, whole) = (rate as u64, seconds.round() as u64);
        let rest = if done == files { String::new() } else { format!(" of {}", count(files)) };
        let what = if rest.is_empty() { count(done) } else { done.to_string() };
        let line =
            format!("{verb} {what}{rest}, {} in {} ({}/s)", size(moved), time(whole), size(rate));
        self.console.tell("end", members, line);
    }
}

/// "3 files, 12.0 MB: a, b, c".
pub(crate) fn summary(offer: &Offer) -> String {
    let names = offer.entries.iter().take(NAMES).map(|entry| printable(&entry.name, NAME));
    let mut names = names.collect::<Vec<_>>().join(", ");
    if offer.entries.len() > NAMES {
        names.push_str(", …");
    }
    let size = offer.size().map_or("size unknown".to_owned(), size);
    format!("{}, {size}: {names}", count(offer.entries.len()))
}

/// The same for programs.
pub(crate) fn offer_members(peer: &str, offer: &Offer) -> Json {
    json!({ "peer": peer, "files": offer.entries.len(), "bytes": offer.size() })
}

fn count(files: usize) -> String {
    if files == 1 { "1 file".to_owned() } else { format!("{files} files") }
}

fn join(first: &str, second: &str) -> String {
    if second.is_empty() { first.to_owned() } else { format!("{first}, {second}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offer_is_summed_up_in_a_line() {
        let entry =
            |name: &str, size| Entry { name: name.to_owned(), size, modified: None, folder: false };
        let offer = |entries| Offer { transfer: String::new(), resume: false, entries };
        let one = offer(vec![entry("a\u{1b}", Some(1500))]);
        assert_eq!(summary(&one), "1 file, 1.5 kB: a\u{fffd}");
        let many = offer((0..7).map(|it| entry(&it.to_string(), None)).collect());
        assert_eq!(summary(&many), "7 files, size unknown: 0, 1, 2, 3, 4, …");
    }
}
