//! The life of portals and mobile app web services, over simulated hosts and a stand-in for the core.

use std::sync::{Arc, LazyLock};

use expect_test::expect;

use crate::backend::facts::{HostFacts, WebComponent, WebKind};
use crate::plan::fixtures::{group, host, web};
use crate::resource::Resource;
use crate::resource::mobile_app_web_service::MOBILE_APP_WEB_SERVICE;
use crate::resource::set::resource::SetResource;
use crate::resource::set::testing::backend::{Estate, Fault};
use crate::resource::set::testing::{Workspace, config, summaries};
use crate::resource::user_portal::USER_PORTAL;
use crate::resource::web::WebResource;
use crate::tf::value::Value;

const HOSTS: [&str; 2] = ["portal01.dmz.contoso.com", "portal02.dmz.contoso.com"];
const ID: &str = "portal-dmz=portal01.dmz.contoso.com,portal02.dmz.contoso.com";
const ADDRESS: &str = "https://mfa.contoso.com/MultiFactorAuthWebServiceSdk/PfWsSdk.asmx";

fn portal() -> &'static SetResource<WebResource> {
    static PORTAL: LazyLock<SetResource<WebResource>> = LazyLock::new(|| SetResource::new(USER_PORTAL));
    &PORTAL
}

fn mobile() -> &'static SetResource<WebResource> {
    static MOBILE: LazyLock<SetResource<WebResource>> = LazyLock::new(|| SetResource::new(MOBILE_APP_WEB_SERVICE));
    &MOBILE
}

fn with(name: &str, component: WebComponent) -> HostFacts {
    HostFacts { web: vec![component], ..host(name) }
}

fn estate(version: &str) -> Arc<Estate> {
    let component =
        || WebComponent { web_service_sdk_url: Some(ADDRESS.to_owned()), ..web(WebKind::UserPortal, version) };
    Arc::new(Estate::new(HOSTS.map(|name| (name, with(name, component())))))
}

/// The configuration of the demo, its servers being there.
fn wanted(version: &str) -> Value {
    let token = group(version, version, &["mfa02.contoso.com"]).to_string();
    config(
        portal(),
        [
            ("name", "portal-dmz".into()),
            ("version", version.into()),
            ("hosts", Value::strings(HOSTS)),
            ("after", Value::strings([token])),
            ("allow_major_upgrade", Value::Bool(true)),
        ],
    )
}

async fn imported(estate: &Arc<Estate>) -> Workspace<'static> {
    let mut workspace = Workspace::new(portal(), estate);
    let diagnostics = workspace.import(ID).await;
    assert!(!diagnostics.has_errors(), "{diagnostics:?}");
    workspace
}

#[tokio::test]
async fn portals_are_upgraded_and_rest() {
    let estate = estate("6.3.1.1");
    let mut workspace = imported(&estate).await;
    assert_eq!(workspace.text("virtual_directory"), "MultiFactorAuth", "found when there is one");
    let planned = workspace.plan(&wanted("7.0.0.9")).await;
    expect!["warning: Order 2: portal-dmz 6.3.1.1 -> 7.0.0.9 on portal01, portal02"]
        .assert_eq(&summaries(&planned.diagnostics));
    let diff = planned.diff();
    let told: Vec<&str> = diff.lines().filter(|line| !line.starts_with("steps")).collect();
    expect![[r#"
        after: null -> ["server_group/mfa-eu pin=7.0.0.9 lowest=7.0.0.9 wave=1 whole=yes at_pin=mfa02"]
        allow_major_upgrade: null -> true
        ready: "user_portal/portal-dmz pin=6.3.1.1 lowest=6.3.1.1 wave=1 whole=yes at_pin=portal01.dmz,portal02.dmz" -> "user_portal/portal-dmz pin=7.0.0.9 lowest=7.0.0.9 wave=2 whole=yes at_pin=portal01.dmz,portal02.dmz"
        target_version: "6.3.1.1" -> "7.0.0.9"
        version: "6.3.1.1" -> "7.0.0.9"
        versions: {portal01.dmz = "6.3.1.1", portal02.dmz = "6.3.1.1"} -> {portal01.dmz = "7.0.0.9", portal02.dmz = "7.0.0.9"}
        wave: 1 -> 2"#]].assert_eq(&told.join("\n"));
    assert_eq!(summaries(&workspace.apply(&planned).await), "");
    assert_eq!(workspace.text("version"), "7.0.0.9");
    let planned = workspace.refresh_and_plan(&wanted("7.0.0.9")).await;
    assert!(!planned.changes(), "{}", planned.diff());
    assert_eq!(summaries(&planned.diagnostics), "");
}

/// Every step fails once, before and after its effect.
#[tokio::test]
async fn a_failure_at_any_step_tells_the_truth_and_converges() {
    let steps = imported(&estate("6.3.1.1")).await.plan(&wanted("7.0.0.9")).await.steps();
    for (line, after) in steps.iter().flat_map(|line| [(line, false), (line, true)]) {
        let (_, text) = line.split_once(". ").expect("a numbered line");
        if text.contains("traffic is not managed") {
            continue;
        }
        let estate = estate("6.3.1.1");
        let mut workspace = imported(&estate).await;
        let planned = workspace.plan(&wanted("7.0.0.9")).await;
        estate.set_fault(Some(Fault { step: text.to_owned().leak(), after }));
        assert!(workspace.apply(&planned).await.has_errors(), "{line} after={after}");
        estate.set_fault(None);
        let before = workspace.state.clone();
        workspace.refresh().await;
        assert_eq!(workspace.state, before, "{line} after={after}: state did not tell the truth");
        let planned = workspace.plan(&wanted("7.0.0.9")).await;
        assert_eq!(summaries(&workspace.apply(&planned).await), "", "{line} after={after}");
        assert_eq!(workspace.text("version_status"), "current", "{line} after={after}");
    }
}

#[tokio::test]
async fn a_merge_that_was_undone_makes_a_set_incomplete() {
    let estate = estate("7.0.0.9");
    let mut workspace = imported(&estate).await;
    let planned = workspace.plan(&wanted("7.0.0.9")).await;
    workspace.apply(&planned).await;
    estate.change(HOSTS[1], |facts| {
        facts.web[0].placeholders = vec!["pfup_pfwssdk_PfWsSdk".to_owned()];
        facts.web[0].web_service_sdk_url = Some("http://localhost:4898/PfWsSdk.asmx".to_owned());
    });
    let read = workspace.refresh().await;
    expect!["warning: portal-dmz is not whole"].assert_eq(&summaries(&read));
    let planned = workspace.plan(&wanted("7.0.0.9")).await;
    expect![[r#"
        ready: "user_portal/portal-dmz pin=7.0.0.9 lowest=7.0.0.9 wave=2 whole=no at_pin=portal01.dmz,portal02.dmz" -> "user_portal/portal-dmz pin=7.0.0.9 lowest=7.0.0.9 wave=2 whole=yes at_pin=portal01.dmz,portal02.dmz"
        steps: [] -> ["1. portal02.dmz: put the User Portal's old web.config back, or carry its values into the new one", "2. portal02.dmz: compare App_Themes\\Default with its backup", "3. portal02.dmz: verify that the User Portal runs 7.0.0.9", "4. portal02.dmz: close this upgrade's backup"]
        version_status: "incomplete" -> "current"
        web_service_sdk_urls: {portal01.dmz = "https://mfa/MultiFactorAuthWebServiceSdk/PfWsSdk.asmx", portal02.dmz = "http://localhost:4898/PfWsSdk.asmx"} -> {portal01.dmz = "https://mfa/MultiFactorAuthWebServiceSdk/PfWsSdk.asmx", portal02.dmz = unknown}"#]].assert_eq(&planned.diff());
    assert_eq!(summaries(&workspace.apply(&planned).await), "");
    assert_eq!(workspace.text("version_status"), "current");
}

#[tokio::test]
async fn waiting_portals_show_one_step_and_stay_a_change() {
    let estate = estate("6.3.1.1");
    let mut workspace = imported(&estate).await;
    let mut config = wanted("7.0.0.9");
    let token = group("7.0.0.9", "6.3.1.1", &["mfa02.contoso.com"]).to_string();
    config.set("after", Value::strings([token]));
    let planned = workspace.plan(&config).await;
    expect![[r#"
        after: null -> ["server_group/mfa-eu pin=7.0.0.9 lowest=6.3.1.1 wave=1 whole=no at_pin=mfa02"]
        allow_major_upgrade: null -> true
        ready: "user_portal/portal-dmz pin=6.3.1.1 lowest=6.3.1.1 wave=1 whole=yes at_pin=portal01.dmz,portal02.dmz" -> "user_portal/portal-dmz pin=7.0.0.9 lowest=6.3.1.1 wave=2 whole=no at_pin="
        steps: [] -> ["1. portal01.dmz: waits for mfa-eu to run 7.0.0.9"]
        target_version: "6.3.1.1" -> "7.0.0.9"
        version_status: "current" -> "waiting"
        wave: 1 -> 2"#]].assert_eq(&planned.diff());
    assert_eq!(summaries(&workspace.apply(&planned).await), "");
    assert_eq!(estate.performed(), Vec::<String>::new());
    assert!(workspace.refresh_and_plan(&config).await.changes());
}

#[tokio::test]
async fn an_added_host_is_adopted_and_upgraded() {
    let name = "portal03.dmz.contoso.com";
    let component =
        WebComponent { web_service_sdk_url: Some(ADDRESS.to_owned()), ..web(WebKind::UserPortal, "7.0.0.9") };
    let old = WebComponent { web_service_sdk_url: Some(ADDRESS.to_owned()), ..web(WebKind::UserPortal, "6.3.1.1") };
    let known = HOSTS.map(|name| (name, with(name, component.clone())));
    let estate = Arc::new(Estate::new(known.into_iter().chain([(name, with(name, old))])));
    let mut workspace = imported(&estate).await;
    let mut config = wanted("7.0.0.9");
    config.set("hosts", Value::strings([HOSTS[0], HOSTS[1], name]));
    let planned = workspace.plan(&config).await;
    expect![[r#"
        after: null -> ["server_group/mfa-eu pin=7.0.0.9 lowest=7.0.0.9 wave=1 whole=yes at_pin=mfa02"]
        allow_major_upgrade: null -> true
        application_pools: {portal01.dmz = "MfaPortal", portal02.dmz = "MfaPortal"} -> unknown
        hosts: ["portal01.dmz", "portal02.dmz"] -> ["portal01.dmz", "portal02.dmz", "portal03.dmz"]
        ready: "user_portal/portal-dmz pin=7.0.0.9 lowest=7.0.0.9 wave=1 whole=yes at_pin=portal01.dmz,portal02.dmz" -> "user_portal/portal-dmz pin=7.0.0.9 lowest=7.0.0.9 wave=2 whole=yes at_pin=portal01.dmz,portal02.dmz,portal03.dmz"
        steps: [] -> ["1. portal03.dmz: adopt, and upgrade to 7.0.0.9 when below"]
        versions: {portal01.dmz = "7.0.0.9", portal02.dmz = "7.0.0.9"} -> {portal01.dmz = "7.0.0.9", portal02.dmz = "7.0.0.9", portal03.dmz = unknown}
        wave: 1 -> 2
        web_service_sdk_urls: {portal01.dmz = "https://mfa/MultiFactorAuthWebServiceSdk/PfWsSdk.asmx", portal02.dmz = "https://mfa/MultiFactorAuthWebServiceSdk/PfWsSdk.asmx"} -> unknown
        warning: portal-dmz: portal03.dmz is added
        warning: Order 2: portal-dmz adopted at 7.0.0.9 on portal03"#]].assert_eq(&format!("{}\n{}", planned.diff(), summaries(&planned.diagnostics)));
    assert_eq!(summaries(&workspace.apply(&planned).await), "");
    assert_eq!(workspace.version_of(name), "7.0.0.9");
    assert!(!workspace.refresh_and_plan(&config).await.changes());
}

#[tokio::test]
async fn a_host_that_is_away_keeps_what_was_known_of_it() {
    let estate = estate("7.0.0.9");
    let mut workspace = imported(&estate).await;
    let planned = workspace.plan(&wanted("7.0.0.9")).await;
    workspace.apply(&planned).await;
    let provider = crate::config::ProviderConfig::over(estate.clone());
    workspace.provider = Arc::new(provider.with_on_unreachable(crate::config::Reaction::Warn));
    estate.set_unreachable(HOSTS[0], true);
    let before = workspace.state.clone();
    assert!(!workspace.refresh().await.has_errors());
    assert_eq!(workspace.state, before);
}

#[tokio::test]
async fn import_ids_are_read_strictly() {
    for (id, expected) in [
        (ID, "ok"),
        ("portal-dmz@MultiFactorAuth=portal01.dmz.contoso.com", "ok"),
        ("portal-dmz@=portal01.dmz.contoso.com", "the virtual directory after \"@\" is missing"),
        ("portal-dmz@a/\\b=portal01", "\"a/\\\\b\" is no virtual directory"),
        ("portal-dmz@MultiFactorAuth", "\"=\" and the hosts are missing"),
        ("portal-dmz=", "a host is missing"),
        ("portal-dmz=a,,b", "a host is missing"),
        ("portal-dmz=a;b", "\"a;b\" is no host"),
        ("-=a", "\"-\" cannot name a set"),
        ("portal-dmz=a,A", "A is there twice"),
    ] {
        let outcome = portal().import(None, id).await;
        let found = outcome.diagnostics.iter().next().map_or("ok", |found| found.detail.as_str());
        assert!(found.starts_with(expected), "{id}: {found}");
        assert!(found == "ok" || found.contains("NAME@VIRTUAL_DIRECTORY=HOST,HOST"), "{id}: {found}");
    }
}

/// The import id of a set reads as the set.
#[tokio::test]
async fn an_id_that_is_shown_can_be_pasted() {
    let mut config = wanted("7.0.0.9");
    config.set("virtual_directory", "MultiFactorAuth".into());
    let estate = estate("6.3.1.1");
    let planned = Workspace::new(portal(), &estate).plan(&config).await;
    let error = planned.diagnostics.iter().next().expect("an error");
    let (_, rest) = error.detail.split_once("id = \"").expect("an id");
    let (id, _) = rest.split_once('"').expect("its end");
    let mut workspace = Workspace::new(portal(), &estate);
    assert!(!workspace.import(id).await.has_errors(), "{id}");
    assert_eq!(*workspace.state.attribute("hosts"), *config.attribute("hosts"));
    assert_eq!(workspace.text("virtual_directory"), "MultiFactorAuth");
}

#[tokio::test]
async fn a_mobile_app_web_service_beyond_its_last_version_is_refused_before_anything_is_read() {
    let config = config(
        mobile(),
        [
            ("name", "app-dmz".into()),
            ("version", "8.0.1.1".into()),
            ("hosts", Value::strings(["app01.dmz.contoso.com"])),
        ],
    );
    let estate = Arc::new(Estate::default());
    let planned = Workspace::new(mobile(), &estate).plan(&config).await;
    assert_eq!(summaries(&planned.diagnostics), "error: No Mobile App Web Service of this version");
    assert_eq!(estate.observed(), 0);
}

#[tokio::test]
async fn a_directory_in_other_cases_is_the_same_directory() {
    let estate = estate("7.0.0.9");
    estate.change(HOSTS[1], |facts| facts.web[0].virtual_directory = "multifactorauth".to_owned());
    assert_eq!(imported(&estate).await.text("virtual_directory"), "MultiFactorAuth");
}

/// What only a person can do on one host does not make the upgrade of another one a failure.
#[tokio::test]
async fn a_missing_web_config_waits_for_a_person_beside_an_upgrade() {
    let estate = estate("6.3.1.1");
    let whole = WebComponent { web_config_exists: false, ..web(WebKind::UserPortal, "7.0.0.9") };
    estate.change(HOSTS[1], |facts| facts.web = vec![whole]);
    let mut workspace = imported(&estate).await;
    let planned = workspace.plan(&wanted("7.0.0.9")).await;
    let applied = workspace.apply(&planned).await;
    assert!(!applied.has_errors(), "{applied:?}");
    assert_eq!(workspace.text("version_status"), "waiting");
}
