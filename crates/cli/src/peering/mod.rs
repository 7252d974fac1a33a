//! What `send`, `receive`, `chat`, `call` and `listen` have in common: who we are, how we are found, how we
//! speak to the user, how we end.

mod args;
mod console;
mod ending;
mod interrupt;
mod link;
mod printable;
mod stats;
mod typed;
mod worker;

pub(crate) use args::{PeerArgs, PublicArgs};
pub(crate) use console::Console;
pub(crate) use ending::{Exit, Failure, run};
pub(crate) use interrupt::Interrupt;
pub(crate) use link::{Link, Target};
pub(crate) use printable::{described, printable};
pub(crate) use stats::told_stats;
pub(crate) use typed::typed;
pub(crate) use worker::Worker;
