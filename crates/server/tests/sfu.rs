//! Rooms whose media the server forwards, on real sockets.

use peerway_media::Kind;
use peerway_server::config::Config;

use crate::media_clients::client::{BOTH, Client, NOTHING, VIDEO};
use crate::support::{Member, Path, TestServer};

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
    ann.until("the connection", |client| client.connected_at.is_some()).await;
    server.control.stop();
    ann.until("the goodbye", |client| client.closed || !client.rtc.is_alive()).await;
    server.ended().await;
}
