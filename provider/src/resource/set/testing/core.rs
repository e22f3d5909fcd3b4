//! What Terraform's core does between the provider's answers: it proposes, and it holds answers against its rules.

use std::collections::BTreeMap;

use crate::tf::schema::{Attribute, Kind, Mode, Schema};
use crate::tf::value::Value;
use crate::tf::{apply_rules, conform, plan_rules};

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

/// Holds a plan against the core's rules.
#[track_caller]
pub fn check_planned(schema: &Schema, prior: &Value, config: &Value, planned: &Value) {
    check_shape(schema, planned);
    let breaches = plan_rules::check(schema, prior, config, planned);
    assert!(breaches.is_empty(), "{breaches:?}\nin {planned:?}\nfor {config:?}");
}

/// Holds an applied state against its plan.
#[track_caller]
pub fn check_applied(schema: &Schema, planned: &Value, applied: &Value) {
    check_state(schema, applied);
    let breaches = apply_rules::check(schema, planned, applied);
    assert!(breaches.is_empty(), "{breaches:?}\nin {applied:?}\nplanned {planned:?}");
}

/// A state has the schema's shape and nothing unknown.
#[track_caller]
pub fn check_state(schema: &Schema, state: &Value) {
    check_shape(schema, state);
    assert!(state.is_wholly_known(), "a state has no unknowns: {state:?}");
}

#[track_caller]
fn check_shape(schema: &Schema, value: &Value) {
    let shaped = conform::conform(schema, value.clone()).expect("the value fits its schema");
    assert_eq!(&shaped, value, "an attribute is missing");
}
