//! Faults that tests and operators poke into a host's state.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// What shall go wrong on a host.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Faults {
    #[serde(default, deserialize_with = "one_or_many", skip_serializing_if = "Vec::is_empty")]
    pub installer: Vec<InstallerFault>,
    #[serde(default, deserialize_with = "one_or_many", skip_serializing_if = "Vec::is_empty")]
    pub script: Vec<ScriptFault>,
    /// The next server setup replaces the web.config of portals on the same host.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub replace_cohosted_web_config: bool,
}

/// An installer that does not do what it should.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InstallerFault {
    /// What it ends with. 3010 with `after` is a success that needs a restart.
    pub exit_code: i32,
    #[serde(default)]
    pub when: Moment,
    /// Only this package (`server`, `user_portal`, ...); any when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
    /// How often it still happens.
    #[serde(default = "once")]
    pub times: u32,
}

/// A script that does not answer as it should.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScriptFault {
    pub name: String,
    #[serde(default)]
    pub when: Moment,
    #[serde(default)]
    pub effect: ScriptEffect,
    /// The first call that it happens to, counted from 1.
    #[serde(default = "once")]
    pub call: u32,
    /// How often it still happens.
    #[serde(default = "once")]
    pub times: u32,
}

/// When something goes wrong, seen from the effect of what was asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Moment {
    /// Nothing is done.
    #[default]
    Before,
    /// Installers only: files are replaced, the uninstall entry is not.
    Half,
    /// Everything is done.
    After,
}

/// What the caller of a script sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScriptEffect {
    /// A reply that says the script failed (kind `other`).
    #[default]
    Error,
    /// The connection is dropped and the shell is gone.
    Drop,
    /// The process ends without a reply.
    Silence,
    /// The reply breaks off in its midst.
    Garble,
}

impl Faults {
    /// Takes the fault that an installer of a package is to have now.
    pub fn take_installer(&mut self, package: &str) -> Option<InstallerFault> {
        let due = |fault: &&mut InstallerFault| {
            fault.times > 0 && fault.package.as_deref().is_none_or(|wanted| wanted == package)
        };
        let found = self.installer.iter_mut().find(due).map(|fault| {
            fault.times -= 1;
            fault.clone()
        });
        self.installer.retain(|fault| fault.times > 0);
        found
    }

    /// Takes the fault that a call of a script is to have now. Every fault of that script counts the call.
    pub fn take_script(&mut self, name: &str) -> Option<ScriptFault> {
        let mut found = None;
        for fault in self.script.iter_mut().filter(|fault| fault.name.eq_ignore_ascii_case(name)) {
            if fault.call > 1 {
                fault.call -= 1;
            } else if found.is_none() && fault.times > 0 {
                fault.times -= 1;
                found = Some(fault.clone());
            }
        }
        self.script.retain(|fault| fault.times > 0);
        found
    }
}

fn once() -> u32 {
    1
}

/// Accepts a list, or one item without the list.
fn one_or_many<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: serde::de::DeserializeOwned,
{
    let items = match Value::deserialize(deserializer)? {
        Value::Null => Vec::new(),
        Value::Array(items) => items,
        item => vec![item],
    };
    items.into_iter().map(|item| serde_json::from_value(item).map_err(serde::de::Error::custom)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn faults_are_used_up() {
        let mut faults: Faults = serde_json::from_value(json!({
            "installer": {"exit_code": 1603, "package": "user_portal"},
            "script": [{"name": "Register-Adapter", "call": 2, "effect": "drop", "when": "after"}],
        }))
        .expect("faults");
        assert_eq!(faults.take_installer("server"), None);
        assert_eq!(faults.take_installer("user_portal").map(|fault| fault.exit_code), Some(1603));
        assert_eq!(faults.take_installer("user_portal"), None);
        assert_eq!(faults.take_script("register-adapter"), None);
        assert_eq!(faults.take_script("Register-Adapter").map(|fault| fault.effect), Some(ScriptEffect::Drop));
        assert_eq!(faults.take_script("Register-Adapter"), None);
        assert_eq!(faults, Faults::default());
    }
}
