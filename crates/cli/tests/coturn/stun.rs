//! Binding requests of clients that only want to know their address.

use crate::ports;
use crate::process::{PATIENCE, Process};
use crate::server::Server;

#[test]
fn a_client_is_told_its_address() {
    let server = Server::start();
    for address in ["127.0.0.1", "::1"] {
        let text = output("turnutils_stunclient", &["-p", &server.port.to_string(), address]);
        let told = text.split("UDP reflexive addr: ").nth(1).unwrap_or_else(|| panic!("{text}"));
        let port = told.lines().next().and_then(|it| it.strip_prefix(&format!("{address}:")));
        assert!(port.is_some_and(|it| it.parse::<u16>().is_ok()), "{text}");
    }
}

/// It compares the address that it has with the one that it is told.
#[test]
fn a_client_without_nat_finds_out_that_there_is_none() {
    let server = Server::start();
    for address in ["127.0.0.1", "::1"] {
        let (port, local) = (server.port.to_string(), ports::block(1).to_string());
        let arguments = ["-m", "-p", &port, "-L", address, "-l", &local, address];
        let text = output("turnutils_natdiscovery", &arguments);
        assert!(text.contains(&format!("UDP reflexive addr: {address}:{local}\n")), "{text}");
        assert!(text.contains("No NAT!"), "{text}");
    }
}

/// It sends datagrams to the address that it was told, from another socket of its own.
#[test]
fn a_client_can_reach_the_address_that_it_was_told() {
    let server = Server::start();
    let arguments = ["-H", "-p", &server.port.to_string(), "-L", "127.0.0.1", "127.0.0.1"];
    let text = output("turnutils_natdiscovery", &arguments);
    assert!(text.contains("Received a request (maybe a successful hairpinning)"), "{text}");
}

fn output(name: &str, arguments: &[&str]) -> String {
    let arguments: Vec<String> = arguments.iter().map(|it| (*it).to_owned()).collect();
    let mut process = Process::coturn(name, &arguments);
    let mut text = String::new();
    while let Some(line) = process.line(PATIENCE).unwrap_or_else(|_| panic!("silent: {text}")) {
        text.extend([&line, "\n"]);
    }
    assert!(process.status().success(), "{text}");
    text
}
