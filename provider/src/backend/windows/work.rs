//! What every step needs at hand: the host, the scripts, time, and a way to say what failed.

use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::address::HostAddress;
use crate::backend::Backend as _;
use crate::backend::error::{Cause, HostError};
use crate::backend::facts::HostFacts;
use crate::backend::release::{Component, Package, Stated};
use crate::backend::step::PackageSource;
use crate::backend::windows::WindowsBackend;
use crate::backend::windows::leftovers;
use crate::backend::windows::poll::{Ended, Poll};
use crate::backend::windows::runner::Call;
use crate::backend::windows::scripts::Script;

/// How long a host may be silent while it works: a restart takes that long on slow machines.
pub const SILENCE: Duration = Duration::from_secs(10 * 60);

/// How long a host may be silent in a step that makes a change whole and that may be done twice.
pub const SHORT_SILENCE: Duration = Duration::from_secs(3 * 60);

/// One step under way on one host.
pub struct Work<'a> {
    pub backend: &'a WindowsBackend,
    /// The host's name.
    pub host: &'a str,
    /// Where it is reached.
    pub at: &'a HostAddress,
    /// The step in words, as messages name it.
    pub operation: String,
    pub stop: &'a CancellationToken,
}

impl Work<'_> {
    /// Runs a script on the step's host.
    pub async fn run<T: DeserializeOwned>(&self, script: Script, arguments: Value) -> Result<T, HostError> {
        self.call(Call::new(script, arguments)).await
    }

    /// Runs a script on the step's host, with raw bytes.
    pub async fn call<T: DeserializeOwned>(&self, call: Call) -> Result<T, HostError> {
        self.backend.call(self.at, call).await.map_err(|cause| self.failure(cause))
    }

    /// Runs a script that may run twice, because it first looks whether its work is done: while the host is silent it is
    /// asked again. With `already` in the reply this step may have done the work all the same.
    pub async fn run_until_heard<T: DeserializeOwned + Send>(
        &self,
        script: Script,
        arguments: Value,
        limit: Duration,
    ) -> Result<T, HostError> {
        self.until_heard(limit, || self.run(script, arguments.clone())).await
    }

    /// Asks again while the host is silent, at most for `limit`: it may be restarting, or the network is away for a
    /// moment. Only for what has no effect or may be done twice.
    pub async fn until_heard<T, F>(&self, limit: Duration, ask: impl Fn() -> F) -> Result<T, HostError>
    where
        F: Future<Output = Result<T, HostError>> + Send,
    {
        let mut poll = self.poll(limit);
        loop {
            match ask().await {
                Err(error) if is_silence(&error) => {
                    if poll.pause().await.is_err() {
                        return Err(error);
                    }
                    tracing::warn!(host = self.host, step = self.operation, "the host is silent; asking again");
                }
                other => return other,
            }
        }
    }

    /// Deletes what may be left on the step's host of the transfer of a file.
    pub async fn remove_leftovers(&self, target: &str) {
        leftovers::remove(self.backend.runner().as_ref(), self.backend.clock(), self.at, target).await;
    }

    /// Reads the step's host anew.
    pub async fn facts(&self) -> Result<HostFacts, HostError> {
        self.backend.observe(self.at, true).await
    }

    /// What is known of the step's host from any earlier reading, for what steps do not change: its folders. During the
    /// gap in an AD FS policy a further query would cost seconds.
    pub async fn known_facts(&self) -> Result<HostFacts, HostError> {
        match self.backend.last_known(self.host).await {
            Some(facts) => Ok(facts),
            None => self.facts().await,
        }
    }

    /// What comes of it, or the failure of a step that was cut because the run is to stop.
    pub async fn unless_stopped<T>(&self, what: impl Future<Output = T>) -> Result<T, HostError> {
        tokio::select! {
            done = what => Ok(done),
            () = self.stop.cancelled() => Err(self.failure(Cause::Stopped)),
        }
    }

    /// The step's failure.
    pub fn failure(&self, cause: Cause) -> HostError {
        HostError { host: self.host.to_owned(), operation: self.operation.clone(), cause }
    }

    /// Pauses between polls of the step.
    pub fn poll(&self, limit: Duration) -> Poll<'_> {
        Poll::new(self.backend.clock(), self.stop, limit)
    }

    /// The failure of a wait that ended; `waiting` says what for and what goes on without us.
    pub fn ended(&self, ended: Ended, waiting: &str) -> HostError {
        match ended {
            Ended::Stopped => HostError { operation: waiting.to_owned(), ..self.failure(Cause::Stopped) },
            Ended::TimedOut => self.failure(Cause::Unproven(format!("gave up to {waiting}: it took too long"))),
        }
    }

    /// What the settings state about a component of a version.
    pub fn package(&self, version: &str, component: Component) -> Result<&Package, HostError> {
        let release = self.backend.releases().find(version);
        release.and_then(|release| release.package(component)).ok_or_else(|| {
            self.failure(Cause::Settings(format!(
                "the provider's releases[\"{version}\"] has no {}; state how it is installed",
                component.as_str()
            )))
        })
    }

    /// A setting of a component that the step cannot do without.
    pub fn stated<'s, T>(
        &self,
        setting: &'s Stated<T>,
        version: &str,
        component: Component,
        name: &str,
    ) -> Result<&'s T, HostError> {
        setting.known().ok_or_else(|| {
            self.failure(Cause::Settings(format!(
                "the provider's releases[\"{version}\"].{}.{name} is not stated",
                component.as_str()
            )))
        })
    }

    /// The folder on the step's host that holds a component's files.
    pub fn folder(&self, facts: &HostFacts, source: &PackageSource) -> Result<String, HostError> {
        match source {
            PackageSource::Staged { version } => Ok(staging(&facts.work_folder, version)),
            PackageSource::InstallFolder => facts
                .server
                .as_ref()
                .map(|server| server.install_path.clone())
                .ok_or_else(|| self.failure(Cause::Unproven("no MFA Server is installed on it".to_owned()))),
        }
    }
}

/// Whether a failure says nothing about the work, because the host was not heard.
pub fn is_silence(error: &HostError) -> bool {
    matches!(error.cause, Cause::Unreachable { .. } | Cause::Lost { .. })
}

/// The staging folder of a version's component files.
pub fn staging(work_folder: &str, version: &str) -> String {
    format!("{work_folder}\\staging\\{version}")
}

/// A Windows path, whether the folder ends with a backslash or not.
pub fn join(folder: &str, name: &str) -> String {
    format!("{}\\{name}", folder.trim_end_matches('\\'))
}
