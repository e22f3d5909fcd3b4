//! What the replies have in common: each can say that it failed, in diagnostics rather than as a gRPC status.

use crate::rpc::generated::tfplugin6 as wire;
use crate::rpc::generated::tfplugin6::Diagnostic;

/// A reply that can carry diagnostics. Statuses never reach a user as anything but "Plugin error".
pub trait Reply: Send + 'static {
    /// A reply that says only what went wrong.
    fn failed(diagnostics: Vec<Diagnostic>) -> Self;

    /// The diagnostics in it, for the log.
    fn diagnostics(&self) -> &[Diagnostic];
}

macro_rules! replies {
    ($($rpc:ident),* $(,)?) => { $(
        impl Reply for wire::$rpc::Response {
            #[allow(clippy::needless_update, reason = "some of the replies have no other field")]
            fn failed(diagnostics: Vec<Diagnostic>) -> Self {
                Self { diagnostics, ..Self::default() }
            }

            fn diagnostics(&self) -> &[Diagnostic] {
                &self.diagnostics
            }
        }
    )* };
}

replies! {
    get_metadata, get_provider_schema, get_resource_identity_schemas,
    validate_provider_config, configure_provider,
    validate_resource_config, upgrade_resource_state, upgrade_resource_identity, read_resource,
    plan_resource_change, apply_resource_change, import_resource_state, move_resource_state, generate_resource_config,
    validate_data_resource_config, read_data_source,
    validate_ephemeral_resource_config, open_ephemeral_resource, renew_ephemeral_resource, close_ephemeral_resource,
    validate_list_resource_config, get_functions,
    validate_state_store, configure_state_store, write_state_bytes, lock_state, unlock_state, get_states, delete_state,
    validate_action_config, plan_action,
}

impl Reply for wire::stop_provider::Response {
    fn failed(diagnostics: Vec<Diagnostic>) -> Self {
        Self { error: text(&diagnostics) }
    }

    fn diagnostics(&self) -> &[Diagnostic] {
        &[]
    }
}

impl Reply for wire::call_function::Response {
    fn failed(diagnostics: Vec<Diagnostic>) -> Self {
        let error = wire::FunctionError { text: text(&diagnostics), function_argument: None };
        Self { result: None, error: Some(error) }
    }

    fn diagnostics(&self) -> &[Diagnostic] {
        &[]
    }
}

/// The three replies that are streams: here always of one message, after which the stream ends.
impl Reply for wire::list_resource::Event {
    fn failed(diagnostics: Vec<Diagnostic>) -> Self {
        Self { diagnostic: diagnostics, ..Self::default() }
    }

    fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostic
    }
}

impl Reply for wire::read_state_bytes::Response {
    fn failed(diagnostics: Vec<Diagnostic>) -> Self {
        Self { diagnostics, ..Self::default() }
    }

    fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }
}

/// Trap 19: an event without a type, or one after `completed`, crashes the client; without `completed` it sees success.
impl Reply for wire::invoke_action::Event {
    fn failed(diagnostics: Vec<Diagnostic>) -> Self {
        let completed = wire::invoke_action::event::Completed { diagnostics };
        Self { r#type: Some(wire::invoke_action::event::Type::Completed(completed)) }
    }

    fn diagnostics(&self) -> &[Diagnostic] {
        match &self.r#type {
            Some(wire::invoke_action::event::Type::Completed(completed)) => &completed.diagnostics,
            _ => &[],
        }
    }
}

fn text(diagnostics: &[Diagnostic]) -> String {
    let line = |diagnostic: &Diagnostic| format!("{}: {}", diagnostic.summary, diagnostic.detail);
    diagnostics.iter().map(line).collect::<Vec<_>>().join("\n")
}
