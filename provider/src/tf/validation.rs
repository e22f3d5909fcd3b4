//! Runs the checks that the attribute table declares.

use crate::tf::diagnostic::Diagnostics;
use crate::tf::path::Path;
use crate::tf::schema::Schema;
use crate::tf::shape::Shape;
use crate::tf::value::Value;

/// Runs each attribute's checks on every known, non-null value of it, at any depth.
///
/// Nothing is refused because it is unknown, and what is missing or of the wrong type the core has refused before.
pub fn validate(schema: &Schema, config: &Value, diagnostics: &mut Diagnostics) {
    part(schema.shape(), config, &Path::root(), diagnostics);
}

fn part(shape: Shape<'_>, value: &Value, path: &Path, diagnostics: &mut Diagnostics) {
    match (shape, value) {
        (Shape::Object(attributes), Value::Map(_)) => {
            for attribute in attributes {
                let value = value.attribute(attribute.name);
                if value.is_null() || value.is_unknown() {
                    continue;
                }
                let path = path.attribute(attribute.name);
                for validator in &attribute.validators {
                    validator(value, &path, diagnostics);
                }
                part(attribute.kind.shape(), value, &path, diagnostics);
            }
        }
        (Shape::List(element), Value::List(items)) => {
            for (index, item) in items.iter().enumerate() {
                part(element.shape(), item, &path.index(index), diagnostics);
            }
        }
        (Shape::Map(element), Value::Map(entries)) => {
            for (key, item) in entries {
                part(element.shape(), item, &path.key(key), diagnostics);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
#[allow(clippy::needless_pass_by_value, reason = "calls of a check read better without borrows")]
mod tests {
    use super::*;
    use crate::tf::schema::{Attribute, Kind};

    fn refuse(_: &Value, path: &Path, diagnostics: &mut Diagnostics) {
        diagnostics.error_at(path.clone(), "refused", "");
    }

    #[track_caller]
    fn check(config: Value, expected: &[&str]) {
        let leaf = || Attribute::optional("leaf", Kind::String, "A leaf.").check(refuse);
        let schema = Schema {
            version: 0,
            description: "A test.",
            attributes: vec![
                leaf(),
                Attribute::optional("list", Kind::ObjectList(vec![leaf()]), "A list."),
                Attribute::optional("map", Kind::ObjectMap(vec![leaf()]), "A map."),
                Attribute::optional("one", Kind::Object(vec![leaf()]), "One."),
            ],
        };
        let mut diagnostics = Diagnostics::default();
        validate(&schema, &config, &mut diagnostics);
        let paths: Vec<_> = diagnostics.iter().map(|found| found.path.as_ref().unwrap().to_string()).collect();
        assert_eq!(paths, expected);
    }

    #[test]
    fn known_values_are_checked_at_any_depth() {
        let leaf = || Value::object([("leaf", "x".into())]);
        check(leaf(), &["leaf"]);
        check(Value::object([("list", Value::List(vec![Value::Unknown, leaf()]))]), &["list[1].leaf"]);
        check(Value::object([("map", Value::object([("k", leaf())]))]), &["map[\"k\"].leaf"]);
        check(Value::object([("one", leaf())]), &["one.leaf"]);
    }

    #[test]
    fn null_and_unknown_are_not() {
        check(Value::Null, &[]);
        check(Value::Unknown, &[]);
        check(Value::object([("leaf", Value::Unknown), ("list", Value::Unknown), ("map", Value::Null)]), &[]);
        check(Value::object([("one", Value::object([("leaf", Value::Unknown)]))]), &[]);
    }
}
