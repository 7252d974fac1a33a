//! A `peerway` of one test.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;

use crate::ports;
use crate::process::{PATIENCE, Process};

pub(crate) const REALM: &str = "peerway";

/// How often a metric is asked for before the test fails; each time takes a connection.
const TRIES: u32 = 20_000;

/// The settings that tests have reasons to change.
pub(crate) struct Settings {
    pub(crate) relay_addresses: Vec<&'static str>,
    pub(crate) relay_ports: u16,
    pub(crate) secrets: Vec<&'static str>,
    pub(crate) allow_peers: Vec<&'static str>,
    pub(crate) alternate_servers: Vec<String>,
    pub(crate) deny_peers: Vec<&'static str>,
    pub(crate) allocations_per_user: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            relay_addresses: vec!["127.0.0.1", "::1"],
            relay_ports: 400,
            secrets: vec![],
            allow_peers: vec!["127.0.0.0/8", "::1/128"],
            alternate_servers: vec![],
            deny_peers: vec![],
            allocations_per_user: 0,
        }
    }
}

/// See the module documentation. It listens on the loopback addresses of both families.
pub(crate) struct Server {
    /// For UDP and TCP.
    pub(crate) port: u16,
    pub(crate) tls_port: u16,
    pub(crate) folder: PathBuf,
    http: String,
    process: Process,
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::with(|_| {})
    }

    /// With settings of its own.
    pub(crate) fn with(edit: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings::default();
        edit(&mut settings);
        let port = ports::block(2);
        let tls_port = port + 1;
        let folder = std::env::temp_dir().join(format!("peerway-coturn-{port}"));
        std::fs::create_dir_all(&folder).unwrap();
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
        let pair = rcgen::generate_simple_self_signed(names).unwrap();
        std::fs::write(folder.join("cert.pem"), pair.cert.pem()).unwrap();
        std::fs::write(folder.join("key.pem"), pair.signing_key.serialize_pem()).unwrap();
        let config = folder.join("peerway.toml");
        std::fs::write(&config, toml(&settings, port, tls_port, &folder)).unwrap();

        let mut command = Command::new(env!("CARGO_BIN_EXE_peerway"));
        command.args(["--config".as_ref(), config.as_os_str()]).env_clear();
        let process = Process::start(command).unwrap();
        let line = process.until("peerway is listening");
        let http = line.split("address=").nth(1).and_then(|it| it.split(' ').next()).unwrap();
        Self { port, tls_port, folder, http: http.to_owned(), process }
    }

    /// From now on new clients are sent to the alternate servers.
    pub(crate) fn drain(&self) {
        self.process.signal("-USR1");
        self.process.until("draining");
    }

    /// Waits until nothing is left of the allocations that there were.
    pub(crate) fn until_no_allocations(&self) {
        assert_ne!(self.metric("peerway_turn_allocations_opened_total"), 0);
        let reached = (0..TRIES).any(|_| self.metric("peerway_turn_allocations") == 0);
        assert!(reached, "there are {} allocations", self.metric("peerway_turn_allocations"));
    }

    /// The sum of a metric over its labels.
    fn metric(&self, name: &str) -> u64 {
        let mut stream = TcpStream::connect(&self.http).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(b"GET /metrics HTTP/1.0\r\nHost: x\r\n\r\n").unwrap();
        let mut page = String::new();
        stream.read_to_string(&mut page).unwrap();
        let of_name =
            |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']));
        let values = page.lines().filter(of_name).filter_map(|line| line.rsplit(' ').next());
        let values: Vec<u64> = values.map(|value| value.parse().unwrap()).collect();
        assert!(!values.is_empty(), "there is no {name} in\n{page}");
        values.iter().sum()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let log = self.process.kill();
        // What stays behind in the temporary folder harms nobody.
        let _ = std::fs::remove_dir_all(&self.folder);
        if std::thread::panicking() {
            println!("the server said:\n{}", log.join("\n"));
        } else {
            let panicked = log.iter().find(|line| line.contains("panicked at"));
            assert_eq!(panicked, None, "a task of the server panicked");
        }
    }
}

fn toml(settings: &Settings, port: u16, tls_port: u16, folder: &std::path::Path) -> String {
    let first = ports::block(settings.relay_ports);
    let last = first + settings.relay_ports - 1;
    let Settings { relay_addresses, secrets, allow_peers, deny_peers, .. } = settings;
    let Settings { alternate_servers, allocations_per_user, .. } = settings;
    let folder = folder.display();
    let [_, user, _, password] = crate::uclient::ANN;
    // A list of texts is written alike in TOML and by `Debug`. All clients of a test are one user
    // at one address, and most leave an allocation behind, so what is limited for either is not
    // here.
    format!(
        "host = \"127.0.0.1\"\n\
         port = 0\n\
         [turn]\n\
         udp = [\"{port}\"]\n\
         tcp = [\"{port}\"]\n\
         tls = [\"{tls_port}\"]\n\
         cert = \"{folder}/cert.pem\"\n\
         key = \"{folder}/key.pem\"\n\
         realm = \"{REALM}\"\n\
         users = [\"{user}:{password}\"]\n\
         secrets = {secrets:?}\n\
         relay_ports = \"{first}-{last}\"\n\
         relay_addresses = {relay_addresses:?}\n\
         allow_peers = {allow_peers:?}\n\
         deny_peers = {deny_peers:?}\n\
         alternate_servers = {alternate_servers:?}\n\
         allocations_per_user = {allocations_per_user}\n\
         allocations_per_source = 0\n\
         connections_per_source = 10000\n\
         answers_per_source = 0\n"
    )
}
