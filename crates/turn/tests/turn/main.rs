//! The proof of the TURN core: tables of what comes in and what is done, hostile input, and a day
//! by a hand-cranked clock. One program, because the parts of its stage are shared by all.

mod allocate;
mod amplification;
mod binding;
mod challenge;
mod channel;
mod corpus;
mod credentials;
mod day;
mod draft;
mod ending;
mod hostile;
mod payload;
mod permission;
mod quota;
mod random;
mod refresh;
mod report;
mod rfc5769;
mod stage;
mod stream;
