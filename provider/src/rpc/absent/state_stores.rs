//! State stores: none.

use std::sync::Arc;

use crate::rpc::absent::none;
use crate::rpc::context::Context;
use crate::rpc::generated::tfplugin6::{
    configure_state_store, delete_state, get_states, lock_state, read_state_bytes, unlock_state, validate_state_store,
    write_state_bytes,
};

const WHAT: &str = "state store";

pub async fn validate(
    _context: Arc<Context>,
    request: validate_state_store::Request,
) -> validate_state_store::Response {
    none(WHAT, &request.type_name)
}

pub async fn configure(
    _context: Arc<Context>,
    request: configure_state_store::Request,
) -> configure_state_store::Response {
    none(WHAT, &request.type_name)
}

pub async fn read(_context: Arc<Context>, request: read_state_bytes::Request) -> read_state_bytes::Response {
    none(WHAT, &request.type_name)
}

pub async fn lock(_context: Arc<Context>, request: lock_state::Request) -> lock_state::Response {
    none(WHAT, &request.type_name)
}

pub async fn unlock(_context: Arc<Context>, request: unlock_state::Request) -> unlock_state::Response {
    none(WHAT, &request.type_name)
}

pub async fn states(_context: Arc<Context>, request: get_states::Request) -> get_states::Response {
    none(WHAT, &request.type_name)
}

pub async fn delete(_context: Arc<Context>, request: delete_state::Request) -> delete_state::Response {
    none(WHAT, &request.type_name)
}

/// The chunks are not read: the first message of the reply ends the call.
pub async fn write(_context: Arc<Context>, first: write_state_bytes::RequestChunk) -> write_state_bytes::Response {
    none(WHAT, &first.meta.unwrap_or_default().type_name)
}
