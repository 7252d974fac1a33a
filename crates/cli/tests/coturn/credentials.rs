//! Who gets an allocation: static users and credentials signed with a secret.

use crate::peer::Peer;
use crate::server::Server;
use crate::uclient::{ANN, Uclient, all};
use crate::wiretap::{Answer, Wiretap};

const NEW_SECRET: &str = "the-secret-of-today";
const OLD_SECRET: &str = "the-secret-of-before";

// The number is a day in 2038, the last year that coturn itself knows, or one in 2000; the password
// is base64(HMAC-SHA1(secret, name)).
const COLON: [&str; 4] = ["-u", "2145916800:ann", "-w", "8SrzF70oFvfVkhvUiTbOW8Wp00U="];
const DOT: [&str; 4] = ["-u", "2145916800.ann", "-w", "+jZbDDLJcqG9QieStkJaZVgkSRk="];
const OF_AN_APP: [&str; 4] = ["-u", "2145916800:demo$ann", "-w", "v3zaJQEsJA8HhvwIe43f+Z9BqWs="];
const OF_THE_OLD_SECRET: [&str; 4] = ["-u", "2145916800:ann", "-w", "a40YwiZKCmlavkFqpjq8MT1De9I="];
const OF_A_FOREIGN_SECRET: [&str; 4] =
    ["-u", "2145916800:ann", "-w", "lc1yXTzZ/st9vbmFuvkhwP5fpFY="];
const EXPIRED: [&str; 4] = ["-u", "946684800:ann", "-w", "nhaj7sAK0m6yr6jkZhlE3jL8bGU="];
const EXPIRED_DOT: [&str; 4] = ["-u", "946684800.ann", "-w", "8P85b8J8UoxQbIPdwHAB88L4W+k="];
/// The name of [`EXPIRED`] with another number; the password is still that of the old name.
const PROLONGED: [&str; 4] = ["-u", "2145916800:ann", "-w", "nhaj7sAK0m6yr6jkZhlE3jL8bGU="];
/// Signed, but without a number.
const EVERLASTING: [&str; 4] = ["-u", "ann", "-w", "WHleCNmUgLOrSlleIfJmc1m9KnA="];

/// The client makes its own credential from the secret, with a number of tomorrow.
const SIGNS_ITSELF: [&str; 4] = ["-W", NEW_SECRET, "-u", "ann"];
const SIGNS_ITSELF_WITH_A_DOT: [&str; 6] = ["-W", NEW_SECRET, "-u", "ann", "-C", "."];
/// The number is all of the name.
const SIGNS_A_BARE_NUMBER: [&str; 2] = ["-W", NEW_SECRET];

const V4: &str = "127.0.0.1";

#[test]
fn signed_credentials_of_every_form_and_static_users_are_accepted() {
    let (server, peer) = (with_secrets(), Peer::start());
    let users: [&[&str]; 8] = [
        &COLON,
        &DOT,
        &OF_AN_APP,
        &OF_THE_OLD_SECRET,
        &SIGNS_ITSELF,
        &SIGNS_ITSELF_WITH_A_DOT,
        &SIGNS_A_BARE_NUMBER,
        &ANN,
    ];
    let runs = users.into_iter().flat_map(|user| {
        ["", "-t", "-t -S"].map(|it| Uclient::by(user, &server, V4, it).echo(&peer, V4))
    });
    all(runs, |it| it.delivered());
}

#[test]
fn everybody_else_gets_401() {
    let (server, peer) = (with_secrets(), Peer::start());
    let users: [(&str, &[&str]); 9] = [
        ("wrong password", &["-u", "ann", "-w", "wrong"]),
        ("unknown user", &["-u", "ben", "-w", "ann-secret"]),
        ("nobody at all", &["-u", "", "-w", ""]),
        ("another secret", &OF_A_FOREIGN_SECRET),
        ("expired", &EXPIRED),
        ("expired, with a dot", &EXPIRED_DOT),
        ("prolonged by the user", &PROLONGED),
        ("without a number", &EVERLASTING),
        ("signed with a secret that is the user's own", &["-W", "the-secret-of-ann", "-u", "ann"]),
    ];
    for (who, user) in users {
        let wiretap = Wiretap::before(&server, V4);
        let outcome = Uclient::to_port(wiretap.port, user, V4, "").echo(&peer, V4).run();
        outcome.gave_up().unwrap();
        let answers = wiretap.answers();
        assert!(!answers.is_empty(), "{who}: no answer");
        assert!(answers.iter().all(|it| *it == Answer::Error(401)), "{who}: {answers:?}");
    }
}

#[test]
fn everybody_else_is_refused_over_tcp_and_tls_too() {
    let (server, peer) = (with_secrets(), Peer::start());
    let users: [&[&str]; 4] =
        [&["-u", "ann", "-w", "wrong"], &OF_A_FOREIGN_SECRET, &EXPIRED, &EXPIRED_DOT];
    let runs = users.into_iter().flat_map(|user| {
        ["-t", "-t -S", "-T"].map(|it| Uclient::by(user, &server, V4, it).echo(&peer, V4))
    });
    all(runs, |outcome| {
        outcome.gave_up()?;
        // Which it says after 32 answers that ask for other credentials.
        if !outcome.text.contains("Cannot complete Allocation") {
            return Err(outcome.wrong("it is refused for another reason"));
        }
        Ok(())
    });
}

fn with_secrets() -> Server {
    Server::with(|it| it.secrets = vec![NEW_SECRET, OLD_SECRET])
}
