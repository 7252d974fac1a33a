//! Which files are asked for, and from where.

use super::super::message::{Index, Message, Want};
use super::super::name::SafeName;
use super::super::reason::{Reason, Refusal};
use super::{Command, Here, Planned, Receiver, Settled, Stage, State, number};

/// Files asked for ahead of what arrives, so that many small ones do not cost a round trip each.
const LOOKAHEAD: usize = 256;

impl Receiver {
    /// Asks the store about the next file. One at a time: it may have much to hash.
    pub(super) fn plan(&mut self) {
        while self.stage == Stage::Accepted && self.planning == 0 && self.wanted < LOOKAHEAD {
            let Some(state) = self.states.get_mut(self.cursor) else { return };
            let index = number(self.cursor);
            self.cursor += 1;
            if *state != State::Waiting {
                continue;
            }
            *state = State::Planning;
            let Some(entry) = self.offer.as_ref().and_then(|it| it.entries.get(index as usize))
            else {
                return;
            };
            match SafeName::new(&entry.name) {
                Ok(name) => {
                    self.planning = 1;
                    let entry = entry.clone();
                    self.commands.push_back(Command::Plan { index, name, entry });
                }
                Err(error) => {
                    self.refuse(index, Refusal::new(Reason::Name, error.to_string()));
                }
            }
        }
    }

    pub(crate) fn handle_planned(&mut self, index: Index, planned: Planned) {
        if self.state(index) != Some(&State::Planning) || self.stage != Stage::Accepted {
            return;
        }
        self.planning = 0;
        let resume = self.offer.as_ref().is_some_and(|offer| offer.resume);
        let (offset, sha256, here) = match planned {
            Planned::Partial { length, sha256 } if resume && length > 0 => {
                (length, Some(sha256), Here::Part)
            }
            // Two empty files are the same.
            Planned::Whole { length: 0, sha256, .. } => {
                self.keep(index, sha256);
                return self.plan();
            }
            Planned::Whole { length, sha256, overwrite } if resume => {
                (length, Some(sha256), Here::Whole { sha256, overwrite })
            }
            Planned::Fresh | Planned::Partial { .. } | Planned::Whole { overwrite: true, .. } => {
                (0, None, Here::Part)
            }
            Planned::Whole { overwrite: false, .. } => {
                self.refuse(index, Refusal::new(Reason::Exists, "a file with this name is here"));
                return self.plan();
            }
            Planned::Folder => {
                self.tell(Message::Done { index, sha256: None });
                self.settle(index, Settled::Done { sha256: None, verified: true, kept: false });
                return self.plan();
            }
            Planned::Refused(refusal) => {
                self.refuse(index, refusal);
                return self.plan();
            }
        };
        let restart = !matches!(here, Here::Whole { overwrite: false, .. });
        self.set(index, State::Wanted { offset, here });
        self.wanted += 1;
        self.tell(Message::Want(Want { index, offset, sha256, restart }));
        self.plan();
    }
}
