//! A run that vanishes while users are not asked for the second factor: the AD FS server mends that by itself.

use std::os::unix::process::CommandExt as _;
use std::process::Stdio;
use std::time::Duration;

use acceptance_tests::lab::host::native::scripts::guard::TASK;
use acceptance_tests::lab::host::product::component::Component;
use acceptance_tests::lab::host::scheduler;
use acceptance_tests::lab::wire::faults::{Effect, Injection};
use acceptance_tests::lab::wire::record::Kind;

use super::interruptions::{Signal, send, wait};
use crate::support::case::Case;
use crate::support::hcl::{self, AFTER_GROUP, SERVERS};

const FARM: [&str; 2] = ["adfs01.contoso.com", "adfs02.contoso.com"];
const OLD: &str = "WindowsAzureMultiFactorAuthentication";
const NEW: &str = "AzureMfaServerAuthentication";
const CERTIFICATE: &str = "CertificateAuthentication";
const ACTED: &str = "C:\\ProgramData\\terraform-provider-azuremfa\\guard\\acted.json";

/// The demo with its servers on 7.0.0.9, and a farm that is to follow.
fn farm(acknowledged: &str) -> Option<Case> {
    let case = Case::demo()?;
    for server in SERVERS {
        for component in [Component::Server, Component::WebServiceSdk] {
            case.lab.estate().set_version(server, Some(component), "7.0.0.9").expect("a server");
        }
    }
    let adapter = hcl::adapter("7.0.0.9", &format!("{AFTER_GROUP}\n  {acknowledged}"));
    case.configure(&[&hcl::group("7.0.0.9", &SERVERS, SERVERS[0], ""), &adapter]);
    Some(case)
}

/// Whether the farm's policy names no provider of MFA Server.
fn is_open(case: &Case) -> bool {
    !case.farm().policy.iter().any(|name| name == OLD || name == NEW)
}

/// Kills the provider of an apply as soon as the gap is open and so many providers are registered.
fn killed_in_gap(case: &Case, registered: usize) {
    case.plan().ended(2);
    let (host, wire) = (case.lab.estate().host(FARM[0]).expect("the host is there"), case.lab.host(FARM[0]));
    let slow = |delay| wire.inject(Injection::on(Kind::Receive, Effect::Delay(delay)).times(1_000));
    slow(Duration::from_millis(400));
    let mut apply = case.workspace.command(&["apply", "-no-color", "-input=false", "case.tfplan"], &[]);
    let mut apply = apply.process_group(0).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    // From the guard on every answer takes its time, so that the run is where it was seen when it is killed.
    wait(Duration::from_secs(120), "the guard", || host.state().expect("a state").scheduled_tasks.contains_key(TASK));
    wire.clear_injections();
    slow(Duration::from_secs(3));
    let reached = || is_open(case) && case.farm().providers.len() == registered;
    wait(Duration::from_secs(120), "the gap", reached);
    send(Signal::ToProvider("KILL"), &apply);
    wait(Duration::from_secs(60), "the end of the client", || apply.try_wait().expect("a child").is_some());
    wire.clear_injections();
    assert!(is_open(case), "the gap was closed by the run that was killed");
}

/// Lets the guard's minute come.
fn look(case: &Case) -> bool {
    let host = case.lab.estate().host(FARM[0]).expect("the host is there");
    scheduler::let_run(&host, TASK, None).expect("it runs")
}

#[track_caller]
fn is_mended(case: &Case, registered: usize, way: &str, provider: &str) {
    assert!(look(case), "there is a guard");
    assert!(is_open(case), "the run may still be alive");
    for host in FARM {
        case.lab.estate().let_lease_end(host).expect("the host is there");
    }
    assert!(look(case), "the guard is still there");
    assert_eq!(case.farm().policy, [CERTIFICATE, provider]);
    assert_eq!(case.farm().providers.len(), 1, "{registered} were registered");
    assert!(!look(case), "it has done its work and is gone");
    let host = case.lab.estate().host(FARM[0]).expect("the host is there");
    let acted = String::from_utf8(host.read(ACTED).expect("a record")).expect("text");
    assert!(acted.contains(&format!("\"direction\":\"{way}\"")), "{acted}");
    assert!(!acted.contains("M4rk3r"), "{acted}");
}

/// The next run says what happened meanwhile, and leaves neither guard nor lease.
#[track_caller]
fn arrives(case: &Case, told: &str) {
    let plan = case.workspace.plan("case.tfplan", &["-lock=false"]).ended(2);
    plan.says("set up a guard").does_not_say("are not asked for the second factor now");
    let apply = ["apply", "-no-color", "-input=false", "-lock=false", "case.tfplan"];
    case.workspace.run(&apply).succeeded().says(told);
    assert_eq!(case.farm().policy, [CERTIFICATE, NEW]);
    for host in FARM {
        let version = case.lab.estate().version_of(host, Component::AdfsAdapter).expect("the host is there");
        assert_eq!(version.as_deref(), Some("7.0.0.9"), "{host}");
        assert_eq!(case.lab.estate().lease(host).expect("the host is there"), None, "{host}");
    }
    left_no_guard(case);
}

#[track_caller]
fn left_no_guard(case: &Case) {
    let host = case.lab.estate().host(FARM[0]).expect("the host is there");
    assert!(!host.state().expect("a state").scheduled_tasks.contains_key(TASK));
    assert!(!host.is_folder("C:\\ProgramData\\terraform-provider-azuremfa\\guard"));
}

#[test]
fn before_unregistering_the_server_goes_back() {
    let Some(case) = farm(hcl::GAP) else { return };
    killed_in_gap(&case, 1);
    is_mended(&case, 1, "back", OLD);
    arrives(&case, &format!("heard nothing of its run and put {OLD} back into the global policy"));
}

#[test]
fn after_it_the_server_goes_forward() {
    let Some(case) = farm(hcl::GAP) else { return };
    killed_in_gap(&case, 0);
    is_mended(&case, 0, "forward", NEW);
    let plan = case.workspace.plan("case.tfplan", &["-lock=false"]).ended(2);
    plan.does_not_say("set up a guard").says("adfs01.contoso.com: restart AD FS");
    let apply = ["apply", "-no-color", "-input=false", "-lock=false", "case.tfplan"];
    let told = format!("went forward and put {NEW} into the global policy");
    case.workspace.run(&apply).succeeded().says(&told);
    left_no_guard(&case);
}

/// Nothing of a farm is changed whose gap could not be guarded, unless somebody has said that it may be so.
#[test]
fn a_server_that_cannot_be_a_guard_is_found_out_first() {
    let Some(case) = farm(hcl::GAP) else { return };
    let host = case.lab.estate().host(FARM[0]).expect("the host is there");
    let refuse = |state: &mut acceptance_tests::lab::host::state::State| {
        state.adfs.as_mut().expect("a farm").refuses_system = Some("write".to_owned());
        Ok::<_, acceptance_tests::lab::host::error::LabError>(())
    };
    host.update(refuse).expect("the state can be changed");
    case.plan().ended(2).says("1. adfs01.contoso.com: try the task by which this server would close the gap by itself");
    case.workspace
        .apply("case.tfplan")
        .ended(1)
        .says("adfs-eu failed at step 1 of")
        .says("Set-AdfsProperties -AllowSystemServiceAdministration $true")
        .does_not_say("USERS MAY NOT BE ASKED");
    assert_eq!(case.journal().iter().filter(|entry| entry.starts_with("adfs")).count(), 0, "{:?}", case.journal());
    let both = r#"acknowledge = [
    { check = "adfs_mfa_gap", reason = "CHG-1042, Sunday 02:00" },
    { check = "adfs_gap_unguarded", reason = "CHG-1043, two people watch" },
  ]"#;
    let adapter = hcl::adapter("7.0.0.9", &format!("{AFTER_GROUP}\n  {both}"));
    case.configure(&[&hcl::group("7.0.0.9", &SERVERS, SERVERS[0], ""), &adapter]);
    case.plan().ended(2).says("No guard is set up").says("CHG-1043").does_not_say("set up a guard");
    case.workspace.apply("case.tfplan").succeeded();
    assert_eq!(case.farm().policy, [CERTIFICATE, NEW]);
    case.settled();
}
