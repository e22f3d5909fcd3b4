//! The attribute table as the wire's schema.

use serde_json::{Value as Json, json};

use crate::rpc::generated::tfplugin6::schema::object::NestingMode;
use crate::rpc::generated::tfplugin6::schema::{Attribute as WireAttribute, Block, Object};
use crate::rpc::generated::tfplugin6::{Schema as WireSchema, StringKind};
use crate::tf::schema::{Attribute, Kind, Mode, Schema};
use crate::tf::shape::{Element, Shape};

/// The schema as GetProviderSchema gives it.
pub fn to_wire(schema: &Schema) -> WireSchema {
    let block = Block {
        version: schema.version,
        attributes: schema.attributes.iter().map(attribute).collect(),
        description: schema.description.to_owned(),
        description_kind: StringKind::Markdown.into(),
        ..Block::default()
    };
    WireSchema { version: schema.version, block: Some(block) }
}

fn attribute(attribute: &Attribute) -> WireAttribute {
    let (type_json, nested_type) = match &attribute.kind {
        Kind::Object(nested) => (Vec::new(), Some(object(nested, NestingMode::Single))),
        Kind::ObjectList(nested) => (Vec::new(), Some(object(nested, NestingMode::List))),
        Kind::ObjectMap(nested) => (Vec::new(), Some(object(nested, NestingMode::Map))),
        // Never both: the core refuses the whole provider for it.
        kind => (type_json(kind.shape()).to_string().into_bytes(), None),
    };
    WireAttribute {
        name: attribute.name.to_owned(),
        r#type: type_json,
        nested_type,
        description: attribute.description.to_owned(),
        description_kind: StringKind::Markdown.into(),
        required: attribute.mode == Mode::Required,
        optional: matches!(attribute.mode, Mode::Optional | Mode::OptionalComputed),
        computed: matches!(attribute.mode, Mode::Computed | Mode::OptionalComputed),
        sensitive: attribute.sensitive,
        ..WireAttribute::default()
    }
}

fn object(attributes: &[Attribute], nesting: NestingMode) -> Object {
    Object { attributes: attributes.iter().map(attribute).collect(), nesting: nesting.into(), ..Object::default() }
}

fn type_json(shape: Shape<'_>) -> Json {
    match shape {
        Shape::String => json!("string"),
        Shape::Number => json!("number"),
        Shape::Bool => json!("bool"),
        Shape::List(element) => json!(["list", element_json(element)]),
        Shape::Map(element) => json!(["map", element_json(element)]),
        Shape::Object(attributes) => {
            let types =
                attributes.iter().map(|attribute| (attribute.name.to_owned(), type_json(attribute.kind.shape())));
            json!(["object", Json::Object(types.collect())])
        }
    }
}

fn element_json(element: Element<'_>) -> Json {
    type_json(element.shape())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(kind: Kind, type_json: &str, nesting: Option<NestingMode>) {
        let wire = attribute(&Attribute::optional("a", kind, "An attribute."));
        assert_eq!(String::from_utf8(wire.r#type).unwrap(), type_json);
        assert_eq!(wire.nested_type.map(|nested| nested.nesting()), nesting);
    }

    /// Trap 13: type and nested type exclude each other.
    #[test]
    fn an_attribute_has_a_type_or_a_nested_type() {
        let nested = || vec![Attribute::optional("b", Kind::String, "Nested.")];
        check(Kind::String, r#""string""#, None);
        check(Kind::Number, r#""number""#, None);
        check(Kind::Bool, r#""bool""#, None);
        check(Kind::strings(), r#"["list","string"]"#, None);
        check(Kind::Map(Box::new(Kind::strings())), r#"["map",["list","string"]]"#, None);
        check(Kind::Object(nested()), "", Some(NestingMode::Single));
        check(Kind::ObjectList(nested()), "", Some(NestingMode::List));
        check(Kind::ObjectMap(nested()), "", Some(NestingMode::Map));
        check(Kind::List(Box::new(Kind::Object(nested()))), r#"["list",["object",{"b":"string"}]]"#, None);
    }

    /// Trap 20: a schema without a block is a nil dereference in the core.
    #[test]
    fn a_schema_has_a_block_even_when_empty() {
        let wire = to_wire(&Schema { version: 3, description: "Empty.", attributes: vec![] });
        assert_eq!(wire.version, 3);
        assert_eq!(wire.block.unwrap().description, "Empty.");
    }

    #[test]
    fn modes_become_flags() {
        let flags = |made: fn(&'static str, Kind, &'static str) -> Attribute| {
            let wire = attribute(&made("a", Kind::String, "A."));
            (wire.required, wire.optional, wire.computed)
        };
        assert_eq!(flags(Attribute::required), (true, false, false));
        assert_eq!(flags(Attribute::optional), (false, true, false));
        assert_eq!(flags(Attribute::computed), (false, false, true));
        assert_eq!(flags(Attribute::optional_computed), (false, true, true));
    }
}
