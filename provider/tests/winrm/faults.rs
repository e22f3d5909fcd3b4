//! What the client makes of what goes wrong: the error, and what it sends again.

use std::time::Duration;

use azuremfa::winrm::error::{Error, Kind, Operation, Refusal, Started};
use azuremfa::winrm::session::{Output, Session};
use azuremfa::winrm::stdin::Stdin;
use bytes::Bytes;

use crate::server::{Action, Server, Setup, Turn};
use crate::{BASIC, BOUND, SEALED, endpoint, proxy, start};

const SHELL_GONE: u32 = 2_150_858_843;
const QUOTA_SHELLS: u32 = 2_150_859_173;
const QUOTA_OPERATIONS: u32 = 2_150_859_174;
const TIMED_OUT: u32 = 2_150_858_793;

/// Runs one command with input while the server takes these turns.
async fn run(setup: Setup, turns: Vec<(Action, Turn)>) -> (Result<Output, Error>, Vec<Action>) {
    let (server, session) = start(setup).await;
    for (action, turn) in turns {
        server.expect(action, turn);
    }
    let input = Stdin::Bytes(vec![Bytes::from_static(b"input")]);
    let result = session.run("a", &[], input).await;
    let actions =
        server.actions().into_iter().filter(|action| !matches!(action, Action::Proxy | Action::Handshake)).collect();
    (result, actions)
}

#[track_caller]
fn expect_error(
    result: Result<Output, Error>,
    operation: Operation,
    started: Started,
    matches: fn(&Kind) -> bool,
) -> Error {
    let error = result.expect_err("an error");
    assert_eq!((error.operation, error.started), (operation, started), "{error}");
    assert!(matches(&error.kind), "{error}");
    error
}

#[tokio::test]
async fn an_answer_of_something_else_is_named() {
    type Case = (&'static str, &'static str, fn(&Kind) -> bool);
    let cases: [Case; 8] = [
        (
            "HTTP/1.1 200 OK\r\nContent-Type: text/html",
            "<html/>",
            |kind| matches!(kind, Kind::NotWsman { status: 200, content_type } if content_type == "text/html"),
        ),
        ("HTTP/1.1 404 Not Found\r\nContent-Type: text/html", "<html/>", |kind| {
            matches!(kind, Kind::HttpStatus { status: 404 })
        }),
        ("HTTP/1.1 403 Forbidden", "", |kind| matches!(kind, Kind::Forbidden)),
        (
            "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Negotiate",
            "",
            |kind| matches!(kind, Kind::Unauthorized { offered, refusal: Refusal::NotOffered } if offered == &["Negotiate"]),
        ),
        (
            "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Digest realm=\"a\", nonce=\"b\", Basic realm=\"c\"",
            "",
            |kind| matches!(kind, Kind::Unauthorized { offered, refusal: Refusal::Rejected } if offered == &["Digest", "Basic"]),
        ),
        ("HTTP/1.1 503 Service Unavailable", "", |kind| matches!(kind, Kind::HttpStatus { status: 503 })),
        ("HTTP/1.1 200 OK\r\nContent-Type: application/soap+xml", "<html/>", |kind| matches!(kind, Kind::Malformed(_))),
        ("HTTP/1.1 200 OK\r\nContent-Type: application/soap+xml", "", |kind| matches!(kind, Kind::Malformed(_))),
    ];
    for (head, body, matches) in cases {
        let (result, actions) = run(BASIC, vec![(Action::Create, Turn::Http(head, body))]).await;
        expect_error(result, Operation::CreateShell, Started::NotStarted, matches);
        assert_eq!(actions, [Action::Create]);
    }
}

#[tokio::test]
async fn a_command_is_sent_once_when_its_fate_is_unknown() {
    let turns: [fn() -> Turn; 4] = [
        || Turn::Drop,
        || Turn::Raw(b"SSH-2.0-OpenSSH_9.6\r\n"),
        || Turn::Raw(b"HTTP/1.1 200 OK\r\nContent-Type: application/soap+xml\r\nContent-Length: 9\r\n\r\n<s"),
        || Turn::Http("HTTP/1.1 500 Internal Server Error", ""),
    ];
    for setup in [BASIC, SEALED, BOUND] {
        for turn in turns {
            let (result, actions) = run(setup, vec![(Action::Command, turn())]).await;
            expect_error(result, Operation::StartCommand, Started::Unknown, |kind| {
                matches!(
                    kind,
                    Kind::ConnectionLost(_) | Kind::Malformed(_) | Kind::NotHttp | Kind::HttpStatus { status: 500 }
                )
            });
            assert_eq!(actions[..2], [Action::Create, Action::Command]);
            assert_eq!(actions.iter().filter(|action| **action == Action::Command).count(), 1);
        }
    }
}

#[tokio::test]
async fn an_open_answer_to_a_sealed_request_is_not_believed() {
    for action in [Action::Create, Action::Command] {
        let (result, _) = run(SEALED, vec![(action, Turn::Unsealed)]).await;
        let error = result.expect_err("not believed");
        assert!(matches!(error.kind, Kind::NotWsman { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_lost_shell_is_replaced_and_the_command_repeated_once() {
    use Action::{Command, Create, Delete, Receive, Send};
    for setup in [BASIC, SEALED] {
        let gone = || (Command, Turn::Fault(SHELL_GONE, "InvalidSelectors"));
        let (result, actions) = run(setup, vec![gone()]).await;
        result.expect("a command");
        assert_eq!(actions, [Create, Command, Create, Command, Send, Receive]);
        let (result, actions) = run(setup, vec![gone(), gone()]).await;
        expect_error(result, Operation::StartCommand, Started::NotStarted, |kind| matches!(kind, Kind::ShellGone(_)));
        assert_eq!(actions[..4], [Create, Command, Create, Command]);

        let quota = (Command, Turn::Fault(QUOTA_OPERATIONS, "QuotaLimit"));
        let (result, actions) = run(setup, vec![quota]).await;
        result.expect("a command");
        assert_eq!(actions, [Create, Command, Delete, Create, Command, Send, Receive]);
    }
}

#[tokio::test]
async fn a_shell_that_is_lost_under_a_command_is_an_error() {
    use Action::{Command, Create, Delete, Receive};
    let (server, session) = start(BASIC).await;
    server.expect(Receive, Turn::Fault(SHELL_GONE, "InvalidSelectors"));
    let result = session.run("a", &[], Stdin::None).await;
    expect_error(result, Operation::ReceiveOutput, Started::Unknown, |kind| matches!(kind, Kind::ShellGone(_)));
    // Only the command may be gone: the shell must not be left behind.
    server.wait_for(Delete, 1).await;
    session.run("a", &[], Stdin::None).await.expect("a command in another shell");
    let actions: Vec<_> = server.actions().into_iter().filter(|action| *action != Action::Proxy).collect();
    assert_eq!(actions, [Create, Command, Receive, Delete, Create, Command, Receive]);
}

#[tokio::test]
async fn a_shell_that_was_not_opened_ran_nothing() {
    for setup in [BASIC, SEALED, BOUND] {
        let (result, actions) = run(setup, vec![(Action::Create, Turn::Drop)]).await;
        expect_error(result, Operation::CreateShell, Started::NotStarted, |kind| {
            matches!(kind, Kind::ConnectionLost(_))
        });
        assert_eq!(actions, [Action::Create]);
    }
}

#[tokio::test]
async fn the_quota_of_shells_is_waited_for() {
    let quota = || (Action::Create, Turn::Fault(QUOTA_SHELLS, "QuotaLimit"));
    let (result, _) = run(BASIC, vec![quota(), quota()]).await;
    result.expect("a shell at last");
    let (result, actions) = run(BASIC, vec![quota(), quota(), quota()]).await;
    let error =
        expect_error(result, Operation::CreateShell, Started::NotStarted, |kind| matches!(kind, Kind::QuotaShells(_)));
    assert_eq!(actions.len(), 3);
    assert_eq!(
        error.to_string(),
        "opening a shell on mfa01.contoso.com: the account's quota of shells on the host is used up: \
         fault 2150859173 (words of Windows)"
    );
    assert!(error.advice().contains("MaxShellsPerUser"));
}

#[tokio::test]
async fn input_is_repeated_only_when_it_was_refused() {
    use Action::{Command, Create, Receive, Send, Signal};
    let busy = || (Send, Turn::Fault(170, "InternalError"));
    let (result, actions) = run(BASIC, vec![busy(), busy()]).await;
    result.expect("a command");
    assert_eq!(actions, [Create, Command, Send, Send, Send, Receive]);

    // It may have been taken: the command goes on, and nothing is sent twice.
    let (result, actions) = run(BASIC, vec![(Send, Turn::Fault(TIMED_OUT, "TimedOut"))]).await;
    result.expect("a command");
    assert_eq!(actions, [Create, Command, Send, Receive]);

    let (server, session) = start(SEALED).await;
    server.expect(Send, Turn::Drop);
    let result = session.run("a", &[], Stdin::Bytes(vec![Bytes::from_static(b"input")])).await;
    expect_error(result, Operation::SendInput, Started::Unknown, |kind| matches!(kind, Kind::ConnectionLost(_)));
    server.wait_for(Signal, 1).await;
    let actions = server.actions();
    assert_eq!(actions.iter().filter(|action| **action == Send).count(), 1);
}

#[tokio::test]
async fn a_host_with_a_small_envelope_gets_small_pieces() {
    for setup in [BASIC, SEALED, BOUND] {
        let (server, session) = start(setup).await;
        let too_large = "HTTP/1.1 413 Request Entity Too Large\r\nConnection: close";
        server.expect(Action::Send, Turn::Http(too_large, ""));
        server.expect(Action::Send, Turn::Http(too_large, ""));
        let content = Bytes::from(vec![7; 200 * 1024]);
        session.run("a", &[], Stdin::Bytes(vec![content.clone()])).await.expect("a command");
        session.run("a", &[], Stdin::Bytes(vec![content])).await.expect("a command");
        let sizes: Vec<usize> = server
            .seen()
            .iter()
            .filter(|seen| seen.action == Action::Send)
            .map(|seen| seen.body.len() / 1024 * 3 / 4)
            .collect();
        // 200, halved twice; the second command starts with what went through.
        let rounded: Vec<usize> = sizes.iter().map(|size| size / 10 * 10).collect();
        assert_eq!(rounded, [200, 100, 50, 50, 50, 50, 50, 50, 50, 50], "{sizes:?}");
    }
}

#[tokio::test]
async fn a_command_that_ends_without_reading_its_input_is_no_error() {
    let refused = || (Action::Send, Turn::Fault(232, "InternalError"));
    let ended = (Action::Receive, Turn::Output(b"", b"bad option", Some(1)));
    let (result, _) = run(BASIC, vec![refused(), ended]).await;
    let output = result.expect("an exit code");
    assert_eq!((output.exit_code, output.stderr.as_slice()), (1, &b"bad option"[..]));

    let silent = (Action::Receive, Turn::Fault(TIMED_OUT, "TimedOut"));
    let (result, _) = run(BASIC, vec![refused(), silent]).await;
    expect_error(
        result,
        Operation::SendInput,
        Started::Unknown,
        |kind| matches!(kind, Kind::Fault(fault) if fault.code == Some(232)),
    );
}

#[tokio::test]
async fn output_is_asked_for_again_over_a_new_connection() {
    for setup in [BASIC, SEALED, BOUND] {
        let (server, session) = start(setup).await;
        server.expect(Action::Receive, Turn::Drop);
        server.expect(Action::Receive, Turn::Drop);
        let output = session.run("a", &[], Stdin::None).await.expect("a command");
        assert_eq!(output.stdout, b"hello");
        assert!(output.may_lack_output);
        assert_eq!(server.connections(), 3);
        for _ in 0..4 {
            server.expect(Action::Receive, Turn::Drop);
        }
        let result = session.run("a", &[], Stdin::None).await;
        expect_error(result, Operation::ReceiveOutput, Started::Unknown, |kind| {
            matches!(kind, Kind::ConnectionLost(_))
        });
    }
}

#[tokio::test]
async fn a_connection_that_was_closed_while_unused_is_replaced() {
    for setup in [BASIC, SEALED, BOUND] {
        let (server, session) = start(setup).await;
        server.expect(Action::Receive, Turn::Last);
        session.run("a", &[], Stdin::None).await.expect("a command");
        tokio::time::sleep(Duration::from_millis(50)).await;
        session.run("a", &[], Stdin::None).await.expect("a command on a new connection");
        assert_eq!(server.connections(), 2);
        let commands = server.actions().iter().filter(|action| **action == Action::Command).count();
        assert_eq!(commands, 2);
    }
}

#[tokio::test]
async fn a_login_that_the_host_has_forgotten_is_repeated() {
    let (server, session) = start(SEALED).await;
    session.run("a", &[], Stdin::None).await.expect("a command");
    server.expect(Action::Command, Turn::Http("HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Negotiate", ""));
    session.run("a", &[], Stdin::None).await.expect("a command after a new login");
    assert_eq!(server.connections(), 2);
}

/// Each further refusal would bring the account nearer to being locked: one over the old connection, which may only have
/// been forgotten, one over another, and one after a pause.
#[tokio::test]
async fn a_logon_that_is_refused_at_the_end_is_not_tried_for_long() {
    for setup in [BASIC, SEALED, BOUND] {
        let (server, session) = start(setup).await;
        session.run("a", &[], Stdin::None).await.expect("a command");
        for _ in 0..8 {
            let refused = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Negotiate, Basic";
            server.expect(Action::Delete, Turn::Http(refused, ""));
        }
        session.close().await;
        assert_eq!(server.count(Action::Delete), 3, "{setup:?}");
    }
}

#[tokio::test]
async fn ways_that_do_not_open_are_named() {
    let server = Server::start(BASIC).await;
    server.expect(Action::Proxy, Turn::Http("HTTP/1.1 407 Proxy Authentication Required", ""));
    let result = Session::new(endpoint(&server, BASIC)).run("a", &[], Stdin::None).await;
    let is_login = |kind: &Kind| matches!(kind, Kind::ProxyLogin { tried: false, .. });
    expect_error(result, Operation::Connect, Started::NotStarted, is_login);
    server.expect(Action::Proxy, Turn::Http("HTTP/1.1 403 Forbidden", ""));
    let result = Session::new(endpoint(&server, BASIC)).run("a", &[], Stdin::None).await;
    let error =
        expect_error(result, Operation::Connect, Started::NotStarted, |kind| matches!(kind, Kind::Proxy { .. }));
    assert!(error.to_string().ends_with("it answered `HTTP/1.1 403 Forbidden`"), "{error}");

    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.local_addr().expect("an address").port()
    };
    let mut direct = endpoint(&server, BASIC);
    direct.proxy = Some(proxy(closed));
    let result = Session::new(direct.clone()).run("a", &[], Stdin::None).await;
    let error =
        expect_error(result, Operation::Connect, Started::NotStarted, |kind| matches!(kind, Kind::Proxy { .. }));
    assert!(error.to_string().contains("refused the connection"), "{error}");

    direct.proxy = None;
    direct.port = closed;
    direct.host = "127.0.0.1".to_owned();
    let result = Session::new(direct.clone()).run("a", &[], Stdin::None).await;
    expect_error(result, Operation::Connect, Started::NotStarted, |kind| matches!(kind, Kind::Refused { .. }));

    direct.host = "no-such-host.invalid".to_owned();
    let result = Session::new(direct).run("a", &[], Stdin::None).await;
    expect_error(result, Operation::Connect, Started::NotStarted, |kind| matches!(kind, Kind::Name { .. }));
}

#[tokio::test]
async fn a_proxy_that_says_nothing_is_given_up() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let server = Server::start(BASIC).await;
    let mut endpoint = endpoint(&server, BASIC);
    endpoint.proxy = Some(proxy(silent.local_addr().expect("an address").port()));
    endpoint.timeouts.connect = Duration::from_millis(100);
    let result = Session::new(endpoint).run("a", &[], Stdin::None).await;
    expect_error(result, Operation::Connect, Started::NotStarted, |kind| matches!(kind, Kind::ProxySilent { .. }));
}

/// Before the first answer nobody knows whether WinRM is there at all; after it the host has gone quiet over a request.
#[tokio::test]
async fn a_port_that_never_answers_is_told_from_a_host_that_stops_to() {
    type Case = (Setup, Action, Operation, Started, fn(&Kind) -> bool);
    let cases: [Case; 3] = [
        (
            BASIC,
            Action::Create,
            Operation::CreateShell,
            Started::NotStarted,
            |kind| matches!(kind, Kind::Silent { address, .. } if address == "mfa01.contoso.com:5986"),
        ),
        (BOUND, Action::Create, Operation::CreateShell, Started::NotStarted, |kind| {
            matches!(kind, Kind::Timeout { .. })
        }),
        (BASIC, Action::Command, Operation::StartCommand, Started::Unknown, |kind| {
            matches!(kind, Kind::Timeout { .. })
        }),
    ];
    for (setup, action, operation, started, matches) in cases {
        let server = Server::start(setup).await;
        server.expect(action, Turn::Hang);
        let mut endpoint = endpoint(&server, setup);
        endpoint.timeouts.operation = Duration::from_secs(1);
        endpoint.timeouts.margin = Duration::from_millis(300);
        let result = Session::new(endpoint).run("a", &[], Stdin::None).await;
        expect_error(result, operation, started, matches);
    }
}
