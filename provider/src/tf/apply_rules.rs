//! The rules by which the core judges an applied state, checked before it sees one.

use crate::tf::path::Path;
use crate::tf::plan_rules::Breach;
use crate::tf::schema::Schema;
use crate::tf::shape::Shape;
use crate::tf::value::Value;

/// Every place where an applied state is not what the plan promised. Both values conform to the schema.
///
/// What was known in the plan must have come true; what was unknown may be anything known.
pub fn check(schema: &Schema, planned: &Value, applied: &Value) -> Vec<Breach> {
    let mut breaches = Vec::new();
    compare(schema.shape(), planned, applied, &Path::root(), &mut breaches);
    breaches
}

/// The paths of all unknown parts of a value.
pub fn unknowns(schema: &Schema, value: &Value) -> Vec<Path> {
    let mut paths = Vec::new();
    collect_unknowns(schema.shape(), value, &Path::root(), &mut paths);
    paths
}

/// The value with each unknown part replaced by the same part of `fallback` when that is known, else by null.
pub fn settle(schema: &Schema, value: Value, fallback: &Value) -> Value {
    settle_part(schema.shape(), value, fallback)
}

fn compare(shape: Shape<'_>, planned: &Value, applied: &Value, path: &Path, breaches: &mut Vec<Breach>) {
    let mut breach = |problem| breaches.push(Breach { path: path.clone(), problem });
    match (shape, planned, applied) {
        // Unknown parts of the result are a finding of their own.
        (_, Value::Unknown, _) | (_, _, Value::Unknown) => {}
        (_, Value::Null, Value::Null) => {}
        (_, Value::Null, _) => breach("it was planned as null and is set now"),
        (_, _, Value::Null) => breach("it was planned and is null now"),
        (Shape::Object(attributes), Value::Map(_), Value::Map(_)) => {
            for attribute in attributes {
                let (planned, applied) = (planned.attribute(attribute.name), applied.attribute(attribute.name));
                compare(attribute.kind.shape(), planned, applied, &path.attribute(attribute.name), breaches);
            }
        }
        (Shape::List(element), Value::List(planned), Value::List(applied)) if planned.len() == applied.len() => {
            for (index, (planned, applied)) in planned.iter().zip(applied).enumerate() {
                compare(element.shape(), planned, applied, &path.index(index), breaches);
            }
        }
        (Shape::List(_), _, _) => breach("it has another number of elements than was planned"),
        (Shape::Map(element), Value::Map(planned), Value::Map(applied)) if planned.keys().eq(applied.keys()) => {
            for (key, planned) in planned {
                compare(element.shape(), planned, &applied[key], &path.key(key), breaches);
            }
        }
        (Shape::Map(_), _, _) => breach("it has other keys than were planned"),
        (_, planned, applied) if planned == applied => {}
        _ => breach("it has another value than was planned"),
    }
}

fn collect_unknowns(shape: Shape<'_>, value: &Value, path: &Path, paths: &mut Vec<Path>) {
    match (shape, value) {
        (_, Value::Unknown) => paths.push(path.clone()),
        (Shape::Object(attributes), Value::Map(_)) => {
            for attribute in attributes {
                let part = value.attribute(attribute.name);
                collect_unknowns(attribute.kind.shape(), part, &path.attribute(attribute.name), paths);
            }
        }
        (Shape::List(element), Value::List(items)) => {
            for (index, item) in items.iter().enumerate() {
                collect_unknowns(element.shape(), item, &path.index(index), paths);
            }
        }
        (Shape::Map(element), Value::Map(entries)) => {
            for (key, item) in entries {
                collect_unknowns(element.shape(), item, &path.key(key), paths);
            }
        }
        _ => {}
    }
}

fn settle_part(shape: Shape<'_>, value: Value, fallback: &Value) -> Value {
    match (shape, value) {
        (_, Value::Unknown) if fallback.is_wholly_known() => fallback.clone(),
        (_, Value::Unknown) => Value::Null,
        (Shape::Object(attributes), Value::Map(mut entries)) => {
            for attribute in attributes {
                if let Some(part) = entries.remove(attribute.name) {
                    let part = settle_part(attribute.kind.shape(), part, fallback.attribute(attribute.name));
                    entries.insert(attribute.name.to_owned(), part);
                }
            }
            Value::Map(entries)
        }
        (Shape::List(element), Value::List(items)) => {
            let fallbacks = fallback.as_list().unwrap_or_default();
            let settle =
                |(index, item)| settle_part(element.shape(), item, fallbacks.get(index).unwrap_or(&Value::Null));
            Value::List(items.into_iter().enumerate().map(settle).collect())
        }
        (Shape::Map(element), Value::Map(entries)) => {
            let settle = |(key, item): (String, Value)| {
                let item = settle_part(element.shape(), item, fallback.attribute(&key));
                (key, item)
            };
            Value::Map(entries.into_iter().map(settle).collect())
        }
        (_, value) => value,
    }
}

#[cfg(test)]
#[allow(clippy::needless_pass_by_value, reason = "calls of a check read better without borrows")]
mod tests {
    use super::*;
    use crate::tf::schema::{Attribute, Kind};

    fn schema() -> Schema {
        let inner = vec![Attribute::computed("found", Kind::String, "Found.")];
        Schema {
            version: 0,
            description: "A test.",
            attributes: vec![
                Attribute::optional("a", Kind::String, "A."),
                Attribute::optional("list", Kind::ObjectList(inner), "List."),
                Attribute::optional("map", Kind::string_map(), "Map."),
            ],
        }
    }

    fn one(name: &str, value: impl Into<Value>) -> Value {
        Value::object([(name, value.into())])
    }

    fn list(found: &[Value]) -> Value {
        one("list", Value::List(found.iter().map(|found| one("found", found.clone())).collect()))
    }

    #[track_caller]
    fn check_apply(planned: Value, applied: Value, expected: &[&str]) {
        let breaches = check(&schema(), &planned, &applied);
        let paths: Vec<_> = breaches.into_iter().map(|breach| breach.path.to_string()).collect();
        assert_eq!(paths, expected);
    }

    #[test]
    fn what_was_known_must_come_true() {
        check_apply(one("a", "x"), one("a", "x"), &[]);
        check_apply(one("a", "x"), one("a", "y"), &["a"]);
        check_apply(one("a", Value::Null), one("a", "y"), &["a"]);
        check_apply(one("a", "x"), one("a", Value::Null), &["a"]);
        check_apply(Value::Null, one("a", "x"), &[""]);
        check_apply(one("a", "x"), Value::Null, &[""]);
        check_apply(list(&["x".into()]), list(&["y".into()]), &["list[0].found"]);
        check_apply(list(&["x".into()]), list(&[]), &["list"]);
        check_apply(one("map", one("k", "x")), one("map", one("l", "x")), &["map"]);
        check_apply(one("map", one("k", "x")), one("map", one("k", "y")), &["map[\"k\"]"]);
    }

    #[test]
    fn what_was_unknown_may_be_anything() {
        check_apply(one("a", Value::Unknown), one("a", "x"), &[]);
        check_apply(one("a", Value::Unknown), one("a", Value::Null), &[]);
        check_apply(list(&[Value::Unknown]), list(&["y".into()]), &[]);
    }

    #[test]
    fn unknown_parts_are_found_and_settled() {
        let value = list(&["x".into(), Value::Unknown, Value::Unknown]);
        let paths: Vec<_> = unknowns(&schema(), &value).iter().map(ToString::to_string).collect();
        assert_eq!(paths, ["list[1].found", "list[2].found"]);
        let settled = settle(&schema(), value, &list(&["a".into(), "b".into()]));
        assert_eq!(settled, list(&["x".into(), "b".into(), Value::Null]));
    }
}
