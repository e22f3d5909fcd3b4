//! Workers: PowerShell starts once per host, and what becomes of a call when the process, the shell or a connection does
//! not last.

use std::sync::Arc;
use std::time::Duration;

use azuremfa::address::HostAddress;
use azuremfa::backend::error::{Cause, ScriptErrorKind};
use azuremfa::backend::windows::connection::{Authentication, Connection, Connections, Timeouts};
use azuremfa::backend::windows::proxies::ProxyRule;
use azuremfa::backend::windows::runner::{Call, Runner};
use azuremfa::backend::windows::scripts::{
    BACKUP_DIRECTORY, COMPLETE_BACKUP, COMPLETE_INSTALLER, GET_FILE_IDENTITY, REGISTER_ADAPTER, SET_LEASE, Script,
};
use azuremfa::backend::windows::sessions::Sessions;
use azuremfa::secret::Secret;
use serde_json::{Value, json};

use crate::BASIC;
use crate::listening::Listening;
use crate::server::{Action, HOST, PASSWORD, Seen, Server, Setup, Turn, USER};

async fn start() -> (Server, Sessions) {
    start_within(None).await
}

/// With `overall` as the limit of every script.
async fn start_within(overall: Option<Duration>) -> (Server, Sessions) {
    let server = Server::start(BASIC).await;
    let timeouts = Timeouts { connect: Duration::from_secs(5), operation: Duration::from_secs(3), overall };
    let sessions = sessions(&server, BASIC, timeouts);
    (server, sessions)
}

/// The backend's sessions, whose way leads to the server.
pub fn sessions(server: &Server, setup: Setup, timeouts: Timeouts) -> Sessions {
    let connection = Connection {
        username: Some(USER.to_owned()),
        password: Some(Secret::new(PASSWORD)),
        authentication: if setup.ntlm { Authentication::Ntlm } else { Authentication::Basic },
        use_https: setup.tls,
        ca_certificate: setup.tls.then(|| server.certificate.clone()),
        proxy: ProxyRule::Given(crate::proxy(server.port)),
        timeouts,
        ..Connection::new("default")
    };
    let connections = Connections { connections: vec![connection], ..Connections::default() };
    Sessions::new(Arc::new(connections))
}

/// The reply of a call as the worker writes it.
fn reply(call: u64, script: Script) -> Turn {
    Turn::Output(reply_line(call, script), b"", None)
}

pub fn reply_line(call: u64, script: Script) -> &'static [u8] {
    let text =
        format!("AZUREMFA-REPLY:{{\"ok\":true,\"script\":\"{}\",\"result\":{{}},\"call\":{call}}}\r\n", script.name);
    text.leak().as_bytes()
}

pub async fn run(sessions: &Sessions, script: Script) -> Result<Value, Cause> {
    sessions.run(&HostAddress::named(HOST), Call::new(script, json!({"path": "C:\\x"}))).await
}

/// What a `Send` brought, decoded.
pub fn sent(server: &Server) -> Vec<String> {
    server.seen().iter().filter_map(Seen::input).collect()
}

#[tokio::test]
async fn a_second_call_costs_two_requests_and_no_process() {
    let (server, sessions) = start().await;
    server.expect(Action::Receive, reply(1, GET_FILE_IDENTITY));
    server.expect(Action::Receive, reply(2, GET_FILE_IDENTITY));
    assert_eq!(run(&sessions, GET_FILE_IDENTITY).await.expect("a reply"), json!({}));
    let first = server.actions();
    assert_eq!(first[first.len() - 4..], [Action::Create, Action::Command, Action::Send, Action::Receive]);
    assert_eq!(run(&sessions, GET_FILE_IDENTITY).await.expect("a reply"), json!({}));
    assert_eq!(server.actions()[first.len()..], [Action::Send, Action::Receive]);
    let sent = sent(&server);
    assert!(sent[0].starts_with("azuremfa 1 Worker ") && sent[0].contains("nullcall 1 Get-FileIdentity "));
    // Envelope and script are there already.
    assert_eq!(sent[1], "call 2 Get-FileIdentity 0 0 16 silent\n{\"path\":\"C:\\\\x\"}");
    sessions.close().await;
    assert_eq!(server.actions().last(), Some(&Action::Delete));
    assert_eq!(server.count(Action::Signal), 0, "the process ends with its shell");
}

#[tokio::test]
async fn a_query_whose_process_has_died_is_asked_again_once() {
    let listening = Listening::start();
    let (server, sessions) = start().await;
    server.expect(Action::Receive, reply(1, GET_FILE_IDENTITY));
    server.expect(Action::Receive, Turn::Output(b"", b"", Some(1)));
    server.expect(Action::Receive, reply(1, GET_FILE_IDENTITY));
    run(&sessions, GET_FILE_IDENTITY).await.expect("a reply");
    run(&sessions, GET_FILE_IDENTITY).await.expect("a reply of another process");
    assert_eq!(server.count(Action::Command), 2);
    assert_eq!(listening.take_infos(), ["starting PowerShell anew"]);
    // A process that dies at its first call would die at the next as well.
    server.expect(Action::Receive, Turn::Output(b"", b"", Some(1)));
    server.expect(Action::Receive, Turn::Output(b"", b"", Some(1)));
    assert!(matches!(run(&sessions, GET_FILE_IDENTITY).await, Err(Cause::NoReply { .. })));
    assert_eq!(server.count(Action::Command), 3);
}

#[tokio::test]
async fn a_change_is_repeated_only_when_it_had_not_begun() {
    for (output, repeated) in [(&b""[..], true), (b"AZUREMFA-BEGIN:2\r\n", false)] {
        let (server, sessions) = start().await;
        server.expect(Action::Receive, reply(1, COMPLETE_BACKUP));
        server.expect(Action::Receive, Turn::Output(output, b"", Some(1)));
        server.expect(Action::Receive, reply(1, COMPLETE_BACKUP));
        run(&sessions, COMPLETE_BACKUP).await.expect("a reply");
        let second = run(&sessions, COMPLETE_BACKUP).await;
        assert_eq!(second.is_ok(), repeated, "{second:?}");
        assert_eq!(server.count(Action::Command), if repeated { 2 } else { 1 });
    }
}

#[tokio::test]
async fn a_shell_that_is_gone_between_calls_is_replaced() {
    let (server, sessions) = start().await;
    server.expect(Action::Receive, reply(1, COMPLETE_BACKUP));
    server.expect(Action::Send, Turn::Last);
    run(&sessions, COMPLETE_BACKUP).await.expect("a reply");
    server.expect(Action::Send, Turn::Fault(2_150_858_843, "w:InvalidSelectors"));
    server.expect(Action::Receive, reply(1, COMPLETE_BACKUP));
    run(&sessions, COMPLETE_BACKUP).await.expect("a reply in a new shell");
    assert_eq!(server.count(Action::Create), 2);
}

#[tokio::test]
async fn a_call_whose_input_may_have_arrived_is_not_repeated() {
    let (server, sessions) = start().await;
    server.expect(Action::Receive, reply(1, COMPLETE_BACKUP));
    run(&sessions, COMPLETE_BACKUP).await.expect("a reply");
    server.expect(Action::Send, Turn::Drop);
    let error = run(&sessions, COMPLETE_BACKUP).await.expect_err("unknown");
    assert!(matches!(error, Cause::Lost { .. }), "{error:?}");
    assert_eq!(server.count(Action::Command), 1);
    // The next one does not go to a process of which nobody knows what it does.
    server.expect(Action::Receive, reply(1, COMPLETE_BACKUP));
    run(&sessions, COMPLETE_BACKUP).await.expect("a reply");
    assert_eq!(server.count(Action::Command), 2);
}

#[tokio::test]
async fn a_reply_that_was_lost_with_a_connection_is_asked_for() {
    let (server, sessions) = start().await;
    server.expect(Action::Receive, Turn::Drop);
    server.expect(Action::Receive, Turn::Fault(2_150_858_793, "w:TimedOut"));
    server.expect(Action::Receive, reply(1, COMPLETE_BACKUP));
    run(&sessions, COMPLETE_BACKUP).await.expect("the reply, given again");
    assert_eq!(sent(&server).last().map(String::as_str), Some("repeat 1\n"));
    // What such a process says next could be what was late.
    server.expect(Action::Receive, reply(1, COMPLETE_BACKUP));
    run(&sessions, COMPLETE_BACKUP).await.expect("a reply of another process");
    assert_eq!(server.count(Action::Command), 2);
}

#[tokio::test]
async fn the_reply_of_another_call_is_none() {
    let (server, sessions) = start().await;
    server.expect(Action::Receive, reply(2, GET_FILE_IDENTITY));
    let error = run(&sessions, GET_FILE_IDENTITY).await.expect_err("not its reply");
    assert!(error.to_string().contains("reply of another call"), "{error}");
    server.expect(Action::Receive, reply(1, GET_FILE_IDENTITY));
    run(&sessions, GET_FILE_IDENTITY).await.expect("a reply of another process");
    assert_eq!(server.count(Action::Command), 2);
}

#[tokio::test]
async fn some_scripts_do_not_share_their_process() {
    let (server, sessions) = start().await;
    server.expect(Action::Receive, reply(1, COMPLETE_INSTALLER));
    run(&sessions, COMPLETE_INSTALLER).await.expect("a reply");
    server.wait_for(Action::Signal, 1).await;
    server.expect(Action::Receive, reply(1, GET_FILE_IDENTITY));
    run(&sessions, GET_FILE_IDENTITY).await.expect("a reply");
    assert_eq!(server.count(Action::Command), 2);
    let alone = "AZUREMFA-REPLY:{\"ok\":true,\"script\":\"Register-Adapter\",\"result\":{}}\r\n";
    server.expect(Action::Receive, Turn::Output(alone.as_bytes(), b"", Some(0)));
    run(&sessions, REGISTER_ADAPTER).await.expect("a reply");
    assert!(sent(&server).last().is_some_and(|sent| sent.starts_with("azuremfa 1 Register-Adapter ")));
    assert_eq!(server.count(Action::Command), 3);
}

#[tokio::test]
async fn calls_at_once_have_a_process_each() {
    let (server, sessions) = start().await;
    server.expect(Action::Receive, Turn::Late(Duration::from_millis(200)));
    server.expect(Action::Receive, reply(1, GET_FILE_IDENTITY));
    let slow = run(&sessions, GET_FILE_IDENTITY);
    let quick = async {
        server.wait_for(Action::Receive, 1).await;
        run(&sessions, GET_FILE_IDENTITY).await
    };
    let (_, quick) = tokio::join!(slow, quick);
    quick.expect("a reply while the other runs");
    assert_eq!((server.count(Action::Create), server.count(Action::Command)), (1, 2));
}

#[tokio::test]
async fn a_script_that_takes_too_long_is_ended_and_may_have_been_done() {
    let (server, sessions) = start_within(Some(Duration::from_millis(600))).await;
    server.expect(Action::Receive, Turn::Hang);
    let error = run(&sessions, COMPLETE_BACKUP).await.expect_err("too long");
    assert!(
        matches!(&error, Cause::Lost { reason } if reason.starts_with("running PowerShell: no end within 0.6 s. Raise `timeouts.overall`")),
        "{error}"
    );
    server.wait_for(Action::Signal, 1).await;
}

#[tokio::test]
async fn a_powershell_that_is_too_old_is_named() {
    let (server, sessions) = start().await;
    let old = b"AZUREMFA-REPLY:{\"ok\":false,\"script\":\"Worker\",\"error\":{\"kind\":\"powershell_too_old\",\"message\":\"PowerShell 4.0 was found\",\"line\":null}}\r\n";
    server.expect(Action::Receive, Turn::Output(old, b"", Some(0)));
    let error = run(&sessions, GET_FILE_IDENTITY).await.expect_err("too old");
    assert!(matches!(&error, Cause::Script { kind: ScriptErrorKind::PowershellTooOld, .. }), "{error:?}");
}

/// While a copy of hours runs, the lease of the host is renewed beside it, each time for two round trips.
#[tokio::test]
async fn a_lease_is_renewed_beside_a_long_script() {
    let (server, sessions) = start().await;
    let sessions = Arc::new(sessions);
    server.expect(Action::Receive, Turn::Hang);
    let long = tokio::spawn({
        let sessions = Arc::clone(&sessions);
        async move { run(&sessions, BACKUP_DIRECTORY).await }
    });
    server.wait_for(Action::Receive, 1).await;
    for renewal in 1..=3 {
        server.expect(Action::Receive, reply(renewal, SET_LEASE));
        let before = server.actions().len();
        run(&sessions, SET_LEASE).await.expect("it is renewed");
        let needed = server.actions()[before..].to_vec();
        let start = if renewal == 1 { &[Action::Proxy, Action::Command][..] } else { &[] };
        assert_eq!(needed, [start, &[Action::Send, Action::Receive]].concat(), "renewal {renewal}");
    }
    assert!(!long.is_finished());
    long.abort();
}

/// What a second process has read before an installer ended is as stale as what the first one has.
#[tokio::test]
async fn no_process_outlives_an_installer() {
    let (server, sessions) = start().await;
    server.expect(Action::Receive, Turn::NotYet(Duration::from_millis(300)));
    server.expect(Action::Receive, reply(1, SET_LEASE));
    server.expect(Action::Receive, reply(1, GET_FILE_IDENTITY));
    let beside = async {
        server.wait_for(Action::Receive, 1).await;
        run(&sessions, SET_LEASE).await
    };
    let (step, lease) = tokio::join!(run(&sessions, GET_FILE_IDENTITY), beside);
    step.and(lease).expect("both have replied");
    assert_eq!(server.count(Action::Command), 2);
    server.expect(Action::Receive, reply(2, COMPLETE_INSTALLER));
    run(&sessions, COMPLETE_INSTALLER).await.expect("a reply");
    server.wait_for(Action::Signal, 2).await;
    server.expect(Action::Receive, reply(1, GET_FILE_IDENTITY));
    run(&sessions, GET_FILE_IDENTITY).await.expect("a reply of a new process");
    assert_eq!(server.count(Action::Command), 3);
}
