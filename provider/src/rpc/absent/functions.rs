//! Functions: none.

use std::sync::Arc;

use crate::rpc::absent::none;
use crate::rpc::context::Context;
use crate::rpc::generated::tfplugin6::{call_function, get_functions};

pub async fn get(_context: Arc<Context>, _request: get_functions::Request) -> get_functions::Response {
    get_functions::Response::default()
}

pub async fn call(_context: Arc<Context>, request: call_function::Request) -> call_function::Response {
    none("function", &request.name)
}
