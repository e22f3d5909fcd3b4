//! What users declare: the resources, and the interface by which the protocol layer reaches them.

use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use crate::config::ProviderConfig;
use crate::resource::adfs_adapter::AdfsAdapter;
use crate::resource::mobile_app_web_service::MOBILE_APP_WEB_SERVICE;
use crate::resource::server_group::ServerGroup;
use crate::resource::set::resource::SetResource;
use crate::resource::user_portal::USER_PORTAL;
use crate::resource::web::WebResource;
use crate::tf::diagnostic::Diagnostics;
use crate::tf::schema::Schema;
use crate::tf::value::Value;

pub mod adfs_adapter;
pub mod mobile_app_web_service;
pub mod server_group;
pub mod set;
pub mod user_portal;
pub mod web;

/// A resource type.
///
/// The protocol layer decodes and encodes; a resource sees values only. `provider` is absent until
/// the provider is configured and while its configuration is unknown.
#[async_trait]
pub trait Resource: Send + Sync {
    /// The full type name, such as `azuremfa_server_group`.
    fn type_name(&self) -> &'static str;

    /// The attribute table.
    fn schema(&self) -> &Schema;

    /// Checks that need more than one attribute. The schema's own checks have run before.
    /// Must not fail because something is unknown, and must not reach any host.
    fn validate(&self, config: &Value, diagnostics: &mut Diagnostics);

    /// Reads what is on the hosts. `state` is never null.
    async fn read(&self, provider: Option<Arc<ProviderConfig>>, state: Value, private: &[u8]) -> Outcome;

    /// Plans a change. On destroy `proposed` and `config` are null; on create `prior` is null.
    async fn plan(&self, provider: Option<Arc<ProviderConfig>>, request: PlanRequest<'_>) -> Outcome;

    /// Carries a plan out. On destroy `planned` is null. `stop` is cancelled by StopProvider: finish or cut at
    /// the next safe point and return the true state.
    async fn apply(
        &self,
        provider: Option<Arc<ProviderConfig>>,
        request: ApplyRequest<'_>,
        stop: CancellationToken,
    ) -> Outcome;

    /// The form of its import ids, for the reference page; none when it cannot be imported.
    fn import_grammar(&self) -> Option<&'static str> {
        None
    }

    /// Makes the state that an import id stands for; Read follows.
    async fn import(&self, provider: Option<Arc<ProviderConfig>>, id: &str) -> Outcome;
}

/// What a plan is made from.
pub struct PlanRequest<'a> {
    pub prior: &'a Value,
    pub proposed: &'a Value,
    pub config: &'a Value,
    pub private: &'a [u8],
}

/// What an apply is made from.
pub struct ApplyRequest<'a> {
    pub prior: &'a Value,
    pub planned: &'a Value,
    pub config: &'a Value,
    pub private: &'a [u8],
}

/// What an operation gives back: a state (null when there is none), private bytes, and diagnostics.
#[derive(Debug)]
pub struct Outcome {
    pub state: Value,
    pub private: Vec<u8>,
    pub diagnostics: Diagnostics,
}

/// All resource types, in the order of the vendor's procedure.
pub fn all() -> &'static [&'static dyn Resource] {
    static SERVER_GROUP: LazyLock<SetResource<ServerGroup>> = LazyLock::new(|| SetResource::new(ServerGroup));
    static PORTAL: LazyLock<SetResource<WebResource>> = LazyLock::new(|| SetResource::new(USER_PORTAL));
    static MOBILE: LazyLock<SetResource<WebResource>> = LazyLock::new(|| SetResource::new(MOBILE_APP_WEB_SERVICE));
    static ADAPTER: LazyLock<SetResource<AdfsAdapter>> = LazyLock::new(|| SetResource::new(AdfsAdapter));
    static ALL: LazyLock<Vec<&'static dyn Resource>> =
        LazyLock::new(|| vec![&*SERVER_GROUP, &*PORTAL, &*MOBILE, &*ADAPTER]);
    &ALL
}
