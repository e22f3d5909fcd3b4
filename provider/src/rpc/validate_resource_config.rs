//! ValidateResourceConfig: the checks of the table, then those between attributes. Never configured, reaches no host.

use std::sync::Arc;

use crate::rpc::context::Context;
use crate::rpc::decode::decode;
use crate::rpc::diagnostic;
use crate::rpc::generated::tfplugin6::validate_resource_config::{Request, Response};
use crate::tf::diagnostic::Diagnostics;
use crate::tf::validation;

pub async fn run(context: Arc<Context>, request: Request) -> Response {
    let diagnostics = check(&context, &request).unwrap_or_else(|diagnostics| diagnostics);
    Response { diagnostics: diagnostic::to_wire(diagnostics) }
}

fn check(context: &Context, request: &Request) -> Result<Diagnostics, Diagnostics> {
    let resource = context.resource(&request.type_name)?;
    let config = decode(resource.schema(), request.config.as_ref())
        .map_err(|error| diagnostic::undecodable("ValidateResourceConfig", "configuration", &error))?;
    let mut diagnostics = Diagnostics::default();
    if config.as_map().is_some() {
        validation::validate(resource.schema(), &config, &mut diagnostics);
        resource.validate(&config, &mut diagnostics);
    }
    Ok(diagnostics)
}
