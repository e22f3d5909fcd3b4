//! ValidateProviderConfig: the checks of the provider's table, then those between its attributes. No host is reached.

use std::sync::Arc;

use crate::config;
use crate::rpc::context::Context;
use crate::rpc::decode::decode;
use crate::rpc::diagnostic;
use crate::rpc::generated::tfplugin6::validate_provider_config::{Request, Response};
use crate::tf::diagnostic::Diagnostics;
use crate::tf::validation;
use crate::tf::value::Value;

pub async fn run(_context: Arc<Context>, request: Request) -> Response {
    let diagnostics = match decode(config::schema(), request.config.as_ref()) {
        Ok(config) => check(&config),
        Err(error) => diagnostic::undecodable("ValidateProviderConfig", "configuration", &error),
    };
    Response { diagnostics: diagnostic::to_wire(diagnostics) }
}

/// All that can be said about a provider configuration without its hosts.
pub fn check(config: &Value) -> Diagnostics {
    let mut diagnostics = Diagnostics::default();
    if config.as_map().is_some() {
        validation::validate(config::schema(), config, &mut diagnostics);
        config::validate(config, &mut diagnostics);
    }
    diagnostics
}
