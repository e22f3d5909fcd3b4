//! Brings a value that the provider made into the exact shape of its schema, or says where it does not fit.

use std::collections::BTreeMap;

use crate::tf::path::Path;
use crate::tf::schema::{Attribute, Schema};
use crate::tf::shape::{Element, Shape};
use crate::tf::value::Value;

/// A part of a value that its schema does not allow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct Mismatch {
    pub path: Path,
    pub problem: String,
}

/// The value with every attribute present (absent means null) and every part of the declared type.
///
/// Null and unknown fit everywhere. Fails at the first part that does not fit: the client would refuse
/// the whole value, and for an applied state save nothing.
pub fn conform(schema: &Schema, value: Value) -> Result<Value, Mismatch> {
    part(schema.shape(), value, &Path::root())
}

fn part(shape: Shape<'_>, value: Value, path: &Path) -> Result<Value, Mismatch> {
    match (shape, value) {
        (_, value @ (Value::Null | Value::Unknown))
        | (Shape::String, value @ Value::String(_))
        | (Shape::Bool, value @ Value::Bool(_)) => Ok(value),
        (Shape::Number, Value::Number(number)) if number.is_valid() => Ok(Value::Number(number)),
        (Shape::List(element), Value::List(items)) => list(element, items, path),
        (Shape::Map(element), Value::Map(entries)) => map(element, entries, path),
        (Shape::Object(attributes), Value::Map(entries)) => object(attributes, entries, path),
        (shape, value) => {
            Err(Mismatch { path: path.clone(), problem: format!("expected {shape}, found {}", value.type_name()) })
        }
    }
}

fn list(element: Element<'_>, items: Vec<Value>, path: &Path) -> Result<Value, Mismatch> {
    let items = items.into_iter().enumerate();
    items
        .map(|(index, item)| part(element.shape(), item, &path.index(index)))
        .collect::<Result<_, _>>()
        .map(Value::List)
}

fn map(element: Element<'_>, entries: BTreeMap<String, Value>, path: &Path) -> Result<Value, Mismatch> {
    let mut conforming = BTreeMap::new();
    for (key, value) in entries {
        let value = part(element.shape(), value, &path.key(&key))?;
        conforming.insert(key, value);
    }
    Ok(Value::Map(conforming))
}

fn object(attributes: &[Attribute], mut entries: BTreeMap<String, Value>, path: &Path) -> Result<Value, Mismatch> {
    let mut conforming = BTreeMap::new();
    for attribute in attributes {
        let value = entries.remove(attribute.name).unwrap_or(Value::Null);
        let value = part(attribute.kind.shape(), value, &path.attribute(attribute.name))?;
        conforming.insert(attribute.name.to_owned(), value);
    }
    match entries.into_keys().next() {
        None => Ok(Value::Map(conforming)),
        Some(name) => Err(Mismatch { path: path.clone(), problem: format!("the schema has no attribute \"{name}\"") }),
    }
}

#[cfg(test)]
#[allow(clippy::needless_pass_by_value, reason = "calls of a check read better without borrows")]
mod tests {
    use super::*;
    use crate::tf::schema::Kind;
    use crate::tf::value::Number;

    fn schema() -> Schema {
        Schema {
            version: 0,
            description: "A test.",
            attributes: vec![
                Attribute::optional("name", Kind::String, "A name."),
                Attribute::optional("size", Kind::Number, "A size."),
                Attribute::optional(
                    "hosts",
                    Kind::ObjectList(vec![Attribute::optional("tags", Kind::string_map(), "Tags.")]),
                    "Hosts.",
                ),
            ],
        }
    }

    #[track_caller]
    fn check(value: Value, expected: Result<Value, (&str, &str)>) {
        let actual = conform(&schema(), value);
        let actual = actual.map_err(|mismatch| (mismatch.path.to_string(), mismatch.problem));
        assert_eq!(actual, expected.map_err(|(path, problem)| (path.to_owned(), problem.to_owned())));
    }

    #[test]
    fn absent_attributes_become_null() {
        let expected = Value::object([("name", "a".into()), ("size", Value::Null), ("hosts", Value::Null)]);
        check(Value::object([("name", "a".into())]), Ok(expected));
        check(Value::Null, Ok(Value::Null));
    }

    #[test]
    fn what_does_not_fit_is_named_with_its_path() {
        check(Value::object([("name", Value::Bool(true))]), Err(("name", "expected a string, found a bool")));
        check(Value::object([("nmae", "a".into())]), Err(("", "the schema has no attribute \"nmae\"")));
        let tags = Value::object([("env", Value::integer(1))]);
        let hosts = Value::List(vec![Value::Null, Value::object([("tags", tags)])]);
        let problem = "expected a string, found a number";
        check(Value::object([("hosts", hosts)]), Err(("hosts[1].tags[\"env\"]", problem)));
        let problem = "expected a number, found text or a float that is no number";
        check(Value::object([("size", Value::Number(Number::Float(f64::NAN)))]), Err(("size", problem)));
        check(Value::object([("size", Value::Number(Number::Decimal("x".into())))]), Err(("size", problem)));
    }
}
