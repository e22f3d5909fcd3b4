//! What surrounds every RPC: a task of its own, a span, a log of the diagnostics, and panics made into diagnostics.

use std::any::Any;
use std::future::Future;
use std::sync::Arc;
use std::time::Instant;

use tonic::{Request, Response, Status};
use tracing::Instrument;

use crate::rpc::context::Context;
use crate::rpc::diagnostic;
use crate::rpc::generated::tfplugin6::Diagnostic;
use crate::rpc::generated::tfplugin6::diagnostic::Severity;
use crate::rpc::log::keys;
use crate::rpc::reply::Reply;

/// Answers one request. The answer is never an error status, except when the runtime itself is going down.
///
/// The work runs in a task of its own: when the client's connection breaks, the handler's future is dropped, and an
/// upgrade must not be cut at an arbitrary point for that.
pub async fn call<Req, Res, Run, Reached>(
    context: &Arc<Context>,
    rpc: &'static str,
    request: Request<Req>,
    run: Run,
) -> Result<Response<Res>, Status>
where
    Req: Send + 'static,
    Res: Reply,
    Run: FnOnce(Arc<Context>, Req) -> Reached + Send + 'static,
    Reached: Future<Output = Res> + Send,
{
    let span = tracing::error_span!(
        "rpc",
        tf_rpc = rpc,
        tf_req_id = %uuid::Uuid::new_v4(),
        tf_provider_addr = keys::PROVIDER_ADDRESS,
        tf_proto_version = keys::PROTOCOL_VERSION,
        tf_resource_type = tracing::field::Empty,
    );
    let operation = context.life.operation();
    let context = Arc::clone(context);
    let request = request.into_inner();
    let task = async move {
        let start = Instant::now();
        tracing::trace!("received request");
        let reply = run(context, request).await;
        drop(operation);
        log_reply(&reply, start);
        reply
    };
    match tokio::spawn(task.instrument(span)).await {
        Ok(reply) => Ok(Response::new(reply)),
        Err(error) => match error.try_into_panic() {
            Ok(panic) => {
                Ok(Response::new(Res::failed(diagnostic::to_wire(diagnostic::panicked(rpc, &message(&*panic))))))
            }
            Err(_) => Err(Status::cancelled("the provider is ending")),
        },
    }
}

fn log_reply<Res: Reply>(reply: &Res, start: Instant) {
    for found in reply.diagnostics() {
        log_diagnostic(found);
    }
    let duration = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
    tracing::trace!(tf_req_duration_ms = duration, "served request");
}

fn log_diagnostic(found: &Diagnostic) {
    let (summary, detail) = (found.summary.as_str(), found.detail.as_str());
    if found.severity() == Severity::Error {
        tracing::error!(
            diagnostic_severity = "ERROR",
            diagnostic_summary = summary,
            diagnostic_detail = detail,
            "response contains error diagnostic"
        );
    } else {
        tracing::warn!(
            diagnostic_severity = "WARNING",
            diagnostic_summary = summary,
            diagnostic_detail = detail,
            "response contains warning diagnostic"
        );
    }
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without a message".to_owned())
}
