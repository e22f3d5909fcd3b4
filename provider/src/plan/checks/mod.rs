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
use crate::plan::{Decision, Desired, Policy, Status, View, Views, health, traffic};
use crate::tf::diagnostic::Diagnostics;

pub mod acknowledgement;
pub mod prerequisites;
pub mod turn;
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
        match upstream::check(kind, desired, &mut diagnostics) {
            // What stands against its start is told by `turn`.
            Some(reason) => Standing::Waiting(reason),
            None => {
                versions::check_start(kind, desired, &members, &mut diagnostics);
                Standing::Work
            }
        }
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
        self.standing == Standing::Work && (self.desired.rehearsal || !self.diagnostics.has_errors())
    }

    /// Whether nothing holds the set back, errors aside.
    pub fn is_working(&self) -> bool {
        self.standing == Standing::Work
    }

    /// Whether a host was added that no read has seen.
    pub fn has_unread(&self) -> bool {
        self.members.iter().any(|member| matches!(member, Member::Unread(_)))
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
    pub fn rest(mut self) -> Decision {
        let steps = match &self.standing {
            Standing::Waiting(reason) => self.waiting_step(reason).into_iter().collect(),
            Standing::Done if self.desired.hold.is_none() => self.absent_step().into_iter().collect(),
            _ => Vec::new(),
        };
        self.decision(steps, &[])
    }

    /// The decision of a run that brings the members named in `finished` to the pin, whole. Hosts that were not read
    /// are finished when their [`adopt`] is among the steps.
    /// With an error among the diagnostics there are no steps.
    pub fn run(self, steps: Vec<Step>, finished: &[&str]) -> Decision {
        if self.diagnostics.has_errors() {
            return self.decision(Vec::new(), &[]);
        }
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

    /// A host that was below the pin when it last answered keeps a set from being done, and only a person can help.
    fn absent_step(&mut self) -> Option<Step> {
        let is_absent = |member: &&Member<'a>| matches!(member, Member::Unreachable(_)) && self.is_left_behind(member);
        let absent: Vec<&str> = self.members.iter().filter(is_absent).map(Member::host).collect();
        let host = (*absent.first()?).to_owned();
        let action = Action::ByHand { instruction: format!("make {} reachable again", absent.join(" and ")) };
        let last = |host: &&str| match self.desired.last_versions.get(*host) {
            Some(version) => format!("{host} ran {version} when it last answered"),
            None => format!("{host} has never answered"),
        };
        let last: Vec<String> = absent.iter().map(last).collect();
        self.diagnostics.warning(
            format!("{} waits, {action}", self.desired.name),
            format!("{}, and the pin is {}. Nothing else is to be done.", last.join(", "), self.desired.pin),
        );
        Some(Step { host, action })
    }

    fn decision(self, steps: Vec<Step>, finished: &[&str]) -> Decision {
        let desired = self.desired;
        let adopted =
            |host: &str| steps.iter().any(|step| step.host == host && matches!(step.action, Action::Adopt { .. }));
        let mut versions = BTreeMap::new();
        let (mut reaches_pin, mut whole) = (true, true);
        let mut left = Vec::new();
        for member in &self.members {
            let (version, done) = match member {
                Member::Seen(seen) if finished.contains(&seen.host) => (Some(desired.pin.clone()), true),
                Member::Seen(seen) => {
                    left.push(seen);
                    (Some(seen.evidence.lowest.clone()), !seen.needs_work)
                }
                Member::Unread(host) => (None, adopted(host)),
                Member::Unreachable(_) | Member::Missing(_) => (None, false),
            };
            versions.insert(member.host().to_owned(), version);
            reaches_pin &= done;
            whole &= done || (matches!(member, Member::Unreachable(_)) && !self.is_left_behind(member));
        }
        let ends_before =
            steps.last().is_some_and(|step| matches!(step.action, Action::ByHand { .. } | Action::Wait { .. }));
        let status = if ends_before { Status::Waiting } else { self.status(&left) };
        let finished = finished.iter().map(|host| (*host).to_owned()).collect();
        Decision { steps, versions, finished, whole, reaches_pin, status, then: None, diagnostics: self.diagnostics }
    }

    /// Whether nothing is to be done anywhere, as far as hosts that could not be reached let one say.
    pub fn is_whole(&self) -> bool {
        self.work().next().is_none() && !self.members.iter().any(|member| self.is_left_behind(member))
    }

    /// The status as things stand, before any run.
    pub fn status_now(&self) -> Status {
        self.status(&self.seen().collect::<Vec<_>>())
    }

    fn status(&self, seen: &[&Seen<'a>]) -> Status {
        let pin = &self.desired.pin;
        let any = |test: fn(&Seen<'_>) -> bool| seen.iter().any(|seen| test(seen));
        if self.standing == Standing::Held {
            Status::Held
        } else if any(|seen| !seen.evidence.agrees) {
            Status::Incomplete
        } else if any(|seen| seen.below) || self.members.iter().any(|member| self.is_left_behind(member)) {
            Status::Behind
        } else if any(|seen| seen.needs_work) {
            Status::Incomplete
        } else if seen.iter().any(|seen| seen.evidence.lowest > *pin) {
            Status::Ahead
        } else {
            Status::Current
        }
    }

    /// Whether a host that could not be looked at was below the pin when it last could, has still to pass its health check
    /// or to be put back into a balancer, or has nothing installed.
    pub fn is_left_behind(&self, member: &Member<'a>) -> bool {
        match member {
            Member::Seen(_) | Member::Unread(_) => false,
            Member::Unreachable(host) => {
                let last = self.desired.last_versions.get(*host);
                last.is_none_or(|version| *version < self.desired.pin)
                    || self.desired.awaits_health(host)
                    || self.desired.awaits_traffic(host)
            }
            Member::Missing(_) => true,
        }
    }
}

impl Seen<'_> {
    /// Whether the setup of the pin has certainly not replaced anything on the host yet.
    pub fn is_untouched(&self) -> bool {
        self.below && self.evidence.agrees && self.facts.running_installation.is_none()
    }
}

impl<'a> Member<'a> {
    /// Its name as declared.
    pub fn host(&self) -> &'a str {
        match self {
            Self::Seen(seen) => seen.host,
            Self::Unread(host) | Self::Unreachable(host) | Self::Missing(host) => host,
        }
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
    let mut gaps: Vec<&str> = gaps.iter().filter(|gap| gap.host == host).map(|gap| gap.what.as_str()).collect();
    let below = evidence.lowest < desired.pin;
    let ahead = evidence.lowest > desired.pin;
    if !below && !ahead && desired.awaits_health(host) {
        gaps.push(health::NOT_PASSED);
    }
    if !below && !ahead && desired.awaits_traffic(host) {
        gaps.push(traffic::NOT_BACK);
    }
    let needs_work = below || (!ahead && (!evidence.agrees || !gaps.is_empty()));
    Member::Seen(Seen { host, facts, evidence, gaps, needs_work, below })
}

#[cfg(test)]
mod tests;
