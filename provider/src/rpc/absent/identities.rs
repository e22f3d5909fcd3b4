//! Resource identities: none yet; components are imported by id.

use std::sync::Arc;

use crate::rpc::absent::none;
use crate::rpc::context::Context;
use crate::rpc::generated::tfplugin6::{get_resource_identity_schemas, upgrade_resource_identity};

pub async fn schemas(
    _context: Arc<Context>,
    _request: get_resource_identity_schemas::Request,
) -> get_resource_identity_schemas::Response {
    get_resource_identity_schemas::Response::default()
}

pub async fn upgrade(
    _context: Arc<Context>,
    request: upgrade_resource_identity::Request,
) -> upgrade_resource_identity::Response {
    none("resource identity", &request.type_name)
}
