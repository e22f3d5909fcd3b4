//! ImportResourceState: makes the first state of a component from its import id; a read follows.

use std::sync::Arc;

use crate::rpc::checked::Check;
use crate::rpc::context::Context;
use crate::rpc::diagnostic;
use crate::rpc::encode::encode;
use crate::rpc::generated::tfplugin6::import_resource_state::{ImportedResource, Request, Response};
use crate::rpc::interrupt::unless_stopped;
use crate::rpc::reply::Reply;
use crate::tf::diagnostic::Diagnostics;
use crate::tf::path::Path;
use crate::tf::value::Value;

const RPC: &str = "ImportResourceState";

pub async fn run(context: Arc<Context>, request: Request) -> Response {
    match import(&context, request).await {
        Ok(response) => response,
        Err(diagnostics) => Response::failed(diagnostic::to_wire(diagnostics)),
    }
}

async fn import(context: &Context, request: Request) -> Result<Response, Diagnostics> {
    let resource = context.resource(&request.type_name)?;
    let (schema, type_name) = (resource.schema(), resource.type_name());
    if request.id.is_empty() {
        return Err(without_id(type_name));
    }
    let work = resource.import(context.provider(), &request.id);
    let mut outcome = unless_stopped(context.life.stop_token(), RPC, type_name, work).await?;
    if !outcome.diagnostics.has_errors() {
        let mut check = Check { rpc: RPC, type_name, schema, diagnostics: &mut outcome.diagnostics };
        let state = check.conforming(outcome.state, Value::Null);
        outcome.state = check.known(state, &Value::Null);
        if outcome.state.is_null() && !check.diagnostics.has_errors() {
            check.found(&Path::root(), "no state was made and no error says why");
        }
    }
    if outcome.diagnostics.has_errors() {
        return Err(outcome.diagnostics);
    }
    let imported = ImportedResource {
        type_name: type_name.to_owned(),
        state: Some(encode(outcome.state)),
        private: outcome.private,
        identity: None,
    };
    Ok(Response {
        imported_resources: vec![imported],
        diagnostics: diagnostic::to_wire(outcome.diagnostics),
        deferred: None,
    })
}

fn without_id(type_name: &str) -> Diagnostics {
    let mut diagnostics = Diagnostics::default();
    let detail = format!(
        "A {type_name} has no resource identity yet. Use `id = \"...\"` in the import block instead of `identity`; the \
         resource's documentation shows the form of the id.",
    );
    diagnostics.error(format!("{type_name} is imported by id"), detail);
    diagnostics
}
