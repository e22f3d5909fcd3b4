//! Clients by other authors (pywinrm, pypsrp, masterzen/winrm) log on to the lab and run a command: the lab is what they expect of
//! Windows, not only what this project's own client expects.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use acceptance_tests::bench::peer;
use acceptance_tests::lab::wire::certificates::Certificate;
use acceptance_tests::lab::wire::host::Settings;
use acceptance_tests::lab::wire::machine::{Account, ClosureMachine, CommandLine, Machine, Process, ProcessHost};
use acceptance_tests::lab::wire::ntlm::acceptor::{ChannelBinding, Rigour};
use acceptance_tests::lab::wire::record::{Kind, Listener, Record};
use acceptance_tests::lab::wire::server::WireServer;
use acceptance_tests::{skip, tools};
use tokio::process::Command;

use crate::support::certificate;

mod copy;

const USER: &str = "CONTOSO\\operator";
/// Not ASCII, and within Latin-1 because requests cannot send any other password with Basic.
const PASSWORD: &str = "Pä55 \"wörd\" & 'more' <:>";
/// Exactly these, so that a new release of a client does not change what is tested.
const PACKAGES: [&str; 4] = ["pywinrm==0.5.0", "pypsrp==0.9.1", "pyspnego==0.12.4", "requests_ntlm==1.3.0"];
pub const HOST: &str = "mfa01.contoso.com";

/// Answers like a small program: echoes its arguments and its input, complains, and exits with 7. `quick` prints its
/// name and succeeds.
async fn report(command: CommandLine, mut process: ProcessHost) {
    if command.program == "quick" {
        if process.stdout("quick\r\n").await.is_ok() {
            process.exit(0).await;
        }
        return;
    }
    let arguments = format!("{}|page {}\n", command.text(), command.code_page);
    let input = if command.text().contains("read-stdin") { process.read_stdin_to_end().await } else { Vec::new() };
    let written = async {
        process.stdout(arguments).await?;
        process.stdout(input).await?;
        process.stderr("schlecht: ✗\n").await
    };
    if written.await.is_ok() {
        process.exit(7).await;
    }
}

pub fn machine() -> Arc<dyn Machine> {
    Arc::new(ClosureMachine {
        name: HOST.to_owned(),
        account: Account::administrator(USER, PASSWORD),
        start: |command: CommandLine| Process::spawn(move |process| report(command, process)),
    })
}

struct Run {
    succeeded: bool,
    output: String,
    record: Record,
    open_shells: usize,
}

/// Runs a Python script against a fresh server. `None` when the environment cannot be had.
async fn run(test: &str, settings: Settings, listener: Listener, script: &str, arguments: &[&str]) -> Option<Run> {
    let server = WireServer::builder().host_with(machine(), settings).start().await.expect("server");
    run_script(test, &server, listener, script, arguments).await
}

/// The same against a server that is there.
async fn run_script(
    test: &str,
    server: &WireServer,
    listener: Listener,
    script: &str,
    arguments: &[&str],
) -> Option<Run> {
    let python = had(test, || tools::python_environment("independent-clients", &PACKAGES)).await?;
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/acceptance/independent_clients").join(script);
    let run = run_program(server, listener, |url, authority| {
        let mut command = Command::new(python);
        command.arg(script).args([url, USER]).arg(authority).args(arguments);
        command
    });
    Some(run.await)
}

/// What a test needs, or `None` and a word about it.
async fn had<T: Send + 'static>(
    test: &str,
    get: impl FnOnce() -> Result<T, tools::Unavailable> + Send + 'static,
) -> Option<T> {
    let got = tokio::task::spawn_blocking(get).await.expect("getting it does not panic");
    got.inspect_err(|reason| skip::skipped(test, &reason.to_string())).ok()
}

/// Runs a program that is told the host's URL and a file with the certificates to trust.
async fn run_program(
    server: &WireServer,
    listener: Listener,
    command: impl FnOnce(&str, &Path) -> Command + Send,
) -> Run {
    let address = server.open_port(HOST, listener).await.expect("port");
    let authority = tempfile::NamedTempFile::new().expect("file");
    std::fs::write(authority.path(), server.authority_pem()).expect("authority");
    let scheme = if listener == Listener::Https { "https" } else { "http" };
    let output = command(&format!("{scheme}://localhost:{}/wsman", address.port()), authority.path())
        .envs([("LAB_USER", USER), ("LAB_PASSWORD", PASSWORD)])
        .env("LAB_AUTHORITY", authority.path())
        .env("LAB_CLIENT_CERTIFICATE", certificate::path("certificate.pem"))
        .env("LAB_CLIENT_KEY", certificate::path("key.pem"))
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .expect("the client starts");
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    let host = server.host(HOST);
    Run {
        succeeded: output.status.success(),
        output: text.into_owned(),
        record: host.record(),
        open_shells: host.open_shells().len(),
    }
}

/// The client runs its command and leaves nothing behind.
async fn check(test: &str, listener: Listener, client: &str, authentication: &str) {
    for certificate in [Certificate::Trusted, Certificate::TrustedSha384] {
        let settings = Settings { certificate, ..Settings::default() };
        let Some(run) = run(test, settings, listener, "client.py", &[client, authentication]).await else {
            return;
        };
        assert!(run.succeeded, "{}\n{:?}", run.output, run.record);
        assert_eq!(run.open_shells, 0, "{:?}", run.record);
        assert_eq!(run.record.count(Kind::Command), 2, "{:?}", run.record);
        let sealed = run.record.requests.iter().filter(|request| request.kind == Kind::Command);
        let sealed: Vec<bool> = sealed.map(|request| request.sealed).collect();
        assert_eq!(sealed, [listener == Listener::Http; 2]);
        if listener == Listener::Http {
            return;
        }
    }
}

/// The client is turned away, for this reason.
async fn check_refused(test: &str, settings: Settings, listener: Listener, arguments: &[&str], reason: &str) {
    let Some(run) = run(test, settings, listener, "client.py", arguments).await else {
        return;
    };
    assert!(!run.succeeded, "{}", run.output);
    assert!(run.record.refusals.iter().any(|refusal| refusal.contains(reason)), "{:?}\n{}", run.record, run.output);
    assert_eq!(run.record.count(Kind::Create), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn pywinrm_basic_over_https() {
    check("pywinrm_basic_over_https", Listener::Https, "pywinrm", "basic").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pywinrm_ntlm_over_http_with_encryption() {
    check("pywinrm_ntlm_over_http_with_encryption", Listener::Http, "pywinrm", "ntlm").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pywinrm_ntlm_over_https_with_channel_binding() {
    check("pywinrm_ntlm_over_https_with_channel_binding", Listener::Https, "pywinrm", "ntlm").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pypsrp_basic_over_https() {
    check("pypsrp_basic_over_https", Listener::Https, "pypsrp", "basic").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pypsrp_ntlm_over_http_with_encryption() {
    check("pypsrp_ntlm_over_http_with_encryption", Listener::Http, "pypsrp", "ntlm").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pypsrp_ntlm_over_https_with_channel_binding() {
    check("pypsrp_ntlm_over_https_with_channel_binding", Listener::Https, "pypsrp", "ntlm").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pypsrp_ntlm_in_spnego_over_http() {
    check("pypsrp_ntlm_in_spnego_over_http", Listener::Http, "pypsrp", "negotiate").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pypsrp_ntlm_in_spnego_over_https() {
    check("pypsrp_ntlm_in_spnego_over_https", Listener::Https, "pypsrp", "negotiate").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_over_https() {
    for (client, tls12) in [("pywinrm", false), ("pypsrp", false), ("pywinrm", true)] {
        let settings = Settings { tls12, ..certificate::mapped(USER) };
        let arguments = [client, "certificate"];
        let Some(run) = run("certificates_over_https", settings, Listener::Https, "client.py", &arguments).await else {
            return;
        };
        assert!(run.succeeded, "{}\n{:?}", run.output, run.record);
        assert!(run.record.requests.iter().all(|request| request.user.as_deref() == Some(USER)), "{:?}", run.record);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_nobody_is_refused() {
    let mut settings = certificate::mapped(USER);
    settings.client_certificates.mapped.clear();
    let arguments = ["pypsrp", "certificate"];
    check_refused("a_certificate_of_nobody_is_refused", settings, Listener::Https, &arguments, "belongs to no account")
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_refused() {
    let arguments = ["pywinrm", "ntlm", "--wrong-password"];
    check_refused("a_wrong_password_is_refused", Settings::default(), Listener::Http, &arguments, "wrong password")
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_channel_binding_is_refused() {
    let arguments = ["pywinrm", "ntlm", "--no-channel-binding"];
    check_refused(
        "a_missing_channel_binding_is_refused",
        Settings::default(),
        Listener::Https,
        &arguments,
        "channel binding",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_self_signed_certificate_is_not_trusted() {
    let settings = Settings { certificate: Certificate::SelfSigned, ..Settings::default() };
    let arguments = ["pypsrp", "ntlm"];
    check_refused("a_self_signed_certificate_is_not_trusted", settings, Listener::Https, &arguments, "TLS").await;
}

/// A logon made by hand ends with this status, message or offers.
async fn check_handshake(test: &str, listener: Listener, case: &str, expected: &str) {
    let Some(run) = run(test, Settings::default(), listener, "handshake.py", &[case]).await else { return };
    assert_eq!(run.output.trim_end(), expected, "{case}: {:?}", run.record);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_message_of_a_logon_may_carry_a_request() {
    let test = "the_last_message_of_a_logon_may_carry_a_request";
    check_handshake(test, Listener::Http, "message-with-logon", "200 IdentifyResponse").await;
    check_handshake(test, Listener::Https, "message-with-logon", "200 IdentifyResponse").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sealed_bodies_are_judged_strictly() {
    let test = "sealed_bodies_are_judged_strictly";
    check_handshake(test, Listener::Http, "without-tabs", "200 IdentifyResponse").await;
    check_handshake(test, Listener::Http, "line-end-before-boundary", "400").await;
    check_handshake(test, Listener::Http, "wrong-length", "400").await;
    check_handshake(test, Listener::Http, "replayed", "400").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_http_carries_sealed_messages_only() {
    let test = "plain_http_carries_sealed_messages_only";
    check_handshake(test, Listener::Http, "unsealed", "500").await;
    check_handshake(test, Listener::Http, "basic", "401 Negotiate").await;
    check_handshake(test, Listener::Https, "basic", "200 IdentifyResponse").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logon_belongs_to_its_connection_and_is_whole() {
    let test = "a_logon_belongs_to_its_connection_and_is_whole";
    check_handshake(test, Listener::Http, "logon-on-two-connections", "401 Negotiate").await;
    check_handshake(test, Listener::Http, "no-integrity-code", "401 Negotiate").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ntlm_is_chosen_over_a_mechanism_the_lab_has_not() {
    let test = "ntlm_is_chosen_over_a_mechanism_the_lab_has_not";
    check_handshake(test, Listener::Http, "another-mechanism-first", "200 IdentifyResponse").await;
    check_handshake(test, Listener::Http, "another-mechanism-first-unsigned", "401 Negotiate").await;
}

/// masterzen/winrm, which Terraform and Packer use, runs a command twice in one shell. Over HTTPS it sends neither an
/// integrity code nor a channel binding (Azure/go-ntlmssp), which Windows accepts as it is set up.
async fn check_masterzen(test: &str, listener: Listener, rigour: Rigour) -> Option<Run> {
    let program = had(test, peer::masterzen).await?;
    let settings = Settings { channel_binding: ChannelBinding::Relaxed, ntlm: rigour, ..Settings::default() };
    let server = WireServer::builder().host_with(machine(), settings).start().await.expect("server");
    let run = run_program(&server, listener, |url, _| {
        let mut command = Command::new(program);
        command.args(["commands", "ntlm", url, "1", "1"]);
        command
    });
    Some(run.await)
}

#[track_caller]
fn assert_two_commands(run: &Run, listener: Listener) {
    assert!(run.succeeded, "{}\n{:?}", run.output, run.record);
    assert_eq!(run.open_shells, 0, "{:?}", run.record);
    let commands = run.record.requests.iter().filter(|request| request.kind == Kind::Command);
    let sealed: Vec<bool> = commands.map(|request| request.sealed).collect();
    assert_eq!(sealed, [listener == Listener::Http; 2], "{:?}", run.record);
    assert_eq!(run.record.refusals, [""; 0], "{:?}", run.record);
}

#[tokio::test(flavor = "multi_thread")]
async fn masterzen_ntlm_over_http_with_encryption() {
    // It logs on anew for every message, each time with an integrity code.
    let test = "masterzen_ntlm_over_http_with_encryption";
    let Some(run) = check_masterzen(test, Listener::Http, Rigour::Strict).await else { return };
    assert_two_commands(&run, Listener::Http);
}

#[tokio::test(flavor = "multi_thread")]
async fn masterzen_ntlm_over_https() {
    let test = "masterzen_ntlm_over_https";
    let Some(run) = check_masterzen(test, Listener::Https, Rigour::Windows).await else { return };
    assert_two_commands(&run, Listener::Https);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strict_host_refuses_a_logon_without_integrity_code() {
    let test = "a_strict_host_refuses_a_logon_without_integrity_code";
    let Some(run) = check_masterzen(test, Listener::Https, Rigour::Strict).await else { return };
    assert!(!run.succeeded, "{:?}", run.record);
    assert!(run.record.refusals.iter().any(|reason| reason.contains("integrity code")), "{:?}", run.record);
}
