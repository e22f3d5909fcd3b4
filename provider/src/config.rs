//! The provider's own configuration: connections, releases and policies, decoded without touching the network.

use crate::tf::diagnostic::Diagnostics;
use crate::tf::schema::Schema;
use crate::tf::value::Value;

/// A decoded provider configuration, with everything a resource needs to reach its hosts.
#[derive(Debug)]
pub struct ProviderConfig {}

/// The provider's attribute table.
pub fn schema() -> &'static Schema {
    static SCHEMA: std::sync::LazyLock<Schema> = std::sync::LazyLock::new(|| Schema {
        version: 0,
        description: "Upgrades Azure MFA Server estates.",
        attributes: Vec::new(),
    });
    &SCHEMA
}

/// Checks that need more than one attribute; never reaches the network, never fails because something is unknown.
pub fn validate(_config: &Value, _diagnostics: &mut Diagnostics) {}

/// Decodes a configuration. `None` without errors means: not yet known, operations that need hosts must wait for apply.
pub fn configure(_config: &Value, _diagnostics: &mut Diagnostics) -> Option<ProviderConfig> {
    Some(ProviderConfig {})
}
