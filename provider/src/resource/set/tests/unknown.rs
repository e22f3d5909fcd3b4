//! Unknown values: deciders stop a plan that has work to do; nothing else ever does.

use expect_test::expect;

use crate::resource::set::schema::mark_unknown;
use crate::resource::set::testing::summaries;
use crate::resource::set::tests::{HOSTS, estate, group, health_check, imported, wanted};
use crate::resource::{PlanRequest, Resource as _};
use crate::tf::schema::{Attribute, Kind, Mode};
use crate::tf::value::Value;

#[tokio::test]
async fn with_work_pending_an_unknown_decider_is_refused() {
    let workspace = imported(&estate("6.3.1.1")).await;
    let mut found = Vec::new();
    for name in ["version", "hosts", "master", "after", "hold", "health_check"] {
        let mut config = wanted("7.0.0.9", "mfa01");
        config.set(name, Value::Unknown);
        found.push(summaries(&workspace.plan(&config).await.diagnostics));
    }
    expect![[r#"
        error: version is not known yet
        error: hosts is not known yet
        error: master is not known yet
        error: after is not known yet
        error: hold is not known yet
        error: health_check is not known yet"#]]
    .assert_eq(&found.join("\n"));
}

#[tokio::test]
async fn without_work_an_unknown_after_only_spreads() {
    let estate = estate("7.0.0.9");
    let mut workspace = imported(&estate).await;
    let planned = workspace.plan(&wanted("7.0.0.9", "mfa01")).await;
    workspace.apply(&planned).await;
    for name in ["master", "after", "hold"] {
        let mut config = wanted("7.0.0.9", "mfa01");
        config.set(name, Value::Unknown);
        let planned = workspace.plan(&config).await;
        assert_eq!(summaries(&planned.diagnostics), "", "{name}");
    }
    let mut config = wanted("7.0.0.9", "mfa01");
    config.set("after", Value::List(vec![Value::Unknown]));
    let planned = workspace.plan(&config).await;
    assert_eq!(planned.value.attribute("wave"), &Value::Unknown);
    assert_eq!(planned.value.attribute("ready"), &Value::Unknown);
    assert!(!planned.changes() || planned.steps().is_empty());
}

/// A set that is held does nothing, whatever its deciders turn out to be.
#[tokio::test]
async fn a_hold_needs_no_deciders() {
    let workspace = imported(&estate("6.3.1.1")).await;
    for name in ["master", "after"] {
        let mut config = wanted("7.0.0.9", "mfa01");
        config.set("hold", "CHG-7 is not approved".into());
        config.set(name, Value::Unknown);
        let planned = workspace.plan(&config).await;
        assert_eq!(summaries(&planned.diagnostics), "warning: mfa-eu is held", "{name}");
    }
}

/// Where no server has an SDK, it is no error that it is not known whether one is declared.
#[tokio::test]
async fn an_unknown_declaration_is_held_against_nothing() {
    let estate = estate("7.0.0.9");
    for host in HOSTS {
        estate.change(host, |facts| facts.web.clear());
    }
    let workspace = imported(&estate).await;
    let mut config = wanted("7.0.0.9", "mfa01");
    config.set("web_service_sdk", Value::Unknown);
    assert_eq!(summaries(&workspace.plan(&config).await.diagnostics), "");
}

/// Every attribute that decides nothing, wholly and in each of its parts, on sets with and without work.
#[tokio::test]
async fn nothing_else_unknown_is_ever_an_error() {
    for version in ["6.3.1.1", "7.0.0.9"] {
        let workspace = imported(&estate(version)).await;
        let mut config = wanted("7.0.0.9", "mfa01");
        config.set("acknowledge", acknowledgement());
        config.set("health_check", health_check([]));
        config.set("timeouts", Value::object([("update", "1h".into()), ("read", Value::Null)]));
        let mut tried = 0;
        for attribute in &group().schema().attributes {
            let decides = ["version", "hosts", "master", "after", "hold", "drain"].contains(&attribute.name);
            if decides || attribute.mode == Mode::Computed {
                continue;
            }
            // Whether there is a check at all decides, and its parts do not.
            let wholly = usize::from(attribute.name == "health_check");
            for value in unknowns(attribute, config.attribute(attribute.name)).into_iter().skip(wholly) {
                let mut config = config.clone();
                config.set(attribute.name, value.clone());
                let planned = workspace.plan(&config).await;
                assert!(!planned.diagnostics.has_errors(), "{}: {value:?}: {:?}", attribute.name, planned.diagnostics);
                let mut found = crate::tf::diagnostic::Diagnostics::default();
                group().validate(&config, &mut found);
                assert!(!found.has_errors(), "{}: {value:?}: {found:?}", attribute.name);
                tried += 1;
            }
        }
        assert!(tried > 15, "{tried} configurations were tried");
    }
}

#[tokio::test]
async fn an_unknown_provider_configuration_is_never_an_error() {
    let workspace = imported(&estate("6.3.1.1")).await;
    let config = wanted("7.0.0.9", "mfa01");
    let read = group().read(None, workspace.state.clone(), &workspace.private).await;
    assert!(!read.diagnostics.has_errors());
    assert_eq!((read.state, read.private), (workspace.state.clone(), workspace.private.clone()));
    let mut created = config.clone();
    mark_unknown(&group().schema().attributes, &config, &mut created);
    for (prior, private) in [(&workspace.state, workspace.private.as_slice()), (&Value::Null, &[])] {
        let request = PlanRequest { prior, proposed: &config, config: &config, private };
        let planned = group().plan(None, request).await;
        assert!(!planned.diagnostics.has_errors(), "{:?}", planned.diagnostics);
    }
}

#[tokio::test]
async fn a_plan_does_not_depend_on_the_process() {
    let estate = estate("6.3.1.1");
    let workspace = imported(&estate).await;
    let before = estate.observed();
    let planned = workspace.plan(&wanted("7.0.0.9", "mfa01")).await;
    assert_eq!(estate.observed(), before, "a plan of hosts that were read asks none of them");
    // Another workspace over hosts that have moved on, with the same state: another process would be no different.
    let mut elsewhere = imported(&crate::resource::set::tests::estate("8.0.1.1")).await;
    (elsewhere.state, elsewhere.private) = (workspace.state.clone(), workspace.private.clone());
    let again = elsewhere.plan(&wanted("7.0.0.9", "mfa01")).await;
    assert_eq!(planned.value, again.value);
    assert_eq!(planned.private, again.private);
    assert!(planned.value.attribute("versions").attribute(HOSTS[0]).as_str().is_some());
}

fn acknowledgement() -> Value {
    Value::List(vec![Value::object([
        ("check", "shared_application_pool".into()),
        ("reason", "CHG-1".into()),
        ("until", "2999-01-01T00:00:00Z".into()),
    ])])
}

/// The value wholly unknown, and with each of its parts unknown.
fn unknowns(attribute: &Attribute, value: &Value) -> Vec<Value> {
    let mut found = vec![Value::Unknown];
    match (&attribute.kind, value) {
        (Kind::Object(nested), Value::Map(_)) => {
            for part in nested {
                let mut value = value.clone();
                value.set(part.name, Value::Unknown);
                found.push(value);
            }
        }
        (Kind::ObjectList(nested), Value::List(items)) => {
            found.push(Value::List(vec![Value::Unknown]));
            for part in nested {
                let mut item = items[0].clone();
                item.set(part.name, Value::Unknown);
                found.push(Value::List(vec![item]));
            }
        }
        _ => {}
    }
    found
}
