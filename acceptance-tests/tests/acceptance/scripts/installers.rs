//! An installation from start to result: it outlives the process that started it, and only one runs.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::estate::{self, Estate};
use super::wire;

const FOLDER: &str = "C:\\ProgramData\\terraform-provider-azuremfa\\installers";
const MSI: &str = "C:\\Setup\\Portal Setup64.msi";
/// Of the text "package".
const SHA256: &str = "bc4a71180870f7945155fbb02f4b0a2e3faa2a62d6d31b7039013055ed19869a";

#[test]
fn an_installation_outlives_its_caller() {
    let Some(powershell) = super::powershell_for("installations") else { return };
    let host = Host::new(&powershell);
    host.put("hold", "");
    host.put("exit-code", "3010");
    assert_eq!(host.state_of("one"), json!({ "state": "missing", "exit_code": null }));
    assert_eq!(host.start("one")["result"], json!({ "started": true, "log": format!("{FOLDER}\\one\\install.log") }));
    assert_eq!(host.state_of("one")["state"], "running");
    assert_eq!(host.start("one")["result"]["started"], false);
    assert_eq!(host.start("two")["error"]["kind"], "busy");
    assert_eq!(host.ask("Complete-Installer", &id("one"))["error"]["kind"], "busy");
    assert_eq!(host.ask("Get-HostFacts", &json!({}))["result"]["running_installation"], "one");
    std::fs::remove_file(host.estate.host.join("hold")).expect("let it go on");
    assert_eq!(host.await_end("one"), json!({ "state": "finished", "exit_code": 3010 }));
    let log = ["Installation completed successfully", "MainEngineThread is returning 0"];
    let complete = json!({ "exit_code": 3010, "reboot_required": true, "log": log });
    assert_eq!(host.ask("Complete-Installer", &id("one"))["result"], complete);
    // Asked once more, after a lost answer: the same, though the task is gone.
    assert_eq!(host.ask("Complete-Installer", &id("one"))["result"], complete);
    assert_eq!(host.estate.state()["scheduled_tasks"], json!({}));
    let arguments = std::fs::read_to_string(host.estate.host.join("installer-arguments")).expect("arguments");
    let log = format!("{FOLDER}\\one\\install.log");
    let expected = [MSI, "/qn", "TARGETVDIR=Multi Factor", "TARGETAPPPOOL=It's $(here)", "/l*v", &log];
    assert_eq!(arguments.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn an_interrupted_installation_is_not_taken_for_a_finished_one() {
    let Some(powershell) = super::powershell_for("installations") else { return };
    let host = Host::new(&powershell);
    host.put("hold", "");
    assert_eq!(host.start("cut")["result"]["started"], true);
    let task = &host.estate.state()["scheduled_tasks"]["\\terraform-provider-azuremfa\\cut"];
    // The task's process leads a group of its own, so that its end takes the installer with it, as a restart would.
    let group = format!("-{}", task["process_id"].as_i64().expect("a running process"));
    assert!(Command::new("kill").args(["-9", "--", &group]).status().expect("kill").success());
    assert_eq!(host.await_end("cut"), json!({ "state": "interrupted", "exit_code": null }));
    assert_eq!(host.ask("Complete-Installer", &id("cut"))["error"]["kind"], "precondition");
    std::fs::remove_file(host.estate.host.join("hold")).expect("let the next one go on");
    assert_eq!(host.start("cut")["result"]["started"], true);
    assert_eq!(host.await_end("cut"), json!({ "state": "finished", "exit_code": 0 }));
}

struct Host<'a> {
    powershell: &'a Path,
    estate: Estate,
}

impl<'a> Host<'a> {
    fn new(powershell: &'a Path) -> Self {
        let hosts = std::fs::read(super::script_folder().join("cases/_hosts.json")).expect("hosts");
        let mut description = serde_json::from_slice::<Value>(&hosts).expect("JSON")["bare"].take();
        estate::merge(&mut description["files"], &json!({ MSI: "package" }));
        Self { powershell, estate: Estate::new(&description) }
    }

    fn put(&self, file: &str, text: &str) {
        std::fs::write(self.estate.host.join(file), text).expect("a file");
    }

    #[track_caller]
    fn ask(&self, script: &str, arguments: &Value) -> Value {
        let answer = wire::call(self.powershell, &self.estate.host, script, arguments, b"");
        assert!(!answer.stdout.contains("M4rk3r-Secret"), "a line of the log that may not be shown: {}", answer.stdout);
        answer.reply.unwrap_or_else(|| panic!("no reply: {} {}", answer.stdout, answer.stderr))
    }

    #[track_caller]
    fn start(&self, installation: &str) -> Value {
        let arguments = ["/qn", "TARGETVDIR=Multi Factor", "TARGETAPPPOOL=It's $(here)"];
        let installation = json!({ "installation_id": installation, "file": MSI, "arguments": arguments,
            "sha256": SHA256, "timeout_minutes": 5 });
        self.ask("Start-Installer", &installation)
    }

    fn state_of(&self, installation: &str) -> Value {
        self.ask("Get-InstallerState", &id(installation))["result"].take()
    }

    /// Asks until it no longer runs; each question takes about a second.
    fn await_end(&self, installation: &str) -> Value {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let state = self.state_of(installation);
            if state["state"] != "running" || Instant::now() > deadline {
                return state;
            }
        }
    }
}

fn id(installation: &str) -> Value {
    json!({ "installation_id": installation })
}
