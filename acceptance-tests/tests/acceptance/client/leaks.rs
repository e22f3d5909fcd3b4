//! No shell stays open on a host, whatever went wrong at whichever request, and however the session ended.

use std::sync::Arc;
use std::time::{Duration, Instant};

use acceptance_tests::lab::wire::fault::{Fault, Shape};
use acceptance_tests::lab::wire::faults::{Effect, Injection};
use acceptance_tests::lab::wire::host::{Settings, ShellIds};
use acceptance_tests::lab::wire::record::Kind;
use acceptance_tests::lab::wire::server::WireServer;
use azuremfa::winrm::endpoint::Timeouts;
use azuremfa::winrm::session::Session;
use azuremfa::winrm::stdin::Stdin;
use bytes::Bytes;
use tokio::sync::Semaphore;

use super::{HOST, SCALED, lab, lab_with, session};

/// A busy machine must not look like a host that does not answer: what is late here is late by much.
const PATIENT: Timeouts =
    Timeouts { operation: Duration::from_millis(1_500), margin: Duration::from_millis(1_400), ..SCALED };

/// The requests at which something goes wrong.
const REQUESTS: [Kind; 6] = [Kind::Create, Kind::Command, Kind::Send, Kind::Receive, Kind::Signal, Kind::Delete];

/// What goes wrong with one of them.
fn effects() -> Vec<(&'static str, Effect)> {
    let http = |status, content_type, body| Effect::Http { status, content_type, body };
    vec![
        ("connection lost before", Effect::DropBefore),
        ("connection lost after", Effect::DropAfter),
        ("no answer", Effect::Hang),
        ("answer too late", Effect::Delay(Duration::from_secs(2))),
        ("timed out", Effect::Fault(Fault::timed_out())),
        ("busy", Effect::Fault(Fault::busy())),
        ("aborted", Effect::Fault(Fault::aborted())),
        ("quota of shells", Effect::Fault(Fault::too_many_shells(30))),
        ("quota of operations", Effect::Fault(Fault::too_many_operations(1500, Shape::WmiError))),
        ("quota of commands", Effect::Fault(Fault::too_many_processes())),
        ("access denied", Effect::Fault(Fault::access_denied())),
        ("shell lost", Effect::LoseShell),
        ("HTTP 401", http(401, "text/plain", "")),
        ("HTTP 500", http(500, "text/plain", "")),
        ("garbage", http(200, "application/soap+xml", "<s:Envelope")),
        ("empty envelope", http(200, "application/soap+xml", "<s:Envelope xmlns:s=\"s\"><s:Body/></s:Envelope>")),
        ("another service", http(200, "text/html", "<html/>")),
    ]
}

/// How a session ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// It is closed, and the close is waited for.
    Closed,
    /// It is dropped with its last command done or failed.
    Dropped,
    /// It is dropped while a command runs, whose caller goes away too.
    Abandoned,
}

#[tokio::test(flavor = "multi_thread")]
async fn no_shell_is_left_behind() {
    let mut rows = Vec::new();
    // Each row has a lab of its own, and waits more than it works.
    let at_once = Arc::new(Semaphore::new(16));
    for request in REQUESTS {
        for (name, effect) in effects() {
            for end in [End::Closed, End::Dropped, End::Abandoned] {
                for https in [true, false] {
                    let (at_once, effect) = (Arc::clone(&at_once), effect.clone());
                    rows.push(tokio::spawn(async move {
                        let _permit = at_once.acquire().await.expect("never closed");
                        row(request, name, effect, end, https).await
                    }));
                }
            }
        }
    }
    let mut left = Vec::new();
    for row in rows {
        left.extend(row.await.expect("a row"));
    }
    assert!(left.is_empty(), "{}", left.join("\n"));
}

/// What is wrong with the row, if anything.
async fn row(request: Kind, name: &'static str, effect: Effect, end: End, https: bool) -> Option<String> {
    let server = lab().await;
    let host = server.host(HOST);
    host.inject(Injection::on(request, effect));
    let session = session(&server, https, PATIENT);
    if end == End::Abandoned {
        abandon(&server, session).await;
    } else {
        let input = Stdin::Bytes(vec![Bytes::from_static(b"input")]);
        // Input that the host says it will take later, and then does not, leaves the command waiting for it.
        let _ = tokio::time::timeout(Duration::from_secs(5), session.run("echo", &[], input)).await;
        if request == Kind::Signal {
            interrupt(&session).await;
        }
        match end {
            End::Closed => session.close().await,
            _ => drop(session),
        }
    }
    // What is closed must be so at once; the rest is closed in the background.
    let patience = if end == End::Closed { Duration::ZERO } else { Duration::from_secs(30) };
    let begin = Instant::now();
    while !host.open_shells().is_empty() && begin.elapsed() < patience {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let open = host.open_shells().len();
    (open > 0).then(|| format!("{request:?}, {name}, {end:?}, HTTPS {https}: {open} open"))
}

/// A command that is ended because its caller went away.
async fn interrupt(session: &Session) {
    let run = session.run("quiet", &["60000"], Stdin::None);
    let _ = tokio::time::timeout(Duration::from_millis(150), run).await;
    // Signal and its answer.
    tokio::time::sleep(Duration::from_millis(100)).await;
}

/// A command and its session that are dropped while the host works on one of their requests.
async fn abandon(server: &WireServer, session: Session) {
    let run = tokio::spawn(async move {
        let input = Stdin::Bytes(vec![Bytes::from_static(b"input")]);
        let _ = session.run("quiet", &["60000"], input).await;
        drop(session);
    });
    let begin = Instant::now();
    while server.host(HOST).record().count(Kind::Create) == 0 && begin.elapsed() < Duration::from_secs(1) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    run.abort();
    let _ = run.await;
}

/// A host that chooses the identifier itself, and loses the answer that tells it, is told when it may close the shell.
#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_closed_goes_by_itself() {
    let server = lab_with(Settings { shell_ids: ShellIds::Ignored, ..Settings::default() }).await;
    let host = server.host(HOST);
    host.inject(Injection::on(Kind::Create, Effect::DropAfter));
    let session = session(&server, true, PATIENT);
    session.run("echo", &[], Stdin::None).await.expect_err("the answer was lost");
    session.close().await;
    assert_eq!(host.open_shells().len(), 1);
    assert_eq!(host.idle_timeouts(), ["PT900.000S"]);
}

/// A host that refuses an identifier is asked without one, for the whole session.
#[tokio::test(flavor = "multi_thread")]
async fn a_host_may_insist_on_its_own_identifiers() {
    for https in [true, false] {
        let server = lab_with(Settings { shell_ids: ShellIds::Refused, ..Settings::default() }).await;
        let host = server.host(HOST);
        let session = session(&server, https, PATIENT);
        for _ in 0..2 {
            assert_eq!(session.run("quiet", &["0"], Stdin::None).await.expect("an exit code").exit_code, 7);
            host.inject(Injection::on(Kind::Command, Effect::LoseShell));
        }
        assert_eq!(host.record().count(Kind::Create), 3, "refused, opened, and opened once more without asking");
        session.close().await;
        assert!(host.open_shells().is_empty());
    }
}
