//! What goes wrong while a file is sent, what is sent again, and what is left.

use std::time::Duration;

use acceptance_tests::lab::host::faults::{Moment, ScriptEffect, ScriptFault};
use acceptance_tests::lab::wire::faults::{Effect, Injection};
use acceptance_tests::lab::wire::shells::Quotas;
use azuremfa::backend::error::{Cause, ScriptErrorKind};

use super::*;

/// base64 makes four bytes of three, and the message around a piece is small.
const ON_THE_WIRE: f64 = 4.0 / 3.0;

/// What the scripts themselves take with each call; a generous bound.
const SCRIPT: u64 = 60_000;

fn fault(name: &str, effect: ScriptEffect, times: u32) -> ScriptFault {
    ScriptFault { name: name.to_owned(), when: Moment::Before, effect, call: 1, times }
}

/// A put of four megabytes in four ranges over one connection after the other, with something that goes wrong at the
/// n-th message of input; how many bytes went and how many scripts took a range.
async fn with(mode: Mode, effect: Effect, at: usize) -> u64 {
    let bench = Bench::start(mode).await;
    let (file, bytes) = bench.file(4 * MEGABYTE);
    bench.wire().inject(Injection::on(Kind::Send, effect).at(at));
    assert!(!bench.put(&file, 4).await.expect("put"));
    assert_eq!(sha256(&bench.host().read(&target()).expect("there")), sha256(&bytes));
    assert_eq!(bench.found(), [("Setup.exe".to_owned(), file.length)]);
    let sent = sent(&bench.wire().record());
    bench.close().await;
    sent
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_broken_range_is_sent_again() {
    let whole = (4.0 * MEGABYTE as f64 * ON_THE_WIRE) as u64;
    let range = (MEGABYTE as f64 * ON_THE_WIRE) as u64;
    for mode in modes() {
        for effect in [Effect::DropBefore, Effect::DropAfter] {
            // The sixth message is in the midst of some range: each has three, and the scripts before them one or two.
            let sent = with(mode, effect.clone(), 8).await;
            assert!(sent >= whole, "{effect:?}: {sent} of at least {whole}");
            assert!(sent <= whole + range + 8 * SCRIPT, "{mode:?} {effect:?}: {sent} is more than {whole} and {range}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_wants_smaller_messages_gets_them() {
    for mode in modes() {
        let quotas = Quotas { max_envelope_size_kb: 150, ..Quotas::default() };
        let bench = Bench::with(mode, Settings { quotas, ..Settings::default() }).await;
        let (file, bytes) = bench.file(2 * MEGABYTE);
        assert!(!bench.put(&file, 2).await.expect("put"));
        assert_eq!(sha256(&bench.host().read(&target()).expect("there")), sha256(&bytes));
        let record = bench.wire().record();
        let refused = record.requests.iter().filter(|request| request.status == Some(413)).count();
        // Each of two streams may meet the limit twice before both know: 368 KiB, 184 KiB, then 92 KiB fit.
        assert!((2..=4).contains(&refused), "{refused} refused");
        bench.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_shell_and_a_silent_host_are_waited_for() {
    for effect in [Effect::LoseShell, Effect::Delay(Duration::from_millis(700))] {
        with(Mode::Native, effect, 8).await;
    }
    let bench = Bench::start(Mode::Native).await;
    let (file, _) = bench.file(MEGABYTE);
    bench.put(&file, 1).await.expect("put");
    bench.host().remove(&target()).expect("removed");
    let wire = bench.wire();
    wire.go_down();
    let back = async {
        tokio::time::sleep(Duration::from_millis(600)).await;
        wire.set_reachability(acceptance_tests::lab::wire::host::Reachability::Reachable);
    };
    let (outcome, ()) = tokio::join!(bench.put(&file, 4), back);
    assert!(!outcome.expect("put"));
    bench.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_bytes_are_not_kept() {
    for mode in modes() {
        let bench = Bench::start(mode).await;
        let (file, _) = bench.file(300_000);
        bench.host().write(&target(), b"older").expect("written");
        let other = LocalFile { sha256: sha256(b"other"), ..file };
        let error = bench.put(&other, 2).await.expect_err("a wrong hash");
        assert!(matches!(error.cause, Cause::Script { kind: ScriptErrorKind::InvalidInput, .. }), "{error}");
        assert!(error.to_string().contains("nothing was kept"), "{error}");
        assert_eq!(bench.found(), [("Setup.exe".to_owned(), 5)]);
        bench.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_host_refuses_is_not_repeated() {
    for mode in modes() {
        let bench = Bench::start(mode).await;
        let (file, _) = bench.file(MEGABYTE);
        let refuse = fault("Receive-PartialFile", ScriptEffect::Error, 1);
        bench.lab.estate().fault(HOST, |faults| faults.script.push(refuse)).expect("a fault");
        let error = bench.put(&file, 4).await.expect_err("refused");
        assert!(matches!(&error.cause, Cause::Script { kind: ScriptErrorKind::Other, .. }), "{error}");
        assert_eq!(bench.found(), []);
        bench.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_volume_is_found_before_anything_is_sent() {
    for mode in modes() {
        let bench = Bench::start(mode).await;
        let path = bench.files.path().join("huge");
        let length = (1 << 40) + 1;
        std::fs::File::create(&path).and_then(|file| file.set_len(length)).expect("a sparse file");
        let file = LocalFile { path, length, sha256: sha256(b"") };
        let error = bench.put(&file, 4).await.expect_err("too large");
        assert!(matches!(error.cause, Cause::Script { kind: ScriptErrorKind::Precondition, .. }), "{error}");
        assert_eq!(bench.found(), []);
        assert!(sent(&bench.wire().record()) < 4 * SCRIPT, "only scripts");
        bench.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_when_a_put_finally_fails() {
    for effect in [ScriptEffect::Drop, ScriptEffect::Silence, ScriptEffect::Garble] {
        let bench = Bench::start(Mode::Native).await;
        let (file, _) = bench.file(MEGABYTE);
        let broken = fault("Receive-PartialFile", effect, 100);
        bench.lab.estate().fault(HOST, |faults| faults.script.push(broken)).expect("a fault");
        let error = bench.put(&file, 2).await.expect_err("never through");
        assert!(
            matches!(error.cause, Cause::Lost { .. } | Cause::Unintelligible(_) | Cause::NoReply { .. }),
            "{effect:?}: {error}"
        );
        assert_eq!(bench.found(), [], "{effect:?}");
        bench.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_put_that_is_stopped_leaves_nothing() {
    for mode in modes() {
        let bench = Bench::start(mode).await;
        let (file, _) = bench.file(4 * MEGABYTE);
        bench.wire().inject(Injection::on(Kind::Send, Effect::Hang).at(6));
        let stop = async {
            while sent(&bench.wire().record()) < MEGABYTE {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            bench.stop.cancel();
        };
        let (outcome, ()) = tokio::join!(bench.put(&file, 4), stop);
        assert!(matches!(outcome.expect_err("stopped").cause, Cause::Stopped));
        assert_eq!(bench.found(), [], "{mode:?}");
        bench.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_changed_here_is_not_sent_for_another() {
    let bench = Bench::start(Mode::Native).await;
    let (file, _) = bench.file(300_000);
    std::fs::write(&file.path, b"shorter").expect("written");
    let error = bench.put(&file, 1).await.expect_err("changed");
    assert!(matches!(error.cause, Cause::Local(_)) && error.to_string().contains("shorter than it was"), "{error}");
    assert_eq!(bench.found(), []);
    bench.close().await;
}
