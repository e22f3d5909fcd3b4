//! `Merge-WebConfig`.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;
use roxmltree::{Document, Node};
use serde_json::{Value, json};

use crate::lab::host::native::backups;
use crate::lab::host::native::reply::Failure;
use crate::lab::host::native::script::Call;
use crate::lab::host::native::scripts::configuration_entries::{Entry, Place, address, entries, placeholders};
use crate::lab::host::native::work_folder::path;
use crate::lab::host::native::xml::{Edits, XmlFile, children, escape_text, inner_xml};
use crate::lab::host::product::release::sha256;

pub fn merge(call: &mut Call<'_>) -> Result<Value, Failure> {
    let (host, live) = (call.host, call.arguments.text("path"));
    let state = host.state()?;
    let old_path = find_old(call)?;
    let (old_file, new_file) = (XmlFile::read(host, &old_path)?, XmlFile::read(host, live)?);
    let (old, new) = (old_file.document()?, new_file.document()?);
    let (old_entries, new_entries) = (entries(&old, &old_path)?, entries(&new, live)?);
    let wanted = call.arguments.text("web_service_sdk_url");
    let old_address = address(&old_entries).and_then(Entry::value);
    let is_same_address = wanted.is_empty() || old_address.as_deref() == Some(wanted);
    if is_same_address && has_same_shape(&old, &new, &old_entries, &new_entries) {
        let (before, after) = (host.read(live)?, host.read(&old_path)?);
        let outcome = if sha256(&before) == sha256(&after) { "unchanged" } else { "restored" };
        if outcome == "restored" {
            host.write(live, after)?;
            host.record("web_config", json!({ "path": live, "outcome": outcome }))?;
        }
        return Ok(answer(outcome, [], [], placeholders(&state, &old_entries)));
    }
    let mut merge =
        Merge { old_file: &old_file, new_file: &new_file, edits: Edits::default(), carried: BTreeSet::new() };
    let mut lost = Vec::new();
    for entry in &old_entries {
        match counterpart(entry, &new_entries) {
            Some(target) => merge.carry(entry, target),
            None => lost.push(entry.key.clone()),
        }
    }
    if !wanted.is_empty() {
        let Some(target) = address(&new_entries) else {
            let message = format!("{live} has no setting for the address of the Web Service SDK");
            return Err(Failure::precondition(message));
        };
        merge.set_address(target, wanted, old_address.as_deref());
    }
    let outcome = if merge.carried.is_empty() { "unchanged" } else { "merged" };
    let (edits, carried) = (merge.edits, merge.carried);
    if outcome == "merged" {
        new_file.save(host, live, edits)?;
        host.record("web_config", json!({ "path": live, "outcome": outcome }))?;
    }
    let merged = XmlFile::read(host, live)?;
    let document = merged.document()?;
    let left = placeholders(&state, &entries(&document, live)?);
    lost.sort();
    Ok(answer(outcome, carried, lost, left))
}

fn answer(
    outcome: &str,
    carried: impl IntoIterator<Item = String>,
    not_carried: impl IntoIterator<Item = String>,
    placeholders: Vec<String>,
) -> Value {
    let list = |names: &mut dyn Iterator<Item = String>| names.collect::<Vec<_>>();
    json!({
        "outcome": outcome,
        "carried": list(&mut carried.into_iter()),
        "not_carried": list(&mut not_carried.into_iter()),
        "placeholders": placeholders,
    })
}

/// The old file: of the open backup, else of the newest closed one that was configured.
fn find_old(call: &Call<'_>) -> Result<String, Failure> {
    let (backup_id, name) = (call.arguments.text("backup_id"), call.arguments.text("name"));
    let state = call.host.state()?;
    let open = path(&format!("backups\\{backup_id}\\{name}"));
    for folder in backups::folders(call.host, backup_id, name)? {
        let names = call.host.file_names(&folder);
        let Some(file) = names.into_iter().find(|name| name.eq_ignore_ascii_case("web.config")) else { continue };
        let old = format!("{folder}\\{file}");
        if folder == open {
            return Ok(old);
        }
        let file = XmlFile::read(call.host, &old)?;
        let document = file.document()?;
        if placeholders(&state, &entries(&document, &old)?).is_empty() {
            return Ok(old);
        }
    }
    Err(Failure::precondition(format!(
        "there is no complete backup {name} of {backup_id} with a configured web.config on this host; carry the settings \
         into {} by hand",
        call.arguments.text("path")
    )))
}

fn has_same_shape(
    old: &Document<'_>,
    new: &Document<'_>,
    old_entries: &[Entry<'_, '_>],
    new_entries: &[Entry<'_, '_>],
) -> bool {
    let names = |entries: &[Entry<'_, '_>]| {
        let mut names: Vec<String> = entries.iter().map(Entry::name).collect();
        names.sort();
        names
    };
    names(old_entries) == names(new_entries)
        && is_dotnet_4(old) == is_dotnet_4(new)
        && section_lines(old) == section_lines(new)
}

/// The declared sections and groups as comparable lines.
fn section_lines(document: &Document<'_>) -> Vec<String> {
    let line = |node: Node<'_, '_>| {
        let mut attributes: Vec<_> =
            node.attributes().map(|attribute| format!("{}={}", attribute.name(), attribute.value())).collect();
        attributes.sort();
        let parent = node.parent_element().and_then(|parent| parent.attribute("name")).unwrap_or_default();
        format!("{parent}/{} {}", node.tag_name().name(), attributes.join(" "))
    };
    let mut lines: Vec<_> = declarations(document).map(line).collect();
    lines.sort();
    lines
}

fn declarations<'a>(document: &'a Document<'_>) -> impl Iterator<Item = Node<'a, 'a>> {
    let sections = children(document.root_element(), "configSections");
    sections.flat_map(|sections| sections.descendants().skip(1)).filter(Node::is_element)
}

static FRAMEWORK: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(?i)^\s*v?4").expect("a pattern of ours"));
static ASSEMBLY: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(?i)Version=4\.").expect("a pattern of ours"));

/// Whether anything in the file asks for .NET 4.
fn is_dotnet_4(document: &Document<'_>) -> bool {
    let web = document.descendants().filter(|node| node.has_tag_name("system.web"));
    let mut parts = web.flat_map(|web| web.children()).filter(Node::is_element);
    let asks = |node: Node<'_, '_>| {
        let is_framework = matches!(node.tag_name().name(), "compilation" | "httpRuntime");
        let target = node.attribute("targetFramework").filter(|_| is_framework);
        let mut assemblies = children(node, "assemblies").filter(|_| node.has_tag_name("compilation"));
        target.is_some_and(|target| FRAMEWORK.is_match(target))
            || assemblies.any(|list| {
                children(list, "add").any(|add| add.attribute("assembly").is_some_and(|name| ASSEMBLY.is_match(name)))
            })
    };
    parts.any(asks)
        || declarations(document).any(|node| node.attribute("type").is_some_and(|name| ASSEMBLY.is_match(name)))
}

/// The setting of the new file that an old one goes to.
fn counterpart<'e, 'a, 'input>(
    entry: &Entry<'_, '_>,
    new_entries: &'e [Entry<'a, 'input>],
) -> Option<&'e Entry<'a, 'input>> {
    let same = new_entries.iter().find(|found| found.name() == entry.name());
    let same = same.or_else(|| address(new_entries).filter(|_| entry.is_address()));
    same.filter(|found| found.place.is_some() && entry.place.is_some())
}

/// Values on their way from the old file into the new one.
struct Merge<'a> {
    old_file: &'a XmlFile,
    new_file: &'a XmlFile,
    edits: Edits,
    carried: BTreeSet<String>,
}

impl Merge<'_> {
    fn carry(&mut self, old: &Entry<'_, '_>, new: &Entry<'_, '_>) {
        match (&old.place, &new.place) {
            (Some(Place::Attribute { value: from, .. }), Some(Place::Attribute { value: to, range })) if from != to => {
                self.edits.set_attribute(range.clone(), from);
                self.carried.insert(new.key.clone());
            }
            (Some(Place::Element(from)), Some(Place::Element(to))) => {
                let inner = inner_xml(self.old_file, *from);
                if inner != inner_xml(self.new_file, *to) {
                    self.edits.set_inner(self.new_file, *to, &inner);
                    self.carried.insert(new.key.clone());
                }
            }
            _ => {}
        }
    }

    /// Writes another address of the SDK than the old file has. `carried` is what was written there before.
    fn set_address(&mut self, target: &Entry<'_, '_>, wanted: &str, carried: Option<&str>) {
        let present = if self.carried.contains(&target.key) { carried.map(str::to_owned) } else { target.value() };
        if present.as_deref() == Some(wanted) {
            return;
        }
        match &target.place {
            Some(Place::Attribute { range, .. }) => self.edits.set_attribute(range.clone(), wanted),
            Some(Place::Element(node)) => self.edits.set_inner(self.new_file, *node, &escape_text(wanted)),
            None => return,
        }
        self.carried.insert(target.key.clone());
    }
}
