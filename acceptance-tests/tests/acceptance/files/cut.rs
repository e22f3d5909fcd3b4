//! Transfers whose process on the host is ended in their midst, when no script cleans up any more: nothing is left.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use acceptance_tests::lab::wire::faults::{Effect, Injection};
use azuremfa::backend::Report;
use azuremfa::backend::error::Cause;
use azuremfa::backend::release::{Component, Delivery, Package, Release, Stated};
use azuremfa::backend::step::{Action, Step};

use super::*;

const FROM: &str = "mfa02.contoso.com";
const INSTALLED: &str = "C:\\Program Files\\Multi-Factor Authentication Server";
const STAGING: &str = "C:\\ProgramData\\terraform-provider-azuremfa\\staging";
/// More than fits into a pipe, so that whoever has written it knows that somebody reads.
const BEGINNING: usize = 200_000;

/// What ends a process on the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    /// The run is asked to stop.
    Stop,
    /// The host loses the shell.
    Shell,
    /// The limit of a script is over.
    Limit,
    /// The host does not answer a message any more.
    Silence,
}

impl Cut {
    /// All of them, and one where real processes are ended, which is slow.
    fn all(mode: Mode, under_powershell: Self) -> Vec<Self> {
        match mode {
            Mode::Native => vec![Self::Stop, Self::Shell, Self::Limit, Self::Silence],
            Mode::PowerShell => vec![under_powershell],
        }
    }

    fn timeouts(self) -> Timeouts {
        let default = Timeouts::default();
        match self {
            Self::Limit => Timeouts { overall: Some(Duration::from_secs(4)), ..default },
            Self::Silence => Timeouts { operation: Duration::from_secs(3), ..default },
            Self::Stop | Self::Shell => default,
        }
    }
}

impl Bench {
    async fn perform(&self, action: Action) -> Result<Report, HostError> {
        self.backend.perform(&Step { host: HOST.to_owned(), action }, &self.at, &self.stop).await
    }

    /// What lies below the folder for files that are brought, with its size.
    fn staged(&self) -> Vec<(String, u64)> {
        let folder = self.host().real(STAGING).expect("a path");
        let folders = std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.expect("an entry").path());
        folders.flat_map(|folder| listed(&folder)).collect()
    }

    async fn wait_for_partial(&self) {
        let is_partial = |(name, size): &(String, u64)| name.ends_with(".partial") && *size > 0;
        for _ in 0..600 {
            if self.staged().iter().any(is_partial) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("nothing is under way: {:?}", self.staged());
    }

    /// Cuts a step once some of the file has arrived; the step's failure.
    async fn cut(&self, action: Action, cut: Cut) -> HostError {
        let cutting = async {
            self.wait_for_partial().await;
            match cut {
                Cut::Stop => self.stop.cancel(),
                Cut::Shell => self.wire().lose_shells(),
                Cut::Limit | Cut::Silence => {}
            }
        };
        let (outcome, ()) = tokio::join!(self.perform(action), cutting);
        outcome.expect_err("it was cut")
    }
}

#[track_caller]
fn check(error: &HostError, mode: Mode, cut: Cut) {
    let fits = match cut {
        Cut::Stop => matches!(error.cause, Cause::Stopped),
        // The process may be heard to have ended, or the shell to be gone.
        Cut::Shell => matches!(error.cause, Cause::Lost { .. } | Cause::Unintelligible(_) | Cause::NoReply { .. }),
        Cut::Limit | Cut::Silence => matches!(error.cause, Cause::Lost { .. }),
    };
    assert!(fits, "{mode:?} {cut:?}: {error}");
}

/// The file of a release whose server sends its beginning and then nothing for as long as this is kept.
struct Stalled(tokio::task::JoinHandle<File>);

impl Stalled {
    fn begin(bench: &Bench) -> Self {
        let folder = bench.lab.estate().folder().join("releases/files.contoso.com/stalled");
        std::fs::create_dir_all(&folder).expect("a folder");
        let path: PathBuf = folder.join("Setup.exe");
        assert!(Command::new("mkfifo").arg(&path).status().expect("mkfifo starts").success());
        Self(tokio::task::spawn_blocking(move || {
            let mut pipe = OpenOptions::new().write(true).open(path).expect("somebody reads");
            // The reader may be ended in its midst.
            let _ = pipe.write_all(&[7; BEGINNING]);
            pipe
        }))
    }

    async fn end(self) {
        drop(self.0.await.expect("no panic"));
    }
}

fn stalled() -> Releases {
    let setup = Package {
        source: Stated::Known("https://files.contoso.com/stalled/Setup.exe?chunked".to_owned()),
        sha256: Stated::Known(sha256(b"never")),
        delivery: Stated::Known(Delivery::Pull),
        ..Package::default()
    };
    let release = Release::new(BTreeMap::from([(Component::ServerSetup, setup)]));
    Releases::new(BTreeMap::from([("7.0.0.9".to_owned(), release)]))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fetch_that_is_cut_leaves_nothing() {
    for mode in modes() {
        // While a host fetches it answers each message.
        for cut in Cut::all(mode, Cut::Stop).into_iter().filter(|cut| *cut != Cut::Silence) {
            let bench = Bench::within(mode, Settings::default(), stalled(), cut.timeouts()).await;
            let file = Stalled::begin(&bench);
            let error = bench.cut(Action::FetchServerSetup { version: "7.0.0.9".to_owned() }, cut).await;
            check(&error, mode, cut);
            assert_eq!(bench.staged(), [], "{mode:?} {cut:?}");
            file.end().await;
            bench.close().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_from_another_host_that_is_cut_leaves_nothing() {
    for mode in modes() {
        for cut in Cut::all(mode, Cut::Shell) {
            let bench = Bench::within(mode, Settings::default(), Releases::default(), cut.timeouts()).await;
            let (_, bytes) = bench.file(6 * MEGABYTE);
            let source = bench.lab.estate().host(FROM).expect("a host");
            source.write(&format!("{INSTALLED}\\a.msi"), &bytes).expect("written");
            // The last pieces do not come before it is cut.
            bench.wire().inject(Injection::on(Kind::Send, Effect::Hang).at(14));
            let action = Action::BringFiles {
                version: "6.3.1.1".to_owned(),
                from: vec![HostAddress::named(FROM)],
                files: vec!["a.msi".to_owned()],
            };
            let error = match cut {
                // The host says so when it is asked for something.
                Cut::Shell => {
                    bench.wire().clear_injections();
                    bench.wire().inject(Injection::on(Kind::Send, Effect::LoseShell).at(14));
                    bench.perform(action).await.expect_err("it was cut")
                }
                cut => bench.cut(action, cut).await,
            };
            check(&error, mode, cut);
            assert_eq!(bench.staged(), [], "{mode:?} {cut:?}");
            bench.close().await;
        }
    }
}
