//! A small file of a host reaches the runner.

use azuremfa::backend::windows::get::get;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_small_file_arrives_and_a_large_one_is_refused() {
    for mode in modes() {
        let bench = Bench::start(mode).await;
        let (file, bytes) = bench.file(100_001);
        bench.host().write(&target(), &bytes).expect("written");
        assert_eq!(get(&bench.work(), &target(), file.length).await.expect("got"), bytes);
        let refused = get(&bench.work(), &target(), file.length - 1).await.expect_err("too long").to_string();
        assert!(refused.contains("has 100001 bytes; at most 100000 are taken"), "{refused}");
        bench.host().write(&target(), b"").expect("written");
        assert_eq!(get(&bench.work(), &target(), 0).await.expect("got"), b"");
        bench.host().remove(&target()).expect("removed");
        let absent = get(&bench.work(), &target(), 10).await.expect_err("absent").to_string();
        assert!(absent.contains("does not exist"), "{absent}");
        bench.close().await;
    }
}
