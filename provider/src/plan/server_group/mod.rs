//! Server groups: subordinates first, one after the other; the master after a promotion by hand.

use crate::backend::facts::HostFacts;
use crate::backend::step::{Action, Backup, Step};
use crate::plan::checks::{self, Member, Seen, Survey, turn};
use crate::plan::evidence::{Evidence, Gap};
use crate::plan::server_group::gate::Gate;
use crate::plan::token::SetKind;
use crate::plan::version::Version;
use crate::plan::{Decision, Desired, Policy, View, Views, component};

pub mod findings;
pub mod gate;
pub mod sdk;
pub mod steps;

#[cfg(test)]
mod tests;

/// The service of MFA Server.
pub const SERVICE: &str = "MultiFactorAuth";

/// What is declared of a group beyond what all sets have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Who is master now, as the user says. None when it is not said or not known yet.
    pub master: Option<String>,
    pub sdk: DeclaredSdk,
}

/// What is declared of the Web Service SDK.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeclaredSdk {
    None,
    /// It is not known yet whether there is one: nothing is held against what is found.
    Unknown,
    /// There is one, wherever it is found.
    Anywhere,
    /// It lives in this virtual directory.
    At(String),
}

/// Decides what a run does with a group.
pub fn decide(desired: &Desired, group: &Group, views: &Views, policy: &Policy) -> Decision {
    let gaps = gaps(&desired.hosts, views, &desired.pin);
    let mut survey = checks::survey(SetKind::ServerGroup, desired, views, policy, |host| evidence(views, host), &gaps);
    let gate = Gate::new(desired, group);
    let mut found = std::mem::take(&mut survey.diagnostics);
    sdk::check(desired, group, &survey, &mut found);
    gate.check(desired, &survey, &mut found);
    survey.diagnostics = found;
    if !survey.has_work() {
        return turn::foretell(survey, |turn| decide(turn, group, views, policy)).rest();
    }
    let plan = Plan::of(&survey, &gate, desired);
    let mut found = std::mem::take(&mut survey.diagnostics);
    findings::check(desired, &survey, &plan, policy, &mut found);
    let steps = steps::all(desired, &gate, &survey, &plan, &mut found);
    survey.diagnostics = found;
    let finished: Vec<&str> = plan.worked.iter().map(|work| work.host).collect();
    let then = plan.then(&gate);
    let decision = survey.run(steps, &finished);
    match then {
        Some(then) => decision.then(then),
        None => decision,
    }
}

/// What proves the version of the server on a host.
pub fn evidence(views: &Views, host: &str) -> Option<Evidence> {
    let server = facts(views, host)?.server.as_ref()?;
    Evidence::of(
        ("uninstall entry", server.product_version.as_deref()),
        ("service file", server.file_version.as_deref()),
    )
}

/// The lowest version on a host, its SDKs included.
pub fn lowest(views: &Views, host: &str) -> Option<Version> {
    let server = evidence(views, host)?.lowest;
    let sdks = sdk::all(facts(views, host)?).filter_map(component::evidence).map(|evidence| evidence.lowest);
    sdks.chain([server]).min()
}

/// The end-state facts of hosts at the pin that do not hold.
pub fn gaps(hosts: &[String], views: &Views, pin: &Version) -> Vec<Gap> {
    let mut gaps = Vec::new();
    for host in hosts {
        let at_pin = evidence(views, host).is_some_and(|evidence| evidence.lowest == *pin);
        let Some(facts) = facts(views, host).filter(|_| at_pin) else { continue };
        if let Some(state) = stopped(facts) {
            gaps.push(Gap::new(host, format!("the service {SERVICE} is {state}")));
        }
        gaps.extend(sdk::all(facts).flat_map(|component| sdk::gaps(component, pin)).map(|what| Gap::new(host, what)));
    }
    gaps
}

/// The state of the service when it does not run.
pub fn stopped(facts: &HostFacts) -> Option<&str> {
    let state = facts.server.as_ref()?.service_state.as_deref().unwrap_or("missing");
    (state != "Running").then_some(state)
}

/// What a host's facts are, when it was seen.
pub fn facts<'a>(views: &'a Views, host: &str) -> Option<&'a HostFacts> {
    match views.get(host)? {
        View::Seen(facts) => Some(facts),
        View::Unreachable { .. } => None,
    }
}

/// The facts of a member that was seen.
fn facts_of<'a>(survey: &Survey<'a>, host: &str) -> Option<&'a HostFacts> {
    survey.seen().find(|seen| seen.host == host).map(|seen| seen.facts)
}

/// What is done with which host.
#[derive(Default)]
pub struct Plan<'a> {
    /// Hosts that this run brings to the pin, in order.
    worked: Vec<Work<'a>>,
    /// Hosts whose service someone must start first.
    to_start: Vec<&'a str>,
    /// The master, when it has to wait for a promotion.
    gated: Option<&'a str>,
    /// Subordinates below the pin that could not be reached: they come before the master.
    away: Vec<&'a str>,
    /// Subordinates that could not be reached, whatever they run.
    unreachable: Vec<&'a str>,
    /// Who can be promoted after this run.
    candidates: Vec<&'a str>,
    /// Whether something is installed.
    installs: bool,
}

/// What one host needs.
pub struct Work<'a> {
    pub host: &'a str,
    /// The server itself; else only what belongs to it.
    pub server: bool,
}

impl<'a> Plan<'a> {
    fn of(survey: &Survey<'a>, gate: &Gate<'_>, desired: &Desired) -> Self {
        let mut plan = Plan::default();
        for seen in survey.seen() {
            if !seen.needs_work {
                if !gate.is_master(seen.host) && seen.evidence.lowest >= desired.pin {
                    plan.candidates.push(seen.host);
                }
            } else if needs_server(seen) && gate.holds(seen.host) {
                plan.gated = Some(seen.host);
            } else if !needs_server(seen) && stopped(seen.facts).is_some() {
                plan.to_start.push(seen.host);
            } else {
                plan.worked.push(Work { host: seen.host, server: needs_server(seen) });
                plan.installs |=
                    needs_server(seen) || sdk::all(seen.facts).any(|sdk| sdk::needs_package(sdk, &desired.pin));
                if !gate.is_master(seen.host) {
                    plan.candidates.push(seen.host);
                }
            }
        }
        let is_away = |member: &&Member<'a>| matches!(member, Member::Unreachable(_)) && !gate.is_master(member.host());
        let away = || survey.members.iter().filter(is_away);
        plan.unreachable = away().map(Member::host).collect();
        plan.away = away().filter(|member| survey.is_left_behind(member)).map(Member::host).collect();
        // One that was added is a subordinate, and upgraded by the time.
        plan.candidates.extend(survey.members.iter().filter_map(|member| match member {
            Member::Unread(host) if !gate.is_master(host) => Some(*host),
            _ => None,
        }));
        plan.candidates.sort_by_key(|host| desired.hosts.iter().position(|known| known == host));
        plan
    }

    fn work(&self, host: &str) -> Option<&Work<'a>> {
        self.worked.iter().find(|work| work.host == host)
    }

    /// What is left to do after this run, in words that complete "then …".
    fn then(&self, gate: &Gate<'_>) -> Option<String> {
        if let [host, ..] = self.to_start.as_slice() {
            return Some(format!("start {SERVICE} on {} by hand", gate.short(&[*host])[0]));
        }
        if self.gated.is_some() && !self.away.is_empty() {
            return Some(format!("bring {} back", gate.short(&self.away).join(" and ")));
        }
        if self.gated.is_some() && self.candidates.is_empty() {
            return Some(format!("bring {} back", gate.short(&self.unreachable).join(" or ")));
        }
        self.gated.map(|_| {
            let who = if self.candidates.len() == 1 { "it" } else { "one of them" };
            format!("promote {who} by hand")
        })
    }
}

/// Whether the server setup has to run: it is below the pin, or was left half done.
fn needs_server(seen: &Seen<'_>) -> bool {
    seen.below || !seen.evidence.agrees
}

/// The backup of a group's upgrade. It is found again by a retry and closed at the end.
fn backup(desired: &Desired, name: &str) -> Backup {
    Backup { id: backup_id(desired), name: name.to_owned() }
}

fn backup_id(desired: &Desired) -> String {
    format!("{}-{}", SetKind::ServerGroup.as_str(), desired.name)
}

fn step(host: &str, action: Action) -> Step {
    Step { host: host.to_owned(), action }
}
