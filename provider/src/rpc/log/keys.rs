//! Names in the log that more than one place must agree on. Keys are those of HashiCorp's SDK, so that log tools know them.

/// The provider's address, as `TF_REATTACH_PROVIDERS` and the log name it.
pub const PROVIDER_ADDRESS: &str = "registry.terraform.io/azuremfa/azuremfa";

/// The plugin protocol spoken, major and minor.
pub const PROTOCOL_VERSION: &str = "6.11";
