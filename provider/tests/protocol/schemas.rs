//! The tables of the shipped resources and of the provider, by the rules of the core.

use azuremfa::rpc::generated::tfplugin6::schema::{Attribute, Block};
use azuremfa::rpc::generated::tfplugin6::{self as wire, Schema};
use azuremfa::rpc::{encode::encode, schema};
use azuremfa::tf::schema_check::{Owner, problems};
use azuremfa::tf::value::Value;
use azuremfa::{config, resource};

use crate::service::{Service, errors};

/// Every schema as it goes over the wire, with its name.
fn schemas() -> Vec<(&'static str, Schema)> {
    let provider = ("provider", schema::to_wire(config::schema()));
    let resources = resource::all().iter().map(|resource| (resource.type_name(), schema::to_wire(resource.schema())));
    std::iter::once(provider).chain(resources).collect()
}

fn attributes(block: &Block) -> Vec<&Attribute> {
    fn collect<'a>(attributes: &'a [Attribute], all: &mut Vec<&'a Attribute>) {
        for attribute in attributes {
            all.push(attribute);
            collect(attribute.nested_type.as_ref().map_or(&[], |nested| &nested.attributes), all);
        }
    }
    let mut all = Vec::new();
    collect(&block.attributes, &mut all);
    all
}

#[test]
fn every_table_is_sound() {
    let mut found = problems("provider", Owner::Provider, config::schema());
    let mut names = std::collections::BTreeSet::new();
    for resource in resource::all() {
        let name = resource.type_name();
        found.extend(problems(name, Owner::Resource, resource.schema()));
        if !name.starts_with("azuremfa_") || !names.insert(name) {
            found.push(format!("{name}: the name is not unique, or not the provider's"));
        }
    }
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn every_schema_has_a_block() {
    for (name, schema) in schemas() {
        assert!(schema.block.is_some(), "{name}");
    }
}

#[test]
fn every_attribute_has_one_type() {
    for (name, schema) in schemas() {
        for attribute in attributes(&schema.block.unwrap()) {
            let types = (!attribute.r#type.is_empty(), attribute.nested_type.is_some());
            assert!(types.0 != types.1, "{name}: {}", attribute.name);
            let modes = (attribute.required, attribute.optional, attribute.computed);
            assert!(
                matches!(modes, (true, false, false) | (false, true, _) | (false, false, true)),
                "{name}: {}",
                attribute.name
            );
        }
    }
}

/// Clients before Terraform 1.11 send such values and then refuse the plan.
#[test]
fn nothing_is_write_only() {
    for (name, schema) in schemas() {
        for attribute in attributes(&schema.block.unwrap()) {
            assert!(!attribute.write_only, "{name}: {}", attribute.name);
        }
    }
}

/// Terraform validates and plans with unknowns; none of them may be an error by itself.
#[tokio::test]
async fn nothing_is_refused_because_it_is_unknown() {
    let service = Service::start(resource::all()).await;
    let unknown = |schema: &azuremfa::tf::schema::Schema| {
        let attributes = schema.attributes.iter().map(|attribute| match attribute.mode {
            azuremfa::tf::schema::Mode::Computed => (attribute.name, Value::Null),
            _ => (attribute.name, Value::Unknown),
        });
        Some(encode(Value::object(attributes)))
    };
    let config = unknown(config::schema());
    let request = wire::validate_provider_config::Request { config: config.clone() };
    let response: wire::validate_provider_config::Response = service.call("ValidateProviderConfig", request).await;
    assert_eq!(errors(&response.diagnostics), Vec::<String>::new());
    let request = wire::configure_provider::Request { config, ..Default::default() };
    let response: wire::configure_provider::Response = service.call("ConfigureProvider", request).await;
    assert_eq!(errors(&response.diagnostics), Vec::<String>::new());
    for resource in resource::all() {
        let (type_name, config) = (resource.type_name().to_owned(), unknown(resource.schema()));
        let request = wire::validate_resource_config::Request { type_name, config, ..Default::default() };
        let response: wire::validate_resource_config::Response = service.call("ValidateResourceConfig", request).await;
        assert_eq!(errors(&response.diagnostics), Vec::<String>::new(), "{}", resource.type_name());
    }
}
