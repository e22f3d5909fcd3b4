//! The provider's settings as a whole: selection, paths, environment, unknowns.

use std::collections::BTreeMap;

use super::*;
use crate::address::HostAddress;
use crate::backend::release::{Delivery, Stated};
use crate::tf::schema::{Attribute, Kind};
use crate::tf::schema_check::{self, Owner};

type Variables = BTreeMap<String, String>;

fn map<'a>(entries: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    Value::object(entries)
}

fn variables(entries: &[(&str, &str)]) -> Variables {
    entries.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

fn credentials() -> Variables {
    variables(&[("AZUREMFA_USERNAME", "CONTOSO\\admin"), ("AZUREMFA_PASSWORD", "marker-password")])
}

fn configured(config: &Value, environment: &Variables) -> (Option<ProviderConfig>, Diagnostics) {
    let mut diagnostics = Diagnostics::default();
    let provider = configure_with(config, environment, &mut diagnostics);
    (provider, diagnostics)
}

#[track_caller]
fn provider(config: &Value, environment: &Variables) -> ProviderConfig {
    let (provider, diagnostics) = configured(config, environment);
    provider.unwrap_or_else(|| panic!("{diagnostics:?}"))
}

/// The settings are refused with this summary at this path, by validation alone.
#[track_caller]
fn refused(config: &Value, path: &str, summary: &str) {
    let mut diagnostics = Diagnostics::default();
    validation::validate(schema(), config, &mut diagnostics);
    validate(config, &mut diagnostics);
    let found: Vec<_> = diagnostics
        .iter()
        .map(|it| (it.path.as_ref().map(ToString::to_string).unwrap_or_default(), it.summary.clone()))
        .collect();
    assert_eq!(found, [(path.to_owned(), summary.to_owned())]);
}

fn connections(entries: &[(&str, Value)]) -> Value {
    map([("connections", map(entries.iter().cloned()))])
}

fn hosts(patterns: &[&str]) -> Value {
    map([("hosts", Value::strings(patterns.iter().copied()))])
}

fn releases(version: &str, component: &str, package: Value) -> Value {
    map([("releases", map([(version, map([(component, package)]))]))])
}

#[test]
fn nothing_declared_is_one_default_connection() {
    let found = provider(&map([]), &credentials());
    assert_eq!(found.check_connection(&HostAddress::named("mfa01.contoso.com")), Ok(()));
    assert_eq!((found.on_unreachable(), found.on_ahead()), (Reaction::Error, Reaction::Warn));
    assert!(!format!("{found:?}").contains("marker-password"));
}

#[test]
fn each_connection_has_its_own_variables() {
    let config = connections(&[("default", map([])), ("dmz-east", hosts(&["*.dmz.contoso.com"]))]);
    let found = provider(&config, &credentials());
    assert_eq!(found.check_connection(&HostAddress::named("mfa01.contoso.com")), Ok(()));
    let message = found
        .check_connection(&HostAddress::named("portal01.dmz.contoso.com"))
        .expect_err("the default's are not taken");
    assert!(message.contains("AZUREMFA_DMZ_EAST_USERNAME"), "{message}");
    let own = variables(&[("AZUREMFA_DMZ_EAST_USERNAME", "u"), ("AZUREMFA_DMZ_EAST_PASSWORD", "p")]);
    assert_eq!(provider(&config, &own).check_connection(&HostAddress::named("portal01.dmz.contoso.com")), Ok(()));
    let empty = variables(&[("AZUREMFA_DMZ_EAST_USERNAME", "u"), ("AZUREMFA_DMZ_EAST_PASSWORD", "")]);
    let message =
        provider(&config, &empty).check_connection(&HostAddress::named("portal01.dmz.contoso.com")).expect_err("empty");
    assert!(message.contains("has no password"), "{message}");
}

#[test]
fn the_allow_list_guards_or_fails() {
    let allowed = |text: &str| {
        let mut environment = credentials();
        environment.insert("AZUREMFA_ALLOWED_HOSTS".to_owned(), text.to_owned());
        environment
    };
    let found = provider(&map([]), &allowed("*.contoso.com, app01"));
    assert_eq!(found.check_connection(&HostAddress::named("app01")), Ok(()));
    assert!(found.check_connection(&HostAddress::named("elsewhere")).is_err());
    for broken in ["", " , ", "http://x", "*.contoso.com,\u{fffd}"] {
        let (found, diagnostics) = configured(&map([]), &allowed(broken));
        assert!(found.is_none() && diagnostics.has_errors(), "{broken:?}");
    }
}

#[test]
fn retirement_is_told_once_unless_acknowledged() {
    let warned = |config: &Value| configured(config, &credentials()).1.iter().count();
    assert_eq!(warned(&map([])), 1);
    assert_eq!(warned(&map([("acknowledge_retirement", Value::Bool(false))])), 1);
    assert_eq!(warned(&map([("acknowledge_retirement", Value::Bool(true))])), 0);
    assert_eq!(warned(&map([("acknowledge_retirement", Value::Unknown)])), 0);
}

#[test]
fn an_unverified_certificate_is_told() {
    let config = connections(&[("default", map([("insecure_skip_verify", Value::Bool(true))]))]);
    let (_, diagnostics) = configured(&config, &credentials());
    let paths: Vec<_> = diagnostics.iter().filter_map(|it| it.path.as_ref().map(ToString::to_string)).collect();
    assert_eq!(paths, ["connections[\"default\"].insecure_skip_verify"]);
}

const OUT_OF_RANGE: &str = "Number out of range";

#[test]
fn connections_are_refused_with_their_path() {
    refused(&connections(&[("dmz", map([]))]), "connections[\"dmz\"]", "Connection without hosts");
    refused(
        &connections(&[("default", hosts(&["*"]))]),
        "connections[\"default\"].hosts",
        "Hosts of the default connection",
    );
    refused(&connections(&[("d", hosts(&["ok", "a b"]))]), "connections[\"d\"].hosts[1]", "Invalid host pattern");
    refused(&connections(&[("1", hosts(&["a"]))]), "connections[\"1\"]", "Invalid connection name");
    refused(
        &connections(&[("a-b", hosts(&["a"])), ("a_b", hosts(&["b"]))]),
        "connections[\"a_b\"]",
        "Connection names too alike",
    );
    refused(
        &connections(&[("a", hosts(&["*.X"])), ("b", hosts(&["y", "*.x"]))]),
        "connections[\"b\"].hosts[1]",
        "Duplicate host pattern",
    );
    let with = |name: &str, value: Value| connections(&[("default", map([(name, value)]))]);
    refused(&with("auth", Value::from("credssp")), "connections[\"default\"].auth", "Unsupported authentication");
    refused(&with("port", Value::integer(0)), "connections[\"default\"].port", "Invalid port");
    refused(&with("proxy", Value::from("proxy:80")), "connections[\"default\"].proxy", "Invalid proxy");
    refused(
        &with("timeouts", map([("connect", Value::from("5"))])),
        "connections[\"default\"].timeouts.connect",
        "Invalid duration",
    );
    refused(&with("path", Value::from("wsman")), "connections[\"default\"].path", "Invalid path");
    refused(&with("max_connections", Value::integer(17)), "connections[\"default\"].max_connections", OUT_OF_RANGE);
    refused(&map([("max_connections", Value::integer(0))]), "max_connections", OUT_OF_RANGE);
    let basic = map([("use_https", Value::Bool(false)), ("auth", Value::from("basic"))]);
    refused(&connections(&[("default", basic)]), "connections[\"default\"].auth", "Basic authentication without HTTPS");
    let plain = map([("use_https", Value::Bool(false)), ("server_name", Value::from("x"))]);
    refused(
        &connections(&[("default", plain)]),
        "connections[\"default\"].server_name",
        "Setting of HTTPS without HTTPS",
    );
}

#[test]
fn releases_are_refused_with_their_path() {
    let source = || Value::from("https://files.contoso.com/Setup.exe");
    let root = "releases[\"7.0.0.9\"].server_setup";
    let setup = |entries: Vec<(&str, Value)>| releases("7.0.0.9", "server_setup", map(entries));
    refused(&setup(vec![("source", source())]), root, "Source without a hash");
    refused(&setup(vec![("arguments", Value::strings(["/q"]))]), root, "Server setup without a source");
    let hash = || Value::from("a".repeat(64));
    refused(
        &setup(vec![("source", source()), ("sha256", Value::from("abc"))]),
        &format!("{root}.sha256"),
        "Invalid hash",
    );
    refused(
        &setup(vec![("source", Value::from("http://x/Setup.exe")), ("sha256", hash())]),
        &format!("{root}.source"),
        "Invalid source",
    );
    refused(
        &setup(vec![("source", source()), ("sha256", hash()), ("arguments", Value::strings(["/q", "A={site}"]))]),
        &format!("{root}.arguments[1]"),
        "Unknown placeholder",
    );
    let portal = |argument: &str| releases("7.0.0.9", "user_portal", map([("arguments", Value::strings([argument]))]));
    refused(&portal("A={vdir}"), "releases[\"7.0.0.9\"].user_portal.arguments[0]", "Unknown placeholder");
    refused(&map([("releases", map([("v7", map([]))]))]), "releases[\"v7\"]", "Invalid version");
    refused(
        &map([("releases", map([("7.0", map([])), ("7.0.0.0", map([]))]))]),
        "releases[\"7.0.0.0\"]",
        "Duplicate release",
    );
    refused(&map([("on_ahead", Value::from("ignore"))]), "on_ahead", "Unknown value");
}

#[test]
fn releases_are_decoded() {
    let config = releases("7.0.0.9", "user_portal", map([("arguments", Value::strings(["A={site_id}"]))]));
    let found = provider(&config, &credentials());
    let pin = "7.0.0.9".parse().expect("a version");
    let installable = found.installable(&pin);
    assert!(installable.release && installable.user_portal);
    assert!(!installable.server_setup && !installable.web_service_sdk);
    let release = found.releases().find("7.0.0.9").expect("the release");
    let package = release.package(Component::UserPortal).expect("the portal");
    assert_eq!(package.arguments, Stated::Known(vec!["A={site_id}".to_owned()]));
    assert_eq!(package.source, Stated::Absent);
    assert_eq!(found.installable(&"8.0.1.1".parse().expect("a version")), Installable::default());
}

#[test]
fn who_fetches_a_release_file_is_stated_or_left_open() {
    for (stated, expected) in [
        (Value::from("pull"), Stated::Known(Delivery::Pull)),
        (Value::from("auto"), Stated::Known(Delivery::Auto)),
        (Value::Unknown, Stated::Unknown),
        (Value::Null, Stated::Absent),
    ] {
        let setup = map([("server_setup", map([("delivery", stated)]))]);
        let releases = releases::decode(&map([("8.0.1.1", setup)]));
        let release = releases.find("8.0.1.1").expect("the release");
        assert_eq!(release.package(Component::ServerSetup).expect("the setup").delivery, expected);
    }
}

/// A configuration with everything set, for replacing its parts one by one.
fn whole() -> Value {
    let package = map([
        ("source", Value::from("https://files.contoso.com/Setup.exe")),
        ("sha256", Value::from("a".repeat(64))),
        ("arguments", Value::strings(["/q"])),
        ("publisher", Value::from("Microsoft Corporation")),
        ("delivery", Value::from("push")),
    ]);
    let dmz = map([
        ("hosts", Value::strings(["*.dmz.contoso.com"])),
        ("username", Value::from("Administrator")),
        ("password", Value::from("marker-password")),
        ("auth", Value::from("ntlm")),
        ("use_https", Value::Bool(true)),
        ("port", Value::integer(5986)),
        ("insecure_skip_verify", Value::Bool(false)),
        ("server_name", Value::from("portal")),
        ("path", Value::from("/wsman")),
        ("proxy", Value::from("http://127.0.0.1:3128")),
        ("max_connections", Value::integer(2)),
        (
            "timeouts",
            map([("connect", Value::from("5s")), ("operation", Value::from("20s")), ("overall", Value::from("1h"))]),
        ),
    ]);
    map([
        ("connections", map([("default", map([])), ("dmz", dmz)])),
        ("releases", map([("7.0.0.9", map([("server_setup", package)]))])),
        ("on_unreachable", Value::from("warn")),
        ("on_ahead", Value::from("error")),
        ("max_connections", Value::integer(8)),
        ("acknowledge_retirement", Value::Bool(true)),
    ])
}

/// Every value that comes from replacing one part by unknown.
fn with_one_unknown(value: &Value) -> Vec<Value> {
    let mut all = vec![Value::Unknown];
    match value {
        Value::Map(entries) => {
            for (name, inner) in entries {
                for replaced in with_one_unknown(inner) {
                    let mut entries = entries.clone();
                    entries.insert(name.clone(), replaced);
                    all.push(Value::Map(entries));
                }
            }
        }
        Value::List(items) => {
            for (index, inner) in items.iter().enumerate() {
                for replaced in with_one_unknown(inner) {
                    let mut items = items.clone();
                    items[index] = replaced;
                    all.push(Value::List(items));
                }
            }
        }
        _ => {}
    }
    all
}

#[test]
fn unknown_is_never_an_error() {
    let environment = variables(&[
        ("AZUREMFA_USERNAME", "u"),
        ("AZUREMFA_PASSWORD", "p"),
        ("AZUREMFA_DMZ_USERNAME", "u"),
        ("AZUREMFA_DMZ_PASSWORD", "p"),
    ]);
    let pin = "7.0.0.9".parse().expect("a version");
    let all = with_one_unknown(&whole());
    assert!(all.len() > 25, "{}", all.len());
    for config in all {
        let mut diagnostics = Diagnostics::default();
        validation::validate(schema(), &config, &mut diagnostics);
        validate(&config, &mut diagnostics);
        let found = configure_with(&config, &environment, &mut diagnostics);
        assert_eq!(diagnostics.iter().count(), 0, "{config:?}: {diagnostics:?}");
        let Some(found) = found else {
            assert!(config.is_unknown(), "{config:?}");
            continue;
        };
        for host in ["portal01.dmz.contoso.com", "mfa01.contoso.com"] {
            assert_eq!(found.check_connection(&HostAddress::named(host)), Ok(()), "{config:?}");
        }
        assert!(found.installable(&pin).server_setup, "{config:?}");
        assert!(
            !found.installable(&"9.0".parse().expect("a version")).user_portal
                || config.attribute("releases").is_unknown()
        );
    }
}

#[test]
fn an_unknown_connection_defers_its_hosts_only() {
    let mut config = whole();
    let dmz = map([("hosts", Value::strings(["*.dmz.contoso.com"])), ("password", Value::Unknown)]);
    config.set("connections", map([("default", map([])), ("dmz", dmz)]));
    let found = provider(&config, &credentials());
    assert!(found.is_deferred("portal01.dmz.contoso.com") && !found.is_deferred("mfa01.contoso.com"));
    for name in ["realm", "kdc", "keytab", "credential_cache"] {
        config.set("connections", map([("default", map([(name, Value::Unknown)]))]));
        assert!(provider(&config, &credentials()).is_deferred("mfa01.contoso.com"), "{name}");
    }
    let mut undecided = whole();
    undecided.set("connections", map([("default", map([])), ("dmz", map([("hosts", Value::Unknown)]))]));
    assert!(provider(&undecided, &credentials()).is_deferred("mfa01.contoso.com"));
    assert!(!provider(&whole(), &credentials()).is_deferred("mfa01.contoso.com"));
}

/// Of no attribute that says how a host is reached is the default taken while it is not known.
#[test]
fn each_unknown_attribute_of_a_connection_defers() {
    let table = schema().attributes.iter().find(|attribute| attribute.name == "connections").expect("the attribute");
    let Kind::ObjectMap(attributes) = &table.kind else { panic!("a map of connections") };
    let names: Vec<&str> = attributes.iter().map(|attribute| attribute.name).filter(|name| *name != "hosts").collect();
    assert!(names.len() > 15, "{names:?}");
    // What contradicts these when it is known may turn out to be absent.
    let beside = [
        ("port", Value::integer(5986)),
        ("auth", Value::from("ntlm")),
        ("auth", Value::from("basic")),
        ("auth", Value::from("certificate")),
        ("auth", Value::from("kerberos")),
        ("use_https", Value::Bool(false)),
        ("insecure_skip_verify", Value::Bool(true)),
    ];
    for name in names {
        for (other, value) in beside.iter().filter(|(other, _)| *other != name) {
            let config = connections(&[("default", map([(name, Value::Unknown), (other, value.clone())]))]);
            assert!(provider(&config, &credentials()).is_deferred("mfa01.contoso.com"), "{name} beside {other}");
        }
    }
    let partly = map([("connect", Value::from("5s")), ("operation", Value::Unknown)]);
    let config = connections(&[("default", map([("timeouts", partly)]))]);
    assert!(provider(&config, &credentials()).is_deferred("mfa01.contoso.com"));
}

#[test]
fn limits_and_timeouts_are_decoded() {
    let mut diagnostics = Diagnostics::default();
    let decoded = connections::decode(&whole(), &credentials(), &mut diagnostics);
    let of = |name: &str| decoded.connections.iter().find(|it| it.name == name).expect("the connection");
    let (default, dmz) = (of("default"), of("dmz"));
    assert_eq!((default.limits.per_host, dmz.limits.per_host), (4, 2));
    assert_eq!(dmz.timeouts.overall, Some(std::time::Duration::from_secs(3600)));
    assert_eq!((default.timeouts.overall, default.path.as_str()), (None, "/wsman"));
    assert_eq!(format!("{:?}", default.limits.in_all), "Budget(8)");
}

#[test]
fn a_proxy_of_the_environment_that_cannot_be_used_stands_against_its_hosts() {
    let mut environment = credentials();
    environment.insert("HTTPS_PROXY".to_owned(), "socks5://u:marker-secret@proxy".to_owned());
    environment.insert("NO_PROXY".to_owned(), ".dmz.contoso.com".to_owned());
    let found = provider(&map([]), &environment);
    assert_eq!(found.check_connection(&HostAddress::named("portal01.dmz.contoso.com")), Ok(()));
    let message = found.check_connection(&HostAddress::named("mfa01.contoso.com")).expect_err("no way");
    assert!(message.contains("HTTPS_PROXY") && !message.contains("marker-secret"), "{message}");
    let none = connections(&[("default", map([("proxy", Value::from(""))]))]);
    assert_eq!(provider(&none, &environment).check_connection(&HostAddress::named("mfa01.contoso.com")), Ok(()));
}

#[test]
fn what_validation_could_not_see_is_refused_later() {
    let config = connections(&[("default", map([("port", Value::integer(70_000))]))]);
    let (found, diagnostics) = configured(&config, &credentials());
    assert!(found.is_none() && diagnostics.iter().any(|it| it.summary == "Invalid port"), "{diagnostics:?}");
}

#[test]
fn the_table_is_well_formed() {
    assert_eq!(schema_check::problems("azuremfa", Owner::Provider, schema()), Vec::<String>::new());
}

#[test]
fn what_may_hold_a_secret_is_sensitive() {
    fn walk<'a>(attributes: &'a [Attribute], found: &mut Vec<&'a str>) {
        for attribute in attributes {
            if attribute.sensitive {
                found.push(attribute.name);
            }
            match &attribute.kind {
                Kind::Object(inner) | Kind::ObjectMap(inner) | Kind::ObjectList(inner) => walk(inner, found),
                _ => {}
            }
        }
    }
    let mut found = Vec::new();
    walk(&schema().attributes, &mut found);
    let secrets =
        ["password", "client_key", "client_pkcs12", "client_pkcs12_password", "proxy", "body", "body", "headers"];
    assert_eq!(found, secrets);
}
