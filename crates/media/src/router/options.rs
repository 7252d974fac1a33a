//! How a router and its legs behave.

use std::time::{Duration, Instant};

use super::LocalAddress;

/// How a router behaves.
#[derive(Debug, Clone)]
pub struct RouterOptions {
    /// Where members reach it.
    pub addresses: Vec<LocalAddress>,
    /// What the ICE user names of its legs begin with (letters and digits): where several routers
    /// share a port, [`ice_user`] tells whose a datagram is.
    pub user_prefix: String,
    /// Chance, for numbers that should not be guessed.
    pub seed: u64,
    /// A moment, and how long after 1970 it was: members are told the time. `None`: they are told one that
    /// only goes on as time does.
    pub wall_clock: Option<(Instant, Duration)>,
    /// How long an offer waits for its answer.
    pub answer_within: Duration,
    /// How long ICE and DTLS may take after the first answer.
    pub connect_within: Duration,
    /// How long a leg stays after its last path was lost: for a change of networks.
    pub reconnect_within: Duration,
}

impl Default for RouterOptions {
    fn default() -> Self {
        Self {
            addresses: Vec::new(),
            user_prefix: String::new(),
            seed: 0,
            wall_clock: None,
            answer_within: Duration::from_secs(30),
            connect_within: Duration::from_secs(30),
            reconnect_within: Duration::from_secs(15),
        }
    }
}

/// How a leg behaves.
#[expect(clippy::struct_excessive_bools, reason = "each is a question of its own")]
#[derive(Debug, Clone, Copy, Default)]
pub struct LegOptions {
    /// What its path may carry at first, in bits per second. `None`: its bandwidth is not estimated,
    /// and everything is sent.
    pub first_bitrate: Option<u64>,
    /// The most video that it should send, in bits per second. Who sends half as much again for three
    /// seconds is stopped, until it keeps to it.
    pub bitrate_limit: Option<u64>,
    /// Its video may come in several sizes. Not for skyway-js, whose video vanishes.
    pub simulcast: bool,
    /// Exactly two lines, named `audio` and `video`, both ways: for skyway-js 1.x outside Firefox, which
    /// understands no others (`skyway.md`, section 4.5). It gets one other member at a time.
    pub two_lines: bool,
    /// There is a line for data channels: what comes on one goes to all others' of the same label.
    pub data: bool,
    /// So many members of its room may publish, this one included. Who is one too many only listens.
    pub publishers: Option<usize>,
    /// It gets nothing of others.
    pub sends_only: bool,
    /// Whose it is, if a member has more than one: those with the same owner do not get each other's
    /// media.
    pub owner: Option<u64>,
}
