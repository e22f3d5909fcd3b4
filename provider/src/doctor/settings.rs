//! The way to the host, from the connection file and the environment, read as the provider reads its configuration.

use std::fs;
use std::io;
use std::time::Duration;

use serde_json::{Map, Value as Json, json};

use crate::backend::windows::connection::DEFAULT;
use crate::backend::windows::endpoint;
use crate::backend::windows::pattern::Pattern;
use crate::config;
use crate::config::connections;
use crate::config::environment::Environment;
use crate::doctor::arguments::Arguments;
use crate::rpc::decode_json::{Leniency, decode};
use crate::tf::diagnostic::{Diagnostics, Severity};
use crate::tf::schema::{Attribute, Kind};
use crate::tf::validation;
use crate::winrm::endpoint::Endpoint;

/// Settings that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    #[error("the connection file {path} cannot be read")]
    ReadFile {
        path: String,
        #[source]
        source: io::Error,
    },
    #[error("the connection file {path} is not JSON")]
    ParseFile {
        path: String,
        #[source]
        source: serde_json::Error,
    },
    #[error("the connection file {0} does not hold a JSON object")]
    NotAnObject(String),
    #[error("the connection has no attribute {found:?}; it can have {accepted}")]
    UnknownAttribute { found: String, accepted: String },
    /// Full sentences, one a line.
    #[error("{0}")]
    Refused(String),
}

/// Where the host is and how to log in there.
pub struct Way {
    pub endpoint: Endpoint,
    /// By what its proxy, or none, was chosen.
    pub proxy_reason: Option<String>,
    /// How long the run on the host may take, from logging on to its end.
    pub overall: Option<Duration>,
}

/// Reads the way to the host.
pub fn read(arguments: &Arguments, environment: &dyn Environment) -> Result<Way, SettingsError> {
    let mut attributes = match &arguments.connection_file {
        None => Map::new(),
        Some(path) => read_file(&path.display().to_string(), fs::read(path))?,
    };
    check_names(&attributes)?;
    place_host(arguments, &mut attributes)?;
    let whole = json!({ "connections": { &arguments.connection: attributes } });
    let value = decode(config::schema(), whole.to_string().as_bytes(), Leniency::Lenient)
        .map_err(|error| SettingsError::Refused(format!("{}: {}.", error.path, error.problem)))?;
    let mut found = Diagnostics::default();
    validation::validate(config::schema(), &value, &mut found);
    connections::validate(value.attribute("connections"), &mut found);
    let connections = connections::decode(&value, environment, &mut found);
    if found.has_errors() {
        return Err(SettingsError::Refused(sentences(&found)));
    }
    let connection = connections.connection_for(&arguments.host).map_err(SettingsError::Refused)?;
    let proxy_reason = connection.proxy_for(&arguments.host).map_err(SettingsError::Refused)?.reason;
    let endpoint = endpoint::of(&arguments.host, connection).map_err(SettingsError::Refused)?;
    Ok(Way { endpoint, proxy_reason, overall: connection.timeouts.overall })
}

fn read_file(path: &str, read: io::Result<Vec<u8>>) -> Result<Map<String, Json>, SettingsError> {
    let text = read.map_err(|source| SettingsError::ReadFile { path: path.to_owned(), source })?;
    // Some editors on Windows begin a file with a byte order mark.
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text);
    match serde_json::from_slice(text) {
        Ok(Json::Object(attributes)) => Ok(attributes),
        Ok(_) => Err(SettingsError::NotAnObject(path.to_owned())),
        Err(source) => Err(SettingsError::ParseFile { path: path.to_owned(), source }),
    }
}

/// A name that is misspelt must not leave a setting at its default in silence.
fn check_names(attributes: &Map<String, Json>) -> Result<(), SettingsError> {
    let schema = config::schema().attributes.iter().find(|attribute| attribute.name == "connections");
    let Some(Kind::ObjectMap(known)) = schema.map(|attribute| &attribute.kind) else { return Ok(()) };
    check_object(known, attributes)
}

fn check_object(known: &[Attribute], given: &Map<String, Json>) -> Result<(), SettingsError> {
    for (name, value) in given {
        let Some(attribute) = known.iter().find(|attribute| attribute.name == name) else {
            let accepted: Vec<_> = known.iter().map(|attribute| attribute.name).collect();
            return Err(SettingsError::UnknownAttribute { found: name.clone(), accepted: accepted.join(", ") });
        };
        if let (Kind::Object(inner), Json::Object(value)) = (&attribute.kind, value) {
            check_object(inner, value)?;
        }
    }
    Ok(())
}

/// Lets the one connection take the host. An entry that was copied with its `hosts` must be one that takes it.
fn place_host(arguments: &Arguments, attributes: &mut Map<String, Json>) -> Result<(), SettingsError> {
    if arguments.connection != DEFAULT {
        attributes.entry("hosts").or_insert_with(|| json!([arguments.host.name()]));
        return Ok(());
    }
    let hosts = attributes.remove("hosts").unwrap_or_default();
    let mut patterns = hosts.as_array().into_iter().flatten().filter_map(Json::as_str);
    let matches = |text: &str| text.parse::<Pattern>().is_ok_and(|pattern| pattern.matches(arguments.host.name()));
    if hosts.is_null() || patterns.any(matches) {
        return Ok(());
    }
    let host = arguments.host.name();
    Err(SettingsError::Refused(format!(
        "The `hosts` of the connection file do not match {host}, so it is not used there."
    )))
}

fn sentences(found: &Diagnostics) -> String {
    let errors = found.iter().filter(|diagnostic| diagnostic.severity == Severity::Error);
    let lines = errors.map(|error| match &error.path {
        Some(path) => format!("{path}: {}. {}", error.summary, error.detail),
        None => format!("{}. {}", error.summary, error.detail),
    });
    lines.collect::<Vec<_>>().join("\n")
}
