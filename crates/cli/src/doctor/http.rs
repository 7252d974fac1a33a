//! Does the server answer over HTTP, and is it one of ours?

use std::net::SocketAddr;

use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::header::{HOST, LOCATION, ORIGIN};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use peerway_server::clock;
use serde::Deserialize;

use super::Doctor;
use super::fault::{Door, Fault};
use super::net::{self, BoxIo, Deadline};
use super::report::Finding;

const LONGEST_BODY: usize = 64 * 1024;

/// What a server answers.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    location: Option<String>,
    pub(super) body: Bytes,
}

/// What the server has against a request.
#[derive(Deserialize)]
pub(super) struct Problem {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) message: String,
}

impl Answer {
    #[cfg(test)]
    pub(super) fn of(status: StatusCode, body: Bytes) -> Self {
        Self { status, location: None, body }
    }

    /// Why not, where the server says it: `{"error":{"type":..,"message":..}}`.
    pub(super) fn problem(&self) -> Option<Problem> {
        #[derive(Deserialize)]
        struct Wrapped {
            error: Problem,
        }

        serde_json::from_slice::<Wrapped>(&self.body).ok().map(|it| it.error)
    }
}

impl Doctor {
    /// A connection to the server, with TLS if its URL says so.
    pub(super) async fn connect(
        &self,
        address: SocketAddr,
        deadline: Deadline,
    ) -> Result<BoxIo, Fault> {
        if self.server.secure {
            let connector = self.trust.connector();
            Ok(Box::new(net::tls(address, &self.server.host, &connector, deadline).await?))
        } else {
            Ok(Box::new(net::tcp(address, deadline).await?))
        }
    }

    pub(super) fn http_door(&self) -> Door {
        Door::Http { secure: self.server.secure, port: self.server.port }
    }

    pub(super) async fn get(&self, address: SocketAddr, target: &str) -> Result<Answer, Fault> {
        let deadline = self.deadline();
        let io = self.connect(address, deadline).await?;
        deadline.limit(Fault::Silent, self.get_over(io, target)).await
    }

    async fn get_over(&self, io: BoxIo, target: &str) -> Result<Answer, Fault> {
        let mut request = Request::get(target).header(HOST, &self.server.authority);
        if let Some(origin) = &self.origin {
            request = request.header(ORIGIN, origin);
        }
        let garbled = |error: &dyn std::fmt::Display| Fault::Garbled(error.to_string());
        let request = request.body(Empty::<Bytes>::new()).map_err(|error| garbled(&error))?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(io))
            .await
            .map_err(|error| garbled(&error))?;
        // What breaks the connection also breaks the request.
        tokio::spawn(connection);
        let response = sender.send_request(request).await.map_err(|error| garbled(&error))?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, LONGEST_BODY)
            .collect()
            .await
            .map_err(|error| Fault::Broken(error.to_string()))?;
        let location = head.headers.get(LOCATION).and_then(|text| text.to_str().ok());
        Ok(Answer {
            status: head.status,
            location: location.map(str::to_owned),
            body: body.to_bytes(),
        })
    }

    /// Asks for the page at the server's path, which tells what the server is.
    pub(super) async fn examine_http(&self, address: SocketAddr) -> Finding {
        let subject = format!("{} {address}", self.server.scheme().to_uppercase());
        let started = clock::now();
        let answer = match self.get(address, &self.server.path).await {
            Ok(answer) => answer,
            Err(fault) => return fault.finding(subject, address, self.http_door()),
        };
        let time = net::in_millis(started.elapsed());
        match judge(&answer, &self.server.path) {
            Ok(()) => Finding::ok(subject, format!("a PeerJS server answers ({time})")),
            Err((told, remedy)) => Finding::fail(subject, told, remedy),
        }
    }
}

/// Whether this is what a `PeerJS` server answers; else what it is and what to do.
fn judge(answer: &Answer, path: &str) -> Result<(), (String, String)> {
    #[derive(Deserialize)]
    struct Information {
        name: String,
    }

    let status = answer.status;
    if status.is_success() {
        let information: Result<Information, _> = serde_json::from_slice(&answer.body);
        if information.is_ok_and(|it| it.name.contains("PeerJS")) {
            return Ok(());
        }
        let told = format!("something answers at {path}, but it is no PeerJS server");
        let remedy = "Give doctor the URL with the server's path, and see where the proxy in front \
                      of the server sends it.";
        return Err((told, remedy.to_owned()));
    }
    let remedy = if status.is_redirection() {
        let to = answer.location.as_deref().unwrap_or("elsewhere");
        format!("The server sends everybody to {to}: give doctor and your pages that URL.")
    } else if let Some(Problem { message, .. }) = answer.problem() {
        format!("The server says: {message}.")
    } else if status == StatusCode::NOT_FOUND {
        "Give doctor the URL with the server's path (its setting `path`).".to_owned()
    } else if matches!(status.as_u16(), 502..=504) {
        "The proxy in front does not reach the server: see that the server runs and that the proxy \
         has its right address and port."
            .to_owned()
    } else {
        "See the log of the server, or of the proxy in front of it.".to_owned()
    };
    Err((format!("the answer is {status}"), remedy))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(status: u16, location: Option<&str>, body: &'static str) -> Result<(), String> {
        let answer = Answer {
            status: StatusCode::from_u16(status).unwrap(),
            location: location.map(str::to_owned),
            body: Bytes::from_static(body.as_bytes()),
        };
        judge(&answer, "/x/").map_err(|(told, remedy)| format!("{told}. {remedy}"))
    }

    #[test]
    fn only_the_information_of_a_peerjs_server_is_right() {
        assert_eq!(judged(200, None, r#"{"name":"PeerJS Server","description":""}"#), Ok(()));
        let other = judged(200, None, "<html>welcome to nginx").unwrap_err();
        assert!(
            other.starts_with("something answers at /x/, but it is no PeerJS server"),
            "{other}"
        );
    }

    #[test]
    fn each_wrong_answer_has_its_remedy() {
        let body = r#"{"error":{"type":"not_found","message":"the path is '/my/'"}}"#;
        for (status, location, body, part) in [
            (301, Some("https://a.example/"), "", "sends everybody to https://a.example/: give"),
            (404, None, body, "404 Not Found. The server says: the path is '/my/'."),
            (404, None, "", "its setting `path`"),
            (502, None, "<html>", "The proxy in front does not reach the server"),
            (500, None, "", "See the log"),
        ] {
            let told = judged(status, location, body).unwrap_err();
            assert!(told.contains(part), "{told}");
        }
    }
}
