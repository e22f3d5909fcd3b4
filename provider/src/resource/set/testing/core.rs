//! The rules of Terraform's core that a provider's answers are held against.

use std::collections::BTreeMap;

use crate::tf::schema::{Attribute, Kind, Mode};
use crate::tf::value::Value;

/// What the core proposes: the configuration, with computed attributes that it leaves out taken from the prior state.
pub fn proposed(attributes: &[Attribute], prior: &Value, config: &Value) -> Value {
    let mut entries = BTreeMap::new();
    for attribute in attributes {
        let stated = config.attribute(attribute.name);
        let before = prior.attribute(attribute.name);
        let computed = matches!(attribute.mode, Mode::Computed | Mode::OptionalComputed);
        let value = match (&attribute.kind, stated) {
            (_, Value::Null) if computed => before.clone(),
            (Kind::Object(nested), Value::Map(_)) => proposed(nested, before, stated),
            _ => stated.clone(),
        };
        entries.insert(attribute.name.to_owned(), value);
    }
    Value::Map(entries)
}

/// Every planned attribute equals the configuration, or a prior that may stay, or is the provider's to set.
#[track_caller]
pub fn check_planned(attributes: &[Attribute], prior: &Value, config: &Value, planned: &Value) {
    let names: Vec<&str> = planned.as_map().expect("an object").keys().map(String::as_str).collect();
    let mut known: Vec<&str> = attributes.iter().map(|attribute| attribute.name).collect();
    known.sort_unstable();
    assert_eq!(names, known, "the planned object has other attributes than the schema");
    for attribute in attributes {
        let (stated, planned) = (config.attribute(attribute.name), planned.attribute(attribute.name));
        let before = prior.attribute(attribute.name);
        let computed = matches!(attribute.mode, Mode::Computed | Mode::OptionalComputed);
        if let (Kind::Object(nested), Value::Map(_)) = (&attribute.kind, stated) {
            check_planned(nested, before, stated, planned);
            continue;
        }
        let is_stated = planned == stated;
        let stays = planned == before && !before.is_null() && !stated.is_null();
        let is_free = computed && stated.is_null();
        assert!(
            is_stated || stays || is_free,
            "{} was planned as {planned:?}; configuration {stated:?}, prior {before:?}",
            attribute.name
        );
    }
}

/// After an apply nothing is unknown, and what the plan knew has come about.
#[track_caller]
pub fn check_applied(planned: &Value, applied: &Value) {
    assert!(applied.is_wholly_known(), "unknown after apply: {applied:?}");
    for (name, planned) in planned.as_map().expect("an object") {
        check_same(name, planned, applied.attribute(name));
    }
}

/// A state holds exactly the schema's attributes, all known.
#[track_caller]
pub fn check_whole(attributes: &[Attribute], state: &Value) {
    assert!(state.is_wholly_known(), "a state has no unknowns: {state:?}");
    let mut known: Vec<&str> = attributes.iter().map(|attribute| attribute.name).collect();
    known.sort_unstable();
    let names: Vec<&str> = state.as_map().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(names, known, "a state has the schema's attributes");
}

#[track_caller]
fn check_same(name: &str, planned: &Value, applied: &Value) {
    match (planned, applied) {
        (Value::Unknown, _) => {}
        (Value::List(planned), Value::List(applied)) if planned.len() == applied.len() => {
            planned.iter().zip(applied).for_each(|(planned, applied)| check_same(name, planned, applied));
        }
        (Value::Map(planned), Value::Map(applied)) if planned.len() == applied.len() => {
            for (key, planned) in planned {
                check_same(name, planned, applied.get(key).unwrap_or(&Value::Unknown));
            }
        }
        _ => assert_eq!(planned, applied, "{name} is not what was planned"),
    }
}
