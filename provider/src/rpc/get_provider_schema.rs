//! GetProviderSchema: everything the provider has, with its attributes. Needs no configuration.

use std::sync::Arc;

use crate::config;
use crate::rpc::context::Context;
use crate::rpc::generated::tfplugin6::ServerCapabilities;
use crate::rpc::generated::tfplugin6::get_provider_schema::{Request, Response};
use crate::rpc::schema;

pub async fn run(context: Arc<Context>, _request: Request) -> Response {
    let named = |resource: &&dyn crate::resource::Resource| {
        let schema = schema::to_wire(resource.schema());
        (resource.type_name().to_owned(), schema)
    };
    Response {
        provider: Some(schema::to_wire(config::schema())),
        resource_schemas: context.resources().iter().map(named).collect(),
        server_capabilities: Some(capabilities()),
        ..Response::default()
    }
}

/// What this server can do beyond the first version of the protocol.
pub fn capabilities() -> ServerCapabilities {
    ServerCapabilities {
        // Destroying is planned here, so that a plan can say what it means to forget a component.
        plan_destroy: true,
        // No RPC relies on the schema having been asked for in the same process.
        get_provider_schema_optional: true,
        move_resource_state: false,
        generate_resource_config: false,
    }
}
