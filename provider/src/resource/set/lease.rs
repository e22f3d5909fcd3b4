//! The leases that a run on a set needs: on every host on which it performs a step, in the same order in every run, so that
//! two runs never wait for each other half-way.

use tokio_util::sync::CancellationToken;

use crate::address::{self, HostAddress};
use crate::backend::error::{Cause, HostError};
use crate::backend::step::{Action, Step};
use crate::config::ProviderConfig;
use crate::resource::set::address_of;
use crate::resource::set::observe::sentence;
use crate::tf::diagnostic::Diagnostics;

/// The leases of one run on a set. They last until [`Leases::give_back`].
pub struct Leases<'a> {
    provider: &'a ProviderConfig,
    name: &'a str,
    held: Vec<HostAddress>,
}

impl<'a> Leases<'a> {
    /// None yet.
    pub fn none(provider: &'a ProviderConfig, name: &'a str) -> Self {
        Self { provider, name, held: Vec::new() }
    }

    /// Whether every host on which the steps are performed is leased.
    pub fn cover(&self, steps: &[Step], addresses: &[HostAddress]) -> bool {
        hosts_of(steps, addresses).iter().all(|host| self.has(host))
    }

    /// Takes what the steps need and is not held yet; whether all could be taken. The first refusal is the last.
    pub async fn take(
        &mut self,
        steps: &[Step],
        addresses: &[HostAddress],
        stop: &CancellationToken,
        diagnostics: &mut Diagnostics,
    ) -> bool {
        for host in hosts_of(steps, addresses) {
            if self.has(&host) {
                continue;
            }
            if let Err(error) = self.provider.backend().lease(&host, self.name, stop).await {
                report(self.name, &error, diagnostics);
                return false;
            }
            self.held.push(host);
        }
        true
    }

    /// Gives them back, however the run has ended.
    pub async fn give_back(self) {
        let backend = self.provider.backend();
        futures_util::future::join_all(self.held.iter().map(|host| backend.give_back(host, self.name))).await;
    }

    fn has(&self, host: &HostAddress) -> bool {
        self.held.iter().any(|held| address::is_same_host(held.name(), host.name()))
    }
}

/// Why a run must not begin another step: another run has got one of its hosts.
pub fn lost(provider: &ProviderConfig, steps: &[Step], addresses: &[HostAddress]) -> Option<HostError> {
    hosts_of(steps, addresses).iter().find_map(|host| provider.backend().lost_lease(host))
}

/// The hosts on which steps are performed, sorted by name. Orders to a balancer in the AD FS gap name hosts that may be
/// away or another run's, and neither shall keep the gap open.
fn hosts_of(steps: &[Step], addresses: &[HostAddress]) -> Vec<HostAddress> {
    let is_order =
        |action: &Action| matches!(action, Action::TakeOut { in_gap: true, .. } | Action::PutBack { in_gap: true, .. });
    let performed = steps.iter().filter(|step| step.action.is_performed() && !is_order(&step.action));
    let mut hosts: Vec<_> = performed.map(|step| address_of(addresses, &step.host)).collect();
    hosts.sort_by_key(|host| address::key(host.name()));
    hosts.dedup_by(|one, other| address::is_same_host(one.name(), other.name()));
    hosts
}

fn report(name: &str, error: &HostError, diagnostics: &mut Diagnostics) {
    let host = &error.host;
    match &error.cause {
        Cause::Leased { reason, advice } => diagnostics.error(
            format!("{name}: another run is at work on {host}"),
            format!("On {host}: {reason}. Nothing was changed by this run.\n\n{advice}"),
        ),
        Cause::Stopped => diagnostics.error(
            format!("{name} was stopped while it waited for the lease on {host}"),
            "Another run has that lease and has not given it back. Nothing was changed by this run. Apply again to go on.",
        ),
        _ => diagnostics.error(
            format!("{name}: the lease on {host} could not be taken"),
            format!("{}. Nothing was changed by this run.", sentence(error)),
        ),
    }
}
