//! `GET /v1/ice`: what pages are told about STUN and TURN.

use std::net::SocketAddr;

use hyper::StatusCode;
use serde::Deserialize;

use super::Doctor;
use super::http::{Answer, Problem};
use super::ice_url::{IceUrl, InvalidIceUrl, Service};
use super::report::Finding;

/// An ICE server and what it wants to see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct IceServer {
    pub(super) url: IceUrl,
    pub(super) credentials: Option<Credentials>,
}

/// A user of a TURN server.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Credentials {
    pub(super) username: String,
    pub(super) password: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credentials(..)")
    }
}

#[derive(Deserialize)]
struct Body {
    #[serde(rename = "iceServers")]
    servers: Vec<Entry>,
}

/// An `RTCIceServer`.
#[derive(Deserialize)]
struct Entry {
    urls: Urls,
    username: Option<String>,
    credential: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Urls {
    One(String),
    Many(Vec<String>),
}

impl Doctor {
    /// The ICE servers of the app, with the lines there are to tell.
    pub(super) async fn examine_ice(&self, address: SocketAddr) -> (Vec<IceServer>, Vec<Finding>) {
        let subject = "ICE servers";
        let target = format!("/v1/ice?{}", self.query());
        let answer = match self.get(address, &target).await {
            Ok(answer) => answer,
            Err(fault) => return (vec![], vec![fault.finding(subject, address, self.http_door())]),
        };
        if answer.status != StatusCode::OK {
            let (told, remedy) = refusal(&answer, self.key.as_str());
            return (vec![], vec![Finding::fail(subject, told, remedy)]);
        }
        let (servers, broken) = match read(&answer.body) {
            Ok(read) => read,
            Err(told) => {
                let remedy = "See that /v1/ice reaches peerway and no other server.";
                return (vec![], vec![Finding::fail(subject, told, remedy)]);
            }
        };
        let mut findings = vec![count(subject, &servers)];
        findings.extend(broken.into_iter().map(|(url, error)| {
            let told = format!("'{url}' is not a URL of an ICE server: {error}");
            Finding::fail(subject, told, "See turn.public_host.")
        }));
        (servers, findings)
    }
}

fn count(subject: &str, servers: &[IceServer]) -> Finding {
    let of = |service| servers.iter().filter(|it| it.url.service == service).count();
    let (stun, turn) = (of(Service::Stun), of(Service::Turn));
    let told = format!("URLs for pages: {stun} STUN, {turn} TURN");
    if turn == 0 {
        let remedy = "Peers behind strict firewalls do not meet without TURN: see turn.udp, \
                      turn.tcp and turn.tls.";
        return Finding::warn(subject, told, remedy);
    }
    Finding::ok(subject, told)
}

/// The URLs, and those that are none.
type Read = (Vec<IceServer>, Vec<(String, InvalidIceUrl)>);

fn read(body: &[u8]) -> Result<Read, String> {
    let body: Body = serde_json::from_slice(body)
        .map_err(|error| format!("the answer has no iceServers: {error}"))?;
    let (mut servers, mut broken) = (Vec::new(), Vec::new());
    for Entry { urls, username, credential } in body.servers {
        let credentials =
            username.zip(credential).map(|(username, password)| Credentials { username, password });
        let urls = match urls {
            Urls::One(url) => vec![url],
            Urls::Many(urls) => urls,
        };
        for text in urls {
            match text.parse() {
                Ok(url) => servers.push(IceServer { url, credentials: credentials.clone() }),
                Err(error) => broken.push((text, error)),
            }
        }
    }
    Ok((servers, broken))
}

fn refusal(answer: &Answer, key: &str) -> (String, String) {
    let status = answer.status;
    let (told, kind) = match answer.problem() {
        Some(Problem { kind, message }) => {
            (format!("the server says {}: {message}", status.as_u16()), kind)
        }
        None => (format!("the answer is {status}"), String::new()),
    };
    let remedy = match (status, kind.as_str()) {
        (StatusCode::UNAUTHORIZED, _) => format!(
            "Is '{key}' one of the server's app keys (`key` or [[app]])? Give the right one with \
             --key."
        ),
        (_, "token" | "invalid_id") => "The app wants signed ids: give one with --id and --token \
                                        (peerway token makes it)."
            .to_owned(),
        (StatusCode::FORBIDDEN, _) => {
            "Only pages of the app's `origins` may use it: give one with \
                                       --origin https://your.page, or add yours there."
                .to_owned()
        }
        (StatusCode::NOT_FOUND, _) => "TURN is off: set turn.enabled = true and start the server \
                                       without --no-turn. If it is on, see that a proxy in front \
                                       passes /v1/ice."
            .to_owned(),
        _ => "See the log of the server, or of the proxy in front of it.".to_owned(),
    };
    (told, remedy)
}

#[cfg(test)]
mod tests {
    use hyper::body::Bytes;

    use super::super::ice_url::Transport;
    use super::*;

    #[test]
    fn each_url_gets_the_credentials_of_its_entry() {
        let body = br#"{"iceServers":[{"urls":"stun:a.example:3478"},
            {"urls":["turn:a.example?transport=udp","turns:a.example?transport=tcp","http:x"],
             "username":"1:u","credential":"c"}],"ttl":86400}"#;
        let (servers, broken) = read(body).unwrap();
        let seen: Vec<_> =
            servers.iter().map(|it| (it.url.transport, it.credentials.is_some())).collect();
        let expected = [(Transport::Udp, false), (Transport::Udp, true), (Transport::Tls, true)];
        assert_eq!(seen, expected);
        assert_eq!(broken, [("http:x".to_owned(), InvalidIceUrl::Scheme)]);
        assert!(read(b"[]").is_err());
    }

    #[test]
    fn each_refusal_has_its_remedy() {
        for (status, kind, part) in [
            (401, "unknown_key", "Is 'shop' one of the server's app keys"),
            (403, "origin", "--origin https://your.page"),
            (403, "token", "--id and --token"),
            (404, "turn_off", "turn.enabled = true"),
            (500, "no_secret", "See the log"),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            let body = format!(r#"{{"error":{{"type":"{kind}","message":"Because"}}}}"#);
            let (told, remedy) = refusal(&Answer::of(status, body.into()), "shop");
            assert_eq!(told, format!("the server says {}: Because", status.as_u16()));
            assert!(remedy.contains(part), "{remedy}");
        }
        let (told, _) = refusal(&Answer::of(StatusCode::NOT_FOUND, Bytes::new()), "shop");
        assert_eq!(told, "the answer is 404 Not Found");
    }
}
