//! Ctrl-C and worse in the middle of a step: no host keeps a shell, and the next run goes on.

use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use acceptance_tests::lab::wire::faults::{Effect, Injection};
use acceptance_tests::lab::wire::record::Kind;

use crate::support::case::Case;
use crate::support::hcl::{self, SERVERS};

/// A host that is slow to answer while the signals come.
const SLOW: &str = SERVERS[1];

/// What is sent, to whom, while a step runs on the slow host.
#[derive(Clone, Copy, Debug)]
pub enum Signal {
    /// As a terminal does it: to the client and the provider alike.
    CtrlC,
    /// To the provider alone.
    ToProvider(&'static str),
    /// To the client alone.
    ToClient(&'static str),
}

fn check(signals: &[Signal]) {
    let Some(case) = Case::demo() else { return };
    case.configure(&[&hcl::group("7.0.0.9", &SERVERS, SERVERS[0], "")]);
    case.plan().ended(2);
    let host = case.lab.host(SLOW);
    let before = host.record().count(Kind::Command);
    host.inject(Injection::on(Kind::Receive, Effect::Delay(Duration::from_secs(2))).times(1_000));
    let mut apply = case.workspace.command(&["apply", "-no-color", "-input=false", "case.tfplan"], &[]);
    let mut apply = apply.process_group(0).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    wait(Duration::from_secs(60), "a command on the slow host", || host.record().count(Kind::Command) > before + 1);
    assert!(!host.open_shells().is_empty(), "there is nothing that could be left behind");
    for signal in signals {
        send(*signal, &apply);
        std::thread::sleep(Duration::from_millis(700));
    }
    host.clear_injections();
    wait(Duration::from_secs(60), "the end of the client", || apply.try_wait().expect("a child").is_some());
    let open = || -> Vec<String> { case.lab.wire().hosts().flat_map(|host| host.open_shells()).collect() };
    wait(Duration::from_secs(15), &format!("the end of all shells after {signals:?}"), || open().is_empty());
    recovers(&case);
}

/// A killed client leaves its lock behind, and that is all it leaves.
fn recovers(case: &Case) {
    let plan = case.workspace.plan("case.tfplan", &["-lock=false"]);
    assert!([0, 2].contains(&plan.code), "no plan afterwards:\n{}", plan.printed());
    let apply = ["apply", "-no-color", "-input=false", "-lock=false", "case.tfplan"];
    if plan.code == 2 {
        case.workspace.run(&apply).succeeded();
    }
    assert!(case.workspace.attributes("azuremfa_server_group.eu")["version"].is_string());
}

pub fn send(signal: Signal, client: &Child) {
    let (name, target) = match signal {
        Signal::CtrlC => ("INT", format!("-{}", client.id())),
        Signal::ToClient(name) => (name, client.id().to_string()),
        Signal::ToProvider(name) => (name, provider_of(client.id()).to_string()),
    };
    let status = Command::new("kill").args(["-s", name, "--", &target]).status().expect("kill starts");
    assert!(status.success(), "{name} to {target}");
}

/// The provider among the descendants of a process.
fn provider_of(client: u32) -> u32 {
    let children = |process: u32| -> Vec<u32> {
        let output = Command::new("ps").args(["-o", "pid=", "--ppid", &process.to_string()]).output().expect("ps");
        String::from_utf8_lossy(&output.stdout).split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
    };
    let mut unseen = vec![client];
    while let Some(process) = unseen.pop() {
        let program = std::fs::read_link(format!("/proc/{process}/exe")).unwrap_or_default();
        if program.file_name().is_some_and(|name| name.to_string_lossy().starts_with("terraform-provider-azuremfa")) {
            return process;
        }
        unseen.extend(children(process));
    }
    panic!("the client has no provider");
}

/// Waits until something is so.
#[track_caller]
pub fn wait(limit: Duration, what: &str, mut reached: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !reached() {
        assert!(begin.elapsed() < limit, "{what} did not come within {limit:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn ctrl_c_leaves_no_shell() {
    check(&[Signal::CtrlC]);
}

#[test]
fn a_second_ctrl_c_leaves_no_shell() {
    check(&[Signal::CtrlC, Signal::CtrlC]);
}

#[test]
fn a_provider_that_is_asked_to_end_leaves_no_shell() {
    check(&[Signal::ToProvider("TERM")]);
}

#[test]
fn a_client_that_is_killed_leaves_no_shell() {
    check(&[Signal::ToClient("KILL")]);
}
