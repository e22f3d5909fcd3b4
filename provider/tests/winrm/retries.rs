//! How often each request is made when its answer never gets better, and that each further time is said in the log.

use azuremfa::winrm::stdin::Stdin;
use bytes::Bytes;
use tracing::Level;

use crate::listening::{Entry, Listening};
use crate::server::{Action, Turn};
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
const UNSAID: fn() -> Turn = || Turn::Http("HTTP/1.1 500 Internal Server Error", "");

/// A request, its answer each time, how often it is made, and what each further time is announced with.
type Row = (Action, fn() -> Turn, usize, &'static str);

const LOGON_ALONE: &str = "logging on again, without a message";
const FREE_SHELL: &str = "waiting for a free shell";
const ANOTHER_SHELL: &str = "opening another shell";
const BUSY_INPUT: &str = "the host is busy with earlier input";
const OUTPUT_AGAIN: &str = "asking again for output";
const CLOSE_AGAIN: &str = "closing the shell again";

/// More than once only where the answer proves that nothing was started, or where doing it twice does no harm.
const ROWS: [Row; 31] = [
    (Action::Create, SHELLS, 3, FREE_SHELL),
    (Action::Create, USERS, 3, FREE_SHELL),
    (Action::Create, RATE, 3, FREE_SHELL),
    (Action::Create, DENIED, 1, ""),
    (Action::Create, MEMORY, 1, ""),
    (Action::Create, ABORTED, 1, ""),
    (Action::Create, TIMED_OUT, 1, ""),
    (Action::Create, LOST, 1, ""),
    (Action::Create, UNSAID, 1, ""),
    (Action::Command, GONE, 2, ANOTHER_SHELL),
    (Action::Command, OPERATIONS, 2, ANOTHER_SHELL),
    (Action::Command, COMMANDS, 2, ANOTHER_SHELL),
    (Action::Command, BUSY, 1, ""),
    (Action::Command, MEMORY, 1, ""),
    (Action::Command, ABORTED, 1, ""),
    (Action::Command, TIMED_OUT, 1, ""),
    (Action::Command, LOST, 1, ""),
    (Action::Command, UNSAID, 1, ""),
    (Action::Send, BUSY, 3, BUSY_INPUT),
    (Action::Send, TIMED_OUT, 1, ""),
    (Action::Send, MEMORY, 1, ""),
    (Action::Send, LOST, 1, ""),
    (Action::Send, UNSAID, 1, ""),
    (Action::Receive, LOST, 4, OUTPUT_AGAIN),
    (Action::Receive, GONE, 1, ""),
    (Action::Receive, ABORTED, 1, ""),
    (Action::Receive, UNSAID, 1, ""),
    (Action::Delete, LOST, 3, CLOSE_AGAIN),
    (Action::Delete, UNSAID, 3, CLOSE_AGAIN),
    (Action::Delete, ABORTED, 3, CLOSE_AGAIN),
    (Action::Delete, GONE, 1, ""),
];

#[tokio::test]
async fn requests_are_repeated_as_often_as_is_safe_and_it_is_said() {
    let listening = Listening::start();
    // What an operator sees without asking for more.
    let is_shown = |entry: &Entry| entry.level == Level::INFO && entry.target.starts_with("azuremfa::winrm");
    for setup in [BASIC, SEALED, BOUND] {
        for (action, turn, times, announced) in ROWS {
            // The first message over plain HTTP comes with the logon, which a host may not be used to.
            let with_logon = setup.ntlm && !setup.tls && action == Action::Create && matches!(turn(), Turn::Http(..));
            let (times, announced) = if with_logon { (2, LOGON_ALONE) } else { (times, announced) };
            listening.take();
            let (server, session) = start(setup).await;
            for _ in 0..20 {
                server.expect(action, turn());
            }
            let result = session.run("a", &[], Stdin::Bytes(vec![Bytes::from_static(b"input")])).await;
            let actions = server.actions();
            session.close().await;
            let what = format!("{action:?} of {setup:?}: {result:?}");
            // Only what comes before the end of the session, but for the end itself.
            let actions = if action == Action::Delete { server.actions() } else { actions };
            assert_eq!(actions.iter().filter(|seen| **seen == action).count(), times, "{what}");
            let said: Vec<String> = listening.take().into_iter().filter(is_shown).map(|entry| entry.message).collect();
            assert_eq!(said, vec![announced; times - 1], "{what}");
        }
    }
}
