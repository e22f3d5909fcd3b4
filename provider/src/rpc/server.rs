//! The provider service: one line per RPC, each answered by a function of its own module.

use std::pin::Pin;
use std::sync::Arc;

use tokio_stream::Stream;
use tonic::{Request, Response, Status, Streaming};

use crate::resource::Resource;
use crate::rpc::absent::{
    actions, data_sources, ephemeral_resources, functions, identities, list_resources, moves, state_stores,
};
use crate::rpc::call::call;
use crate::rpc::context::Context;
use crate::rpc::generated::tfplugin6 as wire;
use crate::rpc::generated::tfplugin6::provider_server::{Provider, ProviderServer};
use crate::rpc::life::Life;
use crate::rpc::{
    apply_resource_change, configure_provider, get_metadata, get_provider_schema, import_resource_state,
    plan_resource_change, read_resource, stop_provider, upgrade_resource_state, validate_provider_config,
    validate_resource_config,
};

/// What HashiCorp's SDK allows as well. tonic's default of 4 MiB is less than the state of a large estate.
const MAXIMUM_MESSAGE: usize = 256 * 1024 * 1024;

/// The provider service.
pub struct Server {
    context: Arc<Context>,
}

impl Server {
    /// A service that offers `resources`.
    pub fn new(resources: &'static [&'static dyn Resource], life: Arc<Life>) -> Self {
        Self { context: Arc::new(Context::new(resources, life)) }
    }

    /// What the RPCs can reach.
    pub fn context(&self) -> Arc<Context> {
        Arc::clone(&self.context)
    }

    /// The service as tonic serves it, with room for large messages.
    pub fn into_service(self) -> ProviderServer<Self> {
        ProviderServer::new(self).max_decoding_message_size(MAXIMUM_MESSAGE).max_encoding_message_size(MAXIMUM_MESSAGE)
    }
}

type Events<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

macro_rules! provider {
    ($($method:ident($message:ident) => $rpc:literal, $run:path;)*) => {
        #[tonic::async_trait]
        impl Provider for Server {
            $(async fn $method(
                &self,
                request: Request<wire::$message::Request>,
            ) -> Result<Response<wire::$message::Response>, Status> {
                call(&self.context, $rpc, request, $run).await
            })*

            type ListResourceStream = Events<wire::list_resource::Event>;

            async fn list_resource(
                &self,
                request: Request<wire::list_resource::Request>,
            ) -> Result<Response<Self::ListResourceStream>, Status> {
                call(&self.context, "ListResource", request, list_resources::list).await.map(only)
            }

            type InvokeActionStream = Events<wire::invoke_action::Event>;

            async fn invoke_action(
                &self,
                request: Request<wire::invoke_action::Request>,
            ) -> Result<Response<Self::InvokeActionStream>, Status> {
                call(&self.context, "InvokeAction", request, actions::invoke).await.map(only)
            }

            type ReadStateBytesStream = Events<wire::read_state_bytes::Response>;

            async fn read_state_bytes(
                &self,
                request: Request<wire::read_state_bytes::Request>,
            ) -> Result<Response<Self::ReadStateBytesStream>, Status> {
                call(&self.context, "ReadStateBytes", request, state_stores::read).await.map(only)
            }

            async fn write_state_bytes(
                &self,
                request: Request<Streaming<wire::write_state_bytes::RequestChunk>>,
            ) -> Result<Response<wire::write_state_bytes::Response>, Status> {
                let first = request.into_inner().message().await?.unwrap_or_default();
                call(&self.context, "WriteStateBytes", Request::new(first), state_stores::write).await
            }
        }
    };
}

provider! {
    get_metadata(get_metadata) => "GetMetadata", get_metadata::run;
    get_provider_schema(get_provider_schema) => "GetProviderSchema", get_provider_schema::run;
    get_resource_identity_schemas(get_resource_identity_schemas) => "GetResourceIdentitySchemas", identities::schemas;
    validate_provider_config(validate_provider_config) => "ValidateProviderConfig", validate_provider_config::run;
    configure_provider(configure_provider) => "ConfigureProvider", configure_provider::run;
    stop_provider(stop_provider) => "StopProvider", stop_provider::run;
    validate_resource_config(validate_resource_config) => "ValidateResourceConfig", validate_resource_config::run;
    upgrade_resource_state(upgrade_resource_state) => "UpgradeResourceState", upgrade_resource_state::run;
    upgrade_resource_identity(upgrade_resource_identity) => "UpgradeResourceIdentity", identities::upgrade;
    read_resource(read_resource) => "ReadResource", read_resource::run;
    plan_resource_change(plan_resource_change) => "PlanResourceChange", plan_resource_change::run;
    apply_resource_change(apply_resource_change) => "ApplyResourceChange", apply_resource_change::run;
    import_resource_state(import_resource_state) => "ImportResourceState", import_resource_state::run;
    move_resource_state(move_resource_state) => "MoveResourceState", moves::move_state;
    generate_resource_config(generate_resource_config) => "GenerateResourceConfig", moves::generate_config;
    validate_data_resource_config(validate_data_resource_config) => "ValidateDataResourceConfig", data_sources::validate;
    read_data_source(read_data_source) => "ReadDataSource", data_sources::read;
    validate_ephemeral_resource_config(validate_ephemeral_resource_config) => "ValidateEphemeralResourceConfig", ephemeral_resources::validate;
    open_ephemeral_resource(open_ephemeral_resource) => "OpenEphemeralResource", ephemeral_resources::open;
    renew_ephemeral_resource(renew_ephemeral_resource) => "RenewEphemeralResource", ephemeral_resources::renew;
    close_ephemeral_resource(close_ephemeral_resource) => "CloseEphemeralResource", ephemeral_resources::close;
    validate_list_resource_config(validate_list_resource_config) => "ValidateListResourceConfig", list_resources::validate;
    get_functions(get_functions) => "GetFunctions", functions::get;
    call_function(call_function) => "CallFunction", functions::call;
    validate_state_store_config(validate_state_store) => "ValidateStateStoreConfig", state_stores::validate;
    configure_state_store(configure_state_store) => "ConfigureStateStore", state_stores::configure;
    lock_state(lock_state) => "LockState", state_stores::lock;
    unlock_state(unlock_state) => "UnlockState", state_stores::unlock;
    get_states(get_states) => "GetStates", state_stores::states;
    delete_state(delete_state) => "DeleteState", state_stores::delete;
    validate_action_config(validate_action_config) => "ValidateActionConfig", actions::validate;
    plan_action(plan_action) => "PlanAction", actions::plan;
}

/// A stream of one message.
fn only<T: Send + 'static>(event: Response<T>) -> Response<Events<T>> {
    event.map(|event| Box::pin(tokio_stream::once(Ok(event))) as Events<T>)
}
