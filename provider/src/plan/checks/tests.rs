//! Tables: what the shared checks find.

use crate::backend::facts::HostFacts;
use crate::plan::checks::survey;
use crate::plan::evidence::{Evidence, Gap};
use crate::plan::fixtures::{desired, host, policy, views};
use crate::plan::token::{SetKind, Token};
use crate::plan::{Decision, Desired, View, Views};

const HOSTS: [&str; 2] = ["portal01.dmz.contoso.com", "portal02.dmz.contoso.com"];

/// A portal whose two hosts run the versions.
fn decide(kind: SetKind, desired: &Desired, versions: [&str; 2], gaps: &[Gap]) -> Decision {
    let views = views(HOSTS.map(|name| (name, host(name))));
    over(kind, desired, &views, versions, gaps)
}

fn over(kind: SetKind, desired: &Desired, views: &Views, versions: [&str; 2], gaps: &[Gap]) -> Decision {
    let evidence = |name: &str| {
        let position = HOSTS.iter().position(|known| *known == name)?;
        matches!(views.get(name), Some(View::Seen(_))).then(|| {
            Evidence::of(("uninstall entry", Some(versions[position])), ("library", Some(versions[position])))
        })?
    };
    survey(kind, desired, views, &policy(), evidence, gaps).rest()
}

fn token(text: &str) -> Token {
    text.parse().expect("a token")
}

fn summary(decision: &Decision) -> String {
    let found: Vec<&str> = decision.diagnostics.iter().map(|found| found.summary.as_str()).collect();
    let lines = decision.lines().join(" ");
    format!("{} [{lines}] {}", decision.status.as_str(), found.join("; ")).replace(".dmz.contoso.com", "")
}

#[track_caller]
fn check_upstream(kind: SetKind, after: &[&str], expected: &str) {
    let mut wanted = desired("portal-dmz", "7.0.0.9", &HOSTS);
    wanted.after = after.iter().map(|text| token(text)).collect();
    assert_eq!(summary(&decide(kind, &wanted, ["6.3.1.1", "6.3.1.1"], &[])), expected);
}

const READY: &str = "server_group/mfa-eu pin=7.0.0.9 lowest=7.0.0.9 wave=1 whole=yes at_pin=mfa01";
const UNDER_WAY: &str = "server_group/mfa-eu pin=7.0.0.9 lowest=6.3.1.1 wave=1 whole=no at_pin=";
const HALF: &str = "server_group/mfa-eu pin=7.0.0.9 lowest=7.0.0.9 wave=1 whole=no at_pin=mfa01";
const LOWER: &str = "server_group/mfa-eu pin=6.3.1.1 lowest=6.3.1.1 wave=1 whole=yes at_pin=mfa01";
const HIGHER: &str = "server_group/mfa-eu pin=8.0.1.1 lowest=7.0.0.9 wave=1 whole=yes at_pin=mfa01";
const PORTAL: &str = "user_portal/other pin=7.0.0.9 lowest=6.3.1.1 wave=2 whole=no at_pin=";

#[test]
fn a_set_goes_waits_or_is_wrong_by_what_is_before_it() {
    let check = |after: &[&str], expected| check_upstream(SetKind::UserPortal, after, expected);
    // Going: the survey of a set with work leaves the steps to the planner.
    check(&[READY], "behind [] ");
    check(&[HIGHER], "behind [] ");
    check(
        &[UNDER_WAY],
        "waiting [1. portal01: waits for mfa-eu to run 7.0.0.9] portal-dmz waits for mfa-eu to run \
         7.0.0.9",
    );
    check(
        &[HALF],
        "waiting [1. portal01: waits for mfa-eu to be whole at 7.0.0.9] portal-dmz waits for mfa-eu to be whole at 7.0.0.9",
    );
    check(
        &[READY, PORTAL],
        "waiting [1. portal01: waits for other to run 7.0.0.9] portal-dmz waits for other to run \
         7.0.0.9",
    );
    check(&[LOWER], "behind [] portal-dmz: its server group is pinned lower");
    check(&[PORTAL], "behind [] portal-dmz: no server group before it");
    check(&[], "behind [] portal-dmz: no server group before it");
    check_upstream(SetKind::ServerGroup, &[], "behind [] ");
    check_upstream(
        SetKind::ServerGroup,
        &[UNDER_WAY],
        "waiting [1. portal01: waits for mfa-eu to run 7.0.0.9] portal-dmz waits for mfa-eu to run \
         7.0.0.9",
    );
}

#[test]
fn a_set_with_nothing_to_do_does_not_mind_what_is_before_it() {
    let wanted = desired("portal-dmz", "7.0.0.9", &HOSTS);
    assert_eq!(summary(&decide(SetKind::UserPortal, &wanted, ["7.0.0.9", "7.0.0.9"], &[])), "current [] ");
}

#[test]
fn a_missing_end_state_fact_makes_a_set_incomplete() {
    let mut wanted = desired("portal-dmz", "7.0.0.9", &HOSTS);
    wanted.after = vec![token(READY)];
    let gaps = [Gap::new(HOSTS[1], "web.config still holds what the vendor ships")];
    let decision = decide(SetKind::UserPortal, &wanted, ["7.0.0.9", "7.0.0.9"], &gaps);
    assert_eq!((decision.status.as_str(), decision.whole), ("incomplete", false));
}

#[test]
fn prerequisites_are_named_by_host_where_setup_does_not_bring_them() {
    let check = |kind, change: fn(&mut HostFacts), expected: &str| {
        let mut wanted = desired("portal-dmz", "7.0.0.9", &HOSTS);
        wanted.after = vec![token(READY)];
        let mut facts = host(HOSTS[1]);
        change(&mut facts);
        let views = views([(HOSTS[0], host(HOSTS[0])), (HOSTS[1], facts)]);
        let decision = over(kind, &wanted, &views, ["6.3.1.1", "6.3.1.1"], &[]);
        let details: Vec<&str> = decision.diagnostics.iter().map(|found| found.detail.as_str()).collect();
        assert!(details.join(" ").contains(expected), "{details:?}");
        assert_eq!(decision.diagnostics.has_errors(), !expected.is_empty());
    };
    check(
        SetKind::UserPortal,
        |facts| facts.vc_redist_x86 = None,
        "portal02.dmz.contoso.com lacks the Visual C++ 2015",
    );
    check(SetKind::UserPortal, |facts| facts.vc_redist_x64 = Some("14.0.23026".to_owned()), "x64 (found 14.0.23026");
    check(SetKind::UserPortal, |facts| facts.dotnet_release = Some(378_388), "lacks .NET Framework 4.5");
    check(SetKind::ServerGroup, |facts| facts.vc_redist_x86 = None, "");
    check(SetKind::ServerGroup, |facts| facts.dotnet_release = None, "lacks .NET Framework 4.5");
    check(SetKind::ServerGroup, |facts| facts.administrator = false, "no administrator rights");
}

#[test]
fn a_host_without_the_component_is_an_error() {
    let wanted = desired("portal-dmz", "7.0.0.9", &HOSTS);
    let views = views(HOSTS.map(|name| (name, host(name))));
    let decision = survey(SetKind::UserPortal, &wanted, &views, &policy(), |_| None, &[]).rest();
    assert_eq!(
        summary(&decision),
        "behind [] portal-dmz: nothing to upgrade on portal01; portal-dmz: nothing to upgrade on portal02"
    );
}

#[test]
fn a_host_that_is_away_gets_no_steps_and_keeps_the_set_from_its_pin() {
    let mut wanted = desired("portal-dmz", "7.0.0.9", &HOSTS);
    let mut views = views([(HOSTS[0], host(HOSTS[0]))]);
    views.insert(HOSTS[1].to_owned(), View::Unreachable { reason: "connection refused".to_owned() });
    let decision = over(SetKind::UserPortal, &wanted, &views, ["7.0.0.9", "7.0.0.9"], &[]);
    assert_eq!((decision.status.as_str(), decision.reaches_pin, decision.whole), ("waiting", false, false));
    assert_eq!(
        decision.lines(),
        ["1. portal02.dmz.contoso.com: by hand: make portal02.dmz.contoso.com reachable again"]
    );
    wanted.last_versions.insert(HOSTS[1].to_owned(), wanted.pin.clone());
    let decision = over(SetKind::UserPortal, &wanted, &views, ["7.0.0.9", "7.0.0.9"], &[]);
    assert_eq!((decision.status.as_str(), decision.reaches_pin, decision.whole), ("current", false, true));
}
