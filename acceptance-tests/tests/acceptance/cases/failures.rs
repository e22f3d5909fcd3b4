//! An apply that fails at each step, before and after its effect: the state tells the truth, and applying again converges.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use acceptance_tests::lab::estate::demo;
use acceptance_tests::lab::host::faults::{InstallerFault, Moment, ScriptEffect, ScriptFault};
use acceptance_tests::lab::host::product::component::Component;

use crate::support::case::Case;
use crate::support::hcl::{self, AFTER_GROUP, SERVERS};

const PORTAL: &str = "portal01.dmz.contoso.com";

/// The demo's group at 7.0.0.9 but for its old master, which the next run upgrades together with what comes after.
/// Reached once while any test holds it; nothing of it stays behind after the last.
fn start() -> Option<Arc<Case>> {
    static REACHED: Mutex<Weak<Case>> = Mutex::new(Weak::new());
    let mut reached = REACHED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(case) = reached.upgrade() {
        return Some(case);
    }
    let case = Case::demo()?;
    case.configure(&[&hcl::group("7.0.0.9", &SERVERS, SERVERS[0], "")]);
    case.converge();
    case.promote(SERVERS[1]);
    case.configure(&[&everything()]);
    let case = Arc::new(case);
    *reached = Arc::downgrade(&case);
    Some(case)
}

/// A copy of the start, to fail in.
fn second_stage() -> Option<Case> {
    start().map(|start| start.again())
}

fn everything() -> String {
    [
        hcl::group("7.0.0.9", &SERVERS, SERVERS[1], ""),
        hcl::portal("dmz", "7.0.0.9", &[PORTAL], AFTER_GROUP),
        hcl::adapter("7.0.0.9", &format!("{AFTER_GROUP}\n  {}", hcl::GAP)),
    ]
    .concat()
}

/// Lets a script fail once, and holds the run, the state and the next runs to what is promised.
fn check_script(host: &str, script: &str, when: Moment, effect: ScriptEffect) {
    let Some(case) = second_stage() else { return };
    case.plan().ended(2);
    let fault = ScriptFault { name: script.to_owned(), when, effect, call: 1, times: 1 };
    case.fault(host, |faults| faults.script.push(fault));
    let what = format!("{script} on {host}, {when:?}, {effect:?}");
    let run = case.workspace.apply("case.tfplan");
    // A lost connection proves nothing: a run that finds its work done, or still running, goes on.
    if run.code == 0 && effect == ScriptEffect::Drop {
        arrived(&case, &what);
        return;
    }
    assert_eq!(run.code, 1, "{what} did not fail:\n{}", run.printed());
    run.says("failed at step").says(host);
    recovers(&case, &what);
}

/// The next run reaches the pin, whatever the last one left; when that had done everything, there is nothing to do.
#[track_caller]
fn recovers(case: &Case, what: &str) {
    let plan = case.plan();
    assert!([0, 2].contains(&plan.code), "after {what} there is no plan:\n{}", plan.printed());
    if plan.code == 2 {
        let apply = case.workspace.apply("case.tfplan");
        assert_eq!(apply.code, 0, "after {what} applying again fails:\n{}", apply.printed());
    }
    arrived(case, what);
}

/// Everything runs its pin, by the state and by the hosts themselves, and users are asked for the second factor.
#[track_caller]
fn arrived(case: &Case, what: &str) {
    case.settled();
    for address in ["azuremfa_server_group.eu", "azuremfa_user_portal.dmz", "azuremfa_adfs_adapter.eu"] {
        assert_eq!(case.workspace.attributes(address)["version"], "7.0.0.9", "{address} after {what}");
    }
    for (host, component) in [
        (SERVERS[0], Component::Server),
        (PORTAL, Component::UserPortal),
        ("adfs02.contoso.com", Component::AdfsAdapter),
    ] {
        let version = case.lab.estate().version_of(host, component).expect("the host is there");
        assert_eq!(version.as_deref(), Some("7.0.0.9"), "{host} after {what}");
    }
    let farm = case.farm();
    assert_eq!(farm.policy, ["CertificateAuthentication", "AzureMfaServerAuthentication"], "after {what}");
}

/// Every step of every kind that a script performs, with the host that performs it.
const STEPS: [(&str, &[&str]); 4] = [
    (
        SERVERS[0],
        &[
            "Backup-Directory",
            "Save-ReleaseFile",
            "Start-Installer",
            "Get-InstallerState",
            "Complete-Installer",
            "Complete-Backup",
        ],
    ),
    (
        PORTAL,
        &[
            "Backup-Directory",
            "Receive-File",
            "Start-Installer",
            "Merge-WebConfig",
            "Set-ApplicationPoolRuntime",
            "Compare-Directory",
            "Complete-Backup",
        ],
    ),
    (
        "adfs01.contoso.com",
        &[
            "Receive-File",
            "Start-Installer",
            "Enable-SecondFactorGuard",
            "Export-AdapterConfiguration",
            "Merge-AdapterConfiguration",
            "Set-AuthenticationPolicy",
            "Unregister-Adapter",
            "Register-Adapter",
            "Restart-AdfsService",
            "Disable-SecondFactorGuard",
            "Remove-WorkFile",
        ],
    ),
    ("adfs02.contoso.com", &["Start-Installer", "Restart-AdfsService"]),
];

fn check_all(when: Moment, effect: ScriptEffect) {
    for (host, scripts) in STEPS {
        for script in scripts {
            check_script(host, script, when, effect);
        }
    }
}

#[test]
fn a_step_that_fails_before_its_effect() {
    let _start = start();
    check_all(Moment::Before, ScriptEffect::Error);
}

#[test]
fn a_step_that_fails_after_its_effect() {
    let _start = start();
    check_all(Moment::After, ScriptEffect::Error);
}

#[test]
fn a_step_whose_connection_is_lost_after_its_effect() {
    let _start = start();
    for (host, script) in [
        (SERVERS[0], "Save-ReleaseFile"),
        (SERVERS[0], "Start-Installer"),
        (PORTAL, "Merge-WebConfig"),
        ("adfs01.contoso.com", "Set-AuthenticationPolicy"),
        ("adfs01.contoso.com", "Unregister-Adapter"),
        ("adfs01.contoso.com", "Register-Adapter"),
        ("adfs02.contoso.com", "Restart-AdfsService"),
    ] {
        check_script(host, script, Moment::After, ScriptEffect::Drop);
    }
}

#[test]
fn a_step_that_says_nothing() {
    let _start = start();
    for (host, script) in
        [(SERVERS[0], "Start-Installer"), (PORTAL, "Merge-WebConfig"), ("adfs01.contoso.com", "Register-Adapter")]
    {
        check_script(host, script, Moment::After, ScriptEffect::Silence);
    }
}

/// Lets an installer end badly once.
fn check_installer(host: &str, package: &str, when: Moment) {
    let Some(case) = second_stage() else { return };
    case.plan().ended(2);
    let fault = InstallerFault { exit_code: 1603, when, package: Some(package.to_owned()), times: 1 };
    case.fault(host, |faults| faults.installer.push(fault));
    let what = format!("the installer of {package} on {host}, {when:?}");
    case.workspace.apply("case.tfplan").ended(1).says("1603").says(host);
    recovers(&case, &what);
}

#[test]
fn an_installer_that_fails() {
    let _start = start();
    for when in [Moment::Before, Moment::Half, Moment::After] {
        check_installer(SERVERS[0], "server", when);
        check_installer(PORTAL, "user_portal", when);
        check_installer("adfs01.contoso.com", "adfs_adapter", when);
    }
}

#[test]
fn after_one_failure_the_rest_stays_untouched() {
    let Some(case) = Case::demo() else { return };
    case.configure(&[&hcl::group("7.0.0.9", &SERVERS, SERVERS[0], "")]);
    case.plan().ended(2);
    let fault = InstallerFault { exit_code: 1603, when: Moment::Before, package: Some("server".to_owned()), times: 1 };
    case.fault(SERVERS[1], |faults| faults.installer.push(fault));
    case.workspace.apply("case.tfplan").ended(1).says("mfa02.contoso.com").says("1603");
    let touched: Vec<String> = case.journal().into_iter().filter(|done| done.starts_with(SERVERS[2])).collect();
    assert_eq!(touched, Vec::<String>::new(), "mfa03 was not to be touched");
}

#[test]
fn what_an_operator_changes_after_a_failure_is_not_taken_back_by_the_older_backup() {
    let _start = start();
    let Some(case) = second_stage() else { return };
    case.plan().ended(2);
    let fault = ScriptFault {
        name: "Start-Installer".to_owned(),
        when: Moment::Before,
        effect: ScriptEffect::Error,
        call: 1,
        times: 1,
    };
    case.fault(PORTAL, |faults| faults.script.push(fault));
    case.workspace.apply("case.tfplan").ended(1).says(PORTAL);
    // The backup was made and nothing installed. Now the account's password is changed, on the host as well.
    let host = case.lab.estate().host(PORTAL).expect("the portal's host");
    let path = r"C:\inetpub\wwwroot\MultiFactorAuth\web.config";
    let text = || String::from_utf8(host.read(path).expect("a web.config")).expect("text");
    let changed = "N3w-M4rk3r";
    let by_hand = text().replace(demo::MARKER_PASSWORD, changed);
    assert!(by_hand.contains(changed), "the old password stands in web.config");
    host.write(path, by_hand).expect("web.config can be written");
    case.converge();
    assert!(text().contains(changed) && !text().contains(demo::MARKER_PASSWORD), "the older web.config came back");
    case.settled();
}
