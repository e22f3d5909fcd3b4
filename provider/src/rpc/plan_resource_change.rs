//! PlanResourceChange: what would be done. Runs twice for each change, in two processes, and must say the same.

use std::sync::Arc;

use crate::resource::{Outcome, PlanRequest};
use crate::rpc::checked::Check;
use crate::rpc::context::Context;
use crate::rpc::decode::decode;
use crate::rpc::diagnostic;
use crate::rpc::encode::encode;
use crate::rpc::generated::tfplugin6::plan_resource_change::{Request, Response};
use crate::rpc::interrupt::unless_stopped;
use crate::rpc::reply::Reply;
use crate::tf::defaults;
use crate::tf::diagnostic::Diagnostics;

const RPC: &str = "PlanResourceChange";

pub async fn run(context: Arc<Context>, request: Request) -> Response {
    match plan(&context, request).await {
        Ok(Outcome { state, private, diagnostics }) => Response {
            planned_state: Some(encode(state)),
            planned_private: private,
            diagnostics: diagnostic::to_wire(diagnostics),
            ..Response::default()
        },
        Err(diagnostics) => Response::failed(diagnostic::to_wire(diagnostics)),
    }
}

async fn plan(context: &Context, request: Request) -> Result<Outcome, Diagnostics> {
    let resource = context.resource(&request.type_name)?;
    let (schema, type_name) = (resource.schema(), resource.type_name());
    let read = |wire: &Option<_>, what| {
        decode(schema, wire.as_ref()).map_err(|error| diagnostic::undecodable(RPC, what, &error))
    };
    let prior = read(&request.prior_state, "prior state")?;
    let config = read(&request.config, "configuration")?;
    let proposed = defaults::fill(schema, &config, read(&request.proposed_new_state, "proposed state")?);
    let plan = PlanRequest { prior: &prior, proposed: &proposed, config: &config, private: &request.prior_private };
    let work = resource.plan(context.provider(), plan);
    let mut outcome = unless_stopped(context.life.stop_token(), RPC, type_name, work).await?;
    let mut check = Check { rpc: RPC, type_name, schema, diagnostics: &mut outcome.diagnostics };
    outcome.state = check.conforming(outcome.state, proposed.clone());
    // A plan that failed is discarded; only one that would be used must hold.
    if !check.diagnostics.has_errors() {
        check.planned(&prior, &config, &outcome.state);
    }
    Ok(outcome)
}
