//! What every RPC can reach: the resources, the configured provider and the life of the process.

use std::sync::{Arc, PoisonError, RwLock};

use crate::config::ProviderConfig;
use crate::resource::Resource;
use crate::rpc::diagnostic;
use crate::rpc::life::Life;
use crate::tf::diagnostic::Diagnostics;

/// The state of a provider process.
pub struct Context {
    resources: &'static [&'static dyn Resource],
    /// Absent before ConfigureProvider, and while the configuration is unknown. Replaceable: a debugged process
    /// serves several runs.
    provider: RwLock<Option<Arc<ProviderConfig>>>,
    pub life: Arc<Life>,
}

impl Context {
    /// A context that offers `resources`.
    pub fn new(resources: &'static [&'static dyn Resource], life: Arc<Life>) -> Self {
        Self { resources, provider: RwLock::new(None), life }
    }

    /// All resource types.
    pub fn resources(&self) -> &'static [&'static dyn Resource] {
        self.resources
    }

    /// The resource type of that name, which also goes to the log.
    pub fn resource(&self, type_name: &str) -> Result<&'static dyn Resource, Diagnostics> {
        tracing::Span::current().record("tf_resource_type", type_name);
        let found = self.resources.iter().find(|resource| resource.type_name() == type_name);
        found.copied().ok_or_else(|| diagnostic::absent("resource type", type_name))
    }

    /// The configured provider.
    pub fn provider(&self) -> Option<Arc<ProviderConfig>> {
        self.provider.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until the process may end, and closes what is open on hosts: a shell that stays counts against the account's
    /// quota until the host finds it idle.
    pub async fn end(&self) {
        self.life.may_end().await;
        let Some(provider) = self.provider() else { return };
        if tokio::time::timeout(self.life.time_to_close(), provider.close()).await.is_err() {
            tracing::warn!("no time is left to close all shells; hosts close them when they are idle");
        }
    }

    /// Replaces the configured provider.
    pub fn configure(&self, provider: Option<ProviderConfig>) {
        *self.provider.write().unwrap_or_else(PoisonError::into_inner) = provider.map(Arc::new);
    }
}
