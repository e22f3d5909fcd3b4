//! Tables: what is seen of portals and mobile app web services, and the steps it gives.

use expect_test::Expect;

use crate::backend::facts::{HostFacts, WebComponent, WebKind};
use crate::plan::fixtures::{desired, group, host, policy, text, views, web};
use crate::plan::web::{WebSet, decide};
use crate::plan::{Acknowledgement, Decision, Desired, Views};

mod findings;
mod steps;

const PORTALS: [&str; 2] = ["portal01.dmz.contoso.com", "portal02.dmz.contoso.com"];
const APP: [&str; 1] = ["app01.dmz.contoso.com"];

fn portals() -> WebSet {
    WebSet { kind: WebKind::UserPortal, virtual_directory: None }
}

fn mobile() -> WebSet {
    WebSet { kind: WebKind::MobileAppWebService, virtual_directory: None }
}

/// Two portal hosts at a version.
fn estate(version: &str) -> Views {
    views(PORTALS.map(|name| (name, with(host(name), web(WebKind::UserPortal, version)))))
}

fn with(mut facts: HostFacts, component: WebComponent) -> HostFacts {
    facts.web.push(component);
    facts
}

/// The demo's portals, asked for a version that their whole group runs.
fn wanted(pin: &str) -> Desired {
    let mut desired = desired("portal-dmz", pin, &PORTALS);
    desired.after = vec![group(pin, pin, &["mfa02.contoso.com", "mfa01.contoso.com"])];
    desired
}

fn run(desired: &Desired, set: &WebSet, views: &Views) -> Decision {
    decide(desired, set, views, &policy())
}

#[track_caller]
fn check(desired: &Desired, set: &WebSet, views: &Views, expected: &Expect) {
    expected.assert_eq(&text(&run(desired, set, views)));
}

/// The details of all diagnostics.
fn details(decision: &Decision) -> String {
    decision.diagnostics.iter().map(|found| found.detail.as_str()).collect::<Vec<_>>().join("\n")
}

fn acknowledged(check: &str) -> Acknowledgement {
    Acknowledgement { check: check.to_owned(), reason: "CHG-1".to_owned(), until: None, ended: false }
}
