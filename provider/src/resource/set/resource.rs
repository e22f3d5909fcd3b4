//! The one implementation of [`Resource`], over any kind of set.

use std::sync::Arc;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use crate::config::ProviderConfig;
use crate::plan::checks::upstream;
use crate::resource::set::actual::actual;
use crate::resource::set::desired::{self, tokens};
use crate::resource::set::private::Memory;
use crate::resource::set::{HostSet, apply, changes, create, import, plan, private, read, schema, validate};
use crate::resource::{ApplyRequest, Outcome, PlanRequest, Resource};
use crate::tf::diagnostic::Diagnostics;
use crate::tf::schema::Schema;
use crate::tf::value::Value;

/// A resource type made of a kind of set.
pub struct SetResource<H> {
    set: H,
    schema: Schema,
}

impl<H: HostSet> SetResource<H> {
    /// The resource type of a kind.
    pub fn new(set: H) -> Self {
        let schema = schema::of(&set);
        Self { set, schema }
    }

    /// The kind.
    pub fn set(&self) -> &H {
        &self.set
    }
}

#[async_trait]
impl<H: HostSet> Resource for SetResource<H> {
    fn type_name(&self) -> &'static str {
        self.set.type_name()
    }

    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn import_grammar(&self) -> Option<&'static str> {
        Some(self.set.import_grammar())
    }

    fn validate(&self, config: &Value, diagnostics: &mut Diagnostics) {
        validate::validate(&self.set, config, diagnostics);
    }

    async fn read(&self, provider: Option<Arc<ProviderConfig>>, state: Value, private: &[u8]) -> Outcome {
        read::read(&self.set, provider.as_deref(), state, private).await
    }

    async fn plan(&self, provider: Option<Arc<ProviderConfig>>, request: PlanRequest<'_>) -> Outcome {
        let provider = provider.as_deref();
        if request.proposed.is_null() {
            return destroy(&self.set, &request);
        }
        let mut diagnostics = Diagnostics::default();
        validate::validate(&self.set, request.config, &mut diagnostics);
        if diagnostics.has_errors() {
            // What was unknown in validation is known now, and wrong.
            return Outcome { state: request.proposed.clone(), private: request.private.to_vec(), diagnostics };
        }
        let now = jiff::Timestamp::now();
        if request.prior.is_null() {
            create::plan(&self.set, &self.schema, provider, &request, now).await
        } else {
            plan::plan(&self.set, &self.schema, provider, &request, now).await
        }
    }

    async fn apply(
        &self,
        provider: Option<Arc<ProviderConfig>>,
        request: ApplyRequest<'_>,
        stop: CancellationToken,
    ) -> Outcome {
        if request.planned.is_null() {
            let diagnostics = Diagnostics::default();
            return Outcome { state: Value::Null, private: Vec::new(), diagnostics };
        }
        let Some(provider) = provider else {
            let mut diagnostics = Diagnostics::default();
            diagnostics.error(
                format!("{} needs the provider's configuration", self.type_name()),
                "The provider is not configured, so no host can be reached. Nothing was changed.",
            );
            return Outcome { state: request.prior.clone(), private: request.private.to_vec(), diagnostics };
        };
        let now = jiff::Timestamp::now();
        if request.prior.is_null() {
            adopt(&self.set, &provider, &request, now).await
        } else {
            apply::update(&self.set, &provider, &request, &stop, now).await
        }
    }

    async fn import(&self, _provider: Option<Arc<ProviderConfig>>, id: &str) -> Outcome {
        import::import(&self.set, &self.schema, id)
    }
}

/// Destroying forgets; the warning says so where a reviewer sees it.
fn destroy(set: &dyn HostSet, request: &PlanRequest<'_>) -> Outcome {
    let mut diagnostics = Diagnostics::default();
    if !request.prior.is_null() {
        let name = request.prior.attribute("name").as_str().unwrap_or_default();
        diagnostics.warning(
            format!("{name} is only forgotten"),
            format!(
                "Destroying a set removes it from state. Nothing is uninstalled or changed on its hosts; import it to manage \
                 it again.{}",
                plan::left_out(&set.hosts(request.prior).unwrap_or_default(), request.private)
            ),
        );
    }
    Outcome { state: Value::Null, private: request.private.to_vec(), diagnostics }
}

/// Carries the adoption of a set out: looks, proves, and remembers.
async fn adopt(
    set: &dyn HostSet,
    provider: &ProviderConfig,
    request: &ApplyRequest<'_>,
    now: jiff::Timestamp,
) -> Outcome {
    let mut diagnostics = Diagnostics::default();
    let mut state = apply::known(request.planned);
    let desired = desired::wanted(set, &state, &Value::Null, now).desired;
    let views = match &desired {
        Some(desired) => create::look(set, provider, desired, &state, true, &mut diagnostics).await,
        None => None,
    };
    let Some((desired, views)) = desired.zip(views) else {
        // Nothing is remembered, so nothing can be marked for replacement.
        return Outcome { state: Value::Null, private: Vec::new(), diagnostics };
    };
    state.set("target_version", Value::from(desired.pin.as_str()));
    state.set("wave", Value::integer(upstream::wave(&tokens(state.attribute("after"))).into()));
    state.set("steps", Value::List(Vec::new()));
    let memory = Memory { views, ..Memory::default() };
    actual(set, &state, &Value::Null, &memory).write(set, &mut state, &memory.views);
    let differences = changes::differences(request.planned, &state);
    if !differences.is_empty() {
        diagnostics.error(
            format!("{} was not found as planned", desired.name),
            format!("{}. Nothing is remembered of it. Plan again.", differences.join("; ")),
        );
        return Outcome { state: Value::Null, private: Vec::new(), diagnostics };
    }
    Outcome { state, private: private::encode(memory), diagnostics }
}
