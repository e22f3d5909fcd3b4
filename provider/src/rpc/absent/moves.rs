//! Moves from other resource types, and generated configuration: none.

use std::sync::Arc;

use crate::rpc::context::Context;
use crate::rpc::diagnostic::{quote, to_wire};
use crate::rpc::generated::tfplugin6::{generate_resource_config, move_resource_state};
use crate::rpc::reply::Reply;
use crate::tf::diagnostic::Diagnostics;

/// OpenTofu asks although the capability is not announced.
pub async fn move_state(
    _context: Arc<Context>,
    request: move_resource_state::Request,
) -> move_resource_state::Response {
    let mut diagnostics = Diagnostics::default();
    let detail = format!(
        "The state of a {} of {} cannot become the state of a {}. Remove the `moved` block and import the component.",
        quote(&request.source_type_name),
        quote(&request.source_provider_address),
        quote(&request.target_type_name),
    );
    diagnostics.error("No state can be moved from another resource type", detail);
    move_resource_state::Response::failed(to_wire(diagnostics))
}

pub async fn generate_config(
    _context: Arc<Context>,
    request: generate_resource_config::Request,
) -> generate_resource_config::Response {
    let mut diagnostics = Diagnostics::default();
    let detail = "The client makes it from the state by itself; the provider has not said that it could.";
    diagnostics.error(format!("No configuration is generated for {}", quote(&request.type_name)), detail);
    generate_resource_config::Response::failed(to_wire(diagnostics))
}
