//! The life of a farm, over simulated hosts and a stand-in for the core.

use std::sync::{Arc, LazyLock};

use expect_test::{Expect, expect};

use crate::backend::lease;
use crate::plan::adfs::NEW_NAME;
use crate::plan::fixtures::{adfs, group};
use crate::resource::Resource;
use crate::resource::adfs_adapter::AdfsAdapter;
use crate::resource::set::resource::SetResource;
use crate::resource::set::testing::backend::{Estate, Fault};
use crate::resource::set::testing::{Workspace, config, summaries};
use crate::tf::diagnostic::Diagnostics;
use crate::tf::path::Path;
use crate::tf::value::Value;

mod traffic;

const FARM: [&str; 2] = ["adfs01.contoso.com", "adfs02.contoso.com"];
const ID: &str = "adfs-eu=adfs01.contoso.com;adfs02.contoso.com";

fn farm() -> &'static SetResource<AdfsAdapter> {
    static FARM: LazyLock<SetResource<AdfsAdapter>> = LazyLock::new(|| SetResource::new(AdfsAdapter));
    &FARM
}

fn estate(version: &str) -> Arc<Estate> {
    Arc::new(Estate::new(FARM.map(|host| (host, adfs(host, &FARM, version)))))
}

/// The configuration of the demo, its servers being there.
fn wanted(version: &str) -> Value {
    let acknowledged =
        Value::object([("check", "adfs_mfa_gap".into()), ("reason", "CHG-1".into()), ("until", Value::Null)]);
    let token = group(version, version, &["mfa02.contoso.com"]).to_string();
    config(
        farm(),
        [
            ("name", "adfs-eu".into()),
            ("version", version.into()),
            ("batches", Value::List(FARM.map(|host| Value::strings([host])).to_vec())),
            ("after", Value::strings([token])),
            ("allow_major_upgrade", Value::Bool(true)),
            ("acknowledge", Value::List(vec![acknowledged])),
        ],
    )
}

async fn imported(estate: &Arc<Estate>) -> Workspace<'static> {
    let mut workspace = Workspace::new(farm(), estate);
    let diagnostics = workspace.import(ID).await;
    assert!(!diagnostics.has_errors(), "{diagnostics:?}");
    workspace
}

/// Whether the policy of the farm names a provider that is registered.
fn asks(estate: &Estate) -> bool {
    let adfs = estate.facts(FARM[0]).adfs.expect("AD FS");
    let policy = adfs.policy.expect("a policy");
    adfs.providers.expect("providers").iter().any(|provider| policy.contains(&provider.name))
}

#[tokio::test]
async fn a_farm_is_upgraded_and_rests() {
    let estate = estate("6.3.1.1");
    let mut workspace = imported(&estate).await;
    assert_eq!(workspace.text("version"), "6.3.1.1");
    assert_eq!(workspace.text("primary"), FARM[0]);
    let planned = workspace.plan(&wanted("7.0.0.9")).await;
    expect![[r#"
        warning: adfs-eu: adfs_mfa_gap
        warning: Order 2: adfs-eu 6.3.1.1 -> 7.0.0.9 on adfs01, adfs02"#]]
    .assert_eq(&summaries(&planned.diagnostics));
    assert_eq!(planned.steps().len(), 21);
    let diff = planned.diff();
    let told: Vec<&str> = diff.lines().filter(|line| !line.starts_with("steps")).collect();
    expect![[r#"
        acknowledge: null -> [{check = "adfs_mfa_gap", reason = "CHG-1", until = null}]
        after: null -> ["server_group/mfa-eu pin=7.0.0.9 lowest=7.0.0.9 wave=1 whole=yes at_pin=mfa02"]
        allow_major_upgrade: null -> true
        policy: ["CertificateAuthentication", "WindowsAzureMultiFactorAuthentication"] -> ["CertificateAuthentication", "AzureMfaServerAuthentication"]
        ready: "adfs_adapter/adfs-eu pin=6.3.1.1 lowest=6.3.1.1 wave=1 whole=yes at_pin=adfs01,adfs02" -> "adfs_adapter/adfs-eu pin=7.0.0.9 lowest=7.0.0.9 wave=2 whole=yes at_pin=adfs01,adfs02"
        registered_providers: ["WindowsAzureMultiFactorAuthentication"] -> ["AzureMfaServerAuthentication"]
        target_version: "6.3.1.1" -> "7.0.0.9"
        version: "6.3.1.1" -> "7.0.0.9"
        versions: {adfs01 = "6.3.1.1", adfs02 = "6.3.1.1"} -> {adfs01 = "7.0.0.9", adfs02 = "7.0.0.9"}
        wave: 1 -> 2"#]].assert_eq(&told.join("\n"));
    let applied = workspace.apply(&planned).await;
    assert_eq!(summaries(&applied), "");
    assert_eq!(workspace.text("version_status"), "current");
    assert_eq!(*workspace.state.attribute("registered_providers"), Value::strings([NEW_NAME]));
    assert_eq!(*workspace.state.attribute("policy"), Value::strings(["CertificateAuthentication", NEW_NAME]));
    let planned = workspace.refresh_and_plan(&wanted("7.0.0.9")).await;
    assert!(!planned.changes(), "{}", planned.diff());
    assert_eq!(summaries(&planned.diagnostics), "");
}

/// Every step fails once, before and after its effect. Whatever the phase, the gap is closed at once.
#[tokio::test]
async fn a_failure_at_any_step_leaves_by_its_phase_and_converges() {
    let steps = imported(&estate("6.3.1.1")).await.plan(&wanted("7.0.0.9")).await.steps();
    for (line, after) in steps.iter().flat_map(|line| [(line, false), (line, true)]) {
        let (_, text) = line.split_once(". ").expect("a numbered line");
        if text.contains("traffic is not managed") {
            continue;
        }
        let estate = estate("6.3.1.1");
        let mut workspace = imported(&estate).await;
        let planned = workspace.plan(&wanted("7.0.0.9")).await;
        estate.set_fault_once(Fault { step: text.to_owned().leak(), after });
        let applied = workspace.apply(&planned).await;
        assert!(applied.has_errors(), "{line} after={after}");
        assert!(asks(&estate), "{line} after={after}: users are not asked");
        let before = workspace.state.clone();
        workspace.refresh().await;
        assert_eq!(workspace.state, before, "{line} after={after}: state did not tell the truth");
        let planned = workspace.plan(&wanted("7.0.0.9")).await;
        let applied = workspace.apply(&planned).await;
        assert_eq!(summaries(&applied), "", "{line} after={after}");
        assert_eq!(workspace.text("version_status"), "current", "{line} after={after}");
        assert_eq!(*workspace.state.attribute("registered_providers"), Value::strings([NEW_NAME]));
        assert!(asks(&estate));
    }
}

/// The way out fails as well: the message says so, and the next run begins with what closes the gap.
#[tokio::test]
async fn a_gap_that_stays_open_is_said_and_closed_by_the_next_run() {
    let estate = estate("6.3.1.1");
    let mut workspace = imported(&estate).await;
    let planned = workspace.plan(&wanted("7.0.0.9")).await;
    estate.set_fault(Some(Fault { step: "register AzureMfaServerAuthentication", after: false }));
    let applied = workspace.apply(&planned).await;
    let error = applied.iter().next().expect("an error");
    assert!(error.detail.contains("USERS MAY NOT BE ASKED FOR THE SECOND FACTOR"), "{}", error.detail);
    assert!(!asks(&estate));
    assert_eq!(workspace.text("version_status"), "incomplete");
    estate.set_fault(None);
    // Closing it needs no acknowledgement.
    let mut config = wanted("7.0.0.9");
    config.set("acknowledge", Value::Null);
    let planned = workspace.refresh_and_plan(&config).await;
    assert_eq!(summaries(&workspace.apply(&planned).await), "");
    assert!(asks(&estate));
    assert_eq!(workspace.text("version_status"), "current");
}

/// A farm that has to wait for its servers does not leave users unasked meanwhile.
#[tokio::test]
async fn a_gap_is_closed_while_the_farm_waits() {
    let estate = estate("6.3.1.1");
    let mut workspace = imported(&estate).await;
    let planned = workspace.plan(&wanted("7.0.0.9")).await;
    estate.set_fault(Some(Fault { step: "register AzureMfaServerAuthentication", after: false }));
    workspace.apply(&planned).await;
    estate.set_fault(None);
    assert!(!asks(&estate));
    let mut config = wanted("7.0.0.9");
    let mut token = group("7.0.0.9", "7.0.0.9", &["mfa02.contoso.com"]);
    token.whole = false;
    config.set("after", Value::strings([token.to_string()]));
    let planned = workspace.refresh_and_plan(&config).await;
    expect![[r#"
        1. adfs01.contoso.com: carry the exported values into the new adapter configuration
        2. adfs01.contoso.com: set up a guard: when this server hears nothing of the run for 5 minutes, it closes the gap by itself
        3. adfs01.contoso.com: register AzureMfaServerAuthentication with the carried configuration
        4. adfs01.contoso.com: restart AD FS
        5. adfs01.contoso.com: put AzureMfaServerAuthentication into the global policy (users are asked for the second factor again)
        6. adfs01.contoso.com: take the guard away
        7. adfs01.contoso.com: waits for mfa-eu to be whole at 7.0.0.9"#]].assert_eq(&planned.steps().join("\n"));
    assert_eq!(summaries(&workspace.apply(&planned).await), "");
    assert!(asks(&estate));
    assert_eq!(workspace.text("version"), "6.3.1.1");
    assert_eq!(workspace.refresh_and_plan(&config).await.steps().len(), 1, "it only waits now");
    let planned = workspace.refresh_and_plan(&wanted("7.0.0.9")).await;
    assert_eq!(summaries(&workspace.apply(&planned).await), "");
    assert_eq!(workspace.text("version_status"), "current");
}

/// A run that is asked to stop while users are not asked for the second factor goes on until they are.
#[tokio::test]
async fn a_run_is_not_stopped_in_the_gap() {
    let estate = estate("6.3.1.1");
    let mut workspace = imported(&estate).await;
    let planned = workspace.plan(&wanted("7.0.0.9")).await;
    estate.set_stop_after("out of the global policy", workspace.stop.clone());
    let applied = workspace.apply(&planned).await;
    expect!["error: adfs-eu was stopped before step 15 of 21 on adfs02"].assert_eq(&summaries(&applied));
    assert!(asks(&estate));
    let performed = estate.performed();
    let last = performed.last().expect("something was performed");
    assert!(last.contains("take the guard away"), "{last}");
}

/// Nobody guards a gap that is closed; one that nobody could close is guarded by the server itself.
#[tokio::test]
async fn a_guard_stays_only_while_the_gap_may_be_open() {
    let report = |always: bool| async move {
        let estate = estate("6.3.1.1");
        let mut workspace = imported(&estate).await;
        let planned = workspace.plan(&wanted("7.0.0.9")).await;
        let fault = Fault { step: "register AzureMfaServerAuthentication", after: false };
        if always {
            estate.set_fault(Some(fault));
        } else {
            estate.set_fault_once(fault);
        }
        let applied = workspace.apply(&planned).await;
        let guard: Vec<String> = estate.performed().into_iter().filter(|line| line.contains("guard")).collect();
        (guard, format!("{applied:?}").contains("The guard on adfs01.contoso.com goes on trying by itself"))
    };
    let set_up = "set up a guard: when this server hears nothing of the run for 5 minutes, it closes the gap by itself";
    let lines = |texts: &[&str]| texts.iter().map(|text| format!("{}: {text}", FARM[0])).collect::<Vec<_>>();
    assert_eq!(report(false).await, (lines(&[set_up, "take the guard away"]), false));
    assert_eq!(report(true).await, (lines(&[set_up]), true));
}

/// Another run that gets a host while the farm asks for no second factor does not keep this one from closing the gap.
#[tokio::test]
async fn a_run_that_loses_its_lease_in_the_gap_closes_it_first() {
    let estate = estate("6.3.1.1");
    let mut workspace = imported(&estate).await;
    let planned = workspace.plan(&wanted("7.0.0.9")).await;
    estate.set_hook("out of the global policy", |estate| {
        assert!(!asks(estate), "the gap is open");
        estate.steal_lease(FARM[1], lease::lost(None));
    });
    let applied = workspace.apply(&planned).await;
    let error = applied.iter().next().expect("an error");
    assert_eq!(error.summary, "adfs-eu was stopped before step 15 of 21 on adfs02.contoso.com");
    assert!(error.detail.contains("The lease of this run ended"), "{}", error.detail);
    assert!(asks(&estate), "the gap is closed");
    let performed = estate.performed();
    let last = performed.last().expect("steps");
    assert!(last.contains("take the guard away"), "it stops as soon as the gap is closed: {performed:?}");
}

/// The connection is lost in the gap, and once more on the way out.
#[tokio::test]
async fn a_connection_that_comes_back_does_not_leave_the_gap_open() {
    let estate = estate("6.3.1.1");
    let mut workspace = imported(&estate).await;
    let (mut config, at) = (wanted("7.0.0.9"), FARM.map(|host| format!("{host}:5001")));
    config.set("batches", Value::List(at.iter().map(|host| Value::strings([host.as_str()])).collect()));
    let planned = workspace.plan(&config).await;
    estate.reached();
    estate.set_lost("register AzureMfaServerAuthentication", 2);
    let applied = workspace.apply(&planned).await;
    assert!(applied.has_errors());
    assert!(asks(&estate));
    assert_eq!(estate.reached(), at, "the way out goes to the ports as well");
}

/// Closing the gap may make the farm whole that waits, which only apply can see.
#[tokio::test]
async fn a_gap_that_is_all_that_a_waiting_farm_lacks_is_closed() {
    let estate = estate("7.0.0.9");
    let mut workspace = imported(&estate).await;
    let planned = workspace.plan(&wanted("7.0.0.9")).await;
    workspace.apply(&planned).await;
    estate.change(FARM[0], |facts| {
        let adfs = facts.adfs.as_mut().expect("AD FS");
        (adfs.providers, adfs.policy) = (Some(Vec::new()), Some(Vec::new()));
    });
    let mut config = wanted("7.0.0.9");
    config.set("after", Value::strings([group("7.0.0.9", "6.3.1.1", &["mfa02.contoso.com"]).to_string()]));
    let planned = workspace.refresh_and_plan(&config).await;
    expect!["warning: adfs-eu waits for mfa-eu to run 7.0.0.9"].assert_eq(&summaries(&planned.diagnostics));
    assert_eq!(summaries(&workspace.apply(&planned).await), "");
    assert!(asks(&estate));
    assert_eq!(workspace.text("version_status"), "current");
}

#[tokio::test]
async fn drift_of_the_registration_is_a_change() {
    let estate = estate("7.0.0.9");
    let mut workspace = imported(&estate).await;
    let planned = workspace.plan(&wanted("7.0.0.9")).await;
    workspace.apply(&planned).await;
    estate.change(FARM[0], |facts| {
        facts.adfs.as_mut().expect("AD FS").policy = Some(vec!["CertificateAuthentication".to_owned()]);
    });
    let read = workspace.refresh().await;
    expect!["On adfs01.contoso.com: the global policy does not name AzureMfaServerAuthentication, so users are not asked for the second factor."].assert_eq(&read.iter().map(|found| found.detail.as_str()).collect::<Vec<_>>().join("\n"));
    let planned = workspace.plan(&wanted("7.0.0.9")).await;
    assert!(planned.changes());
    expect![[r#"
        1. adfs01.contoso.com: put AzureMfaServerAuthentication into the global policy (users are asked for the second factor again)
        2. adfs01.contoso.com: verify that the AD FS adapter runs 7.0.0.9 and is registered
        3. adfs02.contoso.com: verify that the AD FS adapter runs 7.0.0.9 and is registered
        4. adfs01.contoso.com: delete the exported configuration"#]].assert_eq(&planned.steps().join("\n"));
    assert_eq!(summaries(&workspace.apply(&planned).await), "");
    assert_eq!(workspace.text("version_status"), "current");
}

#[tokio::test]
async fn a_new_farm_is_adopted_or_shown_how_to_be_imported() {
    let estate = estate("7.0.0.9");
    let mut workspace = Workspace::new(farm(), &estate);
    let planned = workspace.plan(&wanted("7.0.0.9")).await;
    assert_eq!(summaries(&planned.diagnostics), "");
    assert_eq!(summaries(&workspace.apply(&planned).await), "");
    assert_eq!(workspace.text("database"), "wid");
    assert!(!workspace.refresh_and_plan(&wanted("7.0.0.9")).await.changes());
    let workspace = Workspace::new(farm(), &estate);
    let planned = workspace.plan(&wanted("8.0.1.1")).await;
    let error = planned.diagnostics.iter().next().expect("an error");
    assert!(error.detail.contains(&format!("id = \"{ID}\"")), "{}", error.detail);
}

#[tokio::test]
async fn import_ids_are_read_strictly() {
    for (id, expected) in [
        (ID, "ok"),
        ("adfs-eu=adfs01.contoso.com,adfs02.contoso.com", "ok"),
        ("adfs-eu=a;b;c", "3 batches were found, and a farm has one or two"),
        ("adfs-eu=a;", "a host is missing"),
        ("adfs-eu=a;a", "a is there twice"),
        ("adfs-eu=a;A", "A is there twice"),
        ("adfs-eu@x=a", "an AD FS farm has no virtual directory in its id"),
        ("adfs-eu", "\"=\" and the hosts are missing"),
        ("=a", "\"\" cannot name a set"),
        ("adfs-eu=a b", "\"a b\" is no host"),
    ] {
        let outcome = farm().import(None, id).await;
        let found = outcome.diagnostics.iter().next().map_or("ok", |found| found.detail.as_str());
        assert!(found.starts_with(expected), "{id}: {found}");
        assert!(found == "ok" || found.contains("NAME=HOST,HOST;HOST,HOST"), "{id}: {found}");
    }
}

#[track_caller]
fn check_batches(batches: Value, expected: &Expect) {
    let mut diagnostics = Diagnostics::default();
    let mut value = wanted("7.0.0.9");
    value.set("batches", batches);
    farm().validate(&value, &mut diagnostics);
    let line = |found: &crate::tf::diagnostic::Diagnostic| {
        format!("{}: {}", found.path.as_ref().map(Path::to_string).unwrap_or_default(), found.summary)
    };
    expected.assert_eq(&diagnostics.iter().map(line).collect::<Vec<_>>().join("\n"));
}

#[test]
fn batches_are_checked() {
    let batch = |hosts: &[&str]| Value::strings(hosts.iter().copied());
    check_batches(Value::List(vec![batch(&["a"]), batch(&["b"])]), &expect![[""]]);
    check_batches(Value::List(vec![batch(&["a", "b"])]), &expect![[""]]);
    check_batches(Value::List(vec![]), &expect!["batches: One or two batches"]);
    check_batches(
        Value::List(vec![batch(&["a"]), batch(&["b"]), batch(&["c"])]),
        &expect!["batches: One or two batches"],
    );
    check_batches(Value::List(vec![batch(&["a"]), batch(&[])]), &expect!["batches[1]: No hosts"]);
    check_batches(
        Value::List(vec![batch(&["a", "x y"]), Value::Null]),
        &expect![[r#"
        batches[0][1]: Invalid host
        batches[1]: Missing batch"#]],
    );
    check_batches(Value::List(vec![batch(&["a"]), batch(&["b", "A"])]), &expect!["batches[1][1]: The same host twice"]);
    check_batches(
        Value::List(vec![batch(&["a"]), Value::List(vec![Value::Null, Value::Unknown])]),
        &expect!["batches[1][0]: Missing host"],
    );
    check_batches(Value::List(vec![Value::Unknown]), &expect![[""]]);
    check_batches(Value::Unknown, &expect![[""]]);
}
