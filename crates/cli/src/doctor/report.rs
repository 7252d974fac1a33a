//! What the checks found, one line each, for a person at a terminal.

use std::fmt;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;

/// Remedies are wrapped here, so that they keep their indentation in any terminal.
const WIDTH: usize = 80;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Ok,
    Warn,
    Fail,
    /// Not tried, or of no meaning here.
    Skip,
}

/// One check and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) verdict: Verdict,
    /// What was looked at: "STUN udp 203.0.113.5:3478".
    subject: String,
    told: String,
    /// What to do about it; empty when there is nothing to do.
    remedy: String,
    /// Nothing listens at a loopback address, which is one of the two that `localhost` has.
    pub(super) absent: bool,
}

impl Finding {
    pub(super) fn ok(subject: impl Into<String>, told: impl Into<String>) -> Self {
        Self::new(Verdict::Ok, subject, told, "")
    }

    pub(super) fn warn(
        subject: impl Into<String>,
        told: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self::new(Verdict::Warn, subject, told, remedy)
    }

    pub(super) fn fail(
        subject: impl Into<String>,
        told: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self::new(Verdict::Fail, subject, told, remedy)
    }

    pub(super) fn skip(subject: impl Into<String>, why: impl Into<String>) -> Self {
        Self::new(Verdict::Skip, subject, why, "")
    }

    /// Whether what was looked at can be used.
    pub(super) fn works(&self) -> bool {
        matches!(self.verdict, Verdict::Ok | Verdict::Warn)
    }

    /// The same where it is no failure, since the other address works.
    fn excused(self) -> Self {
        Self::skip(self.subject, "nothing listens there, which is fine for localhost")
    }

    fn new(
        verdict: Verdict,
        subject: impl Into<String>,
        told: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        let (subject, told, remedy) = (subject.into(), told.into(), remedy.into());
        Self { verdict, subject, told, remedy, absent: false }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.subject, self.told)?;
        let mut column = usize::MAX;
        for word in self.remedy.split_whitespace() {
            let length = word.chars().count();
            if column.saturating_add(1 + length) > WIDTH {
                write!(f, "\n     {word}")?;
                column = 5 + length;
            } else {
                write!(f, " {word}")?;
                column += 1 + length;
            }
        }
        Ok(())
    }
}

/// Prints findings as they come and counts them.
pub(super) struct Report<W> {
    out: W,
    colors: bool,
    counts: Counts,
    told: Vec<Finding>,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    ok: usize,
    warnings: usize,
    failed: usize,
    skipped: usize,
}

impl Report<std::io::Stdout> {
    pub(super) fn on_stdout() -> Self {
        let out = std::io::stdout();
        let told = |name| std::env::var(name).unwrap_or_default();
        let colors = out.is_terminal() && told("NO_COLOR").is_empty() && told("TERM") != "dumb";
        Self::new(out, colors)
    }
}

impl<W: Write> Report<W> {
    fn new(out: W, colors: bool) -> Self {
        Self { out, colors, counts: Counts::default(), told: Vec::new() }
    }

    pub(super) fn tell(&mut self, finding: &Finding) {
        // Several URLs may have the same certificate, or the same name that is unknown.
        if self.told.contains(finding) {
            return;
        }
        self.told.push(finding.clone());
        let (count, word, color) = match finding.verdict {
            Verdict::Ok => (&mut self.counts.ok, "ok  ", "32"),
            Verdict::Warn => (&mut self.counts.warnings, "warn", "33"),
            Verdict::Fail => (&mut self.counts.failed, "FAIL", "31"),
            Verdict::Skip => (&mut self.counts.skipped, "skip", "2"),
        };
        *count += 1;
        let line = match finding.to_string().split_once('\n') {
            Some((line, remedy)) => format!("{}\n{remedy}", self.paint(color, word, line)),
            None => self.paint(color, word, &finding.to_string()),
        };
        // Who closed the pipe does not want to know.
        let _ = writeln!(self.out, "{line}");
    }

    /// Tells what was found at the addresses of one name, of which some may work.
    pub(super) fn tell_all(&mut self, findings: Vec<Finding>, some_work: bool) {
        for finding in findings {
            let excused = finding.absent && some_work;
            self.tell(&if excused { finding.excused() } else { finding });
        }
    }

    /// The last line, and what the command ends with.
    pub(super) fn end(mut self) -> ExitCode {
        let Counts { ok, warnings, failed, skipped } = self.counts;
        let parts =
            [(ok, "ok"), (warnings, "to look at"), (failed, "failed"), (skipped, "skipped")]
                .into_iter()
                .filter(|(count, _)| *count > 0)
                .map(|(count, what)| format!("{count} {what}"));
        let _ = writeln!(self.out, "\n{}", parts.collect::<Vec<_>>().join(", "));
        if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }

    fn paint(&self, color: &str, word: &str, line: &str) -> String {
        if self.colors {
            format!("\x1b[{color}m{word} {line}\x1b[0m")
        } else {
            format!("{word} {line}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(colors: bool, findings: &[Finding]) -> (String, bool) {
        let mut text = Vec::new();
        let mut report = Report::new(&mut text, colors);
        for finding in findings {
            report.tell(finding);
        }
        let success = report.end() == ExitCode::SUCCESS;
        (String::from_utf8(text).unwrap(), success)
    }

    #[test]
    fn a_remedy_stands_indented_below_its_line() {
        let findings =
            [Finding::ok("STUN", "seen"), Finding::fail("TURN", "no answer", "Open the port.")];
        let text = "ok   STUN: seen\nFAIL TURN: no answer\n     Open the port.\n\n1 ok, 1 failed\n";
        assert_eq!(printed(false, &findings), (text.to_owned(), false));
    }

    #[test]
    fn a_long_remedy_is_wrapped() {
        let remedy = "four ".repeat(20);
        let line = "four ".repeat(15);
        let wrapped = format!("a: b\n     {}\n     four four four four four", line.trim_end());
        assert_eq!(Finding::fail("a", "b", remedy).to_string(), wrapped);
    }

    #[test]
    fn only_a_failure_makes_the_command_fail() {
        let findings = [Finding::warn("a", "b", "c"), Finding::skip("d", "e")];
        assert!(printed(false, &findings).1);
    }

    #[test]
    fn colors_cover_the_line_and_not_the_remedy() {
        let (text, _) = printed(true, &[Finding::fail("a", "b", "c")]);
        assert!(text.starts_with("\x1b[31mFAIL a: b\x1b[0m\n     c\n"), "{text:?}");
    }
}
