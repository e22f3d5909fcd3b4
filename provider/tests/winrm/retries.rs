//! How often each request is made when its answer never gets better, and that each further time is said in the log.

use azuremfa::winrm::stdin::Stdin;
use bytes::Bytes;

use crate::listening::Listening;
use crate::server::{Action, Setup, Turn};
use crate::{BASIC, BOUND, SEALED, start};

const LOST: fn() -> Turn = || Turn::Drop;
const TIMED_OUT: fn() -> Turn = || Turn::Fault(2_150_858_793, "TimedOut");
const GONE: fn() -> Turn = || Turn::Fault(2_150_858_843, "InvalidSelectors");
const SHELLS: fn() -> Turn = || Turn::Fault(2_150_859_173, "QuotaLimit");
const USERS: fn() -> Turn = || Turn::Fault(2_150_859_179, "QuotaLimit");
const RATE: fn() -> Turn = || Turn::Fault(2_150_859_175, "QuotaLimit");
const OPERATIONS: fn() -> Turn = || Turn::Fault(2_150_859_174, "InternalError");
const COMMANDS: fn() -> Turn = || Turn::Fault(2_150_859_241, "InternalError");
const MEMORY: fn() -> Turn = || Turn::Fault(1816, "InternalError");
const ABORTED: fn() -> Turn = || Turn::Fault(995, "InternalError");
const BUSY: fn() -> Turn = || Turn::Fault(170, "InternalError");
const DENIED: fn() -> Turn = || Turn::Fault(5, "AccessDenied");
const TOO_LARGE: fn() -> Turn = || Turn::Fault(2_150_858_805, "EncodingLimit");
const UNSAID: fn() -> Turn = || Turn::Http("HTTP/1.1 500 Internal Server Error", "");
const LARGE: fn() -> Turn = || Turn::Http("HTTP/1.1 413 Request Entity Too Large", "");
const REFUSED: fn() -> Turn = || Turn::Http("HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Negotiate, Basic", "");
const FORBIDDEN: fn() -> Turn = || Turn::Http("HTTP/1.1 403 Forbidden", "");

/// A request, its answer each time, how often it is made, and what each further time is announced with.
type Row = (Action, fn() -> Turn, usize, &'static str);

const LOGON_ALONE: &str = "logging on again, without a message";
const FREE_SHELL: &str = "waiting for a free shell";
const ANOTHER_SHELL: &str = "opening another shell";
const BUSY_INPUT: &str = "the host is busy with earlier input";
const OUTPUT_AGAIN: &str = "asking again for output";
const CLOSE_AGAIN: &str = "closing the shell again";
const END_AGAIN: &str = "ending it again";
const SMALLER: &str = "the host wants smaller messages";
const FORGOTTEN: &str = "sending it again over a new connection";

/// More than once only where the answer proves that nothing was started, or where doing it twice does no harm.
const ROWS: [Row; 47] = [
    (Action::Handshake, LOST, 1, ""),
    (Action::Handshake, REFUSED, 1, ""),
    (Action::Handshake, FORBIDDEN, 1, ""),
    (Action::Handshake, UNSAID, 1, ""),
    (Action::Create, SHELLS, 3, FREE_SHELL),
    (Action::Create, USERS, 3, FREE_SHELL),
    (Action::Create, RATE, 3, FREE_SHELL),
    (Action::Create, DENIED, 1, ""),
    (Action::Create, MEMORY, 1, ""),
    (Action::Create, ABORTED, 1, ""),
    (Action::Create, TIMED_OUT, 1, ""),
    (Action::Create, LOST, 1, ""),
    (Action::Create, REFUSED, 1, ""),
    (Action::Create, UNSAID, 1, ""),
    (Action::Command, REFUSED, 2, FORGOTTEN),
    (Action::Command, GONE, 2, ANOTHER_SHELL),
    (Action::Command, OPERATIONS, 2, ANOTHER_SHELL),
    (Action::Command, COMMANDS, 2, ANOTHER_SHELL),
    (Action::Command, BUSY, 1, ""),
    (Action::Command, MEMORY, 1, ""),
    (Action::Command, ABORTED, 1, ""),
    (Action::Command, TIMED_OUT, 1, ""),
    (Action::Command, LOST, 1, ""),
    (Action::Command, UNSAID, 1, ""),
    // A piece that is small enough for any host is not cut.
    (Action::Send, LARGE, 1, ""),
    (Action::Send, TOO_LARGE, 1, ""),
    (Action::Send, REFUSED, 2, FORGOTTEN),
    (Action::Send, BUSY, 3, BUSY_INPUT),
    (Action::Send, TIMED_OUT, 1, ""),
    (Action::Send, MEMORY, 1, ""),
    (Action::Send, LOST, 1, ""),
    (Action::Send, UNSAID, 1, ""),
    (Action::Receive, LOST, 4, OUTPUT_AGAIN),
    (Action::Receive, GONE, 1, ""),
    (Action::Receive, ABORTED, 1, ""),
    (Action::Receive, UNSAID, 1, ""),
    (Action::Receive, REFUSED, 2, FORGOTTEN),
    (Action::Signal, LOST, 3, END_AGAIN),
    (Action::Signal, UNSAID, 1, ""),
    (Action::Signal, ABORTED, 1, ""),
    (Action::Signal, BUSY, 1, ""),
    (Action::Signal, GONE, 1, ""),
    (Action::Signal, REFUSED, 1, ""),
    (Action::Delete, LOST, 3, CLOSE_AGAIN),
    (Action::Delete, UNSAID, 3, CLOSE_AGAIN),
    (Action::Delete, ABORTED, 3, CLOSE_AGAIN),
    (Action::Delete, GONE, 1, ""),
];

/// Runs a command to whose requests for `action` nothing but this is answered; how many of them were made, and what was
/// said. `input` is what the command gets.
async fn run(
    listening: &Listening,
    setup: Setup,
    action: Action,
    turn: fn() -> Turn,
    input: &'static [u8],
) -> (usize, Vec<String>) {
    listening.take();
    let (server, session) = start(setup).await;
    if action == Action::Signal {
        // A command is ended when it is given up.
        server.expect(Action::Receive, UNSAID());
    }
    for _ in 0..20 {
        server.expect(action, turn());
    }
    // What becomes of it is told elsewhere.
    let _ = session.run("a", &[], Stdin::Bytes(vec![Bytes::from_static(input)])).await;
    let is_end = matches!(action, Action::Signal | Action::Delete);
    // Only what comes before the end of the session, but for the ends themselves.
    let before = server.count(action);
    session.close().await;
    (if is_end { server.count(action) } else { before }, listening.take_infos())
}

#[tokio::test]
async fn requests_are_repeated_as_often_as_is_safe_and_it_is_said() {
    let listening = Listening::start();
    for setup in [BASIC, SEALED, BOUND] {
        for (action, turn, times, announced) in ROWS {
            if action == Action::Handshake && !setup.ntlm {
                continue;
            }
            // The first message over plain HTTP comes with the logon, which a host may not be used to.
            let with_logon = setup.ntlm && !setup.tls && action == Action::Create;
            let (times, announced) = if with_logon && matches!(turn(), Turn::Http(head, _) if head.contains(" 500 ")) {
                (2, LOGON_ALONE)
            } else {
                (times, announced)
            };
            let found = run(&listening, setup, action, turn, b"input").await;
            assert_eq!(found, (times, vec![announced.to_owned(); times - 1]), "{action:?} of {setup:?}");
        }
    }
}

/// From 368 KiB by halves to 8 KiB, which any host takes.
#[tokio::test]
async fn input_that_is_too_large_is_halved_as_far_as_is_worth_it_and_it_is_said() {
    static INPUT: [u8; 400 * 1024] = [0; 400 * 1024];
    let listening = Listening::start();
    for setup in [BASIC, SEALED, BOUND] {
        for turn in [LARGE, TOO_LARGE] {
            let found = run(&listening, setup, Action::Send, turn, &INPUT).await;
            assert_eq!(found, (7, vec![SMALLER.to_owned(); 6]), "{setup:?}");
        }
    }
}

/// The connection that is needed to close a shell is logged on once more, not more often: accounts are locked.
#[tokio::test]
async fn a_logon_to_close_a_shell_is_repeated_once_and_it_is_said() {
    let listening = Listening::start();
    let (server, session) = start(BOUND).await;
    session.run("a", &[], Stdin::None).await.expect("a command");
    // No connection is kept.
    server.expect(Action::Receive, UNSAID());
    server.expect(Action::Signal, UNSAID());
    session.run("a", &[], Stdin::None).await.expect_err("no output");
    server.wait_for(Action::Signal, 1).await;
    let before = server.count(Action::Handshake);
    for _ in 0..20 {
        server.expect(Action::Handshake, REFUSED());
    }
    session.close().await;
    assert_eq!(server.count(Action::Handshake) - before, 2, "{:?}", server.actions());
    assert_eq!(listening.take_infos(), [CLOSE_AGAIN]);
}
