//! A small cluster in one thread: brokers, a backplane with delays, clients that do what they
//! like, and a model that knows what may come of it. One seed is one history.

mod backplane;
mod clients;
mod media;
mod model;
mod network;
mod random;
mod rooms;
mod world;

pub use model::Fate;
pub use random::Random;
pub use world::{Shape, World};

/// Simulated time in milliseconds.
pub type Millis = u64;
