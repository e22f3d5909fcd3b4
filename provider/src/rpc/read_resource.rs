//! ReadResource: what is on the hosts now.

use std::sync::Arc;

use crate::resource::Outcome;
use crate::rpc::checked::Check;
use crate::rpc::context::Context;
use crate::rpc::decode::decode;
use crate::rpc::diagnostic;
use crate::rpc::encode::encode;
use crate::rpc::generated::tfplugin6::read_resource::{Request, Response};
use crate::rpc::interrupt::unless_stopped;
use crate::rpc::reply::Reply;
use crate::tf::diagnostic::Diagnostics;
use crate::tf::value::Value;

const RPC: &str = "ReadResource";

pub async fn run(context: Arc<Context>, request: Request) -> Response {
    match read(&context, request).await {
        Ok(Outcome { state, private, diagnostics }) => Response {
            new_state: Some(encode(state)),
            private,
            diagnostics: diagnostic::to_wire(diagnostics),
            ..Response::default()
        },
        Err(diagnostics) => Response::failed(diagnostic::to_wire(diagnostics)),
    }
}

async fn read(context: &Context, request: Request) -> Result<Outcome, Diagnostics> {
    let resource = context.resource(&request.type_name)?;
    let (schema, type_name) = (resource.schema(), resource.type_name());
    let current = decode(schema, request.current_state.as_ref())
        .map_err(|error| diagnostic::undecodable(RPC, "state", &error))?;
    if current.is_null() {
        return Ok(Outcome { state: Value::Null, private: request.private, diagnostics: Diagnostics::default() });
    }
    let work = resource.read(context.provider(), current.clone(), &request.private);
    let mut outcome = unless_stopped(context.life.stop_token(), RPC, type_name, work).await?;
    let mut check = Check { rpc: RPC, type_name, schema, diagnostics: &mut outcome.diagnostics };
    let state = check.conforming(outcome.state, current.clone());
    outcome.state = check.known(state, &current);
    Ok(outcome)
}
