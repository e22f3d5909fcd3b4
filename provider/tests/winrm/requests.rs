//! What goes over the wire, and how often.

use azuremfa::winrm::endpoint::{TlsOptions, Transport};
use azuremfa::winrm::error::{Kind, Operation, Refusal, Started};
use azuremfa::winrm::session::Session;
use azuremfa::winrm::stdin::Stdin;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use tokio::io::AsyncReadExt;

use crate::server::{Action, HOST, PASSWORD, Server, Setup, Turn, USER, header};
use crate::{BASIC, BOUND, SEALED, endpoint, start};

/// A cold command and its end, on a first and then on a kept connection.
async fn check_requests(setup: Setup, cold: &[Action]) {
    let (server, session) = start(setup).await;
    let output = session.run("hostname", &[], Stdin::None).await.expect("a command");
    assert_eq!((output.exit_code, output.stdout.as_slice()), (0, &b"hello"[..]));
    session.run("hostname", &[], Stdin::None).await.expect("a second command");
    session.close().await;
    let mut expected = vec![Action::Proxy];
    expected.extend_from_slice(cold);
    expected.extend([Action::Command, Action::Receive, Action::Delete]);
    assert_eq!(server.actions(), expected);
    assert_eq!(server.connections(), 1);
    for seen in &server.seen()[1..] {
        assert_eq!(header(&seen.head, "host"), Some("mfa01.contoso.com:5986"));
        assert!(seen.head.starts_with("POST /wsman HTTP/1.1\r\n"), "{}", seen.head);
    }
}

#[tokio::test]
async fn basic_over_https_needs_four_requests() {
    check_requests(BASIC, &[Action::Create, Action::Command, Action::Receive]).await;
}

#[tokio::test]
async fn ntlm_over_http_needs_five() {
    use Action::{Command, Create, Handshake, Receive};
    check_requests(SEALED, &[Handshake, Create, Command, Receive]).await;
}

/// A host that takes no message with a logon is asked once, and remembered.
#[tokio::test]
async fn a_logon_alone_needs_one_more() {
    use Action::{Command, Create, Delete, Handshake, Proxy, Receive};
    let refusals = ["HTTP/1.1 400 Bad Request", "HTTP/1.1 500 Internal Server Error"];
    for (refusal, connected) in refusals.into_iter().flat_map(|refusal| [(refusal, false), (refusal, true)]) {
        let (server, session) = start(SEALED).await;
        if connected {
            session.connect().await.expect("a connection");
            session.connect().await.expect("the same connection");
        }
        server.expect(Create, Turn::Http(refusal, ""));
        session.run("hostname", &[], Stdin::None).await.expect("a command");
        session.close().await;
        session.run("hostname", &[], Stdin::None).await.expect("a command");
        let logon_alone = [Proxy, Handshake, Handshake, Create, Command, Receive];
        let expected = [&[Proxy, Handshake, Create], &logon_alone[..], &[Delete], &logon_alone[..]].concat();
        assert_eq!(server.actions(), expected, "{refusal}");
    }
}

/// Only what may be sent twice goes with a logon: here another connection's first message is a command.
#[tokio::test]
async fn a_command_does_not_go_with_a_logon() {
    use Action::{Command, Create, Handshake, Proxy, Receive};
    let (server, session) = start(SEALED).await;
    server.expect(Create, Turn::Last);
    session.run("hostname", &[], Stdin::None).await.expect("a command");
    assert_eq!(server.actions(), [Proxy, Handshake, Create, Proxy, Handshake, Handshake, Command, Receive]);
}

/// What a host refuses for other reasons is not asked for again.
#[tokio::test]
async fn a_refused_logon_with_a_message_is_final() {
    use Action::{Create, Handshake, Proxy};
    let refusals = ["HTTP/1.1 401 Unauthorized", "HTTP/1.1 403 Forbidden", "HTTP/1.1 413 Payload Too Large"];
    for (refusal, connected) in refusals.into_iter().flat_map(|refusal| [(refusal, false), (refusal, true)]) {
        let (server, session) = start(SEALED).await;
        if connected {
            session.connect().await.expect("a connection");
        }
        server.expect(Create, Turn::Http(refusal, ""));
        let error = session.run("hostname", &[], Stdin::None).await.expect_err("refused");
        assert_eq!((error.operation, error.started), (Operation::Authenticate, Started::NotStarted), "{error}");
        assert_eq!(server.actions(), [Proxy, Handshake, Create], "{refusal}");
    }
}

#[tokio::test]
async fn ntlm_over_https_needs_five() {
    use Action::{Command, Create, Handshake, Receive};
    check_requests(BOUND, &[Handshake, Create, Command, Receive]).await;
}

#[tokio::test]
async fn the_proxy_is_asked_for_the_real_host_only() {
    let (server, session) = start(BASIC).await;
    session.run("hostname", &[], Stdin::None).await.expect("a command");
    let seen = server.seen();
    assert_eq!(seen[0].head, "CONNECT mfa01.contoso.com:5986 HTTP/1.1\r\nHost: mfa01.contoso.com:5986\r\n\r\n");
    let expected = format!("Basic {}", STANDARD.encode(format!("{USER}:{PASSWORD}")));
    assert_eq!(header(&seen[1].head, "authorization"), Some(expected.as_str()));
}

#[tokio::test]
async fn basic_over_http_sends_nothing() {
    let setup = Setup { tls: false, ..BASIC };
    let (server, session) = start(setup).await;
    let error = session.run("hostname", &[], Stdin::None).await.expect_err("refused");
    assert!(matches!(error.kind, Kind::UnencryptedBasic), "{error}");
    assert_eq!(error.started, Started::NotStarted);
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn input_arrives_whole_and_ended() {
    let (server, session) = start(SEALED).await;
    let content: Vec<u8> = (0..800_000_u32).map(|number| number.to_le_bytes()[0] ^ number.to_le_bytes()[1]).collect();
    let header = Bytes::from_static(b"header\n");
    let reader = AsyncReadExt::chain(&b"header\n"[..], &content[..]);
    session.run("a", &[], Stdin::Reader(Box::new(reader))).await.expect("a command");
    session.run("b", &["x & y"], Stdin::Bytes(vec![header, content.clone().into()])).await.expect("a command");
    let sends: Vec<_> = server.seen().into_iter().filter(|seen| seen.action == Action::Send).collect();
    assert_eq!(sends.len(), 6);
    for command in sends.chunks(3) {
        let mut arrived = Vec::new();
        for send in command {
            let start = send.body.find("stdin\"").expect("a stream");
            let start = start + send.body[start..].find('>').expect("its start") + 1;
            let end = start + send.body[start..].find('<').expect("its end");
            arrived.extend(STANDARD.decode(&send.body[start..end]).expect("base64"));
            // What a host takes unless it is told otherwise, with room for what sealing adds.
            assert!(send.body.len() < 508_000, "{}", send.body.len());
        }
        assert!(arrived.strip_prefix(b"header\n") == Some(&content[..]));
        let ends: Vec<bool> = command.iter().map(|send| send.body.contains("End=\"true\"")).collect();
        assert_eq!(ends, [false, false, true]);
    }
}

#[tokio::test]
async fn output_is_handed_on_while_it_comes() {
    let (server, session) = start(BASIC).await;
    server.expect(Action::Receive, Turn::Output(b"one", b"e1", None));
    server.expect(Action::Receive, Turn::Fault(2_150_858_793, "TimedOut"));
    server.expect(Action::Receive, Turn::Output(b"two", b"e2", Some(3010)));
    let mut pieces = Vec::new();
    let output = session
        .run_streaming("a", &[], Stdin::None, &mut |piece| pieces.push(piece.to_vec()))
        .await
        .expect("a command");
    assert_eq!(pieces, [b"one", b"two"]);
    assert_eq!((output.exit_code, output.stderr.as_slice()), (3010, &b"e1e2"[..]));
    assert!(output.stdout.is_empty());
    assert!(!server.actions().contains(&Action::Signal));
}

#[tokio::test]
async fn commands_share_a_shell_and_four_connections() {
    for setup in [SEALED, BOUND] {
        let (server, session) = start(setup).await;
        let runs = (0..12).map(|_| session.run("a", &[], Stdin::None));
        for result in futures_util::future::join_all(runs).await {
            assert_eq!(result.expect("a command").stdout, b"hello");
        }
        let creations = server.actions().iter().filter(|action| **action == Action::Create).count();
        assert_eq!(creations, 1);
        assert!((2..=4).contains(&server.connections()), "{}", server.connections());
        session.close().await;
    }
}

async fn login_error(setup: Setup, change: impl FnOnce(&mut azuremfa::winrm::endpoint::Endpoint)) -> (Server, Kind) {
    let server = Server::start(setup).await;
    let mut endpoint = endpoint(&server, setup);
    change(&mut endpoint);
    let error = Session::new(endpoint).run("a", &[], Stdin::None).await.expect_err("refused");
    assert_eq!(error.started, Started::NotStarted);
    assert!(!format!("{error:?}").contains(PASSWORD));
    (server, error.kind)
}

#[tokio::test]
async fn wrong_passwords_and_bindings_are_refused() {
    let wrong_binding = Setup { wrong_binding: true, ..BOUND };
    for (setup, password) in [(SEALED, "wrong"), (BOUND, "wrong"), (wrong_binding, PASSWORD)] {
        let (server, kind) = login_error(setup, |endpoint| {
            endpoint.authentication = azuremfa::winrm::endpoint::Authentication::Ntlm {
                username: USER.to_owned(),
                password: azuremfa::secret::Secret::new(password),
            };
        })
        .await;
        match kind {
            Kind::Unauthorized { offered, refusal } => {
                assert_eq!((offered.join(" ").as_str(), refusal), ("Negotiate Basic", Refusal::Rejected));
            }
            other => panic!("{other}"),
        }
        // No further try: accounts are locked after a few.
        assert_eq!(server.actions(), [Action::Proxy, Action::Handshake, Action::Handshake]);
    }
}

#[tokio::test]
async fn certificates_are_checked() {
    let https = |options: TlsOptions| {
        move |endpoint: &mut azuremfa::winrm::endpoint::Endpoint| {
            endpoint.transport = Transport::Https(options);
        }
    };
    let (_, kind) = login_error(
        BASIC,
        https(TlsOptions { ca_certificate: Some(Server::start(BASIC).await.certificate), ..TlsOptions::default() }),
    )
    .await;
    assert!(matches!(kind, Kind::Tls(_)), "{kind}");

    let server = Server::start(BOUND).await;
    let mut other_name = endpoint(&server, BOUND);
    other_name.host = "mfa02.contoso.com".to_owned();
    let error = Session::new(other_name.clone()).run("a", &[], Stdin::None).await.expect_err("another name");
    assert!(matches!(error.kind, Kind::Tls(_)), "{error}");

    let Transport::Https(options) = &mut other_name.transport else { unreachable!("set above") };
    options.server_name = Some(HOST.to_owned());
    Session::new(other_name.clone()).run("a", &[], Stdin::None).await.expect("the name that was given");

    other_name.transport = Transport::Https(TlsOptions { insecure_skip_verify: true, ..TlsOptions::default() });
    Session::new(other_name).run("a", &[], Stdin::None).await.expect("an unverified host");
}
