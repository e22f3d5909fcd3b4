//! Validation of what needs more than one attribute, without settings and without hosts.

use crate::resource::set::desired::duplicate;
use crate::resource::set::{HostSet, health, schema};
use crate::tf::diagnostic::Diagnostics;
use crate::tf::path::Path;
use crate::tf::value::Value;

/// Checks a configuration. What is unknown is checked again when it is known.
pub fn validate(set: &dyn HostSet, config: &Value, diagnostics: &mut Diagnostics) {
    check_hosts(set, config, diagnostics);
    health::validate(config, diagnostics);
    check_acknowledgements(config.attribute("acknowledge"), diagnostics);
    set.validate(config, diagnostics);
}

/// Checks a list of host names wherever a kind keeps it: none null, each a host name, at least one.
pub fn check_host_list(list: &Value, path: &Path, diagnostics: &mut Diagnostics) {
    let Some(items) = list.as_list() else { return };
    if items.is_empty() {
        diagnostics.error_at(path.clone(), "No hosts", "A set has at least one host. Name the hosts it stands on.");
    }
    for (index, item) in items.iter().enumerate() {
        let path = path.index(index);
        match item {
            Value::Null => diagnostics.error_at(path, "Missing host", "null is no host. Remove it, or name the host."),
            item => schema::check_address(item, &path, diagnostics),
        }
    }
}

fn check_hosts(set: &dyn HostSet, config: &Value, diagnostics: &mut Diagnostics) {
    check_host_list(config.attribute("hosts"), &Path::of("hosts"), diagnostics);
    let Some(hosts) = set.addresses(config) else { return };
    if let Some((index, found)) = duplicate(&hosts) {
        diagnostics.error_at(
            set.host_path(config, index),
            "The same host twice",
            format!("{found}. Every host stands in a set once, in its place of the order: remove one of the two."),
        );
    }
}

fn check_acknowledgements(value: &Value, diagnostics: &mut Diagnostics) {
    let items = value.as_list().unwrap_or_default();
    for (index, item) in items.iter().enumerate() {
        let check = item.attribute("check").as_str();
        if check.is_some() && items[..index].iter().any(|earlier| earlier.attribute("check").as_str() == check) {
            diagnostics.error_at(
                Path::of("acknowledge").index(index).attribute("check"),
                "Acknowledged twice",
                format!(
                    "{} is acknowledged before. Keep one, so that it is clear which end counts.",
                    check.unwrap_or("It")
                ),
            );
        }
    }
}
