//! What tests can make go wrong, and what they can read afterwards.

use std::time::{Duration, Instant};

use acceptance_tests::lab::wire::fault::{self, Fault};
use acceptance_tests::lab::wire::faults::{Effect, Injection};
use acceptance_tests::lab::wire::host::{Reachability, Settings};
use acceptance_tests::lab::wire::record::Kind;
use hyper::StatusCode;

use crate::wire::client::{Client, ask_proxy};
use crate::wire::{HOST, connect, lab};

const CREATE: &str = "<rsp:Shell/>";

#[tokio::test]
async fn a_connection_can_break_before_or_after_the_effect() {
    for (effect, shells) in [(Effect::DropBefore, 0), (Effect::DropAfter, 1)] {
        let server = lab(Settings::default()).await;
        let host = server.host(HOST);
        host.inject(Injection::on(Kind::Create, effect));
        let mut client = connect(&server).await;
        assert!(client.operate("Create", None, CREATE).await.is_none());
        assert_eq!(host.open_shells().len(), shells);
        let mut client = connect(&server).await;
        client.create().await.expect("once only");
        let record = host.record();
        assert_eq!(record.kinds(), [Kind::Create, Kind::Create]);
        assert_eq!(record.requests[0].status, None);
        assert_eq!((record.connections, record.requests[1].connection), (2, 2));
    }
}

#[tokio::test]
async fn faults_come_at_the_nth_request_and_as_often_as_asked() {
    let server = lab(Settings::default()).await;
    let host = server.host(HOST);
    host.inject(Injection::on(Kind::Command, Effect::Fault(Fault::busy())).at(2).times(2));
    let mut client = connect(&server).await;
    let shell = client.create().await.expect("shell");
    let mut results = Vec::new();
    for _ in 0..4 {
        results.push(client.command(&shell, "cat").await.map(drop));
    }
    assert_eq!(results, [Ok(()), Err(fault::BUSY), Err(fault::BUSY), Ok(())]);
    let codes: Vec<_> = host.record().requests.iter().map(|request| request.fault).collect();
    assert_eq!(codes, [None, None, Some(fault::BUSY), Some(fault::BUSY), None]);
}

#[tokio::test]
async fn plain_http_answers_can_be_given() {
    let server = lab(Settings::default()).await;
    let mut client = connect(&server).await;
    for status in [401, 403, 413, 500, 503] {
        let effect = Effect::Http { status, content_type: "text/html", body: "<html>no</html>" };
        server.host(HOST).inject(Injection::on_any(effect));
        let answer = client.operate("Create", None, CREATE).await.expect("answer");
        assert_eq!(answer.status.as_u16(), status);
        assert_eq!(answer.authenticate.is_empty(), status != 401);
    }
    assert!(server.host(HOST).open_shells().is_empty());
}

#[tokio::test]
async fn a_shell_can_be_lost() {
    let server = lab(Settings::default()).await;
    let host = server.host(HOST);
    let mut client = connect(&server).await;
    let shell = client.create().await.expect("shell");
    let command = client.command(&shell, "sleep").await.expect("command");
    host.inject(Injection::on(Kind::Receive, Effect::LoseShell));
    assert_eq!(client.receive(&shell, &command).await, Err(fault::UNEXPECTED_SELECTORS));
    let shell = client.create().await.expect("shell");
    host.lose_shells();
    assert_eq!(client.command(&shell, "cat").await, Err(fault::UNEXPECTED_SELECTORS));
}

#[tokio::test]
async fn answers_can_be_late() {
    let server = lab(Settings::default()).await;
    server.host(HOST).inject(Injection::on(Kind::Create, Effect::Delay(Duration::from_millis(300))));
    let mut client = connect(&server).await;
    let asked = Instant::now();
    client.create().await.expect("shell");
    assert!(asked.elapsed() >= Duration::from_millis(300));
}

#[tokio::test]
async fn a_host_can_go_down_and_come_back() {
    let server = lab(Settings::default()).await;
    let host = server.host(HOST);
    let mut client = connect(&server).await;
    client.create().await.expect("shell");
    host.go_down();
    assert!(client.operate("Create", None, CREATE).await.is_none(), "the connection is gone");
    let connect_request = format!("CONNECT {HOST}:5986 HTTP/1.1");
    let (_, answer) = ask_proxy(&server, &connect_request).await;
    assert!(answer.contains(" 504 "), "{answer}");
    host.set_reachability(Reachability::Silent);
    let silent = tokio::time::timeout(Duration::from_millis(200), ask_proxy(&server, &connect_request)).await;
    assert!(silent.is_err(), "no answer at all");
    host.set_reachability(Reachability::Reachable);
    let mut client = connect(&server).await;
    client.create().await.expect("shell");
    assert_eq!(host.open_shells().len(), 1, "the reboot ended the first shell");
}

#[tokio::test]
async fn a_hanging_request_ends_with_its_connection() {
    let server = lab(Settings::default()).await;
    let host = server.host(HOST);
    host.inject(Injection::on(Kind::Create, Effect::Hang));
    let mut client = connect(&server).await;
    let drop_later = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        host.drop_connections();
    };
    let (answer, ()) = tokio::join!(client.operate("Create", None, CREATE), drop_later);
    assert!(answer.is_none());
}

#[tokio::test]
async fn wrong_passwords_get_401_and_are_recorded() {
    let server = lab(Settings::default()).await;
    let mut client = Client::connect(&server, HOST, "operator", "wrong").await;
    let answer = client.operate("Create", None, CREATE).await.expect("answer");
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(answer.authenticate, ["Negotiate", "Basic realm=\"WSMAN\""]);
    let record = server.host(HOST).record();
    assert_eq!(record.refusals, ["wrong password for operator"]);
    assert_eq!((record.logons, record.count(Kind::Authenticate)), (0, 1));
}
