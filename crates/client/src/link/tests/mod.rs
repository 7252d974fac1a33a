//! Two links on a simulated network, with a clock that the test turns by hand.

mod data;
mod lost_path;
mod world;
