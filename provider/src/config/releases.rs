//! `releases`: checks across attributes, and decoding.

use std::collections::BTreeMap;

use crate::backend::placeholder;
use crate::backend::release::{Component, Delivery, Package, Release, Releases, Stated};
use crate::config::checks::sentence;
use crate::plan::version::Version;
use crate::tf::diagnostic::Diagnostics;
use crate::tf::path::Path;
use crate::tf::value::Value;

/// Checks what one attribute alone cannot show.
pub fn validate(releases: &Value, diagnostics: &mut Diagnostics) {
    let root = Path::of("releases");
    let mut seen: Vec<Version> = Vec::new();
    for (text, release) in releases.as_map().into_iter().flatten() {
        let path = root.key(text);
        match text.parse::<Version>() {
            Err(error) => diagnostics.error_at(path.clone(), "Invalid version", sentence(&error.to_string())),
            Ok(version) => {
                if let Some(other) = seen.iter().find(|other| **other == version) {
                    diagnostics.error_at(
                        path.clone(),
                        "Duplicate release",
                        format!("\"{other}\" and \"{version}\" are the same version. Keep one of them."),
                    );
                }
                seen.push(version);
            }
        }
        if release.is_null() {
            diagnostics.error_at(
                path.clone(),
                "Empty release",
                "A release is an object. Remove it, or say what it has.",
            );
        }
        for component in Component::ALL {
            validate_package(release.attribute(component.as_str()), component, &path, diagnostics);
        }
    }
}

/// Decodes the releases; never fails because something is unknown.
pub fn decode(releases: &Value) -> Releases {
    match releases {
        Value::Map(entries) => {
            Releases::new(entries.iter().map(|(version, value)| (version.clone(), release(value))).collect())
        }
        Value::Unknown => Releases::default().with_unknown(),
        _ => Releases::default(),
    }
}

fn validate_package(package: &Value, component: Component, release: &Path, diagnostics: &mut Diagnostics) {
    let path = release.attribute(component.as_str());
    let source = package.attribute("source");
    if source.as_str().is_some() && package.attribute("sha256").is_null() {
        diagnostics.error_at(
            path.clone(),
            "Source without a hash",
            "A file is run only when its SHA-256 is the stated one. Add sha256 = \"…\"; `Get-FileHash FILE` prints it.",
        );
    }
    if component == Component::ServerSetup && package.as_map().is_some() && source.is_null() {
        diagnostics.error_at(
            path.clone(),
            "Server setup without a source",
            "The server setup lies on no host beforehand. Add `source` and `sha256`.",
        );
    }
    let arguments = path.attribute("arguments");
    for (index, argument) in package.attribute("arguments").as_list().unwrap_or_default().iter().enumerate() {
        if argument.is_null() {
            diagnostics.error_at(arguments.index(index), "Missing argument", "An argument is a text; found null.");
        }
        if let Some(Err(error)) = argument.as_str().map(|text| placeholder::check(text, component.is_web())) {
            diagnostics.error_at(arguments.index(index), "Unknown placeholder", sentence(&error.to_string()));
        }
    }
}

fn release(value: &Value) -> Release {
    if value.is_unknown() {
        return Release::unknown();
    }
    let mut packages = BTreeMap::new();
    let mut unknown = false;
    for component in Component::ALL {
        match value.attribute(component.as_str()) {
            Value::Map(_) => {
                packages.insert(component, package(value.attribute(component.as_str())));
            }
            Value::Unknown => unknown = true,
            _ => {}
        }
    }
    let release = Release::new(packages);
    if unknown { release.with_unknown() } else { release }
}

fn package(value: &Value) -> Package {
    Package {
        source: text(value.attribute("source")),
        sha256: match text(value.attribute("sha256")) {
            Stated::Known(hash) => Stated::Known(hash.to_ascii_lowercase()),
            other => other,
        },
        arguments: words(value.attribute("arguments")),
        delivery: match value.attribute("delivery") {
            Value::Unknown => Stated::Unknown,
            other => other.as_str().and_then(Delivery::parse).map_or(Stated::Absent, Stated::Known),
        },
        publisher: text(value.attribute("publisher")),
    }
}

fn text(value: &Value) -> Stated<String> {
    match value {
        Value::String(text) => Stated::Known(text.clone()),
        Value::Unknown => Stated::Unknown,
        _ => Stated::Absent,
    }
}

fn words(value: &Value) -> Stated<Vec<String>> {
    match value {
        Value::List(_) if !value.is_wholly_known() => Stated::Unknown,
        Value::List(items) => Stated::Known(items.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect()),
        Value::Unknown => Stated::Unknown,
        _ => Stated::Absent,
    }
}
