//! The way to the signalling server: a pure [`session`] that says what to do and when, and the
//! sockets that do it.

pub(crate) mod backoff;
pub(crate) mod dial;
pub(crate) mod endpoint;
pub(crate) mod failure;
pub(crate) mod http;
pub(crate) mod session;
pub(crate) mod socket;
pub(crate) mod tls;

pub(crate) use endpoint::Endpoint;
pub(crate) use failure::Failure;
