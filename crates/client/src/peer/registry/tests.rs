//! Who gets which signal.

use super::*;

#[expect(clippy::disallowed_methods, reason = "some instant, from which time is cranked")]
fn start() -> Instant {
    Instant::now()
}

fn candidate(id: &str, text: &str) -> Candidate {
    Candidate {
        candidate: text.into(),
        sdp_mid: None,
        sdp_m_line_index: None,
        username_fragment: None,
        kind: Kind::Data,
        connection_id: id.into(),
    }
}

/// What an inbox holds, in short.
fn heard(inbox: &mut mpsc::Receiver<Inbound>) -> Vec<String> {
    let mut heard = Vec::new();
    while let Ok(signal) = inbox.try_recv() {
        heard.push(match signal {
            Inbound::Candidate(candidate) => candidate.candidate,
            Inbound::Leave => "leave".into(),
            Inbound::Unreachable => "unreachable".into(),
            other => format!("{other:?}"),
        });
    }
    heard
}

fn insert(registry: &mut Registry, peer: &str, id: &str, now: Instant) -> mpsc::Receiver<Inbound> {
    let (inbox, receiver) = mpsc::channel(8);
    registry.insert(peer, id, ConnectionKind::Data, inbox, now);
    receiver
}

fn listed(registry: &Registry) -> Vec<(String, String)> {
    registry.list().into_iter().map(|info| (info.peer, info.connection_id)).collect()
}

#[test]
fn early_candidates_wait_for_their_offer() {
    let (mut registry, now) = (Registry::default(), start());
    registry.candidate("bob", candidate("dc_1", "one"), now);
    registry.candidate("eve", candidate("dc_1", "not bob's"), now);
    registry.candidate("bob", candidate("dc_1", "two"), now);
    let mut inbox = insert(&mut registry, "bob", "dc_1", now + Duration::from_secs(59));
    registry.candidate("bob", candidate("dc_1", "three"), now);
    assert_eq!(heard(&mut inbox), ["one", "two", "three"]);
}

#[test]
fn early_candidates_do_not_wait_for_ever() {
    let (mut registry, now) = (Registry::default(), start());
    registry.candidate("bob", candidate("dc_1", "one"), now);
    let mut inbox = insert(&mut registry, "bob", "dc_1", now + EARLY_AGE);
    assert_eq!(heard(&mut inbox), Vec::<String>::new());
}

#[test]
fn a_flood_of_early_candidates_has_an_end() {
    let (mut registry, now) = (Registry::default(), start());
    for id in 0..2 * EARLY_CONNECTIONS {
        for _ in 0..2 * EARLY_CANDIDATES {
            registry.candidate("eve", candidate(&id.to_string(), "x"), now);
        }
    }
    assert_eq!(registry.early.len(), EARLY_CONNECTIONS);
    assert!(registry.early.values().all(|early| early.candidates.len() == EARLY_CANDIDATES));
    registry.candidate("bob", candidate("dc_1", "later"), now + EARLY_AGE);
    assert_eq!(registry.early.len(), 1);
}

#[test]
fn a_stranger_does_not_reach_the_connection_of_another() {
    let (mut registry, now) = (Registry::default(), start());
    let mut inbox = insert(&mut registry, "bob", "dc_1", now);
    registry.candidate("eve", candidate("dc_1", "x"), now);
    registry.leave("eve");
    registry.leave("bo");
    registry.leave("bobby");
    assert_eq!(heard(&mut inbox), Vec::<String>::new());
}

#[test]
fn leave_reaches_all_connections_with_a_peer() {
    let (mut registry, now) = (Registry::default(), start());
    let mut of_bob = ["dc_1", "mc_2"].map(|id| insert(&mut registry, "bob", id, now));
    let mut of_cid = insert(&mut registry, "cid", "dc_3", now);
    registry.leave("bob");
    assert_eq!(of_bob.each_mut().map(heard), [["leave"], ["leave"]]);
    assert!(heard(&mut of_cid).is_empty());
}

#[test]
fn an_absent_peer_is_told_once_per_connection() {
    let (mut registry, now) = (Registry::default(), start());
    let mut first = insert(&mut registry, "bob", "dc_1", now);
    assert!(registry.expire("bob"));
    assert!(!registry.expire("bob"), "once more for a late candidate");
    assert_eq!(heard(&mut first), ["unreachable"]);
    let mut second = insert(&mut registry, "bob", "dc_2", now);
    assert!(registry.expire("bob"));
    assert_eq!((heard(&mut first).len(), heard(&mut second).len()), (0, 1));
    assert!(!registry.expire("nobody"));
}

#[test]
fn a_second_offer_replaces_the_connection() {
    let (mut registry, now) = (Registry::default(), start());
    let mut first = insert(&mut registry, "bob", "dc_1", now);
    let mut second = insert(&mut registry, "bob", "dc_1", now);
    assert_eq!(heard(&mut first), ["leave"]);
    // Its end is not that of the second.
    drop(first);
    registry.ended("dc_1", now);
    registry.candidate("bob", candidate("dc_1", "x"), now);
    assert_eq!(heard(&mut second), ["x"]);
}

#[test]
fn what_is_over_is_forgotten() {
    let (mut registry, now) = (Registry::default(), start());
    let first = insert(&mut registry, "bob", "dc_1", now);
    let _second = insert(&mut registry, "bob", "dc_2", now);
    // A task tells a moment before its inbox is closed.
    registry.ended("dc_1", now);
    assert_eq!(listed(&registry).len(), 2);
    drop(first);
    assert_eq!(listed(&registry), [("bob".into(), "dc_2".into())]);
    registry.ended("dc_9", now);
    assert_eq!(registry.entries.len(), 1);
    assert!(registry.ending.is_empty());
}
