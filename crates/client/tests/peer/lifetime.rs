//! The end of a peer, and its events until then.

use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::StreamExt;
use peerway::{ConnectOptions, Peer, PeerEvent};
use tokio::runtime::Handle;

use crate::stub::{self, Session};
use crate::support::{TestServer, event, events, local, short, until, within};

fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

#[tokio::test]
async fn destroying_leaves_no_task() {
    let server = TestServer::start().await;
    let before = tasks();
    let (ann, bob) = (server.peer("ann").await, server.peer("bob").await);
    let _theirs = ann.connect("bob", ConnectOptions::new()).unwrap();
    assert_eq!(event(&bob).await, "open bob");
    let Some(PeerEvent::Connection(_ours)) = within(bob.next_event()).await else {
        panic!("a connection comes")
    };
    assert!(tasks() > before);
    ann.destroy();
    bob.destroy();
    within(async { tokio::join!(ann.destroyed(), bob.destroyed()) }).await;
    until(|| tasks() == before).await;
    assert_eq!(events(&ann, 4).await, ["open ann", "disconnected ann", "close", "none"]);
}

#[tokio::test]
async fn a_peer_that_is_only_made_leaves_no_task_either() {
    let server = TestServer::start().await;
    let before = tasks();
    for options in [server.options(), server.options().id("ann"), local(1).keep_trying(true)] {
        drop(Peer::new(options).unwrap());
    }
    until(|| tasks() == before).await;
}

#[tokio::test]
async fn dropping_the_last_clone_destroys() {
    let server = TestServer::start().await;
    let before = tasks();
    let ann = server.peer("ann").await;
    let (clone, mut stream) = (ann.clone(), ann.events());
    drop(ann);
    assert!(clone.is_open());
    drop(clone);
    // The stream does not hold the peer, and hears its end.
    let mut heard = Vec::new();
    while let Some(event) = within(stream.next()).await {
        heard.push(short(Some(event)));
    }
    assert_eq!(heard, ["open ann", "disconnected ann", "close"]);
    until(|| tasks() == before).await;
    // The id is free for another token.
    within(async { while Peer::open(server.options().id("ann")).await.is_err() {} }).await;
}

#[tokio::test]
async fn an_event_is_lost_to_nobody_who_gives_up_waiting() {
    let errors = 500;
    let port = stub::serve(move |_, stream| async move {
        let mut session = Session::accept(stream).await;
        session.say(r#"{"type":"OPEN"}"#).await;
        for number in 0..errors {
            session.say(&format!(r#"{{"type":"ERROR","payload":{{"msg":"{number}"}}}}"#)).await;
        }
        while session.hear().await.is_some() {}
    })
    .await;
    let ann = within(Peer::open(local(port).id("ann"))).await.unwrap();
    let mut heard = Vec::new();
    while heard.len() < errors {
        let next = tokio::time::timeout(Duration::from_micros(50), ann.next_event()).await;
        if let Ok(Some(PeerEvent::Error(error))) = next {
            heard.push(error.to_string());
        }
    }
    assert_eq!(heard, (0..errors).map(|number| number.to_string()).collect::<Vec<_>>());
}

/// The application takes no events: what the server says waits in the socket, heartbeats go on.
#[tokio::test]
async fn heartbeats_go_on_when_nobody_takes_events() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let ears = heard.clone();
    let port = stub::serve(move |_, stream| {
        let ears = ears.clone();
        async move {
            let mut session = Session::accept(stream).await;
            session.say(r#"{"type":"OPEN"}"#).await;
            for _ in 0..1000 {
                session.say(r#"{"type":"ERROR","payload":{"msg":"x"}}"#).await;
            }
            while let Some(text) = session.hear().await {
                ears.lock().unwrap().push(text);
            }
        }
    })
    .await;
    let ann = within(Peer::open(local(port).id("ann"))).await.unwrap();
    until(|| !heard.lock().unwrap().is_empty()).await;
    assert_eq!(*heard.lock().unwrap(), [r#"{"type":"HEARTBEAT"}"#]);
    assert_eq!(events(&ann, 1001).await.pop().unwrap(), "error server-error");
    assert!(ann.is_open());
}

#[tokio::test]
async fn a_peer_is_destroyed_even_when_nobody_takes_events() {
    let port = stub::serve(|_, stream| async move {
        let mut session = Session::accept(stream).await;
        session.say(r#"{"type":"OPEN"}"#).await;
        for _ in 0..1000 {
            session.say(r#"{"type":"ERROR","payload":{"msg":"x"}}"#).await;
        }
        while session.hear().await.is_some() {}
    })
    .await;
    let ann = within(Peer::open(local(port).id("ann"))).await.unwrap();
    ann.destroy();
    within(ann.destroyed()).await;
    let events = pin!(ann.events().map(|event| short(Some(event))).collect::<Vec<_>>());
    assert_eq!(within(events).await.pop().unwrap(), "close");
}
