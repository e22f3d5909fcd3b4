//! Native hosts over the wire.

use std::time::{Duration, Instant};

use acceptance_tests::lab::estate::{Estate, demo};
use acceptance_tests::lab::host::faults::{Moment, ScriptEffect, ScriptFault};
use acceptance_tests::lab::host::product::component::Component;
use acceptance_tests::lab::host::product::release;
use acceptance_tests::lab::server::{Lab, Mode};
use acceptance_tests::lab::wire::host::Reachability;
use serde_json::{Value, json};

use super::call::{Shell, data, reply};
use crate::scripts::powershell_for;
use crate::wire::client::ask_proxy;

const PORTAL: &str = "portal01.dmz.contoso.com";
const FOLDER: &str = "C:\\ProgramData\\terraform-provider-azuremfa";

async fn serve() -> Lab {
    Lab::start(&demo::temporary().expect("an estate"), Mode::Native).await.expect("a lab")
}

fn fault(name: &str, when: Moment, effect: ScriptEffect) -> ScriptFault {
    ScriptFault { name: name.to_owned(), when, effect, call: 1, times: 1 }
}

fn pool() -> Value {
    json!({ "application_pool": "DefaultAppPool", "runtime": "v4.0" })
}

fn runtime(estate: &Estate) -> String {
    let state = estate.host(PORTAL).expect("a host").state().expect("a state");
    state.iis.expect("IIS").application_pools["DefaultAppPool"].runtime.clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_host_answers_for_itself() {
    let lab = serve().await;
    for name in lab.estate().host_names().expect("names") {
        let mut shell = Shell::open(&lab, &name).await;
        let facts = shell.ask("Get-HostFacts", &json!({})).await;
        let short = name.split('.').next().expect("a name").to_ascii_uppercase();
        assert_eq!((&facts["ok"], &facts["result"]["computer_name"]), (&json!(true), &json!(short)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_travel_between_hosts() {
    let lab = serve().await;
    let mut server = Shell::open(&lab, "mfa01.contoso.com").await;
    let package = "MultiFactorAuthenticationUserPortalSetup64.msi";
    let source = format!("C:\\Program Files\\Multi-Factor Authentication Server\\{package}");
    let sent = server.run("Send-File", &json!({ "path": source, "maximum_length": 1_000_000 }), b"").await;
    let bytes = data(&sent);
    assert_eq!(bytes, release::package("user_portal", "6.3.1.1"));
    let mut portal = Shell::open(&lab, PORTAL).await;
    let target = format!("{FOLDER}\\staging\\6.3.1.1\\{package}");
    let arguments = json!({ "path": target, "length": bytes.len(), "sha256": release::sha256(&bytes) });
    let received = reply(&portal.run("Receive-File", &arguments, &bytes).await);
    assert_eq!(
        received["result"],
        json!({ "already": false, "length": bytes.len(), "sha256": release::sha256(&bytes) })
    );
    assert_eq!(lab.estate().host(PORTAL).expect("a host").read(&target).expect("there"), bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_fails_before_or_after_its_effect() {
    for (when, expected) in [(Moment::Before, "v2.0"), (Moment::After, "v4.0")] {
        let lab = serve().await;
        let poked = fault("Set-ApplicationPoolRuntime", when, ScriptEffect::Error);
        lab.estate().fault(PORTAL, |faults| faults.script.push(poked)).expect("a fault");
        let mut shell = Shell::open(&lab, PORTAL).await;
        let failed = shell.ask("Set-ApplicationPoolRuntime", &pool()).await;
        assert_eq!((&failed["ok"], &failed["error"]["kind"]), (&json!(false), &json!("other")));
        assert_eq!(runtime(lab.estate()), expected);
        assert_eq!(shell.ask("Set-ApplicationPoolRuntime", &pool()).await["ok"], true);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_are_the_same_under_powershell() {
    if powershell_for("faults under PowerShell").is_none() {
        return;
    }
    let estate = demo::temporary().expect("an estate");
    let lab = Lab::start(&estate, Mode::PowerShell).await.expect("a lab");
    let name = "Set-ApplicationPoolRuntime";
    let mut shell = Shell::open(&lab, PORTAL).await;
    for (when, effect, kind, expected) in
        [(Moment::Before, ScriptEffect::Error, "other", "v2.0"), (Moment::After, ScriptEffect::Error, "other", "v4.0")]
    {
        estate.fault(PORTAL, |faults| faults.script.push(fault(name, when, effect))).expect("a fault");
        assert_eq!(shell.ask(name, &pool()).await["error"]["kind"], kind);
        assert_eq!(runtime(&estate), expected);
    }
    estate
        .fault(PORTAL, |faults| faults.script.push(fault(name, Moment::After, ScriptEffect::Garble)))
        .expect("a fault");
    let output = shell.run(name, &pool(), b"").await;
    assert!(output.stdout.starts_with(b"AZUREMFA-REPLY:") && !output.stdout.ends_with(b"}\r\n"), "{output:?}");
    assert_eq!(shell.ask(name, &pool()).await["result"]["already"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_ends_real_processes_too() {
    if powershell_for("restarts under PowerShell").is_none() {
        return;
    }
    let estate = demo::temporary().expect("an estate");
    estate.set_installer_time(600_000).expect("set");
    let lab = Lab::start(&estate, Mode::PowerShell).await.expect("a lab");
    let bytes = release::package("user_portal", "7.0.0.9");
    let host = estate.host(PORTAL).expect("a host");
    host.write("C:\\Setup\\p.msi", &bytes).expect("a package");
    let start = json!({ "installation_id": "cut", "file": "C:\\Setup\\p.msi", "arguments": ["/qn"], "timeout_minutes": 5,
        "sha256": release::sha256(&bytes) });
    assert_eq!(Shell::open(&lab, PORTAL).await.ask("Start-Installer", &start).await["result"]["started"], true);
    let process = host.state().expect("a state").scheduled_tasks["\\terraform-provider-azuremfa\\cut"].process_id;
    let process = format!("/proc/{}/cmdline", process.expect("a running process"));
    lab.restart(PORTAL).expect("a restart");
    // Without an owner it stays a zombie for a moment, whose command line is empty.
    assert_eq!(std::fs::read(process).unwrap_or_default(), b"");
    let id = json!({ "installation_id": "cut" });
    assert_eq!(Shell::open(&lab, PORTAL).await.ask("Get-InstallerState", &id).await["result"]["state"], "interrupted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_ends_without_a_reply() {
    let lab = serve().await;
    let poked = fault("Set-ApplicationPoolRuntime", Moment::After, ScriptEffect::Silence);
    lab.estate().fault(PORTAL, |faults| faults.script.push(poked)).expect("a fault");
    let mut shell = Shell::open(&lab, PORTAL).await;
    let output = shell.run("Set-ApplicationPoolRuntime", &pool(), b"").await;
    assert_eq!((output.stdout.as_slice(), output.exit_code), (&b""[..], Some(1)));
    assert_eq!(runtime(lab.estate()), "v4.0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_is_dropped_at_the_wanted_call() {
    let lab = serve().await;
    let poked = ScriptFault { call: 2, ..fault("Set-ApplicationPoolRuntime", Moment::After, ScriptEffect::Drop) };
    lab.estate().fault(PORTAL, |faults| faults.script.push(poked)).expect("a fault");
    let mut shell = Shell::open(&lab, PORTAL).await;
    let other = json!({ "application_pool": "DefaultAppPool", "runtime": "v2.0" });
    assert_eq!(shell.ask("Set-ApplicationPoolRuntime", &other).await["ok"], true);
    let command = shell.start("Set-ApplicationPoolRuntime", &pool(), b"").await;
    let body = format!(
        "<rsp:Receive><rsp:DesiredStream CommandId=\"{command}\">stdout stderr</rsp:DesiredStream></rsp:Receive>"
    );
    let answer = shell.client.operate("Receive", Some(&shell.id), &body).await;
    assert!(answer.is_none(), "an answer on a connection that was to be dropped: {answer:?}");
    assert_eq!(runtime(lab.estate()), "v4.0");
    let deadline = Instant::now() + Duration::from_secs(5);
    while !lab.host(PORTAL).open_shells().is_empty() && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(lab.host(PORTAL).open_shells(), Vec::<String>::new());
    let mut again = Shell::open(&lab, PORTAL).await;
    assert_eq!(again.ask("Set-ApplicationPoolRuntime", &pool()).await["result"]["already"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_installation_outlives_its_shell_and_not_its_host() {
    let lab = serve().await;
    lab.estate().set_installer_time(300).expect("set");
    let host = lab.estate().host(PORTAL).expect("a host");
    let bytes = release::package("user_portal", "7.0.0.9");
    host.write("C:\\Setup\\p.msi", &bytes).expect("a package");
    let start = |id: &str| {
        json!({ "installation_id": id, "file": "C:\\Setup\\p.msi", "arguments": ["/qn"], "timeout_minutes": 5,
                "sha256": release::sha256(&bytes) })
    };
    let mut shell = Shell::open(&lab, PORTAL).await;
    assert_eq!(shell.ask("Start-Installer", &start("cut")).await["result"]["started"], true);
    assert_eq!(shell.ask("Start-Installer", &start("second")).await["error"]["kind"], "busy");
    lab.restart(PORTAL).expect("a restart");
    let mut shell = Shell::open(&lab, PORTAL).await;
    let state = shell.ask("Get-InstallerState", &json!({ "installation_id": "cut" })).await;
    assert_eq!(state["result"]["state"], "interrupted");
    assert_eq!(shell.ask("Start-Installer", &start("whole")).await["result"]["started"], true);
    shell.client.delete(&shell.id).await.expect("the shell is closed");
    let deadline = Instant::now() + Duration::from_secs(10);
    let version = || lab.estate().version_of(PORTAL, Component::UserPortal).expect("an inventory");
    while version().as_deref() != Some("7.0.0.9") && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(version().as_deref(), Some("7.0.0.9"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_can_be_cut_off() {
    let lab = serve().await;
    lab.set_reachability(PORTAL, Reachability::Unreachable);
    let (_, answer) = ask_proxy(lab.wire(), &format!("CONNECT {PORTAL}:5986 HTTP/1.1")).await;
    assert!(answer.contains("504"), "{answer}");
    lab.set_reachability(PORTAL, Reachability::Reachable);
    Shell::open(&lab, PORTAL).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn people_can_look_around() {
    let lab = serve().await;
    let mut shell = Shell::open(&lab, "mfa01.contoso.com").await;
    for (line, stdout, code) in [("hostname", "MFA01\r\n", 0), ("echo a b", "a b\r\n", 0), ("nothing", "", 9009)] {
        let command = shell.client.command(&shell.id, line).await.expect("a command");
        let output = shell.client.receive_all(&shell.id, &command).await.expect("output");
        assert_eq!((output.stdout.as_slice(), output.exit_code), (stdout.as_bytes(), Some(code)), "{line}");
    }
}

#[test]
fn a_lab_can_serve_callers_that_are_not_asynchronous() {
    let lab = Lab::start_in_background(&demo::temporary().expect("an estate"), Mode::Native).expect("a lab");
    let address = lab.proxy_url.trim_start_matches("http://").to_owned();
    assert!(std::net::TcpStream::connect(&address).is_ok());
    assert!(std::fs::read_to_string(&lab.ca_file).expect("a file").contains("BEGIN CERTIFICATE"));
    drop(lab);
    assert!(std::net::TcpStream::connect(&address).is_err());
}
