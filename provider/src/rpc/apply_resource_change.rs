//! ApplyResourceChange: carries a plan out. Whatever happens, the state that is saved is the state that is true.

use std::sync::Arc;

use crate::resource::{ApplyRequest, Outcome};
use crate::rpc::checked::Check;
use crate::rpc::context::Context;
use crate::rpc::decode::decode;
use crate::rpc::diagnostic;
use crate::rpc::encode::encode;
use crate::rpc::generated::tfplugin6::apply_resource_change::{Request, Response};
use crate::rpc::reply::Reply;
use crate::tf::diagnostic::Diagnostics;

const RPC: &str = "ApplyResourceChange";

pub async fn run(context: Arc<Context>, request: Request) -> Response {
    match apply(&context, request).await {
        Ok(Outcome { state, private, diagnostics }) => Response {
            new_state: Some(encode(state)),
            private,
            diagnostics: diagnostic::to_wire(diagnostics),
            ..Response::default()
        },
        // Without a new state the client keeps the prior one.
        Err(diagnostics) => Response::failed(diagnostic::to_wire(diagnostics)),
    }
}

async fn apply(context: &Context, request: Request) -> Result<Outcome, Diagnostics> {
    // Taken first: a stop that comes while the request is decoded counts.
    let stop = context.life.stop_token();
    let resource = context.resource(&request.type_name)?;
    let (schema, type_name) = (resource.schema(), resource.type_name());
    let read = |wire: &Option<_>, what| {
        decode(schema, wire.as_ref()).map_err(|error| diagnostic::undecodable(RPC, what, &error))
    };
    let prior = read(&request.prior_state, "prior state")?;
    let planned = read(&request.planned_state, "planned state")?;
    let config = read(&request.config, "configuration")?;
    let apply = ApplyRequest { prior: &prior, planned: &planned, config: &config, private: &request.planned_private };
    let mut outcome = resource.apply(context.provider(), apply, stop).await;
    let failed = outcome.diagnostics.has_errors();
    let mut check = Check { rpc: RPC, type_name, schema, diagnostics: &mut outcome.diagnostics };
    let state = check.conforming(outcome.state, prior.clone());
    outcome.state = check.known(state, &prior);
    // After an error the state is what really happened, which need not be what was planned.
    if !failed && !check.diagnostics.has_errors() {
        check.applied(&planned, &outcome.state);
    }
    Ok(outcome)
}
