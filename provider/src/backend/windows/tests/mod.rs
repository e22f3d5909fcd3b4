//! Steps against a recorded runner: which scripts run with which arguments, and what their answers lead to.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use serde_json::{Value, json};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::address::HostAddress;
use crate::backend::release::{Component, Package, Release, Stated};
use crate::backend::windows::scripts::Script;

mod adfs;
mod balancer;
mod download;
mod files;
mod guard;
mod health;
mod leases;
mod packages;
mod verify;
mod web;
mod web_server;

/// A clock that moves only when it is told to, or slept on.
#[derive(Default)]
pub struct ManualClock {
    now: Mutex<Duration>,
    pauses: Mutex<Vec<Duration>>,
}

impl ManualClock {
    pub fn advance(&self, by: Duration) {
        *self.now.lock().expect("no panic") += by;
    }

    pub fn pauses(&self) -> Vec<Duration> {
        self.pauses.lock().expect("no panic").clone()
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> Duration {
        *self.now.lock().expect("no panic")
    }

    async fn sleep(&self, duration: Duration) {
        self.advance(duration);
        self.pauses.lock().expect("no panic").push(duration);
        tokio::task::yield_now().await;
    }
}

pub type Answer = Result<Value, Cause>;

/// Answers scripts from a list and notes what ran. A script with one answer left keeps giving it.
#[derive(Default)]
pub struct Recorder {
    answers: Mutex<BTreeMap<(String, String), VecDeque<Answer>>>,
    ran: Mutex<Vec<(String, String, Value)>>,
    /// What was received as raw input.
    pub received: Mutex<Vec<u8>>,
    /// What `Send-File` sends, in pieces.
    pub sends: Mutex<Vec<Bytes>>,
    /// Scripts that never end.
    pub hangs: Mutex<Vec<&'static str>>,
}

#[async_trait]
impl Runner for Recorder {
    async fn run(&self, host: &HostAddress, call: Call) -> Result<Value, Cause> {
        let name = call.script.name.to_owned();
        check_arguments(call.script, &call.arguments);
        self.ran.lock().expect("no panic").push((host.to_string(), name.clone(), call.arguments));
        let hangs = self.hangs.lock().expect("no panic").contains(&call.script.name);
        if hangs {
            std::future::pending::<()>().await;
        }
        if let Some(mut input) = call.input {
            while let Some(piece) = input.recv().await {
                self.received.lock().expect("no panic").extend_from_slice(&piece);
            }
        }
        if let Some(output) = call.output {
            let pieces = self.sends.lock().expect("no panic").clone();
            for piece in pieces {
                output.send(piece).await.map_err(|_| Cause::Stopped)?;
            }
        }
        let mut answers = self.answers.lock().expect("no panic");
        let queue = answers.get_mut(&(host.to_string(), name.clone())).unwrap_or_else(|| panic!("{name} on {host}"));
        if queue.len() > 1 { queue.pop_front().expect("an answer") } else { queue.front().expect("an answer").clone() }
    }
}

/// Arguments and parameters must fit: each argument has a parameter, each mandatory parameter an argument.
fn check_arguments(script: Script, arguments: &Value) {
    let parameters = script.source.split_once("\nparam(").map_or("", |(_, rest)| rest);
    let parameters = parameters.split_once("\n)").map_or(parameters, |(block, _)| block);
    let given: Vec<String> = arguments.as_object().expect("an object").keys().map(|key| pascal_case(key)).collect();
    let declared: Vec<(&str, bool)> = parameters
        .lines()
        .filter_map(|line| {
            let (before, name) = line.rsplit_once("] $")?;
            let name = name.split([',', ' ', '=']).next()?;
            Some((name, before.contains("Mandatory = $true")))
        })
        .collect();
    for name in &given {
        assert!(declared.iter().any(|(known, _)| known == name), "{} has no -{name}: {declared:?}", script.name);
    }
    for (name, mandatory) in declared {
        assert!(!mandatory || given.iter().any(|known| known == name), "{} needs -{name}", script.name);
    }
}

fn pascal_case(key: &str) -> String {
    key.split('_').map(|word| word[..1].to_ascii_uppercase() + &word[1..]).collect()
}

/// A backend over a recorder, with one release.
pub struct Estate {
    pub recorder: Arc<Recorder>,
    pub clock: Arc<ManualClock>,
    pub stop: CancellationToken,
    pub backend: WindowsBackend,
}

impl Estate {
    pub fn new() -> Self {
        Self::with(release())
    }

    /// With another release 7.0.0.9.
    pub fn with(release: Release) -> Self {
        let releases = Releases::new(BTreeMap::from([("7.0.0.9".to_owned(), release)]));
        let recorder = Arc::new(Recorder::default());
        let clock = Arc::new(ManualClock::default());
        let backend = WindowsBackend::over(recorder.clone(), Arc::new(releases), clock.clone());
        Self { recorder, clock, stop: CancellationToken::new(), backend }
    }

    /// Adds an answer of a script on a host.
    pub fn answer(self, host: &str, script: &str, answer: Value) -> Self {
        self.outcome(host, script, Ok(answer))
    }

    pub fn outcome(self, host: &str, script: &str, answer: Answer) -> Self {
        let key = (host.to_owned(), script.to_owned());
        self.recorder.answers.lock().expect("no panic").entry(key).or_default().push_back(answer);
        self
    }

    pub fn facts(self, host: &str, facts: &HostFacts) -> Self {
        self.answer(host, "Get-HostFacts", serde_json::to_value(facts).expect("JSON"))
    }

    pub async fn perform(&self, host: &str, action: Action) -> Result<Report, HostError> {
        let at: HostAddress = host.parse().expect("a host");
        self.backend.perform(&Step { host: at.name().to_owned(), action }, &at, &self.stop).await
    }

    pub async fn failure(&self, host: &str, action: Action) -> String {
        self.perform(host, action).await.expect_err("a failure").to_string()
    }

    /// The scripts that ran, each with its host.
    pub fn ran(&self) -> Vec<String> {
        let ran = self.recorder.ran.lock().expect("no panic");
        ran.iter().map(|(host, script, _)| format!("{host} {script}")).collect()
    }

    /// The arguments of the only run of a script.
    #[track_caller]
    pub fn arguments(&self, script: &str) -> Value {
        let ran = self.recorder.ran.lock().expect("no panic");
        let of_script: Vec<_> = ran.iter().filter(|(_, name, _)| name == script).collect();
        assert_eq!(of_script.len(), 1, "runs of {script}: {ran:?}");
        of_script[0].2.clone()
    }
}

pub const SHA256: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

pub fn setup() -> Package {
    Package {
        source: Stated::Known("https://files.contoso.com/7.0.0.9/Setup.exe".to_owned()),
        sha256: Stated::Known(SHA256.to_owned()),
        ..package(&["/quiet"])
    }
}

fn package(arguments: &[&str]) -> Package {
    let words = arguments.iter().map(|&word| word.to_owned()).collect();
    Package { arguments: Stated::Known(words), ..Package::default() }
}

fn release() -> Release {
    let place = ["TARGETVDIR={virtual_directory}", "TARGETSITE=/LM/W3SVC/{site_id}"];
    Release::new(BTreeMap::from([
        (Component::ServerSetup, setup()),
        (Component::WebServiceSdk, package(&place)),
        (Component::UserPortal, package(&place)),
        (Component::AdfsAdapter, package(&["/qn"])),
    ]))
}

/// TLS for a server called localhost, and its certificate in PEM.
pub fn localhost() -> (TlsAcceptor, String) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
    let tls = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .expect("a server");
    (TlsAcceptor::from(Arc::new(tls)), made.cert.pem())
}

/// A host with nothing on it.
pub fn facts() -> HostFacts {
    serde_json::from_value(json!({
        "computer_name": "MFA01",
        "operating_system": {"caption": "Microsoft Windows Server 2016 Standard", "version": "10.0.14393"},
        "powershell_version": "5.1.14393.5582",
        "administrator": true,
        "work_folder": "C:\\ProgramData\\terraform-provider-azuremfa",
        "dotnet_release": 394802, "vc_redist_x64": null, "vc_redist_x86": null,
        "pending_reboot": [], "running_installation": null,
        "server": null, "web": [], "adfs": null,
    }))
    .expect("facts")
}

/// A host with MFA Server.
pub fn server(version: &str) -> HostFacts {
    let server = serde_json::from_value(json!({
        "install_path": "C:\\Program Files\\Multi-Factor Authentication Server\\",
        "data_folder": "C:\\Program Files\\Multi-Factor Authentication Server\\Data",
        "data_file_exists": true,
        "product_version": version, "product_name": "Multi-Factor Authentication Server", "file_version": version,
        "service_state": "Running", "service_start_mode": "Auto", "replication_port": null,
        "packages": [], "role_evidence": {"outbound": 1, "inbound": 0},
    }));
    HostFacts { server: Some(server.expect("a server")), ..facts() }
}

/// A host with a User Portal.
pub fn portal(version: &str) -> HostFacts {
    let portal = serde_json::from_value(json!({
        "component": "user_portal", "site": "Default Web Site", "site_id": 1, "virtual_directory": "MultiFactorAuth",
        "physical_path": "C:\\inetpub\\wwwroot\\MultiFactorAuth", "application_pool": "MfaPool",
        "pool_runtime": "v4.0", "pool_pipeline": "Integrated", "product_version": version, "file_version": version,
        "web_config_exists": true, "placeholders": [], "web_service_sdk_url": null,
    }));
    HostFacts { web: vec![portal.expect("a portal")], ..facts() }
}

/// An AD FS server with the adapter.
pub fn adfs(version: &str, assembly: &str) -> HostFacts {
    let type_name =
        format!("MultiFactorAuthAdfsAdapter, Version={assembly}, Culture=neutral, PublicKeyToken=31bf3856ad364e35");
    let adfs = serde_json::from_value(json!({
        "service_state": "Running", "database": "wid", "role": "PrimaryComputer",
        "adapter_product_version": version, "adapter_folder": null, "adapter_assembly": type_name,
        "restarted_since_install": true, "restarted_since_registration": true,
        "providers": [{"name": "AzureMfaServerAuthentication",
                       "type_name": format!("pfadfs.AuthenticationAdapter, {type_name}")}],
        "policy": [], "rules": [], "synchronized": null, "primary": null,
    }));
    HostFacts { adfs: Some(adfs.expect("AD FS")), ..facts() }
}

#[tokio::test]
async fn a_step_ends_the_answers_about_its_host() {
    let estate = Estate::new().facts("mfa01", &facts()).facts("mfa02", &facts()).answer(
        "mfa01",
        "Set-ApplicationPoolRuntime",
        json!({"before": "v2.0", "already": false}),
    );
    for host in ["mfa01", "mfa02"] {
        estate.backend.observe(&HostAddress::named(host), false).await.expect("facts");
    }
    estate.perform("mfa01", Action::SetApplicationPool { application_pool: "P".to_owned() }).await.expect("done");
    for host in ["mfa01", "mfa02"] {
        estate.backend.observe(&HostAddress::named(host), false).await.expect("facts");
    }
    assert_eq!(
        estate.ran(),
        ["mfa01 Get-HostFacts", "mfa02 Get-HostFacts", "mfa01 Set-ApplicationPoolRuntime", "mfa01 Get-HostFacts"]
    );
}

#[tokio::test]
async fn what_a_proof_has_read_serves_the_caller() {
    let estate = Estate::new().facts("mfa01", &server("7.0.0.9"));
    let verify = Action::VerifyServer { version: "7.0.0.9".to_owned(), sdk: false };
    estate.perform("mfa01", verify).await.expect("proven");
    estate.backend.observe(&HostAddress::named("mfa01"), false).await.expect("facts");
    assert_eq!(estate.ran(), ["mfa01 Get-HostFacts"]);
}

#[tokio::test]
async fn nothing_begins_once_the_run_is_to_stop() {
    let estate = Estate::new();
    estate.stop.cancel();
    let message = estate.failure("mfa01", Action::RestartAdfs).await;
    assert_eq!(message, "mfa01: could not restart AD FS: the run was asked to stop before this step was done");
    assert!(estate.ran().is_empty());
}

#[tokio::test]
async fn what_only_a_person_can_do_is_never_performed() {
    let estate = Estate::new();
    estate.failure("mfa01", Action::ByHand { instruction: "promote".to_owned() }).await;
    estate.failure("mfa01", Action::Wait { reason: "mfa-eu".to_owned() }).await;
    estate.perform("mfa01", Action::TrafficNotManaged).await.expect("nothing to do");
    assert!(estate.ran().is_empty());
}

#[tokio::test]
async fn an_answer_of_another_shape_is_no_success() {
    let estate = Estate::new().answer("mfa01", "Get-HostFacts", json!({"computer_name": "MFA01"}));
    let error = estate.backend.observe(&HostAddress::named("mfa01"), false).await.expect_err("no facts");
    assert!(matches!(error.cause, Cause::Unintelligible(_)), "{error}");
}
