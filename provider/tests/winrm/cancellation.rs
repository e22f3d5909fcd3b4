//! Nothing is left on a host by a caller that goes away.

use std::time::Duration;

use azuremfa::winrm::stdin::Stdin;

use crate::server::{Action, Setup, Turn};
use crate::{BASIC, SEALED, start};

/// Drops a run once `action` has arrived, and waits for what ends it.
async fn check(setup: Setup, action: Action, turn: Turn, ended_by: Action) {
    let (server, session) = start(setup).await;
    server.expect(action, turn);
    let task = {
        let session = session.clone();
        tokio::spawn(async move { session.run("a", &[], Stdin::None).await })
    };
    server.wait_for(action, 1).await;
    task.abort();
    let _ = task.await;
    server.wait_for(ended_by, 1).await;
    session.run("a", &[], Stdin::None).await.expect("the session goes on");
    let creations = server.actions().iter().filter(|action| **action == Action::Create).count();
    assert_eq!(creations, 1);
    session.close().await;
    server.wait_for(Action::Delete, 1).await;
}

#[tokio::test]
async fn a_dropped_command_is_ended() {
    for setup in [BASIC, SEALED] {
        check(setup, Action::Receive, Turn::Hang, Action::Signal).await;
        check(setup, Action::Command, Turn::Late(Duration::from_millis(50)), Action::Signal).await;
        check(setup, Action::Create, Turn::Late(Duration::from_millis(50)), Action::Signal).await;
    }
}

#[tokio::test]
async fn a_dropped_session_closes_its_shell() {
    let (server, session) = start(SEALED).await;
    let copy = session.clone();
    session.run("a", &[], Stdin::None).await.expect("a command");
    drop(session);
    copy.run("a", &[], Stdin::None).await.expect("a command");
    assert!(!server.actions().contains(&Action::Delete));
    drop(copy);
    server.wait_for(Action::Delete, 1).await;
}

#[tokio::test]
async fn closing_twice_or_unused_is_nothing() {
    let (server, session) = start(BASIC).await;
    session.close().await;
    assert_eq!(server.connections(), 0);
    session.run("a", &[], Stdin::None).await.expect("a command");
    session.close().await;
    session.close().await;
    let deletions = server.actions().iter().filter(|action| **action == Action::Delete).count();
    assert_eq!(deletions, 1);
    session.run("a", &[], Stdin::None).await.expect("a command in a new shell");
}

#[tokio::test]
async fn closing_does_not_wait_for_commands() {
    let (server, session) = start(SEALED).await;
    for _ in 0..4 {
        server.expect(Action::Receive, Turn::Hang);
    }
    let runs: Vec<_> = (0..4)
        .map(|_| {
            let session = session.clone();
            tokio::spawn(async move { session.run("a", &[], Stdin::None).await })
        })
        .collect();
    server.wait_for(Action::Receive, 4).await;
    session.close().await;
    server.wait_for(Action::Delete, 1).await;
    runs.iter().for_each(tokio::task::JoinHandle::abort);
}
