//! The guard of the second factor when its minute has come: its own script under the real PowerShell, and the lab's play.

use std::fs::File;
use std::path::Path;
use std::time::{Duration, SystemTime};

use acceptance_tests::lab::host::error::LabError;
use acceptance_tests::lab::host::folder::HostFolder;
use acceptance_tests::lab::host::native::scripts::guard::TASK;
use acceptance_tests::lab::host::scheduler;
use acceptance_tests::lab::host::state::State;
use serde_json::{Value, json};

use super::estate::{self, Estate};
use super::wire;

const WORK: &str = "C:\\ProgramData\\terraform-provider-azuremfa";
const PRODUCT: &str = "C:\\Program Files\\Multi-Factor Authentication Server";
const OLD: &str = "WindowsAzureMultiFactorAuthentication";
const NEW: &str = "AzureMfaServerAuthentication";
const CERTIFICATE: &str = "CertificateAuthentication";
const RUN: &str = "6f1e0c0e-7f0a-4a53-9c1e-0d9a3c2b1a00";
const MINUTE: i64 = 60;

/// How a farm is when the guard looks, and how it shall be afterwards.
struct Case {
    about: &'static str,
    lease: Lease,
    policy: &'static [&'static str],
    registered: &'static [&'static str],
    /// The release of what is registered under the new name.
    registered_release: &'static str,
    back: &'static [&'static str],
    trouble: Trouble,
    policy_after: &'static [&'static str],
    registered_after: &'static [&'static str],
    /// `direction` of the record, or a part of its `problem`; none: no record.
    acted: Option<&'static str>,
    stays: bool,
}

/// The lease when the guard looks.
#[derive(Clone, Copy)]
enum Lease {
    /// Renewed so many seconds ago.
    Renewed(i64),
    /// The run gave it back.
    Released,
    /// Another run has just taken it.
    Another,
    /// It cannot be read, and is so many seconds old.
    Damaged(i64),
}

/// What stands in the guard's way.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Trouble {
    None,
    /// The package is not there any more.
    NoPackage,
    /// AD FS does not run.
    Stopped,
    /// AD FS lets SYSTEM read and no longer write.
    ReadOnly,
    /// The run had nothing to register with.
    NoRegistration,
}

impl Case {
    const fn new(about: &'static str, lease: Lease) -> Self {
        Self {
            about,
            lease,
            policy: &[CERTIFICATE],
            registered: &[OLD],
            registered_release: "7.0.0.9",
            back: &[OLD],
            trouble: Trouble::None,
            policy_after: &[CERTIFICATE],
            registered_after: &[OLD],
            acted: None,
            stays: true,
        }
    }

    /// A gap that is closed by the way back.
    const fn back(about: &'static str, lease: Lease) -> Self {
        let (policy_after, acted, stays): (&[&str], _, _) = (&[CERTIFICATE, OLD], Some("back"), false);
        Self { policy_after, acted, stays, ..Self::new(about, lease) }
    }

    /// A gap that is closed by the way forward.
    const fn forward(about: &'static str, registered: &'static [&'static str]) -> Self {
        let (policy_after, registered_after): (&[&str], &[&str]) = (&[CERTIFICATE, NEW], &[NEW]);
        let acted = Some("forward");
        Self { registered, policy_after, registered_after, acted, stays: false, ..Self::new(about, SILENT) }
    }

    /// A gap that cannot be closed, with nothing registered.
    const fn failing(about: &'static str, trouble: Trouble, problem: &'static str) -> Self {
        let acted = Some(problem);
        Self { registered: &[], registered_after: &[], trouble, acted, ..Self::new(about, SILENT) }
    }
}

const SILENT: Lease = Lease::Renewed(6 * MINUTE);

const CASES: &[Case] = &[
    Case::new("a run that renews its lease is left alone, gap or no gap", Lease::Renewed(4 * MINUTE)),
    Case::new("so is one whose clock was set back a little", Lease::Renewed(-4 * MINUTE)),
    Case::back("before unregistering the way is back", SILENT),
    Case::back("a lease from far ahead is no sign of life", Lease::Renewed(-60 * MINUTE)),
    Case::back("a run that ended in the gap has given its lease back", Lease::Released),
    Case::back("another run does not speak for the one that is gone", Lease::Another),
    Case::back("a damaged lease counts by its time", Lease::Damaged(6 * MINUTE)),
    Case::new("also when that is short", Lease::Damaged(MINUTE)),
    Case::forward("after it the way is forward", &[]),
    Case::forward("what is registered is not registered again", &[NEW]),
    Case {
        back: &[NEW],
        ..Case::forward("a name that stays is the new release's when the old one is unregistered", &[])
    },
    Case { back: &[NEW], ..Case::forward("nor is it the old one's when the new type is registered", &[NEW]) },
    Case {
        back: &[NEW],
        registered: &[NEW],
        registered_release: "7.0.0.1",
        policy_after: &[CERTIFICATE, NEW],
        registered_after: &[NEW],
        ..Case::back("before that the way is back, whatever the name", SILENT)
    },
    Case {
        back: &[OLD, NEW],
        registered: &[OLD],
        ..Case::back("of several names the one that is still registered goes back", SILENT)
    },
    Case::failing("what fails is told, and tried again", Trouble::NoPackage, "MultiFactorAuthAdfsAdapter"),
    Case::failing(
        "also where nothing is registered, nor can be",
        Trouble::NoRegistration,
        "there is nothing to register",
    ),
    Case {
        registered_after: &[OLD],
        registered: &[OLD],
        ..Case::failing("AD FS may stand still", Trouble::Stopped, "MSIS7612")
    },
    Case {
        registered_after: &[OLD],
        registered: &[OLD],
        ..Case::failing("what was not written is not said to be", Trouble::ReadOnly, "ADMIN0120")
    },
    Case {
        policy: &[OLD, CERTIFICATE],
        policy_after: &[OLD, CERTIFICATE],
        ..Case::new("a silent run that had not opened the gap may still do so", Lease::Renewed(20 * MINUTE))
    },
    Case {
        policy: &[OLD, CERTIFICATE],
        policy_after: &[OLD, CERTIFICATE],
        stays: false,
        ..Case::new("not after half an hour", Lease::Renewed(31 * MINUTE))
    },
    Case {
        policy: &[NEW],
        registered: &[NEW],
        policy_after: &[NEW],
        registered_after: &[NEW],
        stays: false,
        ..Case::new("nothing is guarded after a run that ended with the gap closed", Lease::Released)
    },
];

#[test]
fn a_guard_closes_the_gap_of_a_silent_run_alone() {
    let Some(powershell) = super::powershell_for("the guard") else { return };
    estate::prepare(&powershell);
    for case in CASES {
        check(case, Some(&powershell));
    }
}

#[test]
fn native_hosts_play_the_guard_alike() {
    for case in CASES {
        check(case, None);
    }
}

#[track_caller]
fn check(case: &Case, powershell: Option<&Path>) {
    let about = case.about;
    let estate = estate_of(case);
    let host = HostFolder::new(&estate.host);
    enable(case, &estate, powershell);
    put_lease(case.lease, &lease(&estate));
    trouble(case.trouble, &estate, &host);
    assert!(scheduler::let_run(&host, TASK, powershell).expect("it runs"), "{about}");
    let farm = estate.farm();
    assert_eq!(farm["policy"], json!(case.policy_after), "{about}");
    let providers = farm["providers"].as_array().expect("a list").iter();
    let registered: Vec<&Value> = providers.map(|one| &one["name"]).collect();
    assert_eq!(json!(registered), json!(case.registered_after), "{about}");
    assert_eq!(estate.state()["scheduled_tasks"].get(TASK).is_some(), case.stays, "{about}");
    let acted = std::fs::read_to_string(estate.path(&format!("{WORK}\\guard\\acted.json"))).unwrap_or_default();
    let acted: Value = serde_json::from_str(acted.trim_start_matches('\u{feff}')).unwrap_or_default();
    match case.acted {
        None => assert_eq!(acted, Value::Null, "{about}"),
        Some(way @ ("back" | "forward")) => assert_eq!(acted["direction"], way, "{about}: {acted}"),
        Some(part) => {
            assert!(acted["problem"].as_str().is_some_and(|problem| problem.contains(part)), "{about}: {acted}");
            assert_eq!((&acted["direction"], &acted["provider_names"]), (&Value::Null, &json!([])), "{about}");
        }
    }
    // What the next plan needs to know that AD FS has to be restarted, and never the configuration.
    let record = std::fs::read_to_string(estate.path(&format!("{WORK}\\adapter-registered.json"))).unwrap_or_default();
    assert_eq!(record.contains("Version=7.0.0.9"), case.acted == Some("forward"), "{about}: {record}");
    assert!(!acted.to_string().contains("M4rk3r-Secret"), "{about}: {acted}");
}

fn put_lease(lease: Lease, path: &Path) {
    match lease {
        Lease::Renewed(seconds) => age(path, seconds),
        Lease::Released => std::fs::remove_file(path).expect("the lease can go"),
        Lease::Another => std::fs::write(path, r#"{"run":"another"}"#).expect("a lease"),
        Lease::Damaged(seconds) => {
            std::fs::write(path, "{").expect("a lease");
            age(path, seconds);
        }
    }
}

fn trouble(trouble: Trouble, estate: &Estate, host: &HostFolder) {
    if trouble == Trouble::NoPackage {
        std::fs::remove_file(estate.path(&format!("{PRODUCT}\\MultiFactorAuthAdfsAdapter.dll"))).expect("it can go");
    }
    let change = |state: &mut State| {
        match trouble {
            Trouble::NoPackage => state.file_versions.clear(),
            Trouble::Stopped => {
                "Stopped".clone_into(&mut state.services.get_mut("adfssrv").expect("AD FS").state);
            }
            Trouble::ReadOnly => {
                state.adfs.as_mut().expect("a farm").refuses_system = Some("write".to_owned());
            }
            Trouble::None | Trouble::NoRegistration => {}
        }
        Ok::<_, LabError>(())
    };
    host.update(change).expect("the state can be changed");
}

fn estate_of(case: &Case) -> Estate {
    let hosts = std::fs::read(super::script_folder().join("cases/_hosts.json")).expect("hosts");
    let mut description = serde_json::from_slice::<Value>(&hosts).expect("JSON")["adfs_primary"].take();
    let release = |name: &str| if name == OLD { "6.3.0.17452" } else { case.registered_release };
    let provider =
        |name: &&str| json!({ "name": name, "type_name": type_name(release(name)), "configuration": "<C/>" });
    let providers: Vec<Value> = case.registered.iter().map(provider).collect();
    estate::merge(&mut description["farm"], &json!({ "policy": case.policy, "providers": providers }));
    let vendor = format!("Register-AdfsAuthenticationProvider -TypeName '{}' -Name '{NEW}'\n", type_name("7.0.0.9"));
    let files = json!({
        format!("{WORK}\\lease.json"): format!(r#"{{"run":"{RUN}"}}"#),
        format!("{WORK}\\adapter-merged.config"): "<C>M4rk3r-Secret</C>",
        format!("{PRODUCT}\\MultiFactorAuthAdfsAdapter.dll"): { "adapter": "7.0.0.9" },
        format!("{PRODUCT}\\Register-MultiFactorAuthenticationAdfsAdapter.ps1"): vendor,
    });
    estate::merge(&mut description["files"], &files);
    Estate::new(&description)
}

fn enable(case: &Case, estate: &Estate, powershell: Option<&Path>) {
    let mut arguments = json!({
        "run": RUN,
        "back": case.back,
        "forward": NEW,
        "registration_script": format!("{PRODUCT}\\Register-MultiFactorAuthenticationAdfsAdapter.ps1"),
        "configuration_path": format!("{WORK}\\adapter-merged.config"),
        "silent_seconds": 300,
    });
    if case.trouble == Trouble::NoRegistration {
        arguments["registration_script"] = Value::Null;
    }
    let reply = ask(estate, powershell, "Enable-SecondFactorGuard", &arguments);
    assert_eq!(reply["ok"], true, "{}: {reply}", case.about);
}

fn ask(estate: &Estate, powershell: Option<&Path>, script: &str, arguments: &Value) -> Value {
    let answer = match powershell {
        Some(powershell) => wire::call(powershell, &estate.host, script, arguments, b""),
        None => wire::call_native(&estate.host, script, arguments, b""),
    };
    answer.reply.unwrap_or_else(|| panic!("no reply: {} {}", answer.stdout, answer.stderr))
}

fn type_name(version: &str) -> String {
    format!(
        "pfadfs.AuthenticationAdapter, MultiFactorAuthAdfsAdapter, Version={version}, Culture=neutral, \
         PublicKeyToken=31bf3856ad364e35"
    )
}

fn lease(estate: &Estate) -> std::path::PathBuf {
    estate.path(&format!("{WORK}\\lease.json"))
}

/// Makes a file so many seconds old, or, when negative, from so far ahead.
fn age(path: &Path, seconds: i64) {
    let (apart, now) = (Duration::from_secs(seconds.unsigned_abs()), SystemTime::now());
    let time = if seconds < 0 { now + apart } else { now - apart };
    File::options().write(true).open(path).expect("the lease").set_modified(time).expect("its time can be set");
}
