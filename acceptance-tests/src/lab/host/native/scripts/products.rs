//! The components' uninstall entries, as the host query tells them apart.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Value, json};

use crate::lab::host::native::script::Call;
use crate::lab::host::registry;
use crate::lab::host::state::State;

/// An uninstall entry.
#[derive(Clone, Debug, PartialEq)]
pub struct Product {
    pub name: String,
    pub version: String,
    pub location: String,
}

/// Entries by the component they belong to.
#[derive(Debug, Default)]
pub struct Products(BTreeMap<&'static str, Product>);

impl Products {
    /// Reads both views of the registry. Of two entries of one component the lower version counts.
    pub fn read(call: &mut Call<'_>, state: &State) -> Self {
        let mut products: BTreeMap<&'static str, Product> = BTreeMap::new();
        for uninstall in registry::UNINSTALL {
            for key in registry::children(&state.registry, uninstall) {
                let text = |name: &str| registry::text(&state.registry, &format!("{uninstall}\\{key}"), name);
                let product = Product {
                    name: text("DisplayName"),
                    version: text("DisplayVersion"),
                    location: text("InstallLocation"),
                };
                let Some(kind) = kind(&product.name) else { continue };
                if let Some(known) = products.get(kind) {
                    let message =
                        format!("two uninstall entries for one component: {} and {}", known.name, product.name);
                    call.log("warn", &message);
                    if !is_lower(&product.version, &known.version) {
                        continue;
                    }
                }
                products.insert(kind, product);
            }
        }
        Self(products)
    }

    pub fn find(&self, kind: &str) -> Option<&Product> {
        self.0.get(kind)
    }

    /// The version of a component's entry, or null.
    pub fn version(&self, kind: &str) -> Value {
        self.find(kind).filter(|product| !product.version.is_empty()).map_or(Value::Null, |found| json!(found.version))
    }
}

static OURS: LazyLock<Regex> = LazyLock::new(|| without_case("PhoneFactor|Multi-?Factor Auth"));

static KINDS: LazyLock<[(Regex, &str); 5]> = LazyLock::new(|| {
    let kinds = [
        ("AD ?FS", "adfs_adapter"),
        ("Web Service SDK", "web_service_sdk"),
        ("Mobile App|Phone App", "mobile_app_web_service"),
        ("User Portal", "user_portal"),
        ("PhoneFactor Agent|Multi-?Factor Authentication Server", "server"),
    ];
    kinds.map(|(pattern, kind)| (without_case(pattern), kind))
});

fn without_case(pattern: &str) -> Regex {
    Regex::new(&format!("(?i){pattern}")).expect("a pattern of ours")
}

/// Which component a display name means.
fn kind(display_name: &str) -> Option<&'static str> {
    if !OURS.is_match(display_name) {
        return None;
    }
    KINDS.iter().find(|(pattern, _)| pattern.is_match(display_name)).map(|(_, kind)| *kind)
}

/// As .NET's `Version` compares; false when one is none.
fn is_lower(one: &str, other: &str) -> bool {
    matches!((version(one), version(other)), (Some(one), Some(other)) if one < other)
}

/// Two to four numbers; absent ones are less than 0.
fn version(text: &str) -> Option<[i64; 4]> {
    let mut parts = [-1; 4];
    let mut count = 0;
    for part in text.trim().split('.') {
        *parts.get_mut(count)? = part.trim().parse::<u32>().ok()?.into();
        count += 1;
    }
    (count >= 2).then_some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_names_tell_components() {
        for (name, expected) in [
            ("Multi-Factor Authentication Server", Some("server")),
            ("PhoneFactor Agent", Some("server")),
            ("Multi-Factor Authentication AD FS Adapter", Some("adfs_adapter")),
            ("MultiFactor Authentication Web Service SDK", Some("web_service_sdk")),
            ("PhoneFactor Phone App Web Service", Some("mobile_app_web_service")),
            ("Multi-Factor Auth User Portal", Some("user_portal")),
            ("Notepad++", None),
            ("Multi-Factor Authentication", None),
        ] {
            assert_eq!(kind(name), expected, "{name}");
        }
    }

    #[test]
    fn versions_compare_by_number() {
        assert!(is_lower("6.3.1.1", "7.0"));
        assert!(is_lower("9.0", "10.0"));
        assert!(is_lower("7.0", "7.0.0"));
        assert!(!is_lower("x", "7.0"));
        assert!(!is_lower("7", "8.0"));
    }
}
