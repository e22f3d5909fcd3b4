//! A served estate: the wire in front of hosts on disk.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::runtime::Runtime;

use crate::lab::estate::{Estate, demo};
use crate::lab::host::error::LabError;
use crate::lab::host::machine::{LabMachine, Link, Player};
use crate::lab::host::powershell::PowerShell;
use crate::lab::wire::host::{Reachability, Settings, SimulatedHost};
use crate::lab::wire::machine::Account;
use crate::lab::wire::ntlm::acceptor::Rigour;
use crate::lab::wire::server::WireServer;

/// How hosts answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// The lab plays every script itself.
    #[default]
    Native,
    /// Every script runs under real PowerShell.
    PowerShell,
}

/// A running lab. Dropping it ends it; the estate stays where it is.
pub struct Lab {
    /// What a connection takes as its `proxy`.
    pub proxy_url: String,
    /// A file with the certificates to trust.
    pub ca_file: PathBuf,
    /// The administrator account of every host.
    pub username: String,
    pub password: String,
    estate: Estate,
    wire: Arc<WireServer>,
    /// Only when nobody else's runtime serves it.
    runtime: Option<Runtime>,
}

/// A lab before it runs.
pub struct Builder {
    estate: Estate,
    mode: Mode,
    settings: BTreeMap<String, Settings>,
    proxy_login: Option<String>,
}

impl Lab {
    /// Serves an estate on the current tokio runtime.
    pub async fn start(estate: &Estate, mode: Mode) -> Result<Self, LabError> {
        Self::builder(estate).mode(mode).start().await
    }

    /// Serves an estate on threads of its own, for callers that are not asynchronous.
    pub fn start_in_background(estate: &Estate, mode: Mode) -> Result<Self, LabError> {
        Self::builder(estate).mode(mode).start_in_background()
    }

    pub fn builder(estate: &Estate) -> Builder {
        Builder { estate: estate.clone(), mode: Mode::default(), settings: BTreeMap::new(), proxy_login: None }
    }

    /// The hosts at rest: versions, promotions, faults, journal.
    pub fn estate(&self) -> &Estate {
        &self.estate
    }

    /// The wire in front of them: what was sent, what goes wrong there.
    pub fn wire(&self) -> &WireServer {
        &self.wire
    }

    /// A host on the wire, by its full name. Panics when there is none: a mistake of the test.
    #[track_caller]
    pub fn host(&self, name: &str) -> Arc<SimulatedHost> {
        self.wire.host(name)
    }

    /// A port of this machine that leads to a host's web site, for clients that use no proxy. Not from within a runtime.
    ///
    /// # Panics
    /// When the lab was not started in the background, or there is no such host: mistakes of the test.
    #[track_caller]
    pub fn web_port(&self, host: &str, secure: bool) -> u16 {
        let runtime = self.runtime.as_ref().expect("a lab that was started in the background");
        runtime.block_on(self.wire.open_web_port(host, secure)).expect("loopback has ports").port()
    }

    /// Makes a host reachable or not.
    #[track_caller]
    pub fn set_reachability(&self, host: &str, reachability: Reachability) {
        self.wire.host(host).set_reachability(reachability);
    }

    /// Restarts a host: its shells and connections are gone, what ran there has ended, and it answers again.
    pub fn restart(&self, host: &str) -> Result<(), LabError> {
        let on_wire = self.wire.host(host);
        on_wire.go_down();
        let restarted = self.estate.reboot(host);
        on_wire.set_reachability(Reachability::Reachable);
        restarted
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::from_millis(200));
        }
    }
}

impl Builder {
    #[must_use]
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// How WinRM is set up on one host.
    #[must_use]
    pub fn winrm(mut self, host: &str, settings: Settings) -> Self {
        self.settings.insert(host.to_ascii_lowercase(), settings);
        self
    }

    /// Lets the proxy ask for `user:password`.
    #[must_use]
    pub fn proxy_login(mut self, login: &str) -> Self {
        self.proxy_login = Some(login.to_owned());
        self
    }

    /// Serves the estate on the current tokio runtime.
    pub async fn start(mut self) -> Result<Lab, LabError> {
        let player = self.player()?;
        let Self { estate, settings: winrm, proxy_login, .. } = &mut self;
        let settings = estate.settings()?;
        let account = Account::administrator(&settings.username, &settings.password);
        let link: Link = Arc::new(OnceLock::new());
        let mut builder = WireServer::builder();
        if let Some(login) = proxy_login {
            builder = builder.proxy_login(login);
        }
        for name in &settings.hosts {
            let folder = estate.host(name)?;
            let machine = LabMachine::new(name, folder, account.clone(), player.clone(), Arc::clone(&link));
            // Stricter than Windows, so that it is noticed when the provider's logon loses something.
            let strict = || Settings { ntlm: Rigour::Strict, ..Settings::default() };
            let settings = winrm.remove(&name.to_ascii_lowercase()).unwrap_or_else(strict);
            builder = builder.host_with(Arc::new(machine), settings);
        }
        if let Some(name) = winrm.keys().next() {
            return Err(LabError::request(format!("the estate has no host {name}")));
        }
        let wire = Arc::new(builder.start().await?);
        // Nothing else sets it.
        let _ = link.set(Arc::downgrade(&wire));
        let ca_file = estate.folder().join("ca.pem");
        std::fs::write(&ca_file, wire.authority_pem()).map_err(LabError::file(&ca_file))?;
        Ok(Lab {
            proxy_url: wire.proxy_url(),
            ca_file,
            username: settings.username,
            password: settings.password,
            estate: estate.clone(),
            wire,
            runtime: None,
        })
    }

    /// Serves the estate on threads of its own.
    pub fn start_in_background(self) -> Result<Lab, LabError> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.map_err(LabError::file(self.estate.folder()))?;
        let mut lab = runtime.block_on(self.start())?;
        lab.runtime = Some(runtime);
        Ok(lab)
    }

    fn player(&self) -> Result<Player, LabError> {
        let name = if self.mode == Mode::Native { "native" } else { "powershell" };
        self.estate.update_settings(|settings| name.clone_into(&mut settings.mode))?;
        if self.mode == Mode::Native {
            return Ok(Player::Native);
        }
        let powershell = PowerShell::find()?;
        powershell.prepare(&self.estate.hosts()?, &demo::RELEASES)?;
        Ok(Player::PowerShell(powershell))
    }
}
