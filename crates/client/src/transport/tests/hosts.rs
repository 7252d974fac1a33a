//! Sockets of this machine.

use std::time::Duration;

use super::super::{IceTransportPolicy, Network, NetworkEvent, NetworkOptions};
use super::support::{Gathered, opened, options, receive, receive_one, send, within};

#[tokio::test]
async fn datagrams_pass_over_ipv4_and_ipv6() {
    let (mut ann, anns) = opened(&options(vec![])).await;
    let (mut ben, bens) = opened(&options(vec![])).await;
    for ip in ["127.0.0.1", "::1"] {
        let (from, to) = (anns.host(ip), bens.host(ip));

        send(&mut ann, from, to, b"hello").await;

        let came = receive_one(&mut ben).await;
        assert_eq!((came.source, came.destination, &came.data[..]), (from, to, &b"hello"[..]));
    }
}

#[tokio::test]
async fn a_burst_arrives_as_it_was_sent() {
    let (mut ann, anns) = opened(&options(vec![])).await;
    let (mut ben, bens) = opened(&options(vec![])).await;
    let (from, to) = (anns.host("127.0.0.1"), bens.host("127.0.0.1"));
    // Lengths that begin, continue and end runs; few enough for any receive buffer.
    let lengths = (0..100).map(|number| [1200, 1200, 1200, 800, 30, 30, 1100][number % 7]);
    let sent: Vec<Vec<u8>> = lengths
        .enumerate()
        .map(|(number, length)| vec![u8::try_from(number).unwrap(); length])
        .collect();

    for data in &sent {
        ann.send(from, to, data);
    }
    assert!(ann.try_flush());

    let mut came = Vec::new();
    while came.len() < sent.len() {
        came.extend(receive(&mut ben).await.into_iter().map(|came| came.data));
    }
    assert!(came == sent);
    assert_eq!(queued(&ann), 0);
}

/// Bytes that wait to be sent.
fn queued(network: &Network) -> usize {
    network.hosts.iter().map(|host| host.port.queued()).sum()
}

#[tokio::test]
async fn waiting_may_be_given_up_at_any_time() {
    let (mut ann, anns) = opened(&options(vec![])).await;
    let (mut ben, bens) = opened(&options(vec![])).await;
    let (from, to) = (anns.host("127.0.0.1"), bens.host("127.0.0.1"));
    let mut came = 0;
    for number in 0..50_u8 {
        send(&mut ann, from, to, &[number]).await;
        let waiting = tokio::time::timeout(Duration::from_micros(300), ben.next()).await;
        if waiting.is_ok() {
            came += ben.batch().count();
        }
    }
    while came < 50 {
        came += receive(&mut ben).await.len();
    }
    assert_eq!(came, 50);
}

#[tokio::test]
async fn nothing_goes_to_groups_or_to_nowhere() {
    let (mut ann, anns) = opened(&options(vec![])).await;
    let from = anns.host("127.0.0.1");
    for to in ["224.0.0.251:5353", "255.255.255.255:9", "127.0.0.1:0", "0.0.0.0:9", "[::1]:9"] {
        ann.send(from, to.parse().unwrap(), b"x");
        assert_eq!(queued(&ann), 0, "{to}");
    }
    ann.send("192.0.2.77:1".parse().unwrap(), "127.0.0.1:9".parse().unwrap(), b"x");
    assert_eq!(queued(&ann), 0);
}

#[tokio::test]
async fn with_the_relay_policy_there_is_no_way_around_a_relay() {
    let policy = IceTransportPolicy::Relay;
    let (mut ann, anns) = opened(&NetworkOptions { policy, ..options(vec![]) }).await;
    assert_eq!(anns.candidates, []);
    assert!(ann.hosts.is_empty());

    ann.resolve("0a1b.local");
    let event = within("answer", ann.next()).await;
    assert!(matches!(event, NetworkEvent::Resolved { addrs, .. } if addrs.is_empty()));
}

#[tokio::test]
async fn a_restart_keeps_the_sockets_that_are_still_good() {
    let (mut ann, before) = opened(&options(vec![])).await;
    let (mut ben, bens) = opened(&options(vec![])).await;
    // As if an address had gone and another one come.
    let gone = ann.hosts.remove(0);

    let options = ann.options.clone();
    ann.restart(&options).await.unwrap();
    let after = Gathered::all(&mut ann).await;

    assert_eq!(before.candidates.len(), after.candidates.len());
    let same = before.candidates.iter().filter(|it| after.candidates.contains(it)).count();
    assert_eq!(same, before.candidates.len() - 1);
    let ip = gone.port.addr().ip().to_string();
    let to = bens.host(&ip);
    send(&mut ann, after.host(&ip), to, b"hello").await;
    assert_eq!(receive_one(&mut ben).await.destination, to);
}

#[tokio::test]
async fn another_address_of_this_machine_is_noticed_once() {
    let (mut ann, _) = opened(&options(vec![])).await;
    // As if this one had just gone.
    ann.interfaces.push("192.0.2.99".parse().unwrap());
    ann.look_at_interfaces = super::start();

    let event = within("event", ann.next()).await;
    assert!(matches!(event, NetworkEvent::InterfacesChanged), "{event:?}");

    ann.look_at_interfaces = super::start();
    let again = tokio::time::timeout(Duration::from_millis(50), ann.next()).await;
    assert!(again.is_err(), "{again:?}");
}
