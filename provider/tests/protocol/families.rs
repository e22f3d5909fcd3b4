//! Everything that can be asked is answered, also what this provider has none of.

use std::path::Path;

use azuremfa::rpc::generated::health::{HealthCheckRequest, HealthCheckResponse};
use azuremfa::rpc::generated::tfplugin6 as wire;
use tonic::Code;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Channel;

use crate::client::{Plugin, call, ready, stream};

const NAME: &str = "azuremfa_absent";

/// Each method of the service, and what its reply says when it is asked for a thing that does not exist.
macro_rules! answers {
    ($channel:expr; $($method:literal $message:ident { $($field:ident)? } => $summary:expr;)*) => { $( {
        #[allow(clippy::needless_update, reason = "some requests have no other field")]
        let request = wire::$message::Request { $($field: NAME.to_owned(),)? ..Default::default() };
        let path = concat!("/tfplugin6.Provider/", $method);
        let response: wire::$message::Response = call($channel, path, request).await.expect($method);
        let found: Vec<_> = response.diagnostics.iter().map(|found| found.summary.as_str()).collect();
        let summary: Option<&str> = $summary;
        assert_eq!(found, Vec::from_iter(summary), "{}", $method);
    } )* };
}

#[tokio::test]
async fn every_method_is_answered() {
    let plugin = Plugin::start();
    let channel = &plugin.connect().await;
    answers! { channel;
        "GetMetadata" get_metadata {} => None;
        "GetProviderSchema" get_provider_schema {} => None;
        "GetResourceIdentitySchemas" get_resource_identity_schemas {} => None;
        "GetFunctions" get_functions {} => None;
        "ValidateResourceConfig" validate_resource_config { type_name } => Some("No such resource type");
        "UpgradeResourceState" upgrade_resource_state { type_name } => Some("No such resource type");
        "UpgradeResourceIdentity" upgrade_resource_identity { type_name } => Some("No such resource identity");
        "ReadResource" read_resource { type_name } => Some("No such resource type");
        "PlanResourceChange" plan_resource_change { type_name } => Some("No such resource type");
        "ApplyResourceChange" apply_resource_change { type_name } => Some("No such resource type");
        "ImportResourceState" import_resource_state { type_name } => Some("No such resource type");
        "MoveResourceState" move_resource_state { target_type_name } => Some("No state can be moved from another resource type");
        "GenerateResourceConfig" generate_resource_config { type_name } => Some("No configuration is generated for \"azuremfa_absent\"");
        "ValidateDataResourceConfig" validate_data_resource_config { type_name } => Some("No such data source");
        "ReadDataSource" read_data_source { type_name } => Some("No such data source");
        "ValidateEphemeralResourceConfig" validate_ephemeral_resource_config { type_name } => Some("No such ephemeral resource");
        "OpenEphemeralResource" open_ephemeral_resource { type_name } => Some("No such ephemeral resource");
        "RenewEphemeralResource" renew_ephemeral_resource { type_name } => Some("No such ephemeral resource");
        "CloseEphemeralResource" close_ephemeral_resource { type_name } => Some("No such ephemeral resource");
        "ValidateListResourceConfig" validate_list_resource_config { type_name } => Some("No such list resource");
        "ValidateStateStoreConfig" validate_state_store { type_name } => Some("No such state store");
        "ConfigureStateStore" configure_state_store { type_name } => Some("No such state store");
        "LockState" lock_state { type_name } => Some("No such state store");
        "UnlockState" unlock_state { type_name } => Some("No such state store");
        "GetStates" get_states { type_name } => Some("No such state store");
        "DeleteState" delete_state { type_name } => Some("No such state store");
        "ValidateActionConfig" validate_action_config { type_name } => Some("No such action");
        "PlanAction" plan_action { action_type } => Some("No such action");
    }
    // Those whose replies have another form.
    let request = wire::stop_provider::Request {};
    let stopped: wire::stop_provider::Response =
        call(channel, "/tfplugin6.Provider/StopProvider", request).await.unwrap();
    assert_eq!(stopped.error, "");
    let request = wire::call_function::Request { name: NAME.to_owned(), ..Default::default() };
    let called: wire::call_function::Response =
        call(channel, "/tfplugin6.Provider/CallFunction", request).await.unwrap();
    assert!(called.error.unwrap().text.starts_with("No such function"));
    // These two depend on the provider's own table; that they are answered is all that matters here.
    let request = wire::validate_provider_config::Request::default();
    let _: wire::validate_provider_config::Response =
        call(channel, "/tfplugin6.Provider/ValidateProviderConfig", request).await.unwrap();
    let request = wire::configure_provider::Request::default();
    let _: wire::configure_provider::Response =
        call(channel, "/tfplugin6.Provider/ConfigureProvider", request).await.unwrap();
    streams_are_answered(channel).await;
}

async fn streams_are_answered(channel: &Channel) {
    let request = wire::list_resource::Request { type_name: NAME.to_owned(), ..Default::default() };
    let events: Vec<wire::list_resource::Event> =
        stream(channel, "/tfplugin6.Provider/ListResource", request).await.unwrap();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].diagnostic[0].summary, "No such list resource");
    let request = wire::read_state_bytes::Request { type_name: NAME.to_owned(), ..Default::default() };
    let chunks: Vec<wire::read_state_bytes::Response> =
        stream(channel, "/tfplugin6.Provider/ReadStateBytes", request).await.unwrap();
    assert_eq!(chunks[0].diagnostics[0].summary, "No such state store");
    let chunk = wire::write_state_bytes::RequestChunk {
        meta: Some(wire::RequestChunkMeta { type_name: NAME.to_owned(), state_id: String::new() }),
        ..Default::default()
    };
    let codec = tonic_prost::ProstCodec::<_, wire::write_state_bytes::Response>::default();
    let path = PathAndQuery::from_static("/tfplugin6.Provider/WriteStateBytes");
    let chunks = tonic::Request::new(tokio_stream::iter([chunk]));
    let written = ready(channel).await.unwrap().client_streaming(chunks, path, codec).await.unwrap().into_inner();
    assert_eq!(written.diagnostics[0].summary, "No such state store");
}

#[tokio::test]
async fn an_action_ends_with_exactly_one_completed() {
    let plugin = Plugin::start();
    let request = wire::invoke_action::Request { action_type: NAME.to_owned(), ..Default::default() };
    let path = "/tfplugin6.Provider/InvokeAction";
    let events: Vec<wire::invoke_action::Event> = stream(&plugin.connect().await, path, request).await.unwrap();
    let [event] = events.as_slice() else { panic!("{} events", events.len()) };
    let Some(wire::invoke_action::event::Type::Completed(completed)) = &event.r#type else { panic!("{event:?}") };
    assert_eq!(completed.diagnostics[0].summary, "No such action");
}

/// The list above is the service: a method added to the protocol must be asked for here as well.
#[test]
fn no_method_is_forgotten() {
    let proto = Path::new(env!("CARGO_MANIFEST_DIR")).join("../proto/tfplugin6.proto");
    let proto = std::fs::read_to_string(proto).unwrap();
    let methods = proto.lines().filter_map(|line| line.trim().strip_prefix("rpc ")?.split('(').next());
    let methods: Vec<_> = methods.collect();
    assert_eq!(methods.len(), 36);
    let this = include_str!("families.rs");
    for method in methods {
        let asked = [format!("\"{method}\""), format!("/tfplugin6.Provider/{method}\"")];
        assert!(asked.iter().any(|asked| this.contains(asked)), "{method} is not asked for");
    }
}

#[tokio::test]
async fn the_plugin_says_that_it_is_well() {
    let plugin = Plugin::start();
    let channel = plugin.connect().await;
    let path = "/grpc.health.v1.Health/Check";
    let request = |service: &str| HealthCheckRequest { service: service.to_owned() };
    let well: HealthCheckResponse = call(&channel, path, request("plugin")).await.unwrap();
    assert_eq!(well.status, 1);
    let unknown = call::<_, HealthCheckResponse>(&channel, path, request("other")).await.unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);
}
