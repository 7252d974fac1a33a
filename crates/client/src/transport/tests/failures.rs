//! Servers that do not do what they should, and what the user is told.

use tokio::net::{TcpListener, UdpSocket};

use super::super::{
    IceServer, LocalCandidate, Network, NetworkEvent, NetworkOptions, RelayProtocol,
};
use super::support::{TurnServer, opened, options, relay_only, trusting, within};

/// Why the only server gives nothing.
async fn reason(options: &NetworkOptions) -> String {
    let (_network, gathered) = opened(options).await;
    assert_eq!(gathered.relayed(), []);
    assert_eq!(gathered.failures.len(), 1, "{gathered:?}");
    gathered.failures[0].1.clone()
}

#[tokio::test]
async fn a_wrong_password_is_told() {
    let server = TurnServer::start().await;
    let mut ice = server.ice(RelayProtocol::Udp, false);
    ice.credential = Some("wrong".into());
    let told = reason(&relay_only(vec![ice])).await;
    assert!(told.contains("401") && told.contains("password"), "{told}");
}

#[tokio::test]
async fn a_used_up_quota_is_told() {
    let server = TurnServer::with(|config| config.turn.allocations_per_user = 1).await;
    let ice = vec![server.ice(RelayProtocol::Udp, false)];
    let (_first, gathered) = opened(&relay_only(ice.clone())).await;
    assert_eq!(gathered.relayed().len(), 1);
    let told = reason(&relay_only(ice)).await;
    assert!(told.contains("486") && told.contains("quota"), "{told}");
}

#[tokio::test]
async fn a_certificate_for_another_name_is_told() {
    let server = TurnServer::start().await;
    let at = server.at(RelayProtocol::Tls, false);
    let ice = IceServer::new(format!("turns:{at}")).credential("joe", "secret");
    let tls = trusting(std::slice::from_ref(&server.certificate));
    let told = reason(&NetworkOptions { tls, ..relay_only(vec![ice.clone()]) }).await;
    assert!(told.contains("not for this host"), "{told}");

    let told = reason(&relay_only(vec![server.ice(RelayProtocol::Tls, false)])).await;
    assert!(told.contains("not trusted"), "{told}");
}

#[tokio::test]
async fn a_port_where_nothing_listens_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    drop(listener);
    let url = format!("turn:{at}?transport=tcp");
    let told = reason(&relay_only(vec![IceServer::new(url).credential("joe", "x")])).await;
    assert!(told.contains("nothing listens"), "{told}");
}

#[tokio::test]
async fn what_is_not_turn_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        stream.writable().await.unwrap();
        stream.try_write(b"\xff\xff\xff\xff nonsense").unwrap();
        std::future::pending::<()>().await;
    });
    let url = format!("turn:{at}?transport=tcp");
    let told = reason(&relay_only(vec![IceServer::new(url).credential("joe", "x")])).await;
    assert!(told.contains("no TURN server"), "{told}");
}

#[tokio::test]
async fn urls_that_make_no_sense_are_told_and_the_others_go_on() {
    let server = TurnServer::start().await;
    let ice = vec![
        IceServer::new("https://example.org"),
        IceServer::new("turn:127.0.0.1:9"),
        server.ice(RelayProtocol::Udp, false),
    ];
    let (_ann, anns) = opened(&relay_only(ice)).await;
    assert_eq!(anns.relayed().len(), 1);
    let told: Vec<_> =
        anns.failures.iter().map(|(url, reason)| format!("{url}: {reason}")).collect();
    assert!(told[0].contains("https://example.org: the URL is wrong"), "{told:?}");
    assert!(told[1].contains("needs username and credential"), "{told:?}");
}

#[tokio::test]
async fn a_dead_relay_does_not_delay_the_others() {
    let server = TurnServer::start().await;
    let dead_udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let dead_tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let dead = [
        format!("turn:{}", dead_udp.local_addr().unwrap()),
        format!("turn:{}?transport=tcp", dead_tcp.local_addr().unwrap()),
    ];
    let mut ice: Vec<_> =
        dead.iter().map(|url| IceServer::new(url).credential("joe", "secret")).collect();
    ice.push(server.ice(RelayProtocol::Udp, false));
    let begin = super::start();
    let mut ann = Network::open(&options(ice)).await.unwrap();

    let found = async {
        while !matches!(ann.next().await, NetworkEvent::Candidate(LocalCandidate::Relayed { .. })) {
        }
    };
    within("candidate", found).await;
    assert!((super::start() - begin).as_millis() < 3000);
}

#[tokio::test]
async fn a_server_that_goes_away_is_told() {
    let server = TurnServer::start().await;
    let (mut ann, anns) = opened(&relay_only(vec![server.ice(RelayProtocol::Tcp, false)])).await;
    assert_eq!(anns.relayed().len(), 1);

    server.control.stop();

    let NetworkEvent::ServerFailed { reason, .. } = within("failure", ann.next()).await else {
        panic!("another event")
    };
    assert!(reason.contains("closed the connection"), "{reason}");
    assert!(ann.relays.is_empty());
}
