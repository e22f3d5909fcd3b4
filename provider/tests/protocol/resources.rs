//! What resources rely on, with resources made to behave and to misbehave.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use azuremfa::config::ProviderConfig;
use azuremfa::resource::{ApplyRequest, Outcome, PlanRequest, Resource};
use azuremfa::rpc::decode::decode;
use azuremfa::rpc::encode::encode;
use azuremfa::rpc::generated::tfplugin6::attribute_path::step::Selector;
use azuremfa::rpc::generated::tfplugin6::{self as wire, DynamicValue};
use azuremfa::tf::diagnostic::Diagnostics;
use azuremfa::tf::path::Path;
use azuremfa::tf::schema::{Attribute, Kind, Schema};
use azuremfa::tf::value::{Number, Value};
use tokio_util::sync::CancellationToken;

use crate::client::PATIENCE;
use crate::service::{Service, errors};

const TYPE: &str = "azuremfa_test";

/// A resource whose answers a test gives. Without one it behaves.
struct TestResource {
    schema: Schema,
    plan: Option<fn(&PlanRequest<'_>) -> Outcome>,
    read: Option<fn(Value) -> Outcome>,
    apply: Option<fn(&ApplyRequest<'_>) -> Outcome>,
    /// Whether reads and applies go on until they are stopped.
    endless: bool,
    applied: AtomicUsize,
}

impl TestResource {
    fn new() -> Self {
        let attributes = vec![
            Attribute::required("name", Kind::String, "A name.").check(refuse_bad),
            Attribute::optional("size", Kind::Number, "A size."),
            Attribute::optional_computed("port", Kind::Number, "A port.").with_default(Value::integer(5986)),
            Attribute::computed("found", Kind::String, "What was found."),
            Attribute::optional(
                "hosts",
                Kind::ObjectMap(vec![Attribute::optional("note", Kind::String, "A note.").check(refuse_bad)]),
                "Hosts.",
            ),
        ];
        let schema = Schema { version: 0, description: "A test.", attributes };
        Self { schema, plan: None, read: None, apply: None, endless: false, applied: AtomicUsize::new(0) }
    }

    async fn service(self) -> (Service, &'static Self) {
        let resource: &'static Self = Box::leak(Box::new(self));
        let resources: &'static [&'static dyn Resource] = Box::leak(Box::new([resource as &'static dyn Resource]));
        (Service::start(resources).await, resource)
    }
}

fn refuse_bad(value: &Value, path: &Path, diagnostics: &mut Diagnostics) {
    if value.as_str() == Some("bad") {
        diagnostics.error_at(path.clone(), "Bad", "It is bad.");
    }
}

fn outcome(state: Value, private: &[u8]) -> Outcome {
    Outcome { state, private: private.to_vec(), diagnostics: Diagnostics::default() }
}

fn failed(state: Value) -> Outcome {
    let mut outcome = outcome(state, b"kept");
    outcome.diagnostics.error("It failed", "Half way.");
    outcome
}

#[async_trait]
impl Resource for TestResource {
    fn type_name(&self) -> &'static str {
        TYPE
    }

    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn validate(&self, config: &Value, diagnostics: &mut Diagnostics) {
        if config.attribute("name").as_str() == Some("panic") {
            panic!("the check broke");
        }
        if config.attribute("name").as_str() == Some("worse") {
            diagnostics.error("Worse", "It is worse.");
        }
    }

    async fn read(&self, _provider: Option<Arc<ProviderConfig>>, state: Value, private: &[u8]) -> Outcome {
        if self.endless {
            std::future::pending::<()>().await;
        }
        self.read.map_or_else(|| outcome(state.clone(), private), |read| read(state.clone()))
    }

    async fn plan(&self, _provider: Option<Arc<ProviderConfig>>, request: PlanRequest<'_>) -> Outcome {
        if let Some(plan) = self.plan {
            return plan(&request);
        }
        let mut planned = request.proposed.clone();
        if planned != *request.prior {
            planned.set("found", Value::Unknown);
        }
        outcome(planned, request.private)
    }

    async fn apply(
        &self,
        _provider: Option<Arc<ProviderConfig>>,
        request: ApplyRequest<'_>,
        stop: CancellationToken,
    ) -> Outcome {
        if self.endless {
            stop.cancelled().await;
            // Coming to a safe point takes a moment.
            tokio::time::sleep(Duration::from_millis(20)).await;
            self.applied.fetch_add(1, Ordering::SeqCst);
            return failed(request.prior.clone());
        }
        if let Some(apply) = self.apply {
            return apply(&request);
        }
        let mut state = request.planned.clone();
        state.set("found", "it".into());
        tokio::time::sleep(Duration::from_millis(20)).await;
        self.applied.fetch_add(1, Ordering::SeqCst);
        outcome(state, request.private)
    }

    async fn import(&self, _provider: Option<Arc<ProviderConfig>>, id: &str) -> Outcome {
        match id {
            "nothing" => outcome(Value::Null, b""),
            "unknown" => outcome(Value::object([("name", Value::Unknown)]), b""),
            "failed" => failed(Value::Null),
            id => outcome(Value::object([("name", id.into())]), b"imported"),
        }
    }
}

fn object(name: &str, more: &[(&str, Value)]) -> Value {
    let names = ["name", "size", "port", "found", "hosts"];
    let mut value = Value::object(names.map(|name| (name, Value::Null)));
    value.set("name", name.into());
    for (name, more) in more {
        value.set(name, more.clone());
    }
    value
}

fn wired(value: &Value) -> Option<DynamicValue> {
    Some(encode(value.clone()))
}

fn value(wire: Option<&DynamicValue>) -> Value {
    decode(&TestResource::new().schema, wire).unwrap()
}

fn plan_request(prior: &Value, config: &Value) -> wire::plan_resource_change::Request {
    let mut proposed = config.clone();
    if proposed.as_map().is_some() && proposed.attribute("found").is_null() {
        proposed.set("found", prior.attribute("found").clone());
    }
    wire::plan_resource_change::Request {
        type_name: TYPE.to_owned(),
        prior_state: wired(prior),
        proposed_new_state: wired(&proposed),
        config: wired(config),
        prior_private: b"secret of the provider".to_vec(),
        client_capabilities: Some(wire::ClientCapabilities { deferral_allowed: true, ..Default::default() }),
        ..Default::default()
    }
}

async fn plan(service: &Service, prior: &Value, config: &Value) -> wire::plan_resource_change::Response {
    service.call("PlanResourceChange", plan_request(prior, config)).await
}

fn apply_request(prior: &Value, planned: &Value) -> wire::apply_resource_change::Request {
    wire::apply_resource_change::Request {
        type_name: TYPE.to_owned(),
        prior_state: wired(prior),
        planned_state: wired(planned),
        config: wired(planned),
        planned_private: b"secret of the plan".to_vec(),
        ..Default::default()
    }
}

async fn apply(service: &Service, prior: &Value, planned: &Value) -> wire::apply_resource_change::Response {
    service.call("ApplyResourceChange", apply_request(prior, planned)).await
}

async fn read(service: &Service, state: &Value) -> wire::read_resource::Response {
    let request = wire::read_resource::Request {
        type_name: TYPE.to_owned(),
        current_state: wired(state),
        private: b"private".to_vec(),
        ..Default::default()
    };
    service.call("ReadResource", request).await
}

async fn import(service: &Service, id: &str) -> wire::import_resource_state::Response {
    let request =
        wire::import_resource_state::Request { type_name: TYPE.to_owned(), id: id.to_owned(), ..Default::default() };
    service.call("ImportResourceState", request).await
}

async fn validate(service: &Service, config: &Value) -> Vec<wire::Diagnostic> {
    let request = wire::validate_resource_config::Request {
        type_name: TYPE.to_owned(),
        config: wired(config),
        ..Default::default()
    };
    service.call::<_, wire::validate_resource_config::Response>("ValidateResourceConfig", request).await.diagnostics
}

/// The one error, which names the RPC and the attribute and is no sentence of the core's.
#[track_caller]
fn check_own_error(diagnostics: &[wire::Diagnostic], rpc: &str, place: &str) {
    let errors = errors(diagnostics);
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0].contains(rpc) && errors[0].contains(place), "{errors:?}");
    for core in ["This is a bug in the provider", "Provider produced"] {
        assert!(!errors[0].contains(core), "{errors:?}");
    }
}

#[tokio::test]
async fn a_life_from_plan_to_destroy() {
    let (service, _) = TestResource::new().service().await;
    let config = object("a", &[("port", Value::Null)]);
    let planned = plan(&service, &Value::Null, &config).await;
    assert_eq!(errors(&planned.diagnostics), Vec::<String>::new());
    let planned_state = value(planned.planned_state.as_ref());
    assert_eq!(planned_state, object("a", &[("port", Value::integer(5986)), ("found", Value::Unknown)]));
    let applied = apply(&service, &Value::Null, &planned_state).await;
    assert_eq!(errors(&applied.diagnostics), Vec::<String>::new());
    let state = value(applied.new_state.as_ref());
    assert_eq!(*state.attribute("found"), "it".into());
    assert_eq!(value(read(&service, &state).await.new_state.as_ref()), state);
    // Nothing to do: the plan is the prior state.
    assert_eq!(value(plan(&service, &state, &config).await.planned_state.as_ref()), state);
    let destroyed = plan(&service, &state, &Value::Null).await;
    assert_eq!(errors(&destroyed.diagnostics), Vec::<String>::new());
    assert_eq!(value(destroyed.planned_state.as_ref()), Value::Null);
    assert_eq!(value(apply(&service, &state, &Value::Null).await.new_state.as_ref()), Value::Null);
}

#[tokio::test]
async fn validation_runs_the_table_and_the_resource() {
    let (service, _) = TestResource::new().service().await;
    assert_eq!(validate(&service, &object("good", &[])).await, []);
    assert_eq!(
        validate(&service, &Value::object([("name", Value::Unknown)])).await.len(),
        1,
        "not an object of the schema"
    );
    let unknown = object("good", &[("name", Value::Unknown), ("size", Value::Unknown), ("hosts", Value::Unknown)]);
    assert_eq!(validate(&service, &unknown).await, []);
    let note = Value::object([("dmz", Value::object([("note", "bad".into())]))]);
    let found = validate(&service, &object("worse", &[("hosts", note)])).await;
    assert_eq!(found.iter().map(|found| found.summary.as_str()).collect::<Vec<_>>(), ["Bad", "Worse"]);
    let steps = &found[0].attribute.as_ref().unwrap().steps;
    let steps: Vec<_> = steps.iter().map(|step| step.selector.clone().unwrap()).collect();
    // As deep as the core can show; the rest is in the text.
    let expected = [Selector::AttributeName("hosts".to_owned()), Selector::ElementKeyString("dmz".to_owned())];
    assert_eq!(steps, expected);
    assert!(found[0].detail.contains("hosts[\"dmz\"].note"), "{}", found[0].detail);
}

#[tokio::test]
async fn a_panic_is_a_diagnostic_that_names_the_rpc() {
    let mut resource = TestResource::new();
    resource.apply = Some(|_| panic!("step {} broke", 3));
    resource.plan = Some(|_| panic!("no plan"));
    resource.read = Some(|_| panic!("no read"));
    let (service, _) = resource.service().await;
    let state = object("a", &[]);
    check_own_error(&validate(&service, &object("panic", &[])).await, "ValidateResourceConfig", "the check broke");
    check_own_error(&plan(&service, &state, &state).await.diagnostics, "PlanResourceChange", "no plan");
    check_own_error(&read(&service, &state).await.diagnostics, "ReadResource", "no read");
    let applied = apply(&service, &state, &state).await;
    check_own_error(&applied.diagnostics, "ApplyResourceChange", "step 3 broke");
    assert_eq!(applied.new_state, None, "the client keeps the prior state");
    // The process goes on serving.
    assert_eq!(validate(&service, &object("good", &[])).await, []);
}

#[tokio::test]
async fn an_apply_outlives_its_connection() {
    let (service, resource) = TestResource::new().service().await;
    let request = apply_request(&Value::Null, &object("a", &[]));
    {
        let call = service.call::<_, wire::apply_resource_change::Response>("ApplyResourceChange", request);
        assert!(tokio::time::timeout(Duration::from_millis(5), call).await.is_err(), "it takes longer");
    }
    drop(service.channel);
    let done = async {
        while resource.applied.load(Ordering::SeqCst) == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, done).await.expect("the apply goes on");
}

#[tokio::test]
async fn stop_reaches_what_runs_and_nothing_later() {
    let mut resource = TestResource::new();
    resource.endless = true;
    let (service, resource) = resource.service().await;
    let prior = object("a", &[("found", "before".into())]);
    let planned = object("b", &[("found", Value::Unknown)]);
    let stop = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        service.call::<_, wire::stop_provider::Response>("StopProvider", wire::stop_provider::Request {}).await
    };
    let (applied, readout, _) = tokio::join!(apply(&service, &prior, &planned), read(&service, &prior), stop);
    assert_eq!(resource.applied.load(Ordering::SeqCst), 1);
    assert_eq!(errors(&applied.diagnostics), ["It failed: Half way."]);
    assert_eq!(value(applied.new_state.as_ref()), prior);
    check_own_error(&readout.diagnostics, "ReadResource", "was interrupted");
    // Armed again: a later operation is not cut by the stop before it.
    let later = tokio::time::timeout(Duration::from_millis(50), read(&service, &prior)).await;
    assert!(later.is_err(), "it goes on");
}

#[tokio::test]
async fn a_large_state_comes_back() {
    let (service, _) = TestResource::new().service().await;
    let state = object("a", &[("found", "x".repeat(24 << 20).into())]);
    assert_eq!(value(read(&service, &state).await.new_state.as_ref()), state);
}

#[tokio::test]
async fn numbers_are_echoed_as_they_came() {
    let (service, _) = TestResource::new().service().await;
    for number in [
        Number::Decimal("0.1".to_owned()),
        Number::Decimal("1234567890.123456789".to_owned()),
        Number::Unsigned(u64::MAX),
        Number::Float(1.5),
        Number::Integer(-1),
    ] {
        let config = object("a", &[("size", Value::Number(number.clone()))]);
        let planned = plan(&service, &Value::Null, &config).await;
        let mut expected = config.clone();
        expected.set("port", Value::integer(5986));
        expected.set("found", Value::Unknown);
        assert_eq!(planned.planned_state, wired(&expected), "{number:?}");
        assert_eq!(errors(&planned.diagnostics), Vec::<String>::new());
    }
}

#[tokio::test]
async fn two_plans_are_the_same_bytes() {
    let hosts = Value::object(["c", "a", "b"].map(|host| (host, Value::object([("note", host.into())]))));
    let config = object("a", &[("hosts", hosts)]);
    let (first, _) = TestResource::new().service().await;
    let (second, _) = TestResource::new().service().await;
    assert_eq!(plan(&first, &Value::Null, &config).await, plan(&second, &Value::Null, &config).await);
}

#[tokio::test]
async fn private_bytes_are_carried() {
    let (service, _) = TestResource::new().service().await;
    let state = object("a", &[("found", "it".into()), ("port", Value::integer(5986))]);
    assert_eq!(plan(&service, &state, &state).await.planned_private, b"secret of the provider");
    assert_eq!(read(&service, &state).await.private, b"private");
    assert_eq!(read(&service, &Value::Null).await.private, b"private");
    assert_eq!(apply(&service, &state, &state).await.private, b"secret of the plan");
    assert_eq!(import(&service, "a").await.imported_resources[0].private, b"imported");
}

/// The requests say that deferral is allowed, and the provider is not configured.
#[tokio::test]
async fn nothing_is_ever_deferred() {
    let (service, _) = TestResource::new().service().await;
    let state = object("a", &[]);
    let planned = plan(&service, &state, &state).await;
    assert_eq!((planned.deferred, planned.legacy_type_system), (None, false));
    assert_eq!(planned.requires_replace, []);
    assert_eq!(read(&service, &state).await.deferred, None);
    assert_eq!(import(&service, "a").await.deferred, None);
}

#[tokio::test]
async fn a_plan_that_the_core_would_refuse_is_our_error() {
    let mut resource = TestResource::new();
    resource.plan = Some(|request| {
        let mut planned = request.proposed.clone();
        planned.set("name", "changed".into());
        outcome(planned, b"")
    });
    let (service, _) = resource.service().await;
    let config = object("a", &[]);
    check_own_error(&plan(&service, &Value::Null, &config).await.diagnostics, "PlanResourceChange", "name");

    let mut resource = TestResource::new();
    resource.plan = Some(|_| outcome(Value::object([("surprise", Value::Null)]), b""));
    let (service, _) = resource.service().await;
    check_own_error(&plan(&service, &Value::Null, &config).await.diagnostics, "PlanResourceChange", "surprise");

    let mut resource = TestResource::new();
    resource.plan = Some(|request| outcome(request.prior.clone(), b""));
    let (service, _) = resource.service().await;
    check_own_error(&plan(&service, &config, &Value::Null).await.diagnostics, "PlanResourceChange", "as a whole");
}

#[tokio::test]
async fn an_applied_state_that_the_core_would_refuse_is_our_error_and_saved() {
    let prior = object("a", &[("found", "before".into())]);
    let planned = object("b", &[("found", Value::Unknown)]);
    let with = |apply: fn(&ApplyRequest<'_>) -> Outcome| {
        let mut resource = TestResource::new();
        resource.apply = Some(apply);
        resource.service()
    };
    let (service, _) = with(|request| outcome(request.planned.clone(), b"")).await;
    let applied = apply(&service, &prior, &planned).await;
    check_own_error(&applied.diagnostics, "ApplyResourceChange", "found");
    assert_eq!(value(applied.new_state.as_ref()), object("b", &[("found", "before".into())]));

    let (service, _) = with(|_| outcome(object("c", &[("found", "now".into())]), b"")).await;
    let applied = apply(&service, &prior, &planned).await;
    check_own_error(&applied.diagnostics, "ApplyResourceChange", "name");
    assert_eq!(value(applied.new_state.as_ref()), object("c", &[("found", "now".into())]));

    let (service, _) = with(|_| outcome(Value::Bool(true), b"")).await;
    let applied = apply(&service, &prior, &planned).await;
    check_own_error(&applied.diagnostics, "ApplyResourceChange", "expected an object");
    assert_eq!(value(applied.new_state.as_ref()), prior);

    let (service, _) = with(|_| outcome(Value::Null, b"")).await;
    check_own_error(&apply(&service, &prior, &planned).await.diagnostics, "ApplyResourceChange", "as a whole");
    let (service, _) = with(|request| outcome(request.prior.clone(), b"")).await;
    check_own_error(&apply(&service, &prior, &Value::Null).await.diagnostics, "ApplyResourceChange", "as a whole");
}

#[tokio::test]
async fn after_an_error_the_resources_own_state_is_kept() {
    let mut resource = TestResource::new();
    resource.apply = Some(|_| failed(object("half", &[("found", "half".into())])));
    let (service, _) = resource.service().await;
    for prior in [Value::Null, object("a", &[("found", "before".into())])] {
        let applied = apply(&service, &prior, &object("b", &[("found", Value::Unknown)])).await;
        assert_eq!(errors(&applied.diagnostics), ["It failed: Half way."]);
        assert_eq!(value(applied.new_state.as_ref()), object("half", &[("found", "half".into())]));
        assert_eq!(applied.private, b"kept");
    }
}

#[tokio::test]
async fn a_read_with_unknowns_is_our_error() {
    let mut resource = TestResource::new();
    resource.read = Some(|mut state| {
        state.set("found", Value::Unknown);
        outcome(state, b"")
    });
    let (service, _) = resource.service().await;
    let state = object("a", &[("found", "before".into())]);
    let response = read(&service, &state).await;
    check_own_error(&response.diagnostics, "ReadResource", "found");
    assert_eq!(value(response.new_state.as_ref()), state);
}

#[tokio::test]
async fn an_import_gives_one_state_or_says_why_not() {
    let (service, _) = TestResource::new().service().await;
    let imported = import(&service, "a").await;
    let [imported] = imported.imported_resources.as_slice() else { panic!("not one") };
    assert_eq!(imported.type_name, TYPE);
    assert_eq!(value(imported.state.as_ref()), object("a", &[]));
    check_own_error(&import(&service, "nothing").await.diagnostics, "ImportResourceState", "no state was made");
    check_own_error(&import(&service, "unknown").await.diagnostics, "ImportResourceState", "name");
    let failed = import(&service, "failed").await;
    assert_eq!(
        (errors(&failed.diagnostics), failed.imported_resources.len()),
        (vec!["It failed: Half way.".to_owned()], 0)
    );
    let by_identity = import(&service, "").await;
    assert_eq!(by_identity.diagnostics[0].summary, "azuremfa_test is imported by id");
}

/// Reads a stored state as text.
async fn upgrade(json: &str) -> Result<Value, String> {
    let (service, _) = TestResource::new().service().await;
    let raw_state = Some(wire::RawState { json: json.into(), ..Default::default() });
    let request = wire::upgrade_resource_state::Request { type_name: TYPE.to_owned(), raw_state, ..Default::default() };
    let response: wire::upgrade_resource_state::Response = service.call("UpgradeResourceState", request).await;
    match errors(&response.diagnostics).pop() {
        None => Ok(value(response.upgraded_state.as_ref())),
        Some(error) => Err(error),
    }
}

#[tokio::test]
async fn stored_states_are_read_leniently() {
    let of_today = r#"{"name":"a","size":1.50,"port":5986,"found":"x","hosts":{"dmz":{"note":null}}}"#;
    let hosts = Value::object([("dmz", Value::object([("note", Value::Null)]))]);
    let size = Value::Number(Number::Decimal("1.5".to_owned()));
    let more = [("size", size), ("port", Value::integer(5986)), ("found", "x".into()), ("hosts", hosts)];
    assert_eq!(upgrade(of_today).await, Ok(object("a", &more)));
    assert_eq!(upgrade(r#"{"name":"a","gone":[1,{"x":2}]}"#).await, Ok(object("a", &[])));
    assert_eq!(upgrade(r#"{"name":12,"size":"7"}"#).await, Ok(object("12", &[("size", Value::integer(7))])));
    let huge = Value::Number(Number::Decimal("12345678901234567890123".to_owned()));
    assert_eq!(upgrade(r#"{"name":"a","size":12345678901234567890123}"#).await, Ok(object("a", &[("size", huge)])));
}

#[tokio::test]
async fn stored_states_that_cannot_be_read_say_where() {
    let error = upgrade(r#"{"name":"a","hosts":{"dmz":{"note":[]}}}"#).await.unwrap_err();
    assert!(error.contains(r#"The attribute hosts["dmz"].note: expected a string, found a list"#), "{error}");
    for json in ["", "null", "[]", "{"] {
        assert!(upgrade(json).await.is_err(), "{json}");
    }
}

#[tokio::test]
async fn requests_that_do_not_fit_the_schema_say_where() {
    let (service, _) = TestResource::new().service().await;
    let state = object("a", &[]);
    let wrong = Value::object([("name", Value::Bool(true))]);
    let mut request = plan_request(&state, &state);
    request.config = wired(&wrong);
    let response: wire::plan_resource_change::Response = service.call("PlanResourceChange", request).await;
    check_own_error(&response.diagnostics, "PlanResourceChange was given a configuration", "The attribute name");
    let mut request = apply_request(&state, &state);
    request.prior_state = wired(&wrong);
    let response: wire::apply_resource_change::Response = service.call("ApplyResourceChange", request).await;
    check_own_error(&response.diagnostics, "ApplyResourceChange was given a prior state", "The attribute name");
}
