//! TLS: sockets and pages over it, certificates that are read again, files that are none.

use peerway_server::{Server, StartError, check};
use tokio_rustls::rustls::pki_types::CertificateDer;

use crate::support::{BoxIo, Files, Request, Socket, TestServer, connector, local_name, within};

/// A TLS connection by a client that trusts this certificate only.
async fn connect(server: &TestServer, trusted: &CertificateDer<'static>) -> Option<BoxIo> {
    let handshake = connector(trusted).connect(local_name(), server.connect().await);
    let io = within("the TLS handshake", handshake).await.ok()?;
    Some(Box::new(io))
}

#[tokio::test]
async fn sockets_streams_and_pages_work_over_tls() {
    let files = Files::new("works");
    let certificate = files.renew();
    let server = TestServer::with(|config| config.tls = Some(files.config.clone())).await;

    let io = connect(&server, &certificate).await.unwrap();
    let mut ann = Socket::open(io, "/peerjs?key=peerjs&id=ann&token=t", &[]).await;
    assert_eq!(ann.text().await, r#"{"type":"OPEN"}"#);
    ann.assert_heard_all("ann").await;
    let large = format!(r#""{}""#, "x".repeat(200_000));
    ann.offer("ann", &large).await;
    assert_eq!(
        ann.text().await,
        format!(r#"{{"type":"OFFER","src":"ann","dst":"ann","payload":{large}}}"#)
    );

    let io = connect(&server, &certificate).await.unwrap();
    assert_eq!(Request::get("/healthz").open_over(io).await.head.status, 200);
    let io = connect(&server, &certificate).await.unwrap();
    let mut stream = Request::post("/peerjs/ben/t/id?i=0", "").open_over(io).await;
    assert_eq!(stream.chunk().await.unwrap().len(), 2065);
    ann.offer("ben", "1").await;
    let line = crate::support::until_message(&mut stream).await.unwrap();
    assert_eq!(line, r#"{"type":"OFFER","src":"ann","dst":"ben","payload":1}"#);
    server.control.stop();
    assert_eq!(ann.close_code().await, Some(1001));
}

#[tokio::test]
async fn plain_http_on_a_tls_port_harms_nobody() {
    let files = Files::new("plain");
    let certificate = files.renew();
    let server = TestServer::with(|config| config.tls = Some(files.config.clone())).await;
    let mut plain = server.connect().await;
    tokio::io::AsyncWriteExt::write_all(&mut plain, b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let mut end = Vec::new();
    let _ = within("the end", tokio::io::AsyncReadExt::read_to_end(&mut plain, &mut end)).await;
    assert!(connect(&server, &certificate).await.is_some());
}

#[tokio::test]
async fn renewed_files_are_read_on_request_and_broken_ones_leave_the_old_in_use() {
    let files = Files::new("renewed");
    let first = files.renew();
    let server = TestServer::with(|config| config.tls = Some(files.config.clone())).await;
    let second = files.renew();
    assert!(connect(&server, &first).await.is_some());
    server.control.reload_certificates().unwrap();
    assert!(connect(&server, &first).await.is_none());
    assert!(connect(&server, &second).await.is_some());
    std::fs::write(&files.config.cert, "nothing").unwrap();
    assert!(server.control.reload_certificates().is_err());
    assert!(connect(&server, &second).await.is_some());
}

#[tokio::test]
async fn files_that_are_no_certificate_are_told_by_name() {
    let files = Files::new("broken");
    let config = peerway_server::config::Config {
        host: "127.0.0.1".into(),
        port: 0,
        tls: Some(files.config.clone()),
        ..Default::default()
    };
    let (cert, key) = (files.config.cert.display(), files.config.key.display());
    let missing = check(&config).unwrap_err();
    assert!(missing.starts_with(&format!("cannot read a certificate from {cert}: ")), "{missing}");

    files.renew();
    std::fs::write(&files.config.cert, "nothing").unwrap();
    let text = format!("cannot read a certificate from {cert}: the file has none");
    assert_eq!(check(&config), Err(text.clone()));
    let error = Server::bind(config.clone()).await.unwrap_err();
    assert!(matches!(&error, StartError::Config(told) if *told == text), "{error}");

    files.renew();
    std::fs::write(&files.config.key, "nothing").unwrap();
    let no_key = check(&config).unwrap_err();
    assert!(no_key.starts_with(&format!("cannot read a private key from {key}: ")), "{no_key}");

    let other = Files::new("other");
    other.renew();
    files.renew();
    std::fs::copy(&other.config.key, &files.config.key).unwrap();
    let no_pair = check(&config).unwrap_err();
    assert!(no_pair.starts_with("certificate and key do not make a pair: "), "{no_pair}");
}
