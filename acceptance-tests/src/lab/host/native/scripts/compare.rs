//! `Compare-Directory`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::lab::host::folder::HostFolder;
use crate::lab::host::native::backups;
use crate::lab::host::native::reply::Failure;
use crate::lab::host::native::script::Call;
use crate::lab::host::product::release::sha256;

pub fn run(call: &mut Call<'_>) -> Result<Value, Failure> {
    let subfolder = call.arguments.text("subfolder");
    for part in subfolder.split('\\').filter(|_| !subfolder.is_empty()) {
        if part.chars().all(|c| c == '.') || part.contains(|c: char| "/:*?\"<>|".contains(c)) {
            return Err(Failure::invalid_input(format!("the subfolder {subfolder} is not written plainly")));
        }
    }
    let (backup_id, name) = (call.arguments.text("backup_id"), call.arguments.text("name"));
    let Some(backup) = backups::folders(call.host, backup_id, name)?.into_iter().next() else {
        let message = format!("there is no complete backup {name} of {backup_id} on this host");
        return Err(Failure::precondition(message));
    };
    let below = if subfolder.is_empty() { String::new() } else { format!("\\{subfolder}") };
    let old = hashes(call.host, &format!("{backup}{below}"))?;
    let new = hashes(call.host, &format!("{}{below}", call.arguments.text("path").trim_end_matches('\\')))?;
    let names = |table: &Table, wanted: &dyn Fn(&str, &str) -> bool| -> Vec<String> {
        let entries = table.iter().filter(|(key, (_, hash))| wanted(key, hash));
        let mut names: Vec<String> = entries.map(|(_, (name, _))| name.clone()).collect();
        names.sort();
        names
    };
    let changed = |key: &str, hash: &str| new.get(key).is_some_and(|(_, found)| found != hash);
    Ok(json!({
        "changed": names(&old, &changed),
        "missing": names(&old, &|key, _| !new.contains_key(key)),
        "added": names(&new, &|key, _| !old.contains_key(key)),
    }))
}

/// Name and hash by the name in lower case: Windows does not tell casings apart.
type Table = BTreeMap<String, (String, String)>;

fn hashes(host: &HostFolder, folder: &str) -> Result<Table, Failure> {
    if !host.is_folder(folder) {
        return Ok(Table::new());
    }
    let entry = |name: String| {
        let hash = sha256(&host.read(&format!("{folder}\\{name}"))?);
        Ok((name.to_lowercase(), (name, hash)))
    };
    backups::relative_files(host, folder)?.into_iter().map(entry).collect()
}
