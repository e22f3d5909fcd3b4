//! The batches of a farm in the traffic.
//!
//! Never are both batches out: before one is taken out the other one is put back, whoever has taken it out, and where that
//! is refused, or nobody would be left who can serve, nothing is taken out. That a run before this one was killed, and so
//! remembers nothing, changes nothing in that.
//!
//! The batches change places in the gap, because there is no other place for it. The first batch can only be put back once
//! it has loaded the new provider, which is registered in the gap; the second one can no longer serve from the moment at
//! which that provider is in the policy, and is out before. What takes time is kept out of the gap:
//!
//! - An order in it is short and given twice at most. One that is refused ends the run, and the gap is closed without the
//!   balancer by the way out ([`super::recovery`]), which then tries what is left of the orders once more.
//! - The connections of the second batch run out after the gap, before its hosts are touched: one wait for all of them.
//! - The first batch is put back when AD FS has loaded the adapter there, and is asked for its health after the gap.
//! - A run that finds the gap open takes the first batch out without a wait: its connections run out while the provider is
//!   registered. Closing the gap comes first.

use crate::backend::facts::{Adfs, AuthenticationProvider};
use crate::backend::step::{Action, Step};
use crate::plan::adfs::exchange::Exchange;
use crate::plan::adfs::farm::{self, Farm};
use crate::plan::adfs::standing;
use crate::plan::traffic::{self, Drain};
use crate::plan::{Desired, health};

/// The traffic of one run.
pub struct Traffic<'e, 'a> {
    exchange: &'e Exchange<'a>,
    /// The hosts of the first batch that were seen.
    first: Vec<&'a str>,
    second: Vec<&'a str>,
    /// Hosts that are left while the first batch is out.
    remaining: Vec<&'a str>,
    /// Whether the first batch is taken out, as far as AD FS is restarted there.
    takes_first: bool,
    takes_second: bool,
    /// Hosts that are out by an order before the run's own.
    taken_before: Vec<&'e str>,
    /// Whether users are not served as they should be before the first batch is whole again: nobody waits then.
    is_urgent: bool,
}

impl<'e, 'a> Traffic<'e, 'a> {
    /// Of a run over the hosts of two batches that were seen, which begins with steps of its own.
    pub fn of(exchange: &'e Exchange<'a>, first: Vec<&'a str>, second: Vec<&'a str>, before: &'e [Step]) -> Self {
        let desired = exchange.desired;
        let is_running = |host: &&&str| exchange.farm.adfs(host).is_some_and(farm::is_running);
        let serves = |host: &&&str| exchange.farm.adfs(host).is_some_and(|adfs| serves_meanwhile(exchange, adfs));
        let restarts = |host: &&&str| exchange.restarts(host);
        let (leaving, staying): (Vec<&&str>, Vec<&&str>) =
            first.iter().chain(&second).partition(|host| first.contains(*host) && restarts(host));
        let pick =
            |test: &dyn Fn(&&&str) -> bool| staying.iter().filter(|host| test(host)).map(|host| **host).collect();
        let serving: Vec<&'a str> = pick(&serves);
        // Where nobody who leaves can serve either, any AD FS that runs is better than none.
        let remaining = if serving.is_empty() && !leaving.iter().any(serves) { pick(&is_running) } else { serving };
        let is_managed = desired.drain.is_some();
        let takes_first = is_managed && !leaving.is_empty() && !remaining.is_empty();
        let is_kept = |host: &&&str| !exchange.left.contains(*host) && (restarts(host) || is_running(host));
        let takes_second =
            is_managed && second.iter().any(|host| restarts(&host)) && first.iter().any(|host| is_kept(&host));
        let taken = before.iter().filter(|step| matches!(step.action, Action::TakeOut { .. }));
        let taken_before = taken.map(|step| step.host.as_str()).collect();
        let may_serve =
            |host: &&&str| exchange.farm.adfs(host).is_some_and(|adfs| standing::may_serve(exchange.adfs, adfs));
        let mut in_traffic = first.iter().chain(&second).filter(|host| !desired.out.contains_key(**host));
        let is_urgent = exchange.is_found_open() || !in_traffic.any(|host| may_serve(&host));
        Self { exchange, first, second, remaining, takes_first, takes_second, taken_before, is_urgent }
    }

    /// Before the first batch is taken out: whoever stays is in.
    pub fn before_first(&self) -> Vec<Step> {
        let Some(drain) = self.exchange.desired.drain.as_ref().filter(|_| self.takes_first) else { return Vec::new() };
        let is_open = self.exchange.is_found_open();
        let mut steps = Vec::new();
        for host in &self.remaining {
            let adfs = self.exchange.farm.adfs(host).filter(|_| !is_open && self.exchange.desired.awaits_health(host));
            let is_checked = adfs.is_some_and(|adfs| serves_meanwhile(self.exchange, adfs));
            steps.extend(health::step(self.exchange.desired, host).filter(|_| is_checked));
            steps.push(traffic::put_back_into(drain, host, is_open));
        }
        steps
    }

    /// Before a host of the first batch is changed.
    pub fn before_host_of_first(&self, host: &str) -> Option<Step> {
        let is_due = self.takes_first || self.exchange.desired.drain.is_none();
        let step = || traffic::take_out(self.exchange.desired, host, self.is_urgent);
        self.exchange.restarts(host).then(step).filter(|_| is_due)
    }

    /// Before the new provider enters the policy, or where a person does all of it: the batches change places.
    pub fn in_gap(&self) -> Vec<Step> {
        match &self.exchange.desired.drain {
            None => self.leaving_second().map(|host| traffic::take_out(self.exchange.desired, host, true)).collect(),
            Some(drain) if self.exchange.closes_gap() => self.change_places(drain),
            Some(_) => Vec::new(),
        }
    }

    /// After the gap, and after the health checks of the first batch: what is left of the change.
    pub fn after_gap(&self) -> Vec<Step> {
        let desired = self.exchange.desired;
        let Some(drain) = &desired.drain else { return Vec::new() };
        if !self.exchange.closes_gap() {
            let back = self.first.iter().filter(|host| !self.is_left(host));
            let back = back.flat_map(|host| traffic::put_back(desired, host, self.returns(drain, host)));
            let out = || self.leaving_second().filter(|_| self.takes_second);
            let waits = out().next().map(|host| traffic::await_connections(drain, host));
            return back.chain(out().map(|host| traffic::take_out(desired, host, true))).chain(waits).collect();
        }
        let earlier = self.first.iter().filter(|host| !self.is_left(host));
        let mut steps: Vec<Step> = earlier.flat_map(|host| traffic::put_back(desired, host, false)).collect();
        steps.retain(|step| !matches!(&step.action, Action::PutBack { balancer, .. } if *balancer == drain.balancer));
        let waits = self.leaving_second().next().filter(|_| self.takes_second);
        steps.extend(waits.map(|host| traffic::await_connections(drain, host)));
        steps
    }

    /// After a host of the second batch is whole again.
    pub fn after_host_of_second(&self, host: &str) -> Vec<Step> {
        let is_taken_out = (self.takes_second && self.exchange.restarts(host)) || self.taken_before.contains(&host);
        if self.is_left(host) { Vec::new() } else { traffic::put_back(self.exchange.desired, host, is_taken_out) }
    }

    fn change_places(&self, drain: &Drain) -> Vec<Step> {
        let back = self.first.iter().filter(|host| !self.is_left(host) && self.returns(drain, host));
        let back = back.map(|host| traffic::put_back_into(drain, host, true));
        let out = self.leaving_second().filter(|_| self.takes_second);
        back.chain(out.map(|host| traffic::take_out(self.exchange.desired, host, true))).collect()
    }

    fn leaving_second(&self) -> impl Iterator<Item = &'a str> {
        self.second.iter().copied().filter(|host| self.exchange.restarts(host))
    }

    /// Whether a host of the first batch is put back: it was taken out, or is what is left when the second one is.
    fn returns(&self, drain: &Drain, host: &str) -> bool {
        let is_known_out = self.exchange.desired.out.get(host).is_some_and(|out| out.contains(&drain.balancer));
        self.takes_second
            || is_known_out
            || self.taken_before.contains(&host)
            || (self.takes_first && self.exchange.restarts(host))
    }

    fn is_left(&self, host: &str) -> bool {
        self.exchange.left.contains(&host)
    }
}

/// Whether a host can serve until the exchange begins: on the way back that takes the provider that goes into the policy.
fn serves_meanwhile(exchange: &Exchange<'_>, adfs: &Adfs) -> bool {
    let providers = exchange.adfs.providers.as_deref().unwrap_or_default();
    match exchange.left_disabled() {
        Some(left) => standing::has_loaded(providers, adfs, &left.name),
        None => standing::serves(exchange.adfs, adfs),
    }
}

/// Before a provider that is registered enters the policy alone: who has not loaded it makes place for who has. Nothing
/// where that is nobody, or everybody.
pub fn for_provider(desired: &Desired, farm: &Farm<'_>, providers: &[AuthenticationProvider], name: &str) -> Vec<Step> {
    let running = farm.seen().filter(|(_, adfs)| farm::is_running(adfs));
    let (able, unable): (Vec<_>, Vec<_>) = running.partition(|(_, adfs)| standing::has_loaded(providers, adfs, name));
    let hosts = |found: Vec<(&str, _)>| found.into_iter().map(|(host, _)| host.to_owned()).collect::<Vec<_>>();
    exchange_places(desired, &hosts(able), &hosts(unable))
}

/// Orders in the gap by which some hosts make place for others, which are put back first. None where nobody would be left.
pub fn exchange_places(desired: &Desired, serving: &[String], leaving: &[String]) -> Vec<Step> {
    let drain = desired.drain.as_ref().filter(|_| !serving.is_empty() && !leaving.is_empty());
    let Some(drain) = drain else { return Vec::new() };
    let back = serving.iter().map(|host| traffic::put_back_into(drain, host, true));
    back.chain(leaving.iter().map(|host| traffic::take_out(desired, host, true))).collect()
}
