//! Sessions that nobody uses: what they hold on a host is given back, and the next use opens another one.

use std::time::{Duration, Instant};

use acceptance_tests::lab::wire::record::Kind;
use azuremfa::backend::windows::hosts::Hosts;
use azuremfa::winrm::stdin::Stdin;

use super::{HOST, SCALED, endpoint, lab};

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_session_leaves_nothing_on_its_host() {
    let server = lab().await;
    let hosts = Hosts::new(Duration::from_millis(300));
    for opened in 1..=2 {
        let visit = hosts.enter(HOST, 5986, || Ok::<_, ()>(endpoint(&server, true, SCALED))).expect("an endpoint");
        let output = visit.session.run("quiet", &["1"], Stdin::None).await.expect("a command");
        assert_eq!(output.exit_code, 7);
        drop(visit);
        assert_eq!(server.host(HOST).open_shells().len(), 1, "it is kept for a while");
        let begin = Instant::now();
        while !server.host(HOST).open_shells().is_empty() {
            assert!(begin.elapsed() < Duration::from_secs(10), "the shell stays open");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(server.host(HOST).record().count(Kind::Create), opened);
        assert_eq!(server.host(HOST).record().count(Kind::Delete), opened);
    }
}
