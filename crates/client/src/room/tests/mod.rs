//! Media of a room on the simulated network, with the server's own router as the other end.

mod media;
mod world;
