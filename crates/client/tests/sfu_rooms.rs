//! Rooms whose media goes through the server, over real sockets.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use peerway::media::{EncodedFrame, TestTone, TestVideo, TrackKind};
use peerway::{
    LocalTrack, Peer, PeerOptions, Reception, Reconnect, RemoteTrack, Room, RoomErrorKind,
    RoomEvent, RoomMode, RoomOptions, TrackRequest, VideoWish,
};
use support::{Server, within};

/// The numbers of pictures by what was sent: small differences to the one before may look alike.
type Sent = Arc<Mutex<BTreeMap<Vec<u8>, Vec<u32>>>>;

/// A member, and all pictures that it sent: each has its number in it.
struct Member {
    peer: Peer,
    room: Room,
    sent: Sent,
}

impl Member {
    async fn join(server: &Server, id: &str) -> Self {
        Self::open(server.options().id(id)).await
    }

    async fn open(options: PeerOptions) -> Self {
        let peer = within(Peer::open(options.loopback(true))).await.unwrap();
        let room = peer.join_room("studio", RoomMode::Sfu).unwrap();
        within(room.joined()).await.unwrap();
        Self { peer, room, sent: Arc::default() }
    }

    /// Sends pictures of a size of its own, and a tone.
    async fn publish(&self, width: u16) {
        let video = within(self.room.publish(TrackKind::Video)).await.unwrap();
        tokio::spawn(send_pictures(video, width, self.sent.clone()));
        let audio = within(self.room.publish(TrackKind::Audio)).await.unwrap();
        tokio::spawn(send_tone(audio));
    }

    /// The next track of a kind that another member sends.
    async fn track(&self, of: &str, kind: TrackKind) -> RemoteTrack {
        loop {
            match within(self.room.next_event()).await.expect("the room is over") {
                RoomEvent::Track(it) if it.peer == of && it.track.kind() == kind => {
                    return it.track;
                }
                _ => {}
            }
        }
    }

    /// All tracks until there are so many.
    async fn tracks(&self, count: usize) -> Vec<(String, RemoteTrack)> {
        let mut tracks = Vec::new();
        while tracks.len() < count {
            if let RoomEvent::Track(it) = within(self.room.next_event()).await.expect("over") {
                tracks.push((it.peer, it.track));
            }
        }
        tracks
    }

    /// The number of a picture that came after another one.
    fn number(&self, frame: &EncodedFrame, after: Option<u32>) -> u32 {
        let sent = self.sent.lock().unwrap();
        let numbers = sent.get(&frame.data).expect("a picture that this member did not send");
        let number = numbers.iter().find(|number| after.is_none_or(|last| **number > last));
        *number.unwrap_or_else(|| panic!("{numbers:?} after {after:?}"))
    }
}

async fn send_pictures(track: LocalTrack, width: u16, sent: Sent) {
    let mut video = TestVideo::new(width, 180, 30).unwrap();
    let mut key = false;
    let mut pace = tokio::time::interval(Duration::from_millis(33));
    loop {
        tokio::select! {
            request = track.next_request() => match request {
                Some(TrackRequest::KeyFrame) => key = true,
                Some(_) => {}
                None => return,
            },
            _ = pace.tick() => {
                let number = video.number();
                let frame = video.next_frame(std::mem::take(&mut key));
                sent.lock().unwrap().entry(frame.data.clone()).or_default().push(number);
                if track.send_frame(frame).await.is_err() {
                    return;
                }
            }
        }
    }
}

async fn send_tone(track: LocalTrack) {
    let mut tone = TestTone::new(track.codecs()[0]).unwrap();
    let mut pace = tokio::time::interval(Duration::from_millis(20));
    loop {
        pace.tick().await;
        if track.send_frame(tone.next_frame()).await.is_err() {
            return;
        }
    }
}

/// The numbers of the next pictures, which begin with a key frame and go up.
async fn numbers(track: &RemoteTrack, of: &Member, count: usize) -> Vec<u32> {
    let mut numbers: Vec<u32> = Vec::new();
    while numbers.len() < count {
        let frame = within(track.next_frame()).await.expect("the track ended");
        let number = of.number(&frame, numbers.last().copied());
        assert!(frame.keyframe || !numbers.is_empty(), "it begins with {number}, no key frame");
        numbers.push(number);
    }
    numbers
}

#[tokio::test]
async fn three_members_see_each_others_frame_numbers() {
    let server = Server::forwarding(0, true, false).await;
    let mut members = Vec::new();
    for (id, width) in [("ann", 320), ("bob", 336), ("carol", 352)] {
        let member = Member::join(&server, id).await;
        member.publish(width).await;
        members.push(member);
    }
    for member in &members {
        let tracks = member.tracks(4).await;
        let own = member.peer.id().unwrap();
        let whose: BTreeSet<&str> = tracks.iter().map(|(peer, _)| peer.as_str()).collect();
        assert!(whose.len() == 2 && !whose.contains(own.as_str()), "{whose:?}");
        for (peer, track) in &tracks {
            let of = members.iter().find(|it| it.peer.id().as_ref() == Some(peer)).unwrap();
            match track.kind() {
                TrackKind::Video => assert_eq!(numbers(track, of, 20).await.len(), 20),
                TrackKind::Audio => {
                    for _ in 0..20 {
                        within(track.next_frame()).await.unwrap();
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn what_is_taken_back_ends_and_comes_again() {
    let server = Server::forwarding(0, true, false).await;
    let (ann, bob) = (Member::join(&server, "ann").await, Member::join(&server, "bob").await);
    for _ in 0..3 {
        let track = within(ann.room.publish(TrackKind::Video)).await.unwrap();
        let twice = within(ann.room.publish(TrackKind::Video)).await.unwrap_err();
        assert_eq!(twice.kind, RoomErrorKind::NotPossible);
        tokio::spawn(send_pictures(track.clone(), 320, ann.sent.clone()));
        let remote = bob.track("ann", TrackKind::Video).await;
        numbers(&remote, &ann, 10).await;
        within(ann.room.unpublish(TrackKind::Video)).await.unwrap();
        while within(remote.next_frame()).await.is_some() {}
        loop {
            if let Some(RoomEvent::TrackEnded { peer, kind, .. }) =
                within(bob.room.next_event()).await
            {
                assert_eq!((peer.as_str(), kind), ("ann", TrackKind::Video));
                break;
            }
        }
        while within(track.next_request()).await.is_some() {}
    }
}

#[tokio::test]
async fn what_is_not_wanted_does_not_come() {
    let server = Server::forwarding(0, true, false).await;
    let (ann, bob) = (Member::join(&server, "ann").await, Member::join(&server, "bob").await);
    ann.publish(320).await;
    let tracks = bob.tracks(2).await;
    let (_, video) = tracks.iter().find(|(_, it)| it.kind() == TrackKind::Video).unwrap();
    numbers(video, &ann, 5).await;
    let reception = Reception { audio: true, video: VideoWish::Off };
    within(bob.room.receive("ann", reception)).await.unwrap();
    while within(video.next_frame()).await.is_some() {}
    within(bob.room.receive("ann", Reception::default())).await.unwrap();
    let video = bob.track("ann", TrackKind::Video).await;
    numbers(&video, &ann, 5).await;
}

#[tokio::test]
async fn where_no_udp_gets_through_tcp_does() {
    let server = Server::forwarding(0, false, true).await;
    let (ann, bob) = (Member::join(&server, "ann").await, Member::join(&server, "bob").await);
    ann.publish(320).await;
    let video = bob.track("ann", TrackKind::Video).await;
    numbers(&video, &ann, 20).await;
}

#[tokio::test]
async fn a_restarted_server_has_members_and_media_back() {
    let server = Server::forwarding(0, true, false).await;
    let port = server.port;
    let reconnect = Reconnect::default()
        .first_delay(Duration::from_millis(20))
        .longest_delay(Duration::from_millis(200));
    let options = |id: &str| server.options().id(id).reconnect(reconnect.clone());
    let (ann, bob) = (Member::open(options("ann")).await, Member::open(options("bob")).await);
    ann.publish(320).await;
    let before = bob.track("ann", TrackKind::Video).await;
    let last = *numbers(&before, &ann, 10).await.last().unwrap();
    server.kill();
    while ann.peer.is_open() || bob.peer.is_open() {
        tokio::task::yield_now().await;
    }
    let _server = Server::forwarding(port, true, false).await;
    // The same track of ann goes on; to bob it comes as another one.
    let after = bob.track("ann", TrackKind::Video).await;
    assert!(numbers(&after, &ann, 10).await[0] > last);
    while within(before.next_frame()).await.is_some() {}
}

#[tokio::test]
async fn who_wants_no_media_has_no_connection_until_it_publishes() {
    let server = Server::forwarding(0, true, false).await;
    let ann = server.peer("ann").await;
    let room = ann.join_room("studio", RoomOptions::new(RoomMode::Sfu).receive(false)).unwrap();
    within(room.joined()).await.unwrap();
    within(room.send("hello")).await.unwrap();
    let log = within(room.log()).await.unwrap();
    assert_eq!(log.len(), 2);
    // Nothing has told of ICE so far.
    assert!(matches!(within(room.next_event()).await, Some(RoomEvent::Open)));
    let track = within(room.publish(TrackKind::Audio)).await.unwrap();
    assert!(!track.codecs().is_empty());
    room.leave();
    loop {
        match within(room.next_event()).await {
            Some(RoomEvent::Close) => break,
            Some(_) => {}
            None => panic!("it did not close"),
        }
    }
    let over = within(room.publish(TrackKind::Video)).await.unwrap_err();
    assert_eq!(over.kind, RoomErrorKind::Closed);
}
