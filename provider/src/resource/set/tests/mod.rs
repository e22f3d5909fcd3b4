//! The life of a set, over simulated hosts and a stand-in for the core.

use std::sync::{Arc, LazyLock};

use crate::backend::facts::{HostFacts, WebKind};
use crate::plan::fixtures::{server, web};
use crate::resource::server_group::ServerGroup;
use crate::resource::set::resource::SetResource;
use crate::resource::set::testing::backend::Estate;
use crate::resource::set::testing::{Workspace, config};
use crate::tf::schema::Kind;
use crate::tf::value::Value;

mod create;
mod drain;
mod failures;
mod health;
mod input;
mod lease;
mod lifecycle;
mod ports;
mod semantics;
mod sources;
mod unknown;

const HOSTS: [&str; 3] = ["mfa01.contoso.com", "mfa02.contoso.com", "mfa03.contoso.com"];
const ID: &str = "mfa-eu=mfa01.contoso.com,mfa02.contoso.com,mfa03.contoso.com";

/// The resource type under test.
fn group() -> &'static SetResource<ServerGroup> {
    static GROUP: LazyLock<SetResource<ServerGroup>> = LazyLock::new(|| SetResource::new(ServerGroup));
    &GROUP
}

/// The servers of the demo at a version, each with its SDK.
fn estate(version: &str) -> Arc<Estate> {
    Arc::new(Estate::new(HOSTS.map(|host| (host, server_with_sdk(host, version)))))
}

fn server_with_sdk(host: &str, version: &str) -> HostFacts {
    let mut facts = server(host, version);
    facts.web.push(web(WebKind::WebServiceSdk, version));
    facts
}

/// The configuration of the demo.
fn wanted(version: &str, master: &str) -> Value {
    config(
        group(),
        [
            ("name", "mfa-eu".into()),
            ("version", version.into()),
            ("hosts", Value::strings(HOSTS)),
            ("master", format!("{master}.contoso.com").into()),
            ("allow_major_upgrade", Value::Bool(true)),
            ("web_service_sdk", Value::object([("virtual_directory", "MultiFactorAuthWebServiceSdk".into())])),
        ],
    )
}

/// A workspace that has imported the estate.
async fn imported(estate: &Arc<Estate>) -> Workspace<'static> {
    let mut workspace = Workspace::new(group(), estate);
    let diagnostics = workspace.import(ID).await;
    assert!(!diagnostics.has_errors(), "{diagnostics:?}");
    workspace
}

/// A health check of every host; `stated` is put into it.
fn health_check<const N: usize>(stated: [(&str, Value); N]) -> Value {
    let attribute = crate::resource::set::health::attribute();
    let Kind::Object(nested) = attribute.kind else { panic!("an object") };
    let mut check = Value::object(nested.iter().map(|attribute| (attribute.name, Value::Null)));
    check.set("url", "https://{host}/MultiFactorAuthWebServiceSdk/?token=marker".into());
    for (name, value) in stated {
        check.set(name, value);
    }
    check
}
