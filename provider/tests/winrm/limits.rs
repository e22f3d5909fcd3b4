//! How many connections are open: to one host, and to all.

use std::time::Duration;

use azuremfa::winrm::limits::{Budget, Limits};
use azuremfa::winrm::session::{Output, Session};
use azuremfa::winrm::stdin::Stdin;
use tokio::io::AsyncWriteExt;

use crate::server::{Action, HOST, Server, Turn};
use crate::{SEALED, endpoint};

/// More than any of these runs takes; a run that waits for itself never ends.
const PATIENCE: Duration = Duration::from_secs(20);

/// A session with a host of this name. Each name leads to the same server.
fn session(server: &Server, host: &str, per_host: usize, in_all: &Budget) -> Session {
    let mut endpoint = endpoint(server, SEALED);
    endpoint.host = host.to_owned();
    endpoint.limits = Limits { per_host, in_all: in_all.clone() };
    Session::new(endpoint)
}

async fn run_many(sessions: &[Session]) {
    // Some work at the host, so that commands meet there.
    let runs = (0..12).map(|index| sessions[index % sessions.len()].run("a", &[], Stdin::None));
    let all = tokio::time::timeout(PATIENCE, futures_util::future::join_all(runs)).await.expect("every command ends");
    for result in all {
        assert_eq!(result.expect("a command").stdout, b"hello");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_has_no_more_connections_than_it_is_allowed() {
    for per_host in [1, 2, 7] {
        let server = Server::start(SEALED).await;
        (0..12).for_each(|_| server.expect(Action::Command, Turn::Late(Duration::from_millis(20))));
        let session = session(&server, HOST, per_host, &Budget::new(64));
        run_many(std::slice::from_ref(&session)).await;
        let (opened, busy) = (server.connections(), server.most_busy());
        assert!(opened <= per_host && busy <= per_host, "{opened} opened, {busy} busy, {per_host} allowed");
        assert!(per_host == 1 || opened > 1, "one connection was enough");
        session.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_hosts_together_have_no_more_than_they_are_allowed() {
    for in_all in [1, 2, 3] {
        let server = Server::start(SEALED).await;
        let budget = Budget::new(in_all);
        let hosts = ["mfa01", "mfa02", "mfa03", "mfa04"];
        let sessions = hosts.map(|host| session(&server, host, 4, &budget));
        run_many(&sessions).await;
        assert!(server.most_busy() <= in_all, "{} at once, {in_all} allowed", server.most_busy());
        // Those that are kept count too.
        server.wait_for_open(in_all).await;
        for session in &sessions {
            session.close().await;
        }
        server.wait_for_open(0).await;
    }
}

/// A file that goes from one host to another: the receiving command waits for what the sending one has yet to say.
#[tokio::test]
async fn a_command_that_waits_for_another_keeps_no_connection_from_it() {
    let server = Server::start(SEALED).await;
    let budget = Budget::new(1);
    let (from, to) = (session(&server, "mfa01", 1, &budget), session(&server, "portal01", 1, &budget));
    let (mut near, far) = tokio::io::duplex(64);
    let receiving = to.run("receive", &[], Stdin::Reader(Box::new(far)));
    let sending = async {
        server.wait_for(Action::Command, 1).await;
        let output = from.run("send", &[], Stdin::None).await.expect("a command");
        near.write_all(&output.stdout).await.expect("the receiver reads");
        drop(near);
    };
    let both = async { tokio::join!(receiving, sending) };
    let (received, ()) = tokio::time::timeout(PATIENCE, both).await.expect("no command waits in a circle");
    assert_eq!(received.expect("a command").exit_code, 0);
    assert!(server.seen().iter().any(|seen| seen.action == Action::Send && seen.body.contains("aGVsbG8=")));
    assert_eq!(server.most_busy(), 1);
}

/// Input is sealed ahead, and what is sealed belongs to its connection; others get on all the same.
#[tokio::test]
async fn long_input_gives_way_to_others() {
    for in_all in [1, 64] {
        let server = Server::start(SEALED).await;
        let session = session(&server, HOST, 1, &Budget::new(in_all));
        (0..10).for_each(|_| server.expect(Action::Send, Turn::Late(Duration::from_millis(30))));
        let long = spawn(&session, Stdin::Bytes(vec![vec![7; 10 * 368 * 1024].into()]));
        server.wait_for(Action::Send, 3).await;
        let short = tokio::time::timeout(PATIENCE, session.run("a", &[], Stdin::None)).await.expect("it gets on");
        assert_eq!(short.expect("a command").stdout, b"hello");
        let sent = server.actions().iter().filter(|action| **action == Action::Send).count();
        assert!(sent < 10, "only after the long input, {in_all} in all");
        long.await.expect("no panic").expect("a command");
        session.close().await;
    }
}

#[tokio::test]
async fn a_command_is_ended_although_all_connections_are_taken() {
    let server = Server::start(SEALED).await;
    let session = session(&server, HOST, 1, &Budget::new(1));
    let (_near, far) = tokio::io::duplex(64);
    let waiting = spawn(&session, Stdin::Reader(Box::new(far)));
    server.wait_for(Action::Command, 1).await;
    server.expect(Action::Receive, Turn::Hang);
    let hanging = spawn(&session, Stdin::None);
    server.wait_for(Action::Receive, 1).await;
    waiting.abort();
    server.wait_for(Action::Signal, 1).await;
    hanging.abort();
    server.wait_for(Action::Signal, 2).await;
    session.close().await;
    server.wait_for(Action::Delete, 1).await;
}

fn spawn(
    session: &Session,
    stdin: Stdin<'static>,
) -> tokio::task::JoinHandle<Result<Output, azuremfa::winrm::error::Error>> {
    let session = session.clone();
    tokio::spawn(async move { session.run("a", &[], stdin).await })
}
