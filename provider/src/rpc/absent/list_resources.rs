//! List resources, for `terraform query`: none yet.

use std::sync::Arc;

use crate::rpc::absent::none;
use crate::rpc::context::Context;
use crate::rpc::generated::tfplugin6::{list_resource, validate_list_resource_config};

const WHAT: &str = "list resource";

pub async fn validate(
    _context: Arc<Context>,
    request: validate_list_resource_config::Request,
) -> validate_list_resource_config::Response {
    none(WHAT, &request.type_name)
}

pub async fn list(_context: Arc<Context>, request: list_resource::Request) -> list_resource::Event {
    none(WHAT, &request.type_name)
}
