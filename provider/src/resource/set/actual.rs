//! The truth about a set as a state tells it: computed attributes from what was seen.

use std::collections::BTreeMap;

use crate::plan::checks::{self, Member, Survey, upstream};
use crate::plan::token::Token;
use crate::plan::version::Version;
use crate::plan::{Desired, Installable, Policy, Status, View, Views};
use crate::resource::set::desired::{spelled_as, tokens, version, versions};
use crate::resource::set::private::Memory;
use crate::resource::set::token::respell;
use crate::resource::set::{HostSet, address_of, drain, health};
use crate::tf::value::Value;

/// What was found of a set.
pub struct Actual {
    /// Version texts by host; hosts without the component are absent.
    pub versions: BTreeMap<String, String>,
    /// The lowest of them; none when nothing was found anywhere.
    pub version: Option<String>,
    pub target: Option<String>,
    pub status: Status,
    pub token: Option<Token>,
    /// Disagreeing evidence, missing components, missing end-state facts.
    pub findings: Vec<Finding>,
}

/// What is not as it should be on a host, as a sentence.
pub struct Finding {
    pub host: String,
    pub text: String,
}

/// Computes the truth. `own` is the state (or what was planned, after an apply), `prior` the state before.
pub fn actual(set: &dyn HostSet, own: &Value, prior: &Value, memory: &Memory) -> Actual {
    let views = &memory.views;
    let hosts = set.hosts(own).unwrap_or_default();
    let found = found(set, own, prior, views, &hosts);
    let lowest = found.values().min().cloned();
    let target = version(own.attribute("target_version")).or_else(|| uniform(set, own, views, &hosts));
    let spell = |found: &Version, old: Option<Version>| {
        target.iter().chain(old.iter()).find(|known| *known == found).unwrap_or(found).to_string()
    };
    let old = spelled_as(versions(prior), &hosts);
    let texts: BTreeMap<String, String> =
        found.iter().map(|(host, version)| (host.clone(), spell(version, old.get(host).cloned()))).collect();
    let mut actual = Actual {
        versions: texts,
        version: lowest.as_ref().map(|lowest| spell(lowest, version(prior.attribute("version")))),
        target: target.as_ref().map(Version::to_string),
        status: Status::Behind,
        token: None,
        findings: Vec::new(),
    };
    let Some(pin) = target.or(lowest) else { return actual };
    let desired = standing(own, prior, &pin, &hosts, memory);
    let gaps = set.gaps(own, &hosts, views, &pin);
    let survey = checks::survey(
        set.kind(),
        &desired,
        views,
        &Policy { ahead_is_error: false, installable: Installable::default() },
        |host| set.evidence(own, host, views),
        &gaps,
    );
    actual.status = survey.status_now();
    actual.findings = findings(set, &survey);
    actual.token = Some(token(set, own, pin.clone(), views, &survey, &found));
    actual
}

impl Actual {
    /// All findings as one text.
    pub fn report(&self) -> String {
        self.findings.iter().map(|finding| finding.text.as_str()).collect::<Vec<_>>().join(" ")
    }

    /// Writes the computed attributes into a state. `steps` are left alone.
    pub fn write(&self, set: &dyn HostSet, state: &mut Value, views: &Views) {
        let versions = self.versions.iter().map(|(host, text)| (host.clone(), Value::from(text.as_str())));
        state.set("versions", Value::Map(versions.collect()));
        if let Some(version) = &self.version {
            state.set("version", Value::from(version.as_str()));
        }
        state.set("target_version", self.target.clone().into());
        state.set("version_status", Value::from(self.status.as_str()));
        state.set("wave", Value::integer(upstream::wave(&tokens(state.attribute("after"))).into()));
        state.set("ready", self.token.as_ref().map(Token::to_string).into());
        let hosts = set.hosts(state).unwrap_or_default();
        for (name, value) in set.facts(state, &hosts, views) {
            state.set(name, value);
        }
    }
}

/// The version of each host; of a host that was not seen, the one in the prior state.
fn found(set: &dyn HostSet, own: &Value, prior: &Value, views: &Views, hosts: &[String]) -> BTreeMap<String, Version> {
    let old = spelled_as(versions(prior), hosts);
    let version_of = |host: &String| match views.get(host) {
        Some(View::Seen(_)) => set.evidence(own, host, views).map(|evidence| evidence.lowest),
        _ => old.get(host).cloned(),
    };
    hosts.iter().filter_map(|host| Some((host.clone(), version_of(host)?))).collect()
}

/// The one version that all hosts run by agreeing evidence: what an imported set can be said to have been asked for.
fn uniform(set: &dyn HostSet, own: &Value, views: &Views, hosts: &[String]) -> Option<Version> {
    let first = set.evidence(own, hosts.first()?, views)?.lowest;
    let same = |host: &String| {
        set.evidence(own, host, views).is_some_and(|evidence| evidence.agrees && evidence.lowest == first)
    };
    hosts.iter().all(same).then_some(first)
}

/// A set as it stands, asked for what it was last asked for.
fn standing(own: &Value, prior: &Value, pin: &Version, hosts: &[String], memory: &Memory) -> Desired {
    Desired {
        name: own.attribute("name").as_str().unwrap_or_default().to_owned(),
        pin: pin.clone(),
        last_pin: Some(pin.clone()),
        hosts: hosts.to_vec(),
        last_versions: spelled_as(versions(prior), hosts),
        after: Vec::new(),
        allow_major_upgrade: true,
        hold: own.attribute("hold").as_str().map(str::to_owned),
        acknowledged: Vec::new(),
        health_check: health::decode(own),
        to_pass: memory.to_pass.clone(),
        drain: drain::decode(own),
        out: memory.out.clone(),
        rehearsal: false,
    }
}

fn findings(set: &dyn HostSet, survey: &Survey<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut add = |host: &str, text: String| findings.push(Finding { host: host.to_owned(), text });
    for member in &survey.members {
        match member {
            Member::Seen(seen) => {
                let host = seen.host;
                if !seen.evidence.agrees {
                    let detail = &seen.evidence.detail;
                    add(
                        host,
                        format!("On {host} the evidence disagrees: {detail}. The lower counts until it is repaired."),
                    );
                }
                seen.gaps.iter().for_each(|gap| add(host, format!("On {host}: {gap}.")));
            }
            Member::Missing(host) => add(host, format!("{} is not installed on {host}.", set.kind().title())),
            Member::Unread(_) | Member::Unreachable(_) => {}
        }
    }
    findings
}

fn token(
    set: &dyn HostSet,
    own: &Value,
    pin: Version,
    views: &Views,
    survey: &Survey<'_>,
    found: &BTreeMap<String, Version>,
) -> Token {
    let lowest = found.iter().map(|(host, version)| set.lowest(own, host, views).unwrap_or_else(|| version.clone()));
    let hosts = survey.members.iter().map(Member::host);
    let addresses = set.addresses(own).unwrap_or_default();
    Token {
        kind: set.kind(),
        name: own.attribute("name").as_str().unwrap_or_default().to_owned(),
        lowest: respell(lowest.min(), &pin),
        wave: upstream::wave(&tokens(own.attribute("after"))),
        whole: survey.is_whole(),
        at_pin: hosts.filter(|host| found.get(*host) == Some(&pin)).map(|host| address_of(&addresses, host)).collect(),
        pin,
    }
}
