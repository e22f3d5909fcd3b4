//! The rules by which the core judges a planned state, checked before it sees one.
//!
//! For each attribute a planned value must be (1) the configured value, or (2) the prior value where both the prior
//! and the configured value are set, or (3) anything where only the provider sets the attribute, or (4) anything
//! where the provider may set it and the configuration does not. Nested objects follow the same rules inside, with
//! the element count and the keys of the configuration.

use crate::tf::path::Path;
use crate::tf::schema::{Attribute, Mode, Schema};
use crate::tf::shape::{Element, Shape};
use crate::tf::value::Value;

/// A place where a provider's answer breaks a rule of the core. Values are never quoted: they may be secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breach {
    pub path: Path,
    pub problem: &'static str,
}

/// Every breach in a planned state. All values conform to the schema.
pub fn check(schema: &Schema, prior: &Value, config: &Value, planned: &Value) -> Vec<Breach> {
    let mut rules = Rules { breaches: Vec::new() };
    rules.object(&schema.attributes, Values { prior, config, planned }, &Path::root());
    rules.breaches
}

#[derive(Clone, Copy)]
struct Values<'a> {
    prior: &'a Value,
    config: &'a Value,
    planned: &'a Value,
}

impl<'a> Values<'a> {
    fn attribute(self, name: &str) -> Self {
        Self {
            prior: self.prior.attribute(name),
            config: self.config.attribute(name),
            planned: self.planned.attribute(name),
        }
    }

    fn index(self, index: usize) -> Self {
        let item = |value: &'a Value| value.as_list().and_then(|items| items.get(index)).unwrap_or(&Value::Null);
        Self { prior: item(self.prior), config: item(self.config), planned: item(self.planned) }
    }
}

struct Rules {
    breaches: Vec<Breach>,
}

impl Rules {
    fn object(&mut self, attributes: &[Attribute], values: Values<'_>, path: &Path) {
        match (values.config, values.planned) {
            (Value::Map(_), Value::Map(_)) => {
                for attribute in attributes {
                    self.attribute(attribute, values.attribute(attribute.name), &path.attribute(attribute.name));
                }
            }
            (config, planned) if config == planned => {}
            (Value::Null, _) => self.breach(path, "it is planned although the configuration has none"),
            (_, Value::Null) => self.breach(path, "it is planned as null although the configuration has one"),
            (Value::Unknown, _) => self.breach(path, "it is planned as known although the configuration is unknown"),
            _ => self.breach(path, "it is planned as unknown although the configuration is known"),
        }
    }

    fn attribute(&mut self, attribute: &Attribute, values: Values<'_>, path: &Path) {
        let Values { prior, config, planned } = values;
        let keeps_prior = planned == prior && !prior.is_null() && !config.is_null();
        let provider_decides = match attribute.mode {
            Mode::Computed => true,
            Mode::OptionalComputed => config.is_null(),
            Mode::Required | Mode::Optional => false,
        };
        if planned == config || keeps_prior || provider_decides {
            return;
        }
        match attribute.kind.shape() {
            Shape::Object(attributes) => self.object(attributes, values, path),
            Shape::List(Element::Object(attributes)) => self.list(attributes, values, path),
            Shape::Map(Element::Object(attributes)) => self.map(attributes, values, path),
            _ => self.breach(path, "it differs from the configured value and is not a prior value that is kept"),
        }
    }

    fn list(&mut self, attributes: &[Attribute], values: Values<'_>, path: &Path) {
        match (values.config.as_list(), values.planned.as_list()) {
            (Some(config), Some(planned)) if config.len() == planned.len() => {
                for index in 0..config.len() {
                    self.object(attributes, values.index(index), &path.index(index));
                }
            }
            _ => self.breach(path, "it has not as many elements as the configuration"),
        }
    }

    fn map(&mut self, attributes: &[Attribute], values: Values<'_>, path: &Path) {
        match (values.config.as_map(), values.planned.as_map()) {
            (Some(config), Some(planned)) if config.keys().eq(planned.keys()) => {
                for key in config.keys() {
                    self.object(attributes, values.attribute(key), &path.key(key));
                }
            }
            _ => self.breach(path, "it has not the keys of the configuration"),
        }
    }

    fn breach(&mut self, path: &Path, problem: &'static str) {
        self.breaches.push(Breach { path: path.clone(), problem });
    }
}

#[cfg(test)]
#[allow(clippy::needless_pass_by_value, reason = "calls of a check read better without borrows")]
mod tests {
    use super::*;
    use crate::tf::schema::Kind;

    fn schema() -> Schema {
        let nested = || {
            vec![Attribute::required("set", Kind::String, "Set."), Attribute::computed("found", Kind::String, "Found.")]
        };
        Schema {
            version: 0,
            description: "A test.",
            attributes: vec![
                Attribute::optional("set", Kind::String, "Set."),
                Attribute::computed("found", Kind::String, "Found."),
                Attribute::optional_computed("both", Kind::String, "Both."),
                Attribute::optional("strings", Kind::strings(), "Strings."),
                Attribute::optional("one", Kind::Object(nested()), "One."),
                Attribute::optional("list", Kind::ObjectList(nested()), "List."),
                Attribute::optional("map", Kind::ObjectMap(nested()), "Map."),
            ],
        }
    }

    fn one(name: &str, value: impl Into<Value>) -> Value {
        Value::object([(name, value.into())])
    }

    fn nested(set: &str, found: Value) -> Value {
        Value::object([("set", set.into()), ("found", found)])
    }

    #[track_caller]
    fn check_plan(prior: Value, config: Value, planned: Value, expected: &[&str]) {
        let paths: Vec<_> = check(&schema(), &prior, &config, &planned)
            .into_iter()
            .map(|breach| if breach.path.steps().is_empty() { "(all)".to_owned() } else { breach.path.to_string() })
            .collect();
        assert_eq!(paths, expected);
    }

    #[test]
    fn configured_values_are_planned_as_they_are() {
        check_plan(Value::Null, one("set", "a"), one("set", "a"), &[]);
        check_plan(Value::Null, one("set", "a"), one("set", "A"), &["set"]);
        check_plan(Value::Null, one("set", Value::Null), one("set", "a"), &["set"]);
        check_plan(Value::Null, one("set", "a"), one("set", Value::Unknown), &["set"]);
        check_plan(Value::Null, one("set", Value::Unknown), one("set", Value::Unknown), &[]);
        check_plan(
            Value::Null,
            one("strings", Value::strings(["a"])),
            one("strings", Value::strings(["b"])),
            &["strings"],
        );
    }

    #[test]
    fn a_prior_value_may_be_kept() {
        check_plan(one("set", "A"), one("set", "a"), one("set", "A"), &[]);
        check_plan(one("set", "A"), one("set", Value::Null), one("set", "A"), &["set"]);
    }

    #[test]
    fn computed_values_are_free() {
        check_plan(Value::Null, one("set", "a"), Value::object([("set", "a".into()), ("found", Value::Unknown)]), &[]);
        check_plan(Value::Null, one("both", Value::Null), one("both", "x"), &[]);
        check_plan(Value::Null, one("both", "y"), one("both", "x"), &["both"]);
    }

    #[test]
    fn nested_objects_follow_the_same_rules() {
        let found = || Value::Unknown;
        check_plan(Value::Null, one("one", nested("a", Value::Null)), one("one", nested("a", found())), &[]);
        check_plan(Value::Null, one("one", nested("a", Value::Null)), one("one", nested("b", found())), &["one.set"]);
        check_plan(Value::Null, one("one", nested("a", Value::Null)), one("one", Value::Unknown), &["one"]);
        let list = |items: Vec<Value>| one("list", Value::List(items));
        check_plan(
            Value::Null,
            list(vec![nested("a", Value::Null)]),
            list(vec![nested("b", found())]),
            &["list[0].set"],
        );
        check_plan(Value::Null, list(vec![nested("a", Value::Null)]), list(vec![]), &["list"]);
        let map = |key: &str, value: Value| one("map", Value::object([(key, value)]));
        check_plan(
            Value::Null,
            map("k", nested("a", Value::Null)),
            map("k", nested("b", found())),
            &["map[\"k\"].set"],
        );
        check_plan(Value::Null, map("k", nested("a", Value::Null)), map("l", nested("a", found())), &["map"]);
    }

    #[test]
    fn existence_follows_the_configuration() {
        check_plan(one("set", "a"), Value::Null, Value::Null, &[]);
        check_plan(one("set", "a"), Value::Null, one("set", "a"), &["(all)"]);
        check_plan(Value::Null, one("set", "a"), Value::Null, &["(all)"]);
        check_plan(Value::Null, one("set", "a"), Value::Unknown, &["(all)"]);
    }
}
