//! What a run does with a farm: where the package runs, and whether the registration is exchanged.

use crate::backend::facts::{Adfs, AuthenticationProvider};
use crate::plan::Desired;
use crate::plan::adfs::farm::{self, Farm};
use crate::plan::adfs::{name_of, registration, standing};
use crate::plan::checks::{Member, Survey};

/// What a run does with a farm that can be changed.
pub struct Exchange<'a> {
    pub desired: &'a Desired,
    pub batches: &'a [Vec<String>],
    pub farm: &'a Farm<'a>,
    /// The host that registers and whose policy counts.
    pub authority: &'a str,
    pub adfs: &'a Adfs,
    /// The name under which the pin registers.
    pub wanted: &'static str,
    /// Hosts on which the package runs.
    pub installs: Vec<&'a str>,
    /// Registered providers of another release.
    pub stale: Vec<&'a AuthenticationProvider>,
    /// Whether the pin's provider has to be registered.
    pub registers: bool,
    /// Hosts whose AD FS only a person may start: nothing else is done there.
    pub left: Vec<&'a str>,
    /// Hosts that need a restart and nothing else.
    restarts: Vec<&'a str>,
}

impl<'a> Exchange<'a> {
    /// What is to be done. None while nobody can tell what is registered.
    pub fn of(
        desired: &'a Desired,
        batches: &'a [Vec<String>],
        farm: &'a Farm<'a>,
        survey: &Survey<'a>,
    ) -> Option<Self> {
        let (authority, adfs) = farm.authority()?;
        let providers = adfs.providers.as_deref().unwrap_or_default();
        let wanted = name_of(&desired.pin);
        let installs: Vec<&str> = survey
            .work()
            .map(|seen| seen.host)
            .filter(|host| farm.adfs(host).is_some_and(|adfs| !registration::has_package(adfs, &desired.pin)))
            .collect();
        // Before the package has run on it, whatever is registered is of the old release, even under the same name.
        let current = match installs.contains(&authority) {
            true => None,
            false => registration::current(providers, adfs, wanted),
        };
        let stale = providers.iter().filter(|provider| current != Some(*provider)).collect();
        let mut exchange = Self {
            desired,
            batches,
            farm,
            authority,
            adfs,
            wanted,
            installs,
            stale,
            registers: current.is_none(),
            left: Vec::new(),
            restarts: Vec::new(),
        };
        let unaffected: Vec<_> = farm.seen().filter(|(host, _)| !exchange.affects(host)).collect();
        for (host, adfs) in unaffected {
            if !farm::is_running(adfs) {
                exchange.left.push(host);
            } else if farm::unstarted(adfs).is_some() {
                exchange.restarts.push(host);
            }
        }
        Some(exchange)
    }

    /// Whether the registration changes, which concerns every host of the farm.
    pub fn changes_registration(&self) -> bool {
        self.registers || !self.stale.is_empty()
    }

    /// Whether AD FS is restarted on a host.
    pub fn restarts(&self, host: &str) -> bool {
        self.affects(host) || self.restarts.contains(&host)
    }

    /// The names to take out of the policy before they are unregistered.
    pub fn disabled(&self) -> impl Iterator<Item = &str> {
        let policy = self.adfs.policy.as_deref().unwrap_or_default();
        self.stale.iter().map(|provider| provider.name.as_str()).filter(|name| registration::contains(policy, name))
    }

    /// The names of the registered providers of another release, for sentences.
    pub fn stale_names(&self) -> String {
        self.stale.iter().map(|provider| provider.name.as_str()).collect::<Vec<_>>().join(" and ")
    }

    /// The provider that an earlier run took out of the policy before it went no further.
    pub fn left_disabled(&self) -> Option<&'a AuthenticationProvider> {
        let is_left = self.registers && self.disabled().next().is_none();
        self.stale.first().copied().filter(|_| is_left)
    }

    /// Whether the policy has to be given the pin's name.
    pub fn enables(&self) -> bool {
        self.registers || !registration::contains(self.adfs.policy.as_deref().unwrap_or_default(), self.wanted)
    }

    /// Whether the policy is given the pin's name at the end of the exchange. One that is only cleared away leaves no gap.
    pub fn closes_gap(&self) -> bool {
        self.enables() && (self.registers || self.stale.is_empty())
    }

    /// Whether users are not asked for the second factor when the run begins, and not before it has done its work.
    pub fn is_found_open(&self) -> bool {
        self.enables() && self.left_disabled().is_none() && standing::asking(self.adfs).is_empty()
    }

    /// The members of a batch, in order; none for a batch that is not there.
    pub fn batch<'m>(&self, survey: &'m Survey<'a>, index: usize) -> impl Iterator<Item = &'m Member<'a>> {
        let hosts: &'a [String] = self.batches.get(index).map_or(&[], Vec::as_slice);
        hosts.iter().filter_map(|host| survey.members.iter().find(|member| member.host() == host))
    }

    fn affects(&self, host: &str) -> bool {
        self.changes_registration() || self.installs.contains(&host)
    }
}
