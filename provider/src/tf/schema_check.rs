//! Checks an attribute table against what the core and the reserved words of the language allow.
//!
//! One wrong table makes the whole provider unusable, so a test runs this over every table.

use std::collections::BTreeSet;

use crate::tf::schema::{Attribute, Kind, Mode, Schema};

/// Where a table is used; the reserved names differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    Provider,
    Resource,
}

/// Everything that is wrong with a table, one sentence each, each naming the attribute.
pub fn problems(name: &str, owner: Owner, schema: &Schema) -> Vec<String> {
    let mut problems = Vec::new();
    if schema.version < 0 {
        problems.push(format!("{name}: the version is negative"));
    }
    check_description(name, schema.description, &mut problems);
    for attribute in &schema.attributes {
        if reserved(owner).contains(&attribute.name) {
            problems.push(format!("{name}.{}: the name is reserved", attribute.name));
        }
    }
    check_attributes(name, owner, &schema.attributes, &mut problems);
    problems
}

fn reserved(owner: Owner) -> &'static [&'static str] {
    match owner {
        Owner::Provider => &["alias", "version"],
        Owner::Resource => &["connection", "count", "depends_on", "for_each", "lifecycle", "provider", "provisioner"],
    }
}

fn check_attributes(parent: &str, owner: Owner, attributes: &[Attribute], problems: &mut Vec<String>) {
    let mut names = BTreeSet::new();
    for attribute in attributes {
        let name = format!("{parent}.{}", attribute.name);
        if !is_name(attribute.name) {
            problems.push(format!("{name}: a name starts with a letter or `_` and has `[a-z0-9_]` only"));
        }
        if !names.insert(attribute.name) {
            problems.push(format!("{name}: the name is declared twice"));
        }
        check_description(&name, attribute.description, problems);
        if attribute.mode == Mode::Computed && !attribute.validators.is_empty() {
            problems.push(format!("{name}: nobody sets it, so its checks never run"));
        }
        let default_allowed = match attribute.mode {
            Mode::OptionalComputed => true,
            Mode::Optional => owner == Owner::Provider,
            Mode::Required | Mode::Computed => false,
        };
        if attribute.default.is_some() && !default_allowed {
            problems.push(format!("{name}: a default needs an optional attribute that the provider may set"));
        }
        if owner == Owner::Provider && matches!(attribute.mode, Mode::Computed | Mode::OptionalComputed) {
            problems.push(format!("{name}: a provider's configuration has nothing computed"));
        }
        match &attribute.kind {
            Kind::Object(nested) | Kind::ObjectList(nested) | Kind::ObjectMap(nested) => {
                if nested.is_empty() {
                    problems.push(format!("{name}: the object has no attributes"));
                }
                check_attributes(&name, owner, nested, problems);
            }
            Kind::List(element) | Kind::Map(element) => {
                if holds_objects(element) {
                    problems
                        .push(format!("{name}: use a list or map of nested objects, whose attributes are documented"));
                }
            }
            Kind::String | Kind::Number | Kind::Bool => {}
        }
    }
}

fn check_description(name: &str, description: &str, problems: &mut Vec<String>) {
    if !description.trim_end().ends_with('.') {
        problems.push(format!("{name}: the description is not a sentence that ends with a dot"));
    }
}

fn is_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_lowercase() || first == '_')
        && name.chars().all(|other| other.is_ascii_lowercase() || other.is_ascii_digit() || other == '_')
}

fn holds_objects(kind: &Kind) -> bool {
    match kind {
        Kind::List(element) | Kind::Map(element) => holds_objects(element),
        Kind::Object(_) | Kind::ObjectList(_) | Kind::ObjectMap(_) => true,
        Kind::String | Kind::Number | Kind::Bool => false,
    }
}

#[cfg(test)]
#[allow(clippy::needless_pass_by_value, reason = "calls of a check read better without borrows")]
mod tests {
    use super::*;
    use crate::tf::value::Value;

    #[track_caller]
    fn check(owner: Owner, attribute: Attribute, expected: &[&str]) {
        let schema = Schema { version: 0, description: "A test.", attributes: vec![attribute] };
        assert_eq!(problems("t", owner, &schema), expected);
    }

    #[test]
    fn a_sound_table_has_no_problems() {
        check(Owner::Resource, Attribute::required("name", Kind::String, "A name."), &[]);
        let both = Attribute::optional_computed("size", Kind::Number, "A size.").with_default(Value::integer(1));
        check(Owner::Resource, both, &[]);
    }

    #[test]
    fn each_rule_finds_its_breach() {
        let string = |name| Attribute::optional(name, Kind::String, "A text.");
        check(Owner::Resource, string("count"), &["t.count: the name is reserved"]);
        check(Owner::Provider, string("alias"), &["t.alias: the name is reserved"]);
        let problem = "t.Name: a name starts with a letter or `_` and has `[a-z0-9_]` only";
        check(Owner::Resource, string("Name"), &[problem]);
        let problem = "t.a: the description is not a sentence that ends with a dot";
        check(Owner::Resource, Attribute::optional("a", Kind::String, "A text"), &[problem]);
        let problem = "t.a: nobody sets it, so its checks never run";
        check(Owner::Resource, Attribute::computed("a", Kind::String, "A.").check(|_, _, _| {}), &[problem]);
        let problem = "t.a: a default needs an optional attribute that the provider may set";
        check(Owner::Resource, string("a").with_default("x".into()), &[problem]);
        check(Owner::Provider, string("a").with_default("x".into()), &[]);
        let problem = "t.a: a provider's configuration has nothing computed";
        check(Owner::Provider, Attribute::computed("a", Kind::String, "A."), &[problem]);
        let problem = "t.a: the object has no attributes";
        check(Owner::Resource, Attribute::optional("a", Kind::Object(vec![]), "A."), &[problem]);
        let twice = Attribute::optional("a", Kind::ObjectList(vec![string("b"), string("b")]), "A.");
        check(Owner::Resource, twice, &["t.a.b: the name is declared twice"]);
        let kind = Kind::List(Box::new(Kind::Object(vec![string("b")])));
        let problem = "t.a: use a list or map of nested objects, whose attributes are documented";
        check(Owner::Resource, Attribute::optional("a", kind, "A."), &[problem]);
        let schema = Schema { version: -1, description: "A test.", attributes: vec![] };
        assert_eq!(problems("t", Owner::Resource, &schema), ["t: the version is negative"]);
    }
}
