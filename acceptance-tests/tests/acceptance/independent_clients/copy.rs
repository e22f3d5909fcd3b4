//! pypsrp's `Client.copy` puts a file onto a host of the lab by PowerShell remoting.

use std::sync::Arc;

use acceptance_tests::lab::host::folder::HostFolder;
use acceptance_tests::lab::host::machine::{LabMachine, Link, Player};
use acceptance_tests::lab::wire::host::Settings;
use acceptance_tests::lab::wire::machine::Account;
use acceptance_tests::lab::wire::record::{Kind, Listener};
use acceptance_tests::lab::wire::server::WireServer;
use acceptance_tests::lab::wire::shells::Quotas;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::{HOST, PASSWORD, Run, USER, run_script};

const DESTINATION: &str = "C:\\Windows\\Temp\\copied file.bin";

/// Runs `client_copy.py` against a fresh host; gives what came of it, and the host.
async fn run(test: &str, listener: Listener, arguments: &[&str]) -> Option<(Run, HostFolder, TempDir)> {
    let root = tempfile::tempdir().expect("folder");
    let folder = HostFolder::new(root.path());
    let account = Account::administrator(USER, PASSWORD);
    let machine = LabMachine::new(HOST, folder.clone(), account, Player::Native, Link::default());
    // pypsrp fills messages to 500 KB without what sealing adds; hosts that go by the whole body refuse them.
    let quotas = Quotas { max_envelope_size_kb: 501, ..Quotas::default() };
    let settings = Settings { quotas, ..Settings::default() };
    let builder = WireServer::builder().host_with(Arc::new(machine), settings);
    let server = builder.start().await.expect("server");
    let run = run_script(test, &server, listener, "client_copy.py", arguments).await?;
    Some((run, folder, root))
}

/// A file of this length arrives as it is, in so many messages with input.
async fn check(test: &str, listener: Listener, length: usize, sends: usize) {
    let bytes: Vec<u8> = (0..length).map(|number| (number.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let source = tempfile::NamedTempFile::new().expect("file");
    std::fs::write(source.path(), &bytes).expect("file");
    let arguments = [&*source.path().to_string_lossy(), DESTINATION];
    let Some((run, host, _root)) = run(test, listener, &arguments).await else { return };
    assert!(run.succeeded, "{}\n{:?}", run.output, run.record);
    assert_eq!(run.output.trim_end(), DESTINATION);
    let arrived = host.read(DESTINATION).expect("the file is there");
    assert_eq!(Sha256::digest(arrived), Sha256::digest(&bytes));
    assert_eq!(host.file_names("C:\\Windows\\Temp"), ["copied file.bin"]);
    assert_eq!(run.record.count(Kind::Send), sends, "{:?}", run.record);
    assert_eq!(run.open_shells, 0, "{:?}", run.record);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_arrives_over_sealed_http() {
    let test = "a_file_arrives_over_sealed_http";
    check(test, Listener::Http, 0, 1).await;
    check(test, Listener::Http, 1_000_000, 4).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_arrives_over_https() {
    check("a_file_arrives_over_https", Listener::Https, 300_000, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_script_ends_with_an_error() {
    let test = "another_script_ends_with_an_error";
    let Some((run, ..)) = run(test, Listener::Http, &["Get-Process"]).await else { return };
    assert!(run.output.starts_with("True the pipeline has 2 commands; the lab runs one script"), "{}", run.output);
    assert_eq!(run.open_shells, 0, "{:?}", run.record);
}
