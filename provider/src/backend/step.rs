//! The steps of the vendor's procedure: what a plan shows and an apply performs, one and the same value.

use std::fmt;
use std::time::Duration;

use crate::address::HostAddress;
use crate::backend::facts::WebKind;
use crate::backend::health::HealthCheck;

/// So long a run may be silent before the guard of a gap takes over. A run renews its lease of the host five times as often.
pub const GUARD_SILENCE: Duration = Duration::from_secs(5 * 60);

/// One step on one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub host: String,
    pub action: Action,
}

/// What a step does. The texts come from [`fmt::Display`]; a reviewer reads them in the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Says that traffic is not managed (no `drain`); performs nothing.
    TrafficNotManaged,
    /// Takes the host out of a balancer, and lets its connections run out. Asked by the machine that runs Terraform, and
    /// again by every run that changes the host.
    TakeOut {
        balancer: String,
        /// As the balancer's settings say, for the text. None while they are not known.
        wait: Option<Duration>,
        /// Users are not asked for the second factor meanwhile: the order is short, and nobody waits for connections.
        in_gap: bool,
    },
    /// Lets the connections of hosts run out that were taken out in the gap, all of them by one wait.
    AwaitConnections {
        balancer: String,
        /// As for [`Action::TakeOut`].
        wait: Option<Duration>,
    },
    /// Puts the host back into a balancer.
    PutBack {
        balancer: String,
        /// As for [`Action::TakeOut`].
        in_gap: bool,
    },
    /// Copies a folder to the protected backup and proves the copy.
    BackUp {
        what: &'static str,
        source: String,
        backup: Backup,
        /// Whether the setup that replaces these files has certainly not run yet, so that an earlier backup which no
        /// longer equals them is superseded. Otherwise a complete one is kept: it alone has the original.
        fresh: bool,
    },
    /// The host fetches a release file over https.
    FetchServerSetup {
        version: String,
    },
    /// Runs the server setup in place with the operator's arguments.
    RunServerSetup {
        version: String,
    },
    /// Brings component files from an upgraded MFA Server through the runner.
    BringFiles {
        version: String,
        from: Vec<HostAddress>,
        files: Vec<String>,
    },
    /// Runs a component's MSI, from the install folder of the MFA Server on this host or from the staging folder.
    RunWebPackage {
        component: WebKind,
        version: String,
        source: PackageSource,
        place: Place,
    },
    /// Puts the old web.config back or carries its values into the new one.
    MergeWebConfig {
        component: WebKind,
        path: String,
        backup: Backup,
    },
    /// Says which files of the theme setup replaced.
    CompareTheme {
        path: String,
        backup: Backup,
    },
    /// Moves an application pool to CLR v4.0.
    SetApplicationPool {
        application_pool: String,
    },
    /// Puts the web.config of a co-hosted component back when the server setup replaced it.
    RestoreCohostedWebConfig {
        component: WebKind,
        path: String,
        backup: Backup,
    },
    /// Proves that a server, and its SDK where there is one, runs the version.
    VerifyServer {
        version: String,
        sdk: bool,
    },
    /// Proves that a web component runs the version and is whole.
    VerifyWeb {
        component: WebKind,
        version: String,
        virtual_directory: String,
    },
    /// Waits until an address answers as a healthy host does. Asked by the machine that runs Terraform.
    AwaitHealth {
        check: Box<HealthCheck>,
    },
    /// Closes the backup of this upgrade, so that the next upgrade makes a new one.
    CloseBackup {
        backup_id: String,
    },
    /// Runs the AD FS adapter's MSI.
    RunAdapterPackage {
        version: String,
        source: PackageSource,
    },
    /// Exports the configuration of the registered adapter to a protected file.
    ExportAdapterConfiguration {
        provider_name: String,
    },
    /// Carries the exported values into the new configuration file.
    MergeAdapterConfiguration {
        source: PackageSource,
    },
    /// Tries whether the host could close the gap by itself, before anything is changed for it.
    TryGuard {
        forward: String,
    },
    /// Lets the host close the gap by itself when it hears nothing of the run for [`GUARD_SILENCE`]. What it puts back as long
    /// as it is registered, and what else it puts in, registered first where a source says with what.
    EnableGuard {
        back: Vec<String>,
        forward: String,
        source: Option<PackageSource>,
    },
    /// Takes the guard away.
    DisableGuard,
    /// Takes a provider out of the global policy: the second factor is off from here on.
    DisableProvider {
        provider_name: String,
    },
    UnregisterAdapter {
        provider_name: String,
    },
    RegisterAdapter {
        provider_name: String,
        source: PackageSource,
    },
    /// Waits until this secondary has read the change.
    AwaitSynchronization,
    RestartAdfs,
    /// Puts a provider into the global policy: the second factor is on from here on.
    EnableProvider {
        provider_name: String,
    },
    /// Deletes the exported configuration.
    RemoveExport,
    VerifyAdapter {
        version: String,
    },
    /// A host that was added to a set and has not been read: what its upgrade takes is decided when it is.
    /// Never performed itself.
    Adopt {
        version: String,
    },
    /// What only a person can do. Never performed; a run ends before it.
    ByHand {
        instruction: String,
    },
    /// Waits for another set. Never performed.
    Wait {
        reason: String,
    },
}

/// Where a backup lies: `backups\<id>\<name>` below the work folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    pub id: String,
    pub name: String,
}

/// Where a component's files are taken from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PackageSource {
    /// The install folder of the MFA Server on the same host.
    InstallFolder,
    /// The staging folder, filled by [`Action::BringFiles`].
    Staged { version: String },
}

/// Where a web component lives in IIS; the setup keeps it there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub site: String,
    pub site_id: i64,
    pub virtual_directory: String,
    pub application_pool: String,
}

impl WebKind {
    /// As the vendor names it.
    pub fn title(self) -> &'static str {
        match self {
            Self::WebServiceSdk => "Web Service SDK",
            Self::UserPortal => "User Portal",
            Self::MobileAppWebService => "Mobile App Web Service",
        }
    }

    /// The file name of its package.
    pub fn package(self) -> &'static str {
        match self {
            Self::WebServiceSdk => "MultiFactorAuthenticationWebServiceSdkSetup64.msi",
            Self::UserPortal => "MultiFactorAuthenticationUserPortalSetup64.msi",
            Self::MobileAppWebService => "MultiFactorAuthenticationMobileAppWebServiceSetup64.msi",
        }
    }
}

impl Step {
    /// Whether two steps are one and the same to a reviewer. How a backup treats an earlier one follows from what is
    /// there when it runs.
    pub fn is_same(&self, other: &Self) -> bool {
        let settled = |step: &Self| {
            let mut step = step.clone();
            if let Action::BackUp { fresh, .. } = &mut step.action {
                *fresh = false;
            }
            step
        };
        settled(self) == settled(other)
    }
}

impl Action {
    /// Whether a backend performs it; the others only tell a reader something.
    pub fn is_performed(&self) -> bool {
        !matches!(self, Self::TrafficNotManaged | Self::Adopt { .. } | Self::ByHand { .. } | Self::Wait { .. })
    }

    /// Whether the host may serve less well after it than before it, or not at all meanwhile.
    pub fn may_disturb(&self) -> bool {
        self.installs()
            || matches!(
                self,
                Self::MergeWebConfig { .. }
                    | Self::RestoreCohostedWebConfig { .. }
                    | Self::SetApplicationPool { .. }
                    | Self::RestartAdfs
            )
    }

    /// Whether it runs an installer.
    pub fn installs(&self) -> bool {
        matches!(self, Self::RunServerSetup { .. } | Self::RunWebPackage { .. } | Self::RunAdapterPackage { .. })
    }
}

impl fmt::Display for Step {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.host, self.action)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TrafficNotManaged | Self::TakeOut { .. } | Self::AwaitConnections { .. } | Self::PutBack { .. } => {
                self.write_traffic(formatter)
            }
            Self::BackUp { what, source, .. } => write!(formatter, "back up {what} ({source})"),
            Self::FetchServerSetup { version } => {
                write!(formatter, "fetch the server setup {version} and check its hash")
            }
            Self::RunServerSetup { version } => write!(formatter, "run the server setup {version} in place"),
            Self::BringFiles { version, from, files } => {
                let from: Vec<&str> = from.iter().map(HostAddress::name).collect();
                write!(formatter, "bring {} {version} from {}", files.join(", "), from.join(" or "))
            }
            Self::RunWebPackage { component, version, place, .. } => write!(
                formatter,
                "upgrade the {} to {version} in the same virtual directory {}",
                component.title(),
                place.virtual_directory
            ),
            Self::MergeWebConfig { component, .. } => {
                write!(
                    formatter,
                    "put the {}'s old web.config back, or carry its values into the new one",
                    component.title()
                )
            }
            Self::CompareTheme { .. } => formatter.write_str("compare App_Themes\\Default with its backup"),
            Self::SetApplicationPool { application_pool } => {
                write!(formatter, "set application pool {application_pool} to CLR v4.0")
            }
            Self::RestoreCohostedWebConfig { component, .. } => {
                write!(
                    formatter,
                    "check the co-hosted {}'s web.config; put it back if setup replaced it",
                    component.title()
                )
            }
            Self::VerifyServer { version, sdk: false } => write!(formatter, "verify that MFA Server runs {version}"),
            Self::VerifyServer { version, sdk: true } => {
                write!(formatter, "verify that MFA Server and its Web Service SDK run {version}")
            }
            Self::VerifyWeb { component, version, .. } => {
                write!(formatter, "verify that the {} runs {version}", component.title())
            }
            Self::AwaitHealth { check } => write!(formatter, "wait until {}", check.wanted()),
            Self::CloseBackup { .. } => formatter.write_str("close this upgrade's backup"),
            Self::Adopt { version } => write!(formatter, "adopt, and upgrade to {version} when below"),
            Self::ByHand { instruction } => write!(formatter, "by hand: {instruction}"),
            Self::Wait { reason } => write!(formatter, "waits for {reason}"),
            adapter => adapter.write_adapter(formatter),
        }
    }
}

fn write_wait(formatter: &mut fmt::Formatter<'_>, wait: Option<Duration>) -> fmt::Result {
    let wait = wait.filter(|wait| !wait.is_zero());
    wait.map_or(Ok(()), |wait| write!(formatter, ", and wait {} s", wait.as_secs()))
}

impl Action {
    /// The text of a step about traffic.
    fn write_traffic(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TrafficNotManaged => {
                formatter.write_str("traffic is not managed; take the host out of the balancer yourself")
            }
            Self::TakeOut { balancer, wait, in_gap } => {
                write!(formatter, "take it out of balancer {balancer}")?;
                if *in_gap { formatter.write_str(", without a wait") } else { write_wait(formatter, *wait) }
            }
            Self::AwaitConnections { balancer, wait } => {
                write!(formatter, "let the connections of its batch to balancer {balancer} run out")?;
                write_wait(formatter, *wait)
            }
            Self::PutBack { balancer, .. } => write!(formatter, "put it back into balancer {balancer}"),
            // As for `write_adapter`.
            _ => Ok(()),
        }
    }

    /// The text of a step of the AD FS adapter's procedure.
    fn write_adapter(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RunAdapterPackage { version, .. } => write!(formatter, "install the AD FS adapter {version}"),
            Self::ExportAdapterConfiguration { provider_name } => {
                write!(formatter, "export the configuration of {provider_name} to a protected file")
            }
            Self::MergeAdapterConfiguration { .. } => {
                formatter.write_str("carry the exported values into the new adapter configuration")
            }
            Self::TryGuard { .. } => {
                formatter.write_str("try the task by which this server would close the gap by itself")
            }
            Self::EnableGuard { .. } => write!(
                formatter,
                "set up a guard: when this server hears nothing of the run for {} minutes, it closes the gap by itself",
                GUARD_SILENCE.as_secs() / 60
            ),
            Self::DisableGuard => formatter.write_str("take the guard away"),
            Self::DisableProvider { provider_name } => {
                write!(
                    formatter,
                    "take {provider_name} out of the global policy (users are NOT asked for the second factor from here)"
                )
            }
            Self::UnregisterAdapter { provider_name } => write!(formatter, "unregister {provider_name}"),
            Self::RegisterAdapter { provider_name, .. } => {
                write!(formatter, "register {provider_name} with the carried configuration")
            }
            Self::AwaitSynchronization => {
                formatter.write_str("wait until this server has synchronised with the primary")
            }
            Self::RestartAdfs => formatter.write_str("restart AD FS"),
            Self::EnableProvider { provider_name } => {
                write!(
                    formatter,
                    "put {provider_name} into the global policy (users are asked for the second factor again)"
                )
            }
            Self::RemoveExport => formatter.write_str("delete the exported configuration"),
            Self::VerifyAdapter { version } => {
                write!(formatter, "verify that the AD FS adapter runs {version} and is registered")
            }
            // Written by `fmt`, which hands on only what is above; a step of a new kind fails its text test.
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One of each, so that none is without a text.
    fn one_of_each() -> Vec<Action> {
        let text = || "x".to_owned();
        let backup = || Backup { id: text(), name: text() };
        let place = || Place { site: text(), site_id: 1, virtual_directory: text(), application_pool: text() };
        let component = WebKind::UserPortal;
        vec![
            Action::TrafficNotManaged,
            Action::TakeOut { balancer: text(), wait: None, in_gap: false },
            Action::TakeOut { balancer: text(), wait: Some(Duration::from_secs(90)), in_gap: false },
            Action::TakeOut { balancer: text(), wait: None, in_gap: true },
            Action::AwaitConnections { balancer: text(), wait: None },
            Action::PutBack { balancer: text(), in_gap: false },
            Action::BackUp { what: "x", source: text(), backup: backup(), fresh: true },
            Action::FetchServerSetup { version: text() },
            Action::RunServerSetup { version: text() },
            Action::BringFiles { version: text(), from: vec![HostAddress::named("x")], files: vec![text()] },
            Action::RunWebPackage { component, version: text(), source: PackageSource::InstallFolder, place: place() },
            Action::MergeWebConfig { component, path: text(), backup: backup() },
            Action::CompareTheme { path: text(), backup: backup() },
            Action::SetApplicationPool { application_pool: text() },
            Action::RestoreCohostedWebConfig { component, path: text(), backup: backup() },
            Action::VerifyServer { version: text(), sdk: false },
            Action::VerifyServer { version: text(), sdk: true },
            Action::VerifyWeb { component, version: text(), virtual_directory: text() },
            Action::AwaitHealth { check: Box::new(HealthCheck::new(Some(text()))) },
            Action::CloseBackup { backup_id: text() },
            Action::RunAdapterPackage { version: text(), source: PackageSource::InstallFolder },
            Action::ExportAdapterConfiguration { provider_name: text() },
            Action::MergeAdapterConfiguration { source: PackageSource::InstallFolder },
            Action::TryGuard { forward: text() },
            Action::EnableGuard { back: vec![text()], forward: text(), source: None },
            Action::DisableGuard,
            Action::DisableProvider { provider_name: text() },
            Action::UnregisterAdapter { provider_name: text() },
            Action::RegisterAdapter { provider_name: text(), source: PackageSource::InstallFolder },
            Action::AwaitSynchronization,
            Action::RestartAdfs,
            Action::EnableProvider { provider_name: text() },
            Action::RemoveExport,
            Action::VerifyAdapter { version: text() },
            Action::Adopt { version: text() },
            Action::ByHand { instruction: text() },
            Action::Wait { reason: text() },
        ]
    }

    #[test]
    fn steps_are_the_same_whatever_becomes_of_an_earlier_backup() {
        let backup = Backup { id: "x".to_owned(), name: "x".to_owned() };
        let step = |source: &str, fresh| {
            let action = Action::BackUp { what: "x", source: source.to_owned(), backup: backup.clone(), fresh };
            Step { host: "mfa01".to_owned(), action }
        };
        assert!(step("a", true).is_same(&step("a", false)));
        assert!(!step("a", true).is_same(&step("b", true)));
    }

    #[test]
    fn every_action_has_a_text_of_its_own() {
        let texts: Vec<String> = one_of_each().iter().map(Action::to_string).collect();
        for (position, text) in texts.iter().enumerate() {
            assert!(!text.is_empty(), "action {position}");
            assert!(!texts[..position].contains(text), "{text:?} is said twice");
        }
    }
}
