//! The settings in a `web.config`: where they stand, what they hold, and which still are as the vendor ships them.

use std::ops::Range;

use roxmltree::{Document, Node};

use crate::lab::host::installer::server::SERVICE;
use crate::lab::host::native::reply::Failure;
use crate::lab::host::native::xml::{children, inner_text};
use crate::lab::host::product::web_config::{LOCAL_PLACEHOLDER, REMOTE_PLACEHOLDER};
use crate::lab::host::state::State;

/// One setting.
#[derive(Clone)]
pub struct Entry<'a, 'input> {
    /// `appSettings`, or the section below `applicationSettings`.
    pub kind: String,
    pub key: String,
    pub place: Option<Place<'a, 'input>>,
}

/// Where the value of a setting stands.
#[derive(Clone)]
pub enum Place<'a, 'input> {
    Attribute { value: String, range: Range<usize> },
    Element(Node<'a, 'input>),
}

impl Entry<'_, '_> {
    /// The value without blanks around it.
    pub fn value(&self) -> Option<String> {
        self.place.as_ref().map(|place| match place {
            Place::Attribute { value, .. } => value.trim().to_owned(),
            Place::Element(node) => inner_text(*node).trim().to_owned(),
        })
    }

    /// What tells one setting from another; settings are looked up in any casing.
    pub fn name(&self) -> String {
        format!("{}|{}", self.kind, self.key).to_lowercase()
    }

    /// Whether it holds the address of the Web Service SDK; its prefix differs.
    pub fn is_address(&self) -> bool {
        self.key.to_ascii_lowercase().ends_with("_pfwssdk_pfwssdk")
    }
}

/// The settings of a file.
pub fn entries<'a, 'input>(document: &'a Document<'input>, path: &str) -> Result<Vec<Entry<'a, 'input>>, Failure> {
    let root = document.root_element();
    let root = root.has_tag_name("configuration").then_some(root);
    for section in ["appSettings", "applicationSettings"] {
        let mut parts = root.into_iter().flat_map(|root| children(root, section)).flat_map(|part| part.descendants());
        if parts.any(|node| node.is_element() && node.tag_name().name() == "EncryptedData") {
            return Err(Failure::precondition(format!(
                "{section} in {path} is encrypted. Decrypt it with aspnet_regiis -pdf, or carry the values over by hand"
            )));
        }
    }
    let mut entries = Vec::new();
    for node in root.into_iter().flat_map(|root| children(root, "appSettings")).flat_map(|part| children(part, "add")) {
        let Some(key) = node.attribute("key") else { continue };
        let place = node
            .attribute_node("value")
            .map(|value| Place::Attribute { value: value.value().to_owned(), range: value.range_value() });
        entries.push(Entry { kind: "appSettings".to_owned(), key: key.to_owned(), place });
    }
    let sections = root.into_iter().flat_map(|root| children(root, "applicationSettings"));
    for section in sections.flat_map(|part| part.children()).filter(Node::is_element) {
        for node in children(section, "setting") {
            let Some(key) = node.attribute("name") else { continue };
            let place = children(node, "value").next().map(Place::Element);
            entries.push(Entry { kind: section.tag_name().name().to_owned(), key: key.to_owned(), place });
        }
    }
    Ok(entries)
}

/// The setting with the address of the Web Service SDK.
pub fn address<'e, 'a, 'input>(entries: &'e [Entry<'a, 'input>]) -> Option<&'e Entry<'a, 'input>> {
    entries.iter().find(|entry| entry.is_address() && entry.place.is_some())
}

/// Keys that still hold what the vendor ships. A portal beside its server that does not use the SDK is right to have it.
pub fn placeholders(state: &State, entries: &[Entry<'_, '_>]) -> Vec<String> {
    let Some(address) = address(entries) else { return Vec::new() };
    let is_shipped = |value: String| {
        [LOCAL_PLACEHOLDER, REMOTE_PLACEHOLDER].iter().any(|shipped| value.eq_ignore_ascii_case(shipped))
    };
    if !address.value().is_some_and(is_shipped) {
        return Vec::new();
    }
    let is_use =
        |entry: &&Entry<'_, '_>| entry.key.eq_ignore_ascii_case("USE_WEB_SERVICE_SDK") && entry.place.is_some();
    let used = entries.iter().find(is_use).and_then(Entry::value);
    let is_unused = used.is_some_and(|used| !used.eq_ignore_ascii_case("true"));
    if is_unused && state.service(SERVICE).is_some() {
        return Vec::new();
    }
    vec![address.key.clone()]
}
