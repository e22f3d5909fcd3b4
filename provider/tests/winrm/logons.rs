//! How often a password is tried.

use std::sync::Arc;
use std::time::{Duration, Instant};

use azuremfa::address::HostAddress;
use azuremfa::backend::error::Cause;
use azuremfa::backend::windows::connection::{Connection, Connections, Timeouts};
use azuremfa::backend::windows::proxies::ProxyRule;
use azuremfa::backend::windows::runner::{Call, Runner};
use azuremfa::backend::windows::scripts::GET_HOST_FACTS;
use azuremfa::backend::windows::sessions::Sessions;
use azuremfa::secret::Secret;
use serde_json::json;

use crate::SEALED;
use crate::server::{Action, PASSWORD, Server, Turn, USER};

const HOSTS: [&str; 4] = ["mfa01.contoso.com", "mfa02.contoso.com", "MFA01.contoso.com", "mfa03.contoso.com"];

/// Sessions that reach every host by the same port.
fn sessions(port: u16, username: &str, password: &str, connect: Duration) -> Sessions {
    sessions_within(None, port, username, password, connect)
}

fn sessions_within(
    overall: Option<Duration>,
    port: u16,
    username: &str,
    password: &str,
    connect: Duration,
) -> Sessions {
    let connection = Connection {
        username: Some(username.to_owned()),
        password: Some(Secret::new(password)),
        use_https: false,
        port: 5985,
        proxy: ProxyRule::Given(crate::proxy(port)),
        timeouts: Timeouts { connect, operation: Duration::from_secs(3), overall },
        ..Connection::new("default")
    };
    Sessions::new(Arc::new(Connections { connections: vec![connection], ..Connections::default() }))
}

/// Asks hosts at once, as the hosts of a set are. No script runs there, so there is never a reply.
async fn ask_all(sessions: &Sessions, hosts: &[&str]) -> Vec<Cause> {
    let hosts: Vec<HostAddress> = hosts.iter().map(|host| host.parse().expect("a host")).collect();
    let runs = hosts.iter().map(|host| sessions.run(host, Call::new(GET_HOST_FACTS, json!({}))));
    let results = futures_util::future::join_all(runs).await;
    results.into_iter().map(|result| result.expect_err("no reply")).collect()
}

/// Each host is the same server.
async fn ask(username: &str, password: &str) -> (Server, Vec<Cause>) {
    ask_hosts(&HOSTS, username, password).await
}

async fn ask_hosts(hosts: &[&str], username: &str, password: &str) -> (Server, Vec<Cause>) {
    let server = Server::start(SEALED).await;
    let sessions = sessions(server.port, username, password, Duration::from_secs(5));
    let causes = ask_all(&sessions, hosts).await;
    sessions.close().await;
    (server, causes)
}

/// Each of them takes the whole timeout; one after the other they would take it six times.
#[tokio::test]
async fn hosts_that_do_not_answer_are_not_waited_for_in_turn() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = silent.local_addr().expect("an address").port();
    let sessions = sessions(port, USER, PASSWORD, Duration::from_secs(1));
    let begin = Instant::now();
    let causes = ask_all(&sessions, &["mfa01", "mfa02", "mfa03", "mfa04", "mfa05", "mfa06"]).await;
    assert!(begin.elapsed() < Duration::from_secs(3), "{:?}", begin.elapsed());
    assert!(causes.iter().all(|cause| matches!(cause, Cause::Unreachable { .. })), "{causes:?}");
    drop(silent);
}

/// It has taken the connection, so it is in its turn when it says nothing.
#[tokio::test]
async fn a_host_that_takes_a_connection_and_says_nothing_has_a_short_turn() {
    let server = Server::start(SEALED).await;
    server.expect(Action::Create, Turn::Hang);
    let sessions = sessions(server.port, USER, PASSWORD, Duration::from_secs(5));
    let begin = Instant::now();
    let ask = async |host: &str| {
        let host: HostAddress = host.parse().expect("a host");
        let cause = sessions.run(&host, Call::new(GET_HOST_FACTS, json!({}))).await.expect_err("no reply");
        (matches!(cause, Cause::NoReply { .. }), begin.elapsed())
    };
    let asked = futures_util::future::join_all(["mfa01", "mfa02", "mfa03", "mfa04"].map(ask)).await;
    let logged_on: Vec<Duration> = asked.iter().filter(|(logged_on, _)| *logged_on).map(|(_, after)| *after).collect();
    assert_eq!(logged_on.len(), 3, "{asked:?}");
    // The silent one is given up after three seconds.
    assert!(logged_on.iter().all(|after| *after < Duration::from_secs(2)), "{asked:?}");
}

/// Whoever says how long a call may take at most means the waiting, too.
#[tokio::test]
async fn the_limit_of_a_connection_holds_for_the_logon() {
    let server = Server::start(SEALED).await;
    server.expect(Action::Create, Turn::Hang);
    let overall = Some(Duration::from_millis(300));
    let sessions = sessions_within(overall, server.port, USER, PASSWORD, Duration::from_secs(5));
    let causes = ask_all(&sessions, &["mfa01"]).await;
    assert!(
        matches!(&causes[..], [Cause::Unreachable { reason, .. }] if reason == "logging in: no end within 0.3 s"),
        "{causes:?}"
    );
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
    assert!(causes.iter().all(|cause| matches!(cause, Cause::NoReply { .. })), "{causes:?}");
    assert_eq!(server.actions().iter().filter(|action| **action == Action::Create).count(), 3);
}

/// The port is no part of who the host is, so its account is not tried at the next one; but each port is a way of its own.
#[tokio::test]
async fn a_host_at_two_ports_is_one_host_with_two_sessions() {
    let hosts = ["mfa01:5985", "MFA01:5986", "mfa01"];
    let (server, causes) = ask_hosts(&hosts, "upgrade", "wrong").await;
    assert!(causes.iter().all(|cause| matches!(cause, Cause::Denied { .. })), "{causes:?}");
    assert_eq!(logons(&server), 1);
    let (server, _) = ask_hosts(&hosts, USER, PASSWORD).await;
    assert_eq!(server.actions().iter().filter(|action| **action == Action::Create).count(), 2);
}
