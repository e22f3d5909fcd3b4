//! `Backup-Directory` and `Complete-Backup`.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::lab::host::folder::HostFolder;
use crate::lab::host::native::backups;
use crate::lab::host::native::reply::{Failure, ascii_json};
use crate::lab::host::native::script::Call;
use crate::lab::host::native::work_folder::{self, assert_plain_name, path};
use crate::lab::host::product::release::sha256;
use crate::lab::host::time;

/// What lies beside a complete copy.
#[derive(Serialize, Deserialize)]
struct Manifest {
    source: String,
    bytes: u64,
    files: Vec<CopiedFile>,
}

#[derive(Serialize, Deserialize)]
struct CopiedFile {
    name: String,
    length: u64,
    sha256: String,
}

pub fn back_up(call: &mut Call<'_>) -> Result<Value, Failure> {
    let host = call.host;
    let (source, backup_id, name) =
        (call.arguments.text("source"), call.arguments.text("backup_id"), call.arguments.text("name"));
    assert_plain_name(backup_id, "backup")?;
    assert_plain_name(name, "backup")?;
    let folder = path(&format!("backups\\{backup_id}"));
    let target = format!("{folder}\\{name}");
    let manifest_path = format!("{target}.manifest.json");
    let is_complete = host.is_file(&manifest_path) && host.is_folder(&target);
    if is_complete {
        let manifest: Manifest = serde_json::from_slice(&host.read(&manifest_path)?)
            .map_err(|error| Failure::other(format!("the manifest cannot be read: {error}")))?;
        if !call.arguments.flag("fresh") || (host.is_folder(source) && is_same(host, &manifest, source)?) {
            return Ok(answer(&target, &manifest, true));
        }
    }
    if !host.is_folder(source) {
        return Err(Failure::not_found(format!("the folder {source} does not exist")));
    }
    work_folder::initialize(host)?;
    host.create_folder(&folder)?;
    work_folder::assert_inside(host, &target)?;
    if is_complete {
        let superseded = stamped(host, &format!("{target}-superseded"));
        std::fs::rename(host.real(&target)?, host.real(&superseded)?)?;
        std::fs::rename(host.real(&manifest_path)?, host.real(&format!("{superseded}.manifest.json"))?)?;
    }
    host.remove(&manifest_path)?;
    host.remove(&target)?;
    let manifest = copy(host, source, &target)?;
    host.write(&manifest_path, ascii_json(&manifest))?;
    let result = answer(&target, &manifest, false);
    let detail = json!({
        "source": source, "backup_id": backup_id, "name": name, "files": result["files"], "bytes": result["bytes"]
    });
    host.record("backup_directory", detail)?;
    Ok(result)
}

/// Whether a folder holds exactly the files of a manifest.
fn is_same(host: &HostFolder, manifest: &Manifest, folder: &str) -> Result<bool, Failure> {
    let names = backups::relative_files(host, folder)?;
    if names.len() != manifest.files.len() {
        return Ok(false);
    }
    for copied in &manifest.files {
        let path = format!("{}\\{}", folder.trim_end_matches('\\'), copied.name);
        if !host.is_file(&path) || sha256(&host.read(&path)?) != copied.sha256 {
            return Ok(false);
        }
    }
    Ok(true)
}

fn copy(host: &HostFolder, source: &str, target: &str) -> Result<Manifest, Failure> {
    host.create_folder(target)?;
    for below in backups::relative_folders(host, source)? {
        host.create_folder(&format!("{target}\\{below}"))?;
    }
    let mut manifest = Manifest { source: source.to_owned(), bytes: 0, files: Vec::new() };
    for file in backups::relative_files(host, source)? {
        let bytes = host.read(&format!("{}\\{file}", source.trim_end_matches('\\')))?;
        host.write(&format!("{target}\\{file}"), &bytes)?;
        manifest.bytes += bytes.len() as u64;
        manifest.files.push(CopiedFile { name: file, length: bytes.len() as u64, sha256: sha256(&bytes) });
    }
    Ok(manifest)
}

/// The path with the time in its name, free to be used.
fn stamped(host: &HostFolder, path: &str) -> String {
    let paths = (0..).map(|seconds| format!("{path}-{}", time::stamp(seconds)));
    paths.into_iter().find(|path| !host.is_folder(path)).unwrap_or_default()
}

fn answer(target: &str, manifest: &Manifest, already: bool) -> Value {
    json!({ "path": target, "files": manifest.files.len(), "bytes": manifest.bytes, "already": already })
}

pub fn complete(call: &mut Call<'_>) -> Result<Value, Failure> {
    let host = call.host;
    let backup_id = call.arguments.text("backup_id");
    assert_plain_name(backup_id, "backup")?;
    let open = path(&format!("backups\\{backup_id}"));
    if !host.is_folder(&open) {
        let newest = backups::closed(host, backup_id).pop();
        let newest = newest.map(|folder| path(&format!("backups\\{folder}")));
        return Ok(json!({ "path": newest, "already": true }));
    }
    work_folder::assert_inside(host, &open)?;
    let closed = stamped(host, &open);
    std::fs::rename(host.real(&open)?, host.real(&closed)?)?;
    host.record("complete_backup", json!({ "backup_id": backup_id, "path": closed }))?;
    Ok(json!({ "path": closed, "already": false }))
}
