//! MessagePack, or JSON, to [`Value`], led by the schema; what does not fit is an error with its attribute path.
//!
//! The schema leads because the wire alone is ambiguous: a decimal such as 0.1 arrives as text.

use std::collections::BTreeMap;

use rmpv::Value as Wire;

use crate::rpc::decode_json;
use crate::rpc::generated::tfplugin6::DynamicValue;
use crate::tf::path::Path;
use crate::tf::schema::{Attribute, Schema};
use crate::tf::shape::{Element, Shape};
use crate::tf::value::{Number, Value};

/// Deeper than any schema nests; keeps hostile input from exhausting the stack.
const MAXIMUM_DEPTH: usize = 64;

/// A value from the client that is not what the schema says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct DecodeError {
    pub path: Path,
    pub problem: String,
}

/// Decodes a configuration or a state. Both encodings empty, or no message at all, means null.
pub fn decode(schema: &Schema, wire: Option<&DynamicValue>) -> Result<Value, DecodeError> {
    let root = Path::root();
    let Some(wire) = wire else { return Ok(Value::Null) };
    if !wire.msgpack.is_empty() {
        let mut rest = wire.msgpack.as_slice();
        let value = rmpv::decode::read_value_with_max_depth(&mut rest, MAXIMUM_DEPTH)
            .map_err(|error| problem(&root, format!("the MessagePack is broken: {error}")))?;
        if !rest.is_empty() {
            return Err(problem(&root, format!("{} bytes follow the value", rest.len())));
        }
        part(schema.shape(), value, &root)
    } else if !wire.json.is_empty() {
        decode_json::decode(schema, &wire.json, decode_json::Leniency::Strict)
    } else {
        Ok(Value::Null)
    }
}

pub(crate) fn problem(path: &Path, problem: String) -> DecodeError {
    DecodeError { path: path.clone(), problem }
}

fn part(shape: Shape<'_>, wire: Wire, path: &Path) -> Result<Value, DecodeError> {
    match (shape, wire) {
        (_, Wire::Nil) => Ok(Value::Null),
        // Extension 0 is an unknown, 12 an unknown with refinements; later numbers will not be less unknown.
        (_, Wire::Ext(..)) => Ok(Value::Unknown),
        (Shape::Bool, Wire::Boolean(value)) => Ok(Value::Bool(value)),
        (Shape::String, Wire::String(text)) => match text.into_str() {
            Some(text) => Ok(Value::String(text)),
            None => Err(problem(path, "expected a string, found bytes that are no UTF-8".to_owned())),
        },
        (Shape::Number, wire) => number(&wire, path),
        (Shape::List(element), Wire::Array(items)) => list(element, items, path),
        (Shape::Map(element), Wire::Map(entries)) => map(element, entries, path),
        (Shape::Object(attributes), Wire::Map(entries)) => object(attributes, entries, path),
        (shape, wire) => Err(problem(path, format!("expected {shape}, found {}", wire_name(&wire)))),
    }
}

fn number(wire: &Wire, path: &Path) -> Result<Value, DecodeError> {
    let number = match wire {
        Wire::Integer(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => Number::Integer(number),
            (None, Some(number)) => Number::Unsigned(number),
            (None, None) => return Err(problem(path, "the integer is out of range".to_owned())),
        },
        Wire::F32(number) => Number::Float(f64::from(*number)),
        Wire::F64(number) => Number::Float(*number),
        Wire::String(text) => Number::Decimal(text.as_str().unwrap_or_default().to_owned()),
        other => return Err(problem(path, format!("expected a number, found {}", wire_name(other)))),
    };
    if number.is_valid() {
        Ok(Value::Number(number))
    } else {
        Err(problem(path, "expected a number, found text or a float that is none".to_owned()))
    }
}

fn list(element: Element<'_>, items: Vec<Wire>, path: &Path) -> Result<Value, DecodeError> {
    let items = items.into_iter().enumerate();
    items
        .map(|(index, item)| part(element.shape(), item, &path.index(index)))
        .collect::<Result<_, _>>()
        .map(Value::List)
}

fn map(element: Element<'_>, entries: Vec<(Wire, Wire)>, path: &Path) -> Result<Value, DecodeError> {
    let mut map = BTreeMap::new();
    for (key, item) in entries {
        let key = key_text(key, path)?;
        let item = part(element.shape(), item, &path.key(&key))?;
        if map.insert(key.clone(), item).is_some() {
            return Err(problem(&path.key(&key), "the key comes twice".to_owned()));
        }
    }
    Ok(Value::Map(map))
}

fn object(attributes: &[Attribute], entries: Vec<(Wire, Wire)>, path: &Path) -> Result<Value, DecodeError> {
    let mut object = BTreeMap::new();
    for (key, item) in entries {
        let name = key_text(key, path)?;
        let Some(attribute) = attributes.iter().find(|attribute| attribute.name == name) else {
            return Err(problem(path, format!("the schema has no attribute {name:?}")));
        };
        let item = part(attribute.kind.shape(), item, &path.attribute(&name))?;
        if object.insert(name.clone(), item).is_some() {
            return Err(problem(&path.attribute(&name), "the attribute comes twice".to_owned()));
        }
    }
    match attributes.iter().find(|attribute| !object.contains_key(attribute.name)) {
        None => Ok(Value::Map(object)),
        Some(missing) => Err(problem(path, format!("the attribute {:?} is missing", missing.name))),
    }
}

fn key_text(key: Wire, path: &Path) -> Result<String, DecodeError> {
    match key {
        Wire::String(text) => text.into_str().ok_or_else(|| problem(path, "a key is no UTF-8".to_owned())),
        other => Err(problem(path, format!("expected a string as key, found {}", wire_name(&other)))),
    }
}

fn wire_name(wire: &Wire) -> &'static str {
    match wire {
        Wire::Nil => "null",
        Wire::Boolean(_) => "a bool",
        Wire::Integer(_) | Wire::F32(_) | Wire::F64(_) => "a number",
        Wire::String(_) => "a string",
        Wire::Binary(_) => "bytes",
        Wire::Array(_) => "a list",
        Wire::Map(_) => "a map",
        Wire::Ext(..) => "an unknown value",
    }
}
