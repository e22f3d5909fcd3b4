//! The decisions that all four kinds share: who is below, who is ahead, what stands against going on.
//!
//! A planner calls [`survey`] first. When [`Survey::has_work`] says no, the survey already is the decision
//! ([`Survey::rest`]); else the planner walks [`Survey::members`] in order, writes the steps of each member that needs
//! work, and ends with [`Survey::run`].

use std::collections::BTreeMap;

use crate::backend::facts::HostFacts;
use crate::backend::step::{Action, Step};
use crate::plan::evidence::{Evidence, Gap};
use crate::plan::token::SetKind;
use crate::plan::version::Version;
use crate::plan::{Decision, Desired, Policy, Status, View, Views};
use crate::tf::diagnostic::Diagnostics;

pub mod acknowledgement;
pub mod prerequisites;
pub mod upstream;
pub mod versions;

/// What the shared checks found out about a set.
#[derive(Debug)]
pub struct Survey<'a> {
    /// What has been found; planners add to it. With an error in it nothing is done.
    pub diagnostics: Diagnostics,
    /// In the order of the rollout.
    pub members: Vec<Member<'a>>,
    desired: &'a Desired,
    standing: Standing,
}

/// One host of a set.
#[derive(Debug)]
pub enum Member<'a> {
    /// Read, and the component is there.
    Seen(Seen<'a>),
    /// Added to the set and never read: [`adopt`] is its step.
    Unread(&'a str),
    /// Not reached by the last read; it gets no steps.
    Unreachable(&'a str),
    /// Read, and the component is not there (already an error of the survey).
    Missing(&'a str),
}

/// A host that was read.
#[derive(Debug)]
pub struct Seen<'a> {
    pub host: &'a str,
    pub facts: &'a HostFacts,
    pub evidence: Evidence,
    /// End-state facts that do not hold.
    pub gaps: Vec<&'a str>,
    /// Below the pin, or at it and not whole.
    pub needs_work: bool,
    /// Below the pin.
    pub below: bool,
}

/// Whether a run does anything.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Standing {
    /// Every member that can be reached runs the pin, whole.
    Done,
    Work,
    Held,
    /// Another set has to be ready first.
    Waiting(String),
}

/// Runs the shared checks. `evidence` answers for hosts that were seen; `gaps` are the kind's end-state facts that do
/// not hold.
pub fn survey<'a>(
    kind: SetKind,
    desired: &'a Desired,
    views: &'a Views,
    policy: &Policy,
    evidence: impl Fn(&str) -> Option<Evidence>,
    gaps: &'a [Gap],
) -> Survey<'a> {
    let mut diagnostics = Diagnostics::default();
    let members: Vec<Member<'a>> =
        desired.hosts.iter().map(|host| member(host, desired, views, &evidence, gaps)).collect();
    versions::check(kind, desired, policy, &members, &mut diagnostics);
    let pending = members.iter().any(|member| match member {
        Member::Seen(seen) => seen.needs_work,
        Member::Unread(_) => true,
        Member::Unreachable(_) | Member::Missing(_) => false,
    });
    let standing = if !pending {
        Standing::Done
    } else if let Some(reason) = &desired.hold {
        versions::warn_held(desired, reason, &members, &mut diagnostics);
        Standing::Held
    } else {
        versions::check_start(kind, desired, &members, &mut diagnostics);
        upstream::check(kind, desired, &mut diagnostics).map_or(Standing::Work, Standing::Waiting)
    };
    Survey { diagnostics, members, desired, standing }
}

/// The step of a host that was added and has not been read.
pub fn adopt(host: &str, pin: &Version) -> Step {
    Step { host: host.to_owned(), action: Action::Adopt { version: pin.to_string() } }
}

impl<'a> Survey<'a> {
    /// Whether this run does anything. False also when the checks found an error.
    pub fn has_work(&self) -> bool {
        self.standing == Standing::Work && !self.diagnostics.has_errors()
    }

    /// The members that were read and need work, in order.
    pub fn work(&self) -> impl Iterator<Item = &Seen<'a>> {
        self.seen().filter(|seen| seen.needs_work)
    }

    /// The members that were read, in order.
    pub fn seen(&self) -> impl Iterator<Item = &Seen<'a>> {
        self.members.iter().filter_map(|member| match member {
            Member::Seen(seen) => Some(seen),
            _ => None,
        })
    }

    /// The decision of a run that does nothing: all is done, or held, or waits, or is refused.
    pub fn rest(self) -> Decision {
        let steps = match &self.standing {
            Standing::Waiting(reason) => self.waiting_step(reason).into_iter().collect(),
            _ => Vec::new(),
        };
        self.decision(steps, &[])
    }

    /// The decision of a run that brings the members named in `finished` to the pin, whole. Hosts that were not read
    /// are finished when their [`adopt`] is among the steps.
    pub fn run(self, steps: Vec<Step>, finished: &[&str]) -> Decision {
        self.decision(steps, finished)
    }

    fn waiting_step(&self, reason: &str) -> Option<Step> {
        let host = self.work().next().map(|seen| seen.host).or_else(|| {
            self.members.iter().find_map(|member| match member {
                Member::Unread(host) => Some(*host),
                _ => None,
            })
        })?;
        Some(Step { host: host.to_owned(), action: Action::Wait { reason: reason.to_owned() } })
    }

    fn decision(self, steps: Vec<Step>, finished: &[&str]) -> Decision {
        let pin = &self.desired.pin;
        let adopted =
            |host: &str| steps.iter().any(|step| step.host == host && matches!(step.action, Action::Adopt { .. }));
        let mut versions = BTreeMap::new();
        let mut left = Vec::new();
        for member in &self.members {
            let (host, version, done) = match member {
                Member::Seen(seen) if finished.contains(&seen.host) => (seen.host, Some(pin.clone()), true),
                Member::Seen(seen) => {
                    left.push(seen);
                    (seen.host, Some(seen.evidence.lowest.clone()), !seen.needs_work)
                }
                Member::Unread(host) => (*host, None, adopted(host)),
                Member::Unreachable(host) | Member::Missing(host) => (*host, None, false),
            };
            versions.insert(host.to_owned(), (version, done));
        }
        let reaches_pin = versions.values().all(|(_, done)| *done);
        let status = self.status(&left, &steps, reaches_pin);
        let versions = versions.into_iter().map(|(host, (version, _))| (host, version)).collect();
        Decision { steps, versions, reaches_pin, status, diagnostics: self.diagnostics }
    }

    fn status(&self, left: &[&Seen<'a>], steps: &[Step], reaches_pin: bool) -> Status {
        let ends_before =
            steps.last().is_some_and(|step| matches!(step.action, Action::ByHand { .. } | Action::Wait { .. }));
        match &self.standing {
            Standing::Held => Status::Held,
            _ if ends_before => Status::Waiting,
            _ => standing_of(left, &self.desired.pin, reaches_pin),
        }
    }
}

/// The status of a set that nothing holds back, from its members' versions.
fn standing_of(seen: &[&Seen<'_>], pin: &Version, reaches_pin: bool) -> Status {
    let any = |test: fn(&Seen<'_>) -> bool| seen.iter().any(|seen| test(seen));
    if any(|seen| !seen.evidence.agrees) {
        Status::Incomplete
    } else if any(|seen| seen.below) {
        Status::Behind
    } else if any(|seen| seen.needs_work) {
        Status::Incomplete
    } else if seen.iter().any(|seen| seen.evidence.lowest > *pin) {
        Status::Ahead
    } else if reaches_pin {
        Status::Current
    } else {
        Status::Behind
    }
}

fn member<'a>(
    host: &'a str,
    desired: &Desired,
    views: &'a Views,
    evidence: &impl Fn(&str) -> Option<Evidence>,
    gaps: &'a [Gap],
) -> Member<'a> {
    let facts = match views.get(host) {
        None => return Member::Unread(host),
        Some(View::Unreachable { .. }) => return Member::Unreachable(host),
        Some(View::Seen(facts)) => facts,
    };
    let Some(evidence) = evidence(host) else { return Member::Missing(host) };
    let gaps: Vec<&str> = gaps.iter().filter(|gap| gap.host == host).map(|gap| gap.what.as_str()).collect();
    let below = evidence.lowest < desired.pin;
    let ahead = evidence.lowest > desired.pin;
    let needs_work = below || (!ahead && (!evidence.agrees || !gaps.is_empty()));
    Member::Seen(Seen { host, facts, evidence, gaps, needs_work, below })
}
