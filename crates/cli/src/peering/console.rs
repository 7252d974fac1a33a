//! What the user sees: lines on stderr, or with `--json` one JSON object per line on stdout.

use std::io::{IsTerminal, Write};
use std::sync::Arc;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Map, Value as Json};

/// How wide the bar is, in characters.
const BAR: &str = "{bar:30} {msg}";
const NO_BAR: &str = "{spinner} {msg}";

/// Where lines go. Clones are the same.
#[derive(Clone)]
pub(crate) struct Console {
    form: Form,
    bar: Arc<ProgressBar>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    /// To stdout, or to stderr where stdout carries a file.
    Json {
        on_stderr: bool,
    },
}

impl Console {
    /// `stdout_taken`: something else goes there.
    pub(crate) fn new(json: bool, stdout_taken: bool) -> Self {
        let form = if json { Form::Json { on_stderr: stdout_taken } } else { Form::Text };
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::hidden());
        Self { form, bar: Arc::new(bar) }
    }

    pub(crate) fn is_json(&self) -> bool {
        self.form != Form::Text
    }

    /// Whether a bar can be drawn.
    pub(crate) fn is_terminal(&self) -> bool {
        self.form == Form::Text && colors()
    }

    /// Tells what happened: the line to people, name and members to programs.
    pub(crate) fn tell(&self, event: &str, members: Json, line: impl AsRef<str>) {
        let Form::Json { on_stderr } = self.form else { return self.line(line) };
        let mut object = Map::new();
        object.insert("event".to_owned(), event.into());
        if let Json::Object(members) = members {
            object.extend(members);
        }
        let line = Json::Object(object);
        // Who closed the pipe does not want to know.
        let _ = if on_stderr {
            writeln!(std::io::stderr(), "{line}")
        } else {
            writeln!(std::io::stdout(), "{line}")
        };
    }

    /// Tells people only.
    pub(crate) fn line(&self, line: impl AsRef<str>) {
        if self.form == Form::Text {
            self.bar.suspend(|| {
                let _ = writeln!(std::io::stderr(), "{}", line.as_ref());
            });
        }
    }

    /// Asks people; the answer follows on the same line.
    pub(crate) fn ask(&self, question: &str) {
        if self.form == Form::Text {
            let mut errors = std::io::stderr();
            let _ = write!(errors, "{question} ");
            let _ = errors.flush();
        }
    }

    /// What a command is for, on stdout.
    pub(crate) fn output(line: impl AsRef<str>) {
        let _ = writeln!(std::io::stdout(), "{}", line.as_ref());
    }

    /// Moves the bar; on a terminal only.
    pub(crate) fn draw(&self, done: u64, total: Option<u64>, message: String) {
        if !self.is_terminal() {
            return;
        }
        if self.bar.is_hidden() {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        let style = ProgressStyle::with_template(if total.is_some() { BAR } else { NO_BAR });
        if let Ok(style) = style {
            self.bar.set_style(style.progress_chars("━━─"));
        }
        self.bar.set_length(total.unwrap_or(done));
        self.bar.set_position(done);
        self.bar.set_message(message);
        self.bar.tick();
    }

    /// Takes the bar away.
    pub(crate) fn clear(&self) {
        self.bar.finish_and_clear();
        self.bar.set_draw_target(ProgressDrawTarget::hidden());
        self.bar.reset();
    }
}

/// Whether stderr is a terminal that draws.
pub(crate) fn colors() -> bool {
    std::io::stderr().is_terminal() && std::env::var("TERM").is_ok_and(|term| term != "dumb")
}
