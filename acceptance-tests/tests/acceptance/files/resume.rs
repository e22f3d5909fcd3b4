//! What of a broken transfer is on the host is not sent again, when it is what it should be.

use std::time::Duration;

use acceptance_tests::lab::host::faults::{Moment, ScriptEffect, ScriptFault};
use acceptance_tests::lab::wire::faults::{Effect, Injection};
use azuremfa::backend::error::Cause;

use super::*;

/// base64 makes four bytes of three, and the message around a piece is small.
const ON_THE_WIRE: f64 = 4.0 / 3.0;
/// The most of a file in one message.
const PIECE: u64 = 368 * 1024;
/// What the scripts themselves take with each call; a generous bound.
const SCRIPT: u64 = 60_000;
const LENGTH: u64 = 5 * MEGABYTE;

/// What went beside the scripts as bytes of the file, some percent too much for the messages around it.
fn sent_of_file(bench: &Bench) -> u64 {
    (sent(&bench.wire().record()) as f64 / ON_THE_WIRE) as u64
}

fn partial() -> String {
    format!("{}.partial", target())
}

async fn check_whole(bench: &Bench, bytes: &[u8]) {
    assert_eq!(sha256(&bench.host().read(&target()).expect("there")), sha256(bytes));
    assert_eq!(bench.found(), [("Setup.exe".to_owned(), bytes.len() as u64)]);
}

/// A put of one range over one connection that breaks when eight of fourteen pieces are on the host; how many bytes of the
/// file went.
async fn cut(mode: Mode, effect: Effect) -> u64 {
    let bench = Bench::start(mode).await;
    let (file, bytes) = bench.file(LENGTH);
    // The first message is the preparation's. What was taken gets time to reach the file.
    bench.wire().inject(Injection::on(Kind::Send, Effect::Delay(Duration::from_secs(1))).at(9));
    bench.wire().inject(Injection::on(Kind::Send, effect).at(10));
    assert!(!bench.put(&file, 1).await.expect("put"));
    check_whole(&bench, &bytes).await;
    let sent = sent_of_file(&bench);
    bench.close().await;
    sent
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_that_broke_goes_on_where_it_broke() {
    for mode in modes() {
        for effect in [Effect::DropBefore, Effect::DropAfter, Effect::LoseShell] {
            let sent = cut(mode, effect.clone()).await;
            // Twice went the piece that met the fault, and what the process had not read; and the scripts with each command.
            let most = LENGTH + 2 * PIECE + 6 * SCRIPT;
            assert!((LENGTH..=most).contains(&sent), "{mode:?} {effect:?}: {sent} of at most {most}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_breaks_again_and_again_is_enough_while_it_gets_further() {
    let bench = Bench::start(Mode::Native).await;
    let (file, bytes) = bench.file(12 * MEGABYTE);
    // Each attempt takes some messages of bookkeeping and brings four pieces or five; seven are more than are tried in
    // vain.
    for cut in 1..=7 {
        bench.wire().inject(Injection::on(Kind::Send, Effect::DropBefore).at(cut * 7));
    }
    assert!(!bench.put(&file, 1).await.expect("put"));
    check_whole(&bench, &bytes).await;
    let (sent, most) = (sent_of_file(&bench), file.length + 7 * (2 * PIECE + 2 * SCRIPT));
    assert!(sent <= most, "{sent} of at most {most}");
    bench.close().await;
}

/// What goes wrong with the script that takes ranges; drops the connection with the shell.
fn drop_receiver(bench: &Bench, when: Moment, times: u32) {
    let fault =
        ScriptFault { name: "Receive-PartialFile".to_owned(), when, effect: ScriptEffect::Drop, call: 1, times };
    bench.lab.estate().fault(HOST, |faults| faults.script.push(fault)).expect("a fault");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_of_which_only_the_answer_was_lost_is_not_sent_again() {
    for mode in modes() {
        let bench = Bench::start(mode).await;
        let (file, bytes) = bench.file(LENGTH);
        drop_receiver(&bench, Moment::After, 1);
        assert!(!bench.put(&file, 1).await.expect("put"));
        check_whole(&bench, &bytes).await;
        let (sent, most) = (sent_of_file(&bench), LENGTH + 4 * SCRIPT);
        assert!(sent <= most, "{mode:?}: {sent} of at most {most}");
        bench.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_gets_no_further_is_given_up() {
    let bench = Bench::start(Mode::Native).await;
    let (file, _) = bench.file(LENGTH);
    drop_receiver(&bench, Moment::Before, 100);
    let error = bench.put(&file, 1).await.expect_err("never through");
    assert!(matches!(error.cause, Cause::Lost { .. }), "{error}");
    let (sent, most) = (sent_of_file(&bench), 4 * (3 * PIECE + 2 * SCRIPT));
    assert!(sent <= most, "{sent} of at most {most}");
    assert_eq!(bench.found(), []);
    bench.close().await;
}

/// A put of a file of which `left` lies there under the temporary name; how many bytes of the file went.
async fn with_left(mode: Mode, streams: usize, left: impl FnOnce(&[u8]) -> Vec<u8>) -> u64 {
    let bench = Bench::start(mode).await;
    let (file, bytes) = bench.file(LENGTH);
    bench.host().write(&partial(), left(&bytes)).expect("written");
    assert!(!bench.put(&file, streams).await.expect("put"));
    check_whole(&bench, &bytes).await;
    let sent = sent_of_file(&bench);
    bench.close().await;
    sent
}

/// The first three million bytes, and zeros where nothing was written.
fn begun(bytes: &[u8]) -> Vec<u8> {
    let mut left = bytes.to_vec();
    left[3_000_000..].fill(0);
    left
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_earlier_run_left_is_used_only_when_its_hash_is_right() {
    for mode in modes() {
        let rest = LENGTH - 3_000_000;
        let sent = with_left(mode, 1, begun).await;
        assert!((rest..=rest + 4 * SCRIPT).contains(&sent), "{mode:?}: {sent} of {rest}");
        // The ranges of another number of streams: what lies at the start of each is used.
        let sent = with_left(mode, 2, begun).await;
        assert!((rest..=rest + 6 * SCRIPT).contains(&sent), "{mode:?}: {sent} of {rest}");
        let torn = |bytes: &[u8]| {
            let mut left = begun(bytes);
            left[1_000_000..1_004_096].fill(0);
            left
        };
        let tampered = |bytes: &[u8]| {
            let mut left = begun(bytes);
            left[77] ^= 1;
            left
        };
        let other = |bytes: &[u8]| bytes.iter().rev().copied().collect();
        for left in [&torn as &dyn Fn(&[u8]) -> Vec<u8>, &tampered, &other] {
            let sent = with_left(mode, 1, left).await;
            assert!((LENGTH..=LENGTH + 4 * SCRIPT).contains(&sent), "{mode:?}: {sent} of {LENGTH}");
        }
        let whole = with_left(mode, 1, <[u8]>::to_vec).await;
        assert!(whole <= 2 * SCRIPT, "{mode:?}: {whole}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_was_killed_is_taken_up() {
    for mode in modes() {
        let bench = Bench::start(mode).await;
        let (file, bytes) = bench.file(LENGTH);
        bench.wire().inject(Injection::on(Kind::Send, Effect::Hang).at(10));
        let arrived = async {
            let seventh = 7 * PIECE as usize;
            let has_seventh = |there: Vec<u8>| there.get(seventh - 16..seventh).is_some_and(|end| end != [0; 16]);
            while !bench.host().read(&partial()).is_ok_and(has_seventh) {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        // Whoever was putting is no more: nothing is cleaned up.
        tokio::select! {
            outcome = bench.put(&file, 1) => panic!("{outcome:?}"),
            () = arrived => {}
        }
        bench.wire().lose_shells();
        assert_eq!(bench.found(), [("Setup.exe.partial".to_owned(), LENGTH)], "{mode:?}");
        let before = sent_of_file(&bench);
        assert!(!bench.put(&file, 1).await.expect("put"));
        check_whole(&bench, &bytes).await;
        let (again, most) = (sent_of_file(&bench) - before, LENGTH - 7 * PIECE + PIECE + 4 * SCRIPT);
        assert!(again <= most, "{mode:?}: {again} of at most {most}");
        bench.close().await;
    }
}
