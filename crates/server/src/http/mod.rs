//! HTTP around the transports: connections, TLS, CORS, errors, the server's own pages.

mod admission;
mod assets;
mod cors;
mod ice;
mod io;
mod listener;
mod pages;
mod problem;
mod rooms;
mod router;
mod tls;
mod upgrade;

pub(crate) use admission::admit;
pub(crate) use ice::asked_host;
pub(crate) use io::ClientIo;
pub(crate) use listener::{accept_loop, bind};
pub(crate) use problem::Problem;
pub(crate) use router::{ClientAddress, origin_of, router};
pub(crate) use tls::Certificates;
pub(crate) use upgrade::accept_web_socket;

/// The content type that Express gives to JSON, and so `PeerServer` to its answers.
pub(crate) const EXPRESS_JSON: [(axum::http::HeaderName, &str); 1] =
    [(axum::http::header::CONTENT_TYPE, "application/json; charset=utf-8")];
