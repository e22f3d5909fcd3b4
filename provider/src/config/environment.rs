//! The environment variables the provider reads, behind a trait so that tests bring their own.

use std::collections::BTreeMap;

/// Where variables come from.
pub trait Environment {
    /// A variable's text; none when it is not set.
    fn read(&self, name: &str) -> Option<String>;
}

/// The process's own environment.
#[derive(Debug)]
pub struct ProcessEnvironment;

impl Environment for ProcessEnvironment {
    /// Text that is no Unicode keeps a mark that no check accepts, so that a guard cannot vanish by it.
    fn read(&self, name: &str) -> Option<String> {
        std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
    }
}

impl Environment for BTreeMap<String, String> {
    fn read(&self, name: &str) -> Option<String> {
        self.get(name).cloned()
    }
}

/// Host patterns, comma separated: what any configuration may reach.
pub const ALLOWED_HOSTS: &str = "AZUREMFA_ALLOWED_HOSTS";
/// The credential cache of the session that this process runs in, as all Kerberos programs read it.
pub const AMBIENT_CACHE: &str = "KRB5CCNAME";
/// The files that tell of Kerberos realms, as a list of paths, as all Kerberos programs read it.
pub const KRB5_CONFIG: &str = "KRB5_CONFIG";
pub const DEFAULT_KRB5_CONFIG: &str = "/etc/krb5.conf";
