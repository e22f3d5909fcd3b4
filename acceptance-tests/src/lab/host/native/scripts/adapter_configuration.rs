//! `Export-AdapterConfiguration` and `Merge-AdapterConfiguration`.

use std::collections::BTreeSet;

use roxmltree::{Document, Node};
use serde_json::{Value, json};

use crate::lab::host::native::reply::Failure;
use crate::lab::host::native::script::Call;
use crate::lab::host::native::scripts::adfs::Configuration;
use crate::lab::host::native::work_folder::{self, assert_inside};
use crate::lab::host::native::xml::{Edits, XmlFile, escape_text, inner_text};

pub fn export(call: &mut Call<'_>) -> Result<Value, Failure> {
    let host = call.host;
    let (wanted, path) = (call.arguments.text("provider_name"), call.arguments.text("path"));
    assert_inside(host, path)?;
    let keys = |path: &str| -> Result<BTreeSet<String>, Failure> {
        let file = XmlFile::read(host, path)?;
        let names = leaves(&file.document()?).map(|node| node.tag_name().name().to_owned()).collect();
        Ok(names)
    };
    let configuration = Configuration::of_primary(host, &host.state()?)?;
    let Some(name) = configuration.provider_name(wanted) else {
        if host.is_file(path) {
            return Ok(json!({ "path": path, "keys": keys(path)?, "already": true }));
        }
        return Err(Failure::not_found(format!("no authentication provider {wanted} is registered in AD FS")));
    };
    work_folder::initialize(host)?;
    let text = configuration.farm.provider(&name).and_then(|provider| provider.configuration.clone());
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Err(Failure::precondition(format!(
            "{wanted} is registered without a configuration, so there is nothing to carry over"
        )));
    };
    let partial = format!("{path}.partial");
    host.write(&partial, &text)?;
    let keys = keys(&partial);
    host.remove(&partial)?;
    let keys = keys?;
    host.write(path, text)?;
    host.record("adapter_export", json!({ "provider_name": wanted, "path": path }))?;
    Ok(json!({ "path": path, "keys": keys, "already": false }))
}

pub fn merge(call: &mut Call<'_>) -> Result<Value, Failure> {
    let host = call.host;
    let argument = |name: &str| call.arguments.text(name);
    let (exported, template, output) = (argument("exported_path"), argument("template_path"), argument("output_path"));
    assert_inside(host, exported)?;
    assert_inside(host, output)?;
    let (old, new) = (XmlFile::read(host, exported)?, XmlFile::read(host, template)?);
    let (old_document, new_document) = (old.document()?, new.document()?);
    work_folder::initialize(host)?;
    let (mut carried, mut lost) = (BTreeSet::new(), BTreeSet::new());
    let mut edits = Edits::default();
    for node in leaves(&old_document) {
        let name = node.tag_name().name();
        let targets: Vec<_> =
            leaves(&new_document).filter(|target| target.tag_name().name().eq_ignore_ascii_case(name)).collect();
        let Some(first) = targets.first() else {
            lost.insert(name.to_owned());
            continue;
        };
        carried.insert(first.tag_name().name().to_owned());
        let text = inner_text(node);
        for target in targets.iter().filter(|target| inner_text(**target) != text) {
            edits.set_inner(&new, *target, &escape_text(&text));
        }
    }
    new.save(host, output, edits)?;
    host.record("adapter_merge", json!({ "output_path": output }))?;
    Ok(json!({ "carried": carried, "not_carried": lost }))
}

/// The elements that hold values.
fn leaves<'a>(document: &'a Document<'_>) -> impl Iterator<Item = Node<'a, 'a>> {
    let below = document.root_element().descendants().skip(1).filter(Node::is_element);
    below.filter(|node| !node.children().any(|child| child.is_element()))
}
