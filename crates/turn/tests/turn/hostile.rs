//! Input that nobody sends who means well: it is answered, dropped or ignored, and nothing breaks.

use std::net::{IpAddr, SocketAddr};

use peerway_turn::{ClientId, ConnectError, FiveTuple, NotTurn, RelayId, Transport, frame_length};
use proptest::prelude::*;
use stun_types::message::Method;
use turn_types::message::{ALLOCATE, CREATE_PERMISSION};

use crate::draft::{Draft, Login, allocate, bind, binding, channel_data, permit, refresh, send};
use crate::stage::{Done, Said, Stage, alice, at, carol, peer_v4, refused, relayed_v4};

fn joe() -> Login {
    Login::new("joe", "pw")
}

/// A server with a client that can do everything.
fn stage() -> (Stage, RelayId) {
    let mut stage = Stage::new();
    let relay = stage.permitted(alice(), &joe(), peer_v4());
    stage.ask(alice(), &joe(), &bind(0x4000, peer_v4()));
    (stage, relay)
}

/// Whatever came before, a good client is served.
fn assert_well(stage: &mut Stage, relay: RelayId) {
    stage.drain();
    let datagram = send(peer_v4(), b"hello");
    assert!(stage.send(alice(), &datagram).is_some());
    assert!(stage.receive(relay, peer_v4(), b"hello").is_some());
    let done = stage.ask(alice(), &joe(), &refresh());
    assert!(matches!(&done[..], [Done::Reply { said, .. }] if said[0] == Said::Lifetime(600)));
}

#[test]
fn lengths_that_lead_beyond_the_message_are_noise() {
    let (mut stage, relay) = stage();
    for (at, value) in [
        // Of the message: longer, shorter, not a multiple of four.
        (2, 0xff),
        (3, 0x00),
        (3, 0x09),
        // Of the only attribute.
        (22, 0xff),
        (23, 0x05),
        (23, 0x09),
        (23, 0xff),
    ] {
        let mut bytes = allocate().plain();
        assert_ne!(bytes[at], value);
        bytes[at] = value;
        assert_eq!(stage.tell(carol(), &bytes), [], "{at}: {value:x}");
    }
    assert_well(&mut stage, relay);
}

#[test]
fn every_prefix_of_a_request_is_noise() {
    let (mut stage, relay) = stage();
    let nonce = stage.nonce(alice());
    let whole = allocate().additional(turn_types::AddressFamily::IPV6).fingerprinted();
    let whole = whole.signed(&joe(), &nonce);
    for length in 0..whole.len() {
        assert_eq!(stage.tell(carol(), &whole[..length]), []);
    }
    assert_well(&mut stage, relay);
}

#[test]
fn messages_as_long_as_a_stream_allows_are_survived() {
    let (mut stage, relay) = stage();
    let nonce = stage.nonce(carol());
    for size in [1000, 8000, 16_000, 32_000, 65_000, 65_400, 65_480, 65_504, 65_508, 65_528] {
        let bulk = vec![b'x'; size];
        for draft in [binding(), allocate(), Draft::new(Method::new(0xfff))] {
            for kind in [0x0006, 0x7abc, 0x8022] {
                let draft = draft.again().raw(kind, &bulk);
                stage.try_ask(carol(), &draft);
                // What the name of the user and the signature leave room for.
                if size < 65_300 {
                    stage.ask_with(carol(), &joe(), &draft, &nonce);
                }
                if size < 65_504 {
                    stage.try_tell(carol(), &draft, &draft.integral(&joe()));
                }
            }
        }
    }
    assert_well(&mut stage, relay);
}

#[test]
fn a_signature_at_the_very_end_of_the_longest_message_is_survived() {
    let (mut stage, relay) = stage();
    let nonce = stage.nonce(carol());
    // Everything that is asked for is there, and a signature that begins beyond 65511.
    let draft =
        allocate().raw(0x0006, b"99:x").raw(0x0014, b"peerway").raw(0x0015, nonce.as_bytes());
    let room = 65_532 - 24 - 4 - (draft.plain().len() - 20);
    let draft = draft.raw(0x8022, &vec![b'x'; room]);
    let bytes = draft.integral(&joe());
    assert_eq!(bytes.len(), 65_552);
    assert_eq!(frame_length(&bytes), Ok(Some(65_552)));
    stage.try_tell(carol(), &draft, &bytes);
    assert_well(&mut stage, relay);
}

#[test]
fn a_request_for_every_permission_that_there_may_be_is_read() {
    let mut stage = Stage::new();
    let relays = [relayed_v4(), crate::stage::relayed_v6()];
    let both = allocate().additional(turn_types::AddressFamily::IPV6);
    stage.allocated_as(alice(), &joe(), &both, &relays);
    let peers: Vec<_> = (0..256).map(|number| at(&format!("[2606:4700::{number:x}]:1"))).collect();
    let done = stage.ask(alice(), &joe(), &permit(&peers));
    assert!(matches!(&done[..], [Done::Reply { said, .. }] if said[..] == [Said::Signed]));
}

#[test]
fn thousands_of_peers_in_one_request_are_not_permitted() {
    let (mut stage, relay) = stage();
    let peers: Vec<_> = (0..5000_u32)
        .map(|number| SocketAddr::new(IpAddr::V4((0x0506_0000 + number).into()), 1))
        .collect();
    let done = stage.ask(alice(), &joe(), &permit(&peers));
    assert!(done.is_empty() || done == [refused(alice(), CREATE_PERMISSION, 508)], "{done:?}");
    assert_well(&mut stage, relay);
}

#[test]
fn attributes_that_are_far_too_long_are_bad_requests() {
    for kind in [0x000c, 0x000d, 0x0012, 0x0017, 0x0018, 0x0019, 0x0022, 0x002a, 0x8000] {
        for size in [5, 64, 300, 1000, 4000] {
            let (mut stage, relay) = stage();
            let value = vec![0xff; size];
            for draft in [
                Draft::new(ALLOCATE).raw(kind, &value),
                allocate().raw(kind, &value),
                refresh().raw(kind, &value),
                permit(&[]).raw(kind, &value),
                bind(0x4001, peer_v4()).raw(kind, &value),
            ] {
                for client in [alice(), carol()] {
                    let done = stage.ask(client, &joe(), &draft.again());
                    if let [Done::Open { .. }] = done[..] {
                        // The attribute is optional, or a second one.
                        stage.opened(&[Ok(relayed_v4())], None);
                        stage.disconnect(client);
                    }
                }
            }
            assert_well(&mut stage, relay);
        }
    }
}

fn five_tuple() -> impl Strategy<Value = FiveTuple> {
    let transport = prop::sample::select(&Transport::ALL[..]);
    let strange = any::<(IpAddr, u16, IpAddr, u16)>()
        .prop_map(|(client, port, server, other)| ((client, port).into(), (server, other).into()));
    let address = prop_oneof![
        Just((alice().client, alice().server)),
        Just((carol().client, carol().server)),
        strange,
    ];
    (transport, address).prop_map(|(transport, (client, server))| FiveTuple {
        transport,
        client,
        server,
    })
}

/// A good message, and what somebody did to it.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let nonce = {
        let mut stage = Stage::new();
        stage.nonce(alice())
    };
    let messages = vec![
        binding().fingerprinted().plain(),
        allocate().plain(),
        allocate().lifetime(900).fingerprinted().signed(&joe(), &nonce),
        refresh().signed(&joe(), &nonce),
        permit(&[peer_v4()]).signed(&joe(), &nonce),
        bind(0x4001, at("5.6.7.9:1")).signed(&joe(), &nonce),
        send(peer_v4(), b"hello"),
        channel_data(0x4000, b"hello"),
    ];
    let edits = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
    let cut = prop::option::weighted(0.2, any::<prop::sample::Index>());
    let tail = prop::collection::vec(any::<u8>(), 0..12);
    (prop::sample::select(messages), edits, cut, tail).prop_map(|(mut bytes, edits, cut, tail)| {
        for (index, value) in edits {
            let place = index.index(bytes.len());
            bytes[place] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        bytes.extend(tail);
        bytes
    })
}

/// The bytes that make STUN of anything, before anything.
fn stunlike() -> impl Strategy<Value = Vec<u8>> {
    (any::<[u8; 2]>(), prop::collection::vec(any::<u8>(), 0..300)).prop_map(|(kind, mut rest)| {
        rest.truncate(rest.len() / 4 * 4);
        let length = u16::try_from(rest.len()).expect("it is short");
        let head = [kind[0] & 0x3f, kind[1], 0, 0, 0x21, 0x12, 0xa4, 0x42];
        let mut bytes = [&head[..], &[7; 12], &rest].concat();
        bytes[2..4].copy_from_slice(&length.to_be_bytes());
        bytes
    })
}

fn datagram() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![prop::collection::vec(any::<u8>(), 0..400), stunlike(), mutated()]
}

proptest! {
    #[test]
    fn nothing_that_a_client_sends_breaks_the_server(
        datagrams in prop::collection::vec((five_tuple(), datagram()), 1..20),
    ) {
        let (mut stage, relay) = stage();
        let now = stage.now();
        for (from, bytes) in &datagrams {
            if let Some(sent) = stage.server.handle_client(from, bytes, now) {
                prop_assert_eq!(*from, alice(), "only she may send");
                prop_assert_eq!((sent.relay, sent.peer), (relay, SocketAddr::new(peer_v4().ip(), sent.peer.port())));
                prop_assert!(bytes.as_ptr_range().contains(&sent.payload.as_ptr()) || sent.payload.is_empty());
            }
            let mut replies = 0;
            while let Some(command) = stage.server.next_command() {
                if let peerway_turn::Command::Reply { to, bytes } = command {
                    prop_assert_eq!(to, *from);
                    prop_assert!(stun_types::message::Message::from_bytes(&bytes).is_ok());
                    replies += 1;
                }
            }
            prop_assert!(replies <= 1);
        }
        // A mutation can spare what makes a message good, so alice may have done something.
        prop_assert!(stage.server.len() <= 1 + datagrams.len());
    }

    #[test]
    fn a_stream_is_cut_or_given_up(bytes in datagram()) {
        match frame_length(&bytes) {
            Ok(Some(length)) => {
                prop_assert!((4..=65_552).contains(&length));
                prop_assert!(length.is_multiple_of(4));
            }
            Ok(None) => prop_assert!(bytes.len() < 4),
            Err(_) => prop_assert!(!bytes.is_empty()),
        }
    }

    #[test]
    fn no_more_bytes_change_the_cut(bytes in datagram(), more in any::<[u8; 8]>()) {
        if let Ok(Some(length)) = frame_length(&bytes) {
            let longer = [&bytes[..], &more].concat();
            // Only the cookie, when it has come, may show that it is none at all.
            let none = bytes.len() < 8 && frame_length(&longer) == Err(NotTurn);
            prop_assert!(none || frame_length(&longer) == Ok(Some(length)));
        }
    }

    #[test]
    fn nothing_that_a_peer_does_breaks_the_server(
        relay in 0_usize..4,
        peer in any::<(IpAddr, u16)>(),
        length in prop_oneof![0_usize..2000, 65_400_usize..70_000, Just(usize::MAX)],
    ) {
        let (mut stage, good) = stage();
        let now = stage.now();
        let peer = SocketAddr::from(peer);
        let told = stage.server.handle_peer(RelayId(relay), peer, length, now);
        prop_assert!(told.is_none() || peer.ip().to_canonical() == peer_v4().ip());
        stage.incoming(RelayId(relay), peer);
        stage.connected(ClientId(relay), peer, Ok(()));
        stage.connected(ClientId(relay), peer, Err(ConnectError));
        assert_well(&mut stage, good);
    }

    #[test]
    fn an_envelope_is_as_long_as_it_says(
        length in 0_usize..=65_500,
        v6: bool,
    ) {
        let mut stage = Stage::new();
        let both = allocate().additional(turn_types::AddressFamily::IPV6);
        let relays = [relayed_v4(), crate::stage::relayed_v6()];
        let relays = stage.allocated_as(alice(), &joe(), &both, &relays);
        let peer = [peer_v4(), crate::stage::peer_v6()][usize::from(v6)];
        stage.ask(alice(), &joe(), &permit(&[peer]));
        let payload = vec![7; length];
        let (_, packet) = stage.receive(relays[usize::from(v6)], peer, &payload).unwrap();
        prop_assert_eq!(frame_length(&packet), Ok(Some(packet.len())));
        prop_assert_eq!(crate::stage::data_indication(&packet), (peer, payload));
    }
}
