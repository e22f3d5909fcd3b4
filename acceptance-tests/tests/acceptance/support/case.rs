//! One case: an estate that is up, a workspace that reaches it, and the recipe that every case follows.

use acceptance_tests::lab::estate::{Estate, demo};
use acceptance_tests::lab::host::farm::Farm;
use acceptance_tests::lab::host::faults::Faults;
use acceptance_tests::lab::host::product::component::Component;
use acceptance_tests::lab::server::{Lab, Mode};
use acceptance_tests::lab::wire::host::Reachability;
use acceptance_tests::skip;
use acceptance_tests::tools::terraform::{Cli, Release};
use acceptance_tests::workspace::{Run, Workspace};

use crate::support::hcl;

/// A case while it runs. The estate goes away with it.
pub struct Case {
    pub cli: Cli,
    pub lab: Lab,
    pub workspace: Workspace,
}

impl Case {
    /// The demo estate, native, on the installed Terraform, or what can be had in its place.
    pub fn demo() -> Option<Self> {
        Self::new(demo::temporary().expect("the demo estate can be made"))
    }

    /// Any estate, native, on the installed Terraform, or what can be had in its place.
    pub fn new(estate: Estate) -> Option<Self> {
        Self::in_mode(estate, Mode::Native)
    }

    /// Any estate, in either mode, on the installed Terraform, or what can be had in its place.
    pub fn in_mode(estate: Estate, mode: Mode) -> Option<Self> {
        match Cli::any() {
            Ok(cli) => Self::with(cli, estate, mode),
            Err(reason) => {
                skip::skipped("cases", &reason.to_string());
                None
            }
        }
    }

    /// Any estate, native, on a release. `None`, said and counted, when that cannot be had here.
    pub fn on(release: Release, estate: Estate) -> Option<Self> {
        Self::with(cli(release)?, estate, Mode::Native)
    }

    fn with(cli: Cli, estate: Estate, mode: Mode) -> Option<Self> {
        // Installers in cases are quick; what takes long has a case of its own.
        estate.set_installer_time(20).expect("the estate can be changed");
        let lab = match Lab::start_in_background(&estate, mode) {
            Ok(lab) => lab,
            Err(reason) => {
                skip::skipped(&format!("{mode:?} mode"), &reason.to_string());
                return None;
            }
        };
        let workspace =
            Workspace::new(&cli, &[("AZUREMFA_USERNAME", &lab.username), ("AZUREMFA_PASSWORD", &lab.password)]);
        let case = Self { cli, lab, workspace };
        case.provider("");
        Some(case)
    }

    /// A copy of a case at rest: its estate and state as they are now, so that many cases can start from one.
    pub fn again(&self) -> Self {
        let estate = self.lab.estate().duplicate().expect("an estate can be copied");
        let lab = Lab::start_in_background(&estate, Mode::Native).expect("a native lab needs nothing");
        let copy = Self { cli: self.cli.clone(), workspace: self.workspace.again(), lab };
        copy.provider("");
        copy
    }

    /// Writes the provider's settings; `further` is put into the provider block.
    pub fn provider(&self, further: &str) {
        self.workspace.write("provider.tf", &hcl::provider(&self.lab, further));
    }

    /// Writes the resources, and `init`s once.
    pub fn configure(&self, blocks: &[&str]) {
        self.workspace.write("main.tf", &blocks.concat());
        if !self.workspace.path().join(".terraform").exists() {
            self.workspace.init();
        }
    }

    /// Plans with refresh; exit code 0 no changes, 2 changes, 1 errors.
    pub fn plan(&self) -> Run {
        self.workspace.plan("case.tfplan", &[])
    }

    /// Plans, which must find changes, and applies what was planned, which must succeed.
    #[track_caller]
    pub fn converge(&self) -> Run {
        self.plan().ended(2);
        self.workspace.apply("case.tfplan").succeeded()
    }

    /// Holds the recipe's end: nothing to do, with refresh and without.
    #[track_caller]
    pub fn settled(&self) {
        self.plan().ended(0);
        self.workspace.plan("again.tfplan", &["-refresh=false"]).ended(0);
        self.left_nothing_running();
    }

    /// No run has left a shell on any host, nor a process in it.
    #[track_caller]
    fn left_nothing_running(&self) {
        let hosts = self.lab.estate().host_names().expect("an estate");
        let left = |host: &&String| !self.lab.host(host).open_shells().is_empty();
        let left: Vec<_> = hosts.iter().filter(left).collect();
        assert!(left.is_empty(), "shells are open on {left:?}");
    }

    /// What the operator does: promotes a subordinate.
    pub fn promote(&self, host: &str) {
        self.lab.estate().promote(host).expect("a server of the group can be promoted");
    }

    /// What the operator does: puts the MFA Server of a host on a version by hand.
    pub fn set_version(&self, host: &str, version: &str) {
        let only = Some(Component::Server);
        self.lab.estate().set_version(host, only, version).expect("a server can be put on a version");
    }

    /// Pokes faults into a host.
    pub fn fault(&self, host: &str, change: impl FnOnce(&mut Faults)) {
        self.lab.estate().fault(host, change).expect("the host is there");
    }

    /// Cuts a host off, or connects it again.
    pub fn set_reachable(&self, host: &str, reachable: bool) {
        let reachability = if reachable { Reachability::Reachable } else { Reachability::Unreachable };
        self.lab.set_reachability(host, reachability);
    }

    /// The AD FS farm of the demo.
    pub fn farm(&self) -> Farm {
        self.lab.estate().farm(demo::FARM).expect("the farm is there")
    }

    /// What was done to the hosts, as `host what` in order, without the operator's own doings.
    pub fn journal(&self) -> Vec<String> {
        let entries = self.lab.estate().journal().expect("the journal can be read");
        let entries = entries.into_iter().filter(|entry| !entry.what.starts_with("operator_"));
        entries.map(|entry| format!("{} {}", entry.host, entry.what)).collect()
    }
}

/// A release, or `None`, said and counted, when it cannot be had here.
pub fn cli(release: Release) -> Option<Cli> {
    match Cli::of(release) {
        Ok(cli) => Some(cli),
        Err(reason) => {
            skip::skipped(&format!("cases on {release:?}"), &reason.to_string());
            None
        }
    }
}
