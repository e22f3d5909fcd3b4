//! How often a password is tried.

use std::sync::Arc;
use std::time::Duration;

use azuremfa::backend::error::Cause;
use azuremfa::backend::windows::connection::{Connection, Connections, Timeouts};
use azuremfa::backend::windows::proxies::ProxyRule;
use azuremfa::backend::windows::runner::{Call, Runner};
use azuremfa::backend::windows::scripts::GET_HOST_FACTS;
use azuremfa::backend::windows::sessions::Sessions;
use azuremfa::secret::Secret;
use serde_json::json;

use crate::SEALED;
use crate::server::{Action, PASSWORD, Server, USER};

const HOSTS: [&str; 4] = ["mfa01.contoso.com", "mfa02.contoso.com", "MFA01.contoso.com", "mfa03.contoso.com"];

/// Asks all hosts at once, as the hosts of a set are; each is the same server.
async fn ask(username: &str, password: &str) -> (Server, Vec<Cause>) {
    let server = Server::start(SEALED).await;
    let connection = Connection {
        username: Some(username.to_owned()),
        password: Some(Secret::new(password)),
        use_https: false,
        port: 5985,
        proxy: ProxyRule::Given(crate::proxy(server.port)),
        timeouts: Timeouts { connect: Duration::from_secs(5), operation: Duration::from_millis(300), overall: None },
        ..Connection::new("default")
    };
    let sessions = Sessions::new(Arc::new(Connections { connections: vec![connection], ..Connections::default() }));
    let runs = HOSTS.iter().map(|host| sessions.run(host, Call::new(GET_HOST_FACTS, json!({}))));
    let results = futures_util::future::join_all(runs).await;
    // The server runs no scripts, so there is never a reply.
    let causes = results.into_iter().map(|result| result.expect_err("no reply")).collect();
    sessions.close().await;
    (server, causes)
}

fn logons(server: &Server) -> usize {
    server.actions().iter().filter(|action| **action == Action::Handshake).count() / 2
}

#[tokio::test]
async fn a_wrong_password_of_a_domain_is_tried_once() {
    let (server, causes) = ask(USER, "wrong").await;
    assert!(causes.iter().all(|cause| matches!(cause, Cause::Denied { .. })), "{causes:?}");
    assert_eq!(logons(&server), 1);
}

#[tokio::test]
async fn a_wrong_password_of_a_local_account_is_tried_once_on_each_host() {
    let (server, causes) = ask("upgrade", "wrong").await;
    assert!(causes.iter().all(|cause| matches!(cause, Cause::Denied { .. })), "{causes:?}");
    assert_eq!(logons(&server), 3);
}

#[tokio::test]
async fn the_right_password_opens_one_shell_on_each_host() {
    let (server, causes) = ask(USER, PASSWORD).await;
    assert!(causes.iter().all(|cause| matches!(cause, Cause::Unintelligible(_))), "{causes:?}");
    assert_eq!(server.actions().iter().filter(|action| **action == Action::Create).count(), 3);
}
