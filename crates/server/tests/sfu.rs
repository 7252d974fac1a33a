//! Rooms whose media the server forwards, on real sockets.

use std::net::SocketAddr;

use peerway_media::Kind;
use peerway_server::Server;
use peerway_server::config::{AppConfig, Config};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

use crate::media_clients::client::{BOTH, Client, NOTHING, VIDEO};
use crate::support::{Member, Path, Request, TestServer};

/// A server that forwards on loopback.
pub(crate) async fn server(edit: impl FnOnce(&mut Config)) -> TestServer {
    TestServer::with(|config| {
        let sfu = &mut config.sfu;
        sfu.enabled = true;
        sfu.udp = Some(vec!["127.0.0.1:0".parse().unwrap()]);
        edit(config);
    })
    .await
}

/// Whether a client gets so many packets of another.
fn gets(client: &Client, count: usize) -> bool {
    let count_of = |kind| {
        let tracks = client.tracks.iter().filter(|((_, its), _)| *its == kind);
        tracks.map(|(_, track)| track.packets.len()).max().unwrap_or(0)
    };
    count_of(Kind::Video) >= count && count_of(Kind::Audio) >= count.min(1)
}

#[tokio::test]
async fn what_a_member_sends_the_others_receive() {
    let server = server(|_| {}).await;
    let ann = Member::join(&server, "ann", "r", BOTH, Path::Udp).await;
    let ben = Member::join(&server, "ben", "r", BOTH, Path::Udp).await;
    let cat = Member::join(&server, "cat", "r", NOTHING, Path::Udp).await;
    for member in [&ann, &ben, &cat] {
        member.until("packets of another one", |client| gets(client, 40)).await;
    }
    cat.until("packets of both", |client| client.tracks.len() == 4).await;
    server.assert_well().await;
}

#[tokio::test]
async fn a_member_whose_network_lets_no_udp_through_comes_by_tcp() {
    let server = server(|_| {}).await;
    let ann = Member::join(&server, "ann", "r", BOTH, Path::Tcp).await;
    let ben = Member::join(&server, "ben", "r", BOTH, Path::Udp).await;
    for member in [&ann, &ben] {
        member.until("packets of the other one", |client| gets(client, 40)).await;
    }
    drop(ann);
    server.assert_well().await;
}

#[tokio::test]
async fn members_on_ipv6_and_on_ipv4_are_in_one_room() {
    let both = ["127.0.0.1:0", "[::1]:0"].map(|it| it.parse().unwrap());
    let server = server(|config| config.sfu.udp = Some(both.into())).await;
    let ann = Member::join(&server, "ann", "r", BOTH, Path::Udp6).await;
    let ben = Member::join(&server, "ben", "r", BOTH, Path::Udp6).await;
    let cat = Member::join(&server, "cat", "r", BOTH, Path::Udp).await;
    for member in [&ann, &ben, &cat] {
        member
            .until("packets of both others", |client| {
                client.tracks.len() == 4 && client.tracks.values().all(|it| it.packets.len() > 10)
            })
            .await;
    }
    server.assert_well().await;
}

#[tokio::test]
async fn a_room_lives_in_one_thread_wherever_its_datagrams_come() {
    let server = server(|config| config.sfu.workers = Some(3)).await;
    let mut members = Vec::new();
    for number in 0..8 {
        for (name, sends) in [("ann", VIDEO), ("ben", NOTHING)] {
            let name = format!("{name}{number}");
            let room = format!("room {number}");
            members.push(Member::join(&server, &name, &room, sends, Path::Udp).await);
        }
    }
    for pair in members.chunks(2) {
        pair[1]
            .until("pictures", |client| client.tracks.values().any(|it| it.packets.len() > 30))
            .await;
    }
    // It would be a wonder if all sixteen had come to the right thread.
    while server.metric("peerway_sfu_handed_over_total").await == 0 {}
    server.assert_well().await;
}

#[tokio::test]
async fn a_server_that_stops_says_goodbye() {
    let server = server(|_| {}).await;
    let ann = Member::join(&server, "ann", "r", BOTH, Path::Udp).await;
    let ben = Member::join(&server, "ben", "r", BOTH, Path::Udp).await;
    for member in [&ann, &ben] {
        member.until("packets of the other", |client| gets(client, 10)).await;
    }
    server.control.stop();
    for member in [&ann, &ben] {
        member.until("the goodbye", |client| client.closed || !client.rtc.is_alive()).await;
    }
    server.ended().await;
}

#[tokio::test]
async fn garbage_is_counted_and_changes_nothing() {
    let server = server(|_| {}).await;
    let ann = Member::join(&server, "ann", "r", BOTH, Path::Udp).await;
    let ben = Member::join(&server, "ben", "r", BOTH, Path::Udp).await;
    ben.until("packets", |client| gets(client, 10)).await;
    let to = address_in(&ben.client().offers[0]);

    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut byte = 1_u8;
    for length in 0..1400_usize {
        let garbage: Vec<u8> = (0..length)
            .map(|_| {
                byte = byte.wrapping_mul(73).wrapping_add(29);
                byte
            })
            .collect();
        socket.send_to(&garbage, to).await.unwrap();
    }
    let mut stream = TcpStream::connect(to_tcp(&ben)).await.unwrap();
    stream.write_all(&[0, 3, 1, 2, 3]).await.unwrap();
    assert_eq!(stream.read(&mut [0]).await.unwrap(), 0, "it is closed");

    let already = ben.client().tracks.values().map(|it| it.packets.len()).max().unwrap();
    ben.until("more packets", |client| gets(client, already + 20)).await;
    while server.metric("peerway_sfu_strays_total").await < 500 {}
    let refused = "peerway_sfu_connections_refused_total{reason=\"no_member\"}";
    assert_eq!(server.metric(refused).await, 1);
    drop(ann);
    server.assert_well().await;
}

#[tokio::test]
async fn who_is_one_too_many_to_publish_is_told_and_listens_until_there_is_room() {
    let server = server(|config| config.sfu.publishers_per_room = 1).await;
    let ann = Member::join(&server, "ann", "r", VIDEO, Path::Udp).await;
    ann.until("the connection", |client| client.connected_at.is_some()).await;
    let ben = Member::join(&server, "ben", "r", VIDEO, Path::Udp).await;
    let told = ben.until_heard("ROOM-ERROR").await;
    assert_eq!(told["payload"]["type"], "publishers_full", "{told}");
    let pictures = |client: &Client| client.tracks.values().any(|it| it.packets.len() > 20);
    ben.until("ann's pictures", pictures).await;
    assert!(ann.client().tracks.is_empty());

    ann.say(&json!({"type": "ROOM-LEAVE", "room": "r"}));
    ben.until_heard("ROOM-LEFT").await;
    let cat = Member::join(&server, "cat", "r", NOTHING, Path::Udp).await;
    cat.until("ben's pictures", pictures).await;
    server.assert_well().await;
}

#[tokio::test]
async fn a_server_that_is_full_says_so() {
    let server = server(|config| config.sfu.members = 1).await;
    let ann = Member::join(&server, "ann", "r", BOTH, Path::Udp).await;
    ann.until("the connection", |client| client.connected_at.is_some()).await;
    let ben = Member::join(&server, "ben", "r", BOTH, Path::Udp).await;
    let told = ben.until_heard("ROOM-MEDIA-CLOSED").await;
    let text = "the server forwards media for no more than 1 members";
    assert_eq!(told["payload"]["msg"], text);
}

#[tokio::test]
async fn an_app_may_be_without() {
    let server = server(|config| {
        config.app = vec![AppConfig { sfu: false, ..AppConfig::named("peerjs") }];
    })
    .await;
    let mut ann = server.peer("ann").await;
    ann.send(r#"{"type":"ROOM-JOIN","room":"r","payload":{"mode":"sfu"}}"#).await;
    let told = ann.text().await;
    assert!(told.contains(r#""type":"no_sfu""#), "{told}");
}

#[tokio::test]
async fn operators_see_rooms_and_how_their_media_are() {
    let server = server(|config| {
        config.metrics.token = Some("the token of operators".to_owned().into());
    })
    .await;
    let ann = Member::join(&server, "ann", "tea", BOTH, Path::Udp).await;
    let ben = Member::join(&server, "ben", "tea", NOTHING, Path::Udp).await;
    ben.until("packets", |client| gets(client, 20)).await;

    let bearer = "Bearer the token of operators";
    let answer = Request::get("/v1/rooms").header("authorization", bearer).send(&server).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let told: Value = serde_json::from_str(&answer.body).unwrap();

    let room = &told["rooms"][0];
    assert_eq!(
        (&room["app"], &room["name"], &room["mode"]),
        (&json!("peerjs"), &json!("tea"), &json!("sfu"))
    );
    assert_eq!(room["members"], json!(["ann", "ben"]));
    let [from_ann, to_ben] = [&room["media"][0], &room["media"][1]];
    assert_eq!((&from_ann["peer"], &to_ben["peer"]), (&json!("ann"), &json!("ben")));
    assert!(from_ann["in"]["packets"].as_u64().unwrap() >= 20, "{room}");
    assert!(to_ben["out"]["packets"].as_u64().unwrap() >= 20, "{room}");
    assert_eq!(from_ann["publications"].as_array().unwrap().len(), 2, "{room}");
    assert_eq!(to_ben["subscriptions"][0]["publisher"], "ann", "{room}");
    drop(ann);
}

#[tokio::test]
async fn nobody_else_sees_rooms() {
    let open = TestServer::start().await;
    assert_eq!(open.get("/v1/rooms").await.status, 403);
    let guarded = TestServer::with(|config| {
        config.metrics.token = Some("the token of operators".to_owned().into());
    })
    .await;
    assert_eq!(guarded.get("/v1/rooms").await.status, 401);
}

/// Pictures of four packets for ten members: forty datagrams, a few calls.
#[tokio::test]
async fn what_goes_together_is_sent_together() {
    let server = server(|config| config.sfu.workers = Some(1)).await;
    let ann = Member::join(&server, "ann", "r", VIDEO, Path::Udp).await;
    let mut others = Vec::new();
    for number in 0..10 {
        others.push(Member::join(&server, &format!("m{number}"), "r", NOTHING, Path::Udp).await);
    }
    for other in &others {
        other
            .until("pictures", |client| client.tracks.values().any(|it| it.packets.len() > 200))
            .await;
    }
    let datagrams = server.metric("peerway_sfu_datagrams_total{direction=\"out\"}").await;
    let calls = server.metric("peerway_sfu_send_calls_total").await;
    assert!(calls > 0 && datagrams > 4 * calls, "{datagrams} datagrams by {calls} calls");
    drop(ann);
}

#[tokio::test]
async fn a_port_that_another_has_is_told_with_the_way_out() {
    let taken = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let at = taken.local_addr().unwrap();
    let mut config = Config { host: "127.0.0.1".into(), port: 0, ..Config::default() };
    config.turn.enabled = false;
    config.sfu.udp = Some(vec![at.to_string().parse().unwrap()]);
    let error = Server::bind(config).await.unwrap_err().to_string();
    let start = format!("cannot listen for the SFU on {at} (UDP): ");
    assert!(error.starts_with(&start), "{error}");
    assert!(error.ends_with("sfu.udp says where to listen, --no-sfu goes without"), "{error}");
}

fn address_in(offer: &str) -> SocketAddr {
    candidate(offer, "udp")
}

fn to_tcp(member: &Member) -> SocketAddr {
    candidate(&member.client().offers[0], "tcp")
}

fn candidate(offer: &str, transport: &str) -> SocketAddr {
    let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let candidates = offer.lines().filter(|line| line.starts_with("a=candidate:")).map(words);
    let words = candidates.into_iter().find(|words| words[2] == transport).unwrap();
    format!("{}:{}", words[4], words[5]).parse().unwrap()
}

#[tokio::test]
async fn who_leaves_the_room_leaves_nothing_behind() {
    let server = server(|_| {}).await;
    let ann = Member::join(&server, "ann", "r", BOTH, Path::Udp).await;
    let ben = Member::join(&server, "ben", "r", BOTH, Path::Tcp).await;
    ann.until("packets", |client| gets(client, 10)).await;
    ben.say(&json!({"type": "ROOM-LEAVE", "room": "r"}));
    ben.until("the goodbye", |client| client.closed || !client.rtc.is_alive()).await;
    server.until_metric("peerway_sfu_members", 1).await;
    ann.say(&json!({"type": "ROOM-LEAVE", "room": "r"}));
    server.until_metric("peerway_sfu_members", 0).await;
    let left = "peerway_sfu_members_closed_total{reason=\"left\"}";
    assert_eq!(server.metric(left).await, 2);
}
