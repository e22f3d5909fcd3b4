//! Simulated hosts: a step changes the facts as the real one would, and may be made to fail.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use crate::address::HostAddress;
use crate::backend::error::{Cause, HostError};
use crate::backend::facts::{HostFacts, WebComponent, WebKind};
use crate::backend::step::{Action, Step};
use crate::backend::{Backend, Report};
use crate::resource::set::testing::adapter;

/// A set of hosts by name.
#[derive(Default)]
pub struct Estate {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    hosts: BTreeMap<String, HostFacts>,
    unreachable: Vec<String>,
    performed: Vec<String>,
    observed: usize,
    reached: BTreeSet<String>,
    fault: Option<Fault>,
    /// Whether the fault goes away once it has struck.
    once: bool,
    /// What is said of a fault, instead of an installer's.
    cause: Option<Cause>,
    stop: Option<(&'static str, CancellationToken)>,
    hook: Option<(&'static str, Hook)>,
    /// What was done about leases, and which hosts were looked at anew, in order.
    leases: Vec<String>,
    /// Hosts that another run has, by name, with what is said of it.
    leased: BTreeMap<String, Cause>,
    /// The same of hosts whose lease this run had.
    lost_leases: BTreeMap<String, Cause>,
    lost: Option<(&'static str, usize)>,
}

type Hook = Box<dyn FnOnce(&Estate) + Send>;

/// A step that fails, named by a part of its text.
#[derive(Clone)]
pub struct Fault {
    pub step: &'static str,
    /// Whether its effect is there all the same.
    pub after: bool,
}

impl Estate {
    /// An estate of hosts.
    pub fn new<'a>(hosts: impl IntoIterator<Item = (&'a str, HostFacts)>) -> Self {
        let hosts = hosts.into_iter().map(|(name, facts)| (name.to_owned(), facts)).collect();
        Self { inner: Mutex::new(Inner { hosts, ..Inner::default() }) }
    }

    /// Changes a host behind the provider's back.
    pub fn change(&self, host: &str, change: impl FnOnce(&mut HostFacts)) {
        self.with(|inner| change(inner.hosts.get_mut(host).expect("a host of the estate")));
    }

    /// Cuts a host off, or connects it again.
    pub fn set_unreachable(&self, host: &str, unreachable: bool) {
        self.with(|inner| {
            inner.unreachable.retain(|known| known != host);
            if unreachable {
                inner.unreachable.push(host.to_owned());
            }
        });
    }

    /// Makes a step fail, or none.
    pub fn set_fault(&self, fault: Option<Fault>) {
        self.with(|inner| (inner.fault, inner.once) = (fault, false));
    }

    /// What the next fault says.
    pub fn set_cause(&self, cause: Cause) {
        self.with(|inner| inner.cause = Some(cause));
    }

    /// Makes a step fail the first time it is performed.
    pub fn set_fault_once(&self, fault: Fault) {
        self.with(|inner| (inner.fault, inner.once) = (Some(fault), true));
    }

    /// Asks a run to stop once a step, named by a part of its text, has been performed.
    pub fn set_stop_after(&self, step: &'static str, token: CancellationToken) {
        self.with(|inner| inner.stop = Some((step, token)));
    }

    /// Does something once a step, named by a part of its text, has ended, well or not.
    pub fn set_hook(&self, step: &'static str, hook: impl FnOnce(&Estate) + Send + 'static) {
        self.with(|inner| inner.hook = Some((step, Box::new(hook))));
    }

    /// Loses the connection the next `times` times that a step is begun.
    pub fn set_lost(&self, step: &'static str, times: usize) {
        self.with(|inner| inner.lost = Some((step, times)));
    }

    /// Gives a host's lease to another run, or says why it cannot be taken.
    pub fn set_leased(&self, host: &str, cause: Cause) {
        self.with(|inner| inner.leased.insert(host.to_owned(), cause));
    }

    /// Takes a host's lease from the run that has it.
    pub fn steal_lease(&self, host: &str, cause: Cause) {
        self.with(|inner| inner.lost_leases.insert(host.to_owned(), cause));
    }

    /// What was done about leases since this was last called, and which hosts were looked at anew.
    pub fn leases(&self) -> Vec<String> {
        self.with(|inner| std::mem::take(&mut inner.leases))
    }

    /// What a host is like now.
    pub fn facts(&self, host: &str) -> HostFacts {
        self.with(|inner| inner.hosts.get(host).expect("a host of the estate").clone())
    }

    /// What was performed so far, in order.
    pub fn performed(&self) -> Vec<String> {
        self.with(|inner| inner.performed.clone())
    }

    /// How often a host was asked.
    pub fn observed(&self) -> usize {
        self.with(|inner| inner.observed)
    }

    /// Where hosts were asked and steps performed since this was last called.
    pub fn reached(&self) -> Vec<String> {
        self.with(|inner| std::mem::take(&mut inner.reached)).into_iter().collect()
    }

    fn with<T>(&self, work: impl FnOnce(&mut Inner) -> T) -> T {
        work(&mut self.inner.lock().expect("no test panics while it holds the lock"))
    }
}

#[async_trait]
impl Backend for Estate {
    async fn observe(&self, at: &HostAddress, fresh: bool) -> Result<HostFacts, HostError> {
        self.with(|inner| {
            inner.observed += 1;
            inner.reached.insert(at.to_string());
            if fresh {
                inner.leases.push(format!("look at {}", at.name()));
            }
            let host = at.name();
            let error = |cause| HostError { host: host.to_owned(), operation: "read the host".to_owned(), cause };
            if inner.unreachable.iter().any(|known| known == host) {
                let reason = "connection refused".to_owned();
                return Err(error(Cause::Unreachable { reason, advice: "Look at the listener".to_owned() }));
            }
            inner
                .hosts
                .get(host)
                .cloned()
                .ok_or_else(|| error(Cause::NoConnection(format!("no connection for {host}"))))
        })
    }

    async fn perform(&self, step: &Step, at: &HostAddress, stop: &CancellationToken) -> Result<Report, HostError> {
        let error = |cause| HostError { host: step.host.clone(), operation: step.action.to_string(), cause };
        if stop.is_cancelled() {
            return Err(error(Cause::Stopped));
        }
        let outcome = self.with(|inner| {
            inner.reached.insert(at.to_string());
            let text = step.to_string();
            if let Some((_, times)) = inner.lost.as_mut().filter(|(lost, times)| text.contains(lost) && *times > 0) {
                *times -= 1;
                return Err(error(Cause::Lost { reason: "connection reset".to_owned() }));
            }
            let fault = inner.fault.clone().filter(|fault| text.contains(fault.step));
            if fault.as_ref().is_none_or(|fault| fault.after) {
                let facts = inner.hosts.get_mut(&step.host).expect("a host of the estate");
                effect(facts, &step.action).map_err(|reason| error(Cause::Unproven(reason)))?;
                if let Some((_, token)) = inner.stop.as_ref().filter(|(step, _)| text.contains(step)) {
                    token.cancel();
                }
                inner.performed.push(text);
            }
            if inner.once && fault.is_some() {
                inner.fault = None;
            }
            match fault {
                Some(_) => {
                    let installer = Cause::Installer { exit_code: 1603, log: Vec::new() };
                    Err(error(inner.cause.take().unwrap_or(installer)))
                }
                None => Ok(Report::default()),
            }
        });
        let is_hooked = |(hooked, _): &mut (&'static str, Hook)| step.to_string().contains(*hooked);
        if let Some((_, hook)) = self.with(|inner| inner.hook.take_if(is_hooked)) {
            hook(self);
        }
        outcome
    }

    async fn lease(&self, host: &HostAddress, set: &str, _stop: &CancellationToken) -> Result<(), HostError> {
        self.with(|inner| {
            inner.reached.insert(host.to_string());
            let host = host.name();
            if inner.unreachable.iter().any(|known| known == host) {
                let cause = Cause::Unreachable { reason: "it is off".to_owned(), advice: String::new() };
                return Err(HostError { host: host.to_owned(), operation: "take its lease".to_owned(), cause });
            }
            if let Some(cause) = inner.leased.get(host).cloned() {
                return Err(HostError { host: host.to_owned(), operation: "take its lease".to_owned(), cause });
            }
            inner.leases.push(format!("{set} leases {host}"));
            Ok(())
        })
    }

    fn lost_lease(&self, host: &HostAddress) -> Option<HostError> {
        let (host, operation) = (host.name().to_owned(), "take its lease".to_owned());
        let cause = self.with(|inner| inner.lost_leases.get(&host).cloned())?;
        Some(HostError { host, operation, cause })
    }

    async fn give_back(&self, host: &HostAddress, set: &str) {
        self.with(|inner| inner.leases.push(format!("{set} gives {} back", host.name())));
    }
}

fn effect(facts: &mut HostFacts, action: &Action) -> Result<(), String> {
    match action {
        Action::RunServerSetup { version } => {
            let server = facts.server.as_mut().expect("a server to upgrade");
            server.product_version = Some(version.clone());
            server.file_version = Some(version.clone());
            server.service_state = Some("Running".to_owned());
        }
        Action::RunWebPackage { component, version, place, .. } => {
            let component = web(facts, *component, &place.virtual_directory);
            component.product_version = Some(version.clone());
            component.file_version = Some(version.clone());
            component.placeholders = vec!["pfup_pfwssdk_PfWsSdk".to_owned()];
        }
        Action::MergeWebConfig { component, path, .. } => {
            let found = facts.web.iter_mut().find(|web| web.component == *component && web.physical_path == *path);
            found.expect("a component in that folder").placeholders = Vec::new();
        }
        Action::SetApplicationPool { application_pool } => {
            for component in facts.web.iter_mut().filter(|web| web.application_pool == *application_pool) {
                component.pool_runtime = "v4.0".to_owned();
            }
        }
        _ => {}
    }
    facts.adfs.as_mut().map_or(Ok(()), |adfs| adapter::effect(adfs, action))
}

fn web<'f>(facts: &'f mut HostFacts, kind: WebKind, directory: &str) -> &'f mut WebComponent {
    let found = facts.web.iter_mut().find(|web| web.component == kind && web.virtual_directory == directory);
    found.expect("a component in that virtual directory")
}
