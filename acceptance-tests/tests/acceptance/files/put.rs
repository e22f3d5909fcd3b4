//! A file of the runner reaches a host.

use std::collections::BTreeSet;
use std::time::Duration;

use acceptance_tests::lab::wire::faults::{Effect, Injection};

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_file_arrives_over_any_number_of_streams() {
    for mode in modes() {
        for streams in 1..=4 {
            let bench = Bench::start(mode).await;
            let (file, bytes) = bench.file(MEGABYTE + 7);
            assert!(!bench.put(&file, streams).await.expect("put"), "{streams} streams");
            assert_eq!(bench.host().read(&target()).expect("there"), bytes, "{streams} streams");
            assert_eq!(bench.found(), [("Setup.exe".to_owned(), file.length)], "{streams} streams");
            let record = bench.wire().record();
            let senders: BTreeSet<u64> = record
                .requests
                .iter()
                .filter(|request| request.kind == Kind::Send && request.bytes_up > 200_000)
                .map(|request| request.connection)
                .collect();
            assert!(senders.len() <= streams && (streams == 1 || senders.len() > 1), "{streams} streams: {senders:?}");
            let journal = bench.host().journal().expect("a journal");
            let received = journal.iter().filter(|entry| entry.what == "receive_file");
            assert_eq!(received.map(|entry| &entry.detail["sha256"]).collect::<Vec<_>>(), [&file.sha256]);
            bench.close().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_any_length_arrives() {
    let bench = Bench::start(Mode::Native).await;
    for length in [0, 1, 3, 4, 5, 65_536] {
        let (file, bytes) = bench.file(length);
        assert!(!bench.put(&file, 4).await.expect("put"), "{length} bytes");
        assert_eq!(bench.host().read(&target()).expect("there"), bytes, "{length} bytes");
        assert_eq!(bench.found(), [("Setup.exe".to_owned(), length)]);
    }
    bench.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_there_is_not_sent() {
    for mode in modes() {
        let bench = Bench::start(mode).await;
        let (file, _) = bench.file(MEGABYTE);
        bench.put(&file, 2).await.expect("put");
        let before = sent(&bench.wire().record());
        assert!(bench.put(&file, 2).await.expect("put"), "it is there already");
        let further = sent(&bench.wire().record()) - before;
        assert!(further < 200_000, "{further} bytes beside the scripts");
        bench.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_differs_is_replaced_and_leftovers_go() {
    for mode in modes() {
        let bench = Bench::start(mode).await;
        let (file, bytes) = bench.file(300_000);
        bench.host().write(&target(), b"older").expect("written");
        bench.host().write(&format!("{}.partial", target()), b"left by a run that was killed").expect("written");
        assert!(!bench.put(&file, 2).await.expect("put"));
        assert_eq!(bench.host().read(&target()).expect("there"), bytes);
        assert_eq!(bench.found(), [("Setup.exe".to_owned(), file.length)]);
        bench.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn thirty_megabytes_pass_through_real_powershell() {
    if powershell_for("a large file under PowerShell").is_none() {
        return;
    }
    let bench = Bench::start(Mode::PowerShell).await;
    let (file, bytes) = bench.file(30 * MEGABYTE + 1);
    assert!(!bench.put(&file, 4).await.expect("put"));
    assert_eq!(sha256(&bench.host().read(&target()).expect("there")), sha256(&bytes));
    let wire = sent(&bench.wire().record());
    assert!(wire as f64 <= 1.36 * file.length as f64, "{wire} bytes for {}", file.length);
    bench.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_knows_how_far_its_host_is() {
    let bench = Bench::start(Mode::Native).await;
    let runner = bench.backend.runner();
    assert_eq!(runner.round_trip(&bench.at), None);
    // Later ones wait as well; the shortest counts, and an answer of 401 tells nothing of a host's work.
    let delay = Duration::from_millis(150);
    bench.wire().inject(Injection::on_any(Effect::Delay(delay)).times(100));
    bench.backend.observe(&bench.at, false).await.expect("facts");
    let far = runner.round_trip(&bench.at).expect("heard");
    assert!(far >= delay, "{far:?}");
    bench.wire().clear_injections();
    let (file, _) = bench.file(1);
    bench.put(&file, 1).await.expect("put");
    let near = runner.round_trip(&bench.at).expect("heard");
    assert!(near < far, "{near:?} {far:?}");
    bench.close().await;
}
