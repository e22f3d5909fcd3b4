//! A farm as its hosts show it: who may change it, and what has not been restarted.

use crate::address;
use crate::backend::facts::{Adfs, Database, HostFacts};
use crate::plan::Views;
use crate::plan::adfs::{SERVICE, facts};

/// The hosts of a farm that were seen, in the order of the batches.
pub struct Farm<'a> {
    hosts: &'a [String],
    views: &'a Views,
    seen: Vec<(&'a str, &'a Adfs)>,
}

impl<'a> Farm<'a> {
    /// What was seen of a farm.
    pub fn of(hosts: &'a [String], views: &'a Views) -> Self {
        let seen = hosts.iter().filter_map(|host| Some((host.as_str(), facts(views, host)?.adfs.as_ref()?))).collect();
        Self { hosts, views, seen }
    }

    /// The hosts with AD FS that were seen.
    pub fn seen(&self) -> impl Iterator<Item = (&'a str, &'a Adfs)> {
        self.seen.iter().copied()
    }

    /// All that was seen of a host.
    pub fn facts(&self, host: &str) -> Option<&'a HostFacts> {
        facts(self.views, host)
    }

    /// AD FS on a host.
    pub fn adfs(&self, host: &str) -> Option<&'a Adfs> {
        self.seen().find(|(name, _)| *name == host).map(|(_, adfs)| adfs)
    }

    /// The host that registers, and whose policy counts: the WID primary, in a SQL farm the first one. None while it was
    /// not seen or its AD FS does not run.
    pub fn authority(&self) -> Option<(&'a str, &'a Adfs)> {
        let first = self.hosts.first();
        self.seen().find(|(host, adfs)| match adfs.database {
            Database::Wid => is_primary(adfs),
            Database::Sql => first.is_some_and(|first| first == host) && is_running(adfs),
        })
    }

    /// The host by which the policy can be changed at once: the one that registers, and in a SQL farm any that runs, because
    /// all of them can.
    pub fn reachable_authority(&self) -> Option<(&'a str, &'a Adfs)> {
        let is_equal = |adfs: &Adfs| adfs.database == Database::Sql && is_running(adfs) && adfs.policy.is_some();
        self.authority().or_else(|| self.seen().find(|(_, adfs)| is_equal(adfs)))
    }

    /// All hosts that say they are the primary; more than one are several farms.
    pub fn primaries(&self) -> Vec<&'a str> {
        self.seen().filter(|(_, adfs)| is_primary(adfs)).map(|(host, _)| host).collect()
    }

    /// The primary as the secondaries name it, by the host's name in the set when it is in it.
    pub fn named_primary(&self) -> Option<&'a str> {
        let named = self.seen().find_map(|(_, adfs)| adfs.primary.as_deref())?;
        Some(self.hosts.iter().find(|host| is_same_machine(host, named)).map_or(named, String::as_str))
    }

    /// The registered providers and the policy, from whoever can tell.
    pub fn registry(&self) -> Option<&'a Adfs> {
        let authority = self.authority().map(|(_, adfs)| adfs);
        authority.or_else(|| self.seen().map(|(_, adfs)| adfs).find(|adfs| adfs.providers.is_some()))
    }
}

/// Whether AD FS is the primary of a WID farm.
pub fn is_primary(adfs: &Adfs) -> bool {
    adfs.role.as_deref().is_some_and(|role| role.eq_ignore_ascii_case("PrimaryComputer"))
}

/// Whether AD FS gets its configuration from a primary, and so has to be waited for.
pub fn is_secondary(adfs: &Adfs) -> bool {
    adfs.database == Database::Wid && !is_primary(adfs)
}

/// Whether AD FS runs.
pub fn is_running(adfs: &Adfs) -> bool {
    adfs.service_state.as_deref() == Some("Running")
}

/// Why AD FS on a host has to be started or restarted before it uses the adapter.
pub fn unstarted(adfs: &Adfs) -> Option<String> {
    if !is_running(adfs) {
        let state = adfs.service_state.as_deref().unwrap_or("missing");
        return Some(format!("the service {SERVICE} is {state}"));
    }
    let since = if adfs.restarted_since_install == Some(false) {
        "installed"
    } else if adfs.restarted_since_registration == Some(false) {
        "registered"
    } else {
        return None;
    };
    Some(format!("AD FS has not been restarted since the adapter was {since}"))
}

/// Whether two names mean the same machine: the same host, or one is the first label of the other.
fn is_same_machine(left: &str, right: &str) -> bool {
    let label = |name: &str| address::key(name.split('.').next().unwrap_or_default());
    address::is_same_host(left, right) || ((!left.contains('.') || !right.contains('.')) && label(left) == label(right))
}
