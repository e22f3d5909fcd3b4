//! Data sources: none yet.

use std::sync::Arc;

use crate::rpc::absent::none;
use crate::rpc::context::Context;
use crate::rpc::generated::tfplugin6::{read_data_source, validate_data_resource_config};

const WHAT: &str = "data source";

pub async fn validate(
    _context: Arc<Context>,
    request: validate_data_resource_config::Request,
) -> validate_data_resource_config::Response {
    none(WHAT, &request.type_name)
}

pub async fn read(_context: Arc<Context>, request: read_data_source::Request) -> read_data_source::Response {
    none(WHAT, &request.type_name)
}
