//! Orders to balancers, against servers on ports of this machine.

use reqwest::Method;

use super::*;
use crate::backend::balancer::{Balancer, Balancers, Declared, Order};
use crate::backend::windows::tests::web_server::{Answer, Server};
use crate::secret::Secret;

const DONE: &str = "HTTP/1.1 204 No Content\r\n\r\n";
const BUSY: &str = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
const DENIED: &str = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 6\r\n\r\nmarker";
const ELSEWHERE: &str = "HTTP/1.1 307 Temporary Redirect\r\nLocation: /other?marker\r\nContent-Length: 0\r\n\r\n";

fn order(server: &Server, path: &str, body: Option<&str>) -> Order {
    let body = body.map(Secret::new);
    Order { url: server.url(path), method: Method::PATCH, body, expected_status: vec![200, 204] }
}

fn balancer(server: &Server) -> Balancer {
    Balancer {
        name: "lb".to_owned(),
        take_out: order(server, "/members/{host}?token=marker", Some(r#"{"enabled": false, "of": "{short_host}"}"#)),
        put_back: order(server, "/members/{host}/enable", None),
        headers: vec![("Authorization".to_owned(), Secret::new("Bearer marker"))],
        ca_certificate: Some(server.certificate.clone()).filter(|certificate| !certificate.is_empty()),
        timeout: Duration::from_secs(5),
        drain_wait: Duration::from_secs(30),
    }
}

fn with(declared: Declared) -> Estate {
    let mut estate = Estate::new();
    let balancers = Balancers::new(BTreeMap::from([("lb".to_owned(), declared)]));
    estate.backend = estate.backend.with_balancers(Arc::new(balancers));
    estate
}

fn behind(balancer: Balancer) -> Estate {
    with(Declared::Ready(Box::new(balancer)))
}

fn take_out() -> Action {
    Action::TakeOut { balancer: "lb".to_owned(), wait: None, in_gap: false }
}

fn put_back() -> Action {
    Action::PutBack { balancer: "lb".to_owned(), in_gap: false }
}

/// The cause of a failed order, which shows nothing that is secret.
async fn failure(estate: &Estate, action: Action) -> Cause {
    let cause = estate.perform("mfa01.contoso.com", action).await.expect_err("a failure").cause;
    assert!(!format!("{cause:?}").contains("marker"), "{cause:?}");
    cause
}

#[tokio::test]
async fn an_order_is_sent_as_it_is_stated() {
    let server = Server::with_tls(vec![Answer::Text(DONE)]).await;
    let estate = behind(balancer(&server));
    let report = estate.perform("mfa01.contoso.com", take_out()).await.expect("taken out");
    assert_eq!(report, Report::default());
    assert_eq!(estate.clock.pauses(), [Duration::from_secs(30)], "connections run out");
    estate.perform("mfa01.contoso.com", put_back()).await.expect("put back");
    assert_eq!(estate.clock.pauses().len(), 1, "nobody waits after that");
    assert!(estate.ran().is_empty(), "nothing runs on the host");
    let [out, back] = server.requests().try_into().expect("two requests");
    assert!(out.starts_with("PATCH /members/mfa01.contoso.com?token=marker HTTP/1.1\r\n"), "{out}");
    assert!(out.contains("authorization: Bearer marker\r\n"), "{out}");
    assert!(out.contains("content-type: application/json\r\n"), "{out}");
    assert!(out.ends_with("\r\n\r\n{\"enabled\": false, \"of\": \"mfa01\"}"), "{out}");
    assert!(back.starts_with("PATCH /members/mfa01.contoso.com/enable HTTP/1.1\r\n"), "{back}");
    assert!(back.contains("authorization: Bearer marker\r\n") && !back.contains("content-type"), "{back}");
}

#[tokio::test]
async fn a_stated_content_type_wins() {
    let server = Server::start(vec![Answer::Text(DONE)]).await;
    let mut balancer = balancer(&server);
    balancer.headers.push(("content-type".to_owned(), Secret::new("text/xml")));
    behind(balancer).perform("mfa01", take_out()).await.expect("taken out");
    let request = server.requests().remove(0);
    assert!(request.contains("content-type: text/xml\r\n") && !request.contains("application/json"), "{request}");
}

#[tokio::test]
async fn what_may_pass_is_tried_three_times() {
    let server = Server::with_tls(vec![Answer::Reset, Answer::Text(BUSY), Answer::Text(DONE)]).await;
    let estate = behind(balancer(&server));
    estate.perform("mfa01", take_out()).await.expect("taken out at last");
    assert_eq!(estate.clock.pauses(), [1, 4, 30].map(Duration::from_secs), "and then connections run out");
    let server = Server::with_tls(vec![Answer::Text(BUSY)]).await;
    let estate = behind(balancer(&server));
    let cause = failure(&estate, take_out()).await;
    let asked = format!("PATCH https://localhost:{}/members/mfa01.contoso.com", server.address.port());
    let expected =
        format!("balancer lb was asked 3 times ({asked}), and at last it answered 503 instead of 200 or 204");
    assert!(matches!(cause, Cause::Balancer { .. }));
    assert_eq!(cause.to_string(), expected);
    assert_eq!(estate.clock.pauses(), [1, 4].map(Duration::from_secs), "and no connections are waited for");
}

/// What lengthens the gap in the second factor is short: one repetition, no wait, and no longer answer than five seconds.
#[tokio::test]
async fn an_order_in_the_gap_is_given_twice_at_most() {
    let orders = || {
        let balancer = || "lb".to_owned();
        [
            Action::TakeOut { balancer: balancer(), wait: None, in_gap: true },
            Action::PutBack { balancer: balancer(), in_gap: true },
        ]
    };
    for order in orders() {
        let server = Server::with_tls(vec![Answer::Text(BUSY)]).await;
        let estate = behind(balancer(&server));
        let cause = failure(&estate, order).await;
        assert!(cause.to_string().starts_with("balancer lb was asked 2 times"), "{cause}");
        assert_eq!((estate.clock.pauses(), server.asked()), (vec![Duration::from_secs(1)], 2));
    }
    for order in orders() {
        let server = Server::with_tls(vec![Answer::Reset, Answer::Text(DONE)]).await;
        let estate = behind(balancer(&server));
        estate.perform("mfa01", order).await.expect("done at last");
        assert_eq!(estate.clock.pauses(), [Duration::from_secs(1)], "connections are not waited for");
    }
}

/// The one answer that a test can wait for: a second one of another five seconds follows it.
#[tokio::test]
async fn a_silent_balancer_does_not_lengthen_the_gap() {
    let server = Server::start(vec![Answer::Hang]).await;
    let mut slow = balancer(&server);
    slow.timeout = Duration::from_secs(600);
    let begin = std::time::Instant::now();
    let cause = failure(&behind(slow), Action::PutBack { balancer: "lb".to_owned(), in_gap: true }).await;
    assert!(cause.to_string().ends_with("at last it gave no answer within 5 seconds"), "{cause}");
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
}

#[tokio::test]
async fn what_was_taken_out_in_the_gap_is_waited_for_after_it() {
    let server = Server::start(vec![Answer::Text(DONE)]).await;
    let estate = behind(balancer(&server));
    let wait = || Action::AwaitConnections { balancer: "lb".to_owned(), wait: None };
    estate.perform("mfa01", wait()).await.expect("they have run out");
    assert_eq!((estate.clock.pauses(), server.asked()), (vec![Duration::from_secs(30)], 0));
    estate.stop.cancel();
    assert!(matches!(failure(&estate, wait()).await, Cause::Stopped));
}

#[tokio::test]
async fn what_does_not_pass_is_tried_once() {
    for (answer, said) in [
        (DENIED, "at last it answered 401 instead of 200 or 204"),
        (ELSEWHERE, "at last it answered 307 instead of 200 or 204 (redirects are not followed)"),
    ] {
        let server = Server::with_tls(vec![Answer::Text(answer)]).await;
        let cause = failure(&behind(balancer(&server)), put_back()).await;
        assert!(cause.to_string().ends_with(said), "{cause}");
        assert_eq!(server.asked(), 1);
    }
}

#[tokio::test]
async fn a_silent_balancer_is_left() {
    let server = Server::start(vec![Answer::Hang]).await;
    let mut hanging = balancer(&server);
    hanging.timeout = Duration::from_millis(100);
    let cause = failure(&behind(hanging), take_out()).await;
    assert!(cause.to_string().ends_with("at last it gave no answer within 0.1 seconds"), "{cause}");
    let stranger = Server::with_tls(vec![Answer::Text(DONE)]).await;
    let untrusting = Balancer { ca_certificate: None, ..balancer(&stranger) };
    let cause = failure(&behind(untrusting), take_out()).await;
    assert!(cause.to_string().contains("certificate"), "{cause}");
    assert_eq!(stranger.asked(), 0, "it got no header");
}

#[tokio::test]
async fn a_run_that_is_to_stop_does_not_wait() {
    let server = Server::start(vec![Answer::Hang]).await;
    let estate = behind(balancer(&server));
    let stop = async {
        while server.asked() == 0 {
            tokio::task::yield_now().await;
        }
        estate.stop.cancel();
    };
    let (cause, ()) = tokio::join!(failure(&estate, take_out()), stop);
    assert!(cause.to_string().starts_with("the run was to stop before balancer lb had answered (PATCH "), "{cause}");
    assert!(matches!(cause, Cause::Balancer { may_be_done: true, .. }), "{cause:?}");
}

/// Who is told that a host may be out has to look; who is told that it is not does not.
#[tokio::test]
async fn what_a_balancer_may_have_done_is_known() {
    const MISSING: &str = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
    const LATE: &str = "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n";
    const OFTEN: &str = "HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n";
    const ACCEPTED: &str = "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n";
    for (answers, expected) in [
        (vec![Answer::Text(DENIED)], false),
        (vec![Answer::Text(MISSING)], false),
        (vec![Answer::Text(OFTEN)], false),
        (vec![Answer::Text(BUSY)], true),
        (vec![Answer::Text(LATE)], true),
        (vec![Answer::Text(ELSEWHERE)], true),
        (vec![Answer::Text(ACCEPTED)], true),
        (vec![Answer::Reset], true),
        (vec![Answer::Reset, Answer::Text(DENIED)], true),
        (vec![Answer::Text(OFTEN), Answer::Text(DENIED)], false),
    ] {
        let server = Server::with_tls(answers).await;
        let cause = failure(&behind(balancer(&server)), take_out()).await;
        let Cause::Balancer { may_be_done, .. } = cause else { panic!("{cause:?}") };
        assert_eq!(may_be_done, expected, "{cause}");
    }
    let server = Server::with_tls(vec![Answer::Text(DONE)]).await;
    let untrusting = Balancer { ca_certificate: None, ..balancer(&server) };
    let cause = failure(&behind(untrusting), take_out()).await;
    assert!(matches!(cause, Cause::Balancer { may_be_done: false, .. }), "nothing was sent: {cause:?}");
}

/// Settings are checked where they are stated; what still comes here is not shown either.
#[tokio::test]
async fn a_body_with_other_braces_is_not_shown() {
    let server = Server::start(vec![Answer::Text(DONE)]).await;
    let mut balancer = balancer(&server);
    balancer.take_out.body = Some(Secret::new("{\"password\": \"{marker}\"}"));
    let cause = failure(&behind(balancer), take_out()).await;
    assert_eq!(
        cause.to_string(),
        "balancers[\"lb\"] cannot be used: its body has other braces, and {host} and {short_host} are the only placeholders"
    );
    assert_eq!(server.asked(), 0);
}

#[tokio::test]
async fn a_balancer_that_may_not_be_asked_gets_no_byte() {
    let server = Server::start(vec![Answer::Text(DONE)]).await;
    let allowed = Some(vec!["*.contoso.com".parse().expect("a pattern")]);
    let mut estate = behind(balancer(&server));
    let connections = Connections { allowed_hosts: allowed, ..Connections::default() };
    estate.backend = estate.backend.limited_by(Arc::new(connections));
    let cause = failure(&estate, take_out()).await;
    assert!(matches!(&cause, Cause::Settings(reason) if reason.contains("AZUREMFA_ALLOWED_HOSTS")), "{cause}");
    assert_eq!(server.asked(), 0);
}

#[tokio::test]
async fn a_balancer_that_is_not_declared_is_not_asked() {
    let cause = failure(&Estate::new(), put_back()).await;
    assert_eq!(cause.to_string(), "the provider's balancers declare no \"lb\"");
    let cause = failure(&with(Declared::Unusable("It has no headers.".to_owned())), put_back()).await;
    assert_eq!(cause.to_string(), "It has no headers");
    assert!(matches!(cause, Cause::Settings(_)));
}
