//! Fills in the defaults that the attribute table declares.

use crate::tf::schema::Schema;
use crate::tf::shape::Shape;
use crate::tf::value::Value;

/// `proposed`, where every attribute that `config` leaves null and the table gives a default has that default.
///
/// For a plan `proposed` is what the core proposes; for a configuration alone it is the configuration itself.
pub fn fill(schema: &Schema, config: &Value, proposed: Value) -> Value {
    part(schema.shape(), config, proposed)
}

fn part(shape: Shape<'_>, config: &Value, proposed: Value) -> Value {
    match (shape, config, proposed) {
        (Shape::Object(attributes), Value::Map(_), Value::Map(mut entries)) => {
            for attribute in attributes {
                let set = config.attribute(attribute.name);
                let value = entries.remove(attribute.name).unwrap_or(Value::Null);
                let value = match &attribute.default {
                    Some(default) if set.is_null() => default.clone(),
                    _ => part(attribute.kind.shape(), set, value),
                };
                entries.insert(attribute.name.to_owned(), value);
            }
            Value::Map(entries)
        }
        (Shape::List(element), Value::List(set), Value::List(items)) => {
            let items = items.into_iter().enumerate();
            let fill = |(index, item)| part(element.shape(), set.get(index).unwrap_or(&Value::Null), item);
            Value::List(items.map(fill).collect())
        }
        (Shape::Map(element), Value::Map(_), Value::Map(entries)) => {
            let fill = |(key, item): (String, Value)| {
                let item = part(element.shape(), config.attribute(&key), item);
                (key, item)
            };
            Value::Map(entries.into_iter().map(fill).collect())
        }
        (_, _, proposed) => proposed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tf::schema::{Attribute, Kind};

    #[test]
    fn only_what_the_configuration_leaves_null_is_filled() {
        let port = || Attribute::optional_computed("port", Kind::Number, "Port.").with_default(Value::integer(5986));
        let schema = Schema {
            version: 0,
            description: "A test.",
            attributes: vec![port(), Attribute::optional("hosts", Kind::ObjectMap(vec![port()]), "Hosts.")],
        };
        let host = |port| Value::object([("port", port)]);
        let object = |port, a, b| Value::object([("port", port), ("hosts", Value::object([("a", a), ("b", b)]))]);
        let config = object(Value::Null, host(Value::Unknown), host(Value::Null));
        // The prior value, which the core proposes for what is null and computed, gives way to the default.
        let proposed = object(Value::integer(1), host(Value::Unknown), host(Value::integer(2)));
        let expected = object(Value::integer(5986), host(Value::Unknown), host(Value::integer(5986)));
        assert_eq!(fill(&schema, &config, proposed), expected);
        assert_eq!(fill(&schema, &Value::Null, Value::Null), Value::Null);
    }
}
