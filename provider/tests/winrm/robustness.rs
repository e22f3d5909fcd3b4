//! No bytes of a peer make the client panic or wait beyond its timeouts, or take for success what is none.

use std::time::{Duration, Instant};

use azuremfa::winrm::clixml::error_text;
use azuremfa::winrm::endpoint::Timeouts;
use azuremfa::winrm::error::{Error, Kind, Operation, Started};
use azuremfa::winrm::session::{Output, Session};
use azuremfa::winrm::soap::reply::parse;
use azuremfa::winrm::stdin::Stdin;
use proptest::prelude::{Strategy, any, prop};
use proptest::test_runner::{TestCaseError, TestError};

use crate::damage::runner;
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

/// What a hostile or broken peer answers with.
#[derive(Clone, Debug)]
struct Hostile {
    action: Action,
    pieces: Vec<Vec<u8>>,
    pause: Duration,
    /// The connection stays open afterwards.
    stays: bool,
}

/// Times so short that a run against a peer which never answers in full ends soon.
const SHORT: Timeouts = Timeouts {
    connect: Duration::from_secs(2),
    operation: Duration::from_millis(120),
    margin: Duration::from_millis(60),
};

/// A request is tried four times at most, with a connection and a login of three requests each.
const IN_TIME: Duration = Duration::from_secs(4 * 2 + 2);

/// A head and a body that never make a valid answer, cut into pieces.
fn hostile() -> impl Strategy<Value = Hostile> {
    let status = prop::sample::select(vec![
        "HTTP/1.1 200 OK",
        "HTTP/1.1 200",
        "HTTP/1.1 204 No Content",
        "HTTP/1.1 500 Error",
        "HTTP/1.1 100 Continue",
        "HTTP/1.1 999 ?",
        "HTTP/1.1 2000 OK",
        "HTTP/2 200",
        "HTTP/1.1 101 Switching Protocols",
        "ICY 200 OK",
        "",
    ]);
    let header = proptest::prop_oneof![
        prop::sample::select(vec![
            "Content-Type: application/soap+xml;charset=UTF-8",
            "Content-Type: text/html",
            "Content-Type: multipart/encrypted;boundary=\"Encrypted Boundary\"",
            "Content-Length: 0",
            "Content-Length: 10",
            "Content-Length: 99999",
            "Content-Length: -1",
            "Transfer-Encoding: chunked",
            "Transfer-Encoding: gzip, chunked",
            "Connection: close",
            "Connection: upgrade",
            "Upgrade: h2c",
            "WWW-Authenticate: Negotiate TlRMTVNTUAACAAAA",
            "Content-Encoding: gzip",
        ])
        .prop_map(str::to_owned),
        "[ -~]{0,40}",
    ];
    let truncated = (0..ENDED.len()).prop_map(|end| ENDED.as_bytes()[..end].to_vec());
    let body = proptest::prop_oneof![
        truncated,
        prop::collection::vec(any::<u8>(), 0..200),
        prop::sample::select(vec![
            "",
            "<html/>",
            "<s:Envelope xmlns:s=\"s\"/>",
            "<s:Envelope xmlns:s=\"s\"><s:Body/></s:Envelope>",
            "5\r\nhello\r\n0\r\n\r\n",
            "ffffffffffffffff\r\n",
            "--Encrypted Boundary\r\n--Encrypted Boundary--\r\n",
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
    ];
    let action = prop::sample::select(vec![Action::Create, Action::Command, Action::Send, Action::Receive]);
    let pace = prop::sample::select(vec![(1, 10), (7, 5), (100_000, 0)]);
    (action, status, prop::collection::vec(header, 0..5), body, pace, any::<bool>()).prop_map(
        |(action, status, headers, body, (size, milliseconds), stays)| {
            let head: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
            let answer = [format!("{status}\r\n{head}\r\n").into_bytes(), body].concat();
            let pieces = answer.chunks(size).map(<[u8]>::to_vec).collect();
            Hostile { action, pieces, pause: Duration::from_millis(milliseconds), stays }
        },
    )
}

/// The answer that only ever comes in part.
const ENDED: &str = r#"<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:rsp="r"><s:Body><rsp:ReceiveResponse><rsp:CommandState CommandId="c" State="http://schemas.microsoft.com/wbem/wsman/1/windows/shell/CommandState/Done"><rsp:ExitCode>0</rsp:ExitCode></rsp:CommandState></rsp:ReceiveResponse></s:Body></s:Envelope>"#;

/// A run with input against a server that answers so each time it is asked for the action.
async fn run_against(setup: Setup, hostile: &Hostile) -> Result<Output, Error> {
    let server = Server::start(setup).await;
    for _ in 0..8 {
        let (pieces, pause) = (hostile.pieces.clone(), hostile.pause);
        let turn = if hostile.stays { Turn::DripAndStay(pieces, pause) } else { Turn::Drip(pieces, pause) };
        server.expect(hostile.action, turn);
    }
    let session = Session::new(azuremfa::winrm::endpoint::Endpoint { timeouts: SHORT, ..endpoint(&server, setup) });
    session.run("a", &[], Stdin::Bytes(vec![bytes::Bytes::from_static(b"input")])).await
}

#[test]
fn no_answer_makes_the_client_panic_wait_or_believe() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let setups = prop::sample::select(vec![BASIC, SEALED, BOUND]);
    let outcome = runner(100).run(&(setups, hostile()), |(setup, hostile)| {
        let begin = Instant::now();
        let result = runtime.block_on(run_against(setup, &hostile));
        let error = result.err().ok_or_else(|| TestCaseError::fail("it was taken for success"))?;
        let took = begin.elapsed();
        if took > IN_TIME {
            return Err(TestCaseError::fail(format!("it took {took:?}")));
        }
        let after_start = matches!(hostile.action, Action::Send | Action::Receive);
        if after_start && error.started == Started::NotStarted {
            return Err(TestCaseError::fail(format!("a command that runs is said not to have started: {error}")));
        }
        Ok(())
    });
    if let Err(TestError::Fail(reason, (setup, hostile))) = outcome {
        let text = String::from_utf8_lossy(&hostile.pieces.concat()).into_owned();
        panic!("{reason}: {setup:?} {:?} {:?} stays: {} {text:?}", hostile.action, hostile.pause, hostile.stays);
    }
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
