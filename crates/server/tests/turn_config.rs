//! Mistakes in the settings of TURN, and ports that others have.

use std::net::{TcpListener, UdpSocket};

use peerway_server::config::Config;
use peerway_server::{Server, StartError, check};

use crate::config::{from_file, told_about};
use crate::support::{Files, TurnServer};

#[test]
fn texts_that_are_no_addresses_are_told_with_their_line() {
    for (setting, part) in [
        ("udp = [\"localhost\"]", "'localhost' is neither a port nor like \"192.0.2.1:3478\""),
        ("tcp = [\"70000\"]", "'70000' is neither a port"),
        ("tls = [\"192.0.2.1\"]", "'192.0.2.1' is neither a port"),
        ("relay_ports = \"65535-49152\"", "'65535-49152' is not a range of ports like"),
        ("relay_ports = 3478", "'3478' is not a range of ports like \"49152-65535\""),
        ("relay_addresses = [\"eth0\"]", "invalid IP address syntax"),
        ("external_addresses = [\"1.2.3.4/::1\"]", "'1.2.3.4/::1' has addresses of two families"),
        ("external_addresses = [\"example.com\"]", "'example.com' is not an address like"),
        ("allow_peers = [\"10.0.0.0/33\"]", "'10.0.0.0/33' is not a net like \"10.1.0.0/16\""),
        ("alternate_servers = [\"turn.example.com\"]", "invalid socket address syntax"),
        ("bandwidth_per_allocation = \"fast\"", "'fast' is not a size"),
        ("upd = [\"3478\"]", "unknown field `upd`; did you mean `udp`?"),
    ] {
        let (line, message) = told_about(&format!("[turn]\n{setting}\n"));
        assert_eq!(line, 2, "{setting}: {message}");
        assert!(message.contains(part), "{setting}: {message}");
    }
}

#[test]
fn values_that_cannot_work_are_refused() {
    for (setting, part) in [
        ("secrets = [\"short\"]", "turn.secrets must have at least 16 characters each"),
        ("users = [\"joe\"]", "turn.users must be like \"name:password\""),
        ("users = [\":password\"]", "turn.users must be like \"name:password\""),
        ("cert = \"turn.pem\"", "turn.cert and turn.key go together"),
        ("credential_ttl = \"30s\"", "turn.credential_ttl (30s) must be at least 1m"),
        ("realm = \"\"", "turn.realm must have 1 to 127 characters"),
        ("workers = 0", "turn.workers must not be 0; unset it for one per core"),
    ] {
        let error = from_file(&format!("[turn]\n{setting}\n")).unwrap_err().to_string();
        assert!(error.contains(part), "{setting}: {error}");
    }
}

#[test]
fn no_secret_of_turn_is_printed() {
    let text = "[turn]\nsecrets = [\"0123456789abcdef\"]\nusers = [\"joe:hush hush\"]\n";
    let config = from_file(text).unwrap();
    let printed = format!("{config:?}{}", serde_json::to_string(&config).unwrap());
    assert!(!printed.contains("hush") && !printed.contains("0123456789"), "{printed}");
}

/// A server with one listener at an address that is not free, or is not its own.
async fn refused(edit: impl FnOnce(&mut Config)) -> StartError {
    let mut config = Config { host: "127.0.0.1".into(), port: 0, ..Config::default() };
    for listen in [&mut config.turn.udp, &mut config.turn.tcp, &mut config.turn.tls] {
        listen.clear();
    }
    edit(&mut config);
    Server::bind(config).await.unwrap_err()
}

#[tokio::test]
async fn a_certificate_that_is_not_there_is_told_by_its_name() {
    let files = Files::new("turn-missing");
    let config = |config: &mut Config| {
        config.turn.tls = vec!["127.0.0.1:0".parse().unwrap()];
        config.turn.cert = Some(files.config.cert.clone());
        config.turn.key = Some(files.config.key.clone());
    };
    let start = format!("cannot read a certificate from {}: ", files.config.cert.display());
    let error = refused(config).await.to_string();
    assert!(error.starts_with(&start), "{error}");
    let mut checked = Config::default();
    config(&mut checked);
    assert!(check(&checked).unwrap_err().starts_with(&start));
    // Nobody reads it where nothing listens for TLS, or TURN is off.
    checked.turn.tls.clear();
    assert_eq!(check(&checked), Ok(()));
    config(&mut checked);
    checked.turn.enabled = false;
    assert_eq!(check(&checked), Ok(()));
}

#[tokio::test]
async fn a_port_that_another_has_is_told_with_the_way_out() {
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let (udp_at, tcp_at) = (udp.local_addr().unwrap(), tcp.local_addr().unwrap());
    let files = Files::new("turn-in-use");
    files.renew();
    for workers in [1, 4] {
        for (at, transport) in [(udp_at, "UDP"), (tcp_at, "TCP"), (tcp_at, "TLS")] {
            let error = refused(|config| {
                let turn = &mut config.turn;
                turn.workers = Some(workers);
                turn.cert = Some(files.config.cert.clone());
                turn.key = Some(files.config.key.clone());
                let listen = vec![at.to_string().parse().unwrap()];
                match transport {
                    "UDP" => turn.udp = listen,
                    "TCP" => turn.tcp = listen,
                    _ => turn.tls = listen,
                }
            });
            let setting = transport.to_lowercase();
            assert_eq!(
                error.await.to_string(),
                format!(
                    "cannot listen for TURN on {at} ({transport}): Address already in use (os \
                     error 98); is another TURN server running? turn.{setting} says where to \
                     listen, --no-turn goes without"
                )
            );
        }
    }
}

/// With `SO_REUSEPORT` two servers could share a port, and each would get a part of the clients.
#[tokio::test]
async fn a_second_server_does_not_take_clients_from_the_first() {
    for (first, second) in [(1, 1), (1, 4), (4, 1), (4, 4)] {
        let server = TurnServer::with(|config| config.turn.workers = Some(first)).await;
        for transport in peerway_turn::Transport::ALL {
            let at = server.at(transport).to_string().parse().unwrap();
            let error = refused(|config| {
                config.turn.workers = Some(second);
                if transport == peerway_turn::Transport::Udp {
                    config.turn.udp = vec![at];
                } else {
                    config.turn.tcp = vec![at];
                }
            });
            assert!(matches!(error.await, StartError::Turn { .. }), "{transport}");
        }
    }
}
