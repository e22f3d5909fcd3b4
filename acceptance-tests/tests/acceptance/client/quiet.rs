//! Commands that say nothing for long, and connections that are gone without a word.

use std::time::{Duration, Instant};

use acceptance_tests::lab::wire::faults::{Effect, Injection};
use acceptance_tests::lab::wire::record::Kind;
use azuremfa::winrm::error::{Kind as ErrorKind, Operation, Started};
use azuremfa::winrm::stdin::Stdin;

use super::{HOST, SCALED, lab, session};

/// In 45 minutes a host answers 67 times that there is nothing yet, each time after 40 s.
#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_is_quiet_for_45_minutes_lives() {
    for https in [true, false] {
        let server = lab().await;
        let session = session(&server, https, SCALED);
        let milliseconds = 67 * SCALED.held().as_millis() + 30;
        let output = session.run("quiet", &[&milliseconds.to_string()], Stdin::None).await.expect("an exit code");
        assert_eq!((output.exit_code, output.stdout.as_slice()), (7, &b"at last"[..]));
        assert!(!output.may_lack_output);
        let record = server.host(HOST).record();
        let timed_out = record.requests.iter().filter(|request| request.fault == Some(2_150_858_793)).count();
        // A machine that is slow needs fewer, because each answer takes its time as well.
        assert!((30..=67).contains(&timed_out), "{timed_out} times not yet");
        assert_eq!((record.count(Kind::Command), record.count(Kind::Signal), record.connections), (1, 0, 1));
        session.close().await;
        assert!(server.host(HOST).open_shells().is_empty());
    }
}

/// Nothing says that the connection is gone; only the time that passes does.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_gone_without_a_word_is_found_out() {
    let server = lab().await;
    server.host(HOST).inject(Injection::on(Kind::Receive, Effect::Hang).at(3));
    let session = session(&server, true, SCALED);
    let begin = Instant::now();
    let quiet = 4 * SCALED.held();
    let output =
        session.run("quiet", &[&quiet.as_millis().to_string()], Stdin::None).await.expect("asked again, it answers");
    assert_eq!((output.exit_code, output.stdout.as_slice()), (7, &b"at last"[..]));
    assert!(output.may_lack_output, "what was on its way on the dead connection is lost");
    assert_eq!(server.host(HOST).record().connections, 2);
    // Until it goes quiet, one operation timeout, and some time for everything else.
    let limit = quiet + SCALED.operation + Duration::from_secs(2);
    assert!(begin.elapsed() < limit, "{:?} of {limit:?}", begin.elapsed());
}

/// A host that never comes back is given up after as many operation timeouts as there are attempts.
#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_stays_gone_is_given_up() {
    let server = lab().await;
    server.host(HOST).inject(Injection::on(Kind::Receive, Effect::Hang).times(9));
    let session = session(&server, true, SCALED);
    let begin = Instant::now();
    let error = session.run("quiet", &["60000"], Stdin::None).await.expect_err("no answer ever");
    assert_eq!((error.operation, error.started), (Operation::ReceiveOutput, Started::Unknown));
    assert!(matches!(error.kind, ErrorKind::Timeout { .. }), "{error}");
    let limit = 4 * SCALED.operation + Duration::from_secs(3);
    assert!(begin.elapsed() < limit, "{:?} of {limit:?}", begin.elapsed());
}
