//! StopProvider: asks what runs to come to a safe point, answers at once and goes on serving.

use std::sync::Arc;

use crate::rpc::context::Context;
use crate::rpc::generated::tfplugin6::stop_provider::{Request, Response};

pub async fn run(context: Arc<Context>, _request: Request) -> Response {
    tracing::info!("asked to stop");
    context.life.stop_running();
    Response::default()
}
