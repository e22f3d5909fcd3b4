//! Tables: what is seen of a farm, and the steps it gives.

use expect_test::Expect;

use crate::backend::facts::Adfs;
use crate::plan::adfs::decide;
use crate::plan::fixtures::{adfs, assembly, change, desired, group, policy, text, views};
use crate::plan::{Acknowledgement, Decision, Desired, Views};

mod broken_off;
mod evidence;
mod findings;
mod hosts;
mod traffic;
mod upgrade;

const FARM: [&str; 2] = ["adfs01.contoso.com", "adfs02.contoso.com"];
const FOUR: [&str; 4] = ["adfs01.contoso.com", "adfs02.contoso.com", "adfs03.contoso.com", "adfs04.contoso.com"];

/// The demo's farm, asked for a version that its whole group runs, the gap acknowledged.
fn wanted(pin: &str) -> Desired {
    of(&FARM, pin)
}

fn of(hosts: &[&str], pin: &str) -> Desired {
    let mut desired = desired("adfs-eu", pin, hosts);
    desired.after = vec![group(pin, pin, &["mfa02.contoso.com", "mfa01.contoso.com"])];
    desired.acknowledged = vec![acknowledged("adfs_mfa_gap")];
    desired
}

fn acknowledged(check: &str) -> Acknowledgement {
    Acknowledgement { check: check.to_owned(), reason: "CHG-1".to_owned(), until: None, ended: false }
}

/// A farm at a version.
fn farm(hosts: &[&'static str], version: &str) -> Views {
    views(hosts.iter().map(|name| (*name, adfs(name, hosts, version))))
}

/// One host in each batch.
fn one_by_one(desired: &Desired) -> Vec<Vec<String>> {
    desired.hosts.iter().map(|host| vec![host.clone()]).collect()
}

fn run(desired: &Desired, views: &Views) -> Decision {
    decide(desired, &one_by_one(desired), views, &policy())
}

#[track_caller]
fn check(desired: &Desired, views: &Views, expected: &Expect) {
    expected.assert_eq(&text(&run(desired, views)));
}

fn at(views: &mut Views, host: &str, alter: impl FnOnce(&mut Adfs)) {
    change(views, host, |facts| alter(facts.adfs.as_mut().expect("AD FS is on it")));
}

/// The package of a version has run on a host, and nothing after it.
fn install(views: &mut Views, host: &str, version: &str) {
    at(views, host, |adfs| {
        adfs.adapter_product_version = Some(version.to_owned());
        adfs.adapter_assembly = Some(assembly(version));
        adfs.restarted_since_install = Some(false);
    });
}

/// The details of all diagnostics.
fn details(decision: &Decision) -> String {
    decision.diagnostics.iter().map(|found| found.detail.as_str()).collect::<Vec<_>>().join("\n")
}

/// The same, with nothing acknowledged.
fn desired_at(pin: &str) -> Desired {
    Desired { acknowledged: Vec::new(), ..wanted(pin) }
}
