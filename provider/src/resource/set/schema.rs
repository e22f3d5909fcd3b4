//! The attributes that all sets have, declared once, and the table of a kind made from them.

use crate::address::HostAddress;
use crate::plan::checks::acknowledgement;
use crate::plan::token::{Token, is_valid_name};
use crate::plan::version::Version;
use crate::resource::set::{HostSet, drain, duration, health};
use crate::tf::diagnostic::Diagnostics;
use crate::tf::path::Path;
use crate::tf::schema::{Attribute, Kind, Mode, Schema};
use crate::tf::value::Value;

/// The whole table of a kind: the common attributes, with the kind's own ones between those that users set and those
/// that the provider computes.
pub fn of(set: &dyn HostSet) -> Schema {
    let attributes = identity().into_iter().chain(set.attributes()).chain(rules()).chain(computed()).collect();
    Schema { version: 0, description: set.description(), attributes }
}

/// The attribute `hosts`, for kinds without batches.
pub fn hosts() -> Attribute {
    Attribute::required(
        "hosts",
        Kind::strings(),
        "The hosts of the set, in the order of the rollout. Names as they are reached over WinRM; how they are reached \
         is said in the provider's `connections`. A host whose listener is at a port of its own is written \
         `mfa01.contoso.com:5985` or, by an IPv6 address, `[fd00::7]:5985`. The name alone says which host it is: to \
         change the port changes nothing on it.",
    )
}

/// Marks as unknown what only the provider knows: computed attributes, and optional ones it finds, where `config` has
/// none.
pub fn mark_unknown(attributes: &[Attribute], config: &Value, planned: &mut Value) {
    for attribute in attributes {
        let stated = config.attribute(attribute.name);
        match (&attribute.kind, attribute.mode) {
            (_, Mode::Computed) => planned.set(attribute.name, Value::Unknown),
            (_, Mode::OptionalComputed) if stated.is_null() => planned.set(attribute.name, Value::Unknown),
            (Kind::Object(nested), _) if stated.as_map().is_some() => {
                let mut value = planned.attribute(attribute.name).clone();
                mark_unknown(nested, stated, &mut value);
                planned.set(attribute.name, value);
            }
            _ => {}
        }
    }
}

/// Checks one host, wherever a kind keeps it.
pub fn check_address(value: &Value, path: &Path, diagnostics: &mut Diagnostics) {
    if let Some(Err(error)) = value.as_str().map(str::parse::<HostAddress>) {
        let detail = format!("{error}. HTTP or HTTPS, a path and an account are said in the provider's `connections`.");
        diagnostics.error_at(path.clone(), "Invalid host", detail);
    }
}

/// Checks the name of a virtual directory.
pub fn check_virtual_directory(value: &Value, path: &Path, diagnostics: &mut Diagnostics) {
    let Some(text) = value.as_str() else { return };
    if text.trim_matches('/') != text || text.is_empty() || text.contains(['\\', '"', '?', '*', '<', '>', '|']) {
        diagnostics.error_at(
            path.clone(),
            "Invalid virtual directory",
            format!(
                "{text:?} is no virtual directory. Write its name without slashes around it, such as MultiFactorAuth."
            ),
        );
    }
}

fn identity() -> Vec<Attribute> {
    vec![
        Attribute::required(
            "name",
            Kind::String,
            "Identifies the set in tokens, journals and messages. Letters, digits, dots, hyphens and underscores, at most \
             63. It cannot be changed.",
        )
        .check(check_name),
        Attribute::required(
            "version",
            Kind::String,
            "The exact version that every host is to run, such as `8.0.1.1`. In state it is the lowest version found, so \
             a host that runs an older one shows as a change of this attribute.",
        )
        .check(check_version),
    ]
}

fn rules() -> Vec<Attribute> {
    vec![
        Attribute::optional(
            "after",
            Kind::strings(),
            "The `ready` tokens of the sets that must be at their version before this one goes on. While one is not, this \
             set waits.",
        )
        .check(check_after),
        Attribute::optional(
            "allow_major_upgrade",
            Kind::Bool,
            "Whether `version` may cross a major version, such as from 6.x to 7.x.",
        ),
        Attribute::optional(
            "hold",
            Kind::String,
            "A reason to propose nothing. While it is set the plan only warns of what it leaves undone.",
        )
        .check(check_hold),
        Attribute::optional(
            "acknowledge",
            Kind::ObjectList(vec![
                Attribute::required("check", Kind::String, "The name of the finding.").check(check_finding),
                Attribute::required("reason", Kind::String, "Why it may pass, such as the number of a change.")
                    .check(check_reason),
                Attribute::optional(
                    "until",
                    Kind::String,
                    "When that ends, in RFC 3339, such as `2026-12-01T00:00:00Z`. After that only a plan that needs the \
                     acknowledgement is refused.",
                )
                .check(check_until),
            ]),
            "Findings that may pass. Known ones are `shared_application_pool` (components of both .NET generations share \
             a pool for a while), `adfs_mfa_gap` (users are not asked for the second factor while the adapter is \
             exchanged), `adfs_gap_unguarded` (and no guard closes that gap when the run is gone) and `adfs_rules_old_name` (authentication rules name the old adapter).",
        ),
        health::attribute(),
        drain::attribute(),
        Attribute::optional(
            "timeouts",
            Kind::Object(
                [
                    ("create", "How long adopting may take. Default `20m`."),
                    ("read", "How long reading the hosts may take. Default `20m`."),
                    ("update", "How long an upgrade may take before it stops at the next safe point. Default `24h`."),
                    ("delete", "Accepted for the sake of habit: removing a set from state reaches no host."),
                ]
                .map(|(name, description)| Attribute::optional(name, Kind::String, description).check(check_duration))
                .into(),
            ),
            "How long operations may take, as durations such as `90m` or `1h30m`.",
        ),
    ]
}

fn computed() -> Vec<Attribute> {
    vec![
        Attribute::computed("versions", Kind::string_map(), "The version found on each host."),
        Attribute::computed("target_version", Kind::String, "The version that was last asked for."),
        Attribute::computed(
            "wave",
            Kind::Number,
            "The position in the order: one more than the highest wave among `after`.",
        ),
        Attribute::computed(
            "steps",
            Kind::strings(),
            "What the run does, in order, each with its host. Empty while a host is below its version and nothing is \
             planned yet; after a complete run it keeps what was done.",
        ),
        Attribute::computed(
            "ready",
            Kind::String,
            "A token for the `after` of the sets that come next: kind, name, version asked for, lowest version, wave, \
             whether the set is whole, and the hosts that run the version.",
        ),
        Attribute::computed(
            "version_status",
            Kind::String,
            "`current`, `behind`, `waiting` (for a person or another set), `held`, `ahead` (a host went beyond \
             `version` by itself) or `incomplete` (the version is there, but not everything that belongs to it).",
        ),
    ]
}

fn check_name(value: &Value, path: &Path, diagnostics: &mut Diagnostics) {
    if let Some(name) = value.as_str().filter(|name| !is_valid_name(name)) {
        diagnostics.error_at(
            path.clone(),
            "Invalid name",
            format!(
                "{name:?} cannot name a set. Accepted are letters, digits, dots, hyphens and underscores, at most 63, \
                 starting with a letter or digit."
            ),
        );
    }
}

fn check_version(value: &Value, path: &Path, diagnostics: &mut Diagnostics) {
    if let Some(Err(error)) = value.as_str().map(str::parse::<Version>) {
        diagnostics.error_at(path.clone(), "Invalid version", format!("{error}."));
    }
}

fn check_after(value: &Value, path: &Path, diagnostics: &mut Diagnostics) {
    for (index, item) in value.as_list().into_iter().flatten().enumerate() {
        let problem = match item {
            Value::Null => "null is no token".to_owned(),
            Value::String(text) => match text.parse::<Token>() {
                Err(error) => error.to_string(),
                Ok(_) => continue,
            },
            _ => continue,
        };
        diagnostics.error_at(path.index(index), "Not a ready token", format!("{problem}."));
    }
}

fn check_hold(value: &Value, path: &Path, diagnostics: &mut Diagnostics) {
    check_reason(value, path, diagnostics);
}

fn check_reason(value: &Value, path: &Path, diagnostics: &mut Diagnostics) {
    if value.as_str().is_some_and(|reason| reason.trim().is_empty()) {
        diagnostics.error_at(
            path.clone(),
            "Empty reason",
            "Say why, such as the number of a change. Who reads the plan sees it.",
        );
    }
}

fn check_finding(value: &Value, path: &Path, diagnostics: &mut Diagnostics) {
    if let Some(name) = value.as_str().filter(|name| !acknowledgement::NAMES.contains(name)) {
        diagnostics.error_at(
            path.clone(),
            "Unknown check",
            format!("{name:?} is no finding that can be acknowledged. Known: {}.", acknowledgement::NAMES.join(", ")),
        );
    }
}

fn check_until(value: &Value, path: &Path, diagnostics: &mut Diagnostics) {
    if let Some(text) = value.as_str().filter(|text| text.parse::<jiff::Timestamp>().is_err()) {
        diagnostics.error_at(
            path.clone(),
            "Invalid end",
            format!("{text:?} is no moment in RFC 3339. Write one such as 2026-12-01T00:00:00Z."),
        );
    }
}

/// Checks a duration.
pub fn check_duration(value: &Value, path: &Path, diagnostics: &mut Diagnostics) {
    if let Some(text) = value.as_str().filter(|text| duration::parse(text).is_none()) {
        diagnostics.error_at(
            path.clone(),
            "Invalid duration",
            format!("{text:?} is no duration. Write numbers with units, such as 90s, 30m or 1h30m."),
        );
    }
}
