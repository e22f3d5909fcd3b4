//! Whatever a host says to the requests of a worker, and whatever a process says that should be one: no panic, no wait
//! beyond the limits, no success without the reply, and no call that is made twice when the first may have had an effect.

use std::time::{Duration, Instant};

use azuremfa::backend::error::Cause;
use azuremfa::backend::windows::connection::Timeouts;
use azuremfa::backend::windows::runner::Runner as _;
use azuremfa::backend::windows::scripts::{COMPLETE_BACKUP, COMPLETE_INSTALLER, REGISTER_ADAPTER, Script};
use azuremfa::backend::windows::sessions::Sessions;
use proptest::prelude::{Strategy, any, prop};
use serde_json::{Value, json};

use crate::damage::damages;
use crate::hostile::{Hostile, each, holds, hostile};
use crate::server::{Action, Server, Setup, Turn};
use crate::worker::{reply_line, run, sent, sessions};
use crate::{BASIC, BOUND, SEALED};

const SHORT: Timeouts =
    Timeouts { connect: Duration::from_secs(5), operation: Duration::from_secs(1), overall: Some(OVERALL) };
const OVERALL: Duration = Duration::from_secs(8);

/// The limit, and some time for a machine that is busy.
const IN_TIME: Duration = Duration::from_secs(8 + 6);

/// A host whose worker has served a call. With `closes` the next request needs another connection, and a logon with it.
async fn start(setup: Setup, timeouts: Timeouts, closes: bool) -> Result<(Server, Sessions), String> {
    let server = Server::start(setup).await;
    let sessions = sessions(&server, setup, timeouts);
    let reply = reply_line(1, COMPLETE_BACKUP);
    server.expect(Action::Receive, if closes { Turn::LastOutput(reply) } else { Turn::Output(reply, b"", None) });
    run(&sessions, COMPLETE_BACKUP).await.map_err(|cause| format!("the first call failed: {cause}"))?;
    Ok((server, sessions))
}

/// How often a call was made, by the frames that arrived. The worker's first call does not count.
fn calls(server: &Server, script: Script) -> usize {
    let marks = [format!("call 2 {} ", script.name), format!("azuremfa 1 {} ", script.name)];
    let again = format!("call 1 {} ", script.name);
    let sent = sent(server);
    let known = sent.iter().filter(|sent| marks.iter().any(|mark| sent.starts_with(mark))).count();
    known + sent.iter().skip(1).filter(|sent| sent.contains(&again)).count()
}

fn is_lost(cause: &Cause) -> bool {
    matches!(cause, Cause::Lost { .. })
}

const SHELL_GONE: fn() -> Turn = || Turn::Fault(2_150_858_843, "w:InvalidSelectors");

/// Answers of gateways, balancers and whoever can write into a connection: the request may have been let through before.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_proves_nothing_brings_no_second_call() {
    let heads = [
        "HTTP/1.1 200 OK\r\nContent-Type: text/html",
        "HTTP/1.1 204 No Content",
        "HTTP/1.1 302 Found\r\nLocation: /",
        "HTTP/1.1 400 Bad Request",
        "HTTP/1.1 403 Forbidden",
        "HTTP/1.1 404 Not Found",
        "HTTP/1.1 408 Request Timeout",
        "HTTP/1.1 429 Too Many Requests",
        "HTTP/1.1 500 Internal Server Error",
        "HTTP/1.1 502 Bad Gateway",
        "HTTP/1.1 503 Service Unavailable",
        "HTTP/1.1 504 Gateway Timeout",
    ];
    let mut wrong = Vec::new();
    for setup in [BASIC, SEALED, BOUND] {
        let unsealed = (setup.ntlm && !setup.tls).then_some(Turn::Unsealed);
        for turn in heads.map(|head| Turn::Http(head, "")).into_iter().chain(unsealed) {
            let what = match &turn {
                Turn::Http(head, _) => *head,
                _ => "an answer in the open",
            };
            let (server, sessions) = start(setup, SHORT, false).await.expect("a worker");
            server.expect(Action::Send, turn);
            let result = run(&sessions, COMPLETE_BACKUP).await;
            let times = calls(&server, COMPLETE_BACKUP);
            if times != 1 || !result.as_ref().is_err_and(is_lost) {
                wrong.push(format!("{what:?} ({setup:?}): made {times} times, {result:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The other way round: what the service itself refuses, nothing has come of.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_proves_that_nothing_started_brings_a_second_call() {
    let refused = || Turn::Http("HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Negotiate, Basic", "");
    let too_large = || Turn::Http("HTTP/1.1 413 Request Entity Too Large", "");
    let quota = || Turn::Fault(2_150_859_175, "w:QuotaLimit");
    for setup in [BASIC, SEALED, BOUND] {
        // Made again in another process, and in the same one over another connection.
        for (turn, number) in [(SHELL_GONE(), 1), (too_large(), 1), (quota(), 1), (refused(), 2)] {
            let (server, sessions) = start(setup, SHORT, false).await.expect("a worker");
            server.expect(Action::Send, turn);
            server.expect(Action::Receive, Turn::Output(reply_line(number, COMPLETE_BACKUP), b"", None));
            run(&sessions, COMPLETE_BACKUP).await.unwrap_or_else(|cause| panic!("{setup:?} {number}: {cause}"));
            assert_eq!(calls(&server, COMPLETE_BACKUP), 2, "{setup:?} {number}");
        }
    }
}

const ACTIONS: &[Action] =
    &[Action::Create, Action::Command, Action::Send, Action::Receive, Action::Signal, Action::Delete];

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_of_a_host_has_a_change_made_twice() {
    let setups = prop::sample::select(vec![BASIC, SEALED, BOUND]);
    let scripts = prop::sample::select(vec![COMPLETE_BACKUP, COMPLETE_INSTALLER, REGISTER_ADAPTER]);
    each(200, (setups, any::<bool>(), hostile(ACTIONS), scripts), |(setup, closes, hostile, script)| async move {
        let (server, sessions) = start(setup, SHORT, closes).await?;
        let begin = Instant::now();
        let result = call_against(&server, &sessions, &hostile, script, closes).await;
        sessions.close().await;
        holds(begin.elapsed() < IN_TIME * 2, || format!("it took {:?}", begin.elapsed()))?;
        // A shell whose opening somebody has refused is taken for none.
        let closed = server.count(Action::Delete) > 0 || hostile.action == Action::Create;
        holds(closed, || "a shell was left open".to_owned())?;
        result
    })
    .await;
}

async fn call_against(
    server: &Server,
    sessions: &Sessions,
    hostile: &Hostile,
    script: Script,
    closes: bool,
) -> Result<(), String> {
    let ends = matches!(hostile.action, Action::Signal | Action::Delete);
    let is_alone = script == REGISTER_ADAPTER;
    match hostile.action {
        Action::Signal | Action::Delete => server.expect(Action::Receive, whole_reply(script)),
        // What was there is gone, so that it must be made anew.
        Action::Create => server.expect(if is_alone { Action::Command } else { Action::Send }, SHELL_GONE()),
        Action::Command if !is_alone => server.expect(Action::Receive, Turn::Output(b"", b"", Some(1))),
        _ => {}
    }
    (0..8).for_each(|_| server.expect(hostile.action, hostile.turn()));
    let begin = Instant::now();
    let result = run(sessions, script).await;
    let (took, times) = (begin.elapsed(), calls(server, script));
    let said = format!("{}: {result:?}", script.name);
    holds(took < IN_TIME, || format!("it took {took:?}: {said}"))?;
    // A connection may close just when the call is on its way.
    let is_lost = closes && result.as_ref().is_err_and(is_lost);
    holds(result.is_ok() == ends || is_lost, || format!("not what became of it: {said}"))?;
    holds(hostile.refuses || times <= 1, || format!("made {times} times: {said}"))?;
    let has_left = matches!(hostile.action, Action::Send | Action::Receive) && !hostile.refuses;
    let says_not_done =
        matches!(result, Err(Cause::Unreachable { .. } | Cause::Denied { .. } | Cause::NoConnection(_)));
    holds(!(has_left && says_not_done), || format!("it is said not to have been done: {said}"))
}

/// The reply to the second call of a worker, or to one that has its process for itself.
fn whole_reply(script: Script) -> Turn {
    if script != REGISTER_ADAPTER {
        return Turn::Output(reply_line(2, script), b"", None);
    }
    Turn::Output(b"AZUREMFA-REPLY:{\"ok\":true,\"script\":\"Register-Adapter\",\"result\":{}}\r\n", b"", Some(0))
}

/// What a process says in one answer, and how it goes on at last.
#[derive(Clone)]
struct Words {
    pieces: Vec<Vec<u8>>,
    end: End,
}

#[derive(Clone, Copy, Debug)]
enum End {
    Exit(i32),
    /// It says the same over and over.
    Babble,
    /// It says nothing any more, and nor does the host.
    Silence,
    /// The host says that there is nothing yet, over and over.
    NotYet,
    /// The connection breaks once, then it ends.
    Break,
}

/// Lines that a worker could write, for this call or another, damaged or not, and anything else.
fn words() -> impl Strategy<Value = Words> {
    let reply = |call| reply_line(call, COMPLETE_BACKUP).to_vec();
    let corpus = vec![
        reply(2),
        reply(1),
        reply_line(2, COMPLETE_INSTALLER).to_vec(),
        b"AZUREMFA-BEGIN:2\r\n".to_vec(),
        b"AZUREMFA-BEGIN:2".to_vec(),
        b"left over, without an end of the line: AZUREMFA-BEGIN:2\r\n".to_vec(),
        b"AZUREMFA-BEGIN:1\r\n".to_vec(),
        b"AZUREMFA-END:2\r\n".to_vec(),
        b"AZUREMFA-END:22\r\n".to_vec(),
        b"AZUREMFA-LOG:{\"level\":\"info\",\"message\":\"m\"}\r\n".to_vec(),
        b"AZUREMFA-DATA:!\r\n".to_vec(),
        b"AZUREMFA-REPLY:{\"ok\":false,\"script\":\"Worker\",\"error\":{\"kind\":\"x\",\"message\":\"m\"}}\r\n"
            .to_vec(),
        b"AZUREMFA-REPLY:{\"ok\":true,\"script\":\"Complete-Backup\",\"call\":2}\r\n".to_vec(),
    ];
    let damaged = (prop::sample::select(corpus.clone()), damages(corpus.clone())).prop_map(|(mut line, damages)| {
        damages.iter().for_each(|damage| damage.apply(&mut line));
        line
    });
    let piece = proptest::prop_oneof![
        5 => prop::sample::select(corpus),
        4 => damaged,
        1 => prop::collection::vec(any::<u8>(), 0..60),
    ];
    let end = proptest::prop_oneof![
        6 => any::<i32>().prop_map(End::Exit),
        1 => prop::sample::select(vec![End::Babble, End::Silence, End::NotYet, End::Break]),
    ];
    (prop::collection::vec(piece, 0..4), end).prop_map(|(pieces, end)| Words { pieces, end })
}

impl std::fmt::Debug for Words {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let pieces: Vec<_> = self.pieces.iter().map(|piece| String::from_utf8_lossy(piece)).collect();
        write!(formatter, "{:?}, {pieces:?}", self.end)
    }
}

impl Words {
    fn expect(&self, server: &Server) {
        let leaked = |bytes: &[u8]| -> &'static [u8] { Vec::leak(bytes.to_vec()) };
        let (last, before) = match self.pieces.split_last() {
            Some((last, before)) => (leaked(last), before),
            None => (&b""[..], &[][..]),
        };
        before.iter().for_each(|piece| server.expect(Action::Receive, Turn::Output(leaked(piece), b"", None)));
        let expect = |turn| server.expect(Action::Receive, turn);
        match self.end {
            End::Exit(code) => return expect(Turn::Output(last, b"", Some(code))),
            _ => expect(Turn::Output(last, b"", None)),
        }
        match self.end {
            End::Exit(_) => {}
            End::Babble => (0..30_000).for_each(|_| expect(Turn::Output(b"and so on\r\n", b"", None))),
            End::Silence => (0..8).for_each(|_| expect(Turn::Hang)),
            End::NotYet => (0..30_000).for_each(|_| expect(Turn::Fault(2_150_858_793, "w:TimedOut"))),
            End::Break => {
                expect(Turn::Drop);
                expect(Turn::Output(b"", b"", Some(1)));
            }
        }
    }

    fn said(&self) -> Vec<u8> {
        self.pieces.concat()
    }

    /// Whether what was said holds the result of this call, by a reading of its own.
    fn holds_result(&self, result: &Value) -> bool {
        self.said().split(|byte| *byte == b'\n').any(|line| {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let reply = line.strip_prefix(b"AZUREMFA-REPLY:").and_then(|reply| serde_json::from_slice(reply).ok());
            reply.is_some_and(|reply: Value| {
                reply["ok"] == json!(true)
                    && reply["script"] == json!(COMPLETE_BACKUP.name)
                    && reply["call"] == json!(2)
                    && reply.get("result") == Some(result)
            })
        })
    }

    /// Whether the process had come so far as to say that it begins, whatever stands around it.
    fn may_have_begun(&self) -> bool {
        let said = self.said();
        let marks: [&[u8]; 2] = [b"AZUREMFA-BEGIN:2", b"AZUREMFA-REPLY:"];
        matches!(self.end, End::Break) || marks.iter().any(|mark| said.windows(mark.len()).any(|part| part == *mark))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_words_of_a_process_are_taken_for_a_success_or_for_no_beginning() {
    let timeouts = Timeouts { overall: Some(Duration::from_secs(3)), ..SHORT };
    each(300, words(), move |words| async move {
        let (server, sessions) = start(BASIC, timeouts, false).await?;
        words.expect(&server);
        let begin = Instant::now();
        let result = run(&sessions, COMPLETE_BACKUP).await;
        let (took, times) = (begin.elapsed(), calls(&server, COMPLETE_BACKUP));
        holds(took < Duration::from_secs(3 + 6), || format!("it took {took:?}: {result:?}"))?;
        if let Ok(result) = &result {
            holds(words.holds_result(result), || format!("it was taken for success: {result}"))?;
        }
        holds(times == 1 || !words.may_have_begun(), || format!("made {times} times: {result:?}"))?;
        sessions.close().await;
        holds(server.count(Action::Delete) > 0, || "a shell was left open".to_owned())
    })
    .await;
}
