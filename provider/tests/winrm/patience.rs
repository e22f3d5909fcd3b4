//! What is quiet for long on a host lives: installers, which go on by themselves and are asked after, and copies, which
//! are waited for.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use azuremfa::address::HostAddress;
use azuremfa::backend::windows::WindowsBackend;
use azuremfa::backend::windows::clock::Clock;
use azuremfa::backend::windows::connection::Timeouts;
use azuremfa::backend::windows::installers::{Installation, install};
use azuremfa::backend::windows::scripts::{
    BACKUP_DIRECTORY, COMPARE_DIRECTORY, COMPLETE_PARTIAL_FILE, RECEIVE_FILE, SAVE_RELEASE_FILE, SEND_FILE, Script,
};
use azuremfa::backend::windows::work::Work;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::BASIC;
use crate::server::{Action, HOST, Server, Turn};
use crate::worker::{reply_line, run, sessions};

const QUIET: Duration = Duration::from_secs(45 * 60);

const TIMEOUTS: Timeouts =
    Timeouts { connect: Duration::from_secs(5), operation: Duration::from_secs(3), overall: None };

/// A clock that goes on only when somebody waits, and then at once.
#[derive(Default)]
struct Hands(Mutex<Duration>);

#[async_trait]
impl Clock for Hands {
    fn now(&self) -> Duration {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn sleep(&self, duration: Duration) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) += duration;
        tokio::task::yield_now().await;
    }
}

/// Number, script and arguments of the call in what was sent to a worker. The arguments come last.
fn call(sent: &str) -> Option<(u64, &str, Value)> {
    sent.lines().find_map(|line| match line.split(' ').collect::<Vec<_>>()[..] {
        [before, number, script, _, _, length, "announced" | "silent"] if before.ends_with("call") => {
            let arguments = &sent[sent.len() - length.parse::<usize>().ok()?..];
            Some((number.parse().ok()?, script, serde_json::from_str(arguments).ok()?))
        }
        _ => None,
    })
}

/// The installer runs for so long by the clock, and no longer than the host was told to let it.
fn answer(sent: &str, now: Duration, takes: Duration) -> String {
    let (number, script, arguments) = call(sent).expect("a call");
    let result = match script {
        "Start-Installer" => {
            let at_most = Duration::from_secs(60 * arguments["timeout_minutes"].as_u64().expect("minutes"));
            assert!(takes <= at_most, "the host ends it after {at_most:?}");
            json!({"started": true})
        }
        "Get-InstallerState" if now < takes => json!({"state": "running"}),
        "Get-InstallerState" => json!({"state": "finished"}),
        "Complete-Installer" => json!({"exit_code": 3010, "reboot_required": true, "log": []}),
        other => panic!("nobody asked for {other}"),
    };
    let reply = json!({"ok": true, "script": script, "result": result, "call": number});
    format!("AZUREMFA-REPLY:{reply}\r\n")
}

/// By every limit of the product: the waits go by a clock of the test's own.
#[tokio::test]
async fn an_installer_that_is_quiet_for_45_minutes_lives() {
    let server = Server::start(BASIC).await;
    let clock = Arc::new(Hands::default());
    let seen = clock.clone();
    server.answer_calls(move |sent| answer(sent, seen.now(), QUIET));
    let backend = WindowsBackend::over(Arc::new(sessions(&server, BASIC, TIMEOUTS)), Arc::default(), clock.clone());
    let (at, stop) = (HostAddress::named(HOST), CancellationToken::new());
    let work = Work { backend: &backend, host: HOST, at: &at, operation: "install".to_owned(), stop: &stop };
    let installation = Installation {
        id: "server_setup-7.0.0.9".to_owned(),
        file: "C:\\Setup.exe".to_owned(),
        sha256: "0".repeat(64),
        arguments: Vec::new(),
    };
    let report = install(&work, &installation).await.expect("it ends well");
    assert_eq!(report.notes.len(), 1, "{report:?}");
    assert!(clock.now() >= QUIET, "{:?}", clock.now());
    assert_eq!(server.count(Action::Create), 1);
}

/// In 45 minutes a host answers 67 times that there is nothing yet; here it takes a thousandth of the time for each.
/// That the limits allow it is held where they are.
#[tokio::test]
async fn a_copy_that_is_quiet_for_45_minutes_lives() {
    let copies: [Script; 6] =
        [BACKUP_DIRECTORY, COMPARE_DIRECTORY, COMPLETE_PARTIAL_FILE, RECEIVE_FILE, SAVE_RELEASE_FILE, SEND_FILE];
    let quiet = async |script: Script| {
        let server = Server::start(BASIC).await;
        (0..67).for_each(|_| server.expect(Action::Receive, Turn::NotYet(Duration::from_millis(40))));
        server.expect(Action::Receive, Turn::Output(reply_line(1, script), b"", None));
        let result = run(&sessions(&server, BASIC, TIMEOUTS), script).await;
        assert!(result.is_ok(), "{}: {result:?}", script.name);
        let counts = [Action::Command, Action::Send, Action::Receive].map(|action| server.count(action));
        assert_eq!(counts, [1, 1, 68], "{}", script.name);
    };
    futures_util::future::join_all(copies.map(quiet)).await;
}
