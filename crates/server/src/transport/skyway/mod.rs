//! SkyWay clients (`skyway-js` 1.0 to 4.4.5): who may come in, what a session says and hears, how long
//! its credential is good, and what such clients ask by HTTP beside it. Behaviour and sources:
//! `docs/reference/skyway-dialect.md`.

mod admission;
mod client;
mod expiry;
mod routes;
mod session;

pub(crate) use client::SkyWay;
pub(crate) use routes::router;
