//! Engine.IO 3 and Socket.IO 4 as their clients meet them, with an application that echoes.

use tokio_tungstenite::tungstenite::{Error, Message};

use crate::support::{Heard, Part, Polling, Request, Socket, SocketIo, TestServer, millis, within};

const QUERY: &str = "a=b";

fn text(text: &str) -> Part {
    Part::Text(text.into())
}

async fn echo_server() -> TestServer {
    TestServer::echo(|_| {}).await
}

/// How the sessions of a server ended so far, in alphabetical order, once there are `count`. The one
/// that asks will be lost, too.
async fn ended(server: &TestServer, count: usize) -> String {
    let mut observer = SocketIo::socket(server, QUERY).await;
    let reached = async {
        loop {
            observer.emit("closed", "null").await;
            let ended = observer.expect("closed").await.as_str().unwrap().to_owned();
            let mut ended: Vec<&str> = ended.trim_matches(['[', ']']).split(", ").collect();
            ended.retain(|how| !how.is_empty());
            ended.sort_unstable();
            if ended.len() == count {
                return ended.join(" ");
            }
        }
    };
    within("sessions to end", reached).await
}

#[tokio::test]
async fn a_poller_is_told_its_session_and_that_it_is_connected() {
    let server = echo_server().await;
    let polling = Request::get("/socket.io/?EIO=3&transport=polling&t=x")
        .header("Origin", "https://page.example");
    let answer = polling.send(&server).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("text/plain; charset=UTF-8"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://page.example"));
    assert_eq!(answer.header("access-control-allow-credentials"), Some("true"));
    let (length, rest) = answer.body.split_once(':').unwrap();
    let (open, rest) = rest.split_at(length.parse().unwrap());
    assert_eq!(rest, "2:40");
    let open: serde_json::Value = serde_json::from_str(open.strip_prefix('0').unwrap()).unwrap();
    assert_eq!(open["upgrades"], serde_json::json!(["websocket"]));
    assert_eq!((&open["pingInterval"], &open["pingTimeout"]), (&25000.into(), &5000.into()));
    assert_eq!(open["sid"].as_str().unwrap().len(), 32);
}

#[tokio::test]
async fn a_binary_post_of_another_origin_may_be_made() {
    let server = echo_server().await;
    let answer = Request::new("OPTIONS", "/socket.io/?EIO=3&transport=polling&sid=x")
        .header("Origin", "https://page.example")
        .header("Access-Control-Request-Method", "POST")
        .header("Access-Control-Request-Headers", "content-type")
        .send(&server)
        .await;
    assert_eq!(answer.status, 204);
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://page.example"));
    assert_eq!(answer.header("access-control-allow-credentials"), Some("true"));
    assert_eq!(answer.header("access-control-allow-headers"), Some("content-type"));
    assert!(answer.header("access-control-allow-methods").unwrap().contains("POST"));
}

#[tokio::test]
async fn cookies_are_a_matter_of_this_transport_only() {
    let server = echo_server().await;
    let answer =
        Request::get("/peerjs/id").header("Origin", "https://page.example").send(&server).await;
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://page.example"));
    assert_eq!(answer.header("access-control-allow-credentials"), None);
}

#[tokio::test]
async fn bad_requests_are_answered_as_engine_io_does() {
    let server = echo_server().await;
    let (session, _) = Polling::open(&server, QUERY).await;
    let (polling, socket) = (session.target("polling"), session.target("websocket"));
    for (method, target, code, message) in [
        ("GET", "/socket.io/?EIO=4&transport=polling", 5, "Unsupported protocol version"),
        ("GET", "/socket.io/?EIO=2&transport=websocket", 5, "Unsupported protocol version"),
        ("GET", "/socket.io/?transport=polling", 5, "Unsupported protocol version"),
        ("GET", "/socket.io/?EIO=3", 0, "Transport unknown"),
        ("GET", "/socket.io?EIO=3&transport=flashsocket", 0, "Transport unknown"),
        ("GET", "/socket.io/?EIO=3&transport=polling&sid=x", 1, "Session ID unknown"),
        ("POST", "/socket.io/?EIO=3&transport=polling&sid=x", 1, "Session ID unknown"),
        ("GET", "/socket.io/?EIO=3&transport=websocket&sid=x", 1, "Session ID unknown"),
        ("POST", "/socket.io/?EIO=3&transport=polling", 2, "Bad handshake method"),
        ("POST", "/socket.io/?EIO=3&transport=websocket", 2, "Bad handshake method"),
        ("PUT", &polling, 3, "Bad request"),
        ("DELETE", &polling, 3, "Bad request"),
        ("POST", &socket, 3, "Bad request"),
    ] {
        let answer = Request::new(method, target).send(&server).await;
        let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
        let expected = serde_json::json!({ "code": code, "message": message });
        assert_eq!((answer.status, body), (400, expected), "{method} {target}");
    }
    let script = server.get("/socket.io/?EIO=3&transport=polling&j=0").await;
    assert_eq!(script.status, 400);
    assert!(script.body.contains("JSONP is not served"), "{}", script.body);
    server.assert_well().await;
}

#[tokio::test]
async fn a_socket_without_a_session_of_that_name_is_refused_before_it_is_one() {
    let server = echo_server().await;
    let io = Box::new(server.connect().await);
    let target = "/socket.io/?EIO=3&transport=websocket&sid=00000000000000000000000000000000";
    let Err(Error::Http(answer)) = Socket::try_open(io, target, &[]).await else {
        panic!("it was accepted")
    };
    assert_eq!(answer.status(), 400);
}

#[tokio::test]
async fn the_application_sees_the_query_as_it_came() {
    let server = echo_server().await;
    for mut client in [
        SocketIo::polling(&server, "apiKey=k&credential=%257B").await,
        SocketIo::socket(&server, "apiKey=k&credential=%257B").await,
    ] {
        client.emit("handshake", "null").await;
        let query = client.expect("handshake").await;
        assert!(query.as_str().unwrap().starts_with("apiKey=k&credential=%257B&EIO=3"), "{query}");
    }
}

#[tokio::test]
async fn what_is_said_comes_back_over_every_transport() {
    let server = echo_server().await;
    let upgraded = SocketIo::polling(&server, QUERY).await.upgrade(&server).await;
    for mut client in
        [SocketIo::polling(&server, QUERY).await, SocketIo::socket(&server, QUERY).await, upgraded]
    {
        client.emit("m", "\"é €😀\"").await;
        assert_eq!(client.expect("m").await, "é €😀");

        let json = r#"{"a":{"_placeholder":true,"num":0},"b":[{"_placeholder":true,"num":1}]}"#;
        let big = vec![7; 1024 * 1024];
        client.emit_binary("b", json, &[b"\x00\xff", &big]).await;
        let expected = Heard {
            name: "b".into(),
            arguments: vec![serde_json::from_str(json).unwrap()],
            attachments: vec![b"\x00\xff".to_vec(), big],
        };
        assert_eq!(client.event().await, expected);

        client.emit("long", &format!("\"{}\"", "日".repeat(400_000))).await;
        assert_eq!(client.expect("long").await.as_str().unwrap().chars().count(), 400_000);
    }
    server.assert_well().await;
}

#[tokio::test]
async fn the_number_of_an_acknowledgement_is_handed_on() {
    let server = echo_server().await;
    let mut client = SocketIo::socket(&server, QUERY).await;
    client.send(r#"212["m","x"]"#, &[]).await;
    assert_eq!(client.message().await, Some(text(r#"2["m","x"]"#)));
    assert_eq!(client.message().await, Some(text(r#"312["x"]"#)));
    let json = r#"51-7["m",{"_placeholder":true,"num":0}]"#;
    client.send(json, &[b"x"]).await;
    client.event().await;
    assert_eq!(client.message().await, Some(text(r#"61-7[{"_placeholder":true,"num":0}]"#)));
    assert_eq!(client.message().await, Some(Part::Binary(b"x".to_vec())));
}

#[tokio::test]
async fn a_client_that_takes_no_binary_is_told_base64() {
    let server = echo_server().await;
    let (polling, _) = Polling::open(&server, "b64=1").await;
    let body = "43:451-[\"m\",{\"_placeholder\":true,\"num\":0},\"é\"]6:b4AQL/";
    assert_eq!(polling.request("POST", "text/plain", body.as_bytes()).await.status, 200);
    let answer = polling.get().await;
    let expected = r#"48:451-["m",{"_placeholder":true,"num":0},"\u00e9"]6:b4AQL/"#;
    assert_eq!(answer.text(), expected);
    assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));

    let mut socket = server.socket("/socket.io/?EIO=3&transport=websocket&b64=1").await;
    socket.text().await;
    socket.text().await;
    socket.send("451-[\"m\",{\"_placeholder\":true,\"num\":0}]").await;
    socket.send("b4AQL/").await;
    assert_eq!(socket.text().await, r#"451-["m",{"_placeholder":true,"num":0}]"#);
    assert_eq!(socket.text().await, "b4AQL/");
}

/// socket.io-client 1.4.8 and 1.7.4, as captured.
#[tokio::test]
async fn a_body_that_is_encoded_twice_is_understood() {
    let server = echo_server().await;
    let (polling, _) = Polling::open(&server, QUERY).await;
    let once = "42[\"m\",\"é €😀\",{\"a\":\"x\"}]";
    let twice: String = once.bytes().map(char::from).collect();
    let body = format!("{}:{twice}", once.len());
    assert_eq!(polling.request("POST", "text/plain", body.as_bytes()).await.status, 200);
    let expected = r#"42["m","\u00e9 \u20ac\ud83d\ude00",{"a":"x"}]"#;
    assert_eq!(polling.get().await.parts(), [text(expected)]);
}

#[tokio::test]
async fn pings_are_answered_with_their_text() {
    let server = echo_server().await;
    let (polling, _) = Polling::open(&server, QUERY).await;
    polling.post(&[text("2"), text("2é")]).await;
    assert_eq!(polling.request("GET", "", b"").await.text().replace('é', "?"), "1:32:3?");
    let mut socket = server.socket("/socket.io/?EIO=3&transport=websocket").await;
    socket.text().await;
    socket.text().await;
    socket.send("2probe").await;
    assert_eq!(socket.text().await, "3probe");
}

#[tokio::test]
async fn a_poll_that_waits_is_released_when_a_socket_comes() {
    let server = echo_server().await;
    let (polling, _) = Polling::open(&server, QUERY).await;
    let waiting = tokio::spawn({
        let polling = polling.clone();
        async move { polling.get().await }
    });
    let mut socket = server.socket(&polling.target("websocket")).await;
    socket.send("2probe").await;
    assert_eq!(socket.text().await, "3probe");
    assert_eq!(waiting.await.unwrap().parts(), [text("6")]);

    // What is said by polling until then is answered over the socket.
    assert_eq!(polling.post(&[text(r#"42["m",1]"#), text("2")]).await.status, 200);
    socket.send("5").await;
    socket.send(r#"42["m",2]"#).await;
    assert_eq!(socket.text().await, "3");
    assert_eq!(socket.text().await, r#"42["m",1]"#);
    assert_eq!(socket.text().await, r#"42["m",2]"#);
    let gone = polling.get().await;
    assert_eq!((gone.status, gone.text().contains("Session ID unknown")), (400, true));
    assert_eq!(ended(&server, 0).await, "");
}

#[tokio::test]
async fn a_client_that_polls_shows_that_it_is_alive_by_coming_again() {
    let server = echo_server().await;
    let (polling, _) = Polling::open(&server, QUERY).await;
    polling.post(&[text(r#"42["probe"]"#)]).await;
    assert_eq!(polling.get().await.parts(), [text("6")], "asked to come again");
    assert_eq!(polling.get().await.parts(), [text(r#"42["alive","heard"]"#)]);
}

#[tokio::test]
async fn a_client_that_comes_over_to_its_socket_is_alive() {
    let server = echo_server().await;
    let (polling, _) = Polling::open(&server, QUERY).await;
    polling.post(&[text(r#"42["probe"]"#)]).await;
    assert_eq!(polling.get().await.parts(), [text("6")]);
    let mut socket = server.socket(&polling.target("websocket")).await;
    socket.send("2probe").await;
    assert_eq!(socket.text().await, "3probe");
    socket.send("5").await;
    assert_eq!(socket.text().await, r#"42["alive","heard"]"#);
}

#[tokio::test]
async fn a_session_whose_new_socket_breaks_goes_on_polling() {
    let server = echo_server().await;
    let (polling, _) = Polling::open(&server, QUERY).await;
    for last_words in ["2probe", "2nonsense", "5", "42[\"m\",1]"] {
        let mut socket = server.socket(&polling.target("websocket")).await;
        socket.send(last_words).await;
        if last_words == "2probe" {
            assert_eq!(socket.text().await, "3probe");
            socket.close().await;
        } else {
            assert_eq!(socket.close_code().await, None);
        }
    }
    polling.post(&[text(r#"42["m",1]"#)]).await;
    assert_eq!(polling.get().await.parts(), [text(r#"42["m",1]"#)]);
    assert_eq!(ended(&server, 0).await, "");
}

#[tokio::test]
async fn only_one_socket_at_a_time_may_take_over() {
    let server = echo_server().await;
    let (polling, _) = Polling::open(&server, QUERY).await;
    let mut first = server.socket(&polling.target("websocket")).await;
    first.send("2probe").await;
    assert_eq!(first.text().await, "3probe");
    let mut second = server.socket(&polling.target("websocket")).await;
    second.send("2probe").await;
    assert_eq!(second.close_code().await, None);
    first.send("5").await;
    first.send(r#"42["m",1]"#).await;
    assert_eq!(first.text().await, r#"42["m",1]"#);
}

#[tokio::test]
async fn a_second_poll_ends_the_session() {
    let server = echo_server().await;
    let (polling, _) = Polling::open(&server, QUERY).await;
    let waiting = || {
        let polling = polling.clone();
        tokio::spawn(async move { polling.get().await.status })
    };
    let (first, second) = (waiting(), waiting());
    let mut statuses = [first.await.unwrap(), second.await.unwrap()];
    statuses.sort_unstable();
    assert_eq!(statuses, [400, 500]);
    assert_eq!(ended(&server, 1).await, "Lost");
}

#[tokio::test]
async fn a_second_post_ends_the_session() {
    let server = echo_server().await;
    let (polling, _) = Polling::open(&server, QUERY).await;
    // The server waits for the body; it must have begun, which a poll that is answered shows.
    let _unfinished = polling.begin("POST", "text/plain", 10).await;
    let mut status = 200;
    while status == 200 {
        status = polling.post(&[text("2")]).await.status;
    }
    assert_eq!(status, 500);
    assert_eq!(ended(&server, 1).await, "Lost");
}

#[tokio::test]
async fn what_a_broken_poll_would_have_taken_comes_with_the_next() {
    let server = echo_server().await;
    let (polling, _) = Polling::open(&server, QUERY).await;
    let mut broken = polling.begin("GET", "", 0).await;
    // Half-closed: the server may know that nobody reads the answer.
    tokio::io::AsyncWriteExt::shutdown(&mut broken).await.unwrap();
    let mut rest = Vec::new();
    tokio::io::AsyncReadExt::read_to_end(&mut broken, &mut rest).await.unwrap();
    assert_eq!(rest, b"");
    polling.post(&[text(r#"42["m",1]"#)]).await;
    assert_eq!(polling.get().await.parts(), [text(r#"42["m",1]"#)]);
}

#[tokio::test]
async fn sessions_end_in_the_way_that_their_clients_end_them() {
    let server = echo_server().await;
    SocketIo::socket(&server, QUERY).await.disconnect().await;
    assert_eq!(ended(&server, 1).await, "ByClient");
    SocketIo::polling(&server, QUERY).await.disconnect().await;
    assert_eq!(ended(&server, 3).await, "ByClient ByClient Lost");
}

#[tokio::test]
async fn a_close_packet_is_a_good_bye() {
    let server = echo_server().await;
    let (polling, _) = Polling::open(&server, QUERY).await;
    assert_eq!(polling.post(&[text("1")]).await.text(), "ok");
    assert_eq!(ended(&server, 1).await, "ByClient");
    let (gone, again) = (polling.get().await, polling.get().await);
    assert_eq!((gone.parts(), again.status), (vec![text("1")], 400));
}

#[tokio::test]
async fn a_socket_that_is_closed_without_good_bye_is_lost() {
    let server = echo_server().await;
    SocketIo::socket(&server, QUERY).await.cut();
    assert_eq!(ended(&server, 1).await, "Lost");
    let socket = server.socket("/socket.io/?EIO=3&transport=websocket").await;
    socket.close().await;
    assert_eq!(ended(&server, 3).await, "Lost Lost Lost");
}

#[tokio::test]
async fn the_application_can_end_a_session() {
    let server = echo_server().await;
    for mut client in
        [SocketIo::polling(&server, QUERY).await, SocketIo::socket(&server, QUERY).await]
    {
        client.emit("bye", "null").await;
        assert_eq!(client.expect("bye").await, "good bye");
        client.assert_disconnected().await;
    }
    assert_eq!(ended(&server, 2).await, "Ended Ended");
}

#[tokio::test]
async fn silent_clients_are_lost() {
    let server = TestServer::echo(|config| {
        config.engineio.ping_interval = millis(100);
        config.engineio.ping_timeout = millis(50);
    })
    .await;
    let (_silent_poller, _) = Polling::open(&server, QUERY).await;
    let mut silent_socket = SocketIo::socket(&server, QUERY).await;
    assert_eq!(silent_socket.message().await, None);
    assert_eq!(ended(&server, 2).await, "Lost Lost");
}

#[tokio::test]
async fn clients_that_ping_stay() {
    let server = TestServer::echo(|config| {
        config.engineio.ping_interval = millis(200);
        config.engineio.ping_timeout = millis(200);
    })
    .await;
    let mut poller = SocketIo::polling(&server, QUERY).await;
    let mut socket = SocketIo::socket(&server, QUERY).await;
    let until = tokio::time::Instant::from_std(peerway_server::clock::now()) + millis(1500).0;
    let mut pace = tokio::time::interval(millis(50).0);
    while pace.tick().await < until {
        poller.send_raw("2").await;
        socket.send_raw("2").await;
        poller.emit("m", "1").await;
        assert_eq!(poller.expect("m").await, 1);
    }
    socket.emit("m", "2").await;
    assert_eq!(socket.expect("m").await, 2);
}

#[tokio::test]
async fn a_client_that_is_probed_shows_that_it_is_alive() {
    let server = echo_server().await;
    let mut client = SocketIo::socket(&server, QUERY).await;
    client.emit("probe", "null").await;
    assert_eq!(client.expect("alive").await, "heard");
    // One who polls cannot be asked, but what it says counts.
    let mut client = SocketIo::polling(&server, QUERY).await;
    client.emit("probe", "null").await;
    client.emit("m", "1").await;
    assert_eq!(client.expect("m").await, 1);
    client.emit("m", "2").await;
    assert_eq!(client.expect("alive").await, "heard");
    assert_eq!(client.expect("m").await, 2);
}

#[tokio::test]
async fn other_namespaces_are_refused() {
    let server = echo_server().await;
    for mut client in
        [SocketIo::polling(&server, QUERY).await, SocketIo::socket(&server, QUERY).await]
    {
        for packet in ["0/chat", "0/chat?token=x,", "2/chat,[\"m\"]"] {
            client.send(packet, &[]).await;
            assert_eq!(client.message().await, Some(text(r#"4/chat,"Invalid namespace""#)));
        }
        for packet in ["0", "0/", "1/chat", "3[]", "312[\"x\"]", "4\"x\"", "31/chat,[]"] {
            client.send(packet, &[]).await;
        }
        client.send("61-3[{}]", &[b"x"]).await;
        client.emit("m", "1").await;
        assert_eq!(client.expect("m").await, 1);
    }
}

#[tokio::test]
async fn the_server_is_found_whatever_the_path_of_its_peerjs_clients() {
    let server = TestServer::echo(|config| config.path = "/deep/down".into()).await;
    let mut client = SocketIo::polling(&server, QUERY).await.upgrade(&server).await;
    client.emit("m", "1").await;
    assert_eq!(client.expect("m").await, 1);
}

#[tokio::test]
async fn pings_of_the_socket_itself_are_answered() {
    let server = echo_server().await;
    let mut socket = server.socket("/socket.io/?EIO=3&transport=websocket").await;
    socket.text().await;
    socket.text().await;
    socket.send_message(Message::Ping(b"x".to_vec().into())).await;
    assert_eq!(socket.message().await, Some(Message::Pong(b"x".to_vec().into())));
}
