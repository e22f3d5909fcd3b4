//! The registry of a host: keys in any casing, parents exist implicitly, as on Windows.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::lab::host::state::Registry;

/// Where uninstall entries lie: the view of 64-bit programs, and that of 32-bit ones.
pub const UNINSTALL: [&str; 2] = [
    "HKLM:\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Uninstall",
    "HKLM:\\SOFTWARE\\Wow6432Node\\Microsoft\\Windows\\CurrentVersion\\Uninstall",
];
/// The key of MFA Server, in the 32-bit view.
pub const PRODUCT: &str = "HKLM:\\SOFTWARE\\Wow6432Node\\Positive Networks\\PhoneFactor";
/// There while Windows servicing waits for a restart.
pub const REBOOT_PENDING: &str =
    "HKLM:\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Component Based Servicing\\RebootPending";
/// Has the files that are replaced at the next restart.
pub const SESSION_MANAGER: &str = "HKLM:\\SYSTEM\\CurrentControlSet\\Control\\Session Manager";
/// The value with those files.
pub const PENDING_RENAMES: &str = "PendingFileRenameOperations";
/// Version of .NET Framework.
pub const DOTNET: &str = "HKLM:\\SOFTWARE\\Microsoft\\NET Framework Setup\\NDP\\v4\\Full";

/// Whether a key is there, itself or as a parent.
pub fn exists(registry: &Registry, key: &str) -> bool {
    registry.keys().any(|found| found.eq_ignore_ascii_case(key) || below(found, key).is_some())
}

/// The values of a key.
pub fn values<'a>(registry: &'a Registry, key: &str) -> Option<&'a BTreeMap<String, Value>> {
    registry.iter().find(|(found, _)| found.eq_ignore_ascii_case(key)).map(|(_, values)| values)
}

/// A value, or none when key or value is absent.
pub fn value<'a>(registry: &'a Registry, key: &str, name: &str) -> Option<&'a Value> {
    values(registry, key)?.iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

/// A value as PowerShell turns it into text; empty when absent.
pub fn text(registry: &Registry, key: &str, name: &str) -> String {
    match value(registry, key, name) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "),
        _ => String::new(),
    }
}

/// A number, or none when absent.
pub fn number(registry: &Registry, key: &str, name: &str) -> Option<i64> {
    value(registry, key, name).and_then(Value::as_i64)
}

/// Names of the keys right below a key.
pub fn children(registry: &Registry, key: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for name in registry.keys().filter_map(|found| below(found, key)) {
        let name = name.split('\\').next().unwrap_or_default();
        if !names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            names.push(name.to_owned());
        }
    }
    names
}

/// Sets a value, making the key when it is not there.
pub fn set(registry: &mut Registry, key: &str, name: &str, value: impl Into<Value>) {
    let known = registry.keys().find(|found| found.eq_ignore_ascii_case(key)).cloned();
    registry.entry(known.unwrap_or_else(|| key.to_owned())).or_default().insert(name.to_owned(), value.into());
}

/// Removes a key with everything below it.
pub fn remove(registry: &mut Registry, key: &str) {
    registry.retain(|found, _| !found.eq_ignore_ascii_case(key) && below(found, key).is_none());
}

/// Removes a value of a key.
pub fn remove_value(registry: &mut Registry, key: &str, name: &str) {
    for (_, values) in registry.iter_mut().filter(|(found, _)| found.eq_ignore_ascii_case(key)) {
        values.retain(|found, _| !found.eq_ignore_ascii_case(name));
    }
}

/// What of a key's path lies below another key.
fn below<'a>(path: &'a str, key: &str) -> Option<&'a str> {
    let (head, tail) = path.split_at_checked(key.len())?;
    head.eq_ignore_ascii_case(key).then_some(tail)?.strip_prefix('\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_in_any_casing_and_through_their_parents() {
        let mut registry = Registry::new();
        set(&mut registry, "HKLM:\\SOFTWARE\\A\\{1}", "DisplayName", "one");
        set(&mut registry, "HKLM:\\software\\a\\{1}", "Number", 7);
        set(&mut registry, "HKLM:\\SOFTWARE\\A\\{2}\\Deep", "X", 1);
        assert_eq!(registry.len(), 2);
        assert!(exists(&registry, "hklm:\\Software\\A"));
        assert!(!exists(&registry, "HKLM:\\SOFTWARE\\A\\{1"));
        assert_eq!(children(&registry, "HKLM:\\SOFTWARE\\A"), ["{1}", "{2}"]);
        assert_eq!(text(&registry, "HKLM:\\SOFTWARE\\A\\{1}", "displayname"), "one");
        assert_eq!(number(&registry, "HKLM:\\SOFTWARE\\A\\{1}", "Number"), Some(7));
        remove(&mut registry, "HKLM:\\SOFTWARE\\a");
        assert_eq!(registry, Registry::new());
    }
}
