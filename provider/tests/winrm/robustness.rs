//! No bytes of a peer make the client panic or wait beyond its timeouts, or take for success what is none.

use std::time::{Duration, Instant};

use azuremfa::winrm::clixml::error_text;
use azuremfa::winrm::endpoint::Timeouts;
use azuremfa::winrm::error::{Error, Kind, Operation, Started};
use azuremfa::winrm::session::{Output, Session};
use azuremfa::winrm::soap::reply::parse;
use azuremfa::winrm::stdin::Stdin;
use proptest::prelude::prop;

use crate::hostile::{Hostile, each, holds, hostile};
use crate::server::{Action, Server, Setup, Turn};
use crate::{BASIC, BOUND, SEALED, endpoint, start};

#[test]
fn deep_nesting_and_definitions_are_refused_or_harmless() {
    let deep = format!("{}{}", "<a>".repeat(200_000), "</a>".repeat(200_000));
    assert!(parse(&deep, 200).is_err());
    let laughs = r#"<!DOCTYPE l [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><s:Envelope xmlns:s="s"><s:Body>&b;</s:Body></s:Envelope>"#;
    assert!(parse(laughs, 200).is_err());
    let _ = error_text(format!("<Objs>{deep}</Objs>").as_bytes());
}

/// A whole run against answers that are not HTTP, or HTTP that breaks off.
#[tokio::test]
async fn damaged_http_is_an_error_in_time() {
    let answers: [&'static [u8]; 8] = [
        b"",
        b"\0\0\0\0",
        b"HTTP/1.1",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Type: application/soap+xml\r\nContent-Length: 99999999999999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Type: multipart/encrypted\r\nContent-Length: 4\r\n\r\n--En",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
        b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Negotiate !!!\r\nContent-Length: 0\r\n\r\n",
    ];
    for setup in [BASIC, SEALED, BOUND] {
        for answer in answers {
            let (server, session) = start(setup).await;
            server.expect(Action::Create, Turn::Raw(answer));
            session.run("a", &[], Stdin::None).await.expect_err("never taken for success");
        }
    }
}

/// Times so short that a run against a peer which never answers in full ends soon.
const SHORT: Timeouts =
    Timeouts { connect: Duration::from_secs(5), operation: Duration::from_secs(1), margin: Duration::from_millis(700) };

/// A request is made four times at most; the rest is for logging in, for pauses and for a machine that is busy.
const IN_TIME: Duration = Duration::from_secs(4 + 11);

const ACTIONS: &[Action] = &[
    Action::Handshake,
    Action::Create,
    Action::Command,
    Action::Send,
    Action::Receive,
    Action::Signal,
    Action::Delete,
];

/// A server that answers so each time it is asked for the action, and a session with it.
async fn start_hostile(setup: Setup, hostile: &Hostile) -> (Server, Session) {
    let server = Server::start(setup).await;
    (0..8).for_each(|_| server.expect(hostile.action, hostile.turn()));
    let session = Session::new(azuremfa::winrm::endpoint::Endpoint { timeouts: SHORT, ..endpoint(&server, setup) });
    (server, session)
}

async fn run_with_input(session: &Session) -> Result<Output, Error> {
    session.run("a", &[], Stdin::Bytes(vec![bytes::Bytes::from_static(b"input")])).await
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_makes_the_client_panic_wait_or_believe() {
    let setups = prop::sample::select(vec![BASIC, SEALED, BOUND]);
    each(210, (setups, hostile(ACTIONS)), |(setup, hostile)| async move {
        match hostile.action {
            Action::Signal | Action::Delete => end_against(setup, &hostile).await,
            // Who logs on by a header alone is not answered until there is a message.
            Action::Handshake if !setup.ntlm => run_against(BOUND, &hostile).await,
            _ => run_against(setup, &hostile).await,
        }
    })
    .await;
}

/// No success, and no second time for what may have been done.
async fn run_against(setup: Setup, hostile: &Hostile) -> Result<(), String> {
    let begin = Instant::now();
    let (server, session) = start_hostile(setup, hostile).await;
    let error = run_with_input(&session).await.err().ok_or("it was taken for success")?;
    holds(begin.elapsed() < IN_TIME, || format!("it took {:?}", begin.elapsed()))?;
    let has_started = matches!(hostile.action, Action::Send | Action::Receive);
    holds(!has_started || error.started == Started::Unknown, || format!("it is said not to have started: {error}"))?;
    if hostile.action == Action::Handshake {
        holds(server.count(Action::Create) == 0, || format!("something was asked for before the logon: {error}"))?;
    }
    let times = server.count(Action::Command).max(server.count(Action::Send));
    holds(hostile.refuses || times <= 1, || format!("{times} times: {:?}", server.actions()))
}

/// Whatever a host says to the end of a command or of its shell: the session comes to its end, and tries the shell's.
async fn end_against(setup: Setup, hostile: &Hostile) -> Result<(), String> {
    let (server, session) = start_hostile(setup, hostile).await;
    if hostile.action == Action::Signal {
        server.expect(Action::Receive, Turn::Hang);
        tokio::select! {
            result = run_with_input(&session) => return Err(format!("it ended early: {result:?}")),
            () = server.wait_for(Action::Receive, 1) => {}
        }
    } else {
        run_with_input(&session).await.map_err(|error| format!("the command failed: {error}"))?;
    }
    let begin = Instant::now();
    session.close().await;
    holds(begin.elapsed() < IN_TIME, || format!("the end took {:?}", begin.elapsed()))?;
    let (signals, deletes) = (server.count(Action::Signal), server.count(Action::Delete));
    holds((1..=3).contains(&deletes), || format!("the shell was closed {deletes} times"))?;
    let expected = if hostile.action == Action::Signal { 1..=3 } else { 0..=0 };
    holds(expected.contains(&signals), || format!("the command was ended {signals} times"))
}

/// What never ends is given up, after no more bytes than a few buffers hold.
#[tokio::test]
async fn endless_answers_are_cut_off() {
    const X: &[u8] = &[b'x'; 16 * 1024];
    type Case = (&'static [u8], &'static [u8], fn(&Kind) -> bool);
    let cases: [Case; 5] = [
        (b"HTTP/1.1 200 OK\r\nContent-Type: application/soap+xml\r\n\r\n", X, |kind| {
            matches!(kind, Kind::Malformed("it is too long"))
        }),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"4\r\nxxxx\r\n", |kind| {
            matches!(kind, Kind::Malformed("it is too long") | Kind::Timeout { .. })
        }),
        (b"HTTP/1.1 200 OK\r\n", b"A: b\r\n", |kind| matches!(kind, Kind::NotHttp)),
        (b"HTTP/1.1 200 OK\r\nA: ", X, |kind| matches!(kind, Kind::NotHttp)),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n", |kind| matches!(kind, Kind::Silent { .. } | Kind::Timeout { .. })),
    ];
    for setup in [BASIC, BOUND] {
        for (start, more, expected) in cases {
            let server = Server::start(setup).await;
            server.expect(Action::Create, Turn::Endless(start, more));
            let timeouts = Timeouts { operation: Duration::from_secs(3), margin: Duration::from_secs(2), ..SHORT };
            let session = Session::new(azuremfa::winrm::endpoint::Endpoint { timeouts, ..endpoint(&server, setup) });
            let error = session.run("a", &[], Stdin::None).await.expect_err("never a success");
            assert_eq!((error.operation, error.started), (Operation::CreateShell, Started::NotStarted));
            assert!(expected(&error.kind), "{error}");
            let is_late = matches!(error.kind, Kind::Silent { .. } | Kind::Timeout { .. });
            let limit = if is_late { usize::MAX } else { 24 * 1024 * 1024 };
            assert!(server.poured() < limit, "{} bytes were taken before {error}", server.poured());
        }
    }
}
