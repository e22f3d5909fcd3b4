//! One upgrade, step by step, on a native estate and on one under real PowerShell: the same replies, the same journal
//! and the same state afterwards.

use std::time::{Duration, Instant};

use acceptance_tests::lab::estate::releases::ReleaseFile;
use acceptance_tests::lab::estate::{Estate, demo};
use acceptance_tests::lab::host::product::release;
use acceptance_tests::lab::server::{Lab, Mode};
use serde_json::{Value, json};

use super::call::{Shell, data, reply};
use crate::scripts::powershell_for;

const WORK: &str = "C:\\ProgramData\\terraform-provider-azuremfa";
const INSTALL_FOLDER: &str = "C:\\Program Files\\Multi-Factor Authentication Server";
const PORTAL_FOLDER: &str = "C:\\inetpub\\wwwroot\\MultiFactorAuth";
const OLD: &str = "WindowsAzureMultiFactorAuthentication";
const NEW: &str = "AzureMfaServerAuthentication";

#[tokio::test(flavor = "multi_thread")]
async fn both_modes_come_to_the_same() {
    if powershell_for("lab in both modes").is_none() {
        return;
    }
    // First the one that makes files with versions: the other then has the same.
    let powershell = upgrade(Mode::PowerShell).await;
    let native = upgrade(Mode::Native).await;
    for (one, other) in native.replies.iter().zip(&powershell.replies) {
        assert_eq!(one, other);
    }
    assert_eq!(native.replies.len(), powershell.replies.len());
    assert_eq!(native.journal, powershell.journal);
    for ((name, one), (_, other)) in native.states.iter().zip(&powershell.states) {
        assert_eq!(one, other, "{name}");
    }
}

/// What an upgrade left.
struct Outcome {
    replies: Vec<(String, Value)>,
    journal: Vec<Value>,
    states: Vec<(String, Value)>,
}

/// An upgrade under way.
struct Upgrade {
    lab: Lab,
    replies: Vec<(String, Value)>,
}

async fn upgrade(mode: Mode) -> Outcome {
    let estate = demo::temporary().expect("an estate");
    estate.set_installer_time(20).expect("set");
    let lab = Lab::start(&estate, mode).await.expect("a lab");
    let mut upgrade = Upgrade { lab, replies: Vec::new() };
    upgrade.server("mfa02.contoso.com", &estate.server_setup("7.0.0.9")).await;
    upgrade.portal("portal01.dmz.contoso.com").await;
    upgrade.adapter("adfs01.contoso.com").await;
    for host in ["mfa02.contoso.com", "portal01.dmz.contoso.com", "adfs01.contoso.com", "adfs02.contoso.com"] {
        upgrade.ask(host, "Get-HostFacts", json!({})).await;
    }
    Outcome { replies: upgrade.replies, journal: journal(&estate), states: states(&estate) }
}

impl Upgrade {
    async fn ask(&mut self, host: &str, script: &str, arguments: Value) -> Value {
        let mut shell = Shell::open(&self.lab, host).await;
        let answer = shell.ask(script, &arguments).await;
        assert_eq!(answer["ok"], true, "{host} {script} {answer}");
        self.replies.push((format!("{host} {script}"), without_times(answer.clone())));
        answer["result"].clone()
    }

    async fn server(&mut self, host: &str, setup: &ReleaseFile) {
        let data = json!({ "source": format!("{INSTALL_FOLDER}\\Data"), "backup_id": "mfa-eu", "name": "data" });
        self.ask(host, "Backup-Directory", data).await;
        let file_name = "MultiFactorAuthenticationServerSetup.exe";
        let fetch = json!({ "url": setup.url, "sha256": setup.sha256, "file_name": file_name, "maximum_length": 1_000_000_000 });
        let file = self.ask(host, "Save-ReleaseFile", fetch).await["path"].as_str().expect("a path").to_owned();
        self.install(host, "server_setup-7.0.0.9", &file, &["/quiet", "/norestart"]).await;
        self.ask(host, "Complete-Backup", json!({ "backup_id": "mfa-eu" })).await;
    }

    async fn portal(&mut self, host: &str) {
        let backup = json!({ "source": PORTAL_FOLDER, "backup_id": "portal", "name": "portal" });
        self.ask(host, "Backup-Directory", backup).await;
        let package = self.bring(host, "MultiFactorAuthenticationUserPortalSetup64.msi").await;
        let arguments = ["TARGETVDIR=MultiFactorAuth", "TARGETSITE=/LM/W3SVC/1", "TARGETAPPPOOL=DefaultAppPool", "/qn"];
        self.install(host, "user_portal-7.0.0.9-MultiFactorAuth", &package, &arguments).await;
        let merge = json!({ "path": format!("{PORTAL_FOLDER}\\web.config"), "backup_id": "portal", "name": "portal" });
        assert_eq!(self.ask(host, "Merge-WebConfig", merge).await["outcome"], "merged");
        let theme = json!({ "path": PORTAL_FOLDER, "backup_id": "portal", "name": "portal",
            "subfolder": "App_Themes\\Default" });
        self.ask(host, "Compare-Directory", theme).await;
        let pool = json!({ "application_pool": "DefaultAppPool", "runtime": "v4.0" });
        self.ask(host, "Set-ApplicationPoolRuntime", pool).await;
    }

    async fn adapter(&mut self, host: &str) {
        let package = self.bring(host, "MultiFactorAuthenticationAdfsAdapterSetup64.msi").await;
        let script = self.bring(host, "Register-MultiFactorAuthenticationAdfsAdapter.ps1").await;
        let template = self.bring(host, "MultiFactorAuthenticationAdfsAdapter.config").await;
        let (exported, merged) = (format!("{WORK}\\adapter-exported.config"), format!("{WORK}\\adapter-merged.config"));
        self.ask(host, "Export-AdapterConfiguration", json!({ "provider_name": OLD, "path": exported })).await;
        let merge = json!({ "exported_path": exported, "template_path": template, "output_path": merged });
        self.ask(host, "Merge-AdapterConfiguration", merge).await;
        self.install(host, "adfs_adapter-7.0.0.9", &package, &["/qn"]).await;
        self.ask(host, "Set-AuthenticationPolicy", json!({ "enable": [], "disable": [OLD] })).await;
        self.ask(host, "Unregister-Adapter", json!({ "provider_name": OLD })).await;
        let register = json!({ "provider_name": NEW, "registration_script": script, "configuration_path": merged });
        self.ask(host, "Register-Adapter", register).await;
        assert_eq!(self.ask(host, "Restart-AdfsService", json!({})).await["load_errors"], json!([]));
        self.ask(host, "Get-AdfsSynchronization", json!({})).await;
        self.ask(host, "Set-AuthenticationPolicy", json!({ "enable": [NEW], "disable": [] })).await;
        for file in [exported, merged] {
            self.ask(host, "Remove-WorkFile", json!({ "path": file })).await;
        }
    }

    /// Brings a file from the upgraded server; gives its path on the host.
    async fn bring(&mut self, host: &str, file: &str) -> String {
        let source = json!({ "path": format!("{INSTALL_FOLDER}\\{file}"), "maximum_length": 1_000_000 });
        let sent = Shell::open(&self.lab, "mfa02.contoso.com").await.run("Send-File", &source, b"").await;
        assert_eq!(reply(&sent)["ok"], true);
        let (bytes, target) = (data(&sent), format!("{WORK}\\staging\\7.0.0.9\\{file}"));
        let arguments = json!({ "path": target, "length": bytes.len(), "sha256": release::sha256(&bytes) });
        let received = Shell::open(&self.lab, host).await.run("Receive-File", &arguments, &bytes).await;
        self.replies.push((format!("{host} Receive-File"), reply(&received)));
        target
    }

    async fn install(&mut self, host: &str, id: &str, file: &str, arguments: &[&str]) {
        let sha256 = self.ask(host, "Get-FileIdentity", json!({ "path": file })).await["sha256"].clone();
        let start = json!({ "installation_id": id, "file": file, "arguments": arguments, "sha256": sha256,
            "timeout_minutes": 5 });
        self.ask(host, "Start-Installer", start).await;
        let id = json!({ "installation_id": id });
        let deadline = Instant::now() + Duration::from_secs(60);
        let mut shell = Shell::open(&self.lab, host).await;
        while shell.ask("Get-InstallerState", &id).await["result"]["state"] == "running" && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.ask(host, "Get-InstallerState", id.clone()).await;
        self.ask(host, "Complete-Installer", id).await;
    }
}

fn journal(estate: &Estate) -> Vec<Value> {
    let entries = estate.journal().expect("a journal").into_iter();
    entries.map(|entry| without_times(json!([entry.host, entry.what, entry.detail]))).collect()
}

/// The states without what differs between two runs: times, numbers of processes, and what only one side knows.
fn states(estate: &Estate) -> Vec<(String, Value)> {
    let hosts = estate.hosts().expect("hosts").into_iter();
    let states = hosts.map(|host| host.state().expect("a state"));
    let whole = states.map(|mut state| {
        state.acls = None;
        (state.name.clone(), without_times(serde_json::to_value(&state).expect("JSON")))
    });
    whole.collect()
}

/// Texts that are times, and those with a time in a folder's name, become one text.
fn without_times(value: Value) -> Value {
    match value {
        Value::String(text) => {
            let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
            let is_time = shape == "0000-00-00T00:00:00Z";
            let stamp = shape.find("00000000T000000Z").map(|start| format!("{}<stamp>", &text[..start]));
            if is_time { json!("<time>") } else { json!(stamp.unwrap_or(text)) }
        }
        Value::Array(items) => items.into_iter().map(without_times).collect(),
        Value::Object(entries) => entries.into_iter().map(|(key, value)| (key, without_times(value))).collect(),
        other => other,
    }
}
