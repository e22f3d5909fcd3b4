//! Actions: none yet.

use std::sync::Arc;

use crate::rpc::absent::none;
use crate::rpc::context::Context;
use crate::rpc::generated::tfplugin6::{invoke_action, plan_action, validate_action_config};

const WHAT: &str = "action";

pub async fn validate(
    _context: Arc<Context>,
    request: validate_action_config::Request,
) -> validate_action_config::Response {
    none(WHAT, &request.type_name)
}

pub async fn plan(_context: Arc<Context>, request: plan_action::Request) -> plan_action::Response {
    none(WHAT, &request.action_type)
}

pub async fn invoke(_context: Arc<Context>, request: invoke_action::Request) -> invoke_action::Event {
    none(WHAT, &request.action_type)
}
