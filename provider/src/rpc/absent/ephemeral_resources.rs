//! Ephemeral resources: none.

use std::sync::Arc;

use crate::rpc::absent::none;
use crate::rpc::context::Context;
use crate::rpc::generated::tfplugin6::{
    close_ephemeral_resource, open_ephemeral_resource, renew_ephemeral_resource, validate_ephemeral_resource_config,
};

const WHAT: &str = "ephemeral resource";

pub async fn validate(
    _context: Arc<Context>,
    request: validate_ephemeral_resource_config::Request,
) -> validate_ephemeral_resource_config::Response {
    none(WHAT, &request.type_name)
}

pub async fn open(
    _context: Arc<Context>,
    request: open_ephemeral_resource::Request,
) -> open_ephemeral_resource::Response {
    none(WHAT, &request.type_name)
}

pub async fn renew(
    _context: Arc<Context>,
    request: renew_ephemeral_resource::Request,
) -> renew_ephemeral_resource::Response {
    none(WHAT, &request.type_name)
}

pub async fn close(
    _context: Arc<Context>,
    request: close_ephemeral_resource::Request,
) -> close_ephemeral_resource::Response {
    none(WHAT, &request.type_name)
}
