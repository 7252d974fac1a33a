//! The `peerway` command as a user runs it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn a_start_line_of_peer_server_works() {
    let line = "--port 0 --path /myapp --key k --allow_discovery --expire_timeout 5000 \
                --alive_timeout 60000 --concurrent_limit 10 --proxied false --cors a --cors b \
                -H 127.0.0.1";
    let server = Running::start(&line.split_whitespace().collect::<Vec<_>>(), &[]);
    assert!(server.get("/myapp/k/id", "").starts_with("HTTP/1.1 200 "));
    assert!(server.get("/myapp/k/peers", "").ends_with("\r\n\r\n[]"));
    assert!(server.get("/myapp/peerjs/id", "").starts_with("HTTP/1.1 401 "));
    assert!(server.get("/", "").starts_with("HTTP/1.1 404 "));
    let allowed = |origin| {
        let answer = server.get("/myapp/k/id", &format!("Origin: {origin}\r\n"));
        answer.contains(&format!("access-control-allow-origin: {origin}\r\n"))
    };
    assert!(allowed("a") && allowed("b") && !allowed("c"));
}

#[test]
fn short_flags_and_the_command_serve_work_too() {
    let line = ["serve", "-H", "127.0.0.1", "-p", "0", "-k", "mine", "-t", "100", "-c", "5"];
    let server = Running::start(&line, &[]);
    assert!(server.get("/mine/id", "").starts_with("HTTP/1.1 200 "));
}

#[test]
fn a_file_the_environment_and_flags_are_put_together() {
    let file = File::new("host = \"127.0.0.1\"\nport = 1\npath = \"/file\"\nkey = \"file\"\n");
    let server = Running::start(
        &["--config", file.path(), "--key", "flag"],
        &[("PORT", "0"), ("PEERSERVER_PATH", "/env")],
    );
    assert!(server.get("/env/flag/id", "").starts_with("HTTP/1.1 200 "));
}

#[test]
fn sigterm_and_sigint_end_the_server_with_success() {
    for signal in ["-TERM", "-INT"] {
        let server = Running::start(&["--port", "0", "--host", "127.0.0.1"], &[]);
        let status = server.stop(signal);
        assert_eq!(status.code(), Some(0), "{signal}");
    }
}

#[test]
fn a_server_that_cannot_start_says_why_and_fails() {
    let server = Running::start(&["--port", "0", "--host", "127.0.0.1"], &[]);
    let port = server.address.rsplit(':').next().unwrap();
    for (arguments, part) in [
        (
            vec!["--host", "127.0.0.1", "--port", port],
            format!("cannot listen on 127.0.0.1 port {port}: "),
        ),
        (vec!["--config", "/no/such/file.toml"], "cannot read /no/such/file.toml: ".into()),
        (vec!["--expire_timeout", "soon"], "'soon' is not a duration".into()),
        (vec!["--sslkey", "key.pem"], "--sslcert <FILE>".into()),
        (vec!["--log_level", "a=b=c"], "log level 'a=b=c' is not one".into()),
        (vec!["--no_such_flag"], "unexpected argument '--no_such_flag'".into()),
    ] {
        let output = run(&arguments, &[]);
        assert!(!output.status.success(), "{arguments:?}");
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(told.contains(&part), "{arguments:?}: {told}");
    }
}

#[test]
fn check_config_tells_what_is_wrong_by_text_and_exit_code() {
    let check = |text: &str| {
        let file = File::new(text);
        let output = run(&["check-config", file.path()], &[]);
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        (output.status.code(), text.replace(file.path(), "FILE"))
    };
    assert_eq!(check("port = 9000\n"), (Some(0), "FILE is fine\n".into()));
    let unknown = "peerway: FILE:2: unknown field `prot`; did you mean `port`?\n";
    assert_eq!(check("host = \"::\"\nprot = 1\n"), (Some(1), unknown.into()));
    let twice = "peerway: app key 'a' is configured twice\n";
    assert_eq!(check("[[app]]\nkey = \"a\"\n[[app]]\nkey = \"a\"\n"), (Some(1), twice.into()));
    let (code, told) = check("[tls]\ncert = \"/no/cert.pem\"\nkey = \"/no/key.pem\"\n");
    assert_eq!(code, Some(1));
    assert!(told.starts_with("peerway: cannot read a certificate from /no/cert.pem: "), "{told}");
}

#[test]
fn a_token_has_an_expiry_and_a_signature() {
    const SECRET: (&str, &str) = ("PEERWAY_SECRET", "correct horse battery staple");
    let output = run(&["token", "--id", "ann", "--ttl", "30m"], &[SECRET]);
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let (expiry, signature) = text.strip_suffix('\n').unwrap().split_once('.').unwrap();
    assert!(expiry.parse::<u64>().is_ok(), "{text}");
    assert!(signature.len() == 64 && signature.bytes().all(|it| it.is_ascii_hexdigit()), "{text}");

    let short = run(&["token", "--id", "ann", "--secret", "short"], &[]);
    assert_eq!(short.status.code(), Some(1));
    assert!(String::from_utf8(short.stderr).unwrap().contains("at least 16 characters"));
}

#[test]
fn a_credential_of_a_skyway_client_is_json() {
    const SECRET: (&str, &str) = ("PEERWAY_SECRET", "correct horse battery staple");
    let token = ["token", "skyway", "--key", "shop", "--peer", "ann", "--ttl"];
    let output = run(&[&token[..], &["10m"]].concat(), &[SECRET]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let credential: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&credential["peerId"], &credential["ttl"]), (&"ann".into(), &600.into()));
    assert!(credential["timestamp"].is_u64());
    assert_eq!(credential["authToken"].as_str().unwrap().len(), 44, "base64 of 32 bytes");

    for ttl in ["9m", "26h"] {
        let output = run(&[&token[..], &[ttl]].concat(), &[SECRET]);
        assert_eq!(output.status.code(), Some(1));
        assert!(String::from_utf8(output.stderr).unwrap().contains("600 to 90000"));
    }
}

#[test]
fn the_secret_for_tokens_does_not_disturb_the_server() {
    let secret = [("PEERWAY_SECRET", "correct horse battery staple")];
    Running::start(&["--port", "0", "--host", "127.0.0.1"], &secret);
}

#[test]
fn help_knows_the_flags_of_peer_server() {
    let output = run(&["--help"], &[]);
    assert!(output.status.success());
    let help = String::from_utf8(output.stdout).unwrap();
    for flag in [
        "--host",
        "-H",
        "--port",
        "-p",
        "--key",
        "-k",
        "--path",
        "--expire_timeout",
        "-t",
        "--alive_timeout",
        "--concurrent_limit",
        "-c",
        "--allow_discovery",
        "--proxied",
        "--sslkey",
        "--sslcert",
        "--cors",
    ] {
        assert!(help.contains(flag), "{flag} is missing in\n{help}");
    }
}

/// A command that knows nothing of the tests' own environment.
#[test]
fn a_server_whose_log_collector_died_can_still_be_stopped() {
    let mut server = command(&["--port", "0", "--host", "127.0.0.1"], &[])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(server.stderr.take().unwrap());
    log.read_line(&mut String::new()).unwrap();
    drop(log);
    let id = server.id().to_string();
    let (told, ended) = channel();
    std::thread::spawn(move || told.send(server.wait().unwrap()).unwrap());
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    let status = ended.recv_timeout(PATIENCE);
    if status.is_err() {
        assert!(Command::new("kill").args(["-KILL", &id]).status().unwrap().success());
    }
    assert_eq!(status.unwrap().code(), Some(0));
}

#[test]
fn ice_prints_a_credential_that_coturn_would_take_too() {
    let file = File::new(
        "[turn]\nsecrets = [\"0123456789abcdef\"]\npublic_host = \"turn.example\"\n\
         tls = []\n[[app]]\nkey = \"shop\"\n",
    );
    let on = [("PEERWAY_TURN__ENABLED", "true")];
    let ice = |arguments: &[&str]| {
        let line = [&["ice", "--config", file.path(), "--key"], arguments].concat();
        run(&line, &on)
    };
    let output = ice(&["shop"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && text.contains("\"turn:turn.example:3478?transport=udp\""));
    let username = text.split("\"username\": \"").nth(1).unwrap().split('"').next().unwrap();
    let (expiry, name) = username.split_once(':').unwrap();
    assert!(expiry.parse::<u64>().is_ok() && name.starts_with("shop$"), "{username}");
    let dotted = String::from_utf8(ice(&["shop", "--dot", "--host", "h"]).stdout).unwrap();
    assert!(dotted.contains(".shop$") && dotted.contains("\"stun:h:3478\""), "{dotted}");

    let unknown = ice(&["peerjs"]);
    assert!(!unknown.status.success());
    let error = String::from_utf8(unknown.stderr).unwrap();
    assert!(error.contains("no app has the key 'peerjs'; there is shop"), "{error}");
}

#[test]
fn ice_needs_a_secret_that_others_know() {
    for (enabled, part) in [("true", "turn.secrets is not set"), ("false", "turned off")] {
        let output = run(&["ice", "--key", "peerjs"], &[("PEERWAY_TURN__ENABLED", enabled)]);
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && error.contains(part), "{error}");
    }
}

fn command(arguments: &[&str], environment: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_peerway"));
    command.args(arguments).env_clear().stdin(Stdio::null());
    // Its ports are fixed, and tests run side by side.
    command.env("PEERWAY_TURN__ENABLED", "false").env("PEERWAY_SFU__ENABLED", "false");
    command.envs(environment.iter().copied());
    command
}

/// Runs a command that ends by itself.
fn run(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    command(arguments, environment).output().unwrap()
}

/// A server in its own process, killed at the end of the test.
struct Running {
    child: Child,
    log: Receiver<String>,
    address: String,
}

impl Running {
    fn start(arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut child = command(arguments, environment).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (lines, log) = channel();
        std::thread::spawn(move || {
            // Reads to the end even when nobody listens, or the server would stop at a full pipe.
            stderr.lines().map_while(Result::ok).for_each(|line| drop(lines.send(line)));
        });
        let Ok(line) = log.recv_timeout(PATIENCE) else {
            // Otherwise it would outlive the test.
            child.kill().unwrap();
            panic!("the server does not say that it listens");
        };
        let address = line.split("address=").nth(1).unwrap_or_else(|| panic!("{line}"));
        let address = address.split(' ').next().unwrap().to_owned();
        Self { child, log, address }
    }

    fn get(&self, target: &str, headers: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let head =
            format!("GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn stop(mut self, signal: &str) -> ExitStatus {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
        // The log ends when the process does.
        while self.log.recv_timeout(PATIENCE).is_ok() {}
        self.child.wait().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A file of one test.
struct File(PathBuf);

impl File {
    fn new(text: &str) -> Self {
        use std::sync::atomic::{AtomicU32, Ordering};
        static NUMBER: AtomicU32 = AtomicU32::new(0);

        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("peerway-cli-{}-{number}.toml", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, text).unwrap();
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        // What stays behind in the temporary folder harms nobody.
        let _ = std::fs::remove_file(&self.0);
    }
}
