//! JSON to [`Value`], led by the schema: strictly for values of today, leniently for states of yesterday.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::rpc::decode::{DecodeError, problem};
use crate::tf::path::Path;
use crate::tf::schema::{Attribute, Schema};
use crate::tf::shape::{Element, Shape};
use crate::tf::value::{Number, Value};

/// What to do about a value that has not exactly the attributes of the schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leniency {
    /// It is an error.
    Strict,
    /// A missing attribute is null, a surplus one is dropped, and a primitive of another type is converted where the
    /// language would convert it: a state may come from an older or newer version of the provider.
    Lenient,
}

/// Decodes a JSON text. JSON cannot say unknown.
pub fn decode(schema: &Schema, json: &[u8], leniency: Leniency) -> Result<Value, DecodeError> {
    let root = Path::root();
    let json = serde_json::from_slice(json).map_err(|error| problem(&root, format!("the JSON is broken: {error}")))?;
    Decoder { leniency }.part(schema.shape(), json, &root)
}

struct Decoder {
    leniency: Leniency,
}

impl Decoder {
    fn part(&self, shape: Shape<'_>, json: Json, path: &Path) -> Result<Value, DecodeError> {
        match (shape, json) {
            (_, Json::Null) => Ok(Value::Null),
            (Shape::String, Json::String(text)) => Ok(Value::String(text)),
            (Shape::Bool, Json::Bool(value)) => Ok(Value::Bool(value)),
            (Shape::Number, Json::Number(number)) => Ok(Value::Number(from_text(number.to_string()))),
            // Numbers beyond a float's precision may come as text, as in MessagePack.
            (Shape::Number, Json::String(text)) if from_text(text.clone()).is_valid() => {
                Ok(Value::Number(from_text(text)))
            }
            (Shape::List(element), Json::Array(items)) => self.list(element, items, path),
            (Shape::Map(element), Json::Object(entries)) => self.map(element, entries, path),
            (Shape::Object(attributes), Json::Object(entries)) => self.object(attributes, entries, path),
            (Shape::String, Json::Number(number)) if self.lenient() => Ok(Value::String(number.to_string())),
            (Shape::String, Json::Bool(value)) if self.lenient() => Ok(Value::String(value.to_string())),
            (Shape::Bool, Json::String(text)) if self.lenient() && text == "true" => Ok(Value::Bool(true)),
            (Shape::Bool, Json::String(text)) if self.lenient() && text == "false" => Ok(Value::Bool(false)),
            (shape, json) => Err(problem(path, format!("expected {shape}, found {}", json_name(&json)))),
        }
    }

    fn list(&self, element: Element<'_>, items: Vec<Json>, path: &Path) -> Result<Value, DecodeError> {
        let items = items.into_iter().enumerate();
        let decode = |(index, item)| self.part(element.shape(), item, &path.index(index));
        items.map(decode).collect::<Result<_, _>>().map(Value::List)
    }

    fn map(&self, element: Element<'_>, entries: JsonObject, path: &Path) -> Result<Value, DecodeError> {
        let mut map = BTreeMap::new();
        for (key, item) in entries {
            let item = self.part(element.shape(), item, &path.key(&key))?;
            map.insert(key, item);
        }
        Ok(Value::Map(map))
    }

    fn object(&self, attributes: &[Attribute], mut entries: JsonObject, path: &Path) -> Result<Value, DecodeError> {
        let mut object = BTreeMap::new();
        for attribute in attributes {
            let value = match entries.remove(attribute.name) {
                Some(json) => self.part(attribute.kind.shape(), json, &path.attribute(attribute.name))?,
                None if self.lenient() => Value::Null,
                None => return Err(problem(path, format!("the attribute {:?} is missing", attribute.name))),
            };
            object.insert(attribute.name.to_owned(), value);
        }
        match entries.keys().next() {
            Some(surplus) if !self.lenient() => Err(problem(path, format!("the schema has no attribute {surplus:?}"))),
            _ => Ok(Value::Map(object)),
        }
    }

    fn lenient(&self) -> bool {
        self.leniency == Leniency::Lenient
    }
}

type JsonObject = serde_json::Map<String, Json>;

/// The text in the form in which MessagePack would carry it, so that both compare and echo alike.
fn from_text(text: String) -> Number {
    match (text.parse(), text.parse()) {
        (Ok(number), _) => Number::Integer(number),
        (_, Ok(number)) => Number::Unsigned(number),
        _ => Number::Decimal(text),
    }
}

fn json_name(json: &Json) -> &'static str {
    match json {
        Json::Null => "null",
        Json::Bool(_) => "a bool",
        Json::Number(_) => "a number",
        Json::String(_) => "a string",
        Json::Array(_) => "a list",
        Json::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tf::schema::Kind;

    #[track_caller]
    fn check(json: &str, leniency: Leniency, expected: Result<Value, (&str, &str)>) {
        let schema = Schema {
            version: 0,
            description: "A test.",
            attributes: vec![
                Attribute::optional("name", Kind::String, "A name."),
                Attribute::optional("size", Kind::Number, "A size."),
                Attribute::optional("on", Kind::Bool, "A switch."),
            ],
        };
        let actual =
            decode(&schema, json.as_bytes(), leniency).map_err(|error| (error.path.to_string(), error.problem));
        assert_eq!(actual, expected.map_err(|(path, problem)| (path.to_owned(), problem.to_owned())));
    }

    fn value(name: Value, size: Value, on: Value) -> Value {
        Value::object([("name", name), ("size", size), ("on", on)])
    }

    fn decimal(text: &str) -> Value {
        Value::Number(Number::Decimal(text.to_owned()))
    }

    #[test]
    fn values_of_today_are_read_strictly() {
        let whole = r#"{"name":"a","size":0.1,"on":true}"#;
        check(whole, Leniency::Strict, Ok(value("a".into(), decimal("0.1"), Value::Bool(true))));
        check("null", Leniency::Strict, Ok(Value::Null));
        let missing = r#"{"name":"a","size":1}"#;
        check(missing, Leniency::Strict, Err(("", "the attribute \"on\" is missing")));
        let surplus = r#"{"name":"a","size":1,"on":null,"more":1}"#;
        check(surplus, Leniency::Strict, Err(("", "the schema has no attribute \"more\"")));
        let other = r#"{"name":1,"size":1,"on":null}"#;
        check(other, Leniency::Strict, Err(("name", "expected a string, found a number")));
    }

    #[test]
    fn states_of_yesterday_are_converted_where_the_language_would() {
        let size = decimal("123456789012345678901234567890.5");
        let old = r#"{"name":true,"size":"123456789012345678901234567890.5","on":"false","gone":{}}"#;
        check(old, Leniency::Lenient, Ok(value("true".into(), size, Value::Bool(false))));
        check("{}", Leniency::Lenient, Ok(value(Value::Null, Value::Null, Value::Null)));
        check(r#"{"on":"maybe"}"#, Leniency::Lenient, Err(("on", "expected a bool, found a string")));
        check(r#"{"size":"many"}"#, Leniency::Lenient, Err(("size", "expected a number, found a string")));
    }

    #[test]
    fn broken_text_is_an_error() {
        let schema = Schema { version: 0, description: "A test.", attributes: vec![] };
        for json in ["", "{", "[1", "\u{0}", "{}x"] {
            assert!(decode(&schema, json.as_bytes(), Leniency::Lenient).is_err(), "{json:?}");
        }
        let deep = "[".repeat(100_000);
        assert!(decode(&schema, deep.as_bytes(), Leniency::Lenient).is_err());
    }
}
