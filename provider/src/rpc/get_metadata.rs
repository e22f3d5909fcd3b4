//! GetMetadata: the names of what the provider has. Terraform itself asks for the schema instead.

use std::sync::Arc;

use crate::rpc::context::Context;
use crate::rpc::generated::tfplugin6::get_metadata::{Request, ResourceMetadata, Response};
use crate::rpc::get_provider_schema;

pub async fn run(context: Arc<Context>, _request: Request) -> Response {
    let metadata = |type_name: &str| ResourceMetadata { type_name: type_name.to_owned() };
    Response {
        server_capabilities: Some(get_provider_schema::capabilities()),
        resources: context.resources().iter().map(|resource| metadata(resource.type_name())).collect(),
        ..Response::default()
    }
}
