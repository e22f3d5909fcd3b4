//! Leases on hosts: another run that is at work, one that has died, and what a run leaves of its own.

use std::os::unix::process::CommandExt as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

use acceptance_tests::lab::estate::lease::OWNER;
use acceptance_tests::lab::host::faults::{InstallerFault, Moment};
use acceptance_tests::lab::wire::faults::{Effect, Injection};
use acceptance_tests::lab::wire::record::Kind;
use serde_json::Value;

use super::interruptions::{Signal, send, wait};
use crate::support::case::Case;
use crate::support::hcl::{self, SERVERS};

const WAITS: &str = "another run has the lease; waiting for its end";

/// The demo's group, planned to 7.0.0.9.
fn planned() -> Option<Case> {
    let case = Case::demo()?;
    case.configure(&[&hcl::group("7.0.0.9", &SERVERS, SERVERS[0], "")]);
    case.plan().ended(2);
    Some(case)
}

const FILE: &str = "C:\\ProgramData\\terraform-provider-azuremfa\\lease.json";

/// Puts a text in the place of a host's lease.
fn write(case: &Case, host: &str, text: &str) {
    let host = case.lab.estate().host(host).expect("the host is there");
    host.write(FILE, text).expect("it can be written");
}

fn lease(case: &Case, host: &str) -> Option<Value> {
    case.lab.estate().lease(host).expect("the host is there")
}

/// No host of the estate has a lease, and hosts were changed under one.
#[track_caller]
fn left_none(case: &Case) {
    let estate = case.lab.estate();
    let hosts = estate.host_names().expect("an estate");
    let left: Vec<_> = hosts.iter().filter(|host| lease(case, host).is_some()).collect();
    assert!(left.is_empty(), "a lease is left on {left:?}");
    let lock = "C/ProgramData/terraform-provider-azuremfa/lease.lock";
    let leased = |host: &&&str| estate.host(host).expect("a host").path().join(lock).exists();
    assert_eq!(SERVERS.iter().filter(leased).count(), SERVERS.len(), "every server of the run was leased");
}

#[test]
fn a_run_is_refused_while_another_one_is_at_work() {
    let Some(case) = planned() else { return };
    let other = case.lab.estate().keep_lease(SERVERS[1], "portal-eu").expect("the host is there");
    let before = case.journal();
    // Reads take no lease and look at none.
    case.plan().ended(2).does_not_say("lease").does_not_say("another run");
    let run = case.workspace.apply("case.tfplan").ended(1);
    let text = run.folded();
    let from = text.find("Error: ").expect("an error");
    let time = |word: &str| match word.get(..20) {
        Some(time) if time.starts_with("20") && time.ends_with('Z') => word.replace(time, "TIME"),
        _ => word.to_owned(),
    };
    let times = |text: &str| text.split(' ').map(time).collect::<Vec<_>>().join(" ");
    expect_test::expect![[r#"Error: mfa-eu: another run is at work on mfa02.contoso.com with azuremfa_server_group.eu, on main.tf line 7, in resource "azuremfa_server_group" "eu": 7: resource "azuremfa_server_group" "eu" { On mfa02.contoso.com: another run is at work on it, for the set portal-eu of alice@runner07, process 42, https://ci.contoso.com/job/7. That run took the lease on the host at TIME and renewed it while this run waited, last at TIME (by the host's clock). Nothing was changed by this run. Wait for that run, and look for it where its owner says. Should it have ended without giving the lease back, the lease ends by itself when nobody renews it any more (as it stands, at TIME), and this run would have waited for that. Only when it has certainly ended, and as the last resort, delete C:\ProgramData\terraform-provider-azuremfa\lease.json on the host."#]].assert_eq(&times(&text[from..]));
    assert_eq!(case.journal(), before, "something was done to a host");
    assert_eq!(lease(&case, SERVERS[0]), None, "it was given back");
    assert_eq!(lease(&case, SERVERS[1]).expect("the other run's")["owner"], OWNER);
    assert_eq!(lease(&case, SERVERS[2]), None);
    // That run gives it back.
    drop(other);
    case.lab.estate().host(SERVERS[1]).expect("the host is there").remove(FILE).expect("it can be deleted");
    case.converge();
    left_none(&case);
}

#[test]
fn a_lease_that_nobody_renews_is_waited_out() {
    let Some(case) = planned() else { return };
    case.lab.estate().lay_lease(SERVERS[0], "mfa-eu", 5).expect("the host is there");
    // One that had ended before costs nothing.
    case.lab.estate().lay_lease(SERVERS[1], "mfa-eu", -5).expect("the host is there");
    let begin = Instant::now();
    let apply = ["apply", "-no-color", "-input=false", "case.tfplan"];
    let run = case.workspace.run_with(&apply, &[("TF_LOG_PROVIDER", "INFO")]).succeeded();
    assert!(begin.elapsed() > Duration::from_secs(3), "it did not wait");
    run.says(WAITS).says("the other run's lease has ended; this run has it now").says(OWNER);
    left_none(&case);
}

#[test]
fn damaged_leases_keep_nobody_out_for_long() {
    let Some(case) = planned() else { return };
    // A clock that was set back: the end is a year ahead, and the lease was given for a few seconds.
    let text = format!(
        "{{\"format\":1,\"run\":\"x\",\"owner\":{OWNER:?},\"set\":\"mfa-eu\",\"taken_at\":\"2090-01-01T00:00:00Z\",\
         \"renewed_at\":\"2090-01-01T00:00:00Z\",\"expires_at\":\"2090-01-01T00:00:03Z\"}}"
    );
    write(&case, SERVERS[2], &text);
    case.workspace.apply("case.tfplan").succeeded();
    left_none(&case);
}

#[test]
fn a_run_leaves_no_lease_however_it_ends() {
    let Some(case) = planned() else { return };
    let fault = InstallerFault { exit_code: 1603, when: Moment::Before, package: None, times: 1 };
    case.fault(SERVERS[1], |faults| faults.installer.push(fault));
    case.workspace.apply("case.tfplan").ended(1).says("failed at step");
    left_none(&case);
    case.converge();
    left_none(&case);
}

/// Starts the apply, and sends a signal while a step runs on the second server.
fn interrupted(case: &Case, signal: Signal) {
    let host = case.lab.host(SERVERS[1]);
    let before = host.record().count(Kind::Command);
    host.inject(Injection::on(Kind::Receive, Effect::Delay(Duration::from_secs(2))).times(1_000));
    let mut apply = case.workspace.command(&["apply", "-no-color", "-input=false", "case.tfplan"], &[]);
    let mut apply = apply.process_group(0).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    wait(Duration::from_secs(60), "a lease on the last server", || lease(case, SERVERS[2]).is_some());
    wait(Duration::from_secs(60), "a command on the slow host", || host.record().count(Kind::Command) > before + 1);
    let taken = lease(case, SERVERS[1]).expect("the run has it");
    assert_eq!((&taken["set"], &taken["format"]), (&"mfa-eu".into(), &1.into()));
    assert!(taken["owner"].as_str().is_some_and(|owner| owner.contains(", process ")), "{taken}");
    send(signal, &apply);
    wait(Duration::from_secs(60), "the end of the client", || {
        host.clear_injections();
        apply.try_wait().expect("a child").is_some()
    });
}

#[test]
fn an_interrupted_run_leaves_no_lease() {
    let Some(case) = planned() else { return };
    interrupted(&case, Signal::CtrlC);
    left_none(&case);
    case.converge();
}

/// Nobody can give back what a killed process held. It is dead, and the next run waits for its end alone.
#[test]
fn a_killed_run_costs_the_next_one_the_rest_of_its_lease() {
    let Some(case) = planned() else { return };
    interrupted(&case, Signal::ToProvider("KILL"));
    let mut left = lease(&case, SERVERS[2]).expect("nobody gave it back");
    // The rest of its five minutes, made short.
    case.lab.estate().lay_lease(SERVERS[2], "mfa-eu", 4).expect("the host is there");
    let short = lease(&case, SERVERS[2]).expect("a lease");
    for host in SERVERS {
        left["renewed_at"] = short["renewed_at"].clone();
        left["expires_at"] = short["expires_at"].clone();
        write(&case, host, &left.to_string());
    }
    case.plan().ended(2);
    let apply = ["apply", "-no-color", "-input=false", "case.tfplan"];
    case.workspace.run_with(&apply, &[("TF_LOG_PROVIDER", "INFO")]).succeeded();
    left_none(&case);
}
