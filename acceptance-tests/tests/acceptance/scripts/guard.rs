//! The guard of the second factor when its minute has come: its own script under the real PowerShell, and the lab's play.

use std::fs::File;
use std::path::Path;
use std::time::{Duration, SystemTime};

use acceptance_tests::lab::host::folder::HostFolder;
use acceptance_tests::lab::host::native::scripts::guard::TASK;
use acceptance_tests::lab::host::scheduler;
use serde_json::{Value, json};

use super::estate::{self, Estate};
use super::wire;

const WORK: &str = "C:\\ProgramData\\terraform-provider-azuremfa";
const PRODUCT: &str = "C:\\Program Files\\Multi-Factor Authentication Server";
const OLD: &str = "WindowsAzureMultiFactorAuthentication";
const NEW: &str = "AzureMfaServerAuthentication";
const CERTIFICATE: &str = "CertificateAuthentication";
const MINUTE: u64 = 60;

/// How a farm is when the guard looks, and how it shall be afterwards.
struct Case {
    about: &'static str,
    /// How long ago the lease was renewed, in seconds; none: the run gave it back.
    silence: Option<u64>,
    policy: &'static [&'static str],
    registered: &'static [&'static str],
    /// Whether the new adapter is installed and its configuration there.
    prepared: bool,
    policy_after: &'static [&'static str],
    registered_after: &'static [&'static str],
    /// `direction` of the record, or a part of its `problem`; none: no record.
    acted: Option<&'static str>,
    stays: bool,
}

impl Case {
    const fn new(about: &'static str, silence: Option<u64>) -> Self {
        Self {
            about,
            silence,
            policy: &[CERTIFICATE],
            registered: &[OLD],
            prepared: true,
            policy_after: &[CERTIFICATE],
            registered_after: &[OLD],
            acted: None,
            stays: true,
        }
    }
}

const CASES: &[Case] = &[
    Case::new("a run that renews its lease is left alone, gap or no gap", Some(4 * MINUTE)),
    Case {
        policy_after: &[CERTIFICATE, OLD],
        acted: Some("back"),
        stays: false,
        ..Case::new("before unregistering the way is back", Some(6 * MINUTE))
    },
    Case {
        policy_after: &[CERTIFICATE, OLD],
        acted: Some("back"),
        stays: false,
        ..Case::new("a run that ended in the gap has given its lease back", None)
    },
    Case {
        registered: &[],
        policy_after: &[CERTIFICATE, NEW],
        registered_after: &[NEW],
        acted: Some("forward"),
        stays: false,
        ..Case::new("after it the way is forward", Some(6 * MINUTE))
    },
    Case {
        registered: &[NEW],
        policy_after: &[CERTIFICATE, NEW],
        registered_after: &[NEW],
        acted: Some("forward"),
        stays: false,
        ..Case::new("what is registered is not registered again", Some(6 * MINUTE))
    },
    Case {
        registered: &[],
        prepared: false,
        registered_after: &[],
        acted: Some("MultiFactorAuthAdfsAdapter"),
        ..Case::new("what fails is told, and tried again the next minute", Some(6 * MINUTE))
    },
    Case {
        policy: &[OLD, CERTIFICATE],
        policy_after: &[OLD, CERTIFICATE],
        ..Case::new("a silent run that had not opened the gap may still do so", Some(20 * MINUTE))
    },
    Case {
        policy: &[OLD, CERTIFICATE],
        policy_after: &[OLD, CERTIFICATE],
        stays: false,
        ..Case::new("not after half an hour", Some(31 * MINUTE))
    },
    Case {
        policy: &[NEW],
        registered: &[NEW],
        policy_after: &[NEW],
        registered_after: &[NEW],
        stays: false,
        ..Case::new("nothing is guarded after a run that ended with the gap closed", None)
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
    enable(&estate, powershell);
    match case.silence {
        None => std::fs::remove_file(lease(&estate)).expect("the lease can go"),
        Some(seconds) => age(&lease(&estate), seconds),
    }
    if !case.prepared {
        std::fs::remove_file(estate.path(&format!("{PRODUCT}\\MultiFactorAuthAdfsAdapter.dll"))).expect("it can go");
        host.update(|state| {
            state.file_versions.clear();
            Ok::<_, acceptance_tests::lab::host::error::LabError>(())
        })
        .expect("the state can be changed");
    }
    assert!(scheduler::let_run(&host, TASK, powershell).expect("it runs"), "{about}");
    let farm = estate.farm();
    assert_eq!(farm["policy"], json!(case.policy_after), "{about}");
    let registered: Vec<&Value> =
        farm["providers"].as_array().expect("a list").iter().map(|one| &one["name"]).collect();
    assert_eq!(json!(registered), json!(case.registered_after), "{about}");
    assert_eq!(estate.state()["scheduled_tasks"].get(TASK).is_some(), case.stays, "{about}");
    let acted = ask(&estate, powershell, "Disable-SecondFactorGuard", &json!({}))["result"]["acted"].take();
    match case.acted {
        None => assert_eq!(acted, Value::Null, "{about}"),
        Some(way @ ("back" | "forward")) => assert_eq!(acted["direction"], way, "{about}: {acted}"),
        Some(part) => assert!(acted["problem"].as_str().is_some_and(|problem| problem.contains(part)), "{acted}"),
    }
    // What the next plan needs to know that AD FS has to be restarted, and never the configuration.
    let has_registered = case.registered.is_empty() && case.prepared;
    let record = std::fs::read_to_string(estate.path(&format!("{WORK}\\adapter-registered.json"))).unwrap_or_default();
    assert_eq!(record.contains("Version=7.0.0.9"), has_registered, "{about}: {record}");
    assert!(!acted.to_string().contains("M4rk3r-Secret"), "{about}: {acted}");
}

fn estate_of(case: &Case) -> Estate {
    let hosts = std::fs::read(super::script_folder().join("cases/_hosts.json")).expect("hosts");
    let mut description = serde_json::from_slice::<Value>(&hosts).expect("JSON")["adfs_primary"].take();
    let provider = |name: &&str| json!({ "name": name, "type_name": type_name(name), "configuration": "<C/>" });
    let providers: Vec<Value> = case.registered.iter().map(provider).collect();
    estate::merge(&mut description["farm"], &json!({ "policy": case.policy, "providers": providers }));
    let vendor = format!("Register-AdfsAuthenticationProvider -TypeName '{}' -Name '{NEW}'\n", type_name(NEW));
    let files = json!({
        format!("{WORK}\\lease.json"): "{}",
        format!("{WORK}\\adapter-merged.config"): "<C>M4rk3r-Secret</C>",
        format!("{PRODUCT}\\MultiFactorAuthAdfsAdapter.dll"): { "adapter": "7.0.0.9" },
        format!("{PRODUCT}\\Register-MultiFactorAuthenticationAdfsAdapter.ps1"): vendor,
    });
    estate::merge(&mut description["files"], &files);
    Estate::new(&description)
}

fn enable(estate: &Estate, powershell: Option<&Path>) {
    let arguments = json!({
        "back": [OLD],
        "forward": NEW,
        "registration_script": format!("{PRODUCT}\\Register-MultiFactorAuthenticationAdfsAdapter.ps1"),
        "configuration_path": format!("{WORK}\\adapter-merged.config"),
        "silent_seconds": 300,
    });
    assert_eq!(ask(estate, powershell, "Enable-SecondFactorGuard", &arguments)["ok"], true);
}

fn ask(estate: &Estate, powershell: Option<&Path>, script: &str, arguments: &Value) -> Value {
    let answer = match powershell {
        Some(powershell) => wire::call(powershell, &estate.host, script, arguments, b""),
        None => wire::call_native(&estate.host, script, arguments, b""),
    };
    answer.reply.unwrap_or_else(|| panic!("no reply: {} {}", answer.stdout, answer.stderr))
}

fn type_name(name: &str) -> String {
    let version = if name == OLD { "6.3.0.17452" } else { "7.0.0.9" };
    format!(
        "pfadfs.AuthenticationAdapter, MultiFactorAuthAdfsAdapter, Version={version}, Culture=neutral, \
         PublicKeyToken=31bf3856ad364e35"
    )
}

fn lease(estate: &Estate) -> std::path::PathBuf {
    estate.path(&format!("{WORK}\\lease.json"))
}

fn age(path: &Path, seconds: u64) {
    let file = File::options().write(true).open(path).expect("the lease");
    file.set_modified(SystemTime::now() - Duration::from_secs(seconds)).expect("its time can be set");
}
