//! ConfigureProvider: decodes the configuration and keeps it for the RPCs that reach hosts.
//!
//! While planning the configuration may hold unknowns. Then the provider stays unconfigured, without an error, and
//! each resource decides what it can do without.

use std::sync::Arc;

use crate::config;
use crate::rpc::context::Context;
use crate::rpc::decode::decode;
use crate::rpc::diagnostic;
use crate::rpc::generated::tfplugin6::configure_provider::{Request, Response};
use crate::rpc::validate_provider_config;
use crate::tf::defaults;
use crate::tf::diagnostic::{Diagnostics, Severity};

pub async fn run(context: Arc<Context>, request: Request) -> Response {
    tracing::debug!(client_version = request.terraform_version, "configuring");
    context.configure(None);
    let config = match decode(config::schema(), request.config.as_ref()) {
        Ok(config) => config,
        Err(error) => return failed(diagnostic::undecodable("ConfigureProvider", "configuration", &error)),
    };
    // An apply in a later process is configured without having been validated there, perhaps with more known.
    let checked = errors_of(validate_provider_config::check(&config));
    if checked.has_errors() {
        return failed(checked);
    }
    let mut diagnostics = Diagnostics::default();
    let filled = defaults::fill(config::schema(), &config, config.clone());
    let provider = config::configure(&filled, &mut diagnostics);
    if !diagnostics.has_errors() {
        context.configure(provider);
    }
    failed(diagnostics)
}

fn failed(diagnostics: Diagnostics) -> Response {
    Response { diagnostics: diagnostic::to_wire(diagnostics) }
}

/// The warnings have been shown by ValidateProviderConfig.
fn errors_of(diagnostics: Diagnostics) -> Diagnostics {
    let mut errors = Diagnostics::default();
    for found in diagnostics {
        match (found.severity, found.path) {
            (Severity::Error, Some(path)) => errors.error_at(path, found.summary, found.detail),
            (Severity::Error, None) => errors.error(found.summary, found.detail),
            (Severity::Warning, _) => {}
        }
    }
    errors
}
