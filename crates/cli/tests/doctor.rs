//! `peerway doctor` against servers that are well and servers that are not.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "coturn/ports.rs"]
mod ports;

use std::io::{BufRead, BufReader};
use std::net::{TcpListener, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// Everything that a doctor without arguments looks at.
const ALL: [&str; 8] = [
    "HTTP 127.0.0.1:",
    "ICE servers",
    "STUN udp 127.0.0.1:",
    "TURN udp 127.0.0.1:",
    "TURN tcp 127.0.0.1:",
    "relay by udp 127.0.0.1:",
    "relay ports of udp 127.0.0.1:",
    "WebSocket 127.0.0.1:",
];

const ALLOW_LOOPBACK: &str = "allow_peers = [\"127.0.0.0/8\", \"::1/128\"]\n";

#[test]
fn a_healthy_server_is_all_green() {
    let server = Server::start("", ALLOW_LOOPBACK);
    let told = doctor(&["--server", &server.http]);
    assert_eq!(told.code, Some(0), "{}", told.text);
    for subject in ALL {
        assert_eq!(told.verdict(subject), "ok", "{subject}: {}", told.text);
    }
    assert!(told.text.contains("you are seen as 127.0.0.1:"), "{}", told.text);
    assert!(told.text.ends_with("\n\n8 ok\n"), "{}", told.text);
}

#[test]
fn a_server_that_relays_nothing_to_loopback_is_well_too() {
    let server = Server::start("", "");
    let told = doctor(&["--server", &server.http]);
    assert_eq!(told.code, Some(0), "{}", told.text);
    assert_eq!(told.verdict("relay by udp"), "ok", "{}", told.text);
    assert_eq!(told.verdict("relay ports of udp"), "skip", "{}", told.text);
    assert!(told.line("relay ports").contains("run doctor from elsewhere"), "{}", told.text);
}

#[test]
fn an_allocation_is_given_back() {
    let server = Server::start("", "allocations = 2\n");
    for _run in 0..3 {
        // There are never more than two at a time.
        let told = doctor(&["--server", &server.http]);
        assert_eq!(told.code, Some(0), "{}", told.text);
    }
}

#[test]
fn each_address_family_of_the_server_is_looked_at() {
    let server = Server::start("", "");
    let url = server.http.replace("127.0.0.1", "[::1]");
    let told = doctor(&["--server", &url]);
    assert_eq!(told.code, Some(0), "{}", told.text);
    assert_eq!(told.verdict("STUN udp [::1]:"), "ok", "{}", told.text);
    assert!(told.text.contains("you are seen as [::1]:"), "{}", told.text);
}

#[test]
fn nothing_is_colored_in_a_pipe() {
    let told = doctor(&["--server", "http://localhost:9/"]);
    assert!(!told.text.contains('\x1b'), "{:?}", told.text);
}

#[test]
fn certificates_of_https_and_turns_must_be_trusted() {
    let server = Server::with_tls();
    let url = server.http.replace("http://127.0.0.1", "https://localhost");
    let certificate = server.folder.join("cert.pem");

    let trusting = doctor(&["--server", &url, "--ca", certificate.to_str().unwrap()]);
    assert_eq!(trusting.code, Some(0), "{}", trusting.text);
    for subject in ["HTTPS", "certificate of localhost", "TURN tls", "WebSocket"] {
        assert_eq!(trusting.verdict(subject), "ok", "{}", trusting.text);
    }

    let strict = doctor(&["--server", &url]);
    assert_eq!(strict.code, Some(1), "{}", strict.text);
    assert_eq!(strict.verdict("certificate of localhost"), "FAIL", "{}", strict.text);
    assert!(strict.remedy("certificate of localhost").contains("--ca FILE"), "{}", strict.text);
    for subject in ["HTTPS", "ICE servers", "STUN", "TURN", "relay", "WebSocket"] {
        assert_eq!(strict.verdict(subject), "skip", "{}", strict.text);
    }
}

#[test]
fn turn_that_is_off_is_a_failure_with_a_remedy() {
    let server = Server::start("", "enabled = false\n");
    let told = doctor(&["--server", &server.http]);
    assert_eq!(told.code, Some(1), "{}", told.text);
    assert_eq!(told.verdict("ICE servers"), "FAIL", "{}", told.text);
    assert!(told.remedy("ICE servers").contains("turn.enabled = true"), "{}", told.text);
    assert_eq!(told.verdict("relay"), "skip", "{}", told.text);
    assert_eq!(told.verdict("WebSocket"), "ok", "{}", told.text);
}

#[test]
fn a_udp_port_that_nobody_serves_is_told_from_one_that_is_filtered() {
    let server = Server::elsewhere();
    let told = doctor(&["--server", &server.http, "--timeout", "3s"]);
    assert_eq!(told.code, Some(1), "{}", told.text);
    let turn = format!("TURN udp 127.0.0.2:{}", server.turn_port);
    assert!(told.line(&turn).contains("nothing listens there"), "{}", told.text);
    assert!(told.remedy(&turn).contains("`turn.udp`"), "{}", told.text);

    let _silent = UdpSocket::bind(("127.0.0.2", server.turn_port)).unwrap();
    let told = doctor(&["--server", &server.http, "--timeout", "3s"]);
    assert_eq!(told.code, Some(1), "{}", told.text);
    for service in ["STUN", "TURN"] {
        let subject = format!("{service} udp 127.0.0.2:{}", server.turn_port);
        assert!(told.line(&subject).contains("no answer"), "{}", told.text);
        let remedy = format!("Open UDP port {} in the server's firewall", server.turn_port);
        assert!(told.remedy(&subject).contains(&remedy), "{}", told.text);
    }
    // TCP gets through, so the relay is looked at over TCP.
    assert_eq!(told.verdict("relay by tcp 127.0.0.2:"), "ok", "{}", told.text);
}

#[test]
fn an_unknown_key_is_told_with_a_remedy() {
    let server = Server::start("key = \"shop\"\n", "");
    let told = doctor(&["--server", &server.http, "--key", "spoh"]);
    assert_eq!(told.code, Some(1), "{}", told.text);
    assert!(told.remedy("ICE servers").contains("Is 'spoh' one of the server's app keys"));
    assert!(told.line("WebSocket").contains("INVALID-KEY: Invalid key provided"), "{}", told.text);
    assert!(told.remedy("WebSocket").contains("--key"), "{}", told.text);

    let told = doctor(&["--server", &server.http, "--key", "shop"]);
    assert_eq!(told.code, Some(0), "{}", told.text);
}

#[test]
fn apps_with_origins_and_signed_ids_can_be_looked_at() {
    let secret = "correct horse battery staple";
    let server = Server::start(
        &format!(
            "[[app]]\nkey = \"shop\"\norigins = [\"https://a.example\"]\n\
             secret = \"{secret}\"\nrequire_signed_id = true\n"
        ),
        "",
    );
    let url = server.http.as_str();
    let output = run(&["token", "--key", "shop", "--id", "ann", "--secret", secret]);
    let token = output.text.trim();
    let page = ["--server", url, "--key", "shop", "--origin", "https://a.example"];

    let told = doctor(&[&page[..], &["--id", "ann", "--token", token]].concat());
    assert_eq!(told.code, Some(0), "{}", told.text);
    let told = doctor(&page);
    assert!(told.remedy("ICE servers").contains("--token"), "{}", told.text);
    assert!(told.remedy("WebSocket").contains("--token"), "{}", told.text);
    let told = doctor(&["--server", url, "--key", "shop"]);
    assert!(told.remedy("ICE servers").contains("--origin"), "{}", told.text);
    assert!(told.remedy("WebSocket").contains("--origin"), "{}", told.text);
}

#[test]
fn another_path_is_told_from_no_server() {
    let server = Server::start("path = \"/myapp\"\n", "");
    let root = doctor(&["--server", &server.http]);
    assert!(root.remedy("HTTP 127.0.0.1:").contains("'/myapp/'"), "{}", root.text);
    let right = doctor(&["--server", &format!("{}myapp", server.http)]);
    assert_eq!(right.code, Some(0), "{}", right.text);
}

#[test]
fn a_server_that_is_not_there_leaves_nothing_to_look_at() {
    let port = ports::block(1);
    let told = doctor(&["--server", &format!("http://127.0.0.1:{port}/")]);
    assert_eq!(told.code, Some(1), "{}", told.text);
    assert!(told.line("HTTP 127.0.0.1:").contains("nothing listens there"), "{}", told.text);
    assert_eq!(told.verdict("WebSocket"), "skip", "{}", told.text);
    assert!(told.text.ends_with("\n\n1 failed, 5 skipped\n"), "{}", told.text);

    let told = doctor(&["--server", "http://nowhere.invalid/"]);
    assert_eq!(told.verdict("name nowhere.invalid"), "FAIL", "{}", told.text);
}

#[test]
fn a_server_that_never_answers_is_given_up() {
    // Connections are taken by the system and never read.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    let told = doctor(&["--server", &url, "--timeout", "500ms"]);
    assert_eq!(told.code, Some(1), "{}", told.text);
    assert!(told.line("HTTP 127.0.0.1:").contains("connected, but no answer"), "{}", told.text);
    let secure = url.replace("http:", "https:");
    let told = doctor(&["--server", &secure, "--timeout", "500ms"]);
    let line = told.line("certificate of 127.0.0.1");
    assert!(line.contains("connected, but no answer"), "{}", told.text);
}

#[test]
fn what_is_no_url_and_no_certificate_is_told_at_once() {
    let told = doctor(&["--server", "localhost:9000"]);
    assert_eq!(told.code, Some(2), "{}", told.text);
    let told = doctor(&["--ca", "/no/such/file.pem"]);
    assert_eq!(told.code, Some(1), "{}", told.text);
    assert!(
        told.text.contains("cannot read a certificate from /no/such/file.pem"),
        "{}",
        told.text
    );
}

/// What a run said.
struct Told {
    code: Option<i32>,
    text: String,
}

impl Told {
    /// The line of the first check whose subject begins so.
    fn line(&self, subject: &str) -> &str {
        let mut lines = self.text.lines();
        lines
            .find(|it| it.get(5..).is_some_and(|rest| rest.starts_with(subject)))
            .unwrap_or_else(|| panic!("no '{subject}' in:\n{}", self.text))
    }

    /// "ok", "warn", "FAIL" or "skip".
    fn verdict(&self, subject: &str) -> &str {
        self.line(subject)[..4].trim_end()
    }

    /// The indented lines below a line, as one.
    fn remedy(&self, subject: &str) -> String {
        let line = self.line(subject);
        let below = self.text.lines().skip_while(|it| *it != line).skip(1);
        let words = below.take_while(|it| it.starts_with("     ")).flat_map(str::split_whitespace);
        words.collect::<Vec<_>>().join(" ")
    }
}

fn doctor(arguments: &[&str]) -> Told {
    run(&[&["doctor"], arguments].concat())
}

/// Both outputs of a command that ends by itself.
fn run(arguments: &[&str]) -> Told {
    let output = command().args(arguments).output().unwrap();
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    Told { code: output.status.code(), text }
}

/// A command that knows nothing of the tests' own environment.
fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_peerway"));
    command.env_clear().stdin(Stdio::null());
    command
}

/// A server in its own process, killed at the end of the test.
struct Server {
    child: Child,
    /// Its URL.
    http: String,
    turn_port: u16,
    folder: PathBuf,
}

impl Server {
    /// With further settings of its own.
    fn start(settings: &str, turn: &str) -> Self {
        let port = ports::block(2);
        let listen = format!("udp = [\"{port}\"]\ntcp = [\"{port}\"]\n{turn}");
        Self::with(settings, &listen, port)
    }

    fn with_tls() -> Self {
        let port = ports::block(2);
        let tls = port + 1;
        let listen = format!("udp = [\"{port}\"]\ntcp = [\"{port}\"]\ntls = [\"{tls}\"]\n");
        Self::with("", &format!("{listen}[tls]\ncert = \"CERT\"\nkey = \"KEY\"\n"), port)
    }

    /// It is said to be at 127.0.0.2, where it listens for TCP only.
    fn elsewhere() -> Self {
        let port = ports::block(1);
        let listen = format!(
            "udp = [\"127.0.0.1:{port}\"]\ntcp = [\"127.0.0.2:{port}\"]\npublic_host = \"127.0.0.2\"\n"
        );
        Self::with("", &listen, port)
    }

    fn with(settings: &str, turn: &str, turn_port: u16) -> Self {
        let folder = std::env::temp_dir().join(format!("peerway-doctor-{turn_port}"));
        std::fs::create_dir_all(&folder).unwrap();
        let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let (cert, key) = (folder.join("cert.pem"), folder.join("key.pem"));
        std::fs::write(&cert, pair.cert.pem()).unwrap();
        std::fs::write(&key, pair.signing_key.serialize_pem()).unwrap();
        let first = ports::block(100);
        let last = first + 99;
        let text = format!("port = 0\n{settings}[turn]\nrelay_ports = \"{first}-{last}\"\n{turn}");
        let text =
            text.replace("CERT", cert.to_str().unwrap()).replace("KEY", key.to_str().unwrap());
        let config = folder.join("peerway.toml");
        std::fs::write(&config, text).unwrap();

        let mut child =
            command().arg("--config").arg(config).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let port = lines.find_map(|line| {
            let (_, rest) = line.split_once("peerway is listening")?;
            let address = rest.split("address=").nth(1)?.split(' ').next()?;
            Some(address.rsplit(':').next()?.to_owned())
        });
        let port = port.expect("the server says where it listens");
        // Reads to the end, or the server would stop at a full pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, http: format!("http://127.0.0.1:{port}/"), turn_port, folder }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        // What stays behind in the temporary folder harms nobody.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
