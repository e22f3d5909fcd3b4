//! `connections`: checks across attributes, and decoding.

use std::collections::BTreeMap;

use crate::backend::windows::connection::{Authentication, Connection, Connections, DEFAULT, Timeouts};
use crate::backend::windows::pattern::Pattern;
use crate::config::checks::{self, sentence};
use crate::config::environment::{ALLOWED_HOSTS, Environment};
use crate::config::{client_certificate, credentials, duration, kerberos, proxies};
use crate::tf::diagnostic::Diagnostics;
use crate::tf::path::Path;
use crate::tf::value::Value;
use crate::winrm::auth::kerberos::tickets::Tickets;
use crate::winrm::endpoint::DEFAULT_PATH;
use crate::winrm::limits::{Budget, DEFAULT_IN_ALL, DEFAULT_PER_HOST, Limits};

/// Checks what one attribute alone cannot show.
pub fn validate(connections: &Value, diagnostics: &mut Diagnostics) {
    let root = Path::of("connections");
    let mut variables: BTreeMap<String, &str> = BTreeMap::new();
    let mut patterns: BTreeMap<String, &str> = BTreeMap::new();
    for (name, settings) in connections.as_map().into_iter().flatten() {
        let path = root.key(name);
        validate_name(name, &path, &mut variables, diagnostics);
        if settings.is_null() {
            diagnostics.error_at(path, "Empty connection", "A connection is an object. Write {} for all defaults.");
            continue;
        }
        validate_hosts(name, settings, &path, diagnostics);
        validate_patterns(name, settings, &path, &mut patterns, diagnostics);
        validate_transport(settings, &path, diagnostics);
        client_certificate::validate(settings, &path, diagnostics);
        kerberos::validate(settings, &path, diagnostics);
    }
}

/// What each run should say about connections that weaken security.
pub fn warn(connections: &Value, diagnostics: &mut Diagnostics) {
    for (name, settings) in connections.as_map().into_iter().flatten() {
        if settings.attribute("insecure_skip_verify").as_bool() == Some(true) {
            diagnostics.warning_at(
                Path::of("connections").key(name).attribute("insecure_skip_verify"),
                format!("Certificates are not verified on connection \"{name}\""),
                "Whoever can stand between this machine and the hosts can read and change what is sent, including \
                 what logs on. Use ca_certificate instead.",
            );
        }
    }
}

/// Decodes the connections of a provider's configuration. Values that were refused by validation take their default; the
/// diagnostics say so.
pub fn decode(config: &Value, environment: &dyn Environment, diagnostics: &mut Diagnostics) -> Connections {
    let mut decoded = Connections { allowed_hosts: allowed_hosts(environment, diagnostics), ..Connections::default() };
    let budget = Budget::new(count(config.attribute("max_connections")).unwrap_or(DEFAULT_IN_ALL));
    let tickets = Tickets::default();
    let connection = |name: &str, settings: &Value| Connection {
        tickets: tickets.clone(),
        ..connection(name, settings, &budget, environment)
    };
    match config.attribute("connections") {
        Value::Map(entries) => {
            for (name, settings) in entries {
                decoded.undecided |= settings.is_unknown() || !settings.attribute("hosts").is_wholly_known();
                decoded.connections.push(connection(name, settings));
            }
        }
        Value::Unknown => decoded.undecided = true,
        _ => decoded.connections.push(connection(DEFAULT, &Value::object([]))),
    }
    decoded
}

fn validate_name<'a>(
    name: &'a str,
    path: &Path,
    variables: &mut BTreeMap<String, &'a str>,
    diagnostics: &mut Diagnostics,
) {
    checks::block_name("connection", name, path, diagnostics);
    if let Some(other) = variables.insert(Connection::variable(name, "USERNAME"), name) {
        diagnostics.error_at(
            path.clone(),
            "Connection names too alike",
            format!(
                "\"{other}\" and \"{name}\" would both read {} and {}. Rename one of them.",
                Connection::variable(name, "USERNAME"),
                Connection::variable(name, "PASSWORD")
            ),
        );
    }
}

fn validate_hosts(name: &str, settings: &Value, path: &Path, diagnostics: &mut Diagnostics) {
    let hosts = settings.attribute("hosts");
    if name == DEFAULT {
        if !hosts.is_null() && !hosts.is_unknown() {
            diagnostics.error_at(
                path.attribute("hosts"),
                "Hosts of the default connection",
                "The connection \"default\" takes every host that no other connection matches. Remove `hosts`, or give \
                 the connection another name.",
            );
        }
    } else if hosts.is_null() && !settings.is_unknown() {
        diagnostics.error_at(
            path.clone(),
            "Connection without hosts",
            format!(
                "The connection \"{name}\" has no `hosts`, so it can never be chosen. Add hosts = [\"*.dmz.contoso.com\"] \
                 or the like; only \"default\" does without."
            ),
        );
    }
}

fn validate_patterns<'a>(
    name: &'a str,
    settings: &Value,
    path: &Path,
    patterns: &mut BTreeMap<String, &'a str>,
    diagnostics: &mut Diagnostics,
) {
    for (index, item) in settings.attribute("hosts").as_list().unwrap_or_default().iter().enumerate() {
        let Some(pattern) = item.as_str().and_then(|text| text.parse::<Pattern>().ok()) else { continue };
        if let Some(other) = patterns.insert(pattern.to_string(), name) {
            let first =
                if other == name { "earlier in this list".to_owned() } else { format!("in \"{other}\" as well") };
            diagnostics.error_at(
                path.attribute("hosts").index(index),
                "Duplicate host pattern",
                format!(
                    "\"{pattern}\" stands {first}. A pattern may stand once, or no connection could be chosen by it."
                ),
            );
        }
    }
}

fn validate_transport(settings: &Value, path: &Path, diagnostics: &mut Diagnostics) {
    let plain = settings.attribute("use_https").as_bool() == Some(false);
    if plain && settings.attribute("auth").as_str() == Some("basic") {
        diagnostics.error_at(
            path.attribute("auth"),
            "Basic authentication without HTTPS",
            "\"basic\" sends the password itself, so it is refused over plain HTTP. Use \"ntlm\", which encrypts its \
             messages, or HTTPS.",
        );
    }
    for name in ["ca_certificate", "server_name", "insecure_skip_verify"] {
        let value = settings.attribute(name);
        if plain && !value.is_null() && !value.is_unknown() && value.as_bool() != Some(false) {
            diagnostics.error_at(
                path.attribute(name),
                "Setting of HTTPS without HTTPS",
                format!("`{name}` has no effect with use_https = false. Remove one of the two."),
            );
        }
    }
    let skips = settings.attribute("insecure_skip_verify").as_bool() == Some(true);
    let authority = settings.attribute("ca_certificate");
    if skips && !authority.is_null() && !authority.is_unknown() {
        diagnostics.error_at(
            path.attribute("ca_certificate"),
            "Certificate that is never used",
            "With insecure_skip_verify = true no certificate is verified. Remove one of the two.",
        );
    }
}

fn connection(name: &str, settings: &Value, budget: &Budget, environment: &dyn Environment) -> Connection {
    let text = |attribute| settings.attribute(attribute).as_str().map(str::to_owned);
    let use_https = settings.attribute("use_https").as_bool().unwrap_or(true);
    let default_port = if use_https { 5986 } else { 5985 };
    let port = settings.attribute("port").as_integer().and_then(|port| u16::try_from(port).ok());
    let hosts = settings.attribute("hosts").as_list().unwrap_or_default();
    let mut connection = Connection {
        hosts: hosts.iter().filter_map(|item| item.as_str()?.parse().ok()).collect(),
        authentication: match settings.attribute("auth").as_str() {
            Some("basic") => Authentication::Basic,
            Some("ntlm") => Authentication::Ntlm,
            Some("certificate") => Authentication::Certificate,
            Some("kerberos") => Authentication::Kerberos,
            _ => Authentication::Negotiate,
        },
        realm: text("realm"),
        kdc: text("kdc"),
        keytab: text("keytab"),
        credential_cache: text("credential_cache"),
        use_https,
        port: port.unwrap_or(default_port),
        path: text("path").unwrap_or_else(|| DEFAULT_PATH.to_owned()),
        ca_certificate: text("ca_certificate"),
        insecure_skip_verify: settings.attribute("insecure_skip_verify").as_bool().unwrap_or(false),
        server_name: text("server_name"),
        proxy: proxies::rule(settings.attribute("proxy").as_str(), environment),
        timeouts: timeouts(settings.attribute("timeouts")),
        limits: Limits {
            per_host: count(settings.attribute("max_connections")).unwrap_or(DEFAULT_PER_HOST),
            in_all: budget.clone(),
        },
        unknown_attribute: unknown_attribute(settings),
        ..Connection::new(name)
    };
    credentials::read(&mut connection, settings, environment);
    connection
}

/// The first attribute that is not known yet and decides how the host is reached.
fn unknown_attribute(settings: &Value) -> Option<&'static str> {
    const ATTRIBUTES: [&str; 20] = [
        "username",
        "password",
        "auth",
        "realm",
        "kdc",
        "keytab",
        "credential_cache",
        "use_https",
        "port",
        "ca_certificate",
        "insecure_skip_verify",
        "server_name",
        "proxy",
        "timeouts",
        "client_certificate",
        "client_key",
        "client_pkcs12",
        "client_pkcs12_password",
        "path",
        "max_connections",
    ];
    ATTRIBUTES.into_iter().find(|name| !settings.attribute(name).is_wholly_known())
}

fn timeouts(settings: &Value) -> Timeouts {
    let read = |name: &str| settings.attribute(name).as_str().and_then(|text| duration::parse(text).ok());
    let default = Timeouts::default();
    Timeouts {
        connect: read("connect").unwrap_or(default.connect),
        operation: read("operation").unwrap_or(default.operation),
        overall: read("overall"),
    }
}

fn count(value: &Value) -> Option<usize> {
    value.as_integer().and_then(|count| usize::try_from(count).ok())
}

/// A guard that is set but says nothing usable is an error, never an open gate.
fn allowed_hosts(environment: &dyn Environment, diagnostics: &mut Diagnostics) -> Option<Vec<Pattern>> {
    let text = environment.read(ALLOWED_HOSTS)?;
    let mut allowed = Vec::new();
    for item in text.split(',').map(str::trim).filter(|item| !item.is_empty()) {
        match item.parse() {
            Ok(pattern) => allowed.push(pattern),
            Err(error) => diagnostics.error(
                format!("Invalid pattern in {ALLOWED_HOSTS}"),
                sentence(&format!("the environment variable {ALLOWED_HOSTS} cannot be used: {error}")),
            ),
        }
    }
    if allowed.is_empty() && !diagnostics.has_errors() {
        diagnostics.error(
            format!("No pattern in {ALLOWED_HOSTS}"),
            format!(
                "The environment variable {ALLOWED_HOSTS} is set and names no host, so no host could be reached. Name \
                 patterns with commas between them, or unset it to allow every host."
            ),
        );
    }
    Some(allowed)
}
