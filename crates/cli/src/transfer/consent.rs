//! Whether the user wants what is offered.

use std::io::IsTerminal;

use tokio::sync::mpsc;

use super::reason::{Reason, Refusal};
use crate::peering::{Console, typed};

/// Asks, or does not.
pub(crate) struct Consent {
    asks: bool,
    /// What the user types; none before the first question.
    lines: Option<mpsc::Receiver<String>>,
    question: Question,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Question {
    None,
    Open,
    /// Nobody needs to be asked.
    Granted,
}

impl Consent {
    /// `yes`: everything is welcome. Without a terminal nobody can be asked, and who started the
    /// command wants what comes.
    pub(crate) fn new(yes: bool) -> Self {
        let asks = !yes && std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
        Self { asks, lines: None, question: Question::None }
    }

    /// Puts the question.
    pub(crate) fn ask(&mut self, console: &Console) {
        if !self.asks {
            self.question = Question::Granted;
            return;
        }
        let lines = self.lines.get_or_insert_with(typed);
        // What was typed before was no answer to this.
        while lines.try_recv().is_ok() {}
        self.question = Question::Open;
        console.ask("Take it? [y/N]");
    }

    /// The answer; pending while there is no question. Cancel-safe.
    pub(crate) async fn decision(&mut self) -> Result<(), Refusal> {
        match self.question {
            Question::None => std::future::pending().await,
            Question::Granted => {
                self.question = Question::None;
                Ok(())
            }
            Question::Open => {
                let line = match &mut self.lines {
                    Some(lines) => lines.recv().await,
                    None => None,
                };
                self.question = Question::None;
                let answer = line.unwrap_or_default().trim().to_lowercase();
                if matches!(answer.as_str(), "y" | "yes") {
                    return Ok(());
                }
                Err(Refusal::new(Reason::Declined, "declined"))
            }
        }
    }
}
