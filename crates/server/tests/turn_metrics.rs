//! What the server tells about TURN: metrics and reports.

use std::collections::BTreeMap;
use std::time::Duration;

use peerway_server::clock;
use peerway_server::config::Config;
use peerway_turn::{CloseReason, Credentials, Form, Refusal, Report, Transport};
use tokio::net::UdpSocket;

use crate::support::{Login, Refused, TurnServer, Wish};

const SECRET: &str = "a secret of the tests";

fn known_secret(config: &mut Config) {
    config.turn.secrets = vec![SECRET.to_owned().into()];
}

/// A credential that somebody else has made who knows the secret.
fn made_elsewhere(app: &str, unix: u64) -> Login {
    let hour = Duration::from_hours(1);
    let credentials = Credentials::new(vec![SECRET.into()], BTreeMap::new(), hour);
    let credential = credentials.issue(Form::Colon, app, "x", unix).unwrap();
    Login { username: credential.username, password: credential.password }
}

#[tokio::test]
async fn allocations_are_counted_by_app_and_transport() {
    let server = TurnServer::start().await;
    for transport in Transport::ALL {
        let open = format!("peerway_turn_allocations{{app=\"peerjs\",transport=\"{transport}\"}}");
        let mut clients = Vec::new();
        for count in 1..=3 {
            let login = server.login("peerjs").await;
            let mut client = server.client(transport, login).await;
            client.allocate().await;
            server.until_metric(&open, count).await;
            clients.push(client);
        }
        // One says goodbye, the others end as they may: streams are hung up.
        clients[0].refresh(0).await.unwrap();
        server.until_metric(&open, 2).await;
        if transport != Transport::Udp {
            drop(clients);
            server.until_metric(&open, 0).await;
        }
    }
    assert_eq!(server.metric("peerway_turn_allocations_opened_total{app=\"peerjs\"}").await, 9);
}

#[tokio::test]
async fn users_of_no_app_are_others() {
    let server = TurnServer::with(known_secret).await;
    for login in [Login::joe(), made_elsewhere("nosuchapp", clock::unix_now())] {
        server.client(Transport::Udp, login).await.allocate().await;
    }
    let login = made_elsewhere("peerjs", clock::unix_now());
    server.client(Transport::Udp, login).await.allocate().await;
    let opened = |app| format!("peerway_turn_allocations_opened_total{{app=\"{app}\"}}");
    server.until_metric(&opened("other"), 2).await;
    server.until_metric(&opened("peerjs"), 1).await;
    assert!(!server.get("/metrics").await.body.contains("nosuchapp"));
}

#[tokio::test]
async fn payload_is_counted_by_direction() {
    let server = TurnServer::open().await;
    let outside = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    for transport in Transport::ALL {
        let login = server.login("peerjs").await;
        let mut client = server.client(transport, login).await;
        let relayed = client.allocate().await;
        client.permit(relayed.ip()).await.unwrap();
        for _ in 0..3 {
            client.send(outside.local_addr().unwrap(), &[1; 100]).await;
        }
        outside.send_to(&[2; 30], relayed).await.unwrap();
        assert_eq!(client.receive().await.payload(), [2; 30]);
        client.refresh(0).await.unwrap();
    }
    for (metric, to_peer, to_client) in [("packets", 9, 3), ("payload_bytes", 900, 90)] {
        for (direction, value) in [("to_peer", to_peer), ("to_client", to_client)] {
            let labels = format!("{{app=\"peerjs\",direction=\"{direction}\"}}");
            server.until_metric(&format!("peerway_turn_{metric}_total{labels}"), value).await;
        }
    }
}

#[tokio::test]
async fn refusals_are_counted_and_reported_with_their_reason() {
    let server = TurnServer::with(known_secret).await;
    let mut reports = server.reports();
    let wrong = Login { username: "joe".into(), password: "no".into() };
    let over = made_elsewhere("peerjs", clock::unix_now() - 3601);
    for (login, reason) in [(wrong, Refusal::Credentials), (over, Refusal::Expired)] {
        let mut client = server.client(Transport::Udp, login).await;
        assert_eq!(client.try_allocate(Wish::default()).await, Err(Refused::with(401)));
        let Report::Refused { app: None, client: told, reason: why } = reports.next().await else {
            panic!("another report")
        };
        assert_eq!((told.client, why), (client.wire.local(), reason));
    }
    let login = server.login("peerjs").await;
    let mut client = server.client(Transport::Udp, login).await;
    client.allocate().await;
    assert_eq!(client.permit("10.0.0.1".parse().unwrap()).await, Err(Refused::with(403)));
    assert!(matches!(reports.next().await, Report::Opened { .. }));
    let told = reports.next().await;
    assert!(
        matches!(&told, Report::Refused { app: Some(app), reason: Refusal::ForbiddenPeer, .. }
            if **app == *"peerjs"),
        "{told:?}"
    );
    for (app, reason, count) in [
        ("other", "challenge", 3),
        ("other", "credentials", 1),
        ("other", "expired", 1),
        ("peerjs", "forbidden_peer", 1),
    ] {
        let labels = format!("{{app=\"{app}\",reason=\"{reason}\"}}");
        server.until_metric(&format!("peerway_turn_refusals_total{labels}"), count).await;
    }
}

#[tokio::test]
async fn an_allocation_is_reported_from_its_beginning_to_its_end() {
    let server = TurnServer::open().await;
    let mut reports = server.reports();
    let outside = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    for transport in Transport::ALL {
        let login = server.login("peerjs").await;
        let mut client = server.client(transport, login.clone()).await;
        let relayed = client.allocate().await;
        let Report::Opened { owner, relayed: told } = reports.next().await else {
            panic!("another report")
        };
        assert_eq!((&*owner.app, &*owner.user), ("peerjs", login.username.as_str()));
        assert_eq!(owner.client.transport, transport);
        assert_eq!(owner.client.client, client.wire.local());
        assert_eq!(owner.client.server, server.at(transport));
        assert_eq!(told, [relayed]);

        client.permit(relayed.ip()).await.unwrap();
        client.send(outside.local_addr().unwrap(), &[1; 100]).await;
        client.send(outside.local_addr().unwrap(), b"").await;
        outside.send_to(&[2; 30], relayed).await.unwrap();
        client.receive().await;
        client.refresh(0).await.unwrap();
        let (owner, reason, traffic) = reports.closed().await;
        assert_eq!((&*owner.user, reason), (login.username.as_str(), CloseReason::Released));
        assert_eq!((traffic.to_peer.packets, traffic.to_peer.bytes), (2, 100));
        assert_eq!((traffic.to_client.packets, traffic.to_client.bytes), (1, 30));
    }
}
