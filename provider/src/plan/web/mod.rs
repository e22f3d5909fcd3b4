//! User Portals and Mobile App Web Services: the same procedure on every host, one host after the other.

use crate::backend::facts::{HostFacts, WebComponent, WebKind};
use crate::plan::checks::{self, Member, turn};
use crate::plan::evidence::{Evidence, Gap};
use crate::plan::token::SetKind;
use crate::plan::version::Version;
use crate::plan::web::work::Work;
use crate::plan::{Decision, Desired, Policy, View, Views, component, health, traffic};

pub mod findings;
pub mod steps;
pub mod work;

#[cfg(test)]
mod tests;

/// The first version that needs no Mobile App Web Service and ships no package of it.
pub const FIRST_WITHOUT_MOBILE_APP: u32 = 8;

/// What is declared of a set of web components beyond what all sets have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebSet {
    /// The portal or the mobile app web service.
    pub kind: WebKind,
    /// Where it lives, when it is declared or was found before.
    pub virtual_directory: Option<String>,
}

/// Decides what a run does with a set.
pub fn decide(desired: &Desired, set: &WebSet, views: &Views, policy: &Policy) -> Decision {
    let gaps = gaps(set, &desired.hosts, views, &desired.pin);
    let evidence = |host: &str| evidence(set, views, host);
    let mut survey = checks::survey(set.set_kind(), desired, views, policy, evidence, &gaps);
    let mut found = std::mem::take(&mut survey.diagnostics);
    findings::check_directories(desired, set, &survey, &mut found);
    findings::tell_of_retirement(desired, set, &mut found);
    findings::check_packages(desired, set, &survey, &mut found);
    survey.diagnostics = found;
    if !survey.has_work() {
        return turn::foretell(survey, |turn| decide(turn, set, views, policy)).rest();
    }
    let mut found = std::mem::take(&mut survey.diagnostics);
    let mut steps = Vec::new();
    let mut finished = Vec::new();
    let mut by_hand = None;
    let mut needs_package = survey.has_unread();
    for member in &survey.members {
        match member {
            Member::Unread(host) => steps.push(checks::adopt(host, &desired.pin)),
            Member::Seen(seen) if seen.needs_work => {
                let Some(work) = Work::of(set, seen, &desired.pin) else { continue };
                if let Some(instruction) = work.by_hand() {
                    by_hand = by_hand.or(Some(steps::by_hand(seen.host, instruction)));
                    continue;
                }
                needs_package |= work.package;
                findings::check_pool(desired, &work, &mut found);
                let mut own = steps::of_host(desired, &work, &mut found);
                own.extend(health::step(desired, seen.host));
                steps.extend(traffic::around(desired, seen.host, own));
                finished.push(seen.host);
            }
            Member::Seen(_) | Member::Unreachable(_) | Member::Missing(_) => {}
        }
    }
    if needs_package {
        findings::check_release(desired, set, policy, &mut found);
    }
    steps.extend(by_hand);
    survey.diagnostics = found;
    survey.run(steps, &finished)
}

/// What proves the version of the component on a host; of several candidates the lowest counts.
pub fn evidence(set: &WebSet, views: &Views, host: &str) -> Option<Evidence> {
    let candidates = set.candidates(facts(views, host)?);
    candidates.into_iter().filter_map(component::evidence).min_by(|left, right| left.lowest.cmp(&right.lowest))
}

/// The end-state facts of hosts at the pin that do not hold.
pub fn gaps(set: &WebSet, hosts: &[String], views: &Views, pin: &Version) -> Vec<Gap> {
    let at_pin = |host: &&String| evidence(set, views, host).is_some_and(|evidence| evidence.lowest == *pin);
    let found = hosts.iter().filter(at_pin).filter_map(|host| Some((host, facts(views, host)?)));
    found
        .flat_map(|(host, facts)| {
            let candidates = set.candidates(facts).into_iter();
            candidates.flat_map(|component| work::gaps(component, pin)).map(|what| Gap::new(host, what))
        })
        .collect()
}

impl WebSet {
    /// The kind of set that holds this kind of component.
    pub fn set_kind(&self) -> SetKind {
        match self.kind {
            WebKind::MobileAppWebService => SetKind::MobileAppWebService,
            WebKind::UserPortal | WebKind::WebServiceSdk => SetKind::UserPortal,
        }
    }

    /// The components on a host that may be meant: those in the declared directory, else all of the kind, so that one
    /// that is elsewhere is found and named.
    pub fn candidates<'f>(&self, facts: &'f HostFacts) -> Vec<&'f WebComponent> {
        let all: Vec<&WebComponent> = component::all(facts, self.kind).collect();
        let Some(declared) = &self.virtual_directory else { return all };
        let there: Vec<&WebComponent> = all
            .iter()
            .copied()
            .filter(|component| component::is_same_directory(&component.virtual_directory, declared))
            .collect();
        if there.is_empty() { all } else { there }
    }
}

/// What a host's facts are, when it was seen.
pub fn facts<'a>(views: &'a Views, host: &str) -> Option<&'a HostFacts> {
    match views.get(host)? {
        View::Seen(facts) => Some(facts),
        View::Unreachable { .. } => None,
    }
}
