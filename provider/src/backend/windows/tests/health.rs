//! Health checks, against servers on ports of this machine.

use super::*;
use crate::backend::health::HealthCheck;
use crate::backend::windows::tests::web_server::{Answer, Server};

const HEALTHY: &str = "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nI am healthy";
const UNHEALTHY: &str = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
const ELSEWHERE: &str = "HTTP/1.1 302 Found\r\nLocation: /login?token=marker\r\nContent-Length: 0\r\n\r\n";

/// A check of a server with many tries.
fn check_of(server: &Server) -> HealthCheck {
    let ca_certificate = Some(server.certificate.clone()).filter(|certificate| !certificate.is_empty());
    HealthCheck { ca_certificate, ..HealthCheck::new(Some(server.url("/health?token=marker"))) }
}

async fn wait(estate: &Estate, check: HealthCheck) -> Result<Report, Cause> {
    let action = Action::AwaitHealth { check: Box::new(check) };
    estate.perform("mfa01", action).await.map_err(|error| error.cause)
}

/// What a person reads when there was time for one try; the address and everything secret in it aside.
async fn failure(server: &Server, check: HealthCheck) -> String {
    let once = HealthCheck { interval: check.timeout, ..check };
    let cause = wait(&Estate::new(), once).await.expect_err("not healthy");
    let message = cause.to_string();
    assert!(matches!(cause, Cause::Unhealthy(_)) && !message.contains("marker"), "{message}");
    let (start, last) = message.split_once(", and at last ").expect("the last answer");
    let shown = format!("localhost:{}/health was asked once", server.address.port());
    assert!(start.starts_with("no healthy answer within ") && start.ends_with(&shown), "{message}");
    last.to_owned()
}

#[tokio::test]
async fn waits_until_the_answer_is_right() {
    let server = Server::with_tls(vec![
        Answer::Reset,
        Answer::Text(UNHEALTHY),
        Answer::Text("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nstarting"),
        Answer::Cut,
        Answer::Text(HEALTHY),
    ])
    .await;
    let estate = Estate::new();
    let check = HealthCheck { contains: Some("healthy".to_owned()), ..check_of(&server) };
    assert_eq!(wait(&estate, check).await.expect("healthy"), Report::default());
    assert_eq!(server.asked(), 5);
    assert_eq!(estate.clock.pauses(), [Duration::from_secs(5); 4]);
    assert!(estate.ran().is_empty(), "nothing runs on the host");
}

#[tokio::test]
async fn gives_up_when_the_time_is_over_and_says_the_last_answer() {
    let server = Server::start(vec![Answer::Reset, Answer::Text(UNHEALTHY)]).await;
    let estate = Estate::new();
    let check = HealthCheck { timeout: Duration::from_secs(12), ..check_of(&server) };
    let message = estate.failure("mfa01", Action::AwaitHealth { check: Box::new(check) }).await;
    assert!(message.starts_with("mfa01: could not wait until http://localhost:"), "{message}");
    let port = server.address.port();
    let end = format!(
        "no healthy answer within 12 seconds: http://localhost:{port}/health was asked 3 times, and at last it answered 503 \
         instead of 200"
    );
    assert!(message.ends_with(&end), "{message}");
    assert_eq!(estate.clock.pauses().len(), 2);
}

#[tokio::test]
async fn what_is_no_healthy_answer() {
    let check = |server: &Server| HealthCheck { contains: Some("healthy".to_owned()), ..check_of(server) };
    for (answer, expected) in [
        (Answer::Text(UNHEALTHY), "it answered 503 instead of 200"),
        (Answer::Text(ELSEWHERE), "it answered 302 instead of 200 (redirects are not followed)"),
        (Answer::Text("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), "the body does not hold \"healthy\""),
        (Answer::Endless, "the first 1 MiB of the body does not hold \"healthy\""),
        (Answer::Cut, "its answer broke off ("),
        (Answer::Reset, "it gave no answer ("),
        (Answer::Text("SSH-2.0-OpenSSH\r\n\r\n"), "it gave no answer ("),
    ] {
        let server = Server::start(vec![answer]).await;
        let last = failure(&server, check(&server)).await;
        assert!(last.contains(expected), "{last}");
        assert_eq!(server.asked(), 1, "{expected}");
    }
}

#[tokio::test]
async fn a_server_that_hangs_is_left() {
    let server = Server::start(vec![Answer::Hang, Answer::Text(HEALTHY)]).await;
    let check =
        HealthCheck { timeout: Duration::from_millis(300), interval: Duration::from_millis(100), ..check_of(&server) };
    wait(&Estate::new(), check).await.expect("the second one answers");
    let server = Server::start(vec![Answer::Hang]).await;
    let last = failure(&server, HealthCheck { timeout: Duration::from_millis(200), ..check_of(&server) }).await;
    assert_eq!(last, "it gave no answer within 0.2 seconds");
}

#[tokio::test]
async fn any_status_can_be_the_healthy_one() {
    let server = Server::start(vec![Answer::Text(ELSEWHERE)]).await;
    wait(&Estate::new(), HealthCheck { status: 302, ..check_of(&server) }).await.expect("as wanted");
    assert_eq!(server.asked(), 1, "not followed");
}

#[tokio::test]
async fn strangers_are_believed_only_when_it_is_said() {
    let server = Server::with_tls(vec![Answer::Text(HEALTHY)]).await;
    let untrusting = HealthCheck { ca_certificate: None, ..check_of(&server) };
    let last = failure(&server, untrusting.clone()).await;
    assert!(last.contains("certificate"), "{last}");
    assert_eq!(server.asked(), 0);
    wait(&Estate::new(), HealthCheck { insecure_skip_verify: true, ..untrusting }).await.expect("believed");
    let garbage = HealthCheck { ca_certificate: Some("marker".to_owned()), ..check_of(&server) };
    let cause = wait(&Estate::new(), garbage).await.expect_err("no certificate");
    assert!(matches!(cause, Cause::Local(_)) && !cause.to_string().contains("marker"), "{cause}");
}

#[tokio::test]
async fn a_run_that_is_to_stop_does_not_wait() {
    let server = Server::start(vec![Answer::Hang]).await;
    let estate = Estate::new();
    let stop = async {
        while server.asked() == 0 {
            tokio::task::yield_now().await;
        }
        estate.stop.cancel();
    };
    let (outcome, ()) = tokio::join!(wait(&estate, check_of(&server)), stop);
    assert!(matches!(outcome, Err(Cause::Stopped)), "{outcome:?}");
}

#[tokio::test]
async fn a_host_that_may_not_be_reached_gets_no_byte() {
    let server = Server::start(vec![Answer::Text(HEALTHY)]).await;
    let allowed = Some(vec!["*.contoso.com".parse().expect("a pattern")]);
    let mut estate = Estate::new();
    let connections = Connections { allowed_hosts: allowed, ..Connections::default() };
    estate.backend = estate.backend.limited_by(Arc::new(connections));
    let cause = wait(&estate, check_of(&server)).await.expect_err("not allowed");
    assert!(matches!(&cause, Cause::Settings(reason) if reason.contains("AZUREMFA_ALLOWED_HOSTS")), "{cause}");
    assert_eq!(server.asked(), 0);
}
